/* Lowerings: that plans compute what they say and nothing else, whichever way is chosen, and that the choice
 * can be named. */
#include "support/kernel_list.h"
#include "support/own_patterns.h"
#include "support/scene.h"

#include <signal.h>
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/plan_parts.h"


/* The tally of a run equals the plan's prediction (scene_run asserts it), and the rows are right. */
static void check_scene(scene s)
{
    scene_open(&s);
    scene_run(&s);
    scene_oracle(&s);
    difference d = scene_compare(&s);
    cr_assert(d.misplaced == 0 && d.relative <= 1e-6, "%s as %s: relative error %.2e, misplaced %zu", s.name,
              attn_plan_lowering(s.plan), d.relative, d.misplaced);
    const attn_cost *c = attn_plan_cost(s.plan);
    cr_assert((c->granules > 0) == (c->pairs_total > 0) && plan_tally(s.plan)->granules == c->granules && plan_tally(s.plan)->tiles == c->tiles,
              "%s: granules %llu", s.name, (unsigned long long)c->granules);
    scene_close(&s);
}

static const struct { size_t nq, nk; } sizes[] = {{1, 1}, {7, 7}, {129, 129}, {64, 200}, {200, 64}, {301, 301}};
enum { SIZES = sizeof sizes / sizeof sizes[0] };

static const char *const specs[] = {
    "dense", "dense:causal=0", "local:k=0", "local:k=37", "local:k=9,causal=0", "strided:l=13", "strided:l=16,causal=0",
    "strided:l=5,head=column", "strided:l=40,head=local", "fixed:l=20,c=3", "fixed:l=16,c=4,sub=1,causal=0",
    "fixed:l=23,c=1,head=summary", "fixed:l=31,c=2,head=block",
};
enum { SPECS = sizeof specs / sizeof specs[0] };

Test(lowering, computes_what_is_planned)
{
    const kernel *list[MAX_KERNELS];
    size_t kernels_here = runnable_kernels(list, MAX_KERNELS);
    for (size_t k = 0; k < kernels_here; k++)
        for (size_t p = 0; p < SPECS; p++)
            for (size_t z = 0; z < SIZES; z++)
                check_scene((scene){.spec = specs[p], .nq = sizes[z].nq, .nk = sizes[z].nk, .heads = 2, .dim = 20,
                                    .descriptor = list[k], .threads = 2, .seed = (unsigned)(p + z)});
}

Test(lowering, either_way_is_right)
{
    static const char *const ways[] = {"natural", "classes", "classes2/1", "natural/3", "mixed/8"};
    static const char *const followers[] = {"strided:l=13", "strided:l=16,causal=0", "strided:l=5,head=column"};
    const kernel *list[MAX_KERNELS];
    size_t kernels_here = runnable_kernels(list, MAX_KERNELS);
    for (size_t k = 0; k < kernels_here; k++)
        for (size_t w = 0; w < sizeof ways / sizeof ways[0]; w++) {
            for (size_t p = 0; p < sizeof followers / sizeof followers[0]; p++)
                check_scene((scene){.spec = followers[p], .nq = 190, .nk = 190, .heads = 2, .dim = 20, .threads = 2,
                                    .descriptor = list[k], .lowering = ways[w], .seed = (unsigned)p});
            for (size_t p = 0; own_patterns[p]; p++)
                check_scene((scene){.pattern = own_patterns[p], .nq = 150, .nk = 150, .heads = 3, .dim = 20,
                                    .threads = 2, .descriptor = list[k], .lowering = ways[w], .seed = (unsigned)p});
        }
}

/* A plan that says of itself what it does not do is found out. */
Test(lowering, a_broken_count_is_noticed)
{
    scene s = {.spec = "strided:l=13", .nq = 190, .heads = 2, .dim = 20, .threads = 1, .kernel = "portable", .seed = 1};
    scene_open(&s);
    scene_run(&s);
    attn_cost *cost = &s.plan->cost;
    tally *total = &s.plan->total;
    const struct { uint64_t *count; uint64_t by; const char *what; } broken[] = {
        {&cost->tiles, 1, "tiles"}, {&cost->granules, 1, "granules"}, {&cost->flops_executed, 4 * 20, "lanes"},
        {&total->tiles, 1, "tiles"}, {&total->granules, 1, "granules"}, {&total->lanes, 1, "lanes"},
    };
    for (size_t b = 0; b < sizeof broken / sizeof broken[0]; b++) {
        *broken[b].count += broken[b].by;
        const char *found = plan_miscount(s.plan);
        cr_assert(found && strcmp(found, broken[b].what) == 0, "case %zu: %s went unnoticed (%s)", b, broken[b].what,
                  found ? found : "all right");
        *broken[b].count -= broken[b].by;
    }
    cr_assert(!plan_miscount(s.plan), "restored");
    scene_close(&s);
}

/* Computing what is masked is noticed too: a run of all rows where the plan counted on a few. Debug builds
 * stop there. */
#ifdef ATTN_DEBUG
Test(lowering, a_touched_vector_too_many_is_noticed, .signal = SIGABRT)
#else
Test(lowering, a_touched_vector_too_many_is_noticed)
#endif
{
    scene s = {.spec = "fixed:l=20,c=3", .nq = 190, .heads = 1, .dim = 20, .threads = 1, .kernel = "portable", .seed = 1};
    scene_open(&s);
    const program *p = &s.plan->lowered[0].program;
    mask_range *ranges = (mask_range *)(uintptr_t)p->ranges;
    size_t narrow = 0;
    while (narrow < p->mask_count && ranges[narrow].hi - ranges[narrow].lo == 2)
        narrow++;
    cr_assert(narrow < p->mask_count, "no granule touches a part of a tile only");
    ranges[narrow].lo = 0;
    ranges[narrow].hi = 2;
    attn_plan_run(s.plan, s.q, s.k, s.v, s.o, s.lse);
    const char *found = plan_miscount(s.plan);
    cr_assert(found && strcmp(found, "lanes") == 0, "two vectors computed for one, and %s", found ? found : "nothing said");
    scene_close(&s);
}

