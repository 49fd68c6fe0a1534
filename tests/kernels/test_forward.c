/* Every kernel against the oracle, over patterns and shapes. */
#include "support/kernel_list.h"
#include "support/scene.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/plan_parts.h"

/* Patterns with everything awkward: l no power of two, l = 1, l > n, c = l, cut blocks, both directions. */
static const char *const specs[] = {
    "dense", "dense:causal=0", "local:k=0", "local:k=5", "local:k=64", "local:k=1000", "local:k=7,causal=0",
    "strided:l=1", "strided:l=5", "strided:l=8", "strided:l=16", "strided:l=40", "strided:l=1000",
    "strided:l=7,causal=0", "strided:l=3,head=column", "strided:l=24,head=column", "strided:l=50,head=column,causal=0",
    "strided:l=9,head=local", "fixed:l=1,c=1", "fixed:l=8,c=2", "fixed:l=10,c=3", "fixed:l=16,c=16",
    "fixed:l=33,c=8,sub=2", "fixed:l=1000,c=8", "fixed:l=12,c=4,causal=0", "fixed:l=7,c=2,head=summary",
    "fixed:l=16,c=5,head=summary,causal=0", "fixed:l=11,c=2,head=block", "fixed:l=20,c=2,sub=3,head=summary",
};
enum { SPECS = sizeof specs / sizeof specs[0] };

static const struct { size_t nq, nk, heads, kv_heads, batch, dim; } shapes[] = {
    {1, 1, 1, 1, 1, 64},     {2, 2, 1, 1, 1, 8},      {7, 7, 2, 1, 1, 7},     {31, 31, 1, 1, 2, 1},
    {64, 64, 4, 2, 1, 16},   {97, 97, 1, 1, 1, 63},   {130, 130, 1, 1, 1, 64}, {201, 201, 1, 1, 1, 65},
    {100, 100, 3, 1, 2, 33}, {75, 75, 1, 1, 1, 80},   {90, 90, 1, 1, 1, 128}, {129, 129, 1, 1, 1, 256},
    {1, 200, 2, 1, 1, 64},   {40, 150, 1, 1, 1, 64},  {150, 40, 1, 1, 1, 64}, {3, 1, 1, 1, 1, 9},
    {300, 300, 1, 1, 1, 20},
};
enum { SHAPES = sizeof shapes / sizeof shapes[0] };

static void against_oracle(const char *name, const kernel *descriptor, size_t first, size_t step)
{
    for (size_t i = first; i < SPECS * SHAPES; i += step) {
        size_t p = i % SPECS, h = i / SPECS;
        scene s = {.spec = specs[p], .nq = shapes[h].nq, .nk = shapes[h].nk, .heads = shapes[h].heads,
                   .kv_heads = shapes[h].kv_heads, .batch = shapes[h].batch, .dim = shapes[h].dim, .kernel = name,
                   .descriptor = descriptor, .threads = 1 + (int)(i % 3), .seed = (unsigned)i, .at_front = i % 2};
        scene_open(&s);
        scene_run(&s);
        scene_oracle(&s);
        difference d = scene_compare(&s);
        cr_assert(d.misplaced == 0 && d.relative <= 1e-6 && d.lse <= 2e-6,
                  "%s: relative error %.2e, worst %.2e, lse %.2e, misplaced %zu", s.name, d.relative, d.worst, d.lse,
                  d.misplaced);
        const attn_cost *cost = attn_plan_cost(s.plan);
        cr_assert(cost->flops_executed >= cost->flops_useful, "%s: executed less than useful", s.name);
        scene_close(&s);
    }
}

static void named(const char *name)
{
    if (!kernel_runs(name))
        cr_skip_test("kernel %s cannot run here", name);
    against_oracle(name, NULL, 0, 1);
}

Test(forward, portable) { named("portable"); }
Test(forward, avx2) { named("avx2"); }
Test(forward, avx512) { named("avx512"); }
Test(forward, oracle) { against_oracle("oracle", NULL, 0, 7); }

