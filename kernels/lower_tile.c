/* Lowering one tile.
 *
 * 1. A comb is an interval of *teeth* of a family (step, width, phase); a plain interval is the same over
 *    keys. Either way a row's visibility changes at the interval's two ends, so a tile is a set of ends
 *    (where, which rows). Sorted and swept, they give *segments*: stretches that the same rows see.
 * 2. Long segments of teeth become runs; short ones, and the last few keys that do not fill a granule,
 *    join the intervals of keys.
 * 3. The segments of keys are cut into granules. Whole granules of one mask become runs at once (a causal
 *    row of 10^6 keys costs nothing here); the others collect single keys, each with its own mask, and
 *    join what follows, also across a gap: then the granule is gathered.
 *
 * Since the combs of a row are disjoint, an end toggles its rows, and every pair comes out exactly once. */
#include "kernels/lower_tile.h"

#include <stdlib.h>

/* Rows `rows` begin or cease to see what comes at `at`. */
typedef struct end {
    uint64_t rows;
    uint32_t at;
} end;

typedef struct tooth {
    uint32_t step, width, phase;
    uint32_t begin, end; /* teeth phase + s*step for s in [begin, end) */
    uint32_t row;
} tooth;

typedef struct segment {
    uint64_t rows;
    uint32_t begin, end;
} segment;

typedef struct key {
    uint64_t rows; /* 0: padding */
    uint32_t at;
} key;

void tile_maker_init(tile_maker *m, builder *b)
{
    *m = (tile_maker){.b = b};
}

void tile_maker_free(tile_maker *m)
{
    free(m->intervals.at);
    free(m->teeth.at);
    free(m->ends.at);
    free(m->sorted.at);
    free(m->segments.at);
    free(m->pending.at);
}

/* A new element at the end of the array, or NULL after a failure. */
static void *push(tile_maker *m, array *a, size_t size)
{
    if (m->b->failed || !array_reserve(a, 1, size)) {
        m->b->failed = true;
        return NULL;
    }
    return (char *)a->at + a->count++ * size;
}

static void push_end(tile_maker *m, array *ends, size_t at, uint64_t rows)
{
    end *e = push(m, ends, sizeof *e);
    if (e)
        *e = (end){rows, (uint32_t)at};
}

static void add_keys(tile_maker *m, size_t begin, size_t count, uint64_t rows)
{
    push_end(m, &m->intervals, begin, rows);
    push_end(m, &m->intervals, begin + count, rows);
}

void tile_begin(tile_maker *m)
{
    m->intervals.count = m->teeth.count = m->pending.count = 0;
    m->lanes = 0;
    m->granules = 0;
}

void tile_add(tile_maker *m, uint32_t row, const attn_comb *c)
{
    if (c->step <= c->width) { /* one tooth, or teeth that touch */
        add_keys(m, c->begin, c->width * c->count, 1ull << row);
        return;
    }
    tooth *t = push(m, &m->teeth, sizeof *t);
    size_t step = c->step < ATTN_MAX_N ? c->step : ATTN_MAX_N; /* beyond that it has one tooth */
    if (t)
        *t = (tooth){(uint32_t)step, (uint32_t)c->width, (uint32_t)(c->begin % step), (uint32_t)(c->begin / step),
                     (uint32_t)(c->begin / step + c->count), row};
}

enum { DIGIT = 11, DIGITS = 1 << DIGIT, SHORT = 48 };

static void sort_short(end *e, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        const end of = e[i];
        size_t to = i;
        for (; to > 0 && e[to - 1].at > of.at; to--)
            e[to] = e[to - 1];
        e[to] = of;
    }
}

/* Puts the ends in order of the digit at `shift` of their distance from `least`; equal ones stay in order. */
static void sort_digit(end *to, const end *from, size_t count, uint32_t least, uint32_t shift)
{
    uint32_t place[DIGITS + 1] = {0};
    for (size_t i = 0; i < count; i++)
        place[((from[i].at - least) >> shift & (DIGITS - 1)) + 1]++;
    for (size_t d = 1; d < DIGITS; d++)
        place[d] += place[d - 1];
    for (size_t i = 0; i < count; i++)
        to[place[(from[i].at - least) >> shift & (DIGITS - 1)]++] = from[i];
}

/* By place. A tile of rows with many combs has tens of thousands, over a range of few digits. */
static void sort_ends(tile_maker *m, array *ends)
{
    end *e = ends->at;
    bool sorted = true;
    uint32_t least = UINT32_MAX, most = 0;
    for (size_t i = 0; i < ends->count; i++) {
        sorted = sorted && (i == 0 || e[i - 1].at <= e[i].at);
        least = e[i].at < least ? e[i].at : least;
        most = e[i].at > most ? e[i].at : most;
    }
    if (sorted)
        return;
    if (ends->count <= SHORT) {
        sort_short(e, ends->count);
        return;
    }
    m->sorted.count = 0;
    if (m->b->failed || !array_reserve(&m->sorted, ends->count, sizeof *e)) {
        m->b->failed = true;
        return;
    }
    for (uint32_t shift = 0; shift < 32 && (most - least) >> shift; shift += DIGIT) {
        sort_digit(m->sorted.at, ends->at, ends->count, least, shift);
        const array now = {m->sorted.at, ends->count, m->sorted.capacity};
        m->sorted = (array){ends->at, 0, ends->capacity};
        *ends = now;
    }
}

