/* time: how long one run of the plan takes.
 *
 *   warmup_ns        the first run: cold caches, first touch of the workspace, threads being started
 *   time_ns          one sample each, per run
 *   time_iterations  runs per sample
 *   stop_reason      why sampling ended:
 *     "interval"     the 95% interval of the median is within TARGET of it on both sides
 *     "time"         the time limit
 *     "count"        MOST samples: what noise is left does not average out
 *
 * A sample is several runs where one is short: long enough that reading the clock is a thousandth of it at
 * most, and that MOST samples last half of the time limit. Warm-up lasts a twentieth of the limit, and so
 * does sampling at least, because clocks and caches take time to settle. At least LEAST samples are taken,
 * but one where a run takes longer than the limit; if that was also longer than COLD_COUNTS, the first run is
 * the sample, for what is cold at its start no longer matters. Since sampling ends when the interval looks
 * narrow, its coverage is somewhat below 95%: compare processes, not samples of one. */
#include "harness/metric.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness/clock.h"
#include "harness/stats.h"

enum { LEAST = 3, MOST = 1000 };
static const double TARGET = 0.01, COLD_COUNTS = 1e9;

static double timed(const bench *b, size_t iterations)
{
    int64_t start = clock_ns();
    for (size_t i = 0; i < iterations; i++)
        attn_plan_run(b->plan, b->q, b->k, b->v, b->o, b->lse);
    return (double)(clock_ns() - start) / (double)iterations;
}

/* Runs until `ns` have passed since `start`; the fastest run. */
static double warm_up(const bench *b, int64_t start, double ns, double first)
{
    double fastest = first;
    while ((double)(clock_ns() - start) < ns)
        fastest = fmin(fastest, timed(b, 1));
    return fastest;
}

/* Whether the interval is narrow; `sorted` is scratch. */
static bool narrow(const double *samples, double *sorted, size_t count)
{
    if (count < LEAST || stats_median_coverage(count, 0.95) < 0.95)
        return false;
    memcpy(sorted, samples, count * sizeof *sorted);
    interval m = stats_median(sorted, count, 0.95);
    return m.hi - m.median <= TARGET * m.median && m.median - m.lo <= TARGET * m.median;
}

static attn_status measure(bench *b, recorder *r, attn_error *err)
{
    double *samples = malloc(2 * MOST * sizeof *samples);
    if (!samples)
        return attn_fail(err, ATTN_ENOMEM, "out of memory for %d timings", MOST);
    double *sorted = samples + MOST;
    const double limit = b->seconds * 1e9;
    const clock_quality quality = clock_measure();

    int64_t start = clock_ns();
    double first = timed(b, 1);
    double fastest = warm_up(b, start, limit / 20, first);

    double shortest = fmax(1000 * fmax(quality.step_ns, quality.read_ns), limit / (2 * MOST));
    size_t iterations = (size_t)fmax(1, ceil(fmin(shortest / fmax(fastest, 1), 1e9)));
    size_t count = 0, next_look = LEAST;
    size_t least = first > limit ? 1 : LEAST;
    const char *reason = NULL;
    if (first > limit && first > COLD_COUNTS) {
        samples[count++] = first;
        reason = "time";
    }
    int64_t sampling = clock_ns();
    while (!reason) {
        samples[count++] = timed(b, iterations);
        double spent = (double)(clock_ns() - sampling), left = limit - (double)(clock_ns() - start);
        bool look = count >= next_look && spent >= limit / 20;
        if (look)
            next_look = count + 1 + count / 10; /* sorting stays a small part */
        if (look && narrow(samples, sorted, count))
            reason = "interval";
        else if (count == MOST)
            reason = "count";
        else if (count >= least && left < samples[count - 1] * (double)iterations)
            reason = "time";
    }

    record_real(r, "warmup_ns", "ns", first);
    for (size_t i = 0; i < count; i++)
        record_real(r, "time_ns", "ns", samples[i]);
    record_int(r, "time_iterations", "count", (int64_t)iterations);
    record_text(r, "stop_reason", reason);
    free(samples);
    return ATTN_OK;
}

const metric metric_time = {
    .name = "time",
    .summary = "time of one run: adaptive repetitions until the 95% interval of the median is narrow",
    .measure = measure,
};
