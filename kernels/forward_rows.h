/* Tiles on their way in, and rows of outputs, transposed, on their way out. Part of forward_body.h, which
 * explains. */

#include "kernels/log_sum_exp.h"

#ifndef NARROW_BF16 /* by the vector header */
#define NARROW_BF16 narrow_bf16
#endif
#define TINY 0x1p-80f /* outputs below: subnormals, which were flushed, might have contributed */


INLINE void narrow_row(void *tensor, size_t row, const float *src, size_t dim, attn_dtype dtype)
{
    if (dtype == ATTN_F32)
        memcpy((float *)tensor + row * dim, src, dim * sizeof *src);
    else if (dtype == ATTN_BF16)
        NARROW_BF16((uint16_t *)tensor + row * dim, src, dim);
    else
        narrow_f16((uint16_t *)tensor + row * dim, src, dim);
}

/* ---- in ---- */

/* A tile before its first key, its q aside. Rows that an earlier part began continue from there; their sums
 * are negative when they are marked (see forward_care.h), NaN when dead, and infinite when lost. */
static void begin_tile(const shape *s, const operands *x, const tile *t, state *to)
{
    to->tile = t;
    to->rows = t->count == 64 ? UINT64_MAX : (1ull << t->count) - 1;
    to->seen = t->merge;
    to->dead = to->lost = to->marked = to->infinite = to->unsure = 0;
    to->vectors = (t->count + GEOMETRY_LANES - 1) / GEOMETRY_LANES * (GEOMETRY_LANES / LANES);
    to->run = t->first_run;
    to->granule = 0;
    to->left = t->granules;
    to->spread = 1;
    to->tracked = false;
    for (uint32_t r = 0; r < ROWS; r++) {
        to->minus_reference[r] = to->sum[r] = 0;
        to->carry[r] = 1;
    }
    for (uint32_t r = 0; t->merge >> r; r++)
        if (t->merge >> r & 1) {
            size_t row = t->row0 + (size_t)r * t->row_step;
            float sum = x->sum[row];
            to->minus_reference[r] = -x->reference[row];
            to->sum[r] = fabsf(sum);
            to->dead |= (uint64_t)(isnan(sum) != 0) << r;
            to->lost |= (uint64_t)(isinf(sum) != 0) << r;
            to->marked |= (uint64_t)(signbit(sum) != 0) << r;
        }
    to->dead |= to->lost; /* nothing to compute */
    to->infinite = to->marked;
    memset(to->o, 0, s->dim * ROWS * sizeof *to->o);
    memset(to->marks, 0, marks_size(s) * sizeof *to->marks);
}

static void load_tile(const shape *s, const operands *x, const tile *t, state *to, scratch *w)
{
    begin_tile(s, x, t, to);
    if (to->ready)
        return;
    load_queries(s, x, t, to, w);
    prepare_queries(s, to);
}

/* ---- out ---- */

/* Rows v .. v + LANES of a tile, cut at its end: row i becomes o[i] * by[i], plus earlier[i] * carry[i] when
 * `merge`, and `stream` says how it is written; weight[i] is the sum of its magnitudes (not finite exactly when an element is not, short of
 * overflow). */
INLINE void transpose_out(const bool merge, const bool stream, const shape *s, const state *t, uint32_t v, vf scale, const float *by,
                          float *const to[LANES], const float *const earlier[LANES], float weight[LANES], ahead *a)
{
    size_t dim = s->dim, rows = t->tile->count - v < LANES ? t->tile->count - v : LANES, c = 0;
    const size_t chains = merge ? LANES : 4;
    vf sums[LANES]; /* of rows when `merge`; of every fourth column, rows being lanes, else */
    UNROLL for (size_t i = 0; i < chains; i++)
        sums[i] = vf_set1(0);
    for (; c + LANES <= dim; c += LANES) {
        vf r[LANES];
        UNROLL for (size_t i = 0; i < LANES; i++) {
            r[i] = vf_mul(vf_load(t->o + (c + i) * ROWS + v), scale);
            if (!merge)
                sums[i % 4] = vf_add(sums[i % 4], vf_abs(r[i]));
        }
        vf_transpose(r);
        UNROLL for (size_t i = 0; i < LANES; i++) {
            if (i >= rows)
                continue;
            if (merge) {
                r[i] = vf_fma(vf_loadu(earlier[i] + c), vf_set1(t->carry[v + i] * by[i]), r[i]);
                sums[i] = vf_add(sums[i], vf_abs(r[i]));
            }
            if (stream)
                vf_stream(to[i] + c, r[i]);
            else
                vf_storeu(to[i] + c, r[i]);
        }
        look_further(a);
    }
    if (merge)
        vf_transpose(sums);
    UNROLL for (size_t half = chains / 2; half > 0; half /= 2)
        UNROLL for (size_t i = 0; i < half; i++)
            sums[i] = vf_add(sums[i], sums[i + half]);
    vf_store(weight, sums[0]);
    for (size_t i = 0; i < rows && c < dim; i++)
        for (size_t e = c; e < dim; e++) {
            float o = t->o[e * ROWS + v + i] * by[i];
            if (merge)
                o += earlier[i][e] * (t->carry[v + i] * by[i]);
            weight[i] += fabsf(o);
            to[i][e] = o;
        }
}

