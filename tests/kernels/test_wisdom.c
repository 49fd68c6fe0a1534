/* Wisdom and planning by measurement: what is learned is used, can be written down and read back, and is refused
 * when it is not wisdom. */
#include "support/kernel_list.h"
#include "support/scene.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/plan_parts.h"
#include "kernels/wisdom.h"

/* A small problem with two lowerings, and what is asked of it. */
static scene small(void)
{
    return (scene){.spec = "strided:l=16", .nq = 150, .heads = 2, .dim = 16, .threads = 2, .kernel = "portable", .seed = 3};
}

static attn_plan *plan_of(const scene *s, attn_plan_mode mode, const char *name)
{
    attn_problem problem = {.layout = s->layout, .batch = s->batch, .kv_heads = s->kv_heads, .dim = s->dim,
                            .threads = s->threads, .kernel = name, .plan = mode};
    attn_plan *plan;
    attn_error err = {""};
    cr_assert(attn_plan_create(&plan, &problem, &err) == ATTN_OK, "%s: %s", s->spec, err.message);
    return plan;
}

/* An entry for the problem of `s`. */
static char *entry_for(const scene *s, const char *lowering, unsigned ns)
{
    attn_problem problem = {.layout = s->layout, .batch = s->batch, .kv_heads = s->kv_heads, .dim = s->dim};
    const kernel *k = kernels[0];
    for (size_t i = 0; kernels[i]; i++)
        k = strcmp(kernels[i]->name, s->kernel) == 0 ? kernels[i] : k;
    char *key = wisdom_key(&problem, k, s->threads), *text;
    cr_assert(asprintf(&text, "attn-wisdom 1\n%s lowering=%s ns=%u\n", key, lowering, ns) > 0, "out of memory");
    free(key);
    return text;
}

Test(wisdom, is_used_by_every_mode)
{
    static const char *const ways[] = {"natural/2", "classes/3"};
    scene s = small();
    scene_open(&s);
    for (size_t w = 0; w < 2; w++)
        for (attn_plan_mode mode = ATTN_PLAN_ESTIMATE; mode <= ATTN_PLAN_MEASURE; mode++) {
            char *text = entry_for(&s, ways[w], 4321);
            cr_assert(attn_wisdom_import(text, NULL, NULL) == ATTN_OK, "%s", text);
            attn_plan *plan = plan_of(&s, mode, "portable");
            cr_assert(strcmp(attn_plan_lowering(plan), ways[w]) == 0 && strcmp(attn_plan_chosen_by(plan), "wisdom") == 0,
                      "%s became %s by %s", ways[w], attn_plan_lowering(plan), attn_plan_chosen_by(plan));
            cr_assert(plan->measured_ns >= 4321 && plan->measured_ns <= 4321, "%g ns", plan->measured_ns);
            attn_plan_destroy(plan);
            free(text);
        }
    attn_wisdom_forget();
    attn_plan *plan = plan_of(&s, ATTN_PLAN_ESTIMATE, "portable");
    cr_assert(strcmp(attn_plan_chosen_by(plan), "estimate") == 0, "by %s after forgetting", attn_plan_chosen_by(plan));
    attn_plan_destroy(plan);
    scene_close(&s);
}

/* An entry for any other problem changes nothing. */
Test(wisdom, holds_for_its_own_problem_only)
{
    scene s = small();
    scene_open(&s);
    char *text = entry_for(&s, "natural/2", 1);
    cr_assert(attn_wisdom_import(text, NULL, NULL) == ATTN_OK, "%s", text);
    free(text);
    scene others[] = {small(), small(), small(), small(), small()};
    others[0].nq = 151;
    others[1].dim = 17;
    others[2].threads = 3;
    others[3].spec = "strided:l=17";
    others[4].batch = 2;
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        scene_open(&others[i]);
        cr_assert(strcmp(attn_plan_chosen_by(others[i].plan), "estimate") == 0, "case %zu: by %s", i,
                  attn_plan_chosen_by(others[i].plan));
        scene_close(&others[i]);
    }
    scene_close(&s);
}

