/* Scores and values by multiply-adds of vectors. Part of forward_body.h, which explains. */

enum { MAX_WIDTH = 8 /* columns, of WIDTHS_n */ };

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

/* ---- a chunk ---- */

/* Whether the sums of a chunk's first granule announce that its reference will not do. */
static bool is_alarming(const state *t)
{
    uint64_t high = 0;
    for (uint32_t v = 0; v < t->vectors; v++)
        high |= rows_of_lanes(vf_ge(vf_load(t->chunk_sum + v * LANES), vf_set1(ALARM)), v);
    return high & t->rows & ~t->dead;
}

/* How many granules from i on touch the same vectors. */
INLINE uint32_t alike(const granule *g, uint32_t i, uint32_t n)
{
    uint32_t next = i + 1;
    while (next < n && g[next].lo == g[i].lo && g[next].vectors == g[i].vectors)
        next++;
    return next - i;
}

/* Shares out what is to come among the steps of a chunk: scores, values, and what ends this tile and begins the next.
 * Asked for in fewer, rows queue up behind each other and hold up the arithmetic. */
static void share_out(const shape *s, const state *t, const granule *g, uint32_t n, scratch *w)
{
    ahead *a = &w->ahead;
    uint32_t steps = n + (t->left ? 0 : 2 * t->vectors * (uint32_t)s->dim / LANES);
    for (uint32_t i = 0; i < n; i += alike(g, i, n))
        steps += (uint32_t)s->dim / value_table[g[i].vectors - 1][0].width;
    a->each = a->rows.rows / steps + 1;
    a->each_key = (a->keys.count - a->keys.next) / (steps * w->panels->turns) + 1;
    w->panels->turns -= w->panels->turns > 1;
}

/* Given up after the first granule, if at all before the end. */
static bool weigh_chunk(const shape *s, const operands *x, state *t, const granule *g, uint32_t n, scratch *w)
{
    (void)x;
    share_out(s, t, g, n, w);
    for (uint32_t v = 0; v < t->vectors; v++)
        vf_store(t->chunk_sum + v * LANES, vf_set1(0));
    for (uint32_t i = 0; i < n; i++) {
        score_table[g[i].vectors - 1][g[i].masks ? MASKED : PLAIN](s->dim, t, &g[i], w->p + (size_t)i * KEYS * ROWS);
        look_further(&w->ahead);
        if (i == 0 && __builtin_expect(is_alarming(t), 0))
            return false;
    }
    return true;
}

static void track_scores(const shape *s, const operands *x, state *t, const granule *g, scratch *w, float *out)
{
    (void)x;
    (void)w;
    score_table[g->vectors - 1][TRACKED](s->dim, t, g, out);
}

/* Granules that touch the same vectors go together. */
static void add_values(const shape *s, state *t, const granule *g, uint32_t n, scratch *w, bool tracked)
{
    const size_t dim = s->dim;
    (void)tracked;
    for (uint32_t i = 0, next; i < n; i = next) {
        next = i + alike(g, i, n);
        const float *from = w->p + (size_t)i * KEYS * ROWS + g[i].lo * LANES;
        float *to = t->o + g[i].lo * LANES;
        size_t c = 0;
        for (uint32_t at = 0; c < dim; at++) {
            uint32_t width = value_table[g[i].vectors - 1][at].width;
            for (; dim - c >= width; c += width) {
                value_table[g[i].vectors - 1][at].add(g + i, next - i, c, from, to + c * ROWS);
                look_further(&w->ahead);
            }
        }
    }
}
