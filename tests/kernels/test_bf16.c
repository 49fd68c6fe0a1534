/* bf16 kernels, the AMX one (emulated) among them: every pattern and shape against the oracle, and numbers to
 * trip over. */
#include "support/kernel_list.h"
#include "support/scene.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/float16.h"
#include "kernels/plan_parts.h"

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
    {1, 1, 1, 1, 1, 64},      {2, 2, 1, 1, 1, 8},       {7, 7, 2, 1, 1, 7},     {31, 31, 1, 1, 2, 1},
    {64, 64, 4, 2, 1, 16},    {97, 97, 1, 1, 1, 63},    {130, 130, 1, 1, 1, 64}, {201, 201, 1, 1, 1, 65},
    {100, 100, 3, 1, 2, 33},  {75, 75, 1, 1, 1, 80},    {90, 90, 1, 1, 1, 128}, {129, 129, 1, 1, 1, 256},
    {1, 200, 2, 1, 1, 64},    {40, 150, 1, 1, 1, 64},   {150, 40, 1, 1, 1, 64}, {3, 1, 1, 1, 1, 9},
    {300, 300, 1, 1, 1, 20},  {70, 70, 1, 1, 1, 96},    {66, 66, 1, 1, 1, 32},  {65, 65, 1, 1, 1, 160},
    {33, 33, 1, 1, 1, 112},   {64, 700, 1, 1, 1, 176},
};
enum { SHAPES = sizeof shapes / sizeof shapes[0] };

/* Rounding P and o to bf16 errs by 2^-8 at most each, relative to the largest |v| and to o. */
static void against_oracle(const kernel *k, size_t first, size_t step)
{
    for (size_t i = first; i < SPECS * SHAPES; i += step) {
        size_t p = i % SPECS, h = i / SPECS;
        scene s = {.spec = specs[p], .nq = shapes[h].nq, .nk = shapes[h].nk, .heads = shapes[h].heads,
                   .kv_heads = shapes[h].kv_heads, .batch = shapes[h].batch, .dim = shapes[h].dim,
                   .dtype = ATTN_BF16, .descriptor = k, .threads = 1 + (int)(i % 3), .seed = (unsigned)i,
                   .at_front = i % 2};
        scene_open(&s);
        scene_run(&s);
        scene_oracle(&s);
        difference d = scene_compare(&s);
        cr_assert(d.misplaced == 0 && d.relative <= 3.5e-3 && d.lse <= 4e-3,
                  "%s: relative error %.2e, worst %.2e, lse %.2e, misplaced %zu", s.name, d.relative, d.worst, d.lse,
                  d.misplaced);
        const tally *t = plan_tally(s.plan);
        cr_assert(t->redone == 0 && t->exact_rows == 0, "%s: %llu chunks redone, %llu exact rows", s.name,
                  (unsigned long long)t->redone, (unsigned long long)t->exact_rows);
        scene_close(&s);
    }
}

Test(bf16, amx_emulated, .timeout = 600)
{
    if (!amx_emulated)
        cr_skip_test("SIMDe is not installed");
    against_oracle(amx_emulated, 0, 1);
}

Test(bf16, avx512bf16_emulated, .timeout = 600)
{
    if (!avx512bf16_emulated)
        cr_skip_test("SIMDe is not installed");
    against_oracle(avx512bf16_emulated, 1, 7);
}

Test(bf16, avx512_bf16, .timeout = 300)
{
    if (!kernel_runs("avx512_bf16"))
        cr_skip_test("this CPU has no AVX512-BF16");
    size_t i = 0;
    while (strcmp(kernels[i]->name, "avx512_bf16") != 0)
        i++;
    against_oracle(kernels[i], 0, 1);
}

Test(bf16, amx_instructions, .timeout = 600)
{
    const kernel *k = amx_trapped();
    if (!k)
        cr_skip_test("neither SIMDe nor signals of Linux on x86-64");
    against_oracle(k, 5, 23);
}

/* ---- numbers to trip over ---- */


/* dim 200 makes chunks of 9 granules, 288 keys: 700 keys take three. */
static const struct { const char *spec; size_t nq, nk, dim; } places[] = {
    {"dense", 100, 100, 9},       {"dense:causal=0", 40, 700, 200},  {"dense", 420, 420, 200},
    {"local:k=19", 150, 150, 33}, {"local:k=300", 70, 700, 200},    {"strided:l=12", 200, 200, 64},
    {"strided:l=40", 90, 400, 16}, {"fixed:l=15,c=4", 150, 150, 32}, {"fixed:l=16,c=3,head=summary", 200, 200, 48},
    {"strided:l=9,causal=0", 120, 120, 65}, {"local:k=40", 700, 700, 8},
};
enum { PLACES = sizeof places / sizeof places[0] };

