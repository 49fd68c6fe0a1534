/* Order statistics: known values, and the promised coverage by simulation. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdint.h>

#include "harness/stats.h"

static uint64_t next(uint64_t *state) /* splitmix64 */
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static double uniform(uint64_t *state)
{
    return (double)(next(state) >> 11) * 0x1p-53;
}

Test(stats, median_of_few_samples)
{
    double odd[] = {5, 1, 3}, even[] = {4, 1, 3, 2}, one[] = {7};
    interval m = stats_median(odd, 3, 0.95);
    cr_assert(m.median == 3 && m.lo == 1 && m.hi == 5 && m.samples == 3, "odd: %g [%g, %g]", m.median, m.lo,
              m.hi);
    m = stats_median(even, 4, 0.95);
    cr_assert(m.median == 2.5 && m.lo == 1 && m.hi == 4, "even: %g [%g, %g]", m.median, m.lo, m.hi);
    m = stats_median(one, 1, 0.95);
    cr_assert(m.median == 7 && m.lo == 7 && m.hi == 7, "one: %g [%g, %g]", m.median, m.lo, m.hi);
    m = stats_median(NULL, 0, 0.95);
    cr_assert(isnan(m.median) && isnan(m.lo) && isnan(m.hi) && m.samples == 0, "none: %g", m.median);
}

Test(stats, sorts_in_place)
{
    double x[] = {3, -1, 2, 2, 0};
    stats_median(x, 5, 0.95);
    for (int i = 1; i < 5; i++)
        cr_assert(x[i - 1] <= x[i], "position %d: %g after %g", i, x[i], x[i - 1]);
}

/* Ranks of the 95% interval as in any table of the sign test. */
Test(stats, ranks_match_the_tables)
{
    static const struct { size_t count, rank; } table[] = {
        {5, 1}, {6, 1}, {8, 1}, {9, 2}, {10, 2}, {12, 3}, {15, 4}, {20, 6}, {25, 8}, {30, 10}, {40, 14},
        {50, 18}, {100, 40}, {1000, 469},
    };
    static double x[1000];
    for (size_t t = 0; t < sizeof table / sizeof *table; t++) {
        size_t n = table[t].count;
        for (size_t i = 0; i < n; i++)
            x[i] = (double)(i + 1);
        interval m = stats_median(x, n, 0.95);
        cr_assert(m.lo == (double)table[t].rank && m.hi == (double)(n + 1 - table[t].rank),
                  "count %zu: ranks %g..%g, table says %zu", n, m.lo, m.hi, table[t].rank);
    }
}

Test(stats, coverage_is_exact)
{
    /* 1 - 2 (1 + 10) / 2^10; 1 - 2^-4 with five samples; C(20,0..5) sums to 21700 of 2^20 */
    cr_assert(fabs(stats_median_coverage(10, 0.95) - (1 - 22.0 / 1024)) < 1e-12, "10: %.17g",
              stats_median_coverage(10, 0.95));
    cr_assert(fabs(stats_median_coverage(5, 0.95) - 0.9375) < 1e-12, "5: %.17g",
              stats_median_coverage(5, 0.95));
    cr_assert(fabs(stats_median_coverage(20, 0.95) - (1 - 2 * 21700.0 / 1048576)) < 1e-12, "20: %.17g",
              stats_median_coverage(20, 0.95));
    cr_assert(stats_median_coverage(1, 0.95) == 0 && stats_median_coverage(0, 0.95) == 0,
              "one sample covers");
}

Test(stats, coverage_reaches_the_confidence)
{
    for (size_t n = 6; n < 3000; n = n + 1 + n / 7) {
        double c = stats_median_coverage(n, 0.95);
        cr_assert(c >= 0.95 && c <= 1, "count %zu: coverage %.17g", n, c);
        cr_assert(n < 200 || c < 0.97, "count %zu: coverage %.17g is wasteful", n, c);
    }
}

/* Skewed, heavy-tailed samples: exp(tan) of a uniform, median 1. */
Test(stats, coverage_by_simulation)
{
    enum { TRIALS = 20000 };
    for (size_t n = 6; n <= 48; n *= 2) {
        uint64_t seed = 12345 + n;
        size_t covered = 0;
        double x[48];
        for (int t = 0; t < TRIALS; t++) {
            for (size_t i = 0; i < n; i++)
                x[i] = exp(tan(3.0 * (uniform(&seed) - 0.5)));
            interval m = stats_median(x, n, 0.95);
            covered += m.lo <= 1 && 1 <= m.hi;
        }
        double share = (double)covered / TRIALS, expected = stats_median_coverage(n, 0.95);
        double tolerance = 4 * sqrt(expected * (1 - expected) / TRIALS);
        cr_assert(fabs(share - expected) < tolerance, "count %zu: covered %.4f of trials, promised %.4f", n,
                  share, expected);
    }
}

Test(stats, quantiles)
{
    static const double x[] = {10, 20, 30, 40, 50};
    static const struct { double p, want; } table[] = {
        {0, 10}, {1, 50}, {0.5, 30}, {0.25, 20}, {0.125, 15}, {0.9, 46}, {0.01, 10.4},
    };
    for (size_t t = 0; t < sizeof table / sizeof *table; t++) {
        double got = stats_quantile(x, 5, table[t].p);
        cr_assert(fabs(got - table[t].want) < 1e-12, "quantile %g: %.17g, not %g", table[t].p, got,
                  table[t].want);
    }
    cr_assert(stats_quantile(x, 1, 0.3) == 10, "one sample: %g", stats_quantile(x, 1, 0.3));
    cr_assert(isnan(stats_quantile(x, 0, 0.3)), "no samples: not NaN");
}

/* What a process tells: whatever happens to the slower three quarters of its runs. */
Test(stats, a_process_tells_its_lower_quartile)
{
    double five[] = {30, 10, 20, 50, 40}, disturbed[] = {900, 10, 20, 800, 700}, one[] = {7}, none[1];
    cr_assert(stats_of_process(five, 5) == 20, "%g", five[1]);
    cr_assert(stats_of_process(disturbed, 5) == 20, "%g", disturbed[1]);
    cr_assert(stats_of_process(one, 1) == 7 && isnan(stats_of_process(none, 0)), "one sample, and none");
}