/* Sorts the ends and sweeps them into m->segments. */
static void sweep(tile_maker *m, array *ends)
{
    m->segments.count = 0;
    sort_ends(m, ends);
    const end *e = ends->at;
    uint64_t rows = 0;
    for (size_t i = 0; i < ends->count;) {
        uint32_t at = e[i].at;
        if (rows) { /* what began at the previous end */
            segment *last = m->segments.count ? (segment *)m->segments.at + m->segments.count - 1 : NULL;
            if (last && last->rows == rows && last->end == e[i - 1].at) {
                last->end = at;
            } else {
                segment *s = push(m, &m->segments, sizeof *s);
                if (s)
                    *s = (segment){rows, e[i - 1].at, at};
            }
        }
        for (; i < ends->count && e[i].at == at; i++)
            rows ^= e[i].rows;
    }
}

static int by_family(const void *a, const void *b)
{
    const tooth *x = a, *y = b;
    if (x->step != y->step)
        return x->step < y->step ? -1 : 1;
    if (x->width != y->width)
        return x->width < y->width ? -1 : 1;
    if (x->phase != y->phase)
        return x->phase < y->phase ? -1 : 1;
    return (x->begin > y->begin) - (x->begin < y->begin);
}

/* ---- runs ---- */

static uint32_t vectors_of(const tile_maker *m, uint64_t rows)
{
    geometry g = m->b->geometry;
    uint32_t lo = (uint32_t)__builtin_ctzll(rows) / g.lanes, hi = (63u - (uint32_t)__builtin_clzll(rows)) / g.lanes;
    return hi - lo + 1;
}

static void push_run(tile_maker *m, run u, uint64_t lanes)
{
    m->lanes += lanes;
    m->granules += u.granules;
    builder_push_run(m->b, u);
}

/* Whole granules that all have the mask `rows`. */
static void push_uniform(tile_maker *m, size_t first, size_t width, size_t step, size_t granules, uint64_t rows)
{
    geometry g = m->b->geometry;
    run u = {.first = (uint32_t)first, .width = (uint32_t)width, .step = (uint32_t)step,
             .granules = (uint32_t)granules, .keys = (uint32_t)(granules * g.keys),
             .mask = RUN_ALL, .mask_step = 0, .list = RUN_COMB};
    if (rows != m->rows) {
        uint64_t masks[MAX_GRANULE_KEYS];
        for (uint32_t t = 0; t < g.keys; t++)
            masks[t] = rows;
        u.mask = builder_masks(m->b, masks, 1);
    }
    push_run(m, u, (uint64_t)granules * g.keys * g.lanes * vectors_of(m, rows));
}

/* The distance between neighbouring keys, if it is the same for all; else 0. */
static uint32_t common_step(const key *k, size_t count)
{
    if (count < 2)
        return 1;
    uint32_t step = k[1].at - k[0].at;
    for (size_t t = 2; t < count; t++)
        if (k[t].at - k[t - 1].at != step)
            return 0;
    return step;
}

/* Makes a run of the pending granules (all filled, but perhaps the last). */
static void flush_pending(tile_maker *m)
{
    geometry g = m->b->geometry;
    key *k = m->pending.at;
    size_t slots = m->pending.count, granules = slots / g.keys, keys = slots;
    if (slots == 0 || m->b->failed)
        return;
    while (!k[keys - 1].rows)
        keys--;
    run u = {.first = k[0].at, .granules = (uint32_t)granules, .keys = (uint32_t)keys, .mask_step = 1, .list = RUN_COMB};

    uint64_t lanes = 0;
    uint64_t *words = malloc(slots * sizeof *words);
    if (!words) {
        m->b->failed = true;
        return;
    }
    for (size_t t = 0; t < slots; t++)
        words[t] = k[t].rows;
    for (size_t i = 0; i < granules; i++) {
        mask_range r = mask_range_of(g, words + i * g.keys);
        lanes += (uint64_t)g.keys * g.lanes * (uint32_t)(r.hi - r.lo);
    }
    u.mask = builder_masks(m->b, words, granules);
    uint32_t step = common_step(k, keys);
    if (step == 1) {
        u.width = u.step = u.keys;
    } else if (step > 1) {
        u.width = 1;
        u.step = step;
    } else {
        u.width = u.step = 1;
        for (size_t t = 0; t < keys; t++)
            words[t] = k[t].at - k[0].at;
        u.list = builder_offsets(m->b, words, keys);
    }
    free(words);
    push_run(m, u, lanes);
    m->pending.count = 0;
}

