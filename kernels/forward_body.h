/* Forward attention in fp32: one body for every vector width, included once per instance.
 *
 * Scores are kept transposed: keys are rows, LANES queries are the lanes of a vector. So k and v stay as they
 * are and are broadcast, only q is transposed on the way in and o on the way out, and the softmax runs down
 * the lanes without a horizontal step.
 *
 *   scores    KEYS keys x up to VECTORS vectors of queries accumulate in registers, starting from minus the
 *             reference; mask, exp2, sum and store of the weights p are the epilogue.
 *   values    o^T, a few columns x VECTORS vectors in registers, over the granules of a chunk.
 *   chunks    of keys, so that p and v stay in L1; each sums from zero before it joins the total (one chain of
 *             4096 terms costs 1.5e-6 of error, two levels 4e-7).
 *
 * Reference instead of maximum. The softmax does not care what is subtracted from the scores, as long as
 * nothing over- or underflows. So the reference of a row is 0 until its sum leaves [LEAST, MOST]; only then is
 * the chunk computed again with the row's true maximum, and what came before rescaled. After every chunk the
 * sum of a row that has seen a key is at least LEAST, and each weight at most MOST.
 *
 * Exactness beyond fp32. Rows whose result is not finite, or could have lost bits to underflow, are computed
 * again in fp64 by exact_row(): 0 * inf behind a mask, overflowing scores, NaN in the inputs, values near the
 * end of the range. Finite inputs of ordinary size never get there. */

#include <float.h>
#include <math.h>
#include <string.h>

#include "kernels/exact.h"
#include "kernels/kernel.h"

enum {
    ROWS = LANES * VECTORS,
    CHUNK_FLOATS = 8192, /* of k or v in a chunk: 32 KiB */
    MAX_CHUNK_KEYS = 128,
    MIN_CHUNK_KEYS = 32,
    MAX_WIDTH = 8 /* columns, of WIDTHS_n */
};
#define LEAST 0x1p-32f
#define MOST 0x1p64f
#define TINY 0x1p-100f /* outputs below: subnormal terms may have contributed */
#define LOG2_E 1.4426950408889634
#define LN_2 0.6931471805599453

typedef struct state { /* one tile */
    _Alignas(64) float minus_reference[ROWS]; /* in units of log2 */
    float sum[ROWS], chunk_sum[ROWS];
    float carry[ROWS];    /* what an earlier part's o is to be multiplied by */
    float *q, *o;         /* [dim][ROWS]: scale * log2(e) * q, and unnormalised o */
    const tile *tile;
    uint64_t rows;        /* bits of its rows */
    uint64_t seen;        /* rows that have met a key */
    uint64_t dead;        /* rows left to exact_row() */
    uint32_t vectors, run, granule, left;
} state;

typedef struct granule {
    const float *k, *v;     /* [KEYS][dim] */
    const uint64_t *masks;  /* [KEYS], or NULL */
    uint32_t lo, vectors;
} granule;

typedef struct scratch {
    state *states;          /* [group] */
    granule *granules;      /* [chunk] */
    float *p;               /* [chunk][KEYS][ROWS] */
    float *k, *v;           /* panels [chunk][KEYS][dim] */
    uint32_t (*keys)[KEYS]; /* [chunk]: what the panels hold */
    float *rows;            /* [ROWS][dim] */
    attn_comb *combs;       /* for exact_row */
    uint32_t chunk;         /* granules in a chunk; the last one takes a quarter more rather than leave a crumb */
} scratch;

/* ---- scores ---- */

/* An unrolled loop over x < n, for n known only once the function is inlined: clang optimises a function
 * before it inlines it, and must not meet a loop of unknown length there. */
#define EACH(x, n, most) UNROLL for (uint32_t x = 0; x < (most); x++) if (x < (n))

enum mode { PLAIN, MASKED, MAXIMA };

