/* attnlab calibrate: fits a kernel's rates (kernels/work.h) to measured times, and shows how well they predict.
 *
 *   minimise over r >= 0   sum_i (sum_k r_k c_ik / t_i - 1)^2 + lambda sum_k (r_k / a_k - 1)^2
 *
 * over problems i with counts c_i and t_i cycles, by coordinate descent; a are the rates of a kernel of average
 * parts, so that what no problem shows stays sensible. For those who change a kernel; not in the list of
 * commands. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cpu_speed.h"
#include "base/float16.h"
#include "base/rng.h"
#include "harness/cli.h"
#include "harness/clock.h"
#include "kernels/plan_parts.h"

static const option options[] = {
    {"kernel", OPTION_TEXT, "NAME", "the kernel", "avx2", 0, 0, NULL, false},
    {"dtype", OPTION_TEXT, "f32|bf16", "storage", "f32", 0, 0, NULL, false},
    {"max-time", OPTION_SECONDS, "S", "seconds for each problem", "0.1", 0, 0, NULL, false},
    {0},
};

static const char *const specs[] = {
    "dense", "dense:causal=0", "local:k=15", "local:k=255", "strided:l=128", "strided:l=300",
    "strided:l=32,head=column", "strided:l=128,head=column", "fixed:l=128,c=8", "fixed:l=100,c=5,head=summary",
    "fixed:l=64,head=block",
};
static const char *const ways[] = {"natural/1", "natural/8", "natural/32", "classes/1", "classes/8"};
static const size_t ns[] = {256, 1024, 4096}, dims[] = {32, 64, 128};
#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))
enum { MOST = LENGTH(specs) * LENGTH(ways) * LENGTH(ns) * LENGTH(dims) };

typedef struct observation {
    char name[96];
    work work;
    double cycles;
} observation;

static work work_of_plan(const attn_plan *plan)
{
    work all = {{0}};
    for (size_t h = 0; h < plan->distinct; h++)
        for (uint32_t part = 0; part < plan->lowered[h].part_count; part++)
            work_add(&all, &plan->lowered[h].work[part], 1);
    return all;
}

/* Cycles of the fastest run in `seconds`. */
static double fastest(attn_plan *plan, const void *x, void *o, double seconds)
{
    const double cycle = fmin(cpu_cycle_ns(), cpu_cycle_ns());
    const int64_t start = clock_ns();
    double least = 0; /* none yet */
    for (int64_t before = start; (double)(before - start) < seconds * 1e9 || least <= 0;) {
        attn_plan_run(plan, x, x, x, o, NULL);
        const int64_t after = clock_ns();
        least = least > 0 ? fmin(least, (double)(after - before)) : (double)(after - before);
        before = after;
    }
    return least / fmin(cycle, cpu_cycle_ns());
}

/* One problem; *taken is false where the lowering is another one's too. */
static attn_status observe(observation *out, bool *taken, const char *text, const char *way, size_t n, size_t dim,
                           const char *name, attn_dtype dtype, const void *x, void *o, double seconds, attn_error *err)
{
    attn_spec *spec = NULL;
    attn_layout *layout = NULL;
    attn_plan *plan = NULL;
    attn_status status = attn_spec_parse(&spec, text, err);
    *taken = false;
    if (!status)
        status = attn_layout_create(&layout, spec, n, n, 1, err);
    if (!status) {
        const attn_problem problem = {
            .layout = layout, .batch = 1, .dim = dim, .dtype = dtype, .threads = 1, .kernel = name, .lowering = way};
        status = attn_plan_create(&plan, &problem, err);
    }
    if (!status && strcmp(attn_plan_lowering(plan), way) == 0) {
        snprintf(out->name, sizeof out->name, "%-30s %-10s n=%-5zu d=%zu", text, way, n, dim);
        out->work = work_of_plan(plan);
        out->cycles = fastest(plan, x, o, seconds);
        *taken = true;
    }
    attn_plan_destroy(plan);
    attn_layout_destroy(layout);
    attn_spec_destroy(spec);
    return status;
}

