/* Work repeated on purpose: dearer by a known share, with the same result. */
#include "support/kernel_list.h"
#include "support/scene.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/plan_inject.h"
#include "kernels/plan_parts.h"

static const char *const specs[] = {"dense", "local:k=40", "strided:l=24", "fixed:l=32,c=4", "strided:l=16,head=column,causal=0"};
static const char *const names[] = {"portable", "avx2", "avx512", "amx_f32", "oracle"};

Test(inject, changes_no_bit)
{
    for (size_t k = 0; k < sizeof names / sizeof *names; k++)
        for (size_t i = 0; i < sizeof specs / sizeof *specs && kernel_runs(names[k]); i++) {
            scene s = {.spec = specs[i], .nq = 333, .heads = 4, .kv_heads = 2, .dim = 64, .kernel = names[k], .threads = 1 + (int)(i % 2)};
            attn_error err;
            scene_open(&s);
            scene_run(&s);
            const size_t bytes = scene_queries(&s) * sizeof(float);
            float *kept = malloc(bytes);
            cr_assert(kept, "out of memory");
            memcpy(kept, s.o, bytes);
            const tally before = *plan_tally(s.plan);
            for (double share = 0.01; share <= 1; share *= 3) {
                cr_assert(plan_inject(s.plan, share, &err) == ATTN_OK, "%s: %s", s.name, err.message);
                memset(s.o, 0xff, bytes);
                scene_run(&s); /* asserts that the plan did what it had predicted */
                cr_assert(memcmp(kept, s.o, bytes) == 0, "%s: other bits with %g", s.name, share);
                cr_assert(memcmp(&before, plan_tally(s.plan), sizeof before) == 0, "%s: another tally with %g", s.name, share);
            }
            free(kept);
            scene_close(&s);
        }
}

/* Each run repeats the share that was asked for, within a tile, and all runs the same one. */
Test(inject, repeats_the_share)
{
    for (size_t i = 0; i < sizeof specs / sizeof *specs; i++)
        for (double share = 0.005; share < 0.6; share *= 10) {
            scene s = {.spec = specs[i], .nq = 900, .heads = 4, .dim = 16, .kernel = "portable"};
            attn_error err;
            scene_open(&s);
            cr_assert(plan_injected(s.plan) == 0, "%s: something is repeated unasked", s.name);
            cr_assert(plan_inject(s.plan, share, &err) == ATTN_OK, "%s: %s", s.name, err.message);
            double got = 0;
            for (int times = 0; times < 4; times++) {
                scene_run(&s);
                const double now = plan_injected(s.plan);
                cr_assert(times == 0 || fabs(now - got) < 1e-12, "%s: run %d brought %g to %g", s.name, times, got, now);
                got = now;
            }
            cr_assert(got > 0.8 * share && got < 1.2 * share, "%s: asked for %g, repeated %g", s.name, share, got);
            scene_close(&s);
        }
}

Test(inject, refuses)
{
    static const double wrong[] = {0, -0.1, 1.01, 1e300, 0.0 / 0.0};
    scene s = {.spec = "dense", .nq = 10, .dim = 8};
    scene_open(&s);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        attn_error err;
        cr_assert(plan_inject(s.plan, wrong[i], &err) == ATTN_EINVAL && strstr(err.message, "inject"), "%g is taken", wrong[i]);
    }
    scene_close(&s);
}
