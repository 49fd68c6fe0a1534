/* Planning by measurement: the candidates run in turn on made-up data, and the fastest is taken.
 *
 * Candidates are, for each kernel that could be the fastest, every number of families in residue classes that the
 * lowering's formula does not rule out, in groups of one, two, four tiles and as many as the kernel allows. They
 * are tried in the order of their predicted cost, round by round, until BUDGET is spent: the first always runs, and
 * one that takes much longer than the best is not run again. The least time of each counts. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/rng.h"
#include "kernels/element.h"
#include "kernels/plan_parts.h"
#include "kernels/wisdom.h"

static const double budget_ns = 1e9;
static const double slow = 1.5;     /* of the best time: not run again */
static const double hopeless = 4;   /* of the formula's lane-keys: not tried */
enum { MOST_ROUNDS = 30 };

typedef struct contest {
    attn_plan *plans[MAX_TRIED];
    double ns[MAX_TRIED];
    size_t count;
} contest;

static double now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* ---- candidates ---- */

static bool is_hopeless(const attn_plan *plan, int classes)
{
    for (size_t h = 0; h < plan->distinct; h++) {
        const program *p = &plan->lowered[h].program;
        for (uint32_t f = 0; f < p->follower_count; f++) {
            const follower *w = &p->followers[f];
            if ((int)f < classes ? w->classes > hopeless * w->natural : w->natural > hopeless * w->classes)
                return true;
        }
    }
    return false;
}

/* Takes over `plan`, unless there is one like it already. */
static void enter(contest *x, attn_plan *plan)
{
    for (size_t i = 0; i < x->count; i++)
        if (x->plans[i]->kernel == plan->kernel && strcmp(x->plans[i]->lowering, plan->lowering) == 0) {
            attn_plan_destroy(plan);
            return;
        }
    if (x->count == MAX_TRIED) {
        attn_plan_destroy(plan);
        return;
    }
    size_t at = x->count++;
    for (; at > 0 && x->plans[at - 1]->cycles > plan->cycles; at--)
        x->plans[at] = x->plans[at - 1];
    x->plans[at] = plan;
}

static attn_status enter_kernel(contest *x, const attn_problem *problem, const kernel *k, attn_error *err)
{
    attn_plan *estimated;
    attn_status status = plan_create_for(&estimated, problem, k, err);
    if (status != ATTN_OK)
        return status;
    int most = 0;
    for (size_t h = 0; h < estimated->distinct; h++) {
        int count = (int)estimated->lowered[h].program.follower_count;
        most = count > most ? count : most;
    }
    most = most < MAX_PARTS - 1 ? most : MAX_PARTS - 1;
    for (int classes = 0; classes <= most && k->geometry.lanes; classes++) {
        if (classes != estimated->choice.classes && is_hopeless(estimated, classes))
            continue;
        for (uint32_t tiles = 1; status == ATTN_OK; tiles = tiles < 4 ? 2 * tiles : k->max_group) {
            attn_plan *plan;
            status = plan_create_as(&plan, problem, k, (choice){classes, tiles}, err);
            if (status == ATTN_OK)
                enter(x, plan);
            if (tiles >= k->max_group)
                break;
        }
    }
    if (status == ATTN_OK)
        enter(x, estimated);
    else
        attn_plan_destroy(estimated);
    return status;
}

/* ---- running them ---- */

static void *made_up(uint64_t stream, size_t rows, size_t dim, attn_dtype dtype)
{
    size_t size = attn_dtype_size(dtype), bytes = rows * dim * size; /* the problem was checked: no overflow */
    char *at = aligned_alloc(ARENA_ALIGN, (bytes + ARENA_ALIGN - 1) / ARENA_ALIGN * ARENA_ALIGN);
    float normal[ATTN_MAX_DIM];
    for (size_t r = 0; at && r < rows; r++) {
        rng_normal_fill(1, stream, r * dim, dim, normal);
        for (size_t c = 0; c < dim; c++)
            element_set(at, dtype, r * dim + c, (double)normal[c]);
    }
    return at;
}