/* Appends one granule of `fill` keys to the pending run, which it continues or ends: runs keep one kind of
 * distance between keys, so that they are read in place or gathered as a whole. */
static void push_granule(tile_maker *m, const key *granule, uint32_t fill)
{
    uint32_t keys = m->b->geometry.keys;
    if (m->pending.count) {
        const key *k = m->pending.at;
        uint32_t before = common_step(k, m->pending.count), after = common_step(granule, fill);
        bool follows = granule[0].at - k[m->pending.count - 1].at == before && (fill < 2 || after == before);
        if (!(before == 0 ? after == 0 : follows))
            flush_pending(m);
    }
    for (uint32_t t = 0; t < keys; t++) {
        key *slot = push(m, &m->pending, sizeof *slot);
        if (slot)
            *slot = t < fill ? granule[t] : (key){0, 0};
    }
    if (fill < keys)
        flush_pending(m);
}

/* ---- the three steps ---- */

/* A segment of teeth longer than this many granules is a run of its own. Shorter ones are worth merging with
 * the columns of other rows; and a comb that only one row has (keys that follow the row, in too few rows to
 * be a residue class) even when longer. */
enum { LONG_GRANULES = 4, LONG_SINGLE_TEETH = 64 };

static void lower_segment_of_teeth(tile_maker *m, const tooth *family, segment s)
{
    size_t teeth = s.end - s.begin, width = family->width, keys = teeth * width;
    size_t first = family->phase + (size_t)s.begin * family->step;
    size_t granule = m->b->geometry.keys;
    bool single = (s.rows & (s.rows - 1)) == 0 && s.rows != m->rows;
    if (teeth > 1 && keys > LONG_GRANULES * granule && !(single && teeth <= LONG_SINGLE_TEETH)) {
        size_t granules = keys / granule, done = granules * granule;
        push_uniform(m, first, width, family->step, granules, s.rows);
        for (size_t t = done; t < keys; t++)
            add_keys(m, first + t / width * family->step + t % width, 1, s.rows);
    } else {
        for (size_t t = 0; t < teeth; t++)
            add_keys(m, first + t * family->step, width, s.rows);
    }
}

static void lower_teeth(tile_maker *m)
{
    tooth *t = m->teeth.at;
    size_t count = m->teeth.count;
    if (count)
        qsort(t, count, sizeof *t, by_family);
    for (size_t i = 0, next; i < count && !m->b->failed; i = next) {
        m->ends.count = 0;
        for (next = i; next < count && t[next].step == t[i].step && t[next].width == t[i].width &&
                       t[next].phase == t[i].phase;
             next++) {
            push_end(m, &m->ends, t[next].begin, 1ull << t[next].row);
            push_end(m, &m->ends, t[next].end, 1ull << t[next].row);
        }
        sweep(m, &m->ends);
        for (size_t s = 0; s < m->segments.count; s++)
            lower_segment_of_teeth(m, &t[i], ((segment *)m->segments.at)[s]);
    }
}

static void lower_keys(tile_maker *m)
{
    geometry g = m->b->geometry;
    key partial[MAX_GRANULE_KEYS];
    uint32_t fill = 0;
    uint64_t rows = 0; /* that see any key of the partial granule */
    sweep(m, &m->intervals);
    for (size_t i = 0; i < m->segments.count && !m->b->failed; i++) {
        segment s = ((segment *)m->segments.at)[i];
        while (s.begin < s.end) {
            size_t whole = (s.end - s.begin) / g.keys;
            if (fill && vectors_of(m, rows) + vectors_of(m, s.rows) <= vectors_of(m, rows | s.rows)) {
                push_granule(m, partial, fill); /* padding costs no more than touching both */
                fill = 0;
            }
            if (fill == 0 && (whole > 1 || (whole == 1 && s.rows == m->rows))) {
                flush_pending(m);
                push_uniform(m, s.begin, whole * g.keys, whole * g.keys, whole, s.rows);
                s.begin += (uint32_t)whole * g.keys;
                continue;
            }
            if (fill == 0)
                rows = 0;
            rows |= s.rows;
            partial[fill++] = (key){s.rows, s.begin++};
            if (fill == g.keys) {
                push_granule(m, partial, fill);
                fill = 0;
            }
        }
    }
    if (fill)
        push_granule(m, partial, fill);
    flush_pending(m);
}

void tile_end(tile_maker *m, tile t)
{
    t.first_run = (uint32_t)m->b->runs.count;
    m->rows = t.count == MAX_TILE_ROWS ? UINT64_MAX : (1ull << t.count) - 1; /* those without keys too */
    lower_teeth(m);
    lower_keys(m);
    t.runs = (uint32_t)(m->b->runs.count - t.first_run);
    t.lanes = m->lanes;
    t.granules = (uint32_t)m->granules;
    if (m->granules > UINT32_MAX)
        m->b->failed = true;
    builder_push_tile(m->b, t);
}
