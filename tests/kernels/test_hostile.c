/* Inputs that cost naive kernels their speed or their exactness, each against the oracle: error, the places of NaN
 * and infinities, and the work that was needed, by the kernel's own counters; and the same bits from any number of
 * threads, whoever found out first. */
#include "support/kernel_list.h"
#include "support/scene.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/plan_parts.h"


static void scale_all(const scene *s, void *tensor, size_t count, double by)
{
    for (size_t i = 0; i < count; i++)
        scene_set(s, tensor, i, scene_get(s, tensor, i) * by);
}
static void fill(const scene *s, void *tensor, size_t count, double value)
{
    for (size_t i = 0; i < count; i++)
        scene_set(s, tensor, i, value);
}
/* One element in a hundred. */
static void sprinkle(const scene *s, void *tensor, size_t count, double value)
{
    uint64_t state = 7;
    for (size_t i = 0; i < count; i++)
        if (random_uniform(&state) < 0.01)
            scene_set(s, tensor, i, random_uniform(&state) < 0.5 ? value : -value);
}
#define Q s->q, scene_queries(s)
#define K s->k, scene_keys(s)
#define V s->v, scene_keys(s)
/* Element 1 of row `row` in every head. */
static void put(const scene *s, void *tensor, size_t count, size_t n, size_t row, double value)
{
    for (size_t i = row * s->dim + 1; i < count; i += n * s->dim)
        scene_set(s, tensor, i, value);
}
#define PUT(tensor, n, row, value) put(s, tensor, n, row, value)

