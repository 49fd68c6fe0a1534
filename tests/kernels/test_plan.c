/* Plans: what is refused and how, which kernel is chosen, what a plan says of its cost and memory. */
#include "support/kernel_list.h"
#include "support/own_patterns.h"
#include "support/scene.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cpu.h"
#include "kernels/plan_parts.h"


static attn_layout *layout_of(const char *text, size_t nq, size_t nk, size_t heads)
{
    attn_error err = {""};
    attn_spec *spec;
    attn_layout *layout = NULL;
    cr_assert(attn_spec_parse(&spec, text, &err) == ATTN_OK, "%s: %s", text, err.message);
    cr_assert(attn_layout_create(&layout, spec, nq, nk, heads, &err) == ATTN_OK, "%s: %s", text, err.message);
    attn_spec_destroy(spec);
    return layout;
}

static void refused(attn_problem problem, attn_status want, const char *mention)
{
    attn_plan *plan = (attn_plan *)&plan;
    attn_error err = {""};
    attn_status status = attn_plan_create(&plan, &problem, &err);
    cr_assert(status == want && !plan, "status %d, not %d: %s", (int)status, (int)want, err.message);
    cr_assert(strstr(err.message, mention), "\"%s\" does not mention \"%s\"", err.message, mention);
}

Test(plan, refuses_bad_problems)
{
    attn_layout *l = layout_of("dense", 16, 16, 6);
    attn_problem good = {.layout = l, .batch = 1, .dim = 8, .threads = 1};
#define WITH(...) ((attn_problem){.layout = l, .batch = 1, .dim = 8, .threads = 1, __VA_ARGS__})
#pragma GCC diagnostic ignored "-Woverride-init"
    refused(WITH(.batch = 0), ATTN_EINVAL, "batch=0");
    refused(WITH(.kv_heads = 4), ATTN_EINVAL, "kv_heads=4");
    refused(WITH(.kv_heads = 12), ATTN_EINVAL, "kv_heads=12");
    refused(WITH(.dim = 0), ATTN_EINVAL, "dim=0");
    refused(WITH(.dim = 257), ATTN_EINVAL, "dim=257");
    refused(WITH(.dtype = (attn_dtype)3), ATTN_EINVAL, "dtype=3");
    refused(WITH(.scale = NAN), ATTN_EINVAL, "scale");
    refused(WITH(.scale = INFINITY), ATTN_EINVAL, "scale");
    refused(WITH(.threads = -1), ATTN_EINVAL, "threads=-1");
    refused(WITH(.threads = 100000), ATTN_EINVAL, "threads=100000");
    refused(WITH(.batch = SIZE_MAX / 4), ATTN_EINVAL, "batch=");
    refused(WITH(.kernel = "portabel"), ATTN_EINVAL, "did you mean \"portable\"");
    refused(WITH(.kernel = ""), ATTN_EINVAL, "kernel \"\"");
    attn_plan *plan;
    cr_assert(attn_plan_create(&plan, &good, NULL) == ATTN_OK, "the good one");
    attn_plan_destroy(plan);
    attn_plan_destroy(NULL);
    attn_layout_destroy(l);
}

/* 2^36 batches of 5 10^5 pairs. */
Test(plan, refuses_more_than_2_to_63_flops)
{
    attn_layout *l = layout_of("local:k=64", 4096, 4096, 1);
    attn_problem problem = {.layout = l, .batch = (size_t)1 << 36, .dim = 128, .threads = 1};
    refused(problem, ATTN_EINVAL, "2^63");
    attn_layout_destroy(l);
}

Test(plan, chooses_the_best_kernel_that_runs)
{
    attn_layout *l = layout_of("dense", 1024, 1024, 1);
    size_t best = 0;
    while (attn_kernel_at(best).unavailable || !(attn_kernel_at(best).dtypes >> ATTN_F32 & 1))
        best++;
    attn_problem problem = {.layout = l, .batch = 1, .dim = 64, .kernel = "auto"};
    attn_plan *plan;
    cr_assert(attn_plan_create(&plan, &problem, NULL) == ATTN_OK, "auto");
    cr_assert(strcmp(attn_plan_kernel(plan), attn_kernel_at(best).name) == 0, "auto took %s, best is %s",
              attn_plan_kernel(plan), attn_kernel_at(best).name);
    cr_assert(strcmp(attn_plan_isa(plan), attn_kernel_at(best).isa) == 0, "isa %s", attn_plan_isa(plan));
    cr_assert(attn_plan_threads(plan) >= 1, "threads %d", attn_plan_threads(plan));
    attn_plan_destroy(plan);
    attn_layout_destroy(l);
}