/* KEYS keys x nv vectors. PLAIN and MASKED write p [KEYS][ROWS] and add to chunk_sum; MAXIMA raises max. */
INLINE void scores(const uint32_t nv, const enum mode mode, size_t dim, state *s, const granule *g, float *out)
{
    const uint32_t at = g->lo * LANES;
    const float *q = s->q + at, *k = g->k;
    vf a[KEYS][VECTORS], odd[KEYS];
    EACH(v, nv, VECTORS) {
        vf start = mode == MAXIMA ? vf_set1(0) : vf_load(s->minus_reference + at + v * LANES);
        UNROLL for (uint32_t r = 0; r < KEYS; r++)
            a[r][v] = start;
    }
    size_t c = 0;
    if (nv == 1) { /* two chains for each key: one would wait for itself */
        UNROLL for (uint32_t r = 0; r < KEYS; r++)
            odd[r] = vf_set1(0);
        for (; c + 2 <= dim; c += 2) {
            vf q0 = vf_load(q + c * ROWS), q1 = vf_load(q + (c + 1) * ROWS);
            UNROLL for (uint32_t r = 0; r < KEYS; r++) {
                a[r][0] = vf_fma(vf_set1(k[r * dim + c]), q0, a[r][0]);
                odd[r] = vf_fma(vf_set1(k[r * dim + c + 1]), q1, odd[r]);
            }
        }
    }
    UNROLL_4
    for (; c < dim; c++) {
        vf qv[VECTORS];
        EACH(v, nv, VECTORS)
            qv[v] = vf_load(q + c * ROWS + v * LANES);
        UNROLL for (uint32_t r = 0; r < KEYS; r++) {
            vf kr = vf_set1(k[r * dim + c]);
            EACH(v, nv, VECTORS)
                a[r][v] = vf_fma(kr, qv[v], a[r][v]);
        }
    }
    if (nv == 1)
        UNROLL for (uint32_t r = 0; r < KEYS; r++)
            a[r][0] = vf_add(a[r][0], odd[r]);

    if (mode == MAXIMA) {
        EACH(v, nv, VECTORS) {
            float *to = out + at + v * LANES;
            vf max = vf_load(to);
            UNROLL for (uint32_t r = 0; r < KEYS; r++) {
                vf x = g->masks ? vf_select((uint32_t)(g->masks[r] >> (at + v * LANES)), a[r][v], max) : a[r][v];
                max = vf_max(max, x);
            }
            vf_store(to, max);
        }
        return;
    }
    EACH(v, nv, VECTORS) {
        vf sum = vf_load(s->chunk_sum + at + v * LANES);
        UNROLL for (uint32_t r = 0; r < KEYS; r++) {
            vf p = vf_exp2(a[r][v]);
            if (mode == MASKED)
                p = vf_keep(p, (uint32_t)(g->masks[r] >> (at + v * LANES)));
            vf_store(out + r * ROWS + at + v * LANES, p);
            sum = vf_add(sum, p);
        }
        vf_store(s->chunk_sum + at + v * LANES, sum);
    }
}

typedef void scores_fn(size_t dim, state *s, const granule *g, float *out);
#define DEFINE(nv, mode) \
    static __attribute__((noinline)) void scores_##nv##_##mode(size_t dim, state *s, const granule *g, float *out) \
    { \
        scores(nv, mode, dim, s, g, out); \
    }
#define DEFINE_MODES(nv) DEFINE(nv, PLAIN) DEFINE(nv, MASKED) DEFINE(nv, MAXIMA)
FOR_VECTORS(DEFINE_MODES)
#define NAMES(nv) {[PLAIN] = scores_##nv##_PLAIN, [MASKED] = scores_##nv##_MASKED, [MAXIMA] = scores_##nv##_MAXIMA},
static scores_fn *const score_table[VECTORS][MAXIMA + 1] = {FOR_VECTORS(NAMES)};
#undef NAMES
#undef DEFINE_MODES
#undef DEFINE

/* ---- values ---- */

/* Adds the granules g[0 .. n), which touch the same nv vectors, to nc columns of o^T. p, o: of the first
 * vector touched. */
INLINE void values(const uint32_t nv, const uint32_t nc, size_t dim, const granule *g, uint32_t n, size_t column,
                   const float *p, float *o)
{
    vf a[MAX_WIDTH][VECTORS];
    EACH(c, nc, MAX_WIDTH)
        EACH(v, nv, VECTORS)
            a[c][v] = vf_set1(0);
    for (uint32_t i = 0; i < n; i++, p += KEYS * ROWS) {
        const float *row = g[i].v + column;
        UNROLL for (uint32_t r = 0; r < KEYS; r++, row += dim) {
            vf pv[VECTORS];
            EACH(v, nv, VECTORS)
                pv[v] = vf_load(p + r * ROWS + v * LANES);
            EACH(c, nc, MAX_WIDTH) {
                vf b = vf_set1(row[c]);
                EACH(v, nv, VECTORS)
                    a[c][v] = vf_fma(b, pv[v], a[c][v]);
            }
        }
    }
    EACH(c, nc, MAX_WIDTH)
        EACH(v, nv, VECTORS) {
            float *to = o + c * ROWS + v * LANES;
            vf_store(to, vf_add(vf_load(to), a[c][v]));
        }
}

