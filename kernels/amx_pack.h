/* Rows of q, k and v as AMX wants them. Part of amx_body.h, which explains.
 *
 *   q   [depth][ROWS][32] bf16: rows as they are, 32 columns at a time; scale is applied to the scores
 *   k   [2 halves of the keys][depth][16 pairs of columns][16 keys][2]: a transpose of 32-bit pairs
 *   v   [columns / 16][16 pairs of keys][16 columns][2]: two rows interleaved
 *
 * Where dim is not a multiple of 32, rows are copied first and padded with zeros; v then gets its column of
 * ones there. Beyond the last row of q, and for keys that only fill a granule, there are zeros. */

enum { PADDED = ATTN_MAX_DIM }; /* a multiple of 32 */
#define BF16_ONE 0x3f80
#define BF16_NAN 0x7fc0

/* A row of bf16 times 2^shift; what becomes subnormal may be flushed. */
static void shift_row(uint16_t *row, size_t dim, int shift)
{
    float wide[PADDED];
    for (size_t c = 0; c < dim; c++)
        wide[c] = f32_from_bf16(row[c]);
    shift_in(wide, dim, shift);
    for (size_t c = 0; c < dim; c++)
        row[c] = (uint16_t)(float_bits(wide[c]) >> 16); /* that is all of it */
}

static void pack_rows(uint8_t *to, const uint16_t *from, size_t stride, uint32_t count, size_t dim)
{
    for (size_t c = 0; c < dim; c += 32, to += Q_BYTES) {
        uint32_t columns = dim - c >= 32 ? UINT32_MAX : (1u << (dim - c)) - 1;
        for (uint32_t r = 0; r < ROWS; r++)
            _mm512_store_si512(to + r * 64, _mm512_maskz_loadu_epi16(r < count ? columns : 0,
                                                                     from + (r < count ? r : 0) * stride + c));
    }
}

static __attribute__((noinline)) void pack_shifted_rows(uint8_t *to, const uint16_t *from, size_t stride, uint32_t count,
                                                        size_t dim, int shift)
{
    uint16_t stage[ROWS][PADDED];
    for (uint32_t r = 0; r < count; r++) {
        memcpy(stage[r], from + r * stride, dim * sizeof *from);
        shift_row(stage[r], dim, shift);
    }
    pack_rows(to, stage[0], PADDED, count, dim);
}

/* Times 2^shift. */
static void pack_queries(uint8_t *to, const uint16_t *from, size_t stride, uint32_t count, size_t dim, int shift)
{
    if (__builtin_expect(shift != 0, 0))
        pack_shifted_rows(to, from, stride, count, dim, shift);
    else
        pack_rows(to, from, stride, count, dim);
}

INLINE __m128i load_8(const uint16_t *from)
{
    return _mm_loadu_si128((const __m128i *)(const void *)from);
}

/* 16 keys x 32 columns. Lane l of piece [c][r] is columns 8 c .. of key 4 l + r, so that what is left of the
 * transpose happens within lanes. */
INLINE void pack_key_tile(uint8_t *to, const uint16_t *const row[16], size_t column)
{
    UNROLL for (uint32_t c = 0; c < 4; c++, to += 256) {
        __m512i piece[4], half[4];
        UNROLL for (uint32_t r = 0; r < 4; r++) {
            size_t at = column + 8 * c;
            __m512i x = _mm512_castsi128_si512(load_8(row[r] + at));
            x = _mm512_mask_broadcast_i32x4(x, 0x00f0, load_8(row[4 + r] + at));
            x = _mm512_mask_broadcast_i32x4(x, 0x0f00, load_8(row[8 + r] + at));
            piece[r] = _mm512_mask_broadcast_i32x4(x, 0xf000, load_8(row[12 + r] + at));
        }
        half[0] = _mm512_unpacklo_epi32(piece[0], piece[1]);
        half[1] = _mm512_unpackhi_epi32(piece[0], piece[1]);
        half[2] = _mm512_unpacklo_epi32(piece[2], piece[3]);
        half[3] = _mm512_unpackhi_epi32(piece[2], piece[3]);
        _mm512_store_si512(to, _mm512_unpacklo_epi64(half[0], half[2]));
        _mm512_store_si512(to + 64, _mm512_unpackhi_epi64(half[0], half[2]));
        _mm512_store_si512(to + 128, _mm512_unpacklo_epi64(half[1], half[3]));
        _mm512_store_si512(to + 192, _mm512_unpackhi_epi64(half[1], half[3]));
    }
}

