/* Explanations: they agree with the plan they explain, and say why the others are not it. */
#include "support/kernel_list.h"
#include "support/scene.h"

#include <criterion/criterion.h>
#include <string.h>

#include "kernels/plan_parts.h"

static const char *const specs[] = {"dense", "local:k=30", "strided:l=13", "fixed:l=20,c=3", "strided:l=7,head=column",
                                    "strided:l=64,causal=0"};
enum { SPECS = sizeof specs / sizeof specs[0] };

/* The parts add up to the cost, every allowed pair among them once. */
Test(explain, parts_add_up)
{
    for (size_t p = 0; p < SPECS; p++) {
        scene s = {.spec = specs[p], .nq = 500, .nk = 600, .heads = 3, .batch = 2, .dim = 24, .threads = 2};
        scene_open(&s);
        attn_problem problem = {.layout = s.layout, .batch = 2, .dim = 24, .threads = 2};
        attn_explanation *e;
        attn_error err = {""};
        cr_assert(attn_plan_explain(&e, &problem, &err) == ATTN_OK, "%s: %s", specs[p], err.message);
        const attn_cost *c = attn_plan_cost(s.plan);
        cr_assert(memcmp(&e->cost, c, sizeof *c) == 0 && strcmp(e->lowering, attn_plan_lowering(s.plan)) == 0 &&
                      strcmp(e->kernel, attn_plan_kernel(s.plan)) == 0,
                  "%s: explains another plan", specs[p]);
        attn_part_info sum = {0};
        double ns = 0;
        for (size_t i = 0; i < e->part_count; i++) {
            const attn_part_info *x = &e->parts[i];
            cr_assert(x->lanes_useful <= x->lanes_executed && x->masked_granules <= x->granules && x->groups <= x->tiles &&
                          x->items <= x->groups && x->rows_carried <= 500 && *x->way,
                      "%s part %zu: counts contradict each other", specs[p], i);
            sum.tiles += x->tiles;
            sum.granules += x->granules;
            sum.lanes_useful += x->lanes_useful;
            sum.lanes_executed += x->lanes_executed;
            ns += x->predicted_ns;
        }
        cr_assert(6 * sum.tiles == c->tiles && 6 * sum.granules == c->granules && 6 * sum.lanes_useful == c->pairs_total &&
                      6 * 4 * 24 * sum.lanes_executed == c->flops_executed,
                  "%s: %llu tiles, %llu granules, %llu useful and %llu executed lanes a head", specs[p],
                  (unsigned long long)sum.tiles, (unsigned long long)sum.granules, (unsigned long long)sum.lanes_useful,
                  (unsigned long long)sum.lanes_executed);
        cr_assert(ns > 0 && e->predicted_ns > 0 && e->imbalance >= 1, "%s: parts take %g ns, all %g", specs[p], ns,
                  e->predicted_ns);
        cr_assert(e->program_bytes + e->schedule_bytes + e->carried_bytes + e->scratch_bytes == c->workspace_bytes,
                  "%s: workspace", specs[p]);
        cr_assert((e->carried_bytes > 0) == (e->part_count > 1), "%s: %zu parts carry %zu bytes", specs[p], e->part_count,
                  e->carried_bytes);
        attn_explanation_destroy(e);
        scene_close(&s);
    }
}

static const attn_candidate_info *find(const attn_explanation *e, const char *name, const char *lowering)
{
    for (size_t i = 0; i < e->candidate_count; i++)
        if (strcmp(e->candidates[i].kernel, name) == 0 &&
            strncmp(e->candidates[i].lowering, lowering, strlen(lowering)) == 0)
            return &e->candidates[i];
    return NULL;
}

