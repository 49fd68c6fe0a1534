/* Rows on their way in and out: keys gathered into panels, q transposed, o transposed back. Part of
 * forward_body.h, which explains. */

#include "kernels/log_sum_exp.h"

#define TINY 0x1p-80f /* outputs below: subnormals, which were flushed, might have contributed */
enum { SAME_SETS = 4096 }; /* bytes from a row to one that competes for the same lines of an L1 cache */
#define LOG2_E 1.4426950408889634

INLINE void widen_row(float *dst, const void *tensor, size_t row, size_t dim, attn_dtype dtype)
{
    if (dtype == ATTN_F32)
        memcpy(dst, (const float *)tensor + row * dim, dim * sizeof *dst);
    else if (dtype == ATTN_BF16)
        widen_bf16(dst, (const uint16_t *)tensor + row * dim, dim);
    else
        widen_f16(dst, (const uint16_t *)tensor + row * dim, dim);
}

INLINE void narrow_row(void *tensor, size_t row, const float *src, size_t dim, attn_dtype dtype)
{
    if (dtype == ATTN_F32)
        memcpy((float *)tensor + row * dim, src, dim * sizeof *src);
    else if (dtype == ATTN_BF16)
        narrow_bf16((uint16_t *)tensor + row * dim, src, dim);
    else
        narrow_f16((uint16_t *)tensor + row * dim, src, dim);
}

/* ---- keys: in place where they are contiguous floats, else gathered and widened into the panels ---- */

/* How many granules of a run, from granule i on, are read where they are, their keys `step` apart.
 * Teeth too, unless they compete for the same sets of the cache while many tiles need them: for few tiles, to
 * gather them costs as much as to read them. */
INLINE uint32_t in_place(const shape *s, const run *u, uint32_t i, const scratch *w, size_t *step)
{
    if (s->dtype != ATTN_F32 || u->list != RUN_COMB)
        return 0;
    size_t granules = u->keys / KEYS;
    *step = 1;
    if (u->width >= u->keys) { /* the last one may look beyond the run, but not beyond the tensor */
        granules = (s->nk - u->first) / KEYS;
        granules = granules < u->granules ? granules : u->granules;
    } else if (u->width == 1 && (!w->shared || u->step * s->dim * sizeof(float) % SAME_SETS != 0)) {
        *step = u->step;
    } else {
        return 0;
    }
    return granules > i ? (uint32_t)granules - i : 0;
}

#include "kernels/forward_care.h"

/* Brings granule i of a run into slot `slot` of the panels. A slot that already holds the keys is left as it
 * is: that is how tiles share what was gathered. */
static void gather(const shape *s, const operands *x, const program *p, const run *u, uint32_t i, scratch *w, uint32_t slot)
{
    if (is_careful(w)) {
        gather_with_care(s, x, p, u, i, w, slot);
        return;
    }
    size_t dim = s->dim;
    uint32_t t0 = i * KEYS, keys = u->keys - t0 < KEYS ? u->keys - t0 : KEYS;
    float *k = w->k + (size_t)slot * KEYS * dim, *v = w->v + (size_t)slot * KEYS * dim;
    uint32_t *held = w->keys[slot], tooth = t0 / u->width, within = t0 % u->width;
    for (uint32_t r = 0; r < keys; r++) {
        uint32_t key = u->first + (u->list == RUN_COMB ? tooth * u->step + within : p->offsets[u->list + t0 + r]);
        if (++within == u->width) {
            within = 0;
            tooth++;
        }
        if (held[r] == key)
            continue;
        held[r] = key;
        widen_row(k + r * dim, x->k, key, dim, s->dtype);
        widen_row(v + r * dim, x->v, key, dim, s->dtype);
    }
    for (uint32_t r = keys; r < KEYS; r++) { /* padding: any row will do (0 * NaN is noticed) */
        if (held[r] != UINT32_MAX)
            continue;
        memset(k + r * dim, 0, dim * sizeof *k);
        memset(v + r * dim, 0, dim * sizeof *v);
    }
}