static void pack_keys(uint8_t *to, const uint16_t *const row[KEYS], uint32_t depth)
{
    for (uint32_t half = 0; half < 2; half++)
        for (uint32_t c = 0; c < depth; c++, to += K_BYTES)
            pack_key_tile(to, row + 16 * half, 32 * (size_t)c);
}

/* Quarters of the rows are reordered so that interleaving, which works within lanes, leaves columns in order. */
static void pack_values(uint8_t *to, const uint16_t *const row[KEYS], uint32_t depth)
{
    const __m512i order = _mm512_set_epi64(7, 3, 6, 2, 5, 1, 4, 0);
    for (uint32_t pair = 0; pair < KEYS / 2; pair++)
        for (uint32_t c = 0; c < depth; c++) {
            __m512i x = _mm512_permutexvar_epi64(order, _mm512_loadu_si512(row[2 * pair] + 32 * c));
            __m512i y = _mm512_permutexvar_epi64(order, _mm512_loadu_si512(row[2 * pair + 1] + 32 * c));
            uint8_t *at = to + (size_t)(2 * c) * TILE_BYTES + pair * 64;
            _mm512_store_si512(at, _mm512_unpacklo_epi16(x, y));
            _mm512_store_si512(at + TILE_BYTES, _mm512_unpackhi_epi16(x, y));
        }
}

/* Copies the rows, times 2^shift, to where they are close together and there is room for zeros behind them, with `end` in
 * column dim, and points there. */
static void copy_rows(uint16_t stage[KEYS][PADDED], const uint16_t *row[KEYS], size_t dim, uint16_t end, int shift)
{
    for (uint32_t r = 0; r < KEYS; r++) {
        for (size_t c = 0; c < dim; c += 32) {
            uint32_t columns = dim - c >= 32 ? UINT32_MAX : (1u << (dim - c)) - 1;
            _mm512_store_si512(stage[r] + c, _mm512_maskz_loadu_epi16(columns, row[r] + c));
        }
        if (__builtin_expect(shift != 0, 0))
            shift_row(stage[r], dim, shift);
        if (dim % 32 != 0)
            stage[r][dim] = end;
        row[r] = stage[r];
    }
}

/* What a panel has that AMX would not compute as it should. */
typedef struct oddities {
    bool subnormal, special; /* special: NaN or infinite */
} oddities;

/* By the least and the greatest magnitude, since bits of masks would take twice the time: of the least one 1 is subtracted first, so that
 * zeros come out as the greatest. */
INLINE oddities look_for_oddities(const uint8_t *panel, size_t bytes)
{
    const __m512i sign = _mm512_set1_epi16(-0x8000), one = _mm512_set1_epi16(1);
    __m512i least = _mm512_set1_epi16(-1), greatest = _mm512_setzero_si512();
    for (size_t at = 0; at < bytes; at += 64) {
        const __m512i magnitude = _mm512_andnot_si512(sign, _mm512_load_si512(panel + at));
        greatest = _mm512_max_epu16(greatest, magnitude);
        least = _mm512_min_epu16(least, _mm512_sub_epi16(magnitude, one));
    }
    return (oddities){_mm512_cmple_epu16_mask(least, _mm512_set1_epi16(0x7e)) != 0,
                      _mm512_cmple_epu16_mask(_mm512_set1_epi16(0x7f80), greatest) != 0};
}

static const uint16_t zero_row[PADDED];

/* One granule; keys of UINT32_MAX are padding. Rows far apart are copied first as well: a power of two between
 * them, they would compete for the same sets of L1 while the transpose comes back to each again and again. */
static void pack_granule(uint8_t *k_to, uint8_t *v_to, const uint16_t *k, const uint16_t *v, const uint32_t keys[KEYS],
                         size_t dim, int k_shift, int v_shift)
{
    const uint16_t *k_row[KEYS], *v_row[KEYS];
    const uint32_t depth = (uint32_t)(dim + 31) / 32;
    for (uint32_t t = 0; t < KEYS; t++) {
        k_row[t] = keys[t] == UINT32_MAX ? zero_row : k + keys[t] * dim;
        v_row[t] = keys[t] == UINT32_MAX ? zero_row : v + keys[t] * dim;
    }
    if (dim % 32 != 0 || keys[1] != keys[0] + 1 || k_shift || v_shift) {
        _Alignas(64) uint16_t stage[KEYS][PADDED];
        copy_rows(stage, k_row, dim, 0, k_shift);
        pack_keys(k_to, k_row, depth);
        copy_rows(stage, v_row, dim, BF16_ONE, v_shift);
        pack_values(v_to, v_row, depth);
    } else {
        pack_keys(k_to, k_row, depth);
        pack_values(v_to, v_row, depth);
    }
}
