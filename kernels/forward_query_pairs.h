/* Queries on their way in: transposed as pairs of columns, [(dim + 1) / 2][ROWS], and not scaled (multiply_bf16.h). Part of
 * forward_body.h, which explains. */

INLINE packed *queries(const state *t) { return (packed *)t->q; }

/* Pair c of a row. */
INLINE packed query_pair(const uint16_t *row, size_t c, size_t dim)
{
    return pair_of(row[2 * c], 2 * c + 1 < dim ? row[2 * c + 1] : 0);
}

/* LANES lanes from v on: rows of pairs, `stride` elements apart; those beyond `rows` are 0. */
INLINE void transpose_lanes(const bool whole, packed *q, const uint16_t *from, size_t stride, size_t v, size_t rows, size_t dim,
                            ahead *a)
{
    size_t c = 0;
    for (; 2 * (c + LANES) <= dim; c += LANES) {
        vf r[LANES];
        UNROLL for (size_t i = 0; i < LANES; i++)
            r[i] = whole || v + i < rows ? vp_floats(vp_loadu(from + (v + i) * stride + 2 * c)) : vf_set1(0);
        vf_transpose(r); /* which only moves bits */
        UNROLL for (size_t i = 0; i < LANES; i++)
            vp_store(q + (c + i) * ROWS + v, vp_bits(r[i]));
        look_further(a);
    }
    for (; 2 * c < dim; c++)
        for (size_t i = v; i < v + LANES; i++)
            q[c * ROWS + i] = i < rows ? query_pair(from + i * stride, c, dim) : 0;
}

static void transpose_in(packed *q, const uint16_t *from, size_t stride, size_t rows, size_t lanes, size_t dim, ahead *a)
{
    for (size_t v = 0; v < lanes; v += LANES)
        if (v + LANES <= rows)
            transpose_lanes(true, q, from, stride, v, rows, dim, a);
        else
            transpose_lanes(false, q, from, stride, v, rows, dim, a);
}

/* Multiplies every element by 2^power, subnormal ones too; what becomes subnormal may be flushed. */
static void scale_queries(const shape *s, state *t, int power)
{
    packed *q = queries(t);
    unsigned flushing = flush_pause();
    const vf by = vf_set1(shift_power(power));
    for (size_t i = 0; i < query_words(s->dim); i += LANES) {
        const vp x = vp_load(q + i);
        vp_store(q + i, vp_round(vf_mul(vp_first(x), by), vf_mul(vp_second(x), by)));
    }
    flush_end(flushing);
}

/* The tile's q, transposed. */
static void load_queries(const shape *s, const operands *x, const tile *t, state *to, scratch *w)
{
    transpose_in(queries(to), (const uint16_t *)x->q + t->row0 * s->dim, t->row_step * s->dim, t->count, to->vectors * LANES, s->dim,
                 &w->ahead);
    if (w->care.k_shift)
        scale_queries(s, to, -w->care.k_shift);
}

/* The greatest finite magnitude. */
static float greatest_query(const shape *s, const state *t)
{
    float most = 0;
    const packed *q = queries(t);
    for (size_t i = 0; i < query_words(s->dim); i++) {
        const float first = fabsf(f32_from_bf16((uint16_t)q[i])), second = fabsf(f32_from_bf16((uint16_t)(q[i] >> 16)));
        most = first <= FLT_MAX ? fmaxf(most, first) : most;
        most = second <= FLT_MAX ? fmaxf(most, second) : most;
    }
    return most;
}