/* The next chunk of a tile: its granules, and the rows they may touch are noted as seen. */
static uint32_t next_chunk(const shape *s, const operands *x, const program *p, state *t, scratch *w, tally *count)
{
    uint32_t n = t->left <= w->chunk + w->chunk / 4 ? t->left : w->chunk;
    for (uint32_t i = 0; i < n;) {
        const run *u = &p->runs[t->run];
        size_t step = 1;
        uint32_t here = in_place(s, u, t->granule, w, &step) * !is_careful(w), left = u->granules - t->granule, from = i;
        uint32_t end = i + (n - i < left ? n - i : left);
        if (here) {
            end = end < i + here ? end : i + here;
            size_t at = (u->first + (size_t)t->granule * KEYS * step) * s->dim;
            for (; i < end; i++, at += KEYS * step * s->dim) {
                w->granules[i].k = (const float *)x->k + at;
                w->granules[i].v = (const float *)x->v + at;
                w->granules[i].stride = step * s->dim;
            }
        } else {
            for (; i < end; i++) {
                gather(s, x, p, u, t->granule + i - from, w, i);
                w->granules[i].k = keys_of(s, x, u, t->granule + i - from, w, i);
                w->granules[i].v = w->v + i * KEYS * s->dim;
                w->granules[i].stride = s->dim;
            }
        }
        for (i = from; i < end; i++) {
            granule *g = &w->granules[i];
            g->lo = 0;
            g->vectors = t->vectors;
            g->masks = NULL;
            if (u->mask == RUN_ALL) {
                t->seen = t->rows;
            } else {
                uint32_t mask = u->mask + (t->granule + i - from) * u->mask_step;
                mask_range range = p->ranges[mask];
                g->lo = range.lo;
                g->vectors = (uint32_t)(range.hi - range.lo);
                g->masks = range.partial ? p->masks + (size_t)mask * KEYS : NULL;
                t->seen |= range.any;
            }
            count->lanes += KEYS * LANES * g->vectors;
        }
        t->granule += end - from;
        if (t->granule == u->granules) {
            t->granule = 0;
            t->run++;
        }
    }
    t->left -= n;
    return n;
}

/* ---- q ---- */

/* `rows` rows of floats, `stride` apart, into q^T [dim][ROWS], times `scale`; lanes beyond are 0. */
static void transpose_in(float *q, const float *from, size_t stride, size_t rows, size_t dim, float scale)
{
    for (size_t v = 0; v < rows; v += LANES) {
        size_t c = 0;
        for (; c + LANES <= dim; c += LANES) {
            vf r[LANES];
            UNROLL for (size_t i = 0; i < LANES; i++)
                r[i] = v + i < rows ? vf_loadu(from + (v + i) * stride + c) : vf_set1(0);
            vf_transpose(r);
            UNROLL for (size_t i = 0; i < LANES; i++)
                vf_store(q + (c + i) * ROWS + v, vf_mul(r[i], vf_set1(scale)));
        }
        for (; c < dim; c++)
            for (size_t i = v; i < v + LANES; i++)
                q[c * ROWS + i] = i < rows ? from[i * stride + c] * scale : 0;
    }
}

/* A tile before its first key, its q aside. Rows that an earlier part began continue from there; their sums
 * are negative when they are marked (see forward_care.h), NaN when dead, and infinite when lost. */
static void begin_tile(const shape *s, const operands *x, const tile *t, state *to, const scratch *w)
{
    to->tile = t;
    to->rows = t->count == 64 ? UINT64_MAX : (1ull << t->count) - 1;
    to->seen = t->merge;
    to->dead = to->lost = to->marked = to->infinite = to->unsure = 0;
    to->vectors = (t->count + LANES - 1) / LANES;
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
    if (w->care.specials)
        memset(to->marks, 0, marks_size(s) * sizeof *to->marks);
}

