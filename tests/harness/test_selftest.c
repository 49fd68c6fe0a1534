/* What selftest stands on: noise of the kind it says, gates that flag what they must, replay, change points, slopes, rates. */
#include <criterion/criterion.h>
#include <math.h>

#include "base/rng.h"
#include "harness/selftest_parts.h"
#include "harness/stats.h"

Test(selftest, intervals_cover_whatever_the_noise)
{
    enum { BLOCKS = 20, TRIALS = 8000 };
    const double exact = stats_median_coverage(BLOCKS, 0.95);
    for (selftest_noise noise = 0; noise < SELFTEST_NOISES; noise++) {
        const double rate = (double)selftest_covered(BLOCKS, noise, TRIALS, 1) / TRIALS;
        cr_assert(rate >= 0.95 && fabs(rate - exact) <= 0.01, "%s: %g covered, exactly %g", selftest_noise_name(noise), rate, exact);
    }
}

Test(selftest, simulated_gates_tell_five_per_cent_from_nothing)
{
    const selftest_tally none = selftest_simulated(0, 100, 1), five = selftest_simulated(log(1.05), 100, 2);
    const selftest_tally faster = selftest_simulated(-log(1.05), 100, 3), two = selftest_simulated(log(1.02), 100, 4);
    cr_assert(none.gates == 100 && none.cases == 1200, "%zu gates, %zu cases", none.gates, none.cases);
    cr_assert(none.flagged_gates == 0, "%zu gates flagged without a difference", none.flagged_gates);
    cr_assert(five.regressed >= 1188 && five.improved == 0 && five.pass == 0, "%zu regressed, %zu improved", five.regressed,
              five.improved);
    cr_assert(faster.improved >= 1188 && faster.regressed == 0, "%zu improved, %zu regressed", faster.improved, faster.regressed);
    cr_assert(two.pass == 0 && two.improved == 0, "two per cent: %zu pass, %zu improved", two.pass, two.improved);
}

/* Every case lands in one place. Three blocks have no interval: no gate can tell anything from them. */
Test(selftest, gate_without_enough_blocks_is_inconclusive)
{
    double x[] = {0.5, 0.5, 0.5}, y[] = {0, 0, 0};
    selftest_tally t = {0};
    selftest_gate(&t, (double *[]){x, y}, (size_t[]){3, 3}, 2);
    cr_assert(t.inconclusive == 2 && t.cases == 2 && t.flagged_gates == 0, "%zu inconclusive of %zu", t.inconclusive, t.cases);
}

/* Seven blocks give an interval of 95% but not the p that a family at 0.1% needs; eleven do. */
Test(selftest, gate_needs_what_holm_needs)
{
    double x[11];
    for (size_t blocks = 7; blocks <= 11; blocks += 4) {
        selftest_tally t = {0};
        for (size_t i = 0; i < blocks; i++)
            x[i] = 0.05;
        selftest_gate(&t, (double *[]){x}, &blocks, 1);
        cr_assert(t.regressed == (blocks == 11) && t.inconclusive == (blocks == 7), "%zu blocks: %zu regressed", blocks, t.regressed);
    }
}

Test(selftest, replay_shifts_what_was_recorded)
{
    const double quiet[] = {0.001, -0.001, 0.002}, other[] = {-0.2};
    const selftest_record from[] = {{quiet, 3, 0.001}, {other, 1, -0.2}};
    const selftest_tally none = selftest_replayed(from, 2, 0, 50, 1), five = selftest_replayed(from, 2, 0.05, 50, 1);
    cr_assert(none.pass == none.cases && none.cases == 600, "%zu of %zu pass", none.pass, none.cases);
    cr_assert(five.regressed == five.cases && five.flagged_gates == 50, "%zu of %zu regressed", five.regressed, five.cases);
}

Test(selftest, gates_tell_the_change_that_they_saw)
{
    const selftest_tally five = selftest_simulated(log(1.05), 50, 5);
    const double mean = exp(five.log_ratios / (double)five.cases);
    cr_assert(fabs(mean - 1.05) < 0.002, "5%% slower is told as a factor of %g", mean);
}

