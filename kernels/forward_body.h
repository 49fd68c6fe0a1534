/* Forward attention in fp32: one body for every vector width and for tiles, included once per instance. What multiplies is
 * an engine (forward_state.h says what it provides): vectors as described here, or AMX (amx_f32_engine.h).
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
 * the chunk computed again, and from there on the tile is *tracked*: the maxima of each chunk's scores are known
 * before its weights are computed, and references follow them. After every chunk the sum of a row that has seen
 * a finite score is at least LEAST, and each weight at most MOST.
 *
 * Beyond fp32. Subnormals are flushed, so that they cost nothing. Heads whose keys or values are odd as a whole
 * are shifted (facts.h); NaN and infinities of v are set apart (forward_care.h); rows whose result leaves doubt are
 * computed once more with what helps (forward_repeat.h). A row with a NaN or infinite score from a NaN or an
 * infinity in q or k is NaN, and no more needs to be known. What remains is for exact_row(), in fp64: next to
 * nothing. */

#include "kernels/forward_state.h"
#include "kernels/forward_care.h"
#ifdef PAIRS
#include "kernels/forward_query_pairs.h"
#else
#include "kernels/forward_queries.h"
#endif
#ifdef ENGINE /* of tiles */
#include ENGINE
#else
#include "kernels/forward_keys.h"
#include "kernels/forward_vectors.h"
#endif
#include "kernels/forward_chunk.h"
#include "kernels/forward_rows.h"
#include "kernels/forward_repeat.h"
#include "kernels/forward_ahead.h"

/* ---- scratch ---- */

static void *lay_out(arena *a, const shape *s)
{
    const size_t dim = s->dim, words = (dim + 63) / 64;
    const uint32_t tiles = s->group < LEAST_TILES ? LEAST_TILES : s->group;
    scratch *w = arena_take(a, 1, sizeof *w);
    scratch z = {.words = (uint32_t)words};
    z.zeros = arena_take(a, dim, sizeof *z.zeros);
    const extent_of_chunks size = lay_out_panels(a, s, &z);
    z.states = arena_take(a, tiles, sizeof *z.states);
    z.granules = arena_take(a, size.most, sizeof *z.granules);
    z.p = arena_take(a, (size_t)size.most * KEYS * ROWS, sizeof *z.p);
    z.weights = lay_out_weights(a, z.p, size.most);
    z.rows = arena_take(a, ROWS * dim, sizeof *z.rows);
    z.spare = arena_take(a, dim, sizeof *z.spare);
    z.columns = arena_take(a, size.slots * KEYS * SORTS * words, sizeof *z.columns);
    z.specials = arena_take(a, size.slots, sizeof *z.specials);
    z.combs = arena_take(a, s->max_combs, sizeof *z.combs);
    z.chunk = size.chunk;
    z.most = size.most;
    for (uint32_t g = 0; g < tiles; g++) {
        float *q = arena_take(a, query_words(dim), sizeof *q), *o = arena_take(a, dim * ROWS, sizeof *o);
        uint64_t *marks = arena_take(a, marks_size(s), sizeof *marks);
        uint8_t *tiled = arena_take(a, TILED_BYTES(dim), 1);
        if (z.states) {
            z.states[g].marks = marks;
            z.states[g].q = q;
            z.states[g].o = o;
            z.states[g].tiled = tiled;
        }
    }
    if (w) {
        memset(z.zeros, 0, dim * sizeof *z.zeros);
        *w = z;
    }
    return w;
}

/* ---- tiles, chunk by chunk ---- */

static void begin_state(const shape *s, const operands *x, const tile *t, bool last, state *to, scratch *w)
{
    load_tile(s, x, t, to, w);
    to->narrow = last && s->dtype != ATTN_F32;
    to->stride = to->narrow ? s->dim : t->row_step * s->dim;
    to->to = to->narrow ? w->rows : (last ? (float *)x->o : x->partial) + t->row0 * s->dim;
}

/* What a call has in common. */
typedef struct call {
    const shape *s;
    const operands *x;
    const program *p;
    uint32_t end; /* of the tiles */
    bool last;
    scratch *w;
    tally *count;
} call;

/* The next chunk of tile `at`, one of `tiles` in lockstep; `other` (NULL: none) is prepared meanwhile: tile `begins`, or
 * what is next of it. */
static void run_chunk(const call *c, uint32_t at, state *t, uint32_t place, uint32_t tiles, bool first, const tile *begins,
                      state *other)
{
    const tile *later = at + AHEAD < c->end ? &c->p->tiles[at + AHEAD] : NULL;
    const uint32_t n = next_chunk(c->s, c->x, c->p, t, c->w, c->count);
    look_ahead(c->s, c->x, c->p, t, place, tiles, later, first, c->last, c->w);
    if (other) {
        const bool ready = prepare_ahead(c->s, c->x, c->p, begins, other, c->w);
        other->ready = begins && ready;
    }
    compute_chunk(c->s, c->x, t, c->w->granules, n, c->w, c->count);
    settle_ahead(c->s, c->x, c->w);
}