static void load_tile(const shape *s, const operands *x, const tile *t, state *to, scratch *w)
{
    const float *from = (const float *)x->q + t->row0 * s->dim;
    size_t stride = t->row_step * s->dim;
    begin_tile(s, x, t, to, w);
    if (s->dtype != ATTN_F32) {
        for (uint32_t r = 0; r < t->count; r++)
            widen_row(w->rows + r * s->dim, x->q, t->row0 + (size_t)r * t->row_step, s->dim, s->dtype);
        from = w->rows;
        stride = s->dim;
    }
    double scale = (double)s->scale * LOG2_E;
    if (w->care.k_shift < 0) { /* against huge keys a subnormal q counts */
        unsigned flushing = flush_pause();
        transpose_in(to->q, from, stride, t->count, s->dim, (float)ldexp(scale, -w->care.k_shift));
        flush_end(flushing);
    } else {
        transpose_in(to->q, from, stride, t->count, s->dim, (float)ldexp(scale, -w->care.k_shift));
    }
}

/* ---- o ---- */

/* Rows v .. v + LANES of a tile, cut at its end: row i becomes o[i] * by[i], plus earlier[i] * carry[i] when
 * `merge`; weight[i] is the sum of its magnitudes (not finite exactly when an element is not, short of
 * overflow). */
INLINE void transpose_out(const bool merge, const shape *s, const state *t, uint32_t v, const float *by,
                          float *const to[LANES], const float *const earlier[LANES], float weight[LANES])
{
    size_t dim = s->dim, rows = t->tile->count - v < LANES ? t->tile->count - v : LANES, c = 0;
    vf sums[LANES];
    UNROLL for (size_t i = 0; i < LANES; i++)
        sums[i] = vf_set1(0);
    for (; c + LANES <= dim; c += LANES) {
        vf r[LANES];
        UNROLL for (size_t i = 0; i < LANES; i++)
            r[i] = vf_mul(vf_load(t->o + (c + i) * ROWS + v), vf_load(by));
        vf_transpose(r);
        UNROLL for (size_t i = 0; i < LANES; i++) {
            if (i >= rows)
                continue;
            if (merge)
                r[i] = vf_fma(vf_loadu(earlier[i] + c), vf_set1(t->carry[v + i] * by[i]), r[i]);
            sums[i] = vf_add(sums[i], vf_abs(r[i]));
            vf_storeu(to[i] + c, r[i]);
        }
    }
    for (size_t i = 0; i < rows; i++) {
        _Alignas(64) float sum[LANES];
        vf_store(sum, sums[i]);
        weight[i] = 0;
        for (size_t l = 0; l < LANES; l++)
            weight[i] += sum[l];
        for (size_t e = c; e < dim; e++) {
            float o = t->o[e * ROWS + v + i] * by[i];
            if (merge)
                o += earlier[i][e] * (t->carry[v + i] * by[i]);
            weight[i] += fabsf(o);
            to[i][e] = o;
        }
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
static uint64_t store_tile(const shape *s, const operands *x, state *t, uint64_t only, bool last, const scratch *w)
{
    const tile *of = t->tile;
    size_t dim = s->dim;
    uint64_t unsettled = 0;
    if (t->marked && w->care.specials)
        put_specials_back(s, t);
    for (uint32_t v = 0; v < of->count; v += LANES) {
        _Alignas(64) float by[LANES];
        float weight[LANES], lse[LANES], *to[LANES] = {0};
        const float *earlier[LANES] = {0};
        uint32_t rows = of->count - v < LANES ? of->count - v : LANES;
        bool merge = of->merge >> v & ((1ull << rows) - 1);
        for (uint32_t i = 0; i < rows; i++) {
            size_t row = of->row0 + (size_t)(v + i) * of->row_step;
            to[i] = only >> (v + i) & 1 ? t->to + (v + i) * t->stride : w->spare;
            earlier[i] = of->merge >> (v + i) & 1 ? x->partial + row * dim : w->zeros;
        }
        for (uint32_t i = 0; i < LANES; i++)
            by[i] = !last ? 1 : t->sum[v + i] > 0 ? 1 / t->sum[v + i] : 0;
        if (merge)
            transpose_out(true, s, t, v, by, to, earlier, weight);
        else
            transpose_out(false, s, t, v, by, to, earlier, weight);
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
