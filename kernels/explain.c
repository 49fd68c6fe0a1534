/* Explaining a plan: see attn/explain.h. */
#include "attn/explain.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cpu_speed.h"
#include "kernels/plan_parts.h"

/* ---- from cycles to time ---- */

/* What the threads are worth, in threads alone on a core: two on one core share its units. */
static double parallel(const attn_plan *plan)
{
    const double second = 0.25; /* of a core's speed, that its second hardware thread adds */
    size_t cores, cpus, threads = (size_t)plan->threads;
    cpu_available(&cores, &cpus);
    size_t own = threads < cores ? threads : cores, all = threads < cpus ? threads : cpus;
    return (double)own + second * (double)(all - own);
}

/* The time of a run over that of threads which share the work evenly and never wait: threads take the items of all
 * stages in order, and an item of a later part waits for the earlier parts of its head. */
static double imbalance(const attn_plan *plan)
{
    size_t threads = (size_t)plan->threads;
    double *free_at = calloc(threads, sizeof *free_at), *done_at = calloc(plan->stages, sizeof *done_at);
    double end = 0, sum = 0;
    for (size_t stage = 0; stage < plan->stages && free_at && done_at; stage++) {
        size_t part = stage % plan->parts, head = stage / plan->parts - part;
        uint64_t items = plan->first_item[stage + 1] - plan->first_item[stage];
        const lowered *l = &plan->lowered[items ? head % plan->heads % plan->distinct : 0];
        double ready = 0; /* part p of a head is p stages of every part later than its first */
        for (size_t p = 0; p < part && items; p++) {
            double at = done_at[(head + p) * plan->parts + p];
            ready = at > ready ? at : ready;
        }
        for (uint64_t i = 0; i < items; i++) {
            size_t first = 0;
            for (size_t t = 1; t < threads; t++)
                first = free_at[t] < free_at[first] ? t : first;
            double cycles = plan->items[l->parts[part].first + i].cycles;
            free_at[first] = (free_at[first] > ready ? free_at[first] : ready) + cycles;
            done_at[stage] = free_at[first] > done_at[stage] ? free_at[first] : done_at[stage];
            sum += cycles;
        }
        end = done_at[stage] > end ? done_at[stage] : end;
    }
    free(free_at);
    free(done_at);
    return sum > 0 ? end * (double)threads / sum : 1;
}

/* ---- a part ---- */

typedef struct kinds {
    uint64_t contiguous, teeth, listed; /* granules */
    uint64_t masked;
    uint64_t pairs;
} kinds;

static void count_run(kinds *to, const program *p, const tile *t, const run *u)
{
    uint32_t keys = p->geometry.keys;
    *(u->list != RUN_COMB ? &to->listed : u->width >= u->keys ? &to->contiguous : &to->teeth) += u->granules;
    if (u->mask == RUN_ALL) {
        to->pairs += (uint64_t)u->keys * t->count;
        return;
    }
    uint32_t different = u->mask_step ? u->granules : 1, times = u->mask_step ? 1 : u->granules;
    for (uint32_t i = 0; i < different; i++) {
        const uint64_t *masks = p->masks + (size_t)(u->mask + i) * keys;
        to->masked += p->ranges[u->mask + i].partial ? times : 0;
        for (uint32_t k = 0; k < keys; k++)
            to->pairs += (uint64_t)__builtin_popcountll(masks[k]) * times;
    }
}

static void say(char *way, size_t size, const char *what, uint64_t granules, uint64_t all)
{
    size_t used = strlen(way);
    if (granules && used < size)
        snprintf(way + used, size - used, "%s%s %.0f%%", used && way[used - 1] != ':' ? ", " : " ", what,
                 100 * (double)granules / (double)all);
}

