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
    BUNDLE_FLOATS = 24576, /* of k, v and q of the classes in a bundle: 96 KiB each */
    MAX_BUNDLE = 16
};

/* ---- scratch ---- */

static void *lay_out(arena *a, const shape *s)
{
    size_t keys = CHUNK_FLOATS / s->dim, dim = s->dim;
    keys = keys > MAX_CHUNK_KEYS ? MAX_CHUNK_KEYS : keys < MIN_CHUNK_KEYS ? MIN_CHUNK_KEYS : keys;
    size_t chunk = keys / KEYS, most = chunk + chunk / 4, bundle = BUNDLE_FLOATS / (dim * KEYS);
    size_t slots = s->bundles && bundle > most ? bundle : most;
    size_t stage_rows = s->bundles && bundle * KEYS > ROWS ? bundle * KEYS : ROWS;
    size_t words = (dim + 63) / 64;
    scratch *w = arena_take(a, 1, sizeof *w);
    scratch z = {
        .states = arena_take(a, s->group, sizeof *z.states),
        .granules = arena_take(a, most, sizeof *z.granules),
        .p = arena_take(a, most * KEYS * ROWS, sizeof *z.p),
        .k = arena_take(a, slots * KEYS * dim, sizeof *z.k),
        .v = arena_take(a, slots * KEYS * dim, sizeof *z.v),
        .keys = arena_take(a, slots, sizeof *z.keys),
        .rows = arena_take(a, stage_rows * dim, sizeof *z.rows),
        .zeros = arena_take(a, dim, sizeof *z.zeros),
        .spare = arena_take(a, dim, sizeof *z.spare),
        .columns = arena_take(a, slots * KEYS * SORTS * words, sizeof *z.columns),
        .specials = arena_take(a, slots, sizeof *z.specials),
        .words = (uint32_t)words,
        .combs = arena_take(a, s->max_combs, sizeof *z.combs),
        .chunk = (uint32_t)chunk,
        .slots = (uint32_t)slots,
        .stage_rows = (uint32_t)stage_rows,
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

/* `staged`: the rows of the class in w->rows, q on the way in and o on the way out; else NULL. */
static void run_group(const shape *s, const operands *x, const program *p, group g, float *staged, uint32_t slot,
                      bool last, scratch *w, tally *count)
{
    const tile *first = &p->tiles[g.first_tile];
    for (uint32_t i = 0; i < g.tiles; i++) {
        const tile *t = first + i;
        state *to = &w->states[i];
        float *rows = staged ? staged + (t->row0 - first->row0) / t->row_step * s->dim : NULL;
        load_tile(s, x, t, rows, s->dim, to, w);
        to->slot = slot;
        to->narrow = !staged && last && s->dtype != ATTN_F32;
        to->stride = staged || to->narrow ? s->dim : t->row_step * s->dim;
        to->to = staged ? rows : to->narrow ? w->rows : (last ? (float *)x->o : x->partial) + t->row0 * s->dim;
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

/* ---- a bundle: residue classes of neighbouring rows ----
 *
 * The rows of one class are row_step apart: read one class at a time, every row is a few cache lines from a
 * page of its own, and with a power of two between them they even compete for the same cache sets. So a few
 * neighbouring classes are brought in together, rows outermost: then memory is read and written in longer
 * stretches, and each class finds its rows packed. For classes short enough to be one chunk. */

typedef struct class { /* of a group */
    group group;
    const tile *longest;
    uint32_t rows;
} class;

static class class_of(const program *p, group g)
{
    const tile *first = &p->tiles[g.first_tile], *end = first + g.tiles;
    class c = {g, first, 0};
    for (const tile *t = first; t < end; t++)
        if (t->granules > c.longest->granules)
            c.longest = t;
    c.rows = (end[-1].row0 - first->row0) / first->row_step + end[-1].count;
    return c;
}

/* What is computed at once: a group, or neighbouring classes. */
typedef struct unit {
    class classes[MAX_BUNDLE];
    uint32_t count;         /* of classes; 1: no bundle */
    uint32_t slots, rows;   /* most of a class */
} unit;

/* The unit that begins with `groups`; its count is 0 at their end. */
static void find_unit(const program *p, const group *groups, uint32_t count, const scratch *w, unit *u)
{
    uint32_t n = 0;
    u->slots = u->rows = 0;
    for (; n < count && n < MAX_BUNDLE; n++) {
        class c = class_of(p, groups[n]);
        const tile *t = &p->tiles[c.group.first_tile];
        uint32_t slots = c.longest->granules > u->slots ? c.longest->granules : u->slots;
        uint32_t rows = c.rows > u->rows ? c.rows : u->rows;
        if (n && (t->row_step == 1 || t->row_step != t[-1].row_step || slots > w->chunk + w->chunk / 4 ||
                  slots * (n + 1) > w->slots || rows * (n + 1) > w->stage_rows ||
                  t->row0 != p->tiles[u->classes[0].group.first_tile].row0 + n))
            break;
        u->slots = slots;
        u->rows = rows;
        u->classes[n] = c;
    }
    u->count = n;
}

/* ---- what the next unit reads and this one writes, to be brought nearer meanwhile ---- */

static void touch_rows(ahead *a, const void *tensor, size_t row, size_t bytes, size_t step, size_t rows, bool write)
{
    if (tensor && rows && a->count < MAX_TOUCHES)
        a->of[a->count++] = (touch){(const char *)tensor + row * bytes, step * bytes, bytes, (uint32_t)rows, write};
}

static void look_ahead(const shape *s, const operands *x, const program *p, const unit *u, const unit *next, bool last,
                       ahead *a)
{
    size_t size = s->dtype == ATTN_F32 ? sizeof(float) : sizeof(uint16_t), granules = 0, rows = 0;
    *a = (ahead){0};
    const tile *t = &p->tiles[u->classes[0].group.first_tile];
    for (uint32_t i = 0; i < u->count; i++) {
        const group *g = &u->classes[i].group;
        for (uint32_t j = 0; j < g->tiles; j++)
            granules += p->tiles[g->first_tile + j].granules;
    }
    size_t bytes = s->dim * (last ? size : sizeof(float));
    touch_rows(a, last ? x->o : (void *)x->partial, t->row0, bytes, t->row_step, u->rows, true);
    a->of[0].bytes *= u->count; /* those of neighbouring classes lie side by side */
    if (next->count) {
        const class *c = &next->classes[0];
        t = &p->tiles[c->group.first_tile];
        touch_rows(a, x->q, t->row0, s->dim * size, t->row_step, next->rows, false);
        for (uint32_t r = 0; next->count > 1 && r < c->longest->runs; r++) {
            const run *of = &p->runs[c->longest->first_run + r];
            if (of->list == RUN_COMB && of->width == 1) {
                touch_rows(a, x->k, of->first, s->dim * size, of->step, of->keys, false);
                touch_rows(a, x->v, of->first, s->dim * size, of->step, of->keys, false);
            }
        }
        for (uint32_t i = 1; i < a->count; i++)
            a->of[i].bytes *= next->count;
    }
    for (uint32_t i = 0; i < a->count; i++)
        rows += a->of[i].rows;
    a->rows = granules ? (uint32_t)(rows / granules + 1) : 0;
}

static void run_bundle(const shape *s, const operands *x, const program *p, const unit *of, bool last, scratch *w,
                       tally *count)
{
    const class *c = of->classes;
    uint32_t n = of->count, slots = of->slots, rows = of->rows;
    size_t dim = s->dim, step = p->tiles[c[0].group.first_tile].row_step, row0 = p->tiles[c[0].group.first_tile].row0;
    struct { uint32_t run, granule; } at[MAX_BUNDLE];
    for (uint32_t i = 0; i < n; i++) {
        at[i].run = c[i].longest->first_run;
        at[i].granule = 0;
    }
    for (uint32_t slot = 0; slot < slots; slot++)
        for (uint32_t i = 0; i < n; i++)
            if (slot < c[i].longest->granules) {
                const run *u = &p->runs[at[i].run];
                gather(s, x, p, u, at[i].granule, w, i * slots + slot);
                if (++at[i].granule == u->granules) {
                    at[i].granule = 0;
                    at[i].run++;
                }
            }
    for (size_t r = 0; r < rows; r++)
        for (uint32_t i = 0; i < n; i++)
            if (r < c[i].rows)
                widen_row(w->rows + (i * rows + r) * dim, x->q, row0 + i + r * step, dim, s->dtype);
    for (uint32_t i = 0; i < n; i++)
        run_group(s, x, p, c[i].group, w->rows + (size_t)i * rows * dim, i * slots, last, w, count);
    for (size_t r = 0; r < rows; r++)
        for (uint32_t i = 0; i < n; i++)
            if (r < c[i].rows) {
                size_t row = row0 + i + r * step;
                if (last)
                    narrow_row(x->o, row, w->rows + (i * rows + r) * dim, dim, s->dtype);
                else
                    memcpy(x->partial + row * dim, w->rows + (i * rows + r) * dim, dim * sizeof *x->partial);
            }
}

/* ---- the kernel ---- */

static void compute(const shape *s, const operands *x, const program *p, const group *groups, uint32_t count, bool last,
                    void *memory, tally *done)
{
    scratch *w = memory;
    unit units[2], *now = &units[0], *next = &units[1];
    unsigned flushing = flush_begin();
    forget_panels(w); /* they hold nothing of this head */
    facts f = facts_sampled(s, x);
    find_unit(p, groups, count, w, now);
    for (uint32_t g = 0; g < count; f = facts_known(x)) {
        set_care(w, (care){f.v.special, f.k_shift, f.v_shift});
        g += now->count;
        find_unit(p, groups + g, count - g, w, next);
        look_ahead(s, x, p, now, next, last, &w->ahead);
        if (now->count > 1)
            run_bundle(s, x, p, now, last, w, done);
        else
            run_group(s, x, p, now->classes[0].group, NULL, 0, last, w, done);
        unit *free = now;
        now = next;
        next = free;
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