static rates fit(const observation *list, size_t count, const rates *average)
{
    const double lambda = 0.02;
    double x[WORK_KINDS];
    rates r;
    for (size_t k = 0; k < WORK_KINDS; k++)
        x[k] = 1;
    for (size_t sweep = 0; sweep < 3000; sweep++)
        for (size_t k = 0; k < WORK_KINDS; k++) {
            double above = lambda, below = lambda;
            for (size_t i = 0; i < count; i++) {
                double predicted = 0;
                for (size_t j = 0; j < WORK_KINDS; j++)
                    predicted += j == k ? 0 : x[j] * list[i].work.count[j] * (double)average->cycles[j];
                const double share = list[i].work.count[k] * (double)average->cycles[k] / list[i].cycles;
                above += share * (1 - predicted / list[i].cycles);
                below += share * share;
            }
            x[k] = fmax(0, above / below);
        }
    for (size_t k = 0; k < WORK_KINDS; k++)
        r.cycles[k] = (float)x[k] * average->cycles[k];
    return r;
}

static int calibrate(const args *a)
{
    const char *name = cli_text(a, "kernel");
    const size_t most = 4096 * 128;
    attn_error err;
    attn_status status = ATTN_OK;
    observation *list = calloc(MOST, sizeof *list);
    float *x = malloc(most * sizeof *x), *o = malloc(most * sizeof *o);
    size_t count = 0;
    if (!list || !x || !o)
        status = attn_fail(&err, ATTN_ENOMEM, "out of memory");
    else
        rng_normal_fill(1, 1, 0, most, x);
    const attn_dtype dtype = strcmp(cli_text(a, "dtype"), "bf16") == 0 ? ATTN_BF16 : ATTN_F32;
    for (size_t i = 0; i < most && !status && dtype == ATTN_BF16; i++) { /* in place: never ahead of what is read */
        const uint16_t narrow = bf16_from_f32(x[i]);
        memcpy((char *)x + i * sizeof narrow, &narrow, sizeof narrow);
    }
    for (size_t s = 0; s < LENGTH(specs); s++)
        for (size_t i = 0; i < LENGTH(ns); i++)
            for (size_t d = 0; d < LENGTH(dims); d++)
                for (size_t w = 0; w < LENGTH(ways) && !status; w++) {
                    bool taken = false;
                    status = observe(&list[count], &taken, specs[s], ways[w], ns[i], dims[d], name, dtype, x, o,
                                     cli_seconds(a, "max-time"), &err);
                    count += taken;
                }
    if (!status) {
        const rates r = fit(list, count, &work_average);
        double squares = 0;
        printf("    .rates = {{");
        for (size_t k = 0; k < WORK_KINDS; k++)
            printf("%s%.4gf", k ? ", " : "", (double)r.cycles[k]);
        printf("}}\n");
        for (size_t k = 0; k < WORK_KINDS; k++)
            printf("%-9s %8.3f cycles\n", work_names[k], (double)r.cycles[k]);
        for (size_t i = 0; i < count; i++) {
            const double ratio = work_cycles(&list[i].work, &r) / list[i].cycles;
            squares += log(ratio) * log(ratio);
            printf("%s  %10.0f cycles, predicted/measured %.2f\n", list[i].name, list[i].cycles, ratio);
        }
        printf("%zu problems, typical factor %.3f\n", count, exp(sqrt(squares / (double)(count ? count : 1))));
    }
    free(o);
    free(x);
    free(list);
    return status ? cli_fail(status, &err) : EXIT_FINE;
}

const command cmd_calibrate = {
    .name = "calibrate",
    .operands = "",
    .summary = "fit the rates of a kernel's work to measured times",
    .details = "",
    .options = options,
    .run = calibrate,
    .hidden = true,
};