/* A kernel whose instructions are slow on this CPU runs by name, and is not taken without one. */
Test(plan, passes_over_what_is_slow_here)
{
    uint32_t off = 0;
    cr_assert(cpu_disabled(&off, NULL) == ATTN_OK);
    const bool fast = cpu_detect() & ~off & CPU_BF16_TWICE;
    attn_layout *l = layout_of("dense", 64, 64, 1);
    attn_problem problem = {.layout = l, .batch = 1, .dim = 64, .dtype = ATTN_BF16};
    attn_plan *plan;
    attn_error err;
    size_t slow = 0;
    for (size_t i = 0; kernels[i]; i++) {
        const char *why = NULL;
        cr_assert(kernel_passed_over(kernels[i], &why, &err) == ATTN_OK, "%s", err.message);
        cr_assert((why != NULL) == (kernels[i]->by_name_only || (kernels[i]->worth_on && !fast)), "%s: %s", kernels[i]->name, why);
        slow += kernels[i]->worth_on != 0;
    }
    cr_assert(slow == 1, "%zu kernels depend on it", slow);
    cr_assert(attn_plan_create(&plan, &problem, &err) == ATTN_OK, "%s", err.message);
    cr_assert(fast || strcmp(attn_plan_kernel(plan), "avx512_bf16") != 0, "taken on a CPU where it is slow");
    attn_plan_destroy(plan);
    if (kernel_runs("avx512_bf16")) {
        problem.kernel = "avx512_bf16";
        cr_assert(attn_plan_create(&plan, &problem, &err) == ATTN_OK, "%s", err.message);
        attn_plan_destroy(plan);
    }
    attn_layout_destroy(l);
}

/* Every kernel by name: it runs, or says why not. Switching features off walks down the ladder. */
Test(plan, walks_down_the_ladder)
{
    static const struct { const char *off, *gone[5]; } rungs[] = {
        {"", {NULL}}, {"amx", {"amx", "amx_f32"}}, {"avx512bf16", {"avx512_bf16"}}, {"avx512", {"amx", "amx_f32", "avx512_bf16", "avx512"}},
        {"avx2", {"amx", "amx_f32", "avx512_bf16", "avx512", "avx2"}}, {"avx512,avx2", {"amx", "amx_f32", "avx512_bf16", "avx512", "avx2"}}};
    attn_layout *l = layout_of("dense", 8, 8, 1);
    for (size_t g = 0; g < sizeof rungs / sizeof rungs[0]; g++) {
        setenv("ATTN_DISABLE_CPU", rungs[g].off, 1);
        for (size_t i = 0; i < attn_kernel_count(); i++) {
            attn_kernel_info info = attn_kernel_at(i);
            attn_problem problem = {.layout = l, .batch = 1, .dim = 8, .kernel = info.name,
                                    .dtype = (attn_dtype)__builtin_ctz(info.dtypes)};
            attn_plan *plan;
            attn_error err = {""};
            attn_status status = attn_plan_create(&plan, &problem, &err);
            cr_assert(status == (info.unavailable ? ATTN_EUNAVAILABLE : ATTN_OK), "off=%s %s: status %d, %s", rungs[g].off,
                      info.name, (int)status, err.message);
            cr_assert(status != ATTN_OK || strcmp(attn_plan_kernel(plan), info.name) == 0, "asked for %s, got %s",
                      info.name, attn_plan_kernel(plan));
            cr_assert(!info.unavailable || strstr(err.message, info.unavailable), "%s: %s", info.name, err.message);
            attn_plan_destroy(plan);
            for (size_t e = 0; e < 5; e++)
                cr_assert(!rungs[g].gone[e] || strcmp(rungs[g].gone[e], info.name) != 0 || info.unavailable,
                          "off=%s leaves %s", rungs[g].off, info.name);
        }
    }
    setenv("ATTN_DISABLE_CPU", "avx2", 1);
    attn_problem problem = {.layout = l, .batch = 1, .dim = 8};
    attn_plan *plan;
    cr_assert(attn_plan_create(&plan, &problem, NULL) == ATTN_OK && strcmp(attn_plan_kernel(plan), "portable") == 0,
              "without avx2 the portable kernel is left");
    attn_plan_destroy(plan);
    setenv("ATTN_DISABLE_CPU", "avx512,sse9", 1);
    refused(problem, ATTN_EINVAL, "sse9");
    unsetenv("ATTN_DISABLE_CPU");
    attn_layout_destroy(l);
}

Test(plan, dtypes_have_names)
{
    for (attn_dtype t = ATTN_F32; t <= ATTN_F16; t++) {
        attn_dtype back = (attn_dtype)-1;
        cr_assert(attn_dtype_parse(attn_dtype_name(t), &back) && back == t, "dtype %d", (int)t);
        cr_assert(attn_dtype_size(t) == (t == ATTN_F32 ? 4 : 2), "size of %s", attn_dtype_name(t));
    }
    attn_dtype none;
    cr_assert(!attn_dtype_parse("f64", &none), "f64 is no dtype");
}

/* ---- cost ---- */