Test(selftest, steps_are_located_and_nothing_is_where_none_was)
{
    enum { SERIES = 600 };
    const size_t three = selftest_steps(3, SERIES, 1), none = selftest_steps(0, SERIES, 1);
    cr_assert(three * 100 >= SERIES * 95, "%zu of %d located", three, SERIES);
    cr_assert(none <= 2, "%zu of %d series without a step have one", none, SERIES);
}

Test(selftest, spikes_are_no_changes)
{
    enum { SERIES = 1000 };
    const selftest_spike_tally t = selftest_spikes(SERIES, 1);
    cr_assert(t.series == SERIES && t.at_spike == 0 && t.elsewhere <= 5, "%zu at the spike, %zu elsewhere", t.at_spike, t.elsewhere);
}

/* Every round n^1.5 but one, each round with a speed of its own: all lengths have it, and quartiles pass over the odd one. */
Test(selftest, slope_is_that_of_most_rounds)
{
    enum { ROUNDS = 9 };
    const double n[] = {4096, 9216, 16384};
    double y[3 * ROUNDS], slope, lo, hi;
    for (size_t r = 0; r < ROUNDS; r++)
        for (size_t i = 0; i < 3; i++)
            y[3 * r + i] = (double)(1 + r) * pow(n[i], r == 4 ? 3 : 1.5);
    selftest_slope(n, y, 3, ROUNDS, &slope, &lo, &hi);
    cr_assert(fabs(slope - 1.5) < 1e-9 && fabs(lo - 1.5) < 1e-9 && fabs(hi - 1.5) < 1e-9, "%g, %g to %g", slope, lo, hi);
}

/* Noise that only adds, a twentieth on average or a third in half of the rounds: the interval covers, and is rarely off by as much as the bar
 * of selftest allows. */
Test(selftest, slopes_stand_noise_that_adds)
{
    enum { ROUNDS = 12, TRIALS = 200 };
    const double n[] = {4096, 6400, 9216};
    for (int often = 0; often < 2; often++) {
        size_t covered = 0, off = 0;
        rng r = rng_make(1, (uint64_t)often);
        for (size_t t = 0; t < TRIALS; t++) {
            double y[3 * ROUNDS], slope, lo, hi;
            for (size_t i = 0; i < 3 * ROUNDS; i++) {
                const double more = -log(1 - rng_uniform(&r)), normal = (double)rng_normal(&r);
                y[i] = n[i % 3] * exp(often ? 0.003 * normal + (rng_uniform(&r) < 0.5 ? 0.3 * more : 0) : 0.05 * more);
            }
            selftest_slope(n, y, 3, ROUNDS, &slope, &lo, &hi);
            covered += lo <= 1 && 1 <= hi;
            off += fabs(slope - 1) > 0.05;
        }
        cr_assert(covered * 100 >= TRIALS * 90 && off * 100 <= TRIALS * 8, "noise %d: %zu of %d covered, %zu off", often, covered, TRIALS, off);
    }
}

/* Wilson (1927): 0 of 10 reaches to z^2 / (10 + z^2); intervals lie symmetric about hits and misses. */
Test(selftest, rates_have_intervals)
{
    double lo, hi, low, high;
    const double z2 = 1.959964 * 1.959964;
    selftest_rate(0, 10, &lo, &hi);
    cr_assert(lo <= 1e-12 && fabs(hi - z2 / (10 + z2)) < 1e-9, "0 of 10: %g to %g", lo, hi);
    selftest_rate(3, 10, &lo, &hi);
    selftest_rate(7, 10, &low, &high);
    cr_assert(fabs(lo - (1 - high)) < 1e-12 && fabs(hi - (1 - low)) < 1e-12, "3 of 10: %g to %g", lo, hi);
    cr_assert(lo < 0.3 && hi > 0.3, "3 of 10: %g to %g", lo, hi);
}
