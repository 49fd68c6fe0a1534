/* Keys and values in panels of bf16, and weights as pairs. Part of forward_state.h.
 *
 *     k  [keys][dim]             rows, padded to whole pairs
 *     v  [keys / 2][dim][2]      the same column of two neighbouring keys
 *     p  [keys / 2][ROWS][2]     weights likewise */

enum { WEIGHT_WORDS = KEYS / 2 * ROWS /* of a granule */ };
#define ONES 0x3f803f80u /* a pair */

INLINE uint32_t pair_of(uint16_t first, uint16_t second) { return first | (uint32_t)second << 16; }
INLINE uint32_t pair_at(const kept *at)
{
    uint32_t pair;
    memcpy(&pair, at, sizeof pair);
    return pair;
}

INLINE size_t kept_dim(size_t dim) { return dim + dim % 2; }
INLINE size_t query_words(size_t dim) { return kept_dim(dim) / 2 * ROWS; }
INLINE packed *lay_out_weights(arena *a, float *p, size_t granules)
{
    (void)p;
    return arena_take(a, granules * WEIGHT_WORDS, sizeof(packed));
}

/* A row of k into place `to`. */
INLINE void put_k(kept *k, size_t to, const uint16_t *row, size_t dim)
{
    kept *at = k + to * kept_dim(dim);
    size_t c = 0;
    for (; c + 32 <= dim; c += 32)
        vp_storeu(at + c, vp_loadu(row + c));
    for (; c < dim; c++)
        at[c] = row[c];
    if (dim % 2)
        at[dim] = 0;
}

/* Sixteen elements of a row of v, one in each lane, into the first or the second halves of pairs. */
INLINE void put_lanes(kept *at, bool second, vp x)
{
    vp_storeu(at, second ? vp_join(vp_loadu(at), x) : vp_join_second(x, vp_loadu(at)));
}

/* A row of v into its half of the pairs of place `to`. */
INLINE void put_v(kept *v, size_t to, const uint16_t *row, size_t dim)
{
    kept *at = v + to / 2 * 2 * kept_dim(dim);
    size_t c = 0;
    for (; c + LANES <= dim; c += LANES)
        put_lanes(at + 2 * c, to % 2, vp_widen(row + c));
    for (; c < dim; c++)
        at[2 * c + to % 2] = row[c];
}

/* Key `key` into row `to` of the panels. */
INLINE void keep_key(const shape *s, const operands *x, size_t key, kept *k, kept *v, size_t to)
{
    put_k(k, to, (const uint16_t *)x->k + key * s->dim, s->dim);
    put_v(v, to, (const uint16_t *)x->v + key * s->dim, s->dim);
}

/* Two rows of v into places `to` and `to` + 1, `to` being even. */
INLINE void put_values(kept *v, size_t to, const uint16_t *first, const uint16_t *second, size_t dim)
{
    kept *at = v + to * kept_dim(dim);
    size_t c = 0;
    for (; c + 2 * LANES <= dim; c += 2 * LANES) {
        const vp a = vp_loadu(first + c), b = vp_loadu(second + c);
        vp_storeu(at + 2 * c, vp_mix_low(a, b));
        vp_storeu(at + 2 * c + 2 * LANES, vp_mix_high(a, b));
    }
    for (; c < dim; c++) {
        at[2 * c] = first[c];
        at[2 * c + 1] = second[c];
    }
}

/* Whether k serves as it lies: rows of whole pairs do. */
INLINE bool k_as_it_lies(const shape *s) { return s->dim % 2 == 0; }

/* Key `key` and those after it into a granule; k only where it does not serve as it lies. */
INLINE void keep_keys(const shape *s, const operands *x, size_t key, kept *k, kept *v)
{
    const size_t dim = s->dim;
    const uint16_t *from_k = (const uint16_t *)x->k + key * dim, *from_v = (const uint16_t *)x->v + key * dim;
    for (uint32_t r = 0; r < KEYS; r += 2) {
        if (!k_as_it_lies(s)) {
            put_k(k, r, from_k + r * dim, dim);
            put_k(k, r + 1, from_k + (r + 1) * dim, dim);
        }
        put_values(v, r, from_v + r * dim, from_v + (r + 1) * dim, dim);
    }
}

/* Zeros instead of a key. */
INLINE void keep_nothing(kept *k, kept *v, size_t to, size_t dim)
{
    memset(k + to * kept_dim(dim), 0, kept_dim(dim) * sizeof *k);
    for (size_t c = 0; c < dim; c++)
        v[to / 2 * 2 * kept_dim(dim) + 2 * c + to % 2] = 0;
}

/* A row of k or v is worked on as floats here, and then kept: floats that were bf16, perhaps times a power of two. */
INLINE float *floats_of(kept *panel, size_t to, size_t dim, float *aside)
{
    (void)panel;
    (void)to;
    (void)dim;
    return aside;
}
INLINE void keep_k(kept *k, size_t to, const float *row, size_t dim)
{
    NARROW_BF16(k + to * kept_dim(dim), row, dim);
    if (dim % 2)
        k[to * kept_dim(dim) + dim] = 0;
}
INLINE void keep_v(kept *v, size_t to, const float *row, size_t dim)
{
    kept *at = v + to / 2 * 2 * kept_dim(dim);
    size_t c = 0;
    for (; c + LANES <= dim; c += LANES)
        put_lanes(at + 2 * c, to % 2, vp_upper(vf_loadu(row + c)));
    for (; c < dim; c++)
        at[2 * c + to % 2] = bf16_from_f32(row[c]);
}

/* A weight as it meets v: rounded. */
INLINE vf as_weight(vf x) { return vp_first(vp_round(x, x)); }

/* Where the scores of granule i of a chunk go until they are weights. */
INLINE float *scores_of(float *p, uint32_t i)
{
    (void)i;
    return p;
}

/* Weights of a chunk from floats and back. */
INLINE void pack_weights(packed *weights, const float *p, uint32_t granules)
{
    for (size_t pair = 0; pair < (size_t)granules * KEYS / 2; pair++, p += 2 * ROWS)
        for (size_t r = 0; r < ROWS; r += LANES)
            vp_store(weights + pair * ROWS + r, vp_round(vf_load(p + r), vf_load(p + ROWS + r)));
}
INLINE void show_weights(float *p, const packed *weights, uint32_t granules)
{
    for (size_t pair = 0; pair < (size_t)granules * KEYS / 2; pair++, p += 2 * ROWS)
        for (size_t r = 0; r < ROWS; r += LANES) {
            const vp w = vp_load(weights + pair * ROWS + r);
            vf_store(p + r, vp_first(w));
            vf_store(p + ROWS + r, vp_second(w));
        }
}
