/* Planning: checks a problem, chooses a kernel, lowers the layout to it and counts what a run will cost. */
#include "kernels/plan_parts.h"

#include <float.h>
#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/lower.h"

static const struct { const char *name; size_t size; } dtypes[] = {
    [ATTN_F32] = {"f32", 4}, [ATTN_BF16] = {"bf16", 2}, [ATTN_F16] = {"f16", 2}};
enum { DTYPES = sizeof dtypes / sizeof dtypes[0], MAX_THREADS = 1024 };

const char *attn_dtype_name(attn_dtype dtype)
{
    return (size_t)dtype < DTYPES ? dtypes[dtype].name : "?";
}

size_t attn_dtype_size(attn_dtype dtype)
{
    return (size_t)dtype < DTYPES ? dtypes[dtype].size : 0;
}

bool attn_dtype_parse(const char *text, attn_dtype *out)
{
    for (size_t i = 0; i < DTYPES; i++)
        if (strcmp(text, dtypes[i].name) == 0) {
            *out = (attn_dtype)i;
            return true;
        }
    return false;
}

/* ---- the problem ---- */

attn_status plan_check_problem(const attn_problem *p, attn_error *err)
{
    size_t heads = attn_layout_heads(p->layout), kv_heads = p->kv_heads ? p->kv_heads : heads;
    if (p->batch < 1)
        return attn_fail(err, ATTN_EINVAL, "batch=0 is not at least 1");
    if (kv_heads > heads || heads % kv_heads != 0)
        return attn_fail(err, ATTN_EINVAL, "kv_heads=%zu does not divide heads=%zu", kv_heads, heads);
    if (p->dim < ATTN_MIN_DIM || p->dim > ATTN_MAX_DIM)
        return attn_fail(err, ATTN_EINVAL, "dim=%zu is outside its range, %d to %d", p->dim, ATTN_MIN_DIM, ATTN_MAX_DIM);
    if ((size_t)p->dtype >= DTYPES)
        return attn_fail(err, ATTN_EINVAL, "dtype=%d is not one of f32, bf16, f16", (int)p->dtype);
    if (!isfinite(p->scale))
        return attn_fail(err, ATTN_EINVAL, "scale=%g is not finite", (double)p->scale);
    if (p->plan != ATTN_PLAN_ESTIMATE && p->plan != ATTN_PLAN_MEASURE)
        return attn_fail(err, ATTN_EINVAL, "plan=%d is neither estimate nor measure", (int)p->plan);
    if (p->threads < 0 || p->threads > MAX_THREADS)
        return attn_fail(err, ATTN_EINVAL, "threads=%d is outside its range, 0 (all) to %d", p->threads, MAX_THREADS);

    size_t nq = attn_layout_nq(p->layout), nk = attn_layout_nk(p->layout), n = nq > nk ? nq : nk, bytes;
    if (__builtin_mul_overflow(p->batch, heads, &bytes) || __builtin_mul_overflow(bytes, n, &bytes) ||
        __builtin_mul_overflow(bytes, p->dim * attn_dtype_size(p->dtype), &bytes) || bytes > PTRDIFF_MAX)
        return attn_fail(err, ATTN_EINVAL, "a tensor of batch=%zu, heads=%zu, n=%zu, dim=%zu does not fit the address space",
                         p->batch, heads, n, p->dim);
    return ATTN_OK;
}

/* ---- lowering and cost ---- */

/* Rows of patterns we did not write are validated. A text that does not begin with the name of a pattern
 * (a composition, say) may contain any, so it is validated too. */
static bool is_built_in(const attn_layout *layout)
{
    const char *text = attn_layout_text(layout);
    char name[64];
    size_t length = strcspn(text, ":");
    if (length >= sizeof name)
        return false;
    memcpy(name, text, length);
    name[length] = '\0';
    const attn_pattern *pattern = attn_pattern_find(name);
    return pattern && strcmp(attn_pattern_origin(pattern), "built-in") == 0;
}

/* The number of classes that gives all these programs again, or CLASSES_ESTIMATED when no one number does. */
static int resolve_classes(const lowered *heads, size_t count, int asked)
{
    uint32_t most = 0;
    for (size_t h = 0; h < count; h++)
        most = heads[h].program.classes > most ? heads[h].program.classes : most;
    for (size_t h = 0; h < count && asked < 0; h++)
        if (heads[h].program.classes < most && heads[h].program.classes < heads[h].program.follower_count)
            return CLASSES_ESTIMATED;
    return (int)most;
}