Test(lowering, names_are_read_back)
{
    static const choice all[] = {{0, 0}, {1, 0}, {2, 8}, {3, 64}, {CLASSES_ESTIMATED, 1}};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        char name[CHOICE_LENGTH];
        choice back;
        choice_name(all[i], name);
        cr_assert(choice_parse(name, &back, NULL) == ATTN_OK && back.classes == all[i].classes &&
                      back.group == all[i].group, "%s", name);
    }
    static const char *const wrong[] = {"", "/", "natural/", "natural/0", "natural/65", "classes4", "classes/-1", "class",
                                        "natural/8x", "rows/1", "natural/99999999999999999999"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        choice back = {7, 7};
        attn_error err = {""};
        cr_assert(choice_parse(wrong[i], &back, &err) == ATTN_EINVAL && back.group == 7, "%s was taken", wrong[i]);
        cr_assert(strstr(err.message, "classes/8"), "%s: %s", wrong[i], err.message);
    }
}

/* The name of a plan's lowering gives the same plan again, on a machine of any size. */
Test(lowering, a_name_repeats_a_plan)
{
    static const char *const repeated[] = {"strided:l=13", "strided:l=13,head=column", "dense", "fixed:l=20,c=3"};
    for (size_t p = 0; p < sizeof repeated / sizeof repeated[0]; p++) {
        scene s = {.spec = repeated[p], .nq = 700, .heads = 2, .dim = 16, .threads = 2, .kernel = "portable"};
        scene_open(&s);
        char name[CHOICE_LENGTH];
        attn_cost cost = *attn_plan_cost(s.plan);
        strcpy(name, attn_plan_lowering(s.plan));
        s.lowering = name;
        scene_plan(&s);
        cr_assert(strcmp(attn_plan_lowering(s.plan), name) == 0, "%s became %s", name, attn_plan_lowering(s.plan));
        cr_assert(memcmp(attn_plan_cost(s.plan), &cost, sizeof cost) == 0, "%s as %s: another plan", s.name, name);
        scene_close(&s);
    }
}

Test(lowering, unknown_ones_are_refused)
{
    scene s = {.spec = "dense", .nq = 8, .dim = 8, .kernel = "portable"};
    scene_open(&s);
    static const struct { const char *kernel, *lowering, *mention; } wrong[] = {
        {"portable", "diagonal", "diagonal"}, {"portable", "rows", "portable"}, {"auto", "natural/0", "natural/0"}};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        attn_problem problem = {.layout = s.layout, .batch = 1, .dim = 8, .kernel = wrong[i].kernel,
                                .lowering = wrong[i].lowering};
        attn_plan *plan = s.plan;
        attn_error err = {""};
        attn_status status = attn_plan_create(&plan, &problem, &err);
        cr_assert(status == ATTN_EINVAL && !plan && strstr(err.message, wrong[i].mention), "status %d: %s", (int)status,
                  err.message);
    }
    attn_problem oracle = {.layout = s.layout, .batch = 1, .dim = 8, .kernel = "oracle", .lowering = "rows"};
    attn_plan *plan;
    cr_assert(attn_plan_create(&plan, &oracle, NULL) == ATTN_OK && strcmp(attn_plan_lowering(plan), "rows") == 0,
              "the oracle works on rows");
    attn_plan_destroy(plan);
    scene_close(&s);
}

/* By its own model, the planner's choice is never much worse than the other one. */
Test(lowering, estimates_choose_what_they_predict_to_be_cheaper)
{
    static const size_t lengths[] = {3, 8, 20, 33, 64, 100, 128, 200, 400};
    const kernel *list[MAX_KERNELS];
    size_t kernels_here = runnable_kernels(list, MAX_KERNELS);
    for (size_t i = 0; i < 2 * sizeof lengths / sizeof lengths[0]; i++) {
        char text[64];
        snprintf(text, sizeof text, "strided:l=%zu%s", lengths[i / 2], i % 2 ? ",head=column" : "");
        scene s = {.spec = text, .nq = 900, .dim = 32, .threads = 1, .kernel = "portable"};
        scene_open(&s);
        for (size_t k = 0; k < kernels_here; k++) {
            attn_problem problem = {.layout = s.layout, .batch = 1, .dim = 32, .threads = 1, .dtype = ATTN_F32};
            if (!(list[k]->dtypes & 1u << ATTN_F32))
                problem.dtype = ATTN_BF16;
            double cycles[3];
            static const char *const ways[] = {NULL, "natural", "classes"};
            for (size_t w = 0; w < 3; w++) {
                attn_plan *plan;
                problem.lowering = ways[w];
                cr_assert(plan_create_for(&plan, &problem, list[k], NULL) == ATTN_OK, "%s", text);
                cycles[w] = plan->cycles;
                attn_plan_destroy(plan);
            }
            cr_assert(cycles[0] > 0 && cycles[0] <= 1.1 * cycles[1] && cycles[0] <= 1.1 * cycles[2],
                      "%s %s: %.0f cycles by estimate, natural %.0f, classes %.0f", list[k]->name, text, cycles[0],
                      cycles[1], cycles[2]);
        }
        scene_close(&s);
    }
}
