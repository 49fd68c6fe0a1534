/* time: how long one run of the plan takes.
 *
 *   warmup_ns        the first run: cold caches, first touch of the workspace, threads being started
 *   time_ns          one sample each, per run
 *   cpu_ns           processor time of a run, of all threads: the median of the samples
 *   time_iterations  runs per sample
 *   stop_reason      why sampling ended:
 *     "interval"     the 95% interval of the median is within TARGET of it on both sides
 *     "time"         the time limit
 *     "count"        MOST samples: what noise is left does not average out; or as many as were asked for
 *     "stdrel", "entropy"  rules of --stop (harness/stop.h), as "interval" is with ci:
 *   steal            share of the machine's processor time that its host took away meanwhile, where it tells
 *   switches         times this process lost its processor meanwhile
 *   migrations       times it went from one processor to another
 *   pressure         share of that time in which some task of the machine waited for a processor
 *   throttled        times a quota stopped its control group
 *   peak_gflops      multiply-adds of the kernel's instruction set and threads, out of registers: one sample before
 *                    the others, one each quarter of the time limit (half, where a number of runs is given) among them,
 *                    one behind them
 *   clock_ghz        beside each of these: a chain of additions on one thread, one a cycle
 *
 * A sample is several runs where one is short: long enough that reading the clock is a thousandth of it at
 * most, and that MOST samples last half of the time limit. Warm-up lasts a twentieth of the limit, and so
 * does sampling at least, because clocks and caches take time to settle. At least LEAST samples are taken,
 * but one where a run takes longer than the limit; if that was also longer than COLD_COUNTS, the first run is
 * the sample, for what is cold at its start no longer matters. Since sampling ends when the interval looks
 * narrow, its coverage is somewhat below 95%: compare processes, not samples of one.
 *
 * The clock of a machine drifts by more than its kernels differ, so a share of its peak means something only
 * against a peak of the same seconds. A sample of the peak is the best of PEAK_TRIES loops of a millisecond (less
 * under short limits) in which the threads ran together; on a busy machine that takes more tries, for up to MOST_TRIES
 * such times. It touches no memory, and warm-up runs follow it unless a run is so long that what is cold at its start
 * does not matter.
 *
 * An external kernel times its own runs, as many as a sample asks for; where a number of runs is given they come in
 * ASKED_SAMPLES samples, so that its process is not woken for each. It names no instruction set, and so has no peak;
 * the widest multiply-adds of this machine stand beside it as sentinel_gflops, so that disturbances show in both arms. */
#include "harness/metric.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness/clock.h"
#include "harness/cold.h"
#include "harness/noise.h"
#include "harness/peaks/peak.h"
#include "harness/stats.h"

enum { LEAST = 3, MOST = 1000, PEAK_TRIES = 3, MOST_TRIES = 30, MOST_PEAKS = 8, ASKED_SAMPLES = 10 };
static const double TARGET = 0.01, COLD_COUNTS = 1e9, COLD_MATTERS = 20e6;

/* Operands out of all caches. */
static void flush(const bench *b)
{
    const cell *c = b->cell;
    const size_t row = c->dim * attn_dtype_size(c->dtype), queries = c->batch * c->heads * c->n * row, keys = c->batch * c->kv_heads * c->n * row;
    cold_flush(b->q, queries);
    cold_flush(b->o, queries);
    cold_flush(b->k, keys);
    cold_flush(b->v, keys);
}

