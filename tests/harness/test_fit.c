/* fit: slopes and their intervals on made-up curves, classes of every family. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "harness/fit.h"

enum { MOST = 9 };

static void sizes(double *n, size_t count)
{
    for (size_t i = 0; i < count; i++)
        n[i] = (double)((size_t)1024 << i);
}

Test(fit, power_law_without_noise_comes_back)
{
    static const double exponents[] = {-0.5, 0, 1, 1.5, 2, 3};
    double n[MOST], y[MOST];
    sizes(n, MOST);
    for (size_t e = 0; e < sizeof exponents / sizeof exponents[0]; e++)
        for (size_t count = 3; count <= MOST; count++) {
            for (size_t i = 0; i < count; i++)
                y[i] = 7e-3 * pow(n[i], exponents[e]);
            for (int noise = FIT_EXACT; noise <= FIT_MEASURED; noise++) {
                fit_line line = fit_power(n, y, count, (fit_noise)noise);
                cr_assert(fabs(line.slope - exponents[e]) < 1e-12 && line.points == count,
                          "n^%g: %.17g of %zu points", exponents[e], line.slope, line.points);
                cr_assert(line.lo == line.slope && line.hi == line.slope, "n^%g: [%g, %g]", exponents[e],
                          line.lo, line.hi);
                double at = fit_at(&line, 100), right = 7e-3 * pow(100, exponents[e]);
                cr_assert(fabs(at / right - 1) < 1e-9, "n^%g at 100: %g, not %g", exponents[e], at, right);
            }
        }
}

/* Error models, each of mean 0 where it matters and of spread near 1. */
static double error_of(int model, rng *random, size_t i, size_t count)
{
    double z = (double)rng_normal(random);
    switch (model) {
    case 0:
        return z;
    case 1:
        return rng_uniform(random) < 0.1 ? 5 * z : z; /* now and then a bad point */
    case 2:
        return -log(1 - rng_uniform(random)); /* times err upwards */
    default:
        return z * (1 + 2 * (double)(count - 1 - i) / (double)(count - 1)); /* small n are noisier */
    }
}

Test(fit, interval_covers_the_true_exponent, .timeout = 120)
{
    enum { TRIALS = 200 };
    for (int model = 0; model < 4; model++)
        for (size_t count = 3; count <= MOST; count += 3) {
            rng random = rng_make(20240501, (uint64_t)model * 100 + count);
            size_t covered = 0;
            for (size_t t = 0; t < TRIALS; t++) {
                double n[MOST], y[MOST];
                sizes(n, count);
                for (size_t i = 0; i < count; i++)
                    y[i] = 5 * pow(n[i], 1.5) * exp(0.05 * error_of(model, &random, i, count));
                fit_line line = fit_power(n, y, count, FIT_MEASURED);
                cr_assert(line.lo <= line.slope && line.slope <= line.hi, "model %d, %zu points, trial %zu",
                          model, count, t);
                covered += line.lo <= 1.5 && 1.5 <= line.hi;
            }
            /* 95% of 200 is 190, standard deviation 3.1: four below and, since 100% tells nothing, a cap. */
            cr_assert(covered >= 178 && covered <= 199, "model %d, %zu points: covered %zu of %d", model,
                      count, covered, TRIALS);
        }
}

Test(fit, same_data_same_interval)
{
    double n[] = {1024, 2048, 4096, 8192}, y[] = {1, 2.9, 8.2, 22};
    fit_line a = fit_power(n, y, 4, FIT_MEASURED), b = fit_power(n, y, 4, FIT_MEASURED);
    cr_assert(a.lo == b.lo && a.hi == b.hi && a.lo < a.slope && a.slope < a.hi, "[%g, %g] and [%g, %g]", a.lo,
              a.hi, b.lo, b.hi);
}