static void explain_part(attn_part_info *out, const attn_plan *plan, size_t h, uint32_t part, double ns_per_cycle)
{
    const lowered *l = &plan->lowered[h];
    const program *p = &l->program;
    const uint64_t uses = plan_uses(plan, h);
    kinds k = {0};
    *out = (attn_part_info){.head = h, .row_step = 1, .items = l->parts[part].count};
    double cycles = 0;
    for (uint32_t i = 0; i < l->parts[part].count; i++) {
        const item *it = &plan->items[l->parts[part].first + i];
        out->groups += it->groups;
        cycles += it->cycles;
    }
    out->predicted_ns = cycles * (double)uses * ns_per_cycle;
    if (!plan->kernel->geometry.lanes) {
        snprintf(out->way, sizeof out->way, "row by row");
        out->tiles = plan->shape.nq;
        out->lanes_useful = out->lanes_executed = l->pairs;
        return;
    }
    const tile *tiles = p->tiles + p->parts[part].first_tile;
    out->tiles = p->parts[part].tiles;
    for (uint64_t i = 0; i < out->tiles; i++) {
        const tile *t = &tiles[i];
        out->row_step = t->row_step;
        out->granules += t->granules;
        out->lanes_executed += t->lanes;
        out->rows_carried += (uint64_t)__builtin_popcountll(t->merge);
        for (uint32_t r = 0; r < t->runs; r++)
            count_run(&k, p, t, &p->runs[t->first_run + r]);
    }
    out->masked_granules = k.masked;
    out->lanes_useful = k.pairs;
    out->keys_gathered = (uint64_t)(l->work[part].count[WORK_GATHER] / (2.0 * (double)plan->shape.dim));
    if (part < p->classes)
        snprintf(out->way, sizeof out->way, "residue classes mod %zu:", p->followers[part].step);
    else
        snprintf(out->way, sizeof out->way, "natural order:");
    uint64_t all = out->granules ? out->granules : 1;
    say(out->way, sizeof out->way, "intervals", k.contiguous, all);
    say(out->way, sizeof out->way, "gathered columns", k.teeth, all);
    say(out->way, sizeof out->way, "gathered lists", k.listed, all);
    const size_t used = strlen(out->way);
    if (plan->shares > 1)
        snprintf(out->way + used, sizeof out->way - used, ", keys in %" PRIu32 " shares", plan->shares);
}

/* ---- candidates ---- */

static attn_candidate_info *add(attn_explanation *e, const char *name)
{
    attn_candidate_info *c = &e->candidates[e->candidate_count++];
    *c = (attn_candidate_info){.kernel = name};
    return c;
}

static double time_of(const attn_plan *plan, double cycle_ns)
{
    return plan->cycles * cycle_ns / parallel(plan) * imbalance(plan);
}

static void compare(attn_candidate_info *c, const attn_plan *plan, const attn_plan *chosen, double cycle_ns)
{
    snprintf(c->lowering, sizeof c->lowering, "%s", plan->lowering);
    c->predicted_ns = time_of(plan, cycle_ns);
    double ratio = plan->cycles / chosen->cycles;
    if (ratio >= 1)
        snprintf(c->why, sizeof c->why, "predicted to take %.2f times as long", ratio);
    else
        snprintf(c->why, sizeof c->why, "predicted to take %.2f of the time, but %s", ratio,
                 strcmp(chosen->chosen_by, "estimate") != 0 ? chosen->chosen_by : "that is too close to tell");
}

/* The same kernel with another number of families in residue classes. One that a short formula expects to cost
 * many times as much is not lowered: it could take more memory than there is. */