/* Tiles that share keys, chunk by chunk; `next` is the group after this one, or NULL. */
static void run_together(const call *c, group g, const group *next)
{
    state *states = c->w->states;
    bool first = true;
    for (uint32_t i = 0; i < g.tiles; i++)
        states[i].ready = false;
    for (bool more = true; more; first = false) {
        more = false;
        prepare_round(c->s, c->x, c->p, g, first, next, c->w);
        for (uint32_t i = 0; i < g.tiles; i++) {
            const tile *of = &c->p->tiles[g.first_tile + i];
            state *t = &states[i];
            if (first)
                begin_state(c->s, c->x, of, c->last, t, c->w);
            else if (!t->left)
                continue;
            if (t->left) {
                const bool is_last = i + 1 == g.tiles;
                state *other = !is_last && first ? t + 1 : is_last && i > 0 && states[0].left ? states : NULL;
                run_chunk(c, g.first_tile + i, t, i, g.tiles, first, !is_last ? of + 1 : NULL, other);
            }
            if (!t->left)
                finish_tile(c->s, c->x, c->p, t, c->last, c->w, c->count);
            more |= t->left > 0;
        }
    }
}

/* Tiles one after the other. */
static void run_in_turn(const call *c, group g)
{
    state *states = c->w->states;
    states[0].ready = states[1].ready = false;
    for (uint32_t i = 0; i < g.tiles; i++) {
        const tile *of = &c->p->tiles[g.first_tile + i];
        state *t = &states[i % 2], *next = i + 1 < g.tiles ? &states[(i + 1) % 2] : NULL;
        begin_state(c->s, c->x, of, c->last, t, c->w);
        for (bool first = true; t->left; first = false) {
            const bool ends = t->left <= c->w->most;
            run_chunk(c, g.first_tile + i, t, 0, 1, first, ends ? of + 1 : NULL, ends ? next : t);
        }
        finish_tile(c->s, c->x, c->p, t, c->last, c->w, c->count);
    }
}

/* ---- the kernel ---- */

static void compute(const shape *s, const operands *x, const program *p, const group *groups, uint32_t count, bool last,
                    void *memory, tally *done)
{
    scratch *w = memory;
    unsigned flushing = flush_begin();
    if (w->holds != x->keys_id)
        forget_panels(w);
    w->holds = x->keys_id;
    facts f = facts_sampled(s, x);
    uint64_t known = facts_word(x);
    set_care(w, (care){f.v.special, f.k_shift, f.v_shift});
    const call c = {s, x, p, groups[count - 1].first_tile + groups[count - 1].tiles, last, w, done};
    begin_engine();
    for (uint32_t g = 0, taken; g < count; g += taken) {
        group now = groups[g];
        for (taken = 1; IN_TURN && now.tiles == taken && g + taken < count && groups[g + taken].tiles == 1; taken++)
            now.tiles++;
        if (__builtin_expect(facts_word(x) != known, 0)) { /* another thread, or a tile, has found more */
            known = facts_word(x);
            f = facts_known(x);
            set_care(w, (care){f.v.special, f.k_shift, f.v_shift});
        }
        if (IN_TURN && now.tiles == taken)
            run_in_turn(&c, now);
        else
            run_together(&c, now, g + taken < count ? &groups[g + taken] : NULL);
    }
    end_engine();
    vf_stream_end();
    flush_end(flushing);
}

#ifdef KERNEL_GEOMETRY /* what unbuilt.h says of this kernel */
#define SAME(lanes, vectors, keys) ((lanes) == GEOMETRY_LANES && (vectors) == GEOMETRY_VECTORS && (keys) == KEYS)
#define SAME_LISTED(list) SAME(list)
_Static_assert(SAME_LISTED(KERNEL_GEOMETRY) && KERNEL_GROUP == MOST_TILES, "the geometry is another one");
#endif

#ifndef KERNEL_DTYPES
#define KERNEL_DTYPES (1u << ATTN_F32 | 1u << ATTN_BF16 | 1u << ATTN_F16)
#endif

extern const kernel KERNEL_SYMBOL;
const kernel KERNEL_SYMBOL = {
    KERNEL_FIELDS,
    .dtypes = KERNEL_DTYPES,
    .geometry = {GEOMETRY_LANES, GEOMETRY_VECTORS, KEYS},
    .max_group = MOST_TILES,
    .packs = PACKS,
    .scratch = lay_out,
    .run = compute,
};
