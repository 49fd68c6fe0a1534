/* Order statistics of measured samples: medians with an exact interval, quantiles. */
#ifndef HARNESS_STATS_H
#define HARNESS_STATS_H

#include <stddef.h>

typedef struct interval {
    double median, lo, hi;
    size_t samples;
} interval;

/* The median of `samples` (sorted in place, no NaN) and an interval for the median of what they were drawn
 * from: two order statistics x(r), x(count+1-r), with r the largest for which the exact binomial coverage is
 * at least `confidence` (0.95, say). Assumes independent samples, nothing about their distribution.
 *
 * Where even the extremes do not reach it (fewer than 6 samples at 0.95) lo and hi are the least and greatest
 * sample, which cover less than asked: stats_median_coverage() says how much. count = 0: all NaN. */
interval stats_median(double *samples, size_t count, double confidence);

/* The probability that the interval above covers the median: at least `confidence` where that can be had,
 * else 1 - 2^(1-count); 0 for count < 2. */
double stats_median_coverage(size_t count, double confidence);

/* The quantile 0 <= p <= 1 of samples already sorted, interpolated linearly between x(1) at p = 0 and
 * x(count) at p = 1. count = 0: NaN. */
double stats_quantile(const double *sorted, size_t count, double p);

/* What the runs of one process (sorted in place, no NaN) tell in a comparison: the lower quartile. What disturbs a run only adds to it,
 * and often lasts for longer than a process's median can stand; the quartile stays while a quarter of the runs is left alone. The
 * minimum would stay for longer, but it is blind to work that only some runs do. STORE_LOWER_QUARTILE is the same in SQL. */
double stats_of_process(double *samples, size_t count);

/* Ascending, in place; no NaN. */
void stats_sort(double *samples, size_t count);

#endif