Test(explain, names_what_was_not_chosen)
{
    scene s = {.spec = "strided:l=64", .nq = 700, .dim = 24, .kernel = "portable"};
    scene_open(&s);
    attn_problem problem = {.layout = s.layout, .batch = 1, .dim = 24, .threads = 1, .kernel = "portable"};
    attn_explanation *e;
    cr_assert(attn_plan_explain(&e, &problem, NULL) == ATTN_OK, "explain");
    const attn_candidate_info *natural = find(e, "portable", "natural"), *classes = find(e, "portable", "classes");
    cr_assert(natural && classes && natural->chosen + classes->chosen == 1 && e->candidates[0].chosen, "two lowerings");
    cr_assert((natural->predicted_ns < classes->predicted_ns) == natural->chosen, "natural %g, classes %g",
              natural->predicted_ns, classes->predicted_ns);
    for (size_t i = 0; i < e->candidate_count; i++)
        cr_assert(*e->candidates[i].why, "candidate %zu has no reason", i);
    for (size_t k = 0; k < attn_kernel_count(); k++)
        cr_assert(find(e, attn_kernel_at(k).name, ""), "%s is missing", attn_kernel_at(k).name);
    const attn_candidate_info *oracle = find(e, "oracle", "");
    cr_assert(oracle && !oracle->chosen && strstr(oracle->why, "portable was asked for"), "oracle: %s", oracle ? oracle->why : "missing");
    problem.lowering = natural->chosen ? "classes" : "natural"; /* the other one */
    attn_explanation_destroy(e);

    cr_assert(attn_plan_explain(&e, &problem, NULL) == ATTN_OK && strcmp(e->chosen_by, "request") == 0 &&
                  strncmp(e->lowering, problem.lowering, strlen(problem.lowering)) == 0,
              "asked for %s, got %s by %s", problem.lowering, e->lowering, e->chosen_by);
    attn_explanation_destroy(e);
    problem.kernel = "oracle";
    problem.lowering = NULL;
    cr_assert(attn_plan_explain(&e, &problem, NULL) == ATTN_OK && e->part_count == 1 && strcmp(e->lowering, "rows") == 0,
              "the oracle");
    attn_explanation_destroy(e);
    attn_explanation_destroy(NULL);
    scene_close(&s);
}

Test(explain, fails_as_planning_does)
{
    scene s = {.spec = "dense", .nq = 8, .dim = 8};
    scene_open(&s);
    attn_problem problem = {.layout = s.layout, .batch = 0, .dim = 8};
    attn_explanation *e = (attn_explanation *)&e;
    attn_error err = {""};
    cr_assert(attn_plan_explain(&e, &problem, &err) == ATTN_EINVAL && !e && strstr(err.message, "batch=0"), "%s",
              err.message);
    scene_close(&s);
}

/* One head is shared evenly by many threads, two parts with their waits included. */
Test(explain, one_long_head_serves_many_threads)
{
    static const char *const long_specs[] = {"dense", "local:k=255", "strided:l=128", "strided:l=128,head=column",
                                             "fixed:l=128,c=8"};
    for (size_t p = 0; p < sizeof long_specs / sizeof long_specs[0]; p++) {
        scene s = {.spec = long_specs[p], .nq = 8, .dim = 8};
        scene_open(&s);
        attn_layout *layout;
        cr_assert(attn_layout_create(&layout, s.parsed, 32768, 32768, 1, NULL) == ATTN_OK, "%s", long_specs[p]);
        for (int threads = 1; threads <= 64; threads *= 2) {
            attn_problem problem = {.layout = layout, .batch = 1, .dim = 64, .threads = threads, .kernel = "portable"};
            attn_explanation *e;
            cr_assert(attn_plan_explain(&e, &problem, NULL) == ATTN_OK, "%s", long_specs[p]);
            cr_assert(e->imbalance >= 0.999 && e->imbalance <= 1.25, "%s on %d threads: %.3f of an even split, %.1f items a thread",
                      long_specs[p], threads, e->imbalance, e->items_per_thread);
            attn_explanation_destroy(e);
        }
        attn_layout_destroy(layout);
        scene_close(&s);
    }
}
