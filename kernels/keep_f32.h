/* Keys and values in panels of floats, and weights as floats. Part of forward_state.h. */

enum { WEIGHT_WORDS = KEYS * ROWS /* of a granule */ };

INLINE size_t kept_dim(size_t dim) { return dim; }
INLINE size_t query_words(size_t dim) { return dim * ROWS; }
INLINE packed *lay_out_weights(arena *a, float *p, size_t granules)
{
    (void)a;
    (void)granules;
    return p;
}

/* Key `key` into row `to` of the panels. */
INLINE void keep_key(const shape *s, const operands *x, size_t key, kept *k, kept *v, size_t to)
{
    widen_row(k + to * s->dim, x->k, key, s->dim, s->dtype);
    widen_row(v + to * s->dim, x->v, key, s->dim, s->dtype);
}

/* Whether k serves as it lies in a tensor of 16-bit elements. */
INLINE bool k_as_it_lies(const shape *s)
{
    (void)s;
    return false;
}

/* Key `key` and those after it into a granule. */
INLINE void keep_keys(const shape *s, const operands *x, size_t key, kept *k, kept *v)
{
    for (uint32_t r = 0; r < KEYS; r++)
        keep_key(s, x, key + r, k, v, r);
}

/* Zeros instead of a key. */
INLINE void keep_nothing(kept *k, kept *v, size_t to, size_t dim)
{
    memset(k + to * dim, 0, dim * sizeof *k);
    memset(v + to * dim, 0, dim * sizeof *v);
}

/* A row of k or v is worked on as floats here, and then kept. */
INLINE float *floats_of(kept *panel, size_t to, size_t dim, float *aside)
{
    (void)aside;
    return panel + to * dim;
}
INLINE void keep_k(kept *k, size_t to, const float *row, size_t dim)
{
    (void)k;
    (void)to;
    (void)row;
    (void)dim;
}
INLINE void keep_v(kept *v, size_t to, const float *row, size_t dim) { keep_k(v, to, row, dim); }

/* A weight as it meets v. */
INLINE vf as_weight(vf x) { return x; }

/* Where the scores of granule i of a chunk go, and become its weights. */
INLINE float *scores_of(float *p, uint32_t i) { return p + (size_t)i * KEYS * ROWS; }

/* Weights of a chunk from floats and back. */
INLINE void pack_weights(packed *weights, const float *p, uint32_t granules)
{
    (void)weights;
    (void)p;
    (void)granules;
}
INLINE void show_weights(float *p, const packed *weights, uint32_t granules) { pack_weights(p, weights, granules); }