#define INPUT(name) static void name(const scene *s)
INPUT(q_nan) { PUT(Q, s->nq, s->nq / 2, (double)NAN); }
INPUT(q_inf) { PUT(Q, s->nq, s->nq - 1, (double)INFINITY); }
INPUT(k_nan_first) { PUT(K, s->nk, 0, (double)NAN); }
INPUT(k_nan_middle) { PUT(K, s->nk, s->nk / 2, (double)NAN); }
INPUT(k_inf_first) { PUT(K, s->nk, 0, (double)INFINITY); }
INPUT(k_inf_last) { PUT(K, s->nk, s->nk - 1, -(double)INFINITY); }
INPUT(v_nan_first) { PUT(V, s->nk, 0, (double)NAN); }
INPUT(v_nan_middle) { PUT(V, s->nk, s->nk / 2, (double)NAN); }
INPUT(v_inf_middle) { PUT(V, s->nk, s->nk / 2, (double)INFINITY); }
INPUT(v_inf_last) { PUT(V, s->nk, s->nk - 1, -(double)INFINITY); }
INPUT(q_sprinkled) { sprinkle(s, Q, (double)NAN); }
INPUT(q_sprinkled_inf) { sprinkle(s, Q, (double)INFINITY); }
INPUT(k_sprinkled) { sprinkle(s, K, (double)NAN); }
INPUT(k_sprinkled_inf) { sprinkle(s, K, (double)INFINITY); }
INPUT(v_sprinkled) { sprinkle(s, V, (double)NAN); }
INPUT(v_sprinkled_inf) { sprinkle(s, V, (double)INFINITY); }
INPUT(k_all_nan) { fill(s, K, (double)NAN); }
INPUT(k_all_inf) { fill(s, K, (double)INFINITY); }
INPUT(v_all_nan) { fill(s, V, (double)NAN); }
INPUT(v_all_inf) { fill(s, V, (double)INFINITY); }
INPUT(all_nan)
{
    fill(s, Q, (double)NAN);
    fill(s, K, (double)NAN);
    fill(s, V, (double)NAN);
}
/* Scores of -inf: every third key has the weight 0. */
INPUT(weightless)
{
    for (size_t i = 0; i < scene_queries(s); i++)
        scene_set(s, s->q, i, fabs(scene_get(s, s->q, i)) + 0.1);
    for (size_t i = 2; i < scene_keys(s); i += s->dim)
        if (i / s->dim % 3 == 1)
            scene_set(s, s->k, i, -(double)INFINITY);
}
INPUT(all_weightless)
{
    fill(s, Q, 1);
    fill(s, K, -(double)INFINITY);
}
static void climb(const scene *s, double to)
{
    for (size_t i = 0; i < scene_queries(s); i++)
        scene_set(s, s->q, i, fabs(scene_get(s, s->q, i)));
    for (size_t i = 0; i < scene_keys(s); i++)
        scene_set(s, s->k, i, scene_get(s, s->k, i) + to * (double)(i / s->dim % s->nk) / (double)s->nk);
}
INPUT(growing) { climb(s, 200); }
INPUT(falling) { climb(s, -200); }
static void scores(const scene *s, double by)
{
    scale_all(s, Q, sqrt(by));
    scale_all(s, K, sqrt(by));
}
INPUT(scores_1e2) { scores(s, 1e2); }
INPUT(scores_1e3) { scores(s, 1e3); }
INPUT(scores_1e4) { scores(s, 1e4); }
INPUT(scores_1e6) { scores(s, 1e6); }
INPUT(huge_key)
{
    for (size_t c = 0; c < s->dim; c++)
        scene_set(s, s->k, s->nk / 2 * s->dim + c, scene_get(s, s->k, s->nk / 2 * s->dim + c) * 1e30);
}
INPUT(v_1e20) { scale_all(s, V, 1e-20); }
INPUT(v_1e30) { scale_all(s, V, 1e-30); }
INPUT(v_1e36) { scale_all(s, V, 1e-36); }
INPUT(v_huge) { scale_all(s, V, 1e30); }
INPUT(v_largest) { scale_all(s, V, 4e37); }
INPUT(v_constant_largest) { fill(s, V, 3.3e38); }
INPUT(v_one_largest) { PUT(V, s->nk, s->nk / 2, 3e38); }
INPUT(v_first_half_tiny)
{
    for (size_t i = 0; i < scene_keys(s); i++)
        if (i / s->dim % s->nk < s->nk / 2)
            scene_set(s, s->v, i, scene_get(s, s->v, i) * 1e-33);
}
INPUT(q_subnormal) { scale_all(s, Q, 1e-40); }
INPUT(k_subnormal) { scale_all(s, K, 1e-40); }
INPUT(q_subnormal_k_huge)
{
    scale_all(s, Q, 1e-38);
    scale_all(s, K, 1e37);
}
INPUT(q_huge_k_subnormal)
{
    scale_all(s, Q, 1e37);
    scale_all(s, K, 1e-38);
}
INPUT(constant)
{
    fill(s, Q, 1);
    fill(s, K, 1);
    fill(s, V, 1);
}
INPUT(zero)
{
    fill(s, Q, 0);
    fill(s, K, 0);
    fill(s, V, 0);
}
INPUT(infinite_and_large_scores)
{
    scores(s, 1e3);
    PUT(V, s->nk, 0, (double)INFINITY);
}
INPUT(not_a_number_and_huge)
{
    scale_all(s, V, 4e37);
    PUT(V, s->nk, s->nk / 2, (double)NAN);
}

/* Rows left to fp64: none; those of the rows in two parts; any. */
enum exact { NONE, SOME, ANY };