static attn_status other_lowerings(attn_explanation *e, const attn_plan *chosen, const attn_problem *problem,
                                   double cycle_ns, attn_error *err)
{
    const double hopeless = 16;
    uint32_t most = 0;
    for (size_t h = 0; h < chosen->distinct; h++) {
        uint32_t count = chosen->lowered[h].program.follower_count;
        most = count > most ? count : most;
    }
    most = most < MAX_PARTS - 1 ? most : MAX_PARTS - 1;
    for (int classes = 0; most && classes <= (int)most; classes++) {
        double ratio = 0; /* the worst of the families that would change sides */
        if (classes == chosen->choice.classes)
            continue;
        for (size_t h = 0; h < chosen->distinct; h++) {
            const program *p = &chosen->lowered[h].program;
            for (uint32_t f = 0; f < p->follower_count; f++) {
                double now = f < p->classes ? p->followers[f].classes : p->followers[f].natural;
                double then = (int)f < classes ? p->followers[f].classes : p->followers[f].natural;
                ratio = then / now > ratio ? then / now : ratio;
            }
        }
        attn_candidate_info *c = add(e, chosen->kernel->name);
        if (ratio > hopeless) {
            choice_name((choice){classes, 0}, c->lowering);
            snprintf(c->why, sizeof c->why, "about %.0f times the lane-keys by a short formula; not lowered", ratio);
            continue;
        }
        attn_plan *plan;
        attn_status status = plan_create_as(&plan, problem, chosen->kernel, (choice){classes, 0}, err);
        if (status != ATTN_OK)
            return status;
        compare(c, plan, chosen, cycle_ns);
        attn_plan_destroy(plan);
    }
    return ATTN_OK;
}

static void report_tried(attn_explanation *e, const attn_plan *chosen, const tried *t, double cycle_ns)
{
    if (t->kernel == chosen->kernel && strcmp(t->lowering, chosen->lowering) == 0)
        return;
    attn_candidate_info *c = add(e, t->kernel->name);
    memcpy(c->lowering, t->lowering, sizeof t->lowering);
    c->predicted_ns = t->cycles * cycle_ns / parallel(chosen);
    c->measured_ns = t->ns;
    if (t->ns > 0)
        snprintf(c->why, sizeof c->why, "took %.2f times as long", t->ns / chosen->measured_ns);
    else
        snprintf(c->why, sizeof c->why, "not run: the time for measuring was over");
}

static bool was_tried(const attn_plan *plan, const kernel *k)
{
    for (size_t i = 0; i < plan->tried_count; i++)
        if (plan->tried[i].kernel == k)
            return true;
    return false;
}

static attn_status other_kernels(attn_explanation *e, const attn_plan *chosen, const attn_problem *problem,
                                 double cycle_ns, attn_error *err)
{
    bool named = problem->kernel && strcmp(problem->kernel, "auto") != 0;
    for (size_t i = 0; kernels[i]; i++) {
        const kernel *k = kernels[i];
        const char *reason = NULL;
        if (k == chosen->kernel || was_tried(chosen, k))
            continue;
        const char *passed_over = NULL;
        attn_status status = kernel_unavailable(k, &reason, err);
        if (status == ATTN_OK)
            status = kernel_passed_over(k, &passed_over, err);
        if (status != ATTN_OK)
            return status;
        attn_candidate_info *c = add(e, k->name);
        if (reason) {
            snprintf(c->why, sizeof c->why, "%s", reason);
        } else if (!(k->dtypes & 1u << chosen->shape.dtype)) {
            snprintf(c->why, sizeof c->why, "does not compute %s", attn_dtype_name(chosen->shape.dtype));
        } else if (named) {
            snprintf(c->why, sizeof c->why, "kernel %s was asked for", chosen->kernel->name);
        } else if (passed_over) {
            snprintf(c->why, sizeof c->why, "%s", passed_over);
        } else if (!plan_may_lose_to(chosen, k)) {
            double least = (double)chosen->cost.pairs_total *
                           work_least_cycles(k->geometry, &k->rates, chosen->shape.dim);
            c->predicted_ns = least * cycle_ns / parallel(chosen);
            snprintf(c->why, sizeof c->why, "takes %.2f times as long even if it wastes nothing",
                     least / chosen->cycles);
        } else {
            attn_plan *plan;
            if ((status = plan_create_for(&plan, problem, k, err)) != ATTN_OK)
                return status;
            compare(c, plan, chosen, cycle_ns);
            attn_plan_destroy(plan);
        }
    }
    return ATTN_OK;
}

