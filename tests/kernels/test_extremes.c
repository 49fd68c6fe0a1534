/* Numbers that fp32 kernels trip over: large, growing and vanishing scores, NaN and infinities, values at both
 * ends of the range. The oracle says what is right. */
#include "support/kernel_list.h"
#include "support/scene.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "kernels/plan_parts.h"


static const char *const specs[] = {
    "dense", "dense:causal=0", "local:k=19", "strided:l=12", "strided:l=9,causal=0", "strided:l=11,head=column",
    "fixed:l=15,c=4", "fixed:l=16,c=3,head=summary",
};
enum { SPECS = sizeof specs / sizeof specs[0] };

/* Runs every kernel on every spec after `prepare` has changed the operands; returns nothing, asserts the
 * bound, and that every NaN and infinity is where the oracle has it. */
static void all_kernels(size_t n, size_t dim, attn_dtype dtype, void prepare(scene *, uint64_t *), double bound)
{
    const kernel *list[MAX_KERNELS];
    size_t kernels_here = runnable_kernels(list, MAX_KERNELS);
    for (size_t k = 0; k < kernels_here; k++)
        for (size_t p = 0; p < SPECS; p++) {
            scene s = {.spec = specs[p], .nq = n, .dim = dim, .dtype = dtype, .descriptor = list[k], .threads = 2,
                       .seed = (unsigned)p, .at_front = p % 2};
            uint64_t state = p + 99;
            scene_open(&s);
            prepare(&s, &state);
            scene_run(&s);
            scene_oracle(&s);
            difference d = scene_compare(&s);
            cr_assert(d.misplaced == 0 && d.relative <= bound && d.lse <= bound,
                      "%s: relative error %.2e, worst %.2e, lse %.2e, misplaced %zu", s.name, d.relative, d.worst, d.lse,
                      d.misplaced);
            scene_close(&s);
        }
}

static void scale_tensor(scene *s, void *tensor, size_t count, double by)
{
    for (size_t i = 0; i < count; i++)
        scene_set(s, tensor, i, scene_get(s, tensor, i) * by);
}

/* Scores of +-10^4: fp32 holds them to 1e-3, so weights are off by about as much. */
static void huge_scores(scene *s, uint64_t *state)
{
    (void)state;
    scale_tensor(s, s->q, scene_queries(s), 60);
    scale_tensor(s, s->k, scene_keys(s), 60);
}
Test(extremes, huge_scores) { all_kernels(200, 32, ATTN_F32, huge_scores, 2e-2); }

/* Every score of a row near +10^4 or near -10^4. */
static void far_offsets(scene *s, uint64_t *state)
{
    (void)state;
    for (size_t i = 0; i < scene_queries(s); i += s->dim)
        scene_set(s, s->q, i, (i / s->dim) % 2 ? 200 : -200);
    for (size_t i = 0; i < scene_keys(s); i += s->dim)
        scene_set(s, s->k, i, 280);
}
Test(extremes, scores_far_from_zero) { all_kernels(200, 32, ATTN_F32, far_offsets, 2e-2); }

/* Scores that grow along the keys, so that the reference has to move again and again. */
static void growing(scene *s, uint64_t *state)
{
    (void)state;
    for (size_t i = 0; i < scene_keys(s); i++)
        scene_set(s, s->k, i, scene_get(s, s->k, i) * (1 + 60.0 * (double)(i / s->dim) / (double)s->nk));
}
Test(extremes, growing_scores) { all_kernels(700, 16, ATTN_F32, growing, 4e-5); }

static void shrinking(scene *s, uint64_t *state)
{
    (void)state;
    for (size_t i = 0; i < scene_keys(s); i++)
        scene_set(s, s->k, i, scene_get(s, s->k, i) * (61 - 60.0 * (double)(i / s->dim) / (double)s->nk));
}
Test(extremes, shrinking_scores) { all_kernels(700, 16, ATTN_F32, shrinking, 4e-5); }

/* NaN and infinities, a few in each tensor. */
static void sprinkle(scene *s, void *tensor, size_t count, uint64_t *state)
{
    static const double values[] = {NAN, INFINITY, -INFINITY};
    for (int i = 0; i < 3; i++)
        scene_set(s, tensor, (size_t)(random_uniform(state) * (double)count), values[(size_t)(random_uniform(state) * 3)]);
}
static void bad_values(scene *s, uint64_t *state) { sprinkle(s, s->v, scene_keys(s), state); }
static void bad_keys(scene *s, uint64_t *state) { sprinkle(s, s->k, scene_keys(s), state); }
static void bad_queries(scene *s, uint64_t *state) { sprinkle(s, s->q, scene_queries(s), state); }
static void bad_all(scene *s, uint64_t *state)
{
    bad_values(s, state);
    bad_keys(s, state);
    bad_queries(s, state);
}
Test(extremes, non_finite_values) { all_kernels(150, 9, ATTN_F32, bad_values, 1e-6); }
Test(extremes, non_finite_keys) { all_kernels(150, 9, ATTN_F32, bad_keys, 1e-6); }
Test(extremes, non_finite_queries) { all_kernels(150, 9, ATTN_F32, bad_queries, 1e-6); }
Test(extremes, non_finite_everything) { all_kernels(150, 9, ATTN_F32, bad_all, 1e-6); }
Test(extremes, non_finite_bf16) { all_kernels(100, 9, ATTN_BF16, bad_all, 8e-3); }

