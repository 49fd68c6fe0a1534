/* Verdicts: what each needs, how often intervals cover, families. */
#include <criterion/criterion.h>
#include <math.h>

#include "base/rng.h"
#include "harness/cli.h"
#include "harness/stats.h"
#include "harness/verdict.h"

enum { MOST = 64 };

static verdict of(const double *x, size_t count)
{
    double copy[MOST];
    for (size_t i = 0; i < count; i++)
        copy[i] = x[i];
    return verdict_of(copy, count, 0.01, 0.95);
}

static verdict constant(double x, size_t count)
{
    double all[MOST];
    for (size_t i = 0; i < count; i++)
        all[i] = x;
    return of(all, count);
}

Test(verdict, needs_what_it_says)
{
    cr_assert(constant(0.05, 6).kind == VERDICT_REGRESSED, "six blocks of +5 per cent");
    cr_assert(constant(-0.05, 6).kind == VERDICT_IMPROVED, "six blocks of -5 per cent");
    cr_assert(constant(0.001, 6).kind == VERDICT_PASS, "six blocks of +0.1 per cent");
    cr_assert(constant(0, 6).kind == VERDICT_PASS, "six blocks of nothing");
    cr_assert(constant(0.05, 5).kind == VERDICT_INCONCLUSIVE, "five blocks have no interval of 95 per cent");
    cr_assert(constant(0.05, 5).needed == 6, "they need %zu", constant(0.05, 5).needed);
    cr_assert(of(NULL, 0).kind == VERDICT_INCONCLUSIVE && isnan(of(NULL, 0).median) && of(NULL, 0).p >= 1, "no block at all");
}

/* The interval above 0 with a median within the threshold is no regression, and no pass if it reaches beyond. */
Test(verdict, threshold_and_interval_both_count)
{
    const double small[] = {0.004, 0.005, 0.006, 0.007, 0.008, 0.009};
    const double wide[] = {0.002, 0.004, 0.005, 0.006, 0.02, 0.03};
    const double astride[] = {-0.2, 0.1, 0.12, 0.15, 0.2, 0.3};
    cr_assert(of(small, 6).kind == VERDICT_PASS, "within the threshold: %s", verdict_name(of(small, 6).kind));
    cr_assert(of(wide, 6).kind == VERDICT_INCONCLUSIVE, "reaches beyond: %s", verdict_name(of(wide, 6).kind));
    cr_assert(of(wide, 6).needed > 6, "more than six blocks: %zu", of(wide, 6).needed);
    cr_assert(of(astride, 6).kind == VERDICT_INCONCLUSIVE, "astride of 0: %s", verdict_name(of(astride, 6).kind));
}

/* Turning the arms round turns the verdict round. */
Test(verdict, is_symmetric)
{
    for (uint64_t seed = 1; seed <= 200; seed++) {
        double x[12], y[12];
        float noise[12];
        rng_normal_fill(seed, 1, 0, 12, noise);
        for (size_t i = 0; i < 12; i++) {
            x[i] = 0.01 + 0.02 * (double)noise[i];
            y[i] = -x[i];
        }
        const verdict a = of(x, 12), b = of(y, 12);
        const verdict_kind mirrored = a.kind == VERDICT_REGRESSED  ? VERDICT_IMPROVED
                                      : a.kind == VERDICT_IMPROVED ? VERDICT_REGRESSED
                                                                   : a.kind;
        cr_assert(b.kind == mirrored, "seed %zu: %s and %s", (size_t)seed, verdict_name(a.kind), verdict_name(b.kind));
        cr_assert(fabs(a.p - b.p) < 1e-12 && fabs(a.median + b.median) < 1e-12, "seed %zu", (size_t)seed);
    }
}

/* Coverage of the interval: the binomial value, for skewed noise with heavy tails as well. */
Test(verdict, interval_covers)
{
    enum { TRIALS = 4000 };
    static const size_t blocks[] = {6, 9, 12, 20};
    for (size_t b = 0; b < sizeof blocks / sizeof blocks[0]; b++) {
        size_t covered = 0;
        for (uint64_t trial = 0; trial < TRIALS; trial++) {
            double x[20];
            float noise[20];
            rng_normal_fill(7, trial, 0, blocks[b], noise);
            for (size_t i = 0; i < blocks[b]; i++) /* median 0.3 */
                x[i] = exp(3 * (double)noise[i]) - 0.7;
            const verdict v = of(x, blocks[b]);
            covered += v.lo <= 0.3 && 0.3 <= v.hi;
        }
        const double exact = stats_median_coverage(blocks[b], 0.95), share = (double)covered / TRIALS;
        cr_assert(fabs(share - exact) < 4 * sqrt(exact * (1 - exact) / TRIALS), "%zu blocks: %.4f, exact %.4f", blocks[b],
                  share, exact);
    }
}