typedef void prepare_fn(scene *s, uint64_t *state);

/* Every kernel at every place after `prepare`: within the bounds, and each NaN and infinity where the oracle
 * has it. Returns how often a chunk was redone, and rows were exact, by the AMX kernel. */
static tally everywhere(prepare_fn *prepare, double bound, double lse_bound)
{
    tally sum = {0};
    const kernel *list[MAX_KERNELS];
    size_t kernels_here = runnable_kernels_for(ATTN_BF16, list, MAX_KERNELS);
    for (size_t p = 0; p < PLACES; p++) {
        scene s = {.spec = places[p].spec, .nq = places[p].nq, .nk = places[p].nk, .dim = places[p].dim,
                   .dtype = ATTN_BF16, .threads = 2, .seed = (unsigned)p, .at_front = p % 2};
        uint64_t state = p + 99;
        scene_open(&s);
        prepare(&s, &state);
        scene_oracle(&s);
        for (size_t k = 0; k < kernels_here; k++) {
            if ((list[k] == avx512_emulated || list[k] == avx512bf16_emulated) && p % 3 != 0) /* slow */
                continue;
            s.descriptor = list[k];
            scene_plan(&s);
            scene_run(&s);
            difference d = scene_compare(&s);
            cr_assert(d.misplaced == 0 && d.relative <= bound && d.lse <= lse_bound,
                      "%s: relative error %.2e, worst %.2e, lse %.2e, misplaced %zu", s.name, d.relative, d.worst,
                      d.lse, d.misplaced);
            if (list[k] == amx_emulated) {
                sum.redone += plan_tally(s.plan)->redone;
                sum.exact_rows += plan_tally(s.plan)->exact_rows;
            }
        }
        scene_close(&s);
    }
    return sum;
}

static void scale_tensor(scene *s, void *tensor, size_t count, double by)
{
    for (size_t i = 0; i < count; i++)
        scene_set(s, tensor, i, scene_get(s, tensor, i) * by);
}

/* Scores of thousands: one key wins, and what fp32 loses of a score moves the weight of the next. */
static void huge_scores(scene *s, uint64_t *state)
{
    (void)state;
    scale_tensor(s, s->q, scene_queries(s), 30);
    scale_tensor(s, s->k, scene_keys(s), 30);
}
Test(bf16, huge_scores, .timeout = 300)
{
    tally t = everywhere(huge_scores, 1e-2, 4e-3);
    cr_assert(!amx_emulated || (t.redone > 0 && t.exact_rows == 0), "%llu chunks redone, %llu exact rows",
              (unsigned long long)t.redone, (unsigned long long)t.exact_rows);
}

/* All scores of a row near +8000 or near -8000. */
static void far_offsets(scene *s, uint64_t *state)
{
    (void)state;
    for (size_t i = 0; i < scene_queries(s); i += s->dim)
        scene_set(s, s->q, i, (i / s->dim) % 2 ? 200 : -200);
    for (size_t i = 0; i < scene_keys(s); i += s->dim)
        scene_set(s, s->k, i, 280);
}
Test(bf16, scores_far_from_zero, .timeout = 300)
{
    tally t = everywhere(far_offsets, 1e-2, 4e-3);
    cr_assert(!amx_emulated || (t.redone > 0 && t.exact_rows == 0), "%llu chunks redone, %llu exact rows",
              (unsigned long long)t.redone, (unsigned long long)t.exact_rows);
}

/* Scores that grow along the keys: references move again in later chunks, and what came before is rescaled. */
static void growing(scene *s, uint64_t *state)
{
    (void)state;
    for (size_t i = 0; i < scene_keys(s); i++)
        scene_set(s, s->k, i, scene_get(s, s->k, i) * (1 + 90.0 * (double)(i / s->dim) / (double)s->nk));
}
Test(bf16, growing_scores, .timeout = 300)
{
    tally t = everywhere(growing, 4e-3, 4e-3);
    cr_assert(!amx_emulated || t.redone > 0, "nothing was redone");
}

/* Many tiles: a few are computed again, then maxima come first. References depend on the tiles before, then: of rows whose largest weight would be
 * 2^40 to 2^64 they move only where maxima come first. But never on threads. */