static double cycles_of(const attn_plan *plan, const program *p)
{
    work w = {{0}};
    for (uint32_t part = 0; part < p->part_count; part++)
        work_add_part(&w, p, part, plan->kernel->max_group, plan->shape.dim,
                      kernel_gathers(plan->kernel, plan->shape.dtype));
    return work_cycles(&w, &plan->kernel->rates);
}

/* The lowering itself decides by a short formula. Where that is a close call, for the last family of classes or
 * for the first that is none, the other way is lowered too, and the whole model decides. */
static attn_status reconsider(const attn_plan *plan, program *p, size_t head, attn_error *err)
{
    const double close = 4;
    uint32_t last = p->classes - 1, next = p->classes;
    int other = CLASSES_ESTIMATED;
    if (p->classes && p->followers[last].natural < close * p->followers[last].classes)
        other = (int)last;
    else if (next < p->follower_count && next < MAX_PARTS - 1 &&
             p->followers[next].classes < close * p->followers[next].natural)
        other = (int)next + 1;
    if (other < 0)
        return ATTN_OK;
    program instead;
    attn_status status = lower_layout(&instead, plan->shape.layout, head, p->geometry, other, false, err);
    if (status != ATTN_OK)
        return status;
    bool better = cycles_of(plan, &instead) < cycles_of(plan, p);
    program_release(better ? p : &instead);
    if (better)
        *p = instead;
    return ATTN_OK;
}

static attn_status lower_heads(attn_plan *plan, lowered *heads, attn_error *err)
{
    const attn_layout *layout = plan->shape.layout;
    bool check = !is_built_in(layout);
    choice *c = &plan->choice;
    for (size_t h = 0; h < plan->distinct; h++) {
        heads[h].pairs = attn_layout_pairs(layout, h);
        if (plan->kernel->geometry.lanes == 0)
            continue;
        attn_status status = lower_layout(&heads[h].program, layout, h, plan->kernel->geometry, c->classes, check, err);
        if (status == ATTN_OK && c->classes < 0)
            status = reconsider(plan, &heads[h].program, h, err);
        if (status != ATTN_OK)
            return status;
        if (heads[h].program.max_combs > plan->shape.max_combs)
            plan->shape.max_combs = heads[h].program.max_combs;
    }
    c->classes = resolve_classes(heads, plan->distinct, c->classes);
    return ATTN_OK;
}

/* The same number of shares for all heads, whose memory is laid out alike. */
static attn_status cut_keys(attn_plan *plan, lowered *heads, attn_error *err)
{
    double tiles = 0;
    uint32_t shares = UINT32_MAX;
    plan->shares = 1;
    if (plan->kernel->geometry.lanes == 0)
        return ATTN_OK;
    for (size_t h = 0; h < plan->distinct; h++)
        tiles += (double)heads[h].program.tile_count * (double)plan_uses(plan, h);
    for (size_t h = 0; h < plan->distinct; h++) {
        const uint32_t worth = shares_worth(&heads[h].program, tiles);
        shares = worth < shares ? worth : shares;
    }
    attn_status status = ATTN_OK;
    for (size_t h = 0; h < plan->distinct && shares > 1 && status == ATTN_OK; h++)
        status = shares_cut(&heads[h].program, shares, err);
    plan->shares = shares;
    return status;
}

/* *sum += count * each; false on overflow of 2^63. */
static bool add_product(uint64_t *sum, uint64_t count, uint64_t each)
{
    uint64_t product;
    return !__builtin_mul_overflow(count, each, &product) && !__builtin_add_overflow(*sum, product, sum) &&
           *sum <= INT64_MAX;
}