static const struct input {
    const char *name;
    void (*prepare)(const scene *);
    enum exact exact;
    double slack; /* besides what the scores' size allows, of o stored in f32 */
} inputs[] = {
#define I(name, exact, slack) {#name, name, exact, slack}
    I(q_nan, NONE, 1e-6),           I(q_inf, NONE, 1e-6),           I(k_nan_first, NONE, 1e-6),
    I(k_nan_middle, NONE, 1e-6),    I(k_inf_first, NONE, 1e-6),     I(k_inf_last, NONE, 1e-6),
    I(v_nan_first, NONE, 1e-6),     I(v_nan_middle, NONE, 1e-6),    I(v_inf_middle, NONE, 1e-6),
    I(v_inf_last, NONE, 1e-6),      I(q_sprinkled, NONE, 1e-6),     I(q_sprinkled_inf, NONE, 1e-6),
    I(k_sprinkled, NONE, 1e-6),     I(k_sprinkled_inf, NONE, 1e-6), I(v_sprinkled, NONE, 1e-6),
    I(v_sprinkled_inf, NONE, 1e-6), I(k_all_nan, NONE, 1e-6),       I(k_all_inf, NONE, 1e-6),
    I(v_all_nan, NONE, 1e-6),       I(v_all_inf, NONE, 1e-6),       I(all_nan, NONE, 1e-6),
    I(weightless, NONE, 1e-6),      I(all_weightless, NONE, 1e-6),  I(growing, NONE, 1e-6),
    I(falling, NONE, 1e-6),         I(scores_1e2, NONE, 1e-6),      I(scores_1e3, NONE, 1e-6),
    I(scores_1e4, NONE, 1e-6),      I(scores_1e6, NONE, 1e-6),      I(huge_key, NONE, 1e-6),
    I(v_1e20, NONE, 1e-6),          I(v_1e30, NONE, 1e-6),          I(v_1e36, NONE, 1e-6),
    I(v_huge, NONE, 1e-6),          I(v_largest, NONE, 1e-6),       I(v_constant_largest, NONE, 1e-6),
    I(v_one_largest, SOME, 1e-6),   I(v_first_half_tiny, ANY, 1e-6), I(q_subnormal, NONE, 1e-6),
    I(k_subnormal, NONE, 1e-6),     I(q_subnormal_k_huge, NONE, 1e-5), I(q_huge_k_subnormal, NONE, 1e-5),
    I(constant, NONE, 1e-6),        I(zero, NONE, 1e-6),            I(infinite_and_large_scores, ANY, 1e-6),
    I(not_a_number_and_huge, NONE, 1e-6),
#undef I
};
enum { INPUTS = sizeof inputs / sizeof inputs[0] };

static const struct {
    const char *spec;
    bool parts; /* some rows are in two */
} specs[] = {{"dense", false},         {"dense:causal=0", false},          {"local:k=19", false},
             {"strided:l=12", true},   {"strided:l=9,causal=0", true},     {"strided:l=11,head=column", false},
             {"fixed:l=15,c=4", false}, {"fixed:l=16,c=3,head=summary", false}};
enum { SPECS = sizeof specs / sizeof specs[0] };

/* The largest finite score between any q and any k. */
static double largest_score(const scene *s)
{
    double largest = 0;
    for (size_t r = 0; r < s->heads * s->nq; r++)
        for (size_t j = 0; j < s->nk; j++) {
            double dot = 0;
            for (size_t c = 0; c < s->dim; c++)
                dot += scene_get(s, s->q, r * s->dim + c) * scene_get(s, s->k, j * s->dim + c);
            if (isfinite(dot))
                largest = fmax(largest, fabs(dot) / sqrt((double)s->dim));
        }
    return largest;
}

/* Every kernel on one input, pattern by pattern; errors at most `slack` more than the scores excuse, and at most
 * twice the portable kernel's. */