typedef void values_fn(size_t dim, const granule *g, uint32_t n, size_t column, const float *p, float *o);
#define DEFINE(nv, nc) \
    static __attribute__((noinline)) void values_##nv##_##nc(size_t dim, const granule *g, uint32_t n, size_t column, \
                                                             const float *p, float *o) \
    { \
        values(nv, nc, dim, g, n, column, p, o); \
    }
#define DEFINE_WIDTHS(nv) WIDTHS_##nv(DEFINE)
FOR_VECTORS(DEFINE_WIDTHS)
#define NAME(nv, nc) {values_##nv##_##nc, nc},
#define NAMES(nv) {WIDTHS_##nv(NAME)},
static const struct {
    values_fn *add;
    uint32_t width;
} value_table[VECTORS][4] = {FOR_VECTORS(NAMES)};
#undef NAMES
#undef NAME
#undef DEFINE_WIDTHS
#undef DEFINE

/* o^T += p v over a chunk: granules that touch the same vectors go together. */
static void add_values(size_t dim, state *s, const granule *g, uint32_t n, const float *p)
{
    for (uint32_t i = 0, next; i < n; i = next) {
        for (next = i + 1; next < n && g[next].lo == g[i].lo && g[next].vectors == g[i].vectors; next++)
            ;
        const float *from = p + (size_t)i * KEYS * ROWS + g[i].lo * LANES;
        float *to = s->o + g[i].lo * LANES;
        size_t c = 0;
        for (uint32_t w = 0; c < dim; w++) {
            uint32_t width = value_table[g[i].vectors - 1][w].width;
            for (; dim - c >= width; c += width)
                value_table[g[i].vectors - 1][w].add(dim, g + i, next - i, c, from, to + c * ROWS);
        }
    }
}

/* ---- keys: in place where they are contiguous floats, else gathered and widened into the panels ---- */

INLINE void widen_row(float *dst, const void *tensor, size_t row, size_t dim, attn_dtype dtype)
{
    if (dtype == ATTN_F32)
        memcpy(dst, (const float *)tensor + row * dim, dim * sizeof *dst);
    else if (dtype == ATTN_BF16)
        widen_bf16(dst, (const uint16_t *)tensor + row * dim, dim);
    else
        widen_f16(dst, (const uint16_t *)tensor + row * dim, dim);
}

/* Granule i of a run, for slot `slot` of the chunk. A panel slot that already holds the keys is left as it
 * is: that is how tiles in lockstep share what was gathered. */
static void place(const shape *s, const operands *x, const program *p, const run *u, uint32_t i, scratch *w,
                  uint32_t slot, granule *g)
{
    size_t dim = s->dim, t0 = (size_t)i * KEYS;
    bool contiguous = u->list == RUN_COMB && u->width >= u->keys;
    if (contiguous && s->dtype == ATTN_F32 && u->first + t0 + KEYS <= s->nk) {
        g->k = (const float *)x->k + (u->first + t0) * dim;
        g->v = (const float *)x->v + (u->first + t0) * dim;
        return;
    }
    float *k = w->k + (size_t)slot * KEYS * dim, *v = w->v + (size_t)slot * KEYS * dim;
    uint32_t *held = w->keys[slot];
    size_t keys = u->keys - t0 < KEYS ? u->keys - t0 : KEYS;
    size_t tooth = contiguous ? 0 : t0 / u->width, within = contiguous ? t0 : t0 % u->width;
    for (size_t r = 0; r < keys; r++) {
        size_t key = u->first + (u->list == RUN_COMB ? tooth * u->step + within : p->offsets[u->list + t0 + r]);
        if (++within == u->width) {
            within = 0;
            tooth++;
        }
        if (held[r] == key)
            continue;
        held[r] = (uint32_t)key;
        widen_row(k + r * dim, x->k, key, dim, s->dtype);
        widen_row(v + r * dim, x->v, key, dim, s->dtype);
    }
    for (size_t r = keys; r < KEYS; r++) { /* padding: any finite row will do */
        if (held[r] != UINT32_MAX)
            continue;
        memset(k + r * dim, 0, dim * sizeof *k);
        memset(v + r * dim, 0, dim * sizeof *v);
    }
    g->k = k;
    g->v = v;
}