Test(bf16, maxima_come_first, .timeout = 300)
{
    const kernel *list[MAX_KERNELS];
    const size_t kernels_here = runnable_kernels_for(ATTN_BF16, list, MAX_KERNELS);
    for (size_t k = 0; k < kernels_here; k++) {
        if (list[k] != amx_emulated && strcmp(list[k]->name, "amx") != 0)
            continue;
        scene s = {.spec = "local:k=60", .nq = 1500, .heads = 2, .dim = 32, .dtype = ATTN_BF16, .descriptor = list[k], .threads = 1};
        scene_open(&s);
        scale_tensor(&s, s.q, scene_queries(&s), 15);
        scene_run(&s);
        const tally *t = plan_tally(s.plan);
        cr_assert(t->redone > 0 && t->redone < t->tiles / 3, "%s: %llu chunks redone of %llu tiles", s.name,
                  (unsigned long long)t->redone, (unsigned long long)t->tiles);
        const size_t bytes = scene_queries(&s) * attn_dtype_size(s.dtype);
        void *alone = malloc(bytes);
        memcpy(alone, s.o, bytes);
        s.threads = 3;
        scene_plan(&s);
        scene_run(&s);
        cr_assert(memcmp(alone, s.o, bytes) == 0, "%s: other bits with three threads", s.name);
        free(alone);
        scene_close(&s);
    }
}

static void shrinking(scene *s, uint64_t *state)
{
    (void)state;
    for (size_t i = 0; i < scene_keys(s); i++)
        scene_set(s, s->k, i, scene_get(s, s->k, i) * (91 - 90.0 * (double)(i / s->dim) / (double)s->nk));
}
Test(bf16, shrinking_scores, .timeout = 300) { everywhere(shrinking, 4e-3, 4e-3); }

static void sprinkle(scene *s, void *tensor, size_t count, uint64_t *state)
{
    static const double values[] = {(double)NAN, (double)INFINITY, -(double)INFINITY};
    for (int i = 0; i < 3; i++)
        scene_set(s, tensor, (size_t)(random_uniform(state) * (double)count), values[(size_t)(random_uniform(state) * 3)]);
}
static void bad_values(scene *s, uint64_t *state) { sprinkle(s, s->v, scene_keys(s), state); }
static void bad_keys(scene *s, uint64_t *state) { sprinkle(s, s->k, scene_keys(s), state); }
static void bad_queries(scene *s, uint64_t *state) { sprinkle(s, s->q, scene_queries(s), state); }
Test(bf16, non_finite_values, .timeout = 300) { everywhere(bad_values, 4e-3, 4e-3); }
Test(bf16, non_finite_keys, .timeout = 300) { everywhere(bad_keys, 4e-3, 4e-3); }
Test(bf16, non_finite_queries, .timeout = 300) { everywhere(bad_queries, 4e-3, 4e-3); }

static void overflowing_scores(scene *s, uint64_t *state)
{
    (void)state;
    scale_tensor(s, s->q, scene_queries(s), 1e25);
    scale_tensor(s, s->k, scene_keys(s), 1e25);
}
Test(bf16, overflowing_scores, .timeout = 300) { everywhere(overflowing_scores, 4e-3, 4e-3); }

static void largest_values(scene *s, uint64_t *state)
{
    (void)state;
    scale_tensor(s, s->v, scene_keys(s), 5e37);
}
Test(bf16, largest_values, .timeout = 300) { everywhere(largest_values, 4e-3, 4e-3); }

static void small_values(scene *s, uint64_t *state)
{
    (void)state;
    scale_tensor(s, s->v, scene_keys(s), 1e-34);
}
Test(bf16, small_values, .timeout = 300) { everywhere(small_values, 4e-3, 4e-3); }

/* Many values subnormal: those AMX takes for zeros. o, about 1e-39, is right to half a step of subnormal bf16,
 * 2^-134 = 4.6e-41. */
static void subnormal_values(scene *s, uint64_t *state)
{
    (void)state;
    scale_tensor(s, s->v, scene_keys(s), 1e-38);
}
Test(bf16, subnormal_values, .timeout = 300) { everywhere(subnormal_values, 6e-2, 4e-3); }

/* Rows of zeros are no reason to doubt. */
static void zeros(scene *s, uint64_t *state)
{
    (void)state;
    scale_tensor(s, s->q, scene_queries(s), 0);
    scale_tensor(s, s->v, scene_keys(s), 0);
}
Test(bf16, zeros, .timeout = 300)
{
    tally t = everywhere(zeros, 0, 1e-6);
    cr_assert(t.redone == 0 && t.exact_rows == 0, "%llu chunks redone, %llu exact rows", (unsigned long long)t.redone,
              (unsigned long long)t.exact_rows);
}

/* ---- bit for bit ---- */