static attn_status count_cost(attn_plan *plan, const lowered *heads, attn_error *err)
{
    attn_cost *cost = &plan->cost;
    const shape *s = &plan->shape;
    bool fits = true;
    for (size_t h = 0; h < plan->distinct; h++) {
        uint64_t uses = plan_uses(plan, h);
        const program *p = &heads[h].program;
        bool rows = plan->kernel->geometry.lanes == 0;
        uint64_t each = 4 * (uint64_t)s->dim;
        fits = fits && add_product(&cost->pairs_total, uses, heads[h].pairs) &&
               add_product(&cost->tiles, uses, rows ? s->nq : p->tile_count) &&
               add_product(&cost->granules, uses, rows ? 0 : p->granules);
        uint64_t useful = 0, executed = 0;
        fits = fits && add_product(&useful, heads[h].pairs, each) && add_product(&cost->flops_useful, uses, useful) &&
               add_product(&executed, rows ? heads[h].pairs : p->lanes, each) &&
               add_product(&cost->flops_executed, uses, executed);
    }
    if (!fits)
        return attn_fail(err, ATTN_EINVAL, "%s at batch=%zu, heads=%zu, nq=%zu, nk=%zu, dim=%zu takes more than 2^63 FLOPs",
                         attn_layout_text(s->layout), plan->batch, plan->heads, s->nq, s->nk, s->dim);
    cost->exps_useful = cost->pairs_total;
    uint64_t size = attn_dtype_size(s->dtype), q = plan->batch * plan->heads * s->nq, k = plan->batch * plan->kv_heads * s->nk;
    cost->bytes_model = (2 * q + 2 * k) * s->dim * size + q * sizeof(float);
    plan->shape.large = cost->bytes_model > LARGE_BYTES;
    return ATTN_OK;
}

int plan_threads(const attn_problem *p)
{
    int all = omp_get_max_threads();
    return p->threads ? p->threads : all < MAX_THREADS ? all : MAX_THREADS;
}

attn_status plan_create_as(attn_plan **out, const attn_problem *problem, const kernel *k, choice c, attn_error *err)
{
    *out = NULL;
    attn_status status = plan_check_problem(problem, err);
    if (status != ATTN_OK)
        return status;
    const attn_layout *layout = problem->layout;
    size_t heads = attn_layout_heads(layout), distinct = attn_layout_distinct_heads(layout);
    attn_plan *plan = calloc(1, sizeof *plan);
    lowered *ready = calloc(distinct, sizeof *ready);
    if (!plan || !ready) {
        status = attn_fail(err, ATTN_ENOMEM, "out of memory while planning");
        goto cleanup;
    }
    plan->kernel = k;
    plan->choice = c;
    plan->chosen_by = "estimate";
    plan->shape = (shape){.layout = layout, .nq = attn_layout_nq(layout), .nk = attn_layout_nk(layout),
                          .dim = problem->dim, .dtype = problem->dtype,
                          .scale = problem->scale != 0 ? problem->scale : (float)(1 / sqrt((double)problem->dim))};
    plan->batch = problem->batch;
    plan->heads = heads;
    plan->kv_heads = problem->kv_heads ? problem->kv_heads : heads;
    plan->distinct = distinct < heads ? distinct : heads;
    plan->threads = plan_threads(problem);

    status = lower_heads(plan, ready, err);
    if (status == ATTN_OK)
        status = cut_keys(plan, ready, err);
    if (status == ATTN_OK)
        status = count_cost(plan, ready, err);
    if (status == ATTN_OK)
        status = plan_lay_out(plan, ready, err);
    if (status != ATTN_OK)
        goto cleanup;
    plan->choice.group = plan->shape.group;
    if (k->geometry.lanes)
        choice_name(plan->choice, plan->lowering);
    else
        strcpy(plan->lowering, "rows");
    *out = plan;
    plan = NULL;

cleanup:
    for (size_t h = 0; ready && h < distinct; h++)
        program_release(&ready[h].program);
    free(ready);
    attn_plan_destroy(plan);
    return status;
}

void attn_plan_destroy(attn_plan *plan)
{
    if (!plan)
        return;
    plan_end_injection(plan);
    arena_close(&plan->memory);
    free(plan);
}

const attn_cost *attn_plan_cost(const attn_plan *plan)
{
    return &plan->cost;
}

const char *attn_plan_kernel(const attn_plan *plan)
{
    return plan->kernel->name;
}

const char *attn_plan_isa(const attn_plan *plan)
{
    return plan->kernel->isa;
}

const char *attn_plan_chosen_by(const attn_plan *plan)
{
    return plan->chosen_by;
}

const char *attn_plan_lowering(const attn_plan *plan)
{
    return plan->lowering;
}

int attn_plan_threads(const attn_plan *plan)
{
    return plan->threads;
}