/* The next chunk of a tile: its granules, and the rows they may touch are noted as seen. */
static uint32_t next_chunk(const shape *s, const operands *x, const program *p, state *t, scratch *w, tally *count)
{
    uint32_t n = t->left <= w->chunk + w->chunk / 4 ? t->left : w->chunk;
    for (uint32_t i = 0; i < n; i++) {
        const run *u = &p->runs[t->run];
        granule *g = &w->granules[i];
        place(s, x, p, u, t->granule, w, i, g);
        g->lo = 0;
        g->vectors = t->vectors;
        g->masks = NULL;
        if (u->mask == RUN_ALL) {
            t->seen = t->rows;
        } else {
            uint32_t mask = u->mask + t->granule * u->mask_step;
            mask_range range = p->ranges[mask];
            g->lo = range.lo;
            g->vectors = (uint32_t)(range.hi - range.lo);
            g->masks = range.partial ? p->masks + (size_t)mask * KEYS : NULL;
            t->seen |= range.any;
        }
        count->lanes += KEYS * LANES * g->vectors;
        if (++t->granule == u->granules) {
            t->granule = 0;
            t->run++;
        }
    }
    t->left -= n;
    return n;
}

/* ---- a chunk ---- */

static void score_chunk(size_t dim, state *t, const granule *g, uint32_t n, float *p)
{
    for (uint32_t v = 0; v < t->vectors; v++)
        vf_store(t->chunk_sum + v * LANES, vf_set1(0));
    for (uint32_t i = 0; i < n; i++)
        score_table[g[i].vectors - 1][g[i].masks ? MASKED : PLAIN](dim, t, &g[i], p + (size_t)i * KEYS * ROWS);
}

/* Rows whose reference no longer fits. A row without keys so far has the sum 0, and that is right. */
static uint64_t misfits(const state *t)
{
    uint64_t high = 0, low = 0;
    for (uint32_t v = 0; v < t->vectors; v++) {
        vf chunk = vf_load(t->chunk_sum + v * LANES), sum = vf_add(vf_load(t->sum + v * LANES), chunk);
        high |= (uint64_t)(~vf_le(chunk, vf_set1(MOST)) & ((1u << LANES) - 1)) << (v * LANES);
        low |= (uint64_t)(~vf_ge(sum, vf_set1(LEAST)) & ((1u << LANES) - 1)) << (v * LANES);
    }
    return (high | (low & t->seen)) & t->rows & ~t->dead;
}

/* Moves the references of the rows `bad` to their maxima in this chunk and computes the chunk again. Rows
 * that overflow or hold NaN even then are dead. */
static __attribute__((noinline)) void redo_chunk(size_t dim, state *t, const granule *g, uint32_t n, float *p,
                                                 uint64_t bad)
{
    _Alignas(64) float max[ROWS], scale[ROWS];
    for (uint32_t r = 0; r < ROWS; r++) {
        max[r] = -INFINITY;
        scale[r] = 1;
    }
    for (uint32_t i = 0; i < n; i++)
        score_table[g[i].vectors - 1][MAXIMA](dim, t, &g[i], max);
    for (uint32_t r = 0; r < ROWS; r++)
        if ((bad >> r & 1) && isfinite(max[r])) {
            scale[r] = t->sum[r] > 0 ? exp2f(-t->minus_reference[r] - max[r]) : 0;
            t->minus_reference[r] = -max[r];
            t->carry[r] *= scale[r];
            t->sum[r] *= scale[r];
        }
    for (uint32_t v = 0; v < t->vectors; v++) {
        vf by = vf_load(scale + v * LANES);
        for (size_t c = 0; c < dim; c++) {
            float *o = t->o + c * ROWS + v * LANES;
            vf_store(o, vf_mul(vf_load(o), by));
        }
    }
    score_chunk(dim, t, g, n, p);
    for (uint32_t r = 0; r < ROWS; r++)
        if ((bad >> r & 1) && !(t->chunk_sum[r] <= MOST))
            t->dead |= 1ull << r;
}

static void compute_chunk(const shape *s, state *t, const granule *g, uint32_t n, scratch *w, tally *count)
{
    score_chunk(s->dim, t, g, n, w->p);
    uint64_t bad = misfits(t);
    if (__builtin_expect(bad != 0, 0)) {
        redo_chunk(s->dim, t, g, n, w->p, bad);
        count->redone++;
    }
    for (uint32_t v = 0; v < t->vectors; v++)
        vf_store(t->sum + v * LANES, vf_add(vf_load(t->sum + v * LANES), vf_load(t->chunk_sum + v * LANES)));
    add_values(s->dim, t, g, n, w->p);
}

