/* Slowing a plan down by a known share. See plan_inject.h.
 *
 * Work is repeated by tiles, the least that can be run alone. Which ones is settled beforehand, the same in each run: tiles
 * of first parts in an order that scatters them, each that fits into what is still missing of the share, so that in the end
 * less is missing than the cheapest tile. A choice made while running, from what is owed, would put all of a small
 * problem's share on some of its runs, and a statistic of the fastest runs would never see it. Later parts continue from
 * sums that they change, so they cannot be repeated; their share falls to the first parts, on the scale of the cost model,
 * more than once each if need be. A repeated tile writes what it has written before. */
#include "kernels/plan_inject.h"

#include <math.h>
#include <stdlib.h>

#include "kernels/plan_parts.h"

/* A tile of a first part, for one query head. */
typedef struct pick {
    size_t head;
    const item *item;
    uint32_t tile, times;
    double cycles; /* predicted, of doing it once */
} pick;

struct injection {
    pick *picks; /* [count], by head, then by place of the item */
    size_t count;
    double *repeated; /* [threads], cycles */
};

void plan_end_injection(attn_plan *plan)
{
    if (plan->injection) {
        free(plan->injection->picks);
        free(plan->injection->repeated);
        free(plan->injection);
    }
    plan->injection = NULL;
}

static const lowered *lowered_of(const attn_plan *plan, size_t head)
{
    return &plan->lowered[head % plan->heads % plan->distinct];
}

/* Tiles (rows) of first parts over all query heads: only counts them where `out` is NULL. */
static size_t list_tiles(pick *out, const attn_plan *plan)
{
    size_t count = 0;
    for (size_t head = 0; head < plan->batch * plan->heads; head++) {
        const lowered *l = lowered_of(plan, head);
        const item *items = &plan->items[l->parts[0].first];
        for (const item *it = items; it < items + l->parts[0].count; it++)
            for (const group *g = &plan->groups[it->first_group]; g < &plan->groups[it->first_group + it->groups]; g++)
                for (uint32_t t = 0; t < g->tiles; t++, count++)
                    if (out)
                        out[count] = (pick){head, it, g->first_tile + t, 0, plan_group_cycles(plan, &l->program, g->first_tile + t, 1)};
    }
    return count;
}

/* Coprime to `count`, and about the golden section of it, so that any number of steps visits places far apart. */
static size_t scattering_step(size_t count)
{
    size_t step = (size_t)(0.6180339887 * (double)count) | 1;
    for (;; step += 2) {
        size_t a = count, b = step;
        while (b) {
            const size_t rest = a % b;
            a = b;
            b = rest;
        }
        if (a == 1)
            return step;
    }
}

/* How often each tile is repeated, for `cycles` in all. */
static void settle(pick *tiles, size_t count, double cycles)
{
    const size_t step = scattering_step(count);
    size_t nearest = 0;
    double missing = cycles;
    for (bool took = true; took;) {
        took = false;
        for (size_t i = 0, at = 0; i < count; i++, at = (at + step) % count)
            if (tiles[at].cycles <= missing && tiles[at].cycles > 0) {
                tiles[at].times++;
                missing -= tiles[at].cycles;
                took = true;
            }
    }
    for (size_t i = 0; i < count; i++)
        if (fabs(tiles[i].cycles - missing) < fabs(tiles[nearest].cycles - missing))
            nearest = i;
    if (count && fabs(tiles[nearest].cycles - missing) < missing)
        tiles[nearest].times++;
}

attn_status plan_inject(attn_plan *plan, double share, attn_error *err)
{
    if (!(share > 0 && share <= 1))
        return attn_fail(err, ATTN_EINVAL, "inject=%g is outside its range, above 0 to 1", share);
    plan_end_injection(plan);
    injection *new = plan->injection = calloc(1, sizeof *new);
    const size_t tiles = list_tiles(NULL, plan);
    if (new) {
        new->picks = calloc(tiles + 1, sizeof *new->picks);
        new->repeated = calloc((size_t)plan->threads, sizeof *new->repeated);
    }
    if (!new || !new->picks || !new->repeated) {
        plan_end_injection(plan);
        return attn_fail(err, ATTN_ENOMEM, "out of memory for repeating work");
    }
    list_tiles(new->picks, plan);
    settle(new->picks, tiles, share * plan->cycles);
    for (size_t i = 0; i < tiles; i++)
        if (new->picks[i].times)
            new->picks[new->count++] = new->picks[i];
    plan->runs_before_injection = plan->runs;
    return ATTN_OK;
}

/* The first of the picks that is not before an item of a head. */
static size_t first_pick(const injection *in, size_t head, const item *it)
{
    size_t low = 0, high = in->count;
    while (low < high) {
        const size_t middle = (low + high) / 2;
        const pick *p = &in->picks[middle];
        if (p->head < head || (p->head == head && p->item < it))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void plan_repeat_some(attn_plan *plan, size_t thread, size_t head, const item *it, size_t part, const operands *of)
{
    injection *in = plan->injection;
    tally apart = {0}; /* what was planned is counted without it */
    for (size_t i = part == 0 ? first_pick(in, head, it) : in->count;
         i < in->count && in->picks[i].head == head && in->picks[i].item == it; i++)
        for (uint32_t times = 0; times < in->picks[i].times; times++) {
            plan_run_groups(plan, lowered_of(plan, head), 0, of, &(group){in->picks[i].tile, 1}, 1, thread, &apart);
            in->repeated[thread] += in->picks[i].cycles;
        }
}

double plan_injected(const attn_plan *plan)
{
    double repeated = 0;
    if (!plan->injection)
        return 0;
    for (int t = 0; t < plan->threads; t++)
        repeated += plan->injection->repeated[t];
    const double runs = (double)(plan->runs - plan->runs_before_injection);
    return runs > 0 && plan->cycles > 0 ? repeated / (plan->cycles * runs) : 0;
}
