/* A chunk of keys against a tile: scores and weights, sums, values. Part of forward_body.h, which explains. */

#include <float.h>
#include <math.h>
#include <string.h>

#include "kernels/exact.h"
#include "kernels/facts.h"
#include "kernels/flush.h"
#include "kernels/kernel.h"
#include "kernels/shift.h"

enum {
    ROWS = LANES * VECTORS,
    MAX_WIDTH = 8 /* columns, of WIDTHS_n */
};
#define LEAST 0x1p-32f
#define MOST 0x1p64f
#define ALARM 0x1p40f /* of the first few keys: more will follow */
#define REACH 40      /* of a tracked maximum above the reference, in units of log2; half of it below */

typedef struct state { /* one tile */
    _Alignas(64) float minus_reference[ROWS]; /* in units of log2 */
    float sum[ROWS], chunk_sum[ROWS];
    float max[ROWS];      /* of a chunk's scores, when tracked */
    float carry[ROWS];    /* what an earlier part's o is to be multiplied by */
    float *q, *o;         /* [dim][ROWS]: scale * log2(e) * q, and unnormalised o */
    const tile *tile;
    uint64_t rows;        /* bits of its rows */
    uint64_t seen;        /* rows that have met a key */
    uint64_t dead;        /* rows with a score of NaN or infinity, or one that fp32 cannot hold */
    uint64_t lost;        /* rows an earlier part could not compute */
    uint64_t *marks;      /* NaN and infinities of v, set apart: see forward_care.h */
    uint64_t marked;      /* rows that see one */
    uint64_t infinite;    /* rows that may see an infinity */
    uint64_t unsure;      /* rows that give one the weight 0 */
    float spread;         /* scores are computed, and references kept, divided by this power of two */
    bool tracked;         /* each chunk's maxima are found before its weights */
    uint32_t vectors;
    uint32_t run, granule, left; /* what comes next, and granules left */
    float *to;            /* where its rows of o go, `stride` apart */
    size_t stride;
    bool narrow;          /* from there on to x->o, in its dtype */
} state;

typedef struct granule {
    const float *k, *v;     /* KEYS rows of [dim], `stride` apart */
    size_t stride;
    const uint64_t *masks;  /* [KEYS], or NULL */
    uint32_t lo, vectors;
} granule;

/* Rows to be brought into the cache while something else is computed: they lie too far apart, or are too
 * few, for the hardware to foresee them. */
typedef struct touch {
    const char *at;
    size_t stride, bytes;   /* from row to row, of a row */
    uint32_t rows;
    bool write;
} touch;

enum { MAX_TOUCHES = 6 };

typedef struct ahead {
    touch of[MAX_TOUCHES];
    uint32_t count, next;   /* of[next .. count) are left */
    uint32_t rows;          /* to be touched for every granule computed */
} ahead;

/* How operands are taken in: all zero for ordinary ones. */
typedef struct care {
    bool specials;          /* NaN and infinities of v are set apart */
    int k_shift, v_shift;   /* see facts.h */
} care;

typedef struct scratch {
    state *states;          /* [group] */
    granule *granules;      /* of a chunk */
    float *p;               /* [granules of a chunk][KEYS][ROWS] */
    float *k, *v;           /* panels [slots][KEYS][dim] */
    uint32_t (*keys)[KEYS]; /* [slots]: what the panels hold */
    float *rows;            /* [ROWS][dim]: rows of q on their way in, of o on their way out */
    float *zeros, *spare;   /* [dim]; spare: of rows that are not wanted */
    attn_comb *combs;       /* for exact_row */
    uint32_t chunk;         /* granules in a chunk; the last one takes a quarter more rather than leave a crumb */
    uint32_t slots;
    bool shared;            /* many tiles need the group's keys */
    ahead ahead;
    care care;
    uint64_t *columns;      /* [slots][KEYS][SORTS][words]: the columns of v that are special */
    uint16_t *specials;     /* [slots]: keys with any, and (<< 8) with an infinity */
    uint32_t words;         /* for a bit per column */
} scratch;

