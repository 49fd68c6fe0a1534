/* Change points. See changes.h.
 *
 * The likelihood ratio of a step against none, with an unknown and equal variance, is a function of Student's t of the two
 * sides: log(RSS0/RSS1) = log(1 + t^2/f) with f degrees of freedom. sqrt(f log(1 + t^2/f)) (8f+1)/(8f+3) is close to the
 * normal deviate of the same tail probability [wallace1959]. */
#include "harness/changes.h"

#include <assert.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "harness/stats.h"

/* The noise of neighbours, whatever the levels do: the median distance from a point to the next, 0.95 standard deviations
 * where the noise is normal. */
static double noise(const double *y, size_t count)
{
    double steps[CHANGES_WINDOW];
    for (size_t i = 0; i + 1 < count; i++)
        steps[i] = fabs(y[i + 1] - y[i]);
    return stats_median(steps, count - 1, 0.5).median;
}

/* Each point, held within the least and greatest of two neighbours on either side, give or take twice the noise; and which
 * ones had to be. */
static void hold(double *out, bool *held, const double *y, size_t count)
{
    const double slack = 2 * noise(y, count);
    for (size_t i = 0; i < count; i++) {
        double least = HUGE_VAL, most = -HUGE_VAL;
        for (size_t j = i < 2 ? 0 : i - 2; j < count && j <= i + 2; j++)
            if (j != i) {
                least = fmin(least, y[j]);
                most = fmax(most, y[j]);
            }
        held[i] = y[i] < least - slack || y[i] > most + slack;
        out[i] = fmin(fmax(y[i], least - slack), most + slack);
    }
}

typedef struct division {
    size_t at;            /* points before it */
    double before, after; /* levels */
    double gain, left;    /* squares that it explains, and leaves */
} division;

/* The best division with CHANGES_RUN points or more before it. */
static division divide(const double *y, size_t count)
{
    double whole = 0, squares = 0, sum = 0;
    for (size_t i = 0; i < count; i++)
        whole += y[i];
    const double mean = whole / (double)count;
    for (size_t i = 0; i < count; i++)
        squares += (y[i] - mean) * (y[i] - mean);
    division best = {.gain = -1};
    for (size_t i = 1; i < count; i++) { /* sums of deviations: no cancellation of levels */
        sum += y[i - 1] - mean;
        const double a = (double)i, b = (double)(count - i), gain = sum * sum * (1 / a + 1 / b);
        if (i >= CHANGES_RUN && gain > best.gain)
            best = (division){i, mean + sum / a, mean - sum / b, gain, 0};
    }
    best.left = fmax(squares - best.gain, 0);
    return best;
}

static double deviate(const division *d, size_t count)
{
    const double f = (double)(count - 2), rounding = 1e-13 * (fabs(d->before) + fabs(d->after));
    if (d->gain <= rounding * rounding * (double)count)
        return 0;
    if (d->left <= rounding * rounding * (double)count)
        return HUGE_VAL;
    return sqrt(f * log1p(d->gain / d->left)) * (8 * f + 1) / (8 * f + 3);
}

/* The same division without the points that had to be held: a spike at the edge of a chance step must not complete it.
 * False when a side has too few others. */
static bool without_held(division *d, const double *y, const bool *held, size_t count, size_t *kept)
{
    double sum[2] = {0}, squares = 0;
    size_t points[2] = {0};
    for (size_t i = 0; i < count; i++)
        if (!held[i]) {
            sum[i >= d->at] += y[i];
            points[i >= d->at]++;
        }
    if (points[0] < CHANGES_RUN || points[1] < CHANGES_RUN)
        return false;
    const double a = (double)points[0], b = (double)points[1], before = sum[0] / a, after = sum[1] / b;
    for (size_t i = 0; i < count; i++) {
        const double off = y[i] - (i < d->at ? before : after);
        squares += held[i] ? 0 : off * off;
    }
    *kept = points[0] + points[1];
    *d = (division){d->at, before, after, (after - before) * (after - before) * a * b / (a + b), squares};
    return true;
}

/* Whether the median of the newest three points is nearer to the new level. */
static bool stands(const double *y, size_t count, const division *d)
{
    double newest[3];
    memcpy(newest, y + count - 3, sizeof newest);
    const double middle = stats_median(newest, 3, 0.5).median;
    return fabs(middle - d->after) < fabs(middle - d->before);
}

size_t changes_find(const double *y, size_t count, change *out)
{
    double calm[CHANGES_WINDOW];
    bool held[CHANGES_WINDOW];
    size_t found = 0, start = 0;
    for (size_t end = 2 * CHANGES_RUN; end <= count; end++) {
        const size_t from = end - start > CHANGES_WINDOW ? end - CHANGES_WINDOW : start, length = end - from;
        if (length < 2 * CHANGES_RUN)
            continue;
        hold(calm, held, y + from, length);
        const division d = divide(calm, length);
        if (length - d.at < CHANGES_RUN || !stands(calm, length, &d))
            continue;
        const double z = deviate(&d, length);
        division rest = d;
        size_t kept;
        if (z <= CHANGES_DEVIATE || !without_held(&rest, calm, held, length, &kept) || deviate(&rest, kept) <= CHANGES_DEVIATE)
            continue;
        start = from + d.at;
        out[found++] = (change){.at = start, .known = end - 1, .before = d.before, .after = d.after, .deviate = z};
    }
    assert(found <= count / CHANGES_RUN);
    return found;
}
