/* Counting work. See work.h. */
#include "kernels/work.h"

const char *const work_names[WORK_KINDS] = {
    [WORK_FMA_1] = "fma_1",   [WORK_FMA_2] = "fma_2",   [WORK_FMA_MORE] = "fma_more", [WORK_WEIGHT] = "weight",
    [WORK_MASK] = "mask",     [WORK_GRANULE] = "granule", [WORK_GATHER] = "gather",   [WORK_STREAM] = "stream",
    [WORK_ROW] = "row",       [WORK_FAR] = "far",       [WORK_CARRY] = "carry",       [WORK_TILE] = "tile",
};

bool tiles_share_keys(const program *p, const tile *a, const tile *b)
{
    if (!a->runs || !b->runs || a->row_step != b->row_step)
        return false;
    const run *x = &p->runs[a->first_run], *y = &p->runs[b->first_run];
    bool x_whole = x->width >= x->keys, y_whole = y->width >= y->keys;
    return x->first == y->first && x->list == RUN_COMB && y->list == RUN_COMB &&
           (x_whole || y_whole ? x_whole == y_whole || x->keys == 1 || y->keys == 1
                               : x->width == y->width && x->step == y->step);
}

enum { FOUND_AGAIN = 512 }; /* keys that a tile may have for the next one to find them again */

static uint64_t keys_of_tile(const program *p, const tile *t)
{
    uint64_t keys = 0;
    for (const run *u = p->runs + t->first_run, *end = u + t->runs; u < end; u++)
        keys += u->keys;
    return keys;
}

/* Keys of run u that the tile before t has, if they lie in one contiguous stretch or the same comb. */
static uint64_t keys_known(const program *p, const tile *t, const run *u)
{
    const tile *before = t - 1;
    if (t == p->tiles || before->row0 >= t->row0 || before->row_step != 1 || t->row_step != 1 ||
        keys_of_tile(p, before) > FOUND_AGAIN)
        return 0;
    uint64_t known = 0;
    for (const run *b = p->runs + before->first_run, *end = b + before->runs; b < end; b++)
        if (run_is_contiguous(u) && run_is_contiguous(b)) {
            const uint64_t from = b->first > u->first ? b->first : u->first;
            const uint64_t u_end = (uint64_t)u->first + u->keys, b_end = (uint64_t)b->first + b->keys;
            const uint64_t to = b_end < u_end ? b_end : u_end;
            known += to > from ? to - from : 0;
        } else if (b->first == u->first && b->step == u->step && b->width == u->width) {
            known += b->keys < u->keys ? b->keys : u->keys;
        }
    return known < u->keys ? known : u->keys;
}

static uint64_t keys_gathered(const program *p, const tile *t, const run *u, gathering how)
{
    return how == GATHERS_APART ? (run_is_contiguous(u) ? 0 : u->keys)
           : how == GATHERS_ALL ? u->keys
                                : u->keys - keys_known(p, t, u);
}

/* `granules` granules that touch `vectors` vectors. */
static void add_granules(work *w, geometry g, double granules, uint32_t vectors, bool masked, size_t dim)
{
    double weights = granules * g.keys * vectors;
    w->count[vectors == 1 ? WORK_FMA_1 : vectors == 2 ? WORK_FMA_2 : WORK_FMA_MORE] += 2 * (double)dim * weights;
    w->count[WORK_WEIGHT] += weights;
    w->count[WORK_MASK] += masked ? weights : 0;
    w->count[WORK_GRANULE] += granules;
}

void work_add_group(work *w, const program *p, const tile *first, uint32_t tiles, size_t dim, gathering how)
{
    geometry g = p->geometry;
    uint64_t most_keys = 0, most_gathered = 0;
    for (const tile *t = first; t < first + tiles; t++) {
        uint32_t vectors = (t->count + g.lanes - 1) / g.lanes;
        uint64_t keys = 0, gathered = 0;
        for (const run *u = p->runs + t->first_run, *end = u + t->runs; u < end; u++) {
            keys += u->keys;
            gathered += keys_gathered(p, t, u, how);
            if (u->mask == RUN_ALL) {
                add_granules(w, g, u->granules, vectors, false, dim);
                continue;
            }
            uint32_t different = u->mask_step ? u->granules : 1;
            for (uint32_t i = 0; i < different; i++) {
                mask_range r = p->ranges[u->mask + i];
                add_granules(w, g, u->mask_step ? 1 : u->granules, (uint32_t)(r.hi - r.lo), r.partial, dim);
            }
        }
        most_keys = keys > most_keys ? keys : most_keys;
        most_gathered = gathered > most_gathered ? gathered : most_gathered;
        w->count[WORK_ROW] += 2.0 * (double)dim * vectors * g.lanes;
        w->count[WORK_FAR] += t->row_step > 1 ? 2.0 * t->count : 0;
        w->count[WORK_CARRY] += (double)dim * __builtin_popcountll(t->merge);
        w->count[WORK_TILE]++;
    }
    w->count[WORK_STREAM] += 2.0 * (double)dim * (double)most_keys;
    w->count[WORK_GATHER] += 2.0 * (double)dim * (double)most_gathered;
}

void work_add_part(work *w, const program *p, uint32_t part, uint32_t group, size_t dim, gathering how)
{
    const tile *t = p->tiles + p->parts[part].first_tile, *end = t + p->parts[part].tiles;
    for (const tile *next; t < end; t = next) {
        for (next = t + 1; next < end && next - t < group && tiles_share_keys(p, t, next);)
            next++;
        work_add_group(w, p, t, (uint32_t)(next - t), dim, how);
    }
}

void work_add(work *w, const work *more, double times)
{
    for (size_t k = 0; k < WORK_KINDS; k++)
        w->count[k] += times * more->count[k];
}

/* Two vector multiply-adds in a cycle where they do not wait for each other, a store a cycle, and so on. */
const rates work_average = {{
    [WORK_FMA_1] = 0.8f, [WORK_FMA_2] = 0.65f, [WORK_FMA_MORE] = 0.55f, [WORK_WEIGHT] = 8, [WORK_MASK] = 2,
    [WORK_GRANULE] = 20, [WORK_GATHER] = 0.5f, [WORK_STREAM] = 0.3f, [WORK_ROW] = 0.5f, [WORK_FAR] = 20,
    [WORK_CARRY] = 0.5f, [WORK_TILE] = 300,
}};

static const rates *known(const rates *r)
{
    return r->cycles[WORK_FMA_MORE] > 0 ? r : &work_average;
}

double work_cycles(const work *w, const rates *r)
{
    double cycles = 0;
    for (size_t k = 0; k < WORK_KINDS; k++)
        cycles += w->count[k] * (double)known(r)->cycles[k];
    return cycles;
}

double work_least_cycles(geometry g, const rates *r, size_t dim)
{
    const float *each = known(r)->cycles;
    return (2 * (double)dim * (double)each[WORK_FMA_MORE] + (double)each[WORK_WEIGHT]) / g.lanes;
}