Test(fit, slopes_add_up)
{
    rng random = rng_make(7, 0);
    for (size_t trial = 0; trial < 200; trial++) {
        double n[MOST], time[MOST], flops[MOST], rate[MOST];
        size_t count = 2 + trial % (MOST - 1);
        sizes(n, count);
        for (size_t i = 0; i < count; i++) {
            flops[i] = 256 * (n[i] * sqrt(n[i]) + 100 * n[i]);
            time[i] = flops[i] * exp((double)rng_normal(&random));
            rate[i] = flops[i] / time[i];
        }
        double t = fit_power(n, time, count, FIT_MEASURED).slope,
               f = fit_power(n, flops, count, FIT_EXACT).slope,
               r = fit_power(n, rate, count, FIT_MEASURED).slope;
        cr_assert(fabs(t - (f - r)) < 1e-12, "trial %zu: %.17g, %.17g, %.17g", trial, t, f, r);
    }
}

Test(fit, points_without_a_logarithm_are_left_out)
{
    double n[] = {1, 2, 4, 8, 16, 32, 64}, y[] = {3, (double)NAN, 12, 0, 48, -5, HUGE_VAL};
    fit_line line = fit_power(n, y, 7, FIT_MEASURED);
    cr_assert(line.points == 3 && fabs(line.slope - 1) < 1e-12, "%zu points, slope %g", line.points,
              line.slope);
}

Test(fit, too_little_is_said_not_guessed)
{
    double n[] = {64, 64, 64, 128}, y[] = {1, 2, 3, 4};
    fit_line none = fit_power(n, y, 0, FIT_MEASURED), one = fit_power(n, y, 1, FIT_EXACT),
             same = fit_power(n, y, 3, FIT_MEASURED), two = fit_power(n, y, 4, FIT_MEASURED);
    cr_assert(none.points == 0 && isnan(none.slope) && isnan(none.lo) && isnan(none.hi), "no points");
    cr_assert(one.points == 1 && isnan(one.slope) && isnan(one.lo), "one point");
    cr_assert(same.points == 3 && isnan(same.slope) && isnan(same.lo), "one size: %g", same.slope);
    cr_assert(two.points == 4 && isfinite(two.slope) && isnan(two.lo) && isnan(two.hi), "two sizes");
    cr_assert(fit_nearest((double)NAN) == NULL && !fit_unsettled(&one), "a class from nothing");
}

Test(fit, equal_values_have_slope_zero)
{
    double n[] = {64, 128, 256, 512}, y[] = {5, 5, 5, 5};
    fit_line line = fit_power(n, y, 4, FIT_MEASURED);
    cr_assert(line.slope == 0 && line.lo == 0 && line.hi == 0, "%g [%g, %g]", line.slope, line.lo, line.hi);
    cr_assert(strcmp(fit_nearest(line.slope), "1") == 0, "%s", fit_nearest(line.slope));
}