/* ---- all of it ---- */

static const char *reason_of(const attn_plan *plan)
{
    static const struct { const char *by, *why; } reasons[] = {
        {"estimate", "predicted to be fastest"},
        {"wisdom", "measured to be fastest earlier"},
        {"measurement", "measured to be fastest"},
        {"request", "asked for"},
    };
    size_t r = 0;
    while (strcmp(reasons[r].by, plan->chosen_by) != 0)
        r++;
    return reasons[r].why;
}

static attn_status explain(attn_explanation **out, const attn_problem *problem, bool others, attn_error *err)
{
    *out = NULL;
    attn_plan *plan = NULL;
    attn_status status = attn_plan_create(&plan, problem, err);
    if (status != ATTN_OK)
        return status;
    attn_explanation *e = calloc(1, sizeof *e);
    if (e) {
        e->parts = calloc(plan->distinct * MAX_PARTS, sizeof *e->parts);
        e->candidates = calloc(attn_kernel_count() + MAX_PARTS + 1 + MAX_TRIED, sizeof *e->candidates);
    }
    if (!e || !e->parts || !e->candidates) {
        status = attn_fail(err, ATTN_ENOMEM, "out of memory explaining a plan");
        goto cleanup;
    }
    const geometry g = plan->kernel->geometry;
    const double cycle_ns = cpu_cycle_ns();
    e->kernel = plan->kernel->name;
    e->isa = plan->kernel->isa;
    memcpy(e->lowering, plan->lowering, sizeof plan->lowering);
    e->chosen_by = plan->chosen_by;
    e->threads = plan->threads;
    e->tile_rows = g.lanes * g.vectors;
    e->granule_keys = g.keys;
    e->lanes = g.lanes;
    e->group = g.lanes ? plan->shape.group : 0;
    e->cost = plan->cost;
    e->program_bytes = plan->bytes.program;
    e->schedule_bytes = plan->bytes.schedule;
    e->carried_bytes = plan->bytes.carried;
    e->scratch_bytes = plan->bytes.scratch;
    e->items_per_thread = (double)plan->first_item[plan->stages] / plan->threads;
    e->imbalance = imbalance(plan);
    e->predicted_ns = time_of(plan, cycle_ns);
    e->measured_ns = plan->measured_ns;
    for (size_t h = 0; h < plan->distinct; h++)
        for (uint32_t part = 0; part < plan->lowered[h].part_count; part++)
            explain_part(&e->parts[e->part_count++], plan, h, part, cycle_ns / parallel(plan));

    attn_candidate_info *c = add(e, e->kernel);
    c->chosen = true;
    c->predicted_ns = e->predicted_ns;
    c->measured_ns = e->measured_ns;
    memcpy(c->lowering, e->lowering, sizeof c->lowering);
    snprintf(c->why, sizeof c->why, "%s", reason_of(plan));
    for (size_t i = 0; i < plan->tried_count; i++)
        report_tried(e, plan, &plan->tried[i], cycle_ns);
    if (others && g.lanes && !plan->tried_count)
        status = other_lowerings(e, plan, problem, cycle_ns, err);
    if (others && status == ATTN_OK)
        status = other_kernels(e, plan, problem, cycle_ns, err);
    if (status == ATTN_OK) {
        *out = e;
        e = NULL;
    }
cleanup:
    attn_explanation_destroy(e);
    attn_plan_destroy(plan);
    return status;
}

attn_status attn_plan_explain(attn_explanation **out, const attn_problem *problem, attn_error *err)
{
    return explain(out, problem, true, err);
}

attn_status attn_plan_predict(attn_explanation **out, const attn_problem *problem, attn_error *err)
{
    return explain(out, problem, false, err);
}

void attn_explanation_destroy(attn_explanation *e)
{
    if (!e)
        return;
    free(e->parts);
    free(e->candidates);
    free(e);
}
