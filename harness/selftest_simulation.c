/* Rows whose truth is made up: coverage of the interval, gates, change points. */
#include "harness/selftest_parts.h"

#include <math.h>

#include "harness/cli.h"
#include "harness/run.h"
#include "harness/stats.h"

static void cover(selftest_session *x)
{
    enum { BLOCKS = 20 };
    static const double NOMINAL = 0.95, WITHIN = 0.01;
    const size_t trials = x->quick ? 8000 : 80000;
    const double exact = stats_median_coverage(BLOCKS, NOMINAL);
    char bar[64];
    snprintf(bar, sizeof bar, "95%% or more, %.1f%% +- 1", 100 * exact);
    for (selftest_noise noise = 0; noise < SELFTEST_NOISES && !run_signals_look(); noise++) {
        char name[64];
        snprintf(name, sizeof name, "interval covers: %s", selftest_noise_name(noise));
        const size_t covered = selftest_covered(BLOCKS, noise, trials, x->seed);
        const double rate = (double)covered / (double)trials;
        selftest_put(x, &(selftest_row){.tried = name, .on = "simulation", .bar = bar, .hits = covered, .trials = trials, .unit = "intervals",
                                        .holds = rate >= NOMINAL && fabs(rate - exact) <= WITHIN, .failure = EXIT_INTERNAL});
    }
}

static void gates(selftest_session *x)
{
    static const selftest_claim *const claims[] = {&selftest_same, &selftest_five, &selftest_two};
    const size_t count = x->quick ? 300 : 3000;
    for (size_t i = 0; i < sizeof claims / sizeof claims[0] && !run_signals_look(); i++) {
        const selftest_tally t = selftest_simulated(log1p(claims[i]->truth), count, x->seed + i);
        selftest_judge(x, claims[i], "simulation", &t, EXIT_INTERNAL);
    }
}

static void changes(selftest_session *x)
{
    const size_t count = x->quick ? 2000 : 20000;
    const size_t located = selftest_steps(3, count, x->seed);
    selftest_put(x, &(selftest_row){.tried = "step of 3 sigma, located within one visit", .on = "simulation", .bar = "95% or more",
                                    .hits = located, .trials = count, .unit = "series", .holds = (double)located >= 0.95 * (double)count,
                                    .failure = EXIT_INTERNAL});
    if (run_signals_look())
        return;
    const selftest_spike_tally t = selftest_spikes(count, x->seed);
    char also[80];
    snprintf(also, sizeof also, "false alarms elsewhere: %zu", t.elsewhere);
    selftest_put(x, &(selftest_row){.tried = "lone spike, taken for a change", .on = "simulation", .bar = "never", .hits = t.at_spike,
                                    .trials = count, .unit = "series", .also = also, .holds = t.at_spike == 0, .failure = EXIT_INTERNAL});
}

void selftest_simulations(selftest_session *x)
{
    cover(x);
    gates(x);
    if (!run_signals_look())
        changes(x);
}