Test(plan, counts_what_it_computes)
{
    static const char *const specs[] = {"dense", "local:k=30", "strided:l=13", "fixed:l=20,c=3", "strided:l=7,head=column"};
    const kernel *list[MAX_KERNELS];
    size_t kernels_here = runnable_kernels(list, MAX_KERNELS);
    for (size_t k = 0; k < kernels_here; k++)
        for (size_t p = 0; p < sizeof specs / sizeof specs[0]; p++) {
            scene s = {.spec = specs[p], .nq = 333, .heads = 4, .kv_heads = 2, .batch = 2, .dim = 24, .descriptor = list[k],
                       .threads = 3, .dtype = p % 2 ? ATTN_BF16 : ATTN_F32, .seed = 1};
            scene_open(&s);
            scene_run(&s);
            const attn_cost *c = attn_plan_cost(s.plan);
            uint64_t pairs = 8 * attn_layout_pairs(s.layout, 0);
            cr_assert(c->pairs_total == pairs && c->exps_useful == pairs && c->flops_useful == 4 * 24 * pairs,
                      "%s: %llu pairs", s.name, (unsigned long long)c->pairs_total);
            cr_assert(plan_tally(s.plan)->lanes * 4 * 24 == c->flops_executed, "%s: computed %llu lane-keys, planned %llu FLOPs",
                      s.name, (unsigned long long)plan_tally(s.plan)->lanes, (unsigned long long)c->flops_executed);
            size_t size = attn_dtype_size(s.dtype);
            cr_assert(c->bytes_model == (2 * scene_queries(&s) + 2 * scene_keys(&s)) * size + 8 * s.nq * sizeof(float),
                      "%s: bytes", s.name);
            cr_assert(c->workspace_bytes == s.plan->memory.size && s.plan->memory.used == s.plan->memory.size,
                      "%s: the arena holds %zu bytes, used %zu, reported %zu", s.name, s.plan->memory.size,
                      s.plan->memory.used, c->workspace_bytes);
            scene_close(&s);
        }
}

/* Cost follows the pairs: executed FLOPs stay within these shares of the useful ones. */
Test(plan, tiles_are_well_used)
{
    static const struct { const char *spec; double least; } families[] = {
        {"dense:causal=0", 0.99}, {"dense", 0.97},
        {"local:k=128", 0.78}, {"local:k=128,causal=0", 0.85},
        {"strided:l=64", 0.68}, {"strided:l=64,causal=0", 0.75}, {"strided:l=64,head=column", 0.70}, {"strided:l=100", 0.70},
        {"fixed:l=64,c=8", 0.90}, {"fixed:l=64,c=8,head=summary", 0.95}, {"fixed:l=64,c=8,head=block", 0.70},
        {"fixed:l=50,c=7", 0.75}, {"fixed:l=100,c=1", 0.75},
    };
    const kernel *list[MAX_KERNELS];
    size_t kernels_here = runnable_kernels(list, MAX_KERNELS);
    for (size_t f = 0; f < sizeof families / sizeof families[0]; f++) {
        attn_layout *l = layout_of(families[f].spec, 4096, 4096, 1);
        for (size_t k = 0; k < kernels_here; k++) {
            attn_problem problem = {.layout = l, .batch = 1, .dim = 64, .threads = 1};
            attn_plan *plan;
            cr_assert(plan_create_for(&plan, &problem, list[k], NULL) == ATTN_OK, "%s", families[f].spec);
            double used = (double)attn_plan_cost(plan)->flops_useful / (double)attn_plan_cost(plan)->flops_executed;
            const double least = families[f].least * (list[k]->geometry.keys > 8 ? 0.7 : 1); /* coarse tiles */
            cr_assert(used <= 1 && used >= least, "%s %s: utilisation %.3f, expected at least %.2f", list[k]->name,
                      families[f].spec, used, least);
            attn_plan_destroy(plan);
        }
        attn_layout_destroy(l);
    }
}

/* Plans stay small at lengths where n^2 would not. */
Test(plan, memory_is_linear_in_n)
{
    static const char *const specs[] = {"dense", "local:k=128", "strided:l=512", "fixed:l=512,c=8"};
    size_t n = (size_t)1 << 18;
    for (size_t p = 0; p < sizeof specs / sizeof specs[0]; p++) {
        attn_layout *l = layout_of(specs[p], n, n, 1);
        attn_problem problem = {.layout = l, .batch = 1, .dim = 64, .threads = 1};
        attn_plan *plan;
        cr_assert(attn_plan_create(&plan, &problem, NULL) == ATTN_OK, "%s", specs[p]);
        size_t bytes = attn_plan_cost(plan)->workspace_bytes;
        cr_assert(bytes < 100 * n, "%s: a plan of %zu bytes for n=%zu", specs[p], bytes, n);
        attn_plan_destroy(plan);
        attn_layout_destroy(l);
    }
}
