/* Keys by vectors of queries: scores and values, in every width. What multiplies is floats (multiply_f32.h) or pairs of
 * bf16 (multiply_bf16.h). Part of forward_body.h, which explains. */

enum { MAX_WIDTH = 8 /* columns, of WIDTHS_n */ };

/* scores(): KEYS keys x nv vectors. PLAIN and MASKED write weights and add them to chunk_sum, `out` [KEYS][ROWS] being theirs to
 * use; TRACKED writes scores there, and raises max.
 * values(): adds the granules g[0 .. n), which touch the same nv vectors, to nc columns of o^T. p, o: of the first vector
 * touched. */
enum mode { PLAIN, MASKED, TRACKED };

#ifdef PAIRS
#include "kernels/multiply_bf16.h"
#else
#include "kernels/multiply_f32.h"
#endif

typedef void scores_fn(const shape *of, state *s, const granule *g, float *out, packed *weights);
#define DEFINE(nv, mode) \
    static __attribute__((noinline)) void scores_##nv##_##mode(const shape *of, state *s, const granule *g, float *out, \
                                                               packed *weights) \
    { \
        scores(nv, mode, of, s, g, out, weights); \
    }
#define DEFINE_MODES(nv) DEFINE(nv, PLAIN) DEFINE(nv, MASKED) DEFINE(nv, TRACKED)
FOR_VECTORS(DEFINE_MODES)
#define NAMES(nv) {[PLAIN] = scores_##nv##_PLAIN, [MASKED] = scores_##nv##_MASKED, [TRACKED] = scores_##nv##_TRACKED},
static scores_fn *const score_table[VECTORS][TRACKED + 1] = {FOR_VECTORS(NAMES)};
#undef NAMES
#undef DEFINE_MODES
#undef DEFINE

typedef void values_fn(const granule *g, uint32_t n, size_t column, const packed *p, float *o);
#define DEFINE(nv, nc) \
    static __attribute__((noinline)) void values_##nv##_##nc(const granule *g, uint32_t n, size_t column, \
                                                             const packed *p, float *o) \
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
        score_table[g[i].vectors - 1][g[i].masks ? MASKED : PLAIN](s, t, &g[i], scores_of(w->p, i),
                                                                   w->weights + (size_t)i * WEIGHT_WORDS);
        look_further(&w->ahead);
        if (i == 0 && __builtin_expect(is_alarming(t), 0))
            return false;
    }
    if (w->care.specials)
        show_weights(w->p, w->weights, n);
    return true;
}

static void track_scores(const shape *s, const operands *x, state *t, const granule *g, scratch *w, float *out)
{
    (void)x;
    score_table[g->vectors - 1][TRACKED](s, t, g, out, w->weights);
}

/* Granules that touch the same vectors go together. */
static void add_values(const shape *s, state *t, const granule *g, uint32_t n, scratch *w, bool tracked)
{
    const size_t dim = s->dim;
    if (tracked)
        pack_weights(w->weights, w->p, n);
    for (uint32_t i = 0, next; i < n; i = next) {
        next = i + alike(g, i, n);
        const packed *from = w->weights + (size_t)i * WEIGHT_WORDS + g[i].lo * LANES;
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