static void run_all(contest *x, const void *q, const void *k, const void *v, void *o)
{
    double start = now_ns(), best = 0;
    for (size_t round = 0; round < MOST_ROUNDS; round++)
        for (size_t i = 0; i < x->count; i++) {
            double begin = now_ns();
            if ((round || i) && begin - start > budget_ns)
                return;
            if (round && (x->ns[i] <= 0 || x->ns[i] > slow * best))
                continue;
            attn_plan_run(x->plans[i], q, k, v, o, NULL);
            double took = now_ns() - begin;
            if (!round && took < budget_ns / MAX_TRIED) { /* the first run of a plan is slow */
                begin = now_ns();
                attn_plan_run(x->plans[i], q, k, v, o, NULL);
                took = now_ns() - begin;
            }
            if (!round || took < x->ns[i])
                x->ns[i] = took;
            best = best > 0 && best < x->ns[i] ? best : x->ns[i];
        }
}

/* The best of one kernel; SIZE_MAX: none ran. */
static size_t winner(const contest *x, const kernel *k)
{
    size_t best = SIZE_MAX;
    for (size_t i = 0; i < x->count; i++)
        if (x->ns[i] > 0 && x->plans[i]->kernel == k &&
            (best == SIZE_MAX || plan_measured_better(x->ns[i], x->ns[best], best == 0)))
            best = i;
    return best;
}

/* The best of all, as it will be recalled: from what is learned of each kernel, by the same rule. */
static size_t winner_of_all(const contest *x, const kernel *const *list, size_t count)
{
    size_t best = winner(x, list[0]);
    for (size_t i = 1; i < count; i++) {
        const size_t other = winner(x, list[i]);
        if (other != SIZE_MAX && (best == SIZE_MAX || plan_measured_better(x->ns[other], x->ns[best], x->plans[best]->kernel == list[0])))
            best = other;
    }
    return best;
}

static void learn(const contest *x, const attn_problem *problem, const kernel *k)
{
    size_t best = winner(x, k);
    if (best == SIZE_MAX || !k->geometry.lanes)
        return;
    const attn_plan *plan = x->plans[best];
    char *key = wisdom_key(problem, k, plan->threads);
    if (key)
        wisdom_learn(key, plan->lowering, x->ns[best]);
    free(key);
}

attn_status plan_measure(attn_plan **out, const attn_problem *problem, const kernel *const *list, size_t count,
                         attn_error *err)
{
    contest x = {.count = 0};
    size_t queries = problem->batch * attn_layout_heads(problem->layout) * attn_layout_nq(problem->layout);
    size_t kv_heads = problem->kv_heads ? problem->kv_heads : attn_layout_heads(problem->layout);
    size_t keys = problem->batch * kv_heads * attn_layout_nk(problem->layout);
    void *q = NULL, *k = NULL, *v = NULL, *o = NULL;
    *out = NULL;
    attn_status status = enter_kernel(&x, problem, list[0], err);
    for (size_t i = 1; i < count && status == ATTN_OK; i++)
        if (plan_may_lose_to(x.plans[0], list[i]))
            status = enter_kernel(&x, problem, list[i], err);
    if (status != ATTN_OK)
        goto cleanup;
    q = made_up(1, queries, problem->dim, problem->dtype);
    k = made_up(2, keys, problem->dim, problem->dtype);
    v = made_up(3, keys, problem->dim, problem->dtype);
    o = made_up(4, queries, problem->dim, problem->dtype);
    if (!q || !k || !v || !o) {
        status = attn_fail(err, ATTN_ENOMEM, "out of memory for the tensors that planning by measurement runs on");
        goto cleanup;
    }
    run_all(&x, q, k, v, o);
    for (size_t i = 0; i < count; i++)
        learn(&x, problem, list[i]);
    const size_t best = winner_of_all(&x, list, count);
    attn_plan *plan = x.plans[best];
    x.plans[best] = NULL;
    plan->chosen_by = "measurement";
    plan->measured_ns = x.ns[best];
    for (size_t i = 0; i < x.count; i++) {
        const attn_plan *other = i == best ? plan : x.plans[i];
        plan->tried[i] = (tried){.kernel = other->kernel, .cycles = other->cycles, .ns = x.ns[i]};
        memcpy(plan->tried[i].lowering, other->lowering, sizeof other->lowering);
    }
    plan->tried_count = x.count;
    *out = plan;

cleanup:
    free(o);
    free(v);
    free(k);
    free(q);
    for (size_t i = 0; i < x.count; i++)
        attn_plan_destroy(x.plans[i]);
    return status;
}
