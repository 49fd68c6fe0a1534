/* Verdicts on paired measurements: is B slower than A?
 *
 * A *block* measures both arms close together in time, each in a fresh process, and yields one number, the log of
 * the ratio of B's time to A's. Blocks are independent; the samples of one process are not. Over the blocks:
 *
 *   median      of the log-ratios
 *   interval    for the true median, from order statistics (the sign test turned round: exact for any distribution
 *               that is the same in every block; harness/stats.h). Infinite where so few blocks cannot give the
 *               confidence asked for
 *   regressed   the interval lies wholly above 0 and the median above the threshold
 *   improved    the mirror image
 *   pass        the interval lies within the threshold on both sides
 *   else inconclusive, with the number of blocks that would decide it if things went on as they are
 *
 * So a pass is evidence of sameness, not the absence of evidence; and a true difference of just the threshold is
 * inconclusive, whatever the number of blocks. */
#ifndef HARNESS_VERDICT_H
#define HARNESS_VERDICT_H

#include <stdbool.h>
#include <stddef.h>

typedef enum verdict_kind {
    VERDICT_PASS, VERDICT_IMPROVED, VERDICT_REGRESSED, VERDICT_INCONCLUSIVE, VERDICT_INCOMPARABLE
} verdict_kind;

typedef struct verdict {
    verdict_kind kind;
    size_t blocks;
    double median, lo, hi; /* of the log-ratio; NaN without blocks, lo and hi infinite with too few */
    double p;              /* two-sided sign test of "no difference"; 1 without blocks */
    size_t needed;         /* blocks that would decide, when inconclusive; 0: cannot be told */
} verdict;

/* `log_ratios` are sorted in place; no NaN. `threshold` > 0 as a fraction (0.01: one per cent), compared as
 * log(1 + threshold). */
verdict verdict_of(double *log_ratios, size_t blocks, double threshold, double confidence);

/* The same for counts that other work does not disturb: the range over the blocks takes the place of the interval, and one block is
 * enough. Inconclusive where the range is wider than VERDICT_EXACT, since counts of one program should not differ. */
#define VERDICT_EXACT 1e-4
verdict verdict_of_counts(const double *log_ratios, size_t blocks, double threshold);

const char *verdict_name(verdict_kind kind);

/* Exit code of a verdict, and of several: wrong before right, certain before uncertain (incomparable, regressed,
 * inconclusive, fine). */
int verdict_exit(const verdict_kind *kinds, size_t count);

/* Least number of blocks whose interval can have this confidence. */
size_t verdict_least_blocks(double confidence);

/* Families of tests: which hypotheses are rejected, given their p values.
 *
 * Holm: the chance of even one false rejection is at most `level`, whatever depends on what. For a gate.
 * Benjamini and Hochberg: of those rejected, a share of at most `level` is false on average. For exploring. */
void verdict_holm(const double *p, size_t count, double level, bool *rejected);
void verdict_benjamini_hochberg(const double *p, size_t count, double level, bool *rejected);

#endif