/* The least of o, as a sum and as a mean. */
INLINE bool is_tiny(const state *t, uint32_t r, float weight)
{
    return (t->sum[r] < 1 ? t->sum[r] * weight : weight) < TINY;
}

/* Whether fp32 may have failed a row. `weight` is that of its o, normalised when `last`. */
INLINE bool is_doubtful(const state *t, uint32_t r, float weight, bool last)
{
    if ((t->dead | t->marked) >> r & 1)
        return true;
    if (!(t->seen >> r & 1))
        return weight != 0; /* 0 * NaN behind a mask */
    return !(weight <= FLT_MAX) || !(t->sum[r] >= LEAST) || (last && is_tiny(t, r, weight));
}

/* What a doubtful row is after all. */
enum outcome { FINE, ZEROS, NANS, UNSETTLED };

/* Whether a row with a NaN or infinite score, or with none but -inf, is NaN: that is so unless fp32 overflowed. */
static bool is_nan(const shape *s, const operands *x, size_t row)
{
    extent q = facts_row(s, x->q, row);
    if (q.special)
        return true;
    facts f = facts_scanned(s, x);
    return f.k.special && facts_scores_fit(s, q.exponent, f.k.exponent);
}

static __attribute__((noinline)) enum outcome judge(const shape *s, const operands *x, const state *t, uint32_t r,
                                                    float weight, bool last, const scratch *w)
{
    if (!(t->seen >> r & 1))
        return ZEROS;
    if (t->lost >> r & 1)
        return UNSETTLED;
    if (t->dead >> r & 1 || (last && !(t->sum[r] >= LEAST)))
        return !last || is_nan(s, x, t->tile->row0 + (size_t)r * t->tile->row_step) ? NANS : UNSETTLED;
    if (t->unsure >> r & 1 || (t->infinite >> r & 1 && t->carry[r] < 0x1p-100f)) /* at once, or as maxima rose */
        return UNSETTLED;
    if (!(weight <= FLT_MAX)) { /* by its marks alone? */
        bool bounded = w->care.v_shift || facts_scanned(s, x).v.exponent <= FACTS_ORDINARY_V;
        return t->marked >> r & 1 && bounded ? FINE : UNSETTLED;
    }
    return last && is_tiny(t, r, weight) && facts_scanned(s, x).v.exponent != FACTS_ZERO ? UNSETTLED : FINE;
}

/* Writes the rows `only` of o and lse, or what a later part needs. The rows returned are yet to be settled. */
static uint64_t store_tile(const shape *s, const operands *x, state *t, uint64_t only, bool last, scratch *w)
{
    const tile *of = t->tile;
    size_t dim = s->dim;
    uint64_t unsettled = 0;
    const bool stream = streams_out(s, x, of, last);
    if (t->marked && w->care.specials)
        put_specials_back(s, t);
    for (uint32_t v = 0; v < of->count; v += LANES) {
        _Alignas(64) float by[LANES], weight[LANES];
        float lse[LANES], *to[LANES] = {0};
        const float *earlier[LANES] = {0};
        uint32_t rows = of->count - v < LANES ? of->count - v : LANES;
        bool merge = of->merge >> v & ((1ull << rows) - 1);
        for (uint32_t i = 0; i < rows; i++) {
            size_t row = of->row0 + (size_t)(v + i) * of->row_step;
            to[i] = only >> (v + i) & 1 ? t->to + (v + i) * t->stride : w->spare;
            earlier[i] = of->merge >> (v + i) & 1 ? x->partial + row * dim : w->zeros;
        }
        const vf sum = vf_load(t->sum + v), one = vf_set1(1);
        const vf scale = last ? vf_keep(vf_div(one, sum), vf_ge(sum, vf_set1(FLT_MIN))) : one;
        vf_store(by, scale);
        if (stream && !merge)
            transpose_out(false, true, s, t, v, scale, by, to, earlier, weight, &w->ahead);
        else if (merge)
            transpose_out(true, false, s, t, v, scale, by, to, earlier, weight, &w->ahead);
        else
            transpose_out(false, false, s, t, v, scale, by, to, earlier, weight, &w->ahead);
        if (last && x->lse)
            log_sum_exp(LANES, t->minus_reference + v, t->spread, t->sum + v, lse);

        for (uint32_t i = 0; i < rows; i++) {
            uint32_t r = v + i;
            size_t row = of->row0 + (size_t)r * of->row_step;
            enum outcome is = FINE;
            if (!(only >> r & 1))
                continue;
            if (is_doubtful(t, r, weight[i], last))
                is = judge(s, x, t, r, weight[i], last, w);
            for (size_t c = 0; c < dim && (is == ZEROS || is == NANS); c++)
                to[i][c] = is == ZEROS ? 0 : NAN;
            unsettled |= (uint64_t)(is == UNSETTLED) << r;
            if (!last) {
                x->reference[row] = -t->minus_reference[r];
                x->sum[row] = is == UNSETTLED ? INFINITY : is == NANS ? NAN : t->marked >> r & 1 ? -t->sum[r] : t->sum[r];
                continue;
            }
            if (w->care.v_shift)
                shift_out(to[i], dim, w->care.v_shift);
            if (x->lse)
                x->lse[row] = is == NANS ? NAN : t->seen >> r & 1 ? lse[i] : -INFINITY;
            if (t->narrow)
                narrow_row(x->o, row, to[i], dim, s->dtype);
        }
    }
    return unsettled;
}