Test(bf16, threads_change_no_bit, .timeout = 300)
{
    static const int threads[] = {2, 3};
    const kernel *list[MAX_KERNELS];
    size_t kernels_here = runnable_kernels_for(ATTN_BF16, list, MAX_KERNELS);
    for (size_t k = 0; k < kernels_here; k++)
        for (size_t p = 0; p < PLACES; p++) {
            if (list[k] == avx512_emulated || list[k] == avx512bf16_emulated)
                continue; /* slow, and the same body as others */
            scene s = {.spec = places[p].spec, .nq = places[p].nq, .nk = places[p].nk, .heads = 2, .kv_heads = 1,
                       .batch = 1, .dim = places[p].dim, .dtype = ATTN_BF16, .descriptor = list[k], .seed = (unsigned)p};
            uint64_t state = p;
            scene_open(&s);
            growing(&s, &state);
            scene_run(&s);
            size_t bytes = scene_queries(&s) * sizeof(uint16_t), rows = s.batch * s.heads * s.nq * sizeof(float);
            void *o = malloc(bytes), *lse = malloc(rows);
            memcpy(o, s.o, bytes);
            memcpy(lse, s.lse, rows);
            for (size_t t = 0; t < sizeof threads / sizeof threads[0]; t++) {
                s.threads = threads[t];
                scene_plan(&s);
                scene_run(&s);
                cr_assert(memcmp(o, s.o, bytes) == 0 && memcmp(lse, s.lse, rows) == 0, "%s: other bits", s.name);
            }
            free(o);
            free(lse);
            scene_close(&s);
        }
}

/* ---- the bar: what attention in bf16 with rounded weights errs by ---- */

static double round_bf16(double x) { return (double)f32_from_bf16(bf16_from_f32((float)x)); }

/* One row as frameworks compute it: scores and the softmax in fp32 with the row's maximum, the weights rounded to
 * bf16 where they meet v, divided by the sum of the unrounded ones, o rounded. */
static void usual_row(const scene *s, size_t r, const double *scores, double *o)
{
    float max = -INFINITY, sum = 0;
    double total[ATTN_MAX_DIM] = {0};
    for (size_t j = 0; j < s->nk; j++)
        max = fmaxf(max, (float)scores[j]);
    for (size_t j = 0; j < s->nk; j++) {
        float p = expf((float)scores[j] - max);
        sum += p;
        for (size_t c = 0; c < s->dim; c++)
            total[c] += round_bf16((double)p) * scene_get(s, s->v, j * s->dim + c);
    }
    for (size_t c = 0; c < s->dim; c++)
        o[r * s->dim + c] = round_bf16(total[c] / (double)sum);
}

/* Frobenius norm of the difference between a kernel's o, or that of `usual`, and the oracle's. */
static double error_of(const scene *s, const double *usual)
{
    double difference_squared = 0, squared = 0;
    for (size_t i = 0; i < scene_queries(s); i++) {
        double is = usual ? usual[i] : scene_get(s, s->o, i), want = s->expected[i];
        difference_squared += (is - want) * (is - want);
        squared += want * want;
    }
    return sqrt(difference_squared / squared);
}

/* Kernels with fp32 weights stay below the bar, from flat to peaked softmaxes. Those that round weights reach it
 * to a twentieth: with the maximum as reference a row's largest weight is 1 and not rounded at all, with another
 * reference it is rounded like the others. */
Test(bf16, error_against_the_usual, .timeout = 300)
{
    static const float scales[] = {0.02f, 0, 0.5f, 2};
    const kernel *list[MAX_KERNELS];
    size_t kernels_here = runnable_kernels_for(ATTN_BF16, list, MAX_KERNELS);
    for (size_t z = 0; z < sizeof scales / sizeof scales[0]; z++) {
        scene s = {.spec = "dense:causal=0", .nq = 96, .nk = 600, .dim = 64, .dtype = ATTN_BF16, .scale = scales[z],
                   .seed = 7 + (unsigned)z};
        scene_open(&s);
        scene_oracle(&s);
        double *usual = malloc(scene_queries(&s) * sizeof *usual), *scores = malloc(s.nk * sizeof *scores);
        for (size_t r = 0; r < s.nq; r++) {
            for (size_t j = 0; j < s.nk; j++) {
                scores[j] = 0;
                for (size_t c = 0; c < s.dim; c++)
                    scores[j] += scene_get(&s, s.q, r * s.dim + c) * scene_get(&s, s.k, j * s.dim + c);
                scores[j] *= s.scale != 0 ? (double)s.scale : 0.125;
            }
            usual_row(&s, r, scores, usual);
        }
        double bar = error_of(&s, usual);
        for (size_t k = 0; k < kernels_here; k++) {
            s.descriptor = list[k];
            scene_plan(&s);
            scene_run(&s);
            double error = error_of(&s, NULL), most = list[k]->weight_bits ? 1.06 : 1;
            cr_assert(error <= most * bar, "%s: scale %g: relative error %.3e, the bar is %.3e", s.name,
                      (double)scales[z], error, bar);
        }
        free(usual);
        free(scores);
        scene_close(&s);
    }
}
