/* Verdicts from log-ratios. See verdict.h.
 *
 * Sources: the sign test and its interval, Conover, Practical Nonparametric Statistics (1999), 3.4; Holm, A simple
 * sequentially rejective multiple test procedure (1979); Benjamini and Hochberg, Controlling the false discovery
 * rate (1995). */
#include "harness/verdict.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "harness/cli.h"
#include "harness/stats.h"

static const char *const names[] = {
    [VERDICT_PASS] = "pass", [VERDICT_IMPROVED] = "improved", [VERDICT_REGRESSED] = "regressed",
    [VERDICT_INCONCLUSIVE] = "inconclusive", [VERDICT_INCOMPARABLE] = "incomparable"};

verdict verdict_of_counts(const double *log_ratios, size_t blocks, double threshold)
{
    verdict v = {.kind = VERDICT_INCONCLUSIVE, .blocks = blocks, .median = (double)NAN, .lo = (double)INFINITY, .hi = -(double)INFINITY, .p = 1};
    for (size_t b = 0; b < blocks; b++) {
        v.lo = fmin(v.lo, log_ratios[b]);
        v.hi = fmax(v.hi, log_ratios[b]);
    }
    if (!blocks || v.hi - v.lo > 2 * VERDICT_EXACT)
        return v;
    v.median = (v.lo + v.hi) / 2;
    v.kind = v.lo > log1p(threshold) ? VERDICT_REGRESSED : v.hi < -log1p(threshold) ? VERDICT_IMPROVED : VERDICT_PASS;
    return v;
}

const char *verdict_name(verdict_kind kind)
{
    return names[kind];
}

/* P(Binomial(count, 1/2) <= k). */
static double at_most(size_t count, size_t k)
{
    double sum = 0;
    for (size_t i = 0; i <= k; i++) {
        int sign;
        const double n = (double)count, x = (double)i;
        sum += exp(lgamma_r(n + 1, &sign) - lgamma_r(x + 1, &sign) - lgamma_r(n - x + 1, &sign) - n * M_LN2);
    }
    return fmin(sum, 1);
}

/* Ratios of exactly 1 speak for neither side and are left out. */
static double sign_test(const double *sorted, size_t count)
{
    size_t below = 0, above = 0;
    for (size_t i = 0; i < count; i++) {
        below += sorted[i] < 0;
        above += sorted[i] > 0;
    }
    const size_t fewer = below < above ? below : above;
    return below + above ? fmin(1, 2 * at_most(below + above, fewer)) : 1;
}

size_t verdict_least_blocks(double confidence)
{
    size_t count = 2;
    while (stats_median_coverage(count, confidence) < confidence)
        count++;
    return count;
}

/* The half-width that decides is that from the median to the nearest of the bounds it has to keep clear of: 0 and the
 * threshold's other side. Half-widths shrink with the root of the number of blocks. */
static size_t blocks_needed(const verdict *v, double limit, double confidence)
{
    const size_t least = verdict_least_blocks(confidence);
    const double size = fabs(v->median), half = (v->hi - v->lo) / 2;
    const double room = size > limit ? size : limit - size;
    if (v->blocks < least || !isfinite(half))
        return least;
    if (!(room > 0) || half <= 0)
        return 0;
    const double more = (double)v->blocks * (half / room) * (half / room);
    const double needed = ceil(fmax(more, (double)v->blocks + 1));
    return needed > 1e6 ? 0 : (size_t)needed;
}

verdict verdict_of(double *log_ratios, size_t blocks, double threshold, double confidence)
{
    const double limit = log1p(threshold);
    interval m = stats_median(log_ratios, blocks, confidence);
    verdict v = {.kind = VERDICT_INCONCLUSIVE, .blocks = blocks, .median = m.median, .lo = m.lo, .hi = m.hi};
    v.p = sign_test(log_ratios, blocks);
    if (!blocks || stats_median_coverage(blocks, confidence) < confidence) {
        v.lo = -(double)INFINITY;
        v.hi = (double)INFINITY;
    }
    if (v.lo > 0 && v.median > limit)
        v.kind = VERDICT_REGRESSED;
    else if (v.hi < 0 && v.median < -limit)
        v.kind = VERDICT_IMPROVED;
    else if (v.lo > -limit && v.hi < limit)
        v.kind = VERDICT_PASS;
    else
        v.needed = blocks_needed(&v, limit, confidence);
    return v;
}

int verdict_exit(const verdict_kind *kinds, size_t count)
{
    static const struct { verdict_kind kind; int code; } order[] = {
        {VERDICT_INCOMPARABLE, EXIT_INCOMPARABLE}, {VERDICT_REGRESSED, EXIT_REGRESSED},
        {VERDICT_INCONCLUSIVE, EXIT_INCONCLUSIVE}};
    for (size_t o = 0; o < sizeof order / sizeof order[0]; o++)
        for (size_t i = 0; i < count; i++)
            if (kinds[i] == order[o].kind)
                return order[o].code;
    return EXIT_FINE;
}

/* ---- families ---- */

/* Index of the least p that is not taken yet; ties by position. */
static size_t next_least(const double *p, size_t count, const bool *taken)
{
    size_t least = count;
    for (size_t i = 0; i < count; i++)
        if (!taken[i] && (least == count || p[i] < p[least]))
            least = i;
    return least;
}

void verdict_holm(const double *p, size_t count, double level, bool *rejected)
{
    memset(rejected, 0, count * sizeof *rejected);
    for (size_t k = 0; k < count; k++) {
        const size_t i = next_least(p, count, rejected);
        if (p[i] > level / (double)(count - k))
            break;
        rejected[i] = true;
    }
}

void verdict_benjamini_hochberg(const double *p, size_t count, double level, bool *rejected)
{
    double bound = -1; /* the largest p(k) that is at most k level / count */
    for (size_t i = 0; i < count; i++) {
        size_t rank = 0;
        for (size_t j = 0; j < count; j++)
            rank += p[j] <= p[i];
        if (p[i] <= level * (double)rank / (double)count)
            bound = fmax(bound, p[i]);
    }
    for (size_t i = 0; i < count; i++)
        rejected[i] = p[i] <= bound;
}