/* Planning by measurement takes what it found to be fastest, tells what it tried, and remembers. */
Test(wisdom, measuring_learns)
{
    scene s = small();
    scene_open(&s);
    attn_plan *plan = plan_of(&s, ATTN_PLAN_MEASURE, "auto");
    cr_assert(strcmp(attn_plan_chosen_by(plan), "measurement") == 0 && plan->measured_ns > 0 && plan->tried_count >= 4,
              "by %s: %g ns, %zu tried", attn_plan_chosen_by(plan), plan->measured_ns, plan->tried_count);
    bool classes = false, natural = false;
    for (size_t i = 0; i < plan->tried_count; i++) {
        const tried *t = &plan->tried[i];
        classes |= strncmp(t->lowering, "classes", 7) == 0;
        natural |= strncmp(t->lowering, "natural", 7) == 0;
        cr_assert(t->ns <= 0 || t->ns >= 0.9 * plan->measured_ns, "%s took %g ns, the winner %g", t->lowering, t->ns,
                  plan->measured_ns);
    }
    cr_assert(classes && natural, "only one way was tried");
    char *text = attn_wisdom_export();
    cr_assert(text && strstr(text, attn_plan_lowering(plan)), "not learned: %s", text);
    attn_plan *again = plan_of(&s, ATTN_PLAN_MEASURE, "auto");
    cr_assert(strcmp(attn_plan_chosen_by(again), "wisdom") == 0 &&
                  strcmp(attn_plan_lowering(again), attn_plan_lowering(plan)) == 0 &&
                  strcmp(attn_plan_kernel(again), attn_plan_kernel(plan)) == 0,
              "%s by %s", attn_plan_lowering(again), attn_plan_chosen_by(again));

    attn_wisdom_forget();
    attn_wisdom_counts counts;
    cr_assert(attn_wisdom_import(text, &counts, NULL) == ATTN_OK && counts.taken >= 1 && counts.ignored == 0, "%s", text);
    char *same = attn_wisdom_export();
    cr_assert(strcmp(text, same) == 0, "read back as %s", same);
    free(same);
    free(text);
    attn_plan_destroy(plan);
    attn_plan_destroy(again);
    scene_close(&s);
}

/* A measured plan computes the same as any other. */
Test(wisdom, measured_plans_are_right)
{
    const char *const specs[] = {"dense", "strided:l=9", "fixed:l=12,c=3"};
    for (size_t i = 0; i < 3; i++) {
        scene s = small();
        s.spec = specs[i];
        s.dtype = i == 1 ? ATTN_BF16 : ATTN_F32;
        scene_open(&s);
        attn_problem problem = {.layout = s.layout, .batch = 1, .dim = 16, .dtype = s.dtype, .threads = 2,
                                .kernel = "portable", .plan = ATTN_PLAN_MEASURE};
        attn_plan_destroy(s.plan);
        cr_assert(attn_plan_create(&s.plan, &problem, NULL) == ATTN_OK, "%s", specs[i]);
        scene_run(&s);
        scene_oracle(&s);
        difference d = scene_compare(&s);
        cr_assert(d.misplaced == 0 && d.relative <= (s.dtype == ATTN_F32 ? 1e-6 : 4e-3), "%s: %.2e", s.name, d.relative);
        scene_close(&s);
    }
}

Test(wisdom, keys_are_escaped)
{
    scene s = small();
    scene_open(&s);
    char *text = entry_for(&s, "natural/2", 5);
    const char *cpu = strstr(text, " cpu="), *threads = strstr(text, " threads=");
    cr_assert(cpu && threads && strcspn(cpu + 1, " ") == (size_t)(threads - cpu - 1), "a space in the CPU's name: %s", text);
    free(text);
    scene_close(&s);
}

#define KEY "kernel=portable isa=portable cpu=x threads=1 batch=1 heads=1 kv_heads=1 nq=8 nk=8 dim=8 dtype=f32 pattern=dense"
#define GOOD KEY " lowering=natural/8 ns=100\n"

