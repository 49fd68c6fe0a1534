/* Order statistics of measured samples.
 *
 * The interval of the median needs no model of the noise: each independent sample falls below the true
 * median with probability 1/2, so the number that do is B ~ Binomial(count, 1/2), and
 *
 *   P(x(r) <= median <= x(count+1-r)) >= P(r <= B <= count-r) = 1 - 2 P(B <= r-1)
 *
 * with equality for continuous distributions; ties only widen it. This is the sign test turned round. */
#include "harness/stats.h"

#include <math.h>
#include <stdlib.h>

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

void stats_sort(double *samples, size_t count)
{
    if (count > 1)
        qsort(samples, count, sizeof *samples, ascending);
}

/* P(B = k). Logarithms, because 2^-count underflows beyond a thousand samples; relative error about
 * count * 1e-16. */
static double probability(size_t count, size_t k)
{
    int sign;
    double n = (double)count, x = (double)k;
    double choose = lgamma_r(n + 1, &sign) - lgamma_r(x + 1, &sign) - lgamma_r(n - x + 1, &sign);
    return exp(choose - n * M_LN2);
}

/* The largest rank r >= 1 whose interval covers `confidence`, or 1, and its coverage. */
static size_t rank_for(size_t count, double confidence, double *coverage)
{
    double tail = probability(count, 0); /* P(B <= r-1) */
    size_t r = 1;
    while (r < (count + 1) / 2) {
        double wider = tail + probability(count, r);
        if (1 - 2 * wider < confidence)
            break;
        tail = wider;
        r++;
    }
    *coverage = 1 - 2 * tail;
    return r;
}

double stats_median_coverage(size_t count, double confidence)
{
    double coverage = 0;
    if (count >= 2)
        rank_for(count, confidence, &coverage);
    return coverage;
}

interval stats_median(double *samples, size_t count, double confidence)
{
    if (count == 0)
        return (interval){(double)NAN, (double)NAN, (double)NAN, 0};
    stats_sort(samples, count);
    double coverage;
    size_t r = rank_for(count, confidence, &coverage);
    size_t below = (count - 1) / 2, above = count / 2;
    return (interval){
        .median = samples[below] + (samples[above] - samples[below]) / 2,
        .lo = samples[r - 1],
        .hi = samples[count - r],
        .samples = count,
    };
}

double stats_quantile(const double *sorted, size_t count, double p)
{
    if (count == 0)
        return (double)NAN;
    double at = p * (double)(count - 1);
    size_t below = at > 0 ? (size_t)at : 0;
    if (below >= count - 1)
        return sorted[count - 1];
    return sorted[below] + (at - (double)below) * (sorted[below + 1] - sorted[below]);
}

double stats_of_process(double *samples, size_t count)
{
    stats_sort(samples, count);
    return stats_quantile(samples, count, 0.25);
}
