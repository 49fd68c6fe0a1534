/* Change points of a series: where its level has moved for good.
 *
 * A step fit (Potts' model: levels with independent noise about them, and a price for every step), taken in the order of the
 * series. With each point, the segment since the last change (its newest CHANGES_WINDOW points) is divided in two where that
 * leaves the least squares; the division is a change once
 *
 *   - both sides have CHANGES_RUN points,
 *   - the likelihood ratio of two levels against one, as a normal deviate, is beyond CHANGES_DEVIATE,
 *   - and the newest points still stand nearer to the new level than to the old.
 *
 * Before that, a point that stands out from the two on either side is pulled back to them (but for the noise that there is), and
 * the division has to be a change without such points as well, which do not count as points of a side either: so a lone spike
 * is never a change, nor completes one, nor moves or hides one.
 *
 * A change follows from the points up to some moment alone, and what comes later looks only at what comes after it: points
 * added at the end never take a change back, and a series tells the same whether it is read at once or as it grows. */
#ifndef HARNESS_CHANGES_H
#define HARNESS_CHANGES_H

#include <stddef.h>

enum { CHANGES_RUN = 5, CHANGES_WINDOW = 100 };

/* Independent normal noise gets there about once in 250000 points (12 of 50000 series of 60 points showed a change); a step of 3
 * standard deviations after 20 points or more is found, five to seven points later, within one point in 96% of series. */
#define CHANGES_DEVIATE 5.0

typedef struct change {
    size_t at;            /* the first point of the new level */
    size_t known;         /* the point that settled it, >= at + CHANGES_RUN - 1 */
    double before, after; /* levels as they were known then */
    double deviate;       /* the likelihood ratio then, as a normal deviate; infinite: levels without noise */
} change;

/* Finds the changes in y[count] (finite; logarithms, where ratios matter) in order. `out` has room for count / CHANGES_RUN.
 * Returns how many. */
size_t changes_find(const double *y, size_t count, change *out);

#endif
