/* Running a plan: threads take items in the order of the stages until none is left. See plan_parts.h. */
#include "kernels/plan_parts.h"

#include <assert.h>
#include <fenv.h>
#include <omp.h>
#include <sched.h>
#include <string.h>

/* Tensors of one run. */
typedef struct tensors {
    const char *q, *k, *v;
    char *o;
    float *lse;
} tensors;

static operands operands_of(const attn_plan *plan, const tensors *x, size_t head)
{
    const shape *s = &plan->shape;
    size_t g = head % plan->heads, slot = head % plan->slots;
    size_t kv = head / plan->heads * plan->kv_heads + g * plan->kv_heads / plan->heads;
    size_t row = s->dim * attn_dtype_size(s->dtype);
    operands of = {
        .q = x->q + head * s->nq * row,
        .k = x->k + kv * s->nk * row,
        .v = x->v + kv * s->nk * row,
        .o = x->o + head * s->nq * row,
        .lse = x->lse ? x->lse + head * s->nq : NULL,
        .layout_head = g % plan->distinct,
        .keys_id = plan->runs * plan->batch * plan->kv_heads + kv,
        .facts = plan->facts + kv,
    };
    if (plan->reference) {
        const size_t first = slot * plan->shares * s->nq;
        of.reference = plan->reference + first;
        of.sum = plan->sum + first;
        of.partial = plan->partial ? plan->partial + first * s->dim : of.o;
    }
    return of;
}

void plan_run_groups(const attn_plan *plan, const lowered *l, size_t part, const operands *of, const group *groups,
                     uint32_t count, size_t thread, tally *done)
{
    const shape *s = &plan->shape;
    operands mine = *of;
    if (plan->shares > 1) {
        const size_t rows = groups->first_tile / (l->program.tile_count / plan->shares) * s->nq;
        mine.reference += rows;
        mine.sum += rows;
        mine.partial += rows * s->dim;
    }
    plan->kernel->run(s, &mine, &l->program, groups, count, part + 1 == l->part_count && plan->shares == 1,
                      plan->scratch[thread], done);
}

/* Until all items of part `part` of `head` are done. They have all been handed out, so this is short. */
static void await(attn_plan *plan, size_t head, size_t part)
{
    size_t stage = (head + part) * plan->parts + part;
    uint64_t items = plan->first_item[stage + 1] - plan->first_item[stage];
    for (unsigned spins = 0; atomic_load_explicit(&plan->done[stage], memory_order_acquire) < items; spins++) {
        if (spins > 1000)
            sched_yield();
#if defined(__x86_64__) || defined(__i386__)
        else
            __builtin_ia32_pause();
#endif
    }
}

static void take_items(attn_plan *plan, const tensors *x, size_t thread)
{
    fenv_t caller; /* no flushing of subnormals, rounding to nearest, whatever the caller has set */
    fegetenv(&caller);
    fesetenv(FE_DFL_ENV);
    tally *count = (tally *)(void *)((char *)plan->tallies + thread * ARENA_ALIGN);
    size_t stage = 0;
    uint64_t items = plan->first_item[plan->stages];
    for (;;) {
        uint64_t i = atomic_fetch_add_explicit(&plan->next, 1, memory_order_relaxed);
        if (i >= items)
            break;
        while (i >= plan->first_item[stage + 1])
            stage++;
        size_t part = stage % plan->parts, head = stage / plan->parts - part;
        const lowered *l = &plan->lowered[head % plan->heads % plan->distinct];
        for (size_t p = 0; p < part; p++)
            await(plan, head, p);
        if (part == 0 && plan->parts > 1 && head >= plan->slots) /* its slot was another head's */
            for (size_t p = 0; p < plan->parts; p++)
                await(plan, head - plan->slots, p);

        operands of = operands_of(plan, x, head);
        const item *it = &plan->items[l->parts[part].first + (i - plan->first_item[stage])];
        plan_run_groups(plan, l, part, &of, &plan->groups[it->first_group], it->groups, thread, count);
        if (plan->injection)
            plan_repeat_some(plan, thread, head, it, part, &of);
        const unsigned before = atomic_fetch_add_explicit(&plan->done[stage], 1, memory_order_acq_rel);
        if (plan->shares > 1 && before + 1 == l->parts[part].count)
            count->exact_rows += shares_join(&plan->shape, &of, plan->shares, &plan->joiners[thread]);
    }
    fesetenv(&caller);
}

void attn_plan_run(attn_plan *plan, const void *q, const void *k, const void *v, void *o, float *lse)
{
    tensors x = {q, k, v, o, lse};
    size_t threads = (size_t)plan->threads;
    uint64_t items = plan->first_item[plan->stages];
    plan->runs++;
    memset(plan->tallies, 0, threads * ARENA_ALIGN);
    for (size_t s = 0; s < plan->stages; s++)
        atomic_store_explicit(&plan->done[s], 0, memory_order_relaxed);
    for (size_t h = 0; h < plan->batch * plan->kv_heads; h++)
        atomic_store_explicit(&plan->facts[h], 0, memory_order_relaxed);
    atomic_store_explicit(&plan->next, 0, memory_order_relaxed);
    if (threads == 1 || items <= 1) {
        take_items(plan, &x, 0);
    } else {
        int team = (int)(items < threads ? items : threads);
#pragma omp parallel num_threads(team)
        take_items(plan, &x, (size_t)omp_get_thread_num());
    }

    plan->total = (tally){0};
    for (size_t t = 0; t < threads; t++) {
        const tally *count = (const tally *)(const void *)((const char *)plan->tallies + t * ARENA_ALIGN);
        plan->total.tiles += count->tiles;
        plan->total.granules += count->granules;
        plan->total.lanes += count->lanes;
        plan->total.redone += count->redone;
        plan->total.redone_granules += count->redone_granules;
        plan->total.careful += count->careful;
        plan->total.repeated += count->repeated;
        plan->total.exact_rows += count->exact_rows;
    }
#ifdef ATTN_DEBUG
    assert(!plan_miscount(plan));
#endif
}

const tally *plan_tally(const attn_plan *plan)
{
    return &plan->total;
}

const char *plan_miscount(const attn_plan *plan)
{
    const tally *did = &plan->total;
    const attn_cost *planned = &plan->cost;
    return plan->kernel->geometry.lanes == 0                             ? NULL
           : did->tiles != planned->tiles                                ? "tiles"
           : did->granules != planned->granules                          ? "granules"
           : did->lanes * 4 * plan->shape.dim != planned->flops_executed ? "lanes"
                                                                         : NULL;
}