Test(fit, nearest_class_and_doubt)
{
    static const struct {
        double slope;
        const char *name;
    } cases[] = {{0.1, "1"},   {0.6, "√n"},  {0.9, "n"},  {1.1, "n"},
                 {1.4, "n√n"}, {1.7, "n√n"}, {1.8, "n²"}, {2.3, "n²"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        cr_assert(strcmp(fit_nearest(cases[i].slope), cases[i].name) == 0, "%g", cases[i].slope);
    fit_line wide = {.slope = 1.4, .lo = 0.9, .hi = 1.9}, narrow = {.slope = 1.4, .lo = 1.3, .hi = 1.5};
    cr_assert(fit_unsettled(&wide) && !fit_unsettled(&narrow), "doubt");
}

/* ---- classes ---- */

static const struct {
    const char *spec, *class;
} families[] = {
    {"dense", "n²"},
    {"dense:causal=0", "n²"},
    {"local", "n"},
    {"local:k=0", "n"},
    {"local:k=128", "n"},
    {"local:k=4k", "n"},
    {"local:k=1m", "n"}, /* dense up to n = 1048576 */
    {"local:k=64,causal=0", "n"},
    {"local:k=n", "n²"},
    {"local:k=n/16", "n²"},
    {"local:k=n/65536", "n²"}, /* below one key up to n = 32768 */
    {"local:k=sqrt(n)", "n√n"},
    {"local:k=sqrt(n)/64", "n√n"},
    {"local:k=100*sqrt(n)", "n√n"},
    {"strided", "n√n"},
    {"strided:causal=0", "n√n"},
    {"strided:l=sqrt(n)", "n√n"},
    {"strided:l=2*sqrt(n)", "n√n"},
    {"strided:l=sqrt(n)/2", "n√n"},
    {"strided:l=sqrt(n)/3", "n√n"},
    {"strided:l=sqrt(n)/7", "n√n"},
    {"strided:l=sqrt(n)/11", "n√n"},
    {"strided:head=column", "n√n"},
    {"strided:head=local", "n√n"},
    {"strided:l=1", "n²"},
    {"strided:l=128", "n²"}, /* n l + n^2/(2 l): looks like n up to n = l^2 */
    {"strided:l=4096", "n²"},
    {"strided:l=1m", "n²"},
    {"strided:l=128,causal=0", "n²"},
    {"strided:l=128,head=column", "n²"},
    {"strided:l=128,head=local", "n"},
    {"strided:l=n/8", "n²"},
    {"fixed", "n√n"},
    {"fixed:causal=0", "n√n"},
    {"fixed:l=sqrt(n),c=8", "n√n"},
    {"fixed:l=sqrt(n),c=512", "n√n"},
    {"fixed:l=2*sqrt(n),c=32,sub=1", "n√n"},
    {"fixed:l=sqrt(n),c=sqrt(n)", "n²"},
    {"fixed:l=sqrt(n),c=sqrt(n)/4", "n²"},
    {"fixed:c=sqrt(n)/32", "n²"},
    {"fixed:l=128", "n²"},
    {"fixed:l=128,c=32", "n²"},
    {"fixed:l=256,c=32,sub=3", "n²"},
    {"fixed:l=4096,c=1,sub=4000", "n²"}, /* cannot be scaled down: sub 4000 needs l > 4000 */
    {"fixed:l=64,c=64,causal=0", "n²"},
    {"fixed:head=block", "n√n"},
    {"fixed:head=summary", "n√n"},
    {"fixed:l=128,head=block", "n"},
    {"fixed:l=128,c=16,head=summary", "n²"},
    {"fixed:l=n/16,c=8", "n²"},
    {"fixed:l=n/16,head=block", "n²"},
};

Test(fit_class, every_family_and_the_traps)
{
    for (size_t i = 0; i < sizeof families / sizeof families[0]; i++) {
        fit_growth growth;
        attn_error err;
        attn_status status = fit_class(&growth, families[i].spec, 1 + i % 3, &err);
        cr_assert(status == ATTN_OK, "%s: %s", families[i].spec, err.message);
        cr_assert(strcmp(growth.name, families[i].class) == 0, "%s: %s, slope %.3f, share %.3f, scaled '%s'",
                  families[i].spec, growth.name, growth.exponent, growth.share, growth.scaled);
    }
}

Test(fit_class, bad_specs_are_refused)
{
    fit_growth growth;
    attn_error err;
    attn_status status = fit_class(&growth, "fixed:l=4,c=8", 1, &err);
    cr_assert(status == ATTN_EINVAL && strstr(err.message, "8"), "%d", (int)status);
    status = fit_class(&growth, "nosuch", 1, &err);
    cr_assert(status == ATTN_EINVAL && strstr(err.message, "nosuch"), "%d", (int)status);
}

/* Lower terms that the model lacks, and constants inside an expression, do not make another class. */
Test(fit, classes_of_what_the_model_lacks)
{
    static const struct { const char *spec, *class; } known[] = {
        {"bigbird", "n"}, {"bigbird:causal=0", "n"}, {"natten2d", "n"}, {"natten3d", "n"}, {"logsparse", "n log n"}, {"axial", "n√n"},
        {"expr:\"i-j < 256 || (i-j) % 256 == 0\"", "n²"}, {"expr:\"(i ^ j) % 7 == 0\"", "n²"}};
    for (size_t k = 0; k < sizeof known / sizeof known[0]; k++) {
        fit_growth g;
        attn_error err;
        cr_assert(fit_class(&g, known[k].spec, 1, &err) == ATTN_OK, "%s", err.message);
        cr_assert(strcmp(g.name, known[k].class) == 0, "%s: %s, expected %s", known[k].spec, g.name, known[k].class);
    }
}
