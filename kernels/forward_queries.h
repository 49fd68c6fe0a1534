/* Queries on their way in: transposed, times scale and log2(e). Part of forward_body.h, which explains. */

/* LANES lanes of q^T from v on: rows of floats, `stride` apart; those beyond `rows` are 0. */
INLINE void transpose_lanes(const bool whole, float *q, const float *from, size_t stride, size_t v, size_t rows, size_t dim,
                            float scale, ahead *a)
{
    size_t c = 0;
    for (; c + LANES <= dim; c += LANES) {
        vf r[LANES];
        UNROLL for (size_t i = 0; i < LANES; i++)
            r[i] = whole || v + i < rows ? vf_loadu(from + (v + i) * stride + c) : vf_set1(0);
        vf_transpose(r);
        UNROLL for (size_t i = 0; i < LANES; i++)
            vf_store(q + (c + i) * ROWS + v, vf_mul(r[i], vf_set1(scale)));
        look_further(a);
    }
    for (; c < dim; c++)
        for (size_t i = v; i < v + LANES; i++)
            q[c * ROWS + i] = i < rows ? from[i * stride + c] * scale : 0;
}

/* `rows` rows of floats, `stride` apart, into `lanes` lanes of q^T [dim][ROWS], times `scale`; those beyond the rows
 * are 0. */
static void transpose_in(float *q, const float *from, size_t stride, size_t rows, size_t lanes, size_t dim, float scale,
                         ahead *a)
{
    for (size_t v = 0; v < lanes; v += LANES)
        if (v + LANES <= rows)
            transpose_lanes(true, q, from, stride, v, rows, dim, scale, a);
        else
            transpose_lanes(false, q, from, stride, v, rows, dim, scale, a);
}

/* The tile's q, transposed and scaled. */
static void load_queries(const shape *s, const operands *x, const tile *t, state *to, scratch *w)
{
    const float *from = (const float *)x->q + t->row0 * s->dim;
    size_t stride = t->row_step * s->dim;
    if (s->dtype != ATTN_F32) {
        for (uint32_t r = 0; r < t->count; r++)
            widen_row(w->rows + r * s->dim, x->q, t->row0 + (size_t)r * t->row_step, s->dim, s->dtype);
        from = w->rows;
        stride = s->dim;
    }
    double scale = (double)s->scale * LOG2_E;
    if (w->care.k_shift < 0) { /* against huge keys a subnormal q counts */
        unsigned flushing = flush_pause();
        transpose_in(to->q, from, stride, t->count, to->vectors * LANES, s->dim, (float)ldexp(scale, -w->care.k_shift),
                     &w->ahead);
        flush_end(flushing);
    } else {
        transpose_in(to->q, from, stride, t->count, to->vectors * LANES, s->dim, (float)ldexp(scale, -w->care.k_shift),
                     &w->ahead);
    }
}

/* The greatest finite magnitude. */
static float greatest_query(const shape *s, const state *t)
{
    float most = 0;
    for (size_t i = 0; i < s->dim * ROWS; i++)
        most = fabsf(t->q[i]) <= FLT_MAX ? fmaxf(most, fabsf(t->q[i])) : most;
    return most;
}

/* Multiplies every element by 2^power. */
static void scale_queries(const shape *s, state *t, int power)
{
    for (size_t i = 0; i < s->dim * ROWS; i++)
        t->q[i] *= shift_power(power);
}