static double timed(const bench *b, size_t iterations)
{
    if (b->ext)
        return ext_timed(b->ext, iterations);
    if (b->cold)
        flush(b);
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

/* The machine's peak beside the samples. */
typedef struct beside {
    peak_probe probe, chain;
    const char *why; /* there is none, or NULL */
    double gflops[MOST_PEAKS], ghz[MOST_PEAKS], each_ns;
    size_t count, ticks;
    int64_t last; /* when the latest was taken */
} beside;

/* The widest multiply-adds of vectors that run here. */
static const peak_set *widest(const char **why)
{
    const peak_set *found = NULL;
    for (size_t i = 0; peak_sets[i]; i++)
        if (peak_sets[i]->run[PEAK_FMA] && !peak_unavailable(peak_sets[i]))
            found = peak_sets[i];
    *why = found ? NULL : "no multiply-adds of vectors can run here";
    return found;
}

/* Additions that wait for each other, one a cycle. */
static const peak_set *clock_chain(void)
{
    size_t i = 0;
    while (peak_sets[i] && (!peak_sets[i]->run[PEAK_CLOCK] || peak_unavailable(peak_sets[i])))
        i++;
    return peak_sets[i];
}

static beside peaks_begin(const bench *b, double limit)
{
    beside p = {.each_ns = fmin(1e6, limit / 100)};
    const peak_set *set = b->ext ? widest(&p.why) : peak_of_isa(attn_plan_isa(b->plan), &p.why);
    if (set) {
        p.probe = (peak_probe){.set = set, .kind = PEAK_FMA, .threads = b->cell->threads};
        peak_calibrate(&p.probe, p.each_ns / 1e9);
    }
    p.chain = (peak_probe){.set = clock_chain(), .kind = PEAK_CLOCK, .threads = 1};
    if (p.chain.set)
        peak_calibrate(&p.chain, p.each_ns / 1e9);
    return p;
}

static void peaks_take(beside *p)
{
    if (p->chain.set && p->ticks < MOST_PEAKS)
        p->ghz[p->ticks++] = peak_sample(&p->chain, NULL);
    if (p->why || p->count == MOST_PEAKS)
        return;
    double best = 0;
    const double last_try = (double)clock_ns() + MOST_TRIES * p->each_ns;
    for (int good = 0; good < PEAK_TRIES && (double)clock_ns() < last_try;) {
        bool together;
        best = fmax(best, peak_sample(&p->probe, &together));
        good += together;
    }
    p->gflops[p->count++] = best;
    p->last = clock_ns();
}

/* A sample of the peak among those of the kernel, and its traces removed. */
static void peaks_take_within(beside *p, const bench *b, double run_ns)
{
    peaks_take(p);
    if (run_ns < COLD_MATTERS)
        warm_up(b, p->last, PEAK_TRIES * p->each_ns, run_ns);
}

static void peaks_record(const beside *p, recorder *r, bool external)
{
    for (size_t i = 0; i < p->ticks; i++)
        record_real(r, "clock_ghz", "GHz", p->ghz[i]);
    for (size_t i = 0; i < p->count; i++)
        record_real(r, external ? "sentinel_gflops" : "peak_gflops", "GFLOP/s", p->gflops[i]);
    if (external)
        record_absent(r, "peak_gflops", "GFLOP/s", "an external kernel names no instruction set");
    else if (p->count == 0)
        record_absent(r, "peak_gflops", "GFLOP/s", p->why);
}

static attn_status measure(bench *b, recorder *r, attn_error *err)
{
    const size_t room = b->stop.kind == STOP_COUNT && b->stop.value > MOST ? (size_t)b->stop.value : MOST;
    double *samples = malloc(3 * room * sizeof *samples);
    if (!samples)
        return attn_fail(err, ATTN_ENOMEM, "out of memory for %zu timings", room);
    double *sorted = samples + room, *busy = sorted + room; /* busy: processor time */
    stop_rule rule = b->stop;
    const double limit = (rule.kind == STOP_TIME ? rule.value : b->seconds) * 1e9;
    const clock_quality quality = clock_measure();

    const noise_state quiet = noise_now("");
    int64_t start = clock_ns();
    int64_t busy_start = clock_cpu_ns();
    double first = timed(b, 1);
    const double first_busy = (double)(clock_cpu_ns() - busy_start);
    double fastest = warm_up(b, start, limit / 20, first);
    beside peaks = peaks_begin(b, limit);
    peaks_take_within(&peaks, b, fastest);

    double shortest = fmax(1000 * fmax(quality.step_ns, quality.read_ns), limit / (2 * MOST));
    size_t iterations = (size_t)fmax(1, ceil(fmin(shortest / fmax(fastest, 1), 1e9)));
    size_t count = 0, next_look = LEAST;
    size_t least = first > limit ? 1 : LEAST;
    const char *reason = NULL;
    const size_t wanted = rule.kind == STOP_COUNT ? (size_t)rule.value : 0, most = wanted ? wanted : MOST;
    const size_t asked = b->runs < MOST ? b->runs : MOST; /* 0: as many as the noise needs */
    if (b->cold)
        iterations = 1; /* only the first run behind a flush is cold */
    if (asked)
        iterations = b->ext ? (asked + ASKED_SAMPLES - 1) / ASKED_SAMPLES : 1;
    else if (first > limit && first > COLD_COUNTS) {
        busy[count] = first_busy;
        samples[count++] = first;
        reason = "time";
    }
    const double between_peaks = limit / (asked ? 2 : 4);
    int64_t sampling = clock_ns();
    while (!reason) {
        if (!peaks.why && (double)(clock_ns() - peaks.last) > between_peaks)
            peaks_take_within(&peaks, b, fastest);
        busy_start = clock_cpu_ns();
        samples[count] = timed(b, iterations);
        busy[count++] = (double)(clock_cpu_ns() - busy_start) / (double)iterations;
        double spent = (double)(clock_ns() - sampling), left = limit - (double)(clock_ns() - start);
        bool look = count >= next_look && spent >= limit / 20;
        if (look)
            next_look = count + 1 + count / 10; /* sorting stays a small part */
        if (asked)
            reason = count * iterations >= asked ? "count" : NULL;
        else if (rule.kind == STOP_DEFAULT && look && narrow(samples, sorted, count))
            reason = "interval";
        else if (rule.kind != STOP_DEFAULT && stop_looks_at(count) && (reason = stop_look(&rule, samples, sorted, count)))
            break;
        else if (count == most)
            reason = "count";
        else if (count >= least && left < samples[count - 1] * (double)iterations)
            reason = "time";
    }

    peaks_take(&peaks);
    record_real(r, "warmup_ns", "ns", first);
    for (size_t i = 0; i < count; i++)
        record_real(r, "time_ns", "ns", samples[i]);
    if (b->ext)
        record_absent(r, "cpu_ns", "ns", "an external kernel has a process of its own");
    else
        record_real(r, "cpu_ns", "ns", stats_median(busy, count, 0.95).median);
    record_int(r, "time_iterations", "count", (int64_t)iterations);
    record_text(r, "stop_reason", reason);
    const noise_state after = noise_now("");
    noise_record(&quiet, &after, r);
    peaks_record(&peaks, r, b->ext != NULL);
    free(samples);
    return b->ext ? ext_status(b->ext, err) : ATTN_OK;
}

const metric metric_time = {
    .name = "time",
    .summary = "time of one run: adaptive repetitions until the 95% interval of the median is narrow",
    .lanes = 1u << LANE_TIME | 1u << LANE_COLD,
    .measure = measure,
};