static void all_kernels(const struct input *in, size_t nq, size_t nk, size_t dim, attn_dtype dtype, double slack)
{
    const kernel *list[MAX_KERNELS];
    size_t kernels_here = runnable_kernels_for(dtype, list, MAX_KERNELS);
    for (size_t p = 0; p < SPECS; p++) {
        double portable = 0, chance = 1e-6, errors[MAX_KERNELS] = {0};
        for (size_t k = 0; k < kernels_here; k++) {
            const bool rounds = list[k]->weight_bits == 8; /* the sum is that of the rounded weights */
            if ((list[k] == amx_emulated || list[k] == amx_f32_emulated || list[k] == avx512bf16_emulated) && p % 3 != 0) /* slow */
                continue;
            scene s = {.spec = specs[p].spec, .nq = nq, .nk = nk, .dim = dim, .dtype = dtype, .descriptor = list[k],
                       .seed = (unsigned)p, .at_front = p % 2};
            scene_open(&s);
            in->prepare(&s);
            scene_run(&s);
            scene_oracle(&s);
            difference d = scene_compare(&s);
            const tally *t = plan_tally(s.plan);
            double excuse = fmin(largest_score(&s) * 0x1p-22, 2);
            double bound = slack > excuse ? slack : excuse;
            cr_assert(d.misplaced == 0 && d.relative <= bound && d.lse <= fmax(rounds ? 4e-3 : 2e-6, excuse),
                      "%s on %s: relative error %.2e > %.2e, lse %.2e, misplaced %zu", in->name, s.name, d.relative, bound,
                      d.lse, d.misplaced);
            /* Not repeated with v shifted; and a multiply-add that rounds once, as SIMDe's does not, cannot take a reference of 1e30 away
             * without a rest. */
            const bool tiles = strcmp(list[k]->name, "amx") == 0;
            const bool spared = (tiles && in->prepare == huge_key) || ((tiles || list[k] == amx_emulated) && in->prepare == v_one_largest);
            cr_assert(in->exact == ANY || spared || (in->exact == SOME && specs[p].parts) || t->exact_rows == 0,
                      "%s on %s: %llu rows in fp64", in->name, s.name, (unsigned long long)t->exact_rows);
            cr_assert(t->repeated <= t->tiles, "%s on %s: %llu of %llu tiles repeated", in->name, s.name,
                      (unsigned long long)t->repeated, (unsigned long long)t->tiles);
            errors[k] = rounds ? 0 : d.relative;
            chance = fmax(chance, excuse / 8); /* a few roundings of the largest score, for better or worse */
            portable = strcmp(list[k]->name, "portable") == 0 ? d.relative : portable;
            scene_close(&s);
        }
        for (size_t k = 0; k < kernels_here; k++)
            cr_assert(errors[k] <= fmax(2 * portable, chance), "%s on %s: %s errs by %.2e, portable by %.2e", in->name,
                      specs[p].spec, list[k]->name, errors[k], portable);
    }
}

Test(hostile, like_the_oracle)
{
    for (size_t i = 0; i < INPUTS; i++)
        all_kernels(&inputs[i], 130, 130, 16, ATTN_F32, inputs[i].slack);
}
Test(hostile, more_keys_than_queries)
{
    for (size_t i = 0; i < INPUTS; i++)
        all_kernels(&inputs[i], 60, 140, 9, ATTN_F32, inputs[i].slack);
}
Test(hostile, more_queries_than_keys)
{
    for (size_t i = 0; i < INPUTS; i++)
        all_kernels(&inputs[i], 140, 70, 33, ATTN_F32, inputs[i].slack);
}
Test(hostile, stored_as_bf16)
{
    for (size_t i = 0; i < INPUTS; i++)
        all_kernels(&inputs[i], 100, 100, 20, ATTN_BF16, 4e-3);
}
/* f16 ends at 65504 and 6e-8: of the magnitudes only NaN and infinities are of interest. */
Test(hostile, stored_as_f16)
{
    for (size_t i = 0; inputs[i].prepare != growing; i++)
        all_kernels(&inputs[i], 100, 100, 20, ATTN_F16, 5e-4);
}

/* Rows whose shares cannot be joined in fp32 go to fp64, more than where keys stay together. */
Test(hostile, keys_in_shares)
{
    for (size_t i = 0; i < INPUTS; i++) {
        struct input in = inputs[i];
        in.exact = ANY;
        all_kernels(&in, 5, 4200, 9, i % 2 ? ATTN_F32 : ATTN_F16, i % 2 ? in.slack : 5e-4);
    }
}

/* Which thread finds out what, and when, must not show. */
Test(hostile, same_bits_from_any_number_of_threads)
{
    static const char *const here[] = {"dense", "strided:l=12", "local:k=19"};
    for (size_t i = 0; i < INPUTS; i++)
        for (size_t p = 0; p < sizeof here / sizeof *here; p++) {
            scene s = {.spec = here[p], .nq = 300, .dim = 24, .heads = 2, .kv_heads = 1, .seed = (unsigned)i};
            scene_open(&s);
            inputs[i].prepare(&s);
            scene_run(&s);
            size_t bytes = scene_queries(&s) * sizeof(float);
            void *first = malloc(bytes);
            memcpy(first, s.o, bytes);
            for (int threads = 2; threads <= 5; threads++) {
                s.threads = threads;
                scene_plan(&s);
                scene_run(&s);
                cr_assert(memcmp(first, s.o, bytes) == 0, "%s on %s: not the bits of one thread", inputs[i].name, s.name);
            }
            free(first);
            scene_close(&s);
        }
}

