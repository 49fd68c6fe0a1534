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
 * the chunk computed again, and from there on the tile is *tracked*: the maxima of each chunk's scores are known
 * before its weights are computed, and references follow them. After every chunk the sum of a row that has seen
 * a finite score is at least LEAST, and each weight at most MOST.
 *
 * Beyond fp32. Subnormals are flushed, so that they cost nothing. Heads whose keys or values are odd as a whole
 * are shifted (facts.h); NaN and infinities of v are set apart (forward_care.h); rows whose result leaves doubt are
 * computed once more with what helps (forward_repeat.h). A row with a NaN or infinite score from a NaN or an
 * infinity in q or k is NaN, and no more needs to be known. What remains is for exact_row(), in fp64: next to
 * nothing. */

#include "kernels/forward_chunk.h"
#include "kernels/forward_rows.h"
#include "kernels/forward_repeat.h"

enum {
    CHUNK_FLOATS = 8192, /* of k or v in a chunk: 32 KiB */
    MAX_CHUNK_KEYS = 128,
    MIN_CHUNK_KEYS = 64,
    FEW_TILES = 4 /* in a group: see in_place() */
};

/* ---- scratch ---- */

static void *lay_out(arena *a, const shape *s)
{
    size_t keys = CHUNK_FLOATS / s->dim, dim = s->dim;
    keys = keys > MAX_CHUNK_KEYS ? MAX_CHUNK_KEYS : keys < MIN_CHUNK_KEYS ? MIN_CHUNK_KEYS : keys;
    size_t chunk = keys / KEYS, most = chunk + chunk / 4, words = (dim + 63) / 64;
    scratch *w = arena_take(a, 1, sizeof *w);
    scratch z = {
        .states = arena_take(a, s->group, sizeof *z.states),
        .granules = arena_take(a, most, sizeof *z.granules),
        .p = arena_take(a, most * KEYS * ROWS, sizeof *z.p),
        .k = arena_take(a, most * KEYS * dim, sizeof *z.k),
        .v = arena_take(a, most * KEYS * dim, sizeof *z.v),
        .keys = arena_take(a, most, sizeof *z.keys),
        .rows = arena_take(a, ROWS * dim, sizeof *z.rows),
        .zeros = arena_take(a, dim, sizeof *z.zeros),
        .spare = arena_take(a, dim, sizeof *z.spare),
        .columns = arena_take(a, most * KEYS * SORTS * words, sizeof *z.columns),
        .specials = arena_take(a, most, sizeof *z.specials),
        .words = (uint32_t)words,
        .combs = arena_take(a, s->max_combs, sizeof *z.combs),
        .chunk = (uint32_t)chunk,
        .slots = (uint32_t)most,
    };
    for (uint32_t g = 0; g < s->group; g++) {
        float *q = arena_take(a, dim * ROWS, sizeof *q), *o = arena_take(a, dim * ROWS, sizeof *o);
        uint64_t *marks = arena_take(a, marks_size(s), sizeof *marks);
        if (z.states) {
            z.states[g].marks = marks;
            z.states[g].q = q;
            z.states[g].o = o;
        }
    }
    if (w) {
        memset(z.zeros, 0, dim * sizeof *z.zeros);
        *w = z;
    }
    return w;
}

/* ---- a group: chunk by chunk, so that its tiles take keys from the nearer cache ---- */

static void run_group(const shape *s, const operands *x, const program *p, group g, bool last, scratch *w,
                      tally *count)
{
    w->shared = g.tiles > FEW_TILES;
    for (uint32_t i = 0; i < g.tiles; i++) {
        const tile *t = &p->tiles[g.first_tile + i];
        state *to = &w->states[i];
        load_tile(s, x, t, to, w);
        to->narrow = last && s->dtype != ATTN_F32;
        to->stride = to->narrow ? s->dim : t->row_step * s->dim;
        to->to = to->narrow ? w->rows : (last ? (float *)x->o : x->partial) + t->row0 * s->dim;
    }
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
        finish_tile(s, x, p, &w->states[i], last, w, count);
}

/* ---- what the next group reads and this one writes, to be brought nearer meanwhile ---- */

static void touch_rows(ahead *a, const void *tensor, size_t row, size_t bytes, size_t step, size_t rows, bool write)
{
    if (tensor && rows && a->count < MAX_TOUCHES) {
        a->of[a->count++] = (touch){(const char *)tensor + row * bytes, step * bytes, bytes, (uint32_t)rows, write};
        a->rows += (uint32_t)rows;
    }
}

static size_t rows_of(const tile *first, uint32_t tiles)
{
    const tile *end = first + tiles - 1;
    return (end->row0 - first->row0) / first->row_step + end->count;
}

/* `next`: the group after this one, or NULL. */
static void look_ahead(const shape *s, const operands *x, const program *p, group g, const group *next, bool last, ahead *a)
{
    size_t bytes = s->dim * (s->dtype == ATTN_F32 ? sizeof(float) : sizeof(uint16_t)), granules = 0;
    const tile *t = &p->tiles[g.first_tile];
    *a = (ahead){0};
    for (uint32_t i = 0; i < g.tiles; i++)
        granules += t[i].granules;
    touch_rows(a, last ? x->o : (void *)x->partial, t->row0, last ? bytes : s->dim * sizeof(float), t->row_step,
               rows_of(t, g.tiles), true);
    if (next) {
        t = &p->tiles[next->first_tile];
        touch_rows(a, x->q, t->row0, bytes, t->row_step, rows_of(t, next->tiles), false);
        const tile *longest = t;
        for (uint32_t i = 1; i < next->tiles; i++)
            longest = t[i].granules > longest->granules ? t + i : longest;
        for (const run *u = p->runs + longest->first_run, *end = u + longest->runs; u < end; u++)
            if (u->list == RUN_COMB && u->width == 1) {
                touch_rows(a, x->k, u->first, bytes, u->step, u->keys, false);
                touch_rows(a, x->v, u->first, bytes, u->step, u->keys, false);
            }
    }
    a->rows = granules ? (uint32_t)(a->rows / granules + 1) : 0;
}

/* ---- the kernel ---- */

static void compute(const shape *s, const operands *x, const program *p, const group *groups, uint32_t count, bool last,
                    void *memory, tally *done)
{
    scratch *w = memory;
    unsigned flushing = flush_begin();
    forget_panels(w); /* they hold nothing of this head */
    facts f = facts_sampled(s, x);
    for (uint32_t g = 0; g < count; g++, f = facts_known(x)) {
        set_care(w, (care){f.v.special, f.k_shift, f.v_shift});
        look_ahead(s, x, p, groups[g], g + 1 < count ? &groups[g + 1] : NULL, last, &w->ahead);
        run_group(s, x, p, groups[g], last, w, done);
    }
    flush_end(flushing);
}

extern const kernel KERNEL_SYMBOL;
const kernel KERNEL_SYMBOL = {
    KERNEL_FIELDS,
    .dtypes = 1u << ATTN_F32 | 1u << ATTN_BF16 | 1u << ATTN_F16,
    .geometry = {LANES, VECTORS, KEYS},
    .max_group = 8,
    .scratch = lay_out,
    .run = compute,
};