/* ---- scores ---- */

enum mode { PLAIN, MASKED, TRACKED };

/* KEYS keys x nv vectors, into `out` [KEYS][ROWS]. PLAIN and MASKED write weights and add to chunk_sum; TRACKED
 * writes scores and raises max. */
INLINE void scores(const uint32_t nv, const enum mode mode, size_t dim, state *s, const granule *g, float *out)
{
    const uint32_t at = g->lo * LANES;
    const float *q = s->q + at, *k = g->k;
    const size_t stride = g->stride;
    vf a[KEYS][VECTORS], odd[KEYS];
    EACH(v, nv, VECTORS) {
        vf start = mode == TRACKED ? vf_set1(0) : vf_load(s->minus_reference + at + v * LANES);
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
                a[r][0] = vf_fma(vf_set1(k[r * stride + c]), q0, a[r][0]);
                odd[r] = vf_fma(vf_set1(k[r * stride + c + 1]), q1, odd[r]);
            }
        }
    }
    UNROLL_4
    for (; c < dim; c++) {
        vf qv[VECTORS];
        EACH(v, nv, VECTORS)
            qv[v] = vf_load(q + c * ROWS + v * LANES);
        UNROLL for (uint32_t r = 0; r < KEYS; r++) {
            vf kr = vf_set1(k[r * stride + c]);
            EACH(v, nv, VECTORS)
                a[r][v] = vf_fma(kr, qv[v], a[r][v]);
        }
    }
    if (nv == 1)
        UNROLL for (uint32_t r = 0; r < KEYS; r++)
            a[r][0] = vf_add(a[r][0], odd[r]);

    if (mode == TRACKED) {
        EACH(v, nv, VECTORS) {
            const uint32_t lane = at + v * LANES;
            vf max = vf_load(s->max + lane);
            UNROLL for (uint32_t r = 0; r < KEYS; r++) {
                vf x = g->masks ? vf_select((uint32_t)(g->masks[r] >> lane), a[r][v], max) : a[r][v];
                max = vf_max(max, x);
                vf_store(out + r * ROWS + lane, a[r][v]);
            }
            vf_store(s->max + lane, max);
        }
        return;
    }
    EACH(v, nv, VECTORS)
        UNROLL for (uint32_t r = 0; r < KEYS; r++)
            vf_store(out + r * ROWS + at + v * LANES, a[r][v]);
    EACH(v, nv, VECTORS) { /* from memory: in registers, the scores of other keys would be in the way */
        float *p = out + at + v * LANES;
        vf sum = vf_load(s->chunk_sum + at + v * LANES);
        UNROLL for (uint32_t r = 0; r < KEYS; r += FLIGHT) {
            vf x[FLIGHT];
            EACH(i, KEYS - r, FLIGHT) x[i] = vf_load(p + (r + i) * ROWS);
            vf_exp2_each(x, KEYS - r < FLIGHT ? KEYS - r : FLIGHT);
            EACH(i, KEYS - r, FLIGHT) {
                if (mode == MASKED)
                    x[i] = vf_keep(x[i], (uint32_t)(g->masks[r + i] >> (at + v * LANES)));
                vf_store(p + (r + i) * ROWS, x[i]);
                sum = vf_add(sum, x[i]);
            }
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
#define DEFINE_MODES(nv) DEFINE(nv, PLAIN) DEFINE(nv, MASKED) DEFINE(nv, TRACKED)
FOR_VECTORS(DEFINE_MODES)
#define NAMES(nv) {[PLAIN] = scores_##nv##_PLAIN, [MASKED] = scores_##nv##_MASKED, [TRACKED] = scores_##nv##_TRACKED},
static scores_fn *const score_table[VECTORS][TRACKED + 1] = {FOR_VECTORS(NAMES)};
#undef NAMES
#undef DEFINE_MODES
#undef DEFINE

/* ---- values ---- */

/* Adds the granules g[0 .. n), which touch the same nv vectors, to nc columns of o^T. p, o: of the first
 * vector touched. */
INLINE void values(const uint32_t nv, const uint32_t nc, const granule *g, uint32_t n, size_t column,
                   const float *p, float *o)
{
    vf a[MAX_WIDTH][VECTORS];
    EACH(c, nc, MAX_WIDTH)
        EACH(v, nv, VECTORS)
            a[c][v] = vf_set1(0);
    for (uint32_t i = 0; i < n; i++, p += KEYS * ROWS) {
        const float *row = g[i].v + column;
        const size_t stride = g[i].stride;
        UNROLL for (uint32_t r = 0; r < KEYS; r++, row += stride) {
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

typedef void values_fn(const granule *g, uint32_t n, size_t column, const float *p, float *o);
#define DEFINE(nv, nc) \
    static __attribute__((noinline)) void values_##nv##_##nc(const granule *g, uint32_t n, size_t column, \
                                                             const float *p, float *o) \
    { \
        values(nv, nc, g, n, column, p, o); \
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
                value_table[g[i].vectors - 1][w].add(g + i, next - i, c, from, to + c * ROWS);
        }
    }
}

/* ---- a chunk ---- */

static void set_specials_apart(const shape *s, state *t, const granule *g, uint32_t n, const scratch *w);

static void touch_ahead(ahead *a)
{
    for (uint32_t i = 0; i < a->rows && a->next < a->count; i++) {
        touch *t = &a->of[a->next];
        if (t->write)
            for (size_t b = 0; b < t->bytes; b += 64)
                __builtin_prefetch(t->at + b, 1, 3);
        else
            for (size_t b = 0; b < t->bytes; b += 64)
                __builtin_prefetch(t->at + b, 0, 2);
        t->at += t->stride;
        if (--t->rows == 0)
            a->next++;
    }
}

/* Rows of which a comparison said bits, per vector. */
INLINE uint64_t rows_of_lanes(uint32_t lanes, uint32_t v)
{
    return (uint64_t)(lanes & ((1u << LANES) - 1)) << (v * LANES);
}

/* Whether the sums of a chunk's first granule announce that its reference will not do. */
static bool is_alarming(const state *t)
{
    uint64_t high = 0;
    for (uint32_t v = 0; v < t->vectors; v++)
        high |= rows_of_lanes(~vf_le(vf_load(t->chunk_sum + v * LANES), vf_set1(ALARM)), v);
    return high & t->rows & ~t->dead;
}

/* False: given up after the first granule. */
static bool score_chunk(size_t dim, state *t, const granule *g, uint32_t n, float *p, scratch *w)
{
    for (uint32_t v = 0; v < t->vectors; v++)
        vf_store(t->chunk_sum + v * LANES, vf_set1(0));
    for (uint32_t i = 0; i < n; i++) {
        score_table[g[i].vectors - 1][g[i].masks ? MASKED : PLAIN](dim, t, &g[i], p + (size_t)i * KEYS * ROWS);
        if (w->ahead.next < w->ahead.count)
            touch_ahead(&w->ahead);
        if (i == 0 && __builtin_expect(is_alarming(t), 0))
            return false;
    }
    return true;
}

/* Rows whose reference no longer fits. A row without keys so far has the sum 0, and that is right. */
static uint64_t misfits(const state *t)
{
    uint64_t high = 0, low = 0;
    for (uint32_t v = 0; v < t->vectors; v++) {
        vf chunk = vf_load(t->chunk_sum + v * LANES), sum = vf_add(vf_load(t->sum + v * LANES), chunk);
        high |= rows_of_lanes(~vf_le(chunk, vf_set1(MOST)), v);
        low |= rows_of_lanes(~vf_ge(sum, vf_set1(LEAST)), v);
    }
    return (high | (low & t->seen)) & t->rows & ~t->dead;
}

/* Moves the references of rows to their maxima in this chunk where these are out of reach, and what has been
 * summed so far with them. */
static void move_references(size_t dim, state *t)
{
    _Alignas(64) float scale[ROWS];
    bool rescale = false;
    for (uint32_t r = 0; r < t->vectors * LANES; r++) {
        scale[r] = 1;
        float x = (t->max[r] + t->minus_reference[r]) * t->spread;
        bool moves = x > REACH || (x < -REACH / 2 && t->sum[r] < LEAST);
        if (!moves || !((t->rows & ~t->dead) >> r & 1) || !(fabsf(t->max[r]) <= FLT_MAX))
            continue;
        if (t->sum[r] > 0) {
            scale[r] = exp2f((-t->minus_reference[r] - t->max[r]) * t->spread);
            rescale = true;
        }
        t->minus_reference[r] = -t->max[r];
        t->carry[r] *= scale[r];
        t->sum[r] *= scale[r];
    }
    for (uint32_t v = 0; rescale && v < t->vectors; v++) {
        vf by = vf_load(scale + v * LANES);
        for (size_t c = 0; c < dim; c++) {
            float *o = t->o + c * ROWS + v * LANES;
            vf_store(o, vf_mul(vf_load(o), by));
        }
    }
}

/* Scores at p become weights. */
static void weigh(state *t, const granule *g, float *p)
{
    vf spread = vf_set1(t->spread);
    for (uint32_t v = g->lo; v < g->lo + g->vectors; v++) {
        vf minus = vf_load(t->minus_reference + v * LANES), sum = vf_load(t->chunk_sum + v * LANES);
        for (uint32_t r = 0; r < KEYS; r++) {
            float *at = p + r * ROWS + v * LANES;
            vf x = vf_exp2(vf_mul(vf_add(vf_load(at), minus), spread));
            if (g->masks)
                x = vf_keep(x, (uint32_t)(g->masks[r] >> (v * LANES)));
            vf_store(at, x);
            sum = vf_add(sum, x);
        }
        vf_store(t->chunk_sum + v * LANES, sum);
    }
}

/* A chunk whose maxima are looked at before its weights are computed. */
static __attribute__((noinline)) void track_chunk(size_t dim, state *t, const granule *g, uint32_t n, float *p)
{
    for (uint32_t v = 0; v < t->vectors; v++) {
        vf_store(t->chunk_sum + v * LANES, vf_set1(0));
        vf_store(t->max + v * LANES, vf_set1(-INFINITY));
    }
    for (uint32_t i = 0; i < n; i++)
        score_table[g[i].vectors - 1][TRACKED](dim, t, &g[i], p + (size_t)i * KEYS * ROWS);
    move_references(dim, t);
    for (uint32_t i = 0; i < n; i++)
        weigh(t, &g[i], p + (size_t)i * KEYS * ROWS);
    for (uint32_t v = 0; v < t->vectors; v++)
        t->dead |= rows_of_lanes(~vf_le(vf_load(t->chunk_sum + v * LANES), vf_set1(MOST)), v) & t->rows;
}

static void compute_chunk(const shape *s, state *t, const granule *g, uint32_t n, scratch *w, tally *count)
{
    count->granules += n;
    if (!(t->rows & ~t->dead))
        return;
    if (!t->tracked && (!score_chunk(s->dim, t, g, n, w->p, w) || misfits(t))) {
        t->tracked = true;
        count->redone++;
        count->redone_granules += n;
    }
    if (t->tracked)
        track_chunk(s->dim, t, g, n, w->p);
    if (w->care.specials)
        set_specials_apart(s, t, g, n, w);
    for (uint32_t v = 0; v < t->vectors; v++)
        vf_store(t->sum + v * LANES, vf_add(vf_load(t->sum + v * LANES), vf_load(t->chunk_sum + v * LANES)));
    add_values(s->dim, t, g, n, w->p);
}