Test(hostile, same_bits_of_tiles_from_any_number_of_threads)
{
    static const char *const here[] = {"dense", "strided:l=12", "local:k=19"};
    if (!amx_emulated)
        cr_skip_test("SIMDe is not installed");
    for (size_t i = 0; i < INPUTS; i++)
        for (size_t p = i % 2; p < sizeof here / sizeof *here; p += 2) {
            scene s = {.spec = here[p], .nq = 150, .dim = 24, .heads = 2, .kv_heads = 1, .seed = (unsigned)i, .dtype = ATTN_BF16,
                       .descriptor = amx_emulated};
            scene_open(&s);
            inputs[i].prepare(&s);
            scene_run(&s);
            const size_t bytes = scene_queries(&s) * sizeof(uint16_t);
            void *first = malloc(bytes);
            cr_assert(first, "out of memory");
            memcpy(first, s.o, bytes);
            s.threads = 3;
            scene_plan(&s);
            scene_run(&s);
            cr_assert(memcmp(first, s.o, bytes) == 0, "%s on %s: not the bits of one thread", inputs[i].name, s.name);
            free(first);
            scene_close(&s);
        }
}

/* Tiles in lockstep, whose windows find each other's keys, taken in with care. */
Test(hostile, many_tiles_that_share_keys)
{
    static void (*const cases[])(const scene *) = {v_largest, v_1e36, v_nan_middle, v_sprinkled_inf, k_sprinkled, k_subnormal};
    static const char *const here[] = {"fixed:l=64,c=4", "local:k=127", "strided:l=64"};
    const kernel *list[MAX_KERNELS];
    const size_t count = runnable_kernels_for(ATTN_BF16, list, MAX_KERNELS);
    for (size_t k = 0; k < count; k++)
        for (size_t i = 0; i < 3 * sizeof cases / sizeof *cases; i++) {
            if (strchr(list[k]->name, '(') && (list[k] != amx_emulated || i % 5)) /* emulated: slow */
                continue;
            scene s = {.spec = here[i % 3], .nq = 2048, .dim = 16, .dtype = ATTN_BF16, .descriptor = list[k], .seed = (unsigned)i};
            scene_open(&s);
            cases[i / 3](&s);
            scene_run(&s);
            scene_oracle(&s);
            const difference d = scene_compare(&s);
            const tally *t = plan_tally(s.plan);
            cr_assert(d.misplaced == 0 && d.relative <= 4e-3, "case %zu on %s: relative error %.2e, misplaced %zu", i / 3, s.name,
                      d.relative, d.misplaced);
            cr_assert(t->exact_rows == 0, "case %zu on %s: %llu rows in fp64", i / 3, s.name, (unsigned long long)t->exact_rows);
            scene_close(&s);
        }
}

/* What is known of a head is not asked for again: after the first tiles the others are taken in with care, once. */
Test(hostile, few_tiles_are_repeated)
{
    static const struct { void (*prepare)(const scene *); uint64_t most; } cases[] = {
        {v_nan_middle, 8}, {v_nan_first, 8}, {v_1e36, 0}, {v_largest, 0}, {v_all_nan, 0}, {k_nan_middle, 0}, {scores_1e4, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        scene s = {.spec = "dense", .nq = 1000, .dim = 8, .seed = 5};
        scene_open(&s);
        cases[i].prepare(&s);
        scene_run(&s);
        const tally *t = plan_tally(s.plan);
        cr_assert(t->repeated <= cases[i].most && t->redone <= t->tiles, "case %zu on %s: %llu tiles repeated, %llu redone of %llu",
                  i, s.name, (unsigned long long)t->repeated, (unsigned long long)t->redone, (unsigned long long)t->tiles);
        scene_close(&s);
    }
}
