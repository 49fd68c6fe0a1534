/* A straight line on logarithmic paper, and how far to trust its slope. */
#include "harness/fit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"

enum {
    REPLICATES = 1999, /* (REPLICATES + 1) * 0.025 is whole: quantiles are order statistics */
    TAIL = 50,
    SEED = 1
};

/* The slope of y on x, and its standard error; x has mean 0 and sum of squares sxx. */
static double slope_of(const double *x, const double *y, size_t count, double sxx, double *error)
{
    double mean = 0, sxy = 0, rest = 0;
    for (size_t i = 0; i < count; i++)
        mean += y[i] / (double)count;
    for (size_t i = 0; i < count; i++)
        sxy += x[i] * (y[i] - mean);
    const double slope = sxy / sxx;
    for (size_t i = 0; i < count; i++) {
        double r = y[i] - mean - slope * x[i];
        rest += r * r;
    }
    *error = sqrt(rest / ((double)count - 2) / sxx);
    return slope;
}

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Quantiles of (slope* - slope)/s* under resampled residuals. */
static void bootstrap(const double *x, const double *residual, size_t count, double sxx, double *draw,
                      double *lo, double *hi)
{
    double spread = 0;
    for (size_t i = 0; i < count; i++)
        spread += residual[i] * residual[i] / (double)count;
    spread = sqrt(spread);

    rng random = rng_make(SEED, 0);
    double t[REPLICATES];
    for (size_t b = 0; b < REPLICATES; b++) {
        for (size_t i = 0; i < count; i++)
            draw[i] = residual[rng_below(&random, count)] + spread * (double)rng_normal(&random);
        double error;
        double slope = slope_of(x, draw, count, sxx, &error);
        t[b] = slope / error;
    }
    qsort(t, REPLICATES, sizeof t[0], ascending);
    *lo = t[TAIL - 1];
    *hi = t[REPLICATES - TAIL];
}

static size_t distinct(const double *x, size_t count)
{
    size_t different = 0;
    for (size_t i = 0; i < count; i++) {
        bool seen = false;
        for (size_t j = 0; j < i && !seen; j++)
            seen = x[j] == x[i];
        different += !seen;
    }
    return different;
}

static double interval(fit_line *line, double *x, const double *y, size_t count, double sxx, double *room)
{
    double error, *residual = room, *draw = room + count, mean = 0;
    double slope = slope_of(x, y, count, sxx, &error);
    for (size_t i = 0; i < count; i++) {
        double leverage = 1 / (double)count + x[i] * x[i] / sxx;
        residual[i] = (y[i] - line->mean_y - slope * x[i]) / sqrt(fmax(1 - leverage, 1e-9));
        mean += residual[i] / (double)count;
    }
    for (size_t i = 0; i < count; i++)
        residual[i] -= mean;
    line->lo = line->hi = slope;
    if (error > 1e-12) { /* below, y is a power of n but for rounding */
        double least, greatest;
        bootstrap(x, residual, count, sxx, draw, &least, &greatest);
        line->lo = slope - greatest * error;
        line->hi = slope - least * error;
    }
    return slope;
}

fit_line fit_power(const double *n, const double *y, size_t count, fit_noise noise)
{
    fit_line line = {.slope = (double)NAN,
                     .lo = (double)NAN,
                     .hi = (double)NAN,
                     .mean_x = (double)NAN,
                     .mean_y = (double)NAN};
    double *room = count ? malloc(4 * count * sizeof *room) : NULL;
    if (!room)
        return line;
    double *lx = room, *ly = room + count;
    size_t m = 0;
    for (size_t i = 0; i < count; i++)
        if (isfinite(n[i]) && n[i] > 0 && isfinite(y[i]) && y[i] > 0) {
            lx[m] = log(n[i]);
            ly[m++] = log(y[i]);
        }
    line.points = m;
    const size_t different = distinct(lx, m);
    if (m > 0) {
        double sxx = 0, sxy = 0;
        line.mean_x = line.mean_y = 0;
        for (size_t i = 0; i < m; i++) {
            line.mean_x += lx[i] / (double)m;
            line.mean_y += ly[i] / (double)m;
        }
        for (size_t i = 0; i < m; i++) {
            lx[i] -= line.mean_x;
            sxx += lx[i] * lx[i];
            sxy += lx[i] * (ly[i] - line.mean_y);
        }
        if (different >= 2)
            line.slope = line.lo = line.hi = sxy / sxx;
        if (different < 3)
            line.lo = line.hi = (double)NAN;
        else if (noise == FIT_MEASURED)
            line.slope = interval(&line, lx, ly, m, sxx, room + 2 * count);
    }
    free(room);
    return line;
}

double fit_at(const fit_line *line, double n)
{
    return exp(line->mean_y + line->slope * (log(n) - line->mean_x));
}

static const struct {
    double exponent;
    const char *name;
} candidates[] = {{0, "1"}, {0.5, "√n"}, {1, "n"}, {1.5, "n√n"}, {2, "n²"}};
enum { CANDIDATES = sizeof candidates / sizeof candidates[0] };

const char *fit_nearest(double slope)
{
    const char *name = NULL;
    double best = HUGE_VAL;
    for (size_t i = 0; i < CANDIDATES; i++)
        if (fabs(slope - candidates[i].exponent) < best) {
            best = fabs(slope - candidates[i].exponent);
            name = candidates[i].name;
        }
    return name;
}

bool fit_unsettled(const fit_line *line)
{
    const char *nearest = fit_nearest(line->slope);
    for (size_t i = 0; nearest && i < CANDIDATES; i++)
        if (strcmp(candidates[i].name, nearest) != 0 && candidates[i].exponent >= line->lo &&
            candidates[i].exponent <= line->hi)
            return true;
    return false;
}