/* NaN with any payload stays NaN: no arithmetic on its bits may turn it into a number. */
static void payloads(scene *s, uint64_t *state)
{
    for (int i = 0; i < 4; i++) {
        uint32_t bits = 0x7fc00001u + (uint32_t)(random_uniform(state) * 0x3ffffe);
        memcpy((float *)s->k + (size_t)(random_uniform(state) * (double)scene_keys(s)), &bits, sizeof bits);
    }
}
Test(extremes, payloads_of_nan) { all_kernels(100, 9, ATTN_F32, payloads, 1e-6); }

/* Scores that overflow fp32 where fp64 does not: a single key wins each row. */
static void overflowing_scores(scene *s, uint64_t *state)
{
    (void)state;
    scale_tensor(s, s->q, scene_queries(s), 1e25);
    scale_tensor(s, s->k, scene_keys(s), 1e25);
}
Test(extremes, overflowing_scores) { all_kernels(60, 8, ATTN_F32, overflowing_scores, 1e-6); }

static void largest_values(scene *s, uint64_t *state)
{
    (void)state;
    scale_tensor(s, s->v, scene_keys(s), 5e37);
}
Test(extremes, largest_values) { all_kernels(150, 16, ATTN_F32, largest_values, 1e-6); }

static void small_values(scene *s, uint64_t *state)
{
    (void)state;
    scale_tensor(s, s->v, scene_keys(s), 1e-34);
}
Test(extremes, small_values) { all_kernels(150, 16, ATTN_F32, small_values, 1e-6); }

/* With q of -40 k-like scores the sums are small as well. */
static void small_values_and_sums(scene *s, uint64_t *state)
{
    small_values(s, state);
    for (size_t i = 0; i < scene_queries(s); i += s->dim)
        scene_set(s, s->q, i, -8);
    for (size_t i = 0; i < scene_keys(s); i += s->dim)
        scene_set(s, s->k, i, 8);
}
Test(extremes, small_values_and_sums) { all_kernels(150, 16, ATTN_F32, small_values_and_sums, 4e-6); }

/* Subnormal operands: o is subnormal too, about 1e-41, and half a step, 2^-150, is 7e-5 of that. */
static void subnormal(scene *s, uint64_t *state)
{
    (void)state;
    scale_tensor(s, s->v, scene_keys(s), 1e-40);
    scale_tensor(s, s->k, scene_keys(s), 1e-39);
}
Test(extremes, subnormal_operands) { all_kernels(100, 16, ATTN_F32, subnormal, 1e-4); }

static void zeros(scene *s, uint64_t *state)
{
    (void)state;
    scale_tensor(s, s->q, scene_queries(s), 0);
    scale_tensor(s, s->v, scene_keys(s), 0);
}
Test(extremes, zeros) { all_kernels(100, 16, ATTN_F32, zeros, 1e-6); }

/* Ordinary inputs never leave fp32, and never move a reference. */
Test(extremes, ordinary_inputs_take_the_fast_path)
{
    const kernel *list[MAX_KERNELS];
    size_t kernels_here = runnable_kernels(list, MAX_KERNELS);
    for (size_t k = 0; k < kernels_here; k++)
        for (size_t p = 0; p < SPECS; p++) {
            scene s = {.spec = specs[p], .nq = 300, .dim = 32, .descriptor = list[k], .seed = (unsigned)p};
            scene_open(&s);
            scene_run(&s);
            const tally *t = plan_tally(s.plan);
            cr_assert(t->redone == 0 && t->exact_rows == 0, "%s: %llu chunks redone, %llu exact rows", s.name,
                      (unsigned long long)t->redone, (unsigned long long)t->exact_rows);
            scene_close(&s);
        }
}

/* 16-bit storage: o is the oracle's on the same rounded inputs, rounded once. */
static void as_they_are(scene *s, uint64_t *state)
{
    (void)s;
    (void)state;
}
Test(extremes, bf16_is_rounded_once) { all_kernels(150, 33, ATTN_BF16, as_they_are, 2.5e-3); }
Test(extremes, f16_is_rounded_once) { all_kernels(150, 33, ATTN_F16, as_they_are, 3.2e-4); }

/* ---- accuracy where sums are long ---- */

Test(extremes, sums_over_4096_keys)
{
    const kernel *list[MAX_KERNELS];
    size_t kernels_here = runnable_kernels(list, MAX_KERNELS);
    for (size_t k = 0; k < kernels_here; k++) {
        scene s = {.spec = "dense:causal=0", .nq = 48, .nk = 4096, .dim = 64, .descriptor = list[k], .seed = 3};
        scene_open(&s);
        scene_run(&s);
        scene_oracle(&s);
        difference d = scene_compare(&s);
        cr_assert(d.relative <= 1e-6 && d.lse <= 1e-6, "%s: relative error %.2e, lse %.2e", s.name, d.relative, d.lse);
        scene_close(&s);
    }
}
