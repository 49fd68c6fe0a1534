/* Rules to stop sampling: their text, their moments, and that what they say holds. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "harness/stats.h"
#include "harness/stop.h"
#include "support/scene.h"

Test(stop, rules)
{
    static const struct { const char *text; stop_kind kind; double value; } right[] = {
        {"ci:1%", STOP_CI, 0.01}, {"ci:0.02", STOP_CI, 0.02}, {"stdrel:0.5%", STOP_STDREL, 0.005}, {"entropy", STOP_ENTROPY, 0.01},
        {"entropy:5%", STOP_ENTROPY, 0.05}, {"count:100", STOP_COUNT, 100}, {"time:2.5", STOP_TIME, 2.5}};
    static const char *const wrong[] = {"", "ci", "ci:", "ci:0", "ci:100%", "ci:-1%", "ci:1%%", "ci:x", "count:1.5", "count:0", "count:5%", "time:0", "time:1%", "time", "mean:1%", "CI:1%"};
    stop_rule r;
    attn_error err;
    for (size_t i = 0; i < sizeof right / sizeof *right; i++)
        cr_assert(stop_parse(&r, right[i].text, &err) == ATTN_OK && r.kind == right[i].kind && fabs(r.value - right[i].value) < 1e-12, "%s", right[i].text);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        cr_assert(stop_parse(&r, wrong[i], &err) == ATTN_EINVAL && strstr(err.message, "count:100"), "%s is taken", wrong[i]);
}

Test(stop, looks_are_planned)
{
    size_t looks = 0, last = 0;
    for (size_t n = 0; n < 5000; n++)
        if (stop_looks_at(n)) {
            cr_assert(looks == 0 ? n == STOP_FIRST : n == 2 * last, "a look at %zu", n);
            last = n;
            looks++;
        }
    cr_assert(looks == STOP_LOOKS, "%zu looks", looks);
}

/* Samples until the rule says so, or `most`; how many. */
static size_t sampled(stop_rule r, double spread, uint64_t *random, double *samples, size_t most, const char **reason)
{
    double scratch[4096];
    *reason = NULL;
    for (size_t n = 0; n < most;) {
        samples[n++] = 100 * exp(spread * random_normal(random));
        if (stop_looks_at(n) && (*reason = stop_look(&r, samples, scratch, n)))
            return n;
    }
    return most;
}

/* The interval that ended sampling holds the true median in at least 95% of trials, however noisy it was and whichever look it was. */
Test(stop, intervals_hold_though_looked_at_often)
{
    enum { TRIALS = 2000, MOST = 768 };
    static double samples[4096];
    uint64_t random = 7;
    for (double spread = 0.01; spread < 0.2; spread *= 2) {
        size_t held = 0, stopped = 0;
        for (int t = 0; t < TRIALS; t++) {
            const char *reason;
            const size_t n = sampled((stop_rule){.kind = STOP_CI, .value = 0.01}, spread, &random, samples, MOST, &reason);
            const interval m = stats_median(samples, n, 1 - 0.05 / STOP_LOOKS);
            stopped += reason != NULL;
            held += m.lo <= 100 && 100 <= m.hi;
            cr_assert(!reason || (strcmp(reason, "interval") == 0 && m.hi <= 1.01 * m.median && m.lo >= 0.99 * m.median), "stopped while wide");
        }
        cr_assert(held > TRIALS * 0.95, "spread %g: %zu of %d hold", spread, held, TRIALS);
        cr_assert(spread > 0.05 || stopped > TRIALS * 0.9, "spread %g: only %zu stopped", spread, stopped);
    }
}

Test(stop, other_rules_end)
{
    static double samples[4096];
    const char *reason;
    uint64_t random = 3;
    size_t n = sampled((stop_rule){.kind = STOP_STDREL, .value = 0.01}, 0.05, &random, samples, 768, &reason);
    cr_assert(reason && strcmp(reason, "stdrel") == 0 && n >= STOP_FIRST && n <= 48, "stdrel after %zu", n);
    n = sampled((stop_rule){.kind = STOP_ENTROPY, .value = 0.1}, 0.02, &random, samples, 768, &reason);
    cr_assert(reason && strcmp(reason, "entropy") == 0 && n > 12, "entropy after %zu", n);
    n = sampled((stop_rule){.kind = STOP_CI, .value = 0.0001}, 0.2, &random, samples, 768, &reason);
    cr_assert(!reason && n == 768, "stopped after %zu", n);
}