Test(wisdom, refuses_what_is_not_wisdom)
{
    static const struct { const char *text, *mention; } wrong[] = {
        {"", "line 1"},
        {"wisdom\n", "attn-wisdom 1"},
        {"attn-wisdom 2\n" GOOD, "line 1"},
        {"attn-wisdom 1\nnonsense\n", "line 2"},
        {"attn-wisdom 1\n" GOOD GOOD "kernel=\n", "line 4"},
        {"attn-wisdom 1\n" KEY " lowering=diagonal/8 ns=1\n", "diagonal"},
        {"attn-wisdom 1\n" KEY " lowering=natural/8 ns=0\n", "ns=0"},
        {"attn-wisdom 1\n" KEY " lowering=natural/8 ns=-4\n", "ns=-4"},
        {"attn-wisdom 1\n" KEY " lowering=natural/8 ns=nan\n", "ns=nan"},
        {"attn-wisdom 1\n" KEY " lowering=natural/8 ns=5 \n", "line 2"},
        {"attn-wisdom 1\n" KEY " lowering=natural/8\n", "line 2"},
        {"attn-wisdom 1\n" KEY " ns=5 lowering=natural/8\n", "lowering"},
        {"attn-wisdom 1\nkernel=portable isa=portable cpu=x threads=0 batch=1 heads=1 kv_heads=1 nq=8 nk=8 dim=8 dtype=f32 "
         "pattern=dense lowering=natural ns=1\n", "threads=0"},
        {"attn-wisdom 1\nkernel=portable isa=portable cpu=x threads=1 batch=1 heads=1 kv_heads=1 nq=8 nk=8 dim=8 dtype=f64 "
         "pattern=dense lowering=natural ns=1\n", "dtype=f64"},
    };
    cr_assert(attn_wisdom_import("attn-wisdom 1\n" GOOD, NULL, NULL) == ATTN_OK, "the good one");
    char *before = attn_wisdom_export();
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        attn_error err = {""};
        cr_assert(attn_wisdom_import(wrong[i].text, NULL, &err) == ATTN_EINVAL, "case %zu was taken", i);
        cr_assert(strstr(err.message, wrong[i].mention), "case %zu: \"%s\" does not mention %s", i, err.message,
                  wrong[i].mention);
        char *after = attn_wisdom_export();
        cr_assert(strcmp(before, after) == 0, "case %zu left %s", i, after);
        free(after);
    }
    free(before);
}

Test(wisdom, ignores_unknown_kernels_and_replaces_older_entries)
{
    attn_wisdom_counts counts = {7, 7};
    cr_assert(attn_wisdom_import("attn-wisdom 1\n\nkernel=quantum isa=none cpu=x threads=1 batch=1 heads=1 kv_heads=1 nq=8 "
                                 "nk=8 dim=8 dtype=f32 pattern=dense lowering=natural ns=1\n" GOOD KEY
                                 " lowering=natural/2 ns=50",
                                 &counts, NULL) == ATTN_OK && counts.taken == 2 && counts.ignored == 1,
              "taken %zu, ignored %zu", counts.taken, counts.ignored);
    char *text = attn_wisdom_export();
    cr_assert(strcmp(text, "attn-wisdom 1\n" KEY " lowering=natural/2 ns=50\n") == 0, "%s", text);
    free(text);
    attn_wisdom_forget();
    text = attn_wisdom_export();
    cr_assert(strcmp(text, "attn-wisdom 1\n") == 0, "%s", text);
    free(text);
}

static void *meddle(void *number)
{
    size_t own = *(size_t *)number;
    for (size_t i = 0; i < 200; i++) {
        char line[512];
        snprintf(line, sizeof line, "attn-wisdom 1\nkernel=portable isa=portable cpu=x threads=%zu batch=%zu heads=1 kv_heads=1 "
                 "nq=8 nk=8 dim=8 dtype=f32 pattern=dense lowering=natural/8 ns=9\n", own + 1, i % 20 + 1);
        if (attn_wisdom_import(line, NULL, NULL) != ATTN_OK)
            return (void *)number;
        free(attn_wisdom_export());
    }
    return NULL;
}

Test(wisdom, is_safe_with_threads)
{
    pthread_t threads[4];
    size_t numbers[4] = {0, 1, 2, 3}, lines = 0;
    for (size_t t = 0; t < 4; t++)
        pthread_create(&threads[t], NULL, meddle, &numbers[t]);
    for (size_t t = 0; t < 4; t++) {
        void *failed;
        pthread_join(threads[t], &failed);
        cr_assert(!failed, "thread %zu failed", t);
    }
    char *text = attn_wisdom_export();
    for (const char *c = text; *c; c++)
        lines += *c == '\n';
    cr_assert(lines == 1 + 4 * 20, "%zu lines", lines);
    free(text);
}