Test(forward, avx512_emulated)
{
    if (!avx512_emulated)
        cr_skip_test("SIMDe is not installed");
    against_oracle(NULL, avx512_emulated, 0, 3); /* emulation is slow */
}

/* Residue classes of many keys, whose rows compete for the same lines of a cache: fetched into panels while the class before
 * is computed, in one chunk or in several. n is no multiple of anything. */
static const struct { const char *spec; size_t nq, nk, heads, dim; attn_dtype dtype; } rivals[] = {
    {"strided:l=16,head=column", 1030, 1030, 1, 64, ATTN_F32},   {"strided:l=16,head=column", 5003, 5003, 1, 64, ATTN_F32},
    {"strided:l=16", 900, 900, 2, 64, ATTN_F32},                 {"strided:l=32,head=column,causal=0", 3000, 3000, 1, 32, ATTN_F32},
    {"strided:l=16,head=column", 50, 2000, 1, 64, ATTN_F32},     {"strided:l=16,head=column", 1300, 900, 1, 64, ATTN_F32},
    {"strided:l=16,head=column", 2000, 2000, 1, 64, ATTN_BF16},  {"strided:l=8,head=column", 1500, 1500, 1, 128, ATTN_F16},
    {"strided:l=15,head=column", 1500, 1500, 1, 64, ATTN_BF16},
};

static void far_classes(const char *name)
{
    if (!kernel_runs(name))
        cr_skip_test("kernel %s cannot run here", name);
    for (size_t i = 0; i < sizeof rivals / sizeof *rivals; i++) {
        scene s = {.spec = rivals[i].spec, .nq = rivals[i].nq, .nk = rivals[i].nk, .heads = rivals[i].heads, .dim = rivals[i].dim,
                   .dtype = rivals[i].dtype, .kernel = name, .threads = 1 + (int)(i % 3), .seed = (unsigned)i, .at_front = i % 2};
        scene_open(&s);
        scene_run(&s);
        scene_oracle(&s);
        difference d = scene_compare(&s);
        const double most = s.dtype == ATTN_F32 ? 1e-6 : s.dtype == ATTN_BF16 ? 2e-3 : 3e-4;
        cr_assert(d.misplaced == 0 && d.relative <= most, "%s: relative error %.2e, misplaced %zu", s.name, d.relative, d.misplaced);
        scene_close(&s);
    }
}
Test(forward, far_classes_portable) { far_classes("portable"); }
Test(forward, far_classes_avx2) { far_classes("avx2"); }
Test(forward, far_classes_avx512) { far_classes("avx512"); }

/* Tensors too large for caches are written past them: the same bits, wherever o lies. */
static void streams(const char *name)
{
    if (!kernel_runs(name))
        cr_skip_test("kernel %s cannot run here", name);
    for (int at_front = 0; at_front < 2; at_front++) {
        scene s = {.spec = "strided:l=12,head=column", .nq = 701, .heads = 2, .dim = 64, .kernel = name, .threads = 2, .at_front = at_front};
        scene_open(&s);
        scene_run(&s);
        const size_t bytes = scene_queries(&s) * sizeof(float);
        float *kept = malloc(bytes);
        cr_assert(kept, "out of memory");
        memcpy(kept, s.o, bytes);
        memset(s.o, 0xff, bytes);
        cr_assert(!s.plan->shape.large, "%s is large", s.name);
        s.plan->shape.large = true;
        scene_run(&s);
        cr_assert(memcmp(kept, s.o, bytes) == 0, "%s at_front=%d: other bits past the caches", s.name, at_front);
        free(kept);
        scene_close(&s);
    }
}
Test(forward, streams_portable) { streams("portable"); }
Test(forward, streams_avx2) { streams("avx2"); }
Test(forward, streams_avx512) { streams("avx512"); }
Test(forward, streams_amx_f32) { streams("amx_f32"); }
