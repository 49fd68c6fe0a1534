/* The statistics of verdicts, tried: on made-up blocks whose truth is known, and on recorded ones shifted by a known
 * amount. Pure functions of their arguments. */
#ifndef HARNESS_SELFTEST_H
#define HARNESS_SELFTEST_H

#include <stddef.h>
#include <stdint.h>

enum { SELFTEST_CASES = 12, SELFTEST_BLOCKS = 60 }; /* of a gate; blocks of each case */

/* What measurements suffer from. Each process takes SAMPLES samples and tells their lower quartile, as in comparisons. */
typedef enum selftest_noise {
    SELFTEST_AR1,    /* samples of a process that follow each other: x = 0.9 x' + e, one per cent */
    SELFTEST_DRIFT,  /* a clock that walks from process to process, half a per cent a step, across all blocks */
    SELFTEST_MODES,  /* processes that are fast or 3% slow by chance (memory layout) */
    SELFTEST_TAILS,  /* samples with Student's t of 2 degrees of freedom, whose variance is infinite */
    SELFTEST_NOISES
} selftest_noise;

const char *selftest_noise_name(selftest_noise noise);

/* `blocks` log-ratios of arms that truly differ by the factor exp(`truth`), measured in turn (A B, B A, ...). */
void selftest_blocks(double *out, size_t blocks, selftest_noise noise, double truth, uint64_t seed, uint64_t trial);

/* In how many of `trials` the 95% interval of `blocks` blocks holds the truth. */
size_t selftest_covered(size_t blocks, selftest_noise noise, size_t trials, uint64_t seed);

/* Verdicts of a gate's cases, as a gate gives them: regressed and improved stand only where Holm's procedure over all cases, at
 * a level of 0.1%, rejects "no difference" as well; else they are inconclusive. */
typedef struct selftest_tally {
    size_t gates, cases, pass, regressed, improved, inconclusive;
    size_t flagged_gates; /* with a case regressed or improved */
    double log_ratios;    /* the cases' medians, summed */
} selftest_tally;

/* `log_ratios[i]` holds the blocks[i] values of case i, and is sorted; 1 <= cases <= SELFTEST_CASES. Adds to `tally`. */
void selftest_gate(selftest_tally *tally, double *const *log_ratios, const size_t *blocks, size_t cases);

/* Gates on made-up blocks; every case has the next kind of noise. */
selftest_tally selftest_simulated(double truth, size_t gates, uint64_t seed);

/* Blocks as they were recorded of one case. */
typedef struct selftest_record {
    const double *log_ratios;
    size_t blocks; /* >= 1 */
    double median; /* of them */
} selftest_record;

/* Gates on blocks drawn at random, with replacement, from those recorded; case k of a gate draws from record k modulo
 * `records`. Each log-ratio less the median of its record, plus `shift`: the few blocks of a record have a median other than
 * the truth by chance, and so the true difference of what is drawn is `shift`. */
selftest_tally selftest_replayed(const selftest_record *from, size_t records, double shift, size_t gates, uint64_t seed);

/* ---- change points (harness/selftest_changes.c) ---- */

/* Series of unit normal noise that step by `size` up or down after 20, 40 or 60 visits, with 20 visits behind it: in how many
 * a change is found within one visit of the step. */
size_t selftest_steps(double size, size_t series, uint64_t seed);

/* Series of 60 visits of unit normal noise with one spike of 5, 10, 20 or 1000 somewhere. A change is the spike's where it is
 * found at the spike or at the visit behind it; noise alone shows one somewhere else now and then. */
typedef struct selftest_spike_tally {
    size_t series, at_spike, elsewhere; /* series with such a change */
} selftest_spike_tally;

selftest_spike_tally selftest_spikes(size_t series, uint64_t seed);

/* Wilson's interval of 95% for a rate seen `hits` times in `trials`. */
void selftest_rate(size_t hits, size_t trials, double *lo, double *hi);

#endif