/* ---- rows in, rows out ---- */

/* `rows` rows of floats, `stride` apart, into q^T [dim][ROWS], times `scale`; lanes beyond are 0. */
static void transpose_in(float *q, const float *from, size_t stride, size_t rows, size_t dim, float scale)
{
    for (size_t v = 0; v < ROWS; v += LANES) {
        size_t c = 0;
        if (v + LANES <= rows)
            for (; c + LANES <= dim; c += LANES) {
                vf r[LANES];
                UNROLL for (size_t i = 0; i < LANES; i++)
                    r[i] = vf_loadu(from + (v + i) * stride + c);
                vf_transpose(r);
                UNROLL for (size_t i = 0; i < LANES; i++)
                    vf_store(q + (c + i) * ROWS + v, vf_mul(r[i], vf_set1(scale)));
            }
        for (; c < dim; c++)
            for (size_t i = v; i < v + LANES; i++)
                q[c * ROWS + i] = i < rows ? from[i * stride + c] * scale : 0;
    }
}

static void load_tile(const shape *s, const operands *x, const tile *t, state *to, scratch *w)
{
    to->tile = t;
    to->rows = t->count == 64 ? UINT64_MAX : (1ull << t->count) - 1;
    to->seen = t->merge;
    to->dead = 0;
    to->vectors = (t->count + LANES - 1) / LANES;
    to->run = t->first_run;
    to->granule = 0;
    to->left = t->granules;
    for (uint32_t r = 0; r < ROWS; r++) {
        bool merge = t->merge >> r & 1;
        size_t row = t->row0 + (size_t)r * t->row_step;
        to->minus_reference[r] = merge ? -x->reference[row] : 0;
        to->sum[r] = merge ? x->sum[row] : 0;
        to->carry[r] = 1;
        if (merge && !(to->sum[r] >= 0)) /* given up in the earlier part */
            to->dead |= 1ull << r;
    }
    const float *from = (const float *)x->q + t->row0 * s->dim;
    size_t stride = t->row_step * s->dim;
    if (s->dtype != ATTN_F32) {
        for (uint32_t r = 0; r < t->count; r++)
            widen_row(w->rows + r * s->dim, x->q, t->row0 + (size_t)r * t->row_step, s->dim, s->dtype);
        from = w->rows;
        stride = s->dim;
    }
    transpose_in(to->q, from, stride, t->count, s->dim, (float)((double)s->scale * LOG2_E));
    memset(to->o, 0, s->dim * ROWS * sizeof *to->o);
}

/* Rows v .. v + LANES of a tile, cut at its end: row i becomes o[i] * by[i] + earlier[i] * carry[i], and
 * weight[i] the sum of its magnitudes (not finite exactly when an element is not, short of overflow). */
static void transpose_out(const shape *s, const state *t, uint32_t v, const float *by, float *const to[LANES],
                          const float *const earlier[LANES], float weight[LANES])
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
            if (earlier[i])
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
            if (earlier[i])
                o += earlier[i][e] * (t->carry[v + i] * by[i]);
            weight[i] += fabsf(o);
            to[i][e] = o;
        }
    }
}

/* Whether fp32 may have failed a row. `weight` is that of its o, normalised when `last`. */
INLINE bool is_doubtful(const state *t, uint32_t r, float weight, bool last)
{
    if (t->dead >> r & 1)
        return true;
    if (!(t->seen >> r & 1))
        return weight != 0; /* 0 * NaN behind a mask */
    return !(weight <= FLT_MAX) || !(t->sum[r] >= LEAST) ||
           (last && weight < TINY && (weight > 0 || t->sum[r] < 0x1p-8f));
}

