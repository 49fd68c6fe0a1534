/* Floats as sums of three bf16, packed for AMX. Part of amx_f32_engine.h, which explains.
 *
 *   x = x1 + x2 + x3 exactly: x1 is x cut to 8 significant bits, x2 the rest cut likewise, x3 what then is left
 *   (24 bits in all; short of subnormals, which AMX takes for zeros).
 *
 * What goes through a multiplication at once is a *block*: 32 deep, two hardware tiles wide, its three parts
 * one after the other: [PARTS][2][16 rows][64 bytes].
 *
 *   k   [depth] blocks; left, rows are keys: tile t has keys 16 t ..
 *   q   [depth] blocks; right, tile t has rows 16 t .. of the program's tile
 *   v   [depth] blocks; left, rows are columns of v: tile t of block c has columns 32 c + 16 t ..
 *   p   one block for a granule; right, as q
 *
 * Two numbers that share 32 bits are columns c and c + 16 of q and k, and neighbouring keys of p and v: so only v
 * has to be transposed. */

enum {
    PARTS = 3,
    PAIR_BYTES = 2 * TILE_BYTES,
    BLOCK_BYTES = PARTS * PAIR_BYTES
};
#define HIGH ((int)0xffff0000u) /* of the bits of a float: what bf16 keeps */
#define HUGE_FLOAT 0x1p90f      /* of q or k: from here on what is flushed of the other might matter: left to vectors */

/* Cut to bf16: a in even words, b in odd ones. */
INLINE __m512i cut_pair(__m512 a, __m512 b)
{
    return _mm512_ternarylogic_epi32(_mm512_srli_epi32(_mm512_castps_si512(a), 16), _mm512_castps_si512(b),
                                     _mm512_set1_epi32(HIGH), 0xf8); /* a >> 16 | (b & HIGH) */
}

/* What cutting leaves. */
INLINE __m512 cut_off(__m512 x)
{
    __m512i masked = _mm512_and_si512(_mm512_castps_si512(x), _mm512_set1_epi32(HIGH));
    return _mm512_sub_ps(x, _mm512_castsi512_ps(masked));
}

INLINE void split_pair(uint8_t *to, __m512 a, __m512 b)
{
    _mm512_store_si512(to, cut_pair(a, b));
    a = cut_off(a);
    b = cut_off(b);
    _mm512_store_si512(to + PAIR_BYTES, cut_pair(a, b));
    _mm512_store_si512(to + 2 * PAIR_BYTES, cut_pair(cut_off(a), cut_off(b)));
}

/* The larger magnitude, lane by lane; a quiet NaN counts as nothing. */
INLINE __m512 larger(__m512 a, __m512 b)
{
    return _mm512_range_ps(a, b, 0x0b);
}

INLINE bool is_huge(__m512 most)
{
    return _mm512_cmp_ps_mask(most, _mm512_set1_ps(HUGE_FLOAT), _CMP_GE_OQ) != 0;
}

/* Which of columns c .. c + 16 there are. */
INLINE __mmask16 columns_from(size_t c, size_t dim)
{
    return (__mmask16)(c >= dim ? 0 : dim - c >= 16 ? 0xffff : (1u << (dim - c)) - 1);
}

/* Rows [r, end) of a granule's keys. `most` rises to the largest magnitudes. */
INLINE void pack_key_rows(uint8_t *to, const float *const row[KEYS], uint32_t r, uint32_t end, size_t dim, __m512 *most)
{
    for (; r < end; r++)
        for (size_t c = 0; c < dim; c += 32) {
            __m512 a = _mm512_maskz_loadu_ps(columns_from(c, dim), row[r] + c);
            __m512 b = _mm512_maskz_loadu_ps(columns_from(c + 16, dim), row[r] + c + 16);
            *most = larger(larger(*most, a), b);
            split_pair(to + c / 32 * BLOCK_BYTES + r * 64, a, b);
        }
}

/* q^T [dim][ROWS]: pairs [r, end) of half `half` of block c. */
INLINE void pack_query_pairs(uint8_t *to, const float *q, size_t c, size_t half, size_t r, size_t end, size_t dim, __m512 *most)
{
    for (; r < end; r++) {
        const size_t column = 32 * c + r;
        const float *at = q + column * ROWS + half * 16;
        __m512 a = column < dim ? _mm512_load_ps(at) : _mm512_setzero_ps();
        __m512 b = column + 16 < dim ? _mm512_load_ps(at + 16 * ROWS) : _mm512_setzero_ps();
        *most = larger(larger(*most, a), b);
        split_pair(to + c * BLOCK_BYTES + half * TILE_BYTES + r * 64, a, b);
    }
}

/* Columns 16 c .. of the even or odd keys of a granule's values, transposed: [16][16]. */
INLINE void transpose_values(float *to, const float *const row[KEYS], uint32_t odd, size_t c, size_t dim)
{
    const __mmask16 columns = columns_from(16 * c, dim);
    __m512 x[16];
    UNROLL for (uint32_t p = 0; p < 16; p++)
        x[p] = _mm512_maskz_loadu_ps(columns, row[2 * p + odd] + 16 * c);
    vf_transpose(x);
    UNROLL for (uint32_t p = 0; p < 16; p++)
        _mm512_store_ps(to + p * 16, x[p]);
}

/* Rows [r, end) of what that left of even and odd keys. Returns whether a number is NaN or infinite: cut to bf16, a NaN
 * may look infinite, but no less. */
INLINE bool pack_value_rows(uint8_t *to, const float *even, const float *odd, uint32_t r, uint32_t end, size_t c)
{
    __m512i most = _mm512_setzero_si512();
    for (to += c / 2 * BLOCK_BYTES + c % 2 * TILE_BYTES; r < end; r++) {
        split_pair(to + r * 64, _mm512_load_ps(even + r * 16), _mm512_load_ps(odd + r * 16));
        most = _mm512_max_epi16(most, _mm512_and_si512(_mm512_load_si512(to + r * 64), _mm512_set1_epi16(0x7fff)));
    }
    return _mm512_cmpge_epi16_mask(most, _mm512_set1_epi16(0x7f80)) != 0;
}
