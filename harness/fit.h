/* Exponents of scaling curves: how a quantity grows with n.
 *
 * A straight line is put through (ln n, ln y) by least squares, so that errors count relatively and a curve
 * over six octaves is not decided by its last point. Least squares is linear in ln y: with the same points,
 * slope(time) = slope(FLOPs) - slope(rate) holds exactly, which no robust line (Theil-Sen, say) keeps.
 * Outliers are dealt with one level below, where each point is a median.
 *
 * What can go wrong. A slope over a finite range is not an asymptotic exponent: lower-order terms bend the
 * curve (local:k=128 between 128 and 256 keys is steeper than n), caches and parallel overheads bend times.
 * So a class (n, n sqrt(n), n^2) is taken from the slope only where there is nothing better; the class of a
 * pattern's FLOPs comes from its exact pair counts, see fit_class(). */
#ifndef HARNESS_FIT_H
#define HARNESS_FIT_H

#include <stdbool.h>
#include <stddef.h>

#include "attn/spec.h"

typedef struct fit_line {
    size_t points;         /* those with n > 0 and y > 0, both finite; the others are left out */
    double slope;          /* NaN unless two different n remain */
    double lo, hi;         /* 95% interval; NaN for fewer than three different n */
    double mean_x, mean_y; /* the line passes here: ln y = mean_y + slope (ln n - mean_x) */
} fit_line;

/* The line through `count` points, and the interval of its slope.
 *
 *   exact     y is a count, without noise: the interval has no width
 *   measured  a smoothed bootstrap-t over the residuals, with a fixed seed: 1999 times, residuals (made
 *             equal in variance by their leverage) are drawn with replacement, each with a normal
 *             deviate of the residuals' standard deviation added, and the line is fitted anew; the quantiles
 *             of (slope* - slope)/s* take the place of Student's. In simulations with 3 to 9 points and
 *             normal, contaminated, skewed or unequal noise it covers 94 to 97% where the plain percentile
 *             bootstrap covers 68 to 91%.
 *
 * The points are taken to err independently: repetitions in one process do not (they share its memory
 * layout), which is why they are one point and not many. Systematic curvature counts as error and widens the
 * interval. */
typedef enum fit_noise { FIT_EXACT, FIT_MEASURED } fit_noise;
fit_line fit_power(const double *n, const double *y, size_t count, fit_noise noise);

/* y of the line at n. */
double fit_at(const fit_line *line, double n);

/* The class whose exponent is nearest to the slope: "1", "√n", "n", "n√n", "n²"; NULL for NaN. */
const char *fit_nearest(double slope);

/* Whether the interval holds the exponent of another class as well: the class is then not settled. */
bool fit_unsettled(const fit_line *line);

/* The growth of a pattern's pairs. */
typedef struct fit_growth {
    char name[16]; /* "n", "n log n", "n√n", "n²"; "n^1.33" for what fits none; "" when `why` says why not */
    double exponent;  /* local slope between the two largest sizes evaluated, d ln pairs / d ln n */
    double share;     /* what the leading term holds of the pairs at the largest size */
    size_t largest;   /* the largest n evaluated */
    char scaled[192]; /* the spec evaluated, when its constants were scaled down; else "" */
    char why[192];    /* why there is no class */
} fit_growth;

/* The asymptotic class of a spec, from exact pair counts rather than from a slope.
 *
 * For s = 4096, 3840 = 2^8*3*5 and 4032 = 2^6*9*7 (so that s/2, s/3, s/5, s/7 ... are whole), the model
 *     pairs(n) = a n + b n log2(n) + c n sqrt(n) + d n^2
 * is solved through the counts at n = s^2/64, s^2/16, s^2/4, s^2. The class is the highest term that holds
 * more than 2% of the pairs at n = s^2 for all three s: rounding of an expression such as sqrt(n)/11 gives
 * terms of changing sign, a true term stays. What slows down to a slope within 0.02 of 1 is n, whatever the
 * shares: its lower terms are none of the model's. Where a share comes out clearly negative and the slope at the
 * end is more than 0.12 from the class's, the growth is none of these and is named by its slope: "n^1.33", unless it grows
 * clearly steeper and one term holds more than half.
 *
 * A constant parameter does not change the class by its size, but a large one hides it up to n = 2^24
 * (strided:l=4096 has n l + n^2/(2 l) pairs: equal shares only at n = 2^25). So literal integers are scaled
 * down together until the largest is 4, where the spec stays valid; `scaled` shows it.
 *
 * What can go wrong: large constants inside an expression (n/1000000, 4000*sqrt(n)) are not scaled, and a
 * plugin's integer that is no size (a mode, a seed) is, which `scaled` shows. Patterns
 * without a closed-form count are evaluated at s = 512, 480, 504 if they stream rows (and without testing more than 3e7 pairs), where lower-order terms
 * and saturation weigh more; those with allows() alone at s = 64, 56, 48, where the terms cannot be told
 * apart and the slope decides between n, n√n and n².
 * EINVAL: the spec cannot be resolved (message in err). Seconds at most. */
attn_status fit_class(fit_growth *out, const char *spec, size_t heads, attn_error *err);

#endif
