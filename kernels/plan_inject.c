/* Slowing a plan down by a known share. See plan_inject.h.
 *
 * Work is repeated by tiles, the least that can be run alone: each item adds `share` of its predicted cycles to what its
 * thread owes, and tiles of first parts that cost no more than what is owed (rounded: half of a tile will do) are computed again. Later parts
 * continue from sums that they change, so they cannot be repeated; what they owe falls to the first parts, on the scale of
 * the cost model. A repeated tile writes what it has written before. */
#include "kernels/plan_inject.h"

#include <math.h>
#include <stdlib.h>

#include "kernels/plan_parts.h"

struct injection {
    double share;
    struct { double owed, repeated; } threads[]; /* cycles, predicted */
};

attn_status plan_inject(attn_plan *plan, double share, attn_error *err)
{
    if (!(share > 0 && share <= 1))
        return attn_fail(err, ATTN_EINVAL, "inject=%g is outside its range, above 0 to 1", share);
    injection *new = calloc(1, sizeof *new + (size_t)plan->threads * sizeof new->threads[0]);
    if (!new)
        return attn_fail(err, ATTN_ENOMEM, "out of memory for repeating work");
    new->share = share;
    free(plan->injection);
    plan->injection = new;
    plan->runs_before_injection = plan->runs;
    return ATTN_OK;
}

/* What tile or row `at` of a group costs, relative to others. */
static double weight(const lowered *l, uint32_t at)
{
    return l->program.tiles ? l->program.tiles[at].granules : 1;
}

void plan_repeat_some(attn_plan *plan, size_t thread, const item *it, size_t part, const lowered *l, const operands *of)
{
    injection *in = plan->injection;
    const group *first = &plan->groups[it->first_group], *end = first + it->groups;
    double owed = in->threads[thread].owed + in->share * it->cycles, all = 0;
    tally apart = {0}; /* what was planned is counted without it */
    for (const group *g = first; part == 0 && g < end; g++)
        for (uint32_t t = 0; t < g->tiles; t++)
            all += weight(l, g->first_tile + t);
    for (const group *g = first; part == 0 && g < end; g++)
        for (uint32_t t = 0; t < g->tiles; t++) {
            const group alone = {g->first_tile + t, 1};
            const double cost = it->cycles * weight(l, alone.first_tile) / all;
            if (!(cost > 0 && owed >= cost / 2))
                continue;
            plan_run_groups(plan, l, 0, of, &alone, 1, thread, &apart);
            owed -= cost;
            in->threads[thread].repeated += cost;
        }
    in->threads[thread].owed = owed;
}

double plan_injected(const attn_plan *plan)
{
    double repeated = 0;
    if (!plan->injection)
        return 0;
    for (int t = 0; t < plan->threads; t++)
        repeated += plan->injection->threads[t].repeated;
    const double runs = (double)(plan->runs - plan->runs_before_injection);
    return runs > 0 && plan->cycles > 0 ? repeated / (plan->cycles * runs) : 0;
}
