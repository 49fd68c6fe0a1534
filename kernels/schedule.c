/* Cutting a plan's work into items, and laying out its memory. */
#include "kernels/plan_parts.h"

#include <stdlib.h>
#include <string.h>

/* An item is worth handing out from this much work on: about 50 microseconds of one core. Larger ones keep
 * neighbouring tiles, which share keys, in one cache; ITEMS_PER_THREAD bounds what the last item can cost. */
static const double item_cycles = 1.5e5;
enum { ITEMS_PER_THREAD = 32, GROUPS_PER_THREAD = 4 };

static size_t heads_total(const attn_plan *plan)
{
    return plan->batch * plan->heads;
}

/* ---- groups and items ---- */

/* Growing lists, copied into the arena once their sizes are known. */
typedef struct cut {
    group *groups;
    item *items;
    size_t group_count, item_count;
} cut;

static int by_cost(const void *a, const void *b)
{
    const item *x = a, *y = b;
    if (x->cycles < y->cycles || x->cycles > y->cycles)
        return x->cycles < y->cycles ? 1 : -1;
    return (x->first_group > y->first_group) - (x->first_group < y->first_group);
}

static void close_item(cut *c, size_t first_group, double cycles)
{
    if (c->group_count > first_group)
        c->items[c->item_count++] = (item){cycles, (uint32_t)first_group, (uint32_t)(c->group_count - first_group)};
}

/* Of a row of a kernel that works on rows: a few operations of an element of k and v. */
static double row_cycles(const shape *s)
{
    return 4 * (double)s->nk * (double)s->dim;
}

double plan_group_cycles(const attn_plan *plan, const program *p, size_t first, uint32_t tiles)
{
    const shape *s = &plan->shape;
    work w = {{0}};
    if (plan->kernel->geometry.lanes == 0)
        return tiles * row_cycles(s);
    work_add_group(&w, p, &p->tiles[first], tiles, s->dim, kernel_gathers(plan->kernel, s->dtype));
    return work_cycles(&w, &plan->kernel->rates);
}

/* Groups and items of tiles [begin, end) of a program, or of rows. */
static void cut_tiles(cut *c, const attn_plan *plan, const program *p, size_t begin, size_t end, double target)
{
    const shape *s = &plan->shape;
    size_t first_group = c->group_count;
    double cycles = 0;
    for (size_t t = begin, next; t < end; t = next) {
        for (next = t + 1; next < end && next - t < s->group; next++)
            if (p->tiles && !tiles_share_keys(p, &p->tiles[t], &p->tiles[next]))
                break;
        c->groups[c->group_count++] = (group){(uint32_t)t, (uint32_t)(next - t)};
        cycles += plan_group_cycles(plan, p, t, (uint32_t)(next - t));
        if (cycles >= target) {
            close_item(c, first_group, cycles);
            first_group = c->group_count;
            cycles = 0;
        }
    }
    close_item(c, first_group, cycles);
}

/* Items of one part, each of one share of the keys. */
static item_range cut_part(cut *c, const attn_plan *plan, const program *p, size_t begin, size_t end, double target)
{
    const size_t first_item = c->item_count, each = (end - begin) / plan->shares;
    for (uint32_t share = 0; share < plan->shares; share++)
        cut_tiles(c, plan, p, begin + share * each, begin + (share + 1) * each, target);
    qsort(c->items + first_item, c->item_count - first_item, sizeof *c->items, by_cost);
    return (item_range){(uint32_t)first_item, (uint32_t)(c->item_count - first_item)};
}

static attn_status cut_work(attn_plan *plan, lowered *heads, cut *c, attn_error *err)
{
    bool rows = plan->kernel->geometry.lanes == 0;
    shape *s = &plan->shape;
    size_t units = 0;
    double tiles = 0;
    for (size_t h = 0; h < plan->distinct; h++) {
        size_t count = rows ? s->nq : heads[h].program.tile_count;
        units += count;
        tiles += (double)count * (double)plan_uses(plan, h);
    }
    double fair = tiles / (GROUPS_PER_THREAD * (double)plan->threads);
    uint32_t most = plan->kernel->max_group, asked = plan->choice.group;
    s->group = asked ? (asked < most ? asked : most) : fair >= most ? most : fair > 1 ? (uint32_t)fair : 1;

    plan->cycles = 0;
    for (size_t h = 0; h < plan->distinct; h++) {
        lowered *l = &heads[h];
        double cycles = rows ? (double)s->nq * row_cycles(s) : 0;
        l->part_count = rows ? 1 : l->program.part_count;
        for (uint32_t part = 0; part < l->part_count && !rows; part++) {
            l->work[part] = (work){{0}};
            work_add_part(&l->work[part], &l->program, part, s->group, s->dim, kernel_gathers(plan->kernel, s->dtype));
            cycles += work_cycles(&l->work[part], &plan->kernel->rates);
        }
        plan->cycles += cycles * (double)plan_uses(plan, h);
    }
    double target = plan->cycles / (ITEMS_PER_THREAD * (double)plan->threads);
    target = target > item_cycles ? target : item_cycles;

    c->groups = calloc(units ? units : 1, sizeof *c->groups);
    c->items = calloc(units ? units : 1, sizeof *c->items);
    if (!c->groups || !c->items)
        return attn_fail(err, ATTN_ENOMEM, "out of memory while planning");
    for (size_t h = 0; h < plan->distinct; h++) {
        program *p = &heads[h].program;
        for (uint32_t part = 0; part < heads[h].part_count; part++) {
            size_t begin = rows ? 0 : p->parts[part].first_tile;
            size_t end = rows ? s->nq : begin + p->parts[part].tiles;
            heads[h].parts[part] = cut_part(c, plan, p, begin, end, target);
        }
        plan->parts = heads[h].part_count > plan->parts ? heads[h].part_count : plan->parts;
    }
    return ATTN_OK;
}