/* The same against itself: over many gates of 12 cases at a family level of 0.1 per cent none fires. */
Test(verdict, null_family_stays_silent)
{
    size_t fired = 0;
    for (uint64_t gate = 0; gate < 1000; gate++) {
        double p[12];
        bool rejected[12];
        for (uint64_t c = 0; c < 12; c++) {
            double x[16];
            float noise[16];
            rng_normal_fill(gate + 1, c, 0, 16, noise);
            for (size_t i = 0; i < 16; i++)
                x[i] = 0.05 * (double)noise[i];
            p[c] = of(x, 16).p;
        }
        verdict_holm(p, 12, 0.001, rejected);
        for (size_t c = 0; c < 12; c++)
            fired += rejected[c];
    }
    cr_assert(fired <= 3, "%zu rejections in 1000 gates at a level of 0.001", fired);
}

Test(verdict, families)
{
    const double p[] = {0.01, 0.04, 0.03, 0.005};
    bool holm[4], bh[4];
    verdict_holm(p, 4, 0.05, holm);
    verdict_benjamini_hochberg(p, 4, 0.05, bh);
    cr_assert(holm[3] && holm[0] && !holm[1] && !holm[2], "Holm: 0.005 <= 0.05/4, 0.01 <= 0.05/3, 0.03 > 0.05/2");
    cr_assert(bh[0] && bh[1] && bh[2] && bh[3], "Benjamini-Hochberg: 0.04 <= 4/4 0.05");
    const double none[] = {0.9, 0.06};
    verdict_holm(none, 2, 0.05, holm);
    verdict_benjamini_hochberg(none, 2, 0.05, bh);
    cr_assert(!holm[0] && !holm[1] && !bh[0] && !bh[1], "nothing to reject");
}

Test(verdict, exit_codes)
{
    const verdict_kind fine[] = {VERDICT_PASS, VERDICT_IMPROVED}, unsure[] = {VERDICT_PASS, VERDICT_INCONCLUSIVE},
                       bad[] = {VERDICT_INCONCLUSIVE, VERDICT_REGRESSED}, none[] = {VERDICT_REGRESSED, VERDICT_INCOMPARABLE};
    cr_assert(verdict_exit(fine, 2) == EXIT_FINE && verdict_exit(NULL, 0) == EXIT_FINE, "fine");
    cr_assert(verdict_exit(unsure, 2) == EXIT_INCONCLUSIVE, "inconclusive");
    cr_assert(verdict_exit(bad, 2) == EXIT_REGRESSED, "regressed");
    cr_assert(verdict_exit(none, 2) == EXIT_INCOMPARABLE, "incomparable");
}

/* Six blocks carry an interval of 95 per cent, eleven one of 99.9. */
Test(verdict, least_blocks)
{
    cr_assert(verdict_least_blocks(0.95) == 6, "%zu", verdict_least_blocks(0.95));
    cr_assert(verdict_least_blocks(0.999) == 11, "%zu", verdict_least_blocks(0.999));
}

Test(verdict, of_counts)
{
    const double more[] = {0.004, 0.00405}, none[] = {0.0001, 0.00005}, apart[] = {0.01, 0.02};
    cr_assert(verdict_of_counts(more, 2, 0.0025).kind == VERDICT_REGRESSED && verdict_of_counts(more, 1, 0.005).kind == VERDICT_PASS, "0.4%%");
    cr_assert(verdict_of_counts(none, 2, 0.0025).kind == VERDICT_PASS, "0.01%%");
    cr_assert(verdict_of_counts(apart, 2, 0.0025).kind == VERDICT_INCONCLUSIVE, "counts that differ");
    cr_assert(verdict_of_counts(NULL, 0, 0.0025).kind == VERDICT_INCONCLUSIVE, "no counts");
}
