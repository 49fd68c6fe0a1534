/* Few rows against many keys: keys in shares, joined. Against the oracle, and the same bits from any number of threads. */
#include "support/kernel_list.h"
#include "support/scene.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/plan_parts.h"


static const struct problem {
    const char *spec;
    size_t nq, nk, heads, kv_heads, dim;
    uint32_t shares; /* at least, with granules of 8 keys and fewer */
} problems[] = {
    {"dense:causal=0", 1, 20000, 1, 1, 64, 9},
    {"dense", 5, 9001, 2, 1, 40, 4},
    {"dense", 100, 6000, 1, 1, 16, 2},
    {"local:k=7000", 3, 15000, 1, 1, 17, 3},
    {"local:k=5000,causal=0", 60, 15000, 1, 1, 8, 2},
    {"expr:\"j % 7 < 3\"", 9, 16000, 1, 1, 24, 3},                 /* teeth, three wide */
    {"expr:\"j % 3 == 1 || j < 2000\"", 2, 30000, 1, 1, 32, 4},    /* two kinds of run */
    {"expr:\"j * j % 11 < 4 && i != 1\"", 4, 14000, 1, 1, 12, 2},  /* lists of keys; a row that sees none */
    {"heads(local:k=9000, dense)", 6, 12000, 2, 2, 20, 4},         /* as many shares for every head */
};
enum { PROBLEMS = sizeof problems / sizeof *problems };

static scene scene_of(const struct problem *p, const kernel *k, attn_dtype dtype)
{
    return (scene){.spec = p->spec, .nq = p->nq, .nk = p->nk, .heads = p->heads, .kv_heads = p->kv_heads, .dim = p->dim,
                   .descriptor = k, .dtype = dtype, .seed = 3};
}

static void like_the_oracle(attn_dtype dtype, double bound)
{
    const kernel *list[MAX_KERNELS];
    const size_t kernels_here = runnable_kernels_for(dtype, list, MAX_KERNELS);
    for (size_t p = 0; p < PROBLEMS; p++)
        for (size_t k = 0; k < kernels_here; k++) {
            scene s = scene_of(&problems[p], list[k], dtype);
            scene_open(&s);
            cr_assert(s.plan->shares >= (list[k]->geometry.keys <= 8 ? problems[p].shares : 1), "%s: %u shares", s.name, s.plan->shares);
            scene_run(&s);
            scene_oracle(&s);
            const difference d = scene_compare(&s);
            cr_assert(d.misplaced == 0 && d.relative <= bound && d.lse <= (dtype == ATTN_F32 ? 1e-6 : 1e-3),
                      "%s: relative error %.2e > %.2e, lse %.2e, misplaced %zu", s.name, d.relative, bound, d.lse, d.misplaced);
            scene_close(&s);
        }
}

Test(shares, like_the_oracle) { like_the_oracle(ATTN_F32, 1e-6); }
Test(shares, like_the_oracle_bf16) { like_the_oracle(ATTN_BF16, 5e-3); }
Test(shares, like_the_oracle_f16) { like_the_oracle(ATTN_F16, 6e-4); }

Test(shares, same_bits_from_any_number_of_threads)
{
    const kernel *list[MAX_KERNELS];
    const size_t kernels_here = runnable_kernels(list, MAX_KERNELS);
    for (size_t p = 0; p < PROBLEMS; p++)
        for (size_t k = 0; k < kernels_here; k++) {
            scene s = scene_of(&problems[p], list[k], ATTN_F32);
            scene_open(&s);
            scene_run(&s);
            const size_t bytes = scene_queries(&s) * sizeof(float);
            void *first = malloc(bytes);
            memcpy(first, s.o, bytes);
            for (int threads = 2; threads <= 5; threads++) {
                s.threads = threads;
                scene_plan(&s);
                scene_run(&s);
                cr_assert(memcmp(first, s.o, bytes) == 0, "%s: not the bits of one thread", s.name);
            }
            free(first);
            scene_close(&s);
        }
}

/* Where there are tiles enough, nothing is cut, and no memory is carried. */
Test(shares, not_where_rows_suffice)
{
    static const struct problem many = {"dense:causal=0", 4000, 9000, 1, 1, 16, 0}, heads = {"dense:causal=0", 1, 9000, 64, 8, 16, 0},
                                few_keys = {"dense:causal=0", 1, 4000, 1, 1, 16, 0};
    const struct problem *const none[] = {&many, &heads, &few_keys};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        scene s = scene_of(none[i], NULL, ATTN_F32);
        scene_open(&s);
        cr_assert(s.plan->shares == 1 && s.plan->bytes.carried == 0, "%s: %u shares", s.name, s.plan->shares);
        scene_close(&s);
    }
}
