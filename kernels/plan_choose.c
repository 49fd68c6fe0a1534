/* Choosing a kernel and a lowering for a problem. */
#include "kernels/plan_parts.h"

#include <stdlib.h>
#include <string.h>

#include "base/suggest.h"
#include "kernels/wisdom.h"

enum { MAX_KERNELS = 16 };

/* ---- kernels ---- */

static attn_status unknown_kernel(const char *name, attn_error *err)
{
    suggestion near = {.word = name};
    for (size_t i = 0; kernels[i]; i++)
        suggest_offer(&near, kernels[i]->name);
    return attn_fail(err, ATTN_EINVAL, "kernel \"%s\" is not known%s%s%s; `attnlab list` shows them", name,
                     near.best ? "; did you mean \"" : "", near.best ? near.best : "", near.best ? "\"?" : "");
}

static attn_status named_kernel(const kernel **out, const char *name, attn_dtype dtype, attn_error *err)
{
    size_t i = 0;
    while (kernels[i] && strcmp(kernels[i]->name, name) != 0)
        i++;
    const kernel *k = kernels[i];
    if (!k)
        return unknown_kernel(name, err);
    const char *reason = NULL;
    attn_status status = kernel_unavailable(k, &reason, err);
    if (status != ATTN_OK)
        return status;
    if (reason)
        return attn_fail(err, ATTN_EUNAVAILABLE, "kernel %s cannot run: %s", name, reason);
    if (!(k->dtypes & 1u << dtype))
        return attn_fail(err, ATTN_EUNAVAILABLE, "kernel %s does not compute %s", name, attn_dtype_name(dtype));
    *out = k;
    return ATTN_OK;
}

attn_status plan_kernels(const kernel **out, size_t capacity, size_t *count, const attn_problem *p, attn_error *err)
{
    *count = 0;
    if (p->kernel && strcmp(p->kernel, "auto") != 0) {
        *count = 1;
        return named_kernel(out, p->kernel, p->dtype, err);
    }
    for (size_t i = 0; kernels[i] && *count < capacity; i++) {
        const char *reason = NULL;
        attn_status status = kernel_unavailable(kernels[i], &reason, err);
        if (status == ATTN_OK && !reason)
            status = kernel_passed_over(kernels[i], &reason, err);
        if (status != ATTN_OK)
            return status;
        if (!reason && (kernels[i]->dtypes & 1u << p->dtype))
            out[(*count)++] = kernels[i];
    }
    if (!*count)
        return attn_fail(err, ATTN_EUNAVAILABLE, "no kernel here computes %s", attn_dtype_name(p->dtype));
    return ATTN_OK;
}

static const double clearly = 0.8; /* of a plan's predicted cost */

bool plan_may_lose_to(const attn_plan *plan, const kernel *k)
{
    double least = (double)plan->cost.pairs_total * work_least_cycles(k->geometry, &k->rates, plan->shape.dim);
    return k->geometry.lanes && plan->kernel->geometry.lanes && least < clearly * plan->cycles;
}

bool plan_loses_to(const attn_plan *plan, const attn_plan *other)
{
    return other->cycles < clearly * plan->cycles;
}

/* ---- lowerings ---- */

attn_status plan_create_for(attn_plan **out, const attn_problem *problem, const kernel *k, attn_error *err)
{
    choice c = {CLASSES_ESTIMATED, 0};
    *out = NULL;
    bool rows = problem->lowering && strcmp(problem->lowering, "rows") == 0;
    if (rows && k->geometry.lanes)
        return attn_fail(err, ATTN_EINVAL, "lowering \"rows\" is not one of kernel %s", k->name);
    attn_status status = problem->lowering && !rows ? choice_parse(problem->lowering, &c, err) : ATTN_OK;
    if (status == ATTN_OK)
        status = plan_create_as(out, problem, k, c, err);
    if (status == ATTN_OK && problem->lowering)
        (*out)->chosen_by = "request";
    return status;
}

/* ---- wisdom ---- */

bool plan_measured_better(double ns, double than, bool first)
{
    const double clearly_less = 0.98; /* of the time of what is taken otherwise */
    return ns < (first ? clearly_less : 1) * than;
}

/* The entry for the first kernel of the list, or for another that was measured to be faster; NULL: none. */
static const kernel *recall(const attn_problem *problem, const kernel *const *list, size_t count, choice *c, double *ns)
{
    const kernel *best = NULL;
    for (size_t i = 0; i < count && (i == 0 || best); i++) {
        char *key = wisdom_key(problem, list[i], plan_threads(problem));
        choice found;
        double time;
        if (key && wisdom_find(key, &found, &time) && (!best || plan_measured_better(time, *ns, best == list[0]))) {
            best = list[i];
            *c = found;
            *ns = time;
        }
        free(key);
    }
    return best;
}

/* ---- all together ---- */

static attn_status estimate(attn_plan **out, const attn_problem *problem, const kernel *const *list, size_t count,
                            attn_error *err)
{
    attn_status status = plan_create_for(out, problem, list[0], err);
    for (size_t i = 1; i < count && status == ATTN_OK; i++) {
        attn_plan *other = NULL;
        if (!plan_may_lose_to(*out, list[i]))
            continue;
        if ((status = plan_create_for(&other, problem, list[i], err)) != ATTN_OK)
            break;
        bool better = plan_loses_to(*out, other);
        attn_plan_destroy(better ? *out : other);
        if (better)
            *out = other;
    }
    if (status != ATTN_OK) {
        attn_plan_destroy(*out);
        *out = NULL;
    }
    return status;
}

attn_status attn_plan_create(attn_plan **out, const attn_problem *problem, attn_error *err)
{
    const kernel *list[MAX_KERNELS];
    size_t count = 0;
    choice c;
    double ns = 0;
    *out = NULL;
    attn_status status = plan_check_problem(problem, err);
    if (status == ATTN_OK)
        status = plan_kernels(list, MAX_KERNELS, &count, problem, err);
    if (status != ATTN_OK)
        return status;
    const kernel *known = problem->lowering ? NULL : recall(problem, list, count, &c, &ns);
    if (known) {
        status = plan_create_as(out, problem, known, c, err);
        if (status == ATTN_OK) {
            (*out)->chosen_by = "wisdom";
            (*out)->measured_ns = ns;
        }
        return status;
    }
    return problem->plan == ATTN_PLAN_MEASURE && !problem->lowering ? plan_measure(out, problem, list, count, err)
                                                                    : estimate(out, problem, list, count, err);
}