/* ---- memory ---- */

static void *copy(arena *a, const void *from, size_t count, size_t size)
{
    void *to = arena_take(a, count, size);
    if (to && count)
        memcpy(to, from, count * size);
    return to;
}

/* Bytes taken since the mark, which moves on. */
static size_t since(const arena *a, size_t *mark)
{
    size_t bytes = a->used - *mark;
    *mark = a->used;
    return bytes;
}

/* Both passes over the arena; see arena.h. */
static void take_all(attn_plan *plan, const lowered *heads, const cut *c)
{
    arena *a = &plan->memory;
    size_t mark = a->used, nq = plan->shape.nq, threads = (size_t)plan->threads;
    plan->lowered = copy(a, heads, plan->distinct, sizeof *heads);
    for (size_t h = 0; h < plan->distinct; h++) {
        const program *p = &heads[h].program;
        const tile *tiles = copy(a, p->tiles, p->tile_count, sizeof *tiles);
        const run *runs = copy(a, p->runs, p->run_count, sizeof *runs);
        const uint64_t *masks = copy(a, p->masks, p->mask_count * p->geometry.keys, sizeof *masks);
        const mask_range *ranges = copy(a, p->ranges, p->mask_count, sizeof *ranges);
        const uint32_t *offsets = copy(a, p->offsets, p->offset_count, sizeof *offsets);
        if (plan->lowered) {
            program *mine = &plan->lowered[h].program;
            mine->tiles = tiles;
            mine->runs = runs;
            mine->masks = masks;
            mine->ranges = ranges;
            mine->offsets = offsets;
        }
    }
    plan->bytes.program = since(a, &mark);
    plan->groups = copy(a, c->groups, c->group_count, sizeof *c->groups);
    plan->items = copy(a, c->items, c->item_count, sizeof *c->items);
    plan->first_item = arena_take(a, plan->stages + 1, sizeof *plan->first_item);
    plan->done = arena_take(a, plan->stages, sizeof *plan->done);
    plan->facts = arena_take(a, plan->batch * plan->kv_heads, sizeof *plan->facts);
    plan->tallies = arena_take(a, threads, ARENA_ALIGN); /* one line each */
    plan->bytes.schedule = since(a, &mark);
    if (plan->parts > 1 || plan->shares > 1) {
        const size_t rows = plan->slots * plan->shares * nq;
        plan->reference = arena_take(a, rows, sizeof *plan->reference);
        plan->sum = arena_take(a, rows, sizeof *plan->sum);
        if (plan->shape.dtype != ATTN_F32 || plan->shares > 1)
            plan->partial = arena_take(a, rows * plan->shape.dim, sizeof *plan->partial);
    }
    if (plan->shares > 1)
        plan->joiners = arena_take(a, threads, sizeof *plan->joiners);
    for (size_t t = 0; t < threads && plan->shares > 1; t++) {
        const joiner with = {arena_take(a, plan->shape.dim, sizeof(float)), arena_take(a, plan->shape.max_combs, sizeof(attn_comb))};
        if (plan->joiners)
            plan->joiners[t] = with;
    }
    plan->bytes.carried = since(a, &mark);
    plan->scratch = arena_take(a, threads, sizeof *plan->scratch);
    for (size_t t = 0; t < threads; t++) {
        void *scratch = plan->kernel->scratch(a, &plan->shape);
        if (plan->scratch)
            plan->scratch[t] = scratch;
    }
    plan->bytes.scratch = since(a, &mark);
}

/* Items of every stage, in the order they are handed out. Stage (step, part) belongs to head step - part. */
static void number_items(attn_plan *plan)
{
    uint64_t items = 0;
    for (size_t stage = 0; stage < plan->stages; stage++) {
        size_t step = stage / plan->parts, part = stage % plan->parts, head = step - part;
        plan->first_item[stage] = items;
        if (step >= part && head < heads_total(plan)) {
            const lowered *l = &plan->lowered[head % plan->heads % plan->distinct];
            items += part < l->part_count ? l->parts[part].count : 0;
        }
    }
    plan->first_item[plan->stages] = items;
}

attn_status plan_lay_out(attn_plan *plan, const lowered *ready, attn_error *err)
{
    cut c = {0};
    lowered *heads = malloc(plan->distinct * sizeof *heads);
    attn_status status = attn_fail(err, ATTN_ENOMEM, "out of memory while planning");
    if (!heads)
        goto cleanup;
    memcpy(heads, ready, plan->distinct * sizeof *heads);
    status = cut_work(plan, heads, &c, err);
    if (status != ATTN_OK)
        goto cleanup;

    size_t total = heads_total(plan);
    plan->stages = (total + plan->parts - 1) * plan->parts;
    plan->slots = total < plan->parts + 1 || plan->shares > 1 ? total : plan->parts + 1;
    take_all(plan, heads, &c);
    size_t counted = plan->memory.used;
    if (!arena_open(&plan->memory)) {
        status = attn_fail(err, ATTN_ENOMEM, "cannot allocate %zu bytes of workspace", counted);
        goto cleanup;
    }
    take_all(plan, heads, &c);
    number_items(plan);
    plan->cost.workspace_bytes = plan->memory.used;

cleanup:
    free(heads);
    free(c.groups);
    free(c.items);
    return status;
}