static void store_tile(const shape *s, const operands *x, const state *t, bool last, scratch *w, tally *count)
{
    const tile *of = t->tile;
    size_t dim = s->dim;
    for (uint32_t v = 0; v < of->count; v += LANES) {
        _Alignas(64) float by[LANES];
        float weight[LANES], *to[LANES] = {0};
        const float *earlier[LANES] = {0};
        for (uint32_t i = 0; i < LANES && v + i < of->count; i++) {
            size_t row = of->row0 + (size_t)(v + i) * of->row_step;
            if (of->merge >> (v + i) & 1)
                earlier[i] = x->partial + row * dim;
            to[i] = !last ? x->partial + row * dim : s->dtype == ATTN_F32 ? (float *)x->o + row * dim : w->rows + i * dim;
        }
        for (uint32_t i = 0; i < LANES; i++)
            by[i] = !last ? 1 : t->sum[v + i] > 0 ? 1 / t->sum[v + i] : 0;
        transpose_out(s, t, v, by, to, earlier, weight);

        for (uint32_t i = 0; i < LANES && v + i < of->count; i++) {
            uint32_t r = v + i;
            size_t row = of->row0 + (size_t)r * of->row_step;
            bool doubtful = is_doubtful(t, r, weight[i], last), seen = t->seen >> r & 1;
            if (!last) {
                x->reference[row] = -t->minus_reference[r];
                x->sum[row] = doubtful ? NAN : t->sum[r];
                continue;
            }
            if (doubtful) {
                exact_row(s, x, row, w->combs);
                count->exact_rows++;
                continue;
            }
            if (s->dtype == ATTN_BF16)
                for (size_t c = 0; c < dim; c++)
                    ((uint16_t *)x->o)[row * dim + c] = bf16_from_f32(to[i][c]);
            else if (s->dtype == ATTN_F16)
                for (size_t c = 0; c < dim; c++)
                    ((uint16_t *)x->o)[row * dim + c] = f16_from_f32(to[i][c]);
            if (x->lse)
                x->lse[row] = !seen ? -INFINITY
                                    : (float)(log((double)t->sum[r]) - (double)t->minus_reference[r] * LN_2);
        }
    }
}

/* ---- the kernel ---- */

static void *lay_out(arena *a, const shape *s)
{
    size_t keys = CHUNK_FLOATS / s->dim;
    keys = keys > MAX_CHUNK_KEYS ? MAX_CHUNK_KEYS : keys < MIN_CHUNK_KEYS ? MIN_CHUNK_KEYS : keys;
    size_t chunk = keys / KEYS, slots = chunk + chunk / 4, dim = s->dim;
    scratch *w = arena_take(a, 1, sizeof *w);
    scratch z = {
        .states = arena_take(a, s->group, sizeof *z.states),
        .granules = arena_take(a, slots, sizeof *z.granules),
        .p = arena_take(a, slots * KEYS * ROWS, sizeof *z.p),
        .k = arena_take(a, slots * KEYS * dim, sizeof *z.k),
        .v = arena_take(a, slots * KEYS * dim, sizeof *z.v),
        .keys = arena_take(a, slots, sizeof *z.keys),
        .rows = arena_take(a, ROWS * dim, sizeof *z.rows),
        .combs = arena_take(a, s->max_combs, sizeof *z.combs),
        .chunk = (uint32_t)chunk,
    };
    for (uint32_t g = 0; g < s->group; g++) {
        float *q = arena_take(a, dim * ROWS, sizeof *q), *o = arena_take(a, dim * ROWS, sizeof *o);
        if (z.states) {
            z.states[g].q = q;
            z.states[g].o = o;
        }
    }
    if (w)
        *w = z;
    return w;
}

static void run_group(const shape *s, const operands *x, const program *p, group g, bool last, void *memory,
                      tally *count)
{
    scratch *w = memory;
    memset(w->keys, 0xff, (w->chunk + w->chunk / 4) * sizeof *w->keys); /* the panels hold nothing */
    for (uint32_t i = 0; i < g.tiles; i++)
        load_tile(s, x, &p->tiles[g.first_tile + i], &w->states[i], w);
    for (bool more = true; more;) {
        more = false;
        for (uint32_t i = 0; i < g.tiles; i++) {
            state *t = &w->states[i];
            if (!t->left)
                continue;
            uint32_t n = next_chunk(s, x, p, t, w, count);
            compute_chunk(s, t, w->granules, n, w, count);
            more |= t->left > 0;
        }
    }
    for (uint32_t i = 0; i < g.tiles; i++)
        store_tile(s, x, &w->states[i], last, w, count);
}

extern const kernel KERNEL_SYMBOL;
const kernel KERNEL_SYMBOL = {
    KERNEL_FIELDS,
    .dtypes = 1u << ATTN_F32 | 1u << ATTN_BF16 | 1u << ATTN_F16,
    .geometry = {LANES, VECTORS, KEYS},
    .max_group = 8,
    .scratch = lay_out,
    .run = run_group,
};
