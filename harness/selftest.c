/* Verdicts tried on blocks of known truth. See selftest.h.
 *
 * Source of the interval for rates: Wilson, Probable inference, the law of succession, and statistical inference (1927). */
#include "harness/selftest.h"

#include <assert.h>
#include <math.h>
#include <stdbool.h>

#include "base/rng.h"
#include "harness/stats.h"
#include "harness/verdict.h"

enum { SAMPLES = 15 };
static const double THRESHOLD = 0.01, CONFIDENCE = 0.95, FAMILY_LEVEL = 0.001;
static const double ONE_PERCENT = 0.01, DRIFT_STEP = 0.005, SLOW_MODE = 0.03;

static const char *const names[SELFTEST_NOISES] = {
    [SELFTEST_AR1] = "AR(1) within a process", [SELFTEST_DRIFT] = "drift across blocks",
    [SELFTEST_MODES] = "bimodal processes", [SELFTEST_TAILS] = "heavy tails"};

const char *selftest_noise_name(selftest_noise noise)
{
    return names[noise];
}

/* ---- made-up blocks ---- */

/* N / sqrt(chi^2(2) / 2), and chi^2(2) = -2 ln u. */
static double student2(rng *r)
{
    return (double)rng_normal(r) / sqrt(-log(1 - rng_uniform(r)) + 1e-300);
}

/* Log of the time that one process tells, about 0. */
static double process_time(selftest_noise noise, double *clock, rng *r)
{
    double x[SAMPLES], level = 0, follows = (double)rng_normal(r);
    if (noise == SELFTEST_DRIFT)
        level = *clock += DRIFT_STEP * (double)rng_normal(r);
    if (noise == SELFTEST_MODES)
        level = rng_uniform(r) < 0.5 ? 0 : SLOW_MODE;
    for (size_t i = 0; i < SAMPLES; i++) {
        double e = (double)rng_normal(r);
        if (noise == SELFTEST_AR1)
            e = follows = 0.9 * follows + sqrt(1 - 0.9 * 0.9) * e;
        else if (noise == SELFTEST_TAILS)
            e = student2(r);
        x[i] = level + ONE_PERCENT * e;
    }
    return stats_of_process(x, SAMPLES);
}

void selftest_blocks(double *out, size_t blocks, selftest_noise noise, double truth, uint64_t seed, uint64_t trial)
{
    rng r = rng_make(seed, rng_mix(trial * SELFTEST_NOISES + noise));
    double clock = 0;
    for (size_t b = 0; b < blocks; b++) {
        const double first = process_time(noise, &clock, &r), second = process_time(noise, &clock, &r);
        out[b] = truth + (b % 2 ? first - second : second - first);
    }
}

size_t selftest_covered(size_t blocks, selftest_noise noise, size_t trials, uint64_t seed)
{
    double x[SELFTEST_BLOCKS];
    size_t covered = 0;
    assert(blocks <= SELFTEST_BLOCKS);
    for (size_t t = 0; t < trials; t++) {
        selftest_blocks(x, blocks, noise, 0, seed, t);
        const interval m = stats_median(x, blocks, CONFIDENCE);
        covered += m.lo <= 0 && 0 <= m.hi;
    }
    return covered;
}

/* ---- gates ---- */

void selftest_gate(selftest_tally *tally, double *const *log_ratios, const size_t *blocks, size_t cases)
{
    verdict v[SELFTEST_CASES];
    double p[SELFTEST_CASES] = {0};
    bool differs[SELFTEST_CASES] = {false}, flagged = false;
    assert(cases >= 1 && cases <= SELFTEST_CASES);
    for (size_t i = 0; i < cases; i++) {
        v[i] = verdict_of(log_ratios[i], blocks[i], THRESHOLD, CONFIDENCE);
        p[i] = v[i].p;
    }
    verdict_holm(p, cases, FAMILY_LEVEL, differs);
    for (size_t i = 0; i < cases; i++) {
        const bool regressed = v[i].kind == VERDICT_REGRESSED && differs[i];
        const bool improved = v[i].kind == VERDICT_IMPROVED && differs[i];
        const bool pass = v[i].kind == VERDICT_PASS;
        tally->log_ratios += blocks[i] ? v[i].median : 0;
        tally->regressed += regressed;
        tally->improved += improved;
        tally->pass += pass;
        tally->inconclusive += !regressed && !improved && !pass;
        flagged |= regressed || improved;
    }
    tally->cases += cases;
    tally->gates++;
    tally->flagged_gates += flagged;
}

/* A full gate, its blocks in one array. */
static void full_gate(selftest_tally *tally, double *x)
{
    double *at[SELFTEST_CASES];
    size_t blocks[SELFTEST_CASES];
    for (size_t i = 0; i < SELFTEST_CASES; i++) {
        at[i] = x + i * SELFTEST_BLOCKS;
        blocks[i] = SELFTEST_BLOCKS;
    }
    selftest_gate(tally, at, blocks, SELFTEST_CASES);
}

selftest_tally selftest_simulated(double truth, size_t gates, uint64_t seed)
{
    double x[SELFTEST_CASES * SELFTEST_BLOCKS];
    selftest_tally tally = {0};
    for (size_t g = 0; g < gates; g++) {
        for (size_t i = 0; i < SELFTEST_CASES; i++)
            selftest_blocks(x + i * SELFTEST_BLOCKS, SELFTEST_BLOCKS, (selftest_noise)(i % SELFTEST_NOISES), truth, seed,
                            g * SELFTEST_CASES + i);
        full_gate(&tally, x);
    }
    return tally;
}

selftest_tally selftest_replayed(const selftest_record *from, size_t records, double shift, size_t gates, uint64_t seed)
{
    double x[SELFTEST_CASES * SELFTEST_BLOCKS];
    selftest_tally tally = {0};
    for (size_t g = 0; g < gates; g++) {
        rng r = rng_make(seed, g);
        for (size_t i = 0; i < SELFTEST_CASES; i++) {
            const selftest_record *one = &from[i % records];
            for (size_t b = 0; b < SELFTEST_BLOCKS; b++)
                x[i * SELFTEST_BLOCKS + b] = shift - one->median + one->log_ratios[rng_below(&r, one->blocks)];
        }
        full_gate(&tally, x);
    }
    return tally;
}

void selftest_rate(size_t hits, size_t trials, double *lo, double *hi)
{
    const double z = 1.959964, n = (double)trials, rate = (double)hits / n;
    const double middle = (rate + z * z / (2 * n)) / (1 + z * z / n);
    const double half = z / (1 + z * z / n) * sqrt(rate * (1 - rate) / n + z * z / (4 * n * n));
    *lo = fmax(0, middle - half);
    *hi = fmin(1, middle + half);
}
