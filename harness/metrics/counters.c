/* counters: what the processor and the kernel count while the plan runs.
 *
 *   counter.NAME       one sample per window, per run of the plan; NAMEs in the files of harness/metrics/events
 *   flops_measured     sum over the floating-point counters of weight * median
 *   derived.NAME       what the files' formulas make of the medians
 *   counters_scaled    names of those that are estimates, since a counter ran only part of the time; or "none"
 *   counters_running   least share of the time a counter ran; below 1 its values are scaled up, estimates
 *   counters_status    "ok", or what is missing or scaled, and why
 *   counters_events    the files that say what is counted
 *
 * Each set of events is counted in a pass of its own, so that nothing is multiplexed as long as a set fits
 * the PMU; events of a set that does not fit are counted again, one by one. A set of the kernel's own counters goes
 * along with the first pass. A window is a number of runs that take WINDOW_NS together, long against the
 * microseconds that starting and stopping take. Threads: the plan runs once before anything is opened, so
 * that OpenMP's threads exist. Where one run takes longer than a pass may, later passes are left out, and say
 * so.
 *
 * Where perf_event_open is forbidden altogether, the process's own accounts (clock_gettime and getrusage)
 * stand in for task clock, page faults and context switches. */
#include "harness/metrics/counters.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "harness/clock.h"
#include "harness/metrics/counters_parts.h"

enum { WINDOW_NS = 10000000 };

typedef struct pass {
    const perf_calls *calls;
    bench *bench;
    const pid_t *threads;
    size_t thread_count;
    double run_ns;    /* of one run, about */
    int64_t deadline; /* no pass but the first starts that would run past it */
    bool begun;       /* a pass has counted */
    double budget_ns; /* of one pass */
    int paranoid;
} pass;

static void run(const bench *b)
{
    attn_plan_run(b->plan, b->q, b->k, b->v, b->o, b->lse);
}

static void absent(tally *t, const perf_count *why, int paranoid)
{
    t->last = *why;
    perf_reason(t->reason, why, paranoid);
}

typedef struct batch { /* events counted as one group */
    tally *members[PERF_GROUP_EVENTS];
    size_t count;
    bool software; /* all of them */
    perf_group *group;
} batch;

static attn_status open_batch(const pass *p, batch *b, attn_error *err)
{
    struct perf_event_attr attrs[PERF_GROUP_EVENTS];
    for (size_t i = 0; i < b->count; i++)
        attrs[i] = b->members[i]->attr;
    return perf_group_open(&b->group, p->calls, attrs, b->count, p->threads, p->thread_count, err);
}

static void note(const batch *b, const perf_count *counts, size_t iterations, int paranoid)
{
    for (size_t i = 0; i < b->count; i++) {
        tally *t = b->members[i];
        if (counts[i].cause != PERF_COUNTED) {
            absent(t, &counts[i], paranoid);
            continue;
        }
        t->last = counts[i];
        t->samples[t->count++] = counts[i].value / (double)iterations;
        t->running = fmin(t->running, counts[i].running);
    }
}

static bool too_late(const pass *p, size_t iterations)
{
    return p->begun && (double)clock_ns() + p->run_ns * (double)iterations > (double)p->deadline;
}

static size_t runs_per_window(const pass *p)
{
    return p->run_ns < WINDOW_NS ? (size_t)ceil(WINDOW_NS / fmax(p->run_ns, 100)) : 1;
}

static void give_up(const pass *p, const batch *b)
{
    for (size_t i = 0; i < b->count; i++)
        if (b->members[i]->last.cause == PERF_COUNTED) {
            b->members[i]->last.cause = PERF_NEVER_RAN;
            snprintf(b->members[i]->reason, PERF_REASON_LENGTH,
                     "no time: each set of events is counted over %.3g s of runs at least, one set after the other; raise "
                     "the time limit",
                     p->run_ns * (double)runs_per_window(p) * 1e-9);
        }
}

/* Counts up to two batches over the same windows: one of hardware and the software one. */
static attn_status count_batches(pass *p, batch *batches, size_t batch_count, attn_error *err)
{
    attn_status status = ATTN_OK;
    size_t open = 0;
    for (size_t i = 0; i < batch_count && status == ATTN_OK; i++) {
        status = open_batch(p, &batches[i], err);
        open += status == ATTN_OK ? perf_group_size(batches[i].group) : 0;
    }
    size_t iterations = runs_per_window(p);
    bool late = open && too_late(p, iterations);
    int64_t end = clock_ns() + (int64_t)p->budget_ns;
    for (size_t w = 0; status == ATTN_OK && !late && w < COUNTER_WINDOWS; w++) {
        perf_count counts[2][PERF_GROUP_EVENTS];
        for (size_t i = 0; i < batch_count; i++)
            perf_group_start(batches[i].group);
        for (size_t n = 0; n < iterations && open; n++)
            run(p->bench);
        for (size_t i = batch_count; i-- > 0;)
            perf_group_stop(batches[i].group, counts[i]);
        for (size_t i = 0; i < batch_count; i++)
            note(&batches[i], counts[i], iterations, p->paranoid);
        if (!open || (double)clock_ns() + p->run_ns * (double)iterations > (double)end)
            break;
    }
    p->begun = p->begun || open;
    for (size_t i = 0; i < batch_count; i++) {
        if (late)
            give_up(p, &batches[i]);
        perf_group_close(batches[i].group);
        batches[i].group = NULL;
    }
    return status;
}

/* Events that one window showed not to fit together, again one by one. */
static attn_status count_singly(pass *p, batch *b, attn_error *err)
{
    attn_status status = ATTN_OK;
    for (size_t i = 0; i < b->count && status == ATTN_OK; i++) {
        tally *t = b->members[i];
        if (t->last.cause != PERF_REFUSED && t->last.cause != PERF_NEVER_RAN)
            continue;
        batch alone = {.members = {t}, .count = 1};
        t->count = 0;
        t->last = (perf_count){0};
        *t->reason = '\0';
        status = count_batches(p, &alone, 1, err);
    }
    return status;
}

/* Those of a set that libpfm4 could encode. */
static batch gather(const perf_set *set, tally *tallies, size_t count)
{
    batch b = {.software = true};
    for (size_t i = 0; i < count; i++)
        if (tallies[i].set == set && !*tallies[i].reason) {
            b.members[b.count++] = &tallies[i];
            b.software = b.software && tallies[i].software;
        }
    b.software = b.software && b.count;
    return b;
}

/* A pass for each set, but for the first that needs no PMU: it goes along with another. */
static attn_status count_all(pass *p, const perf_events *list, tally *tallies, size_t count, attn_error *err)
{
    batch along = {0};
    const perf_set *no_pass = NULL;
    for (size_t s = 0; s < list->set_count && !along.count; s++) {
        const batch b = gather(&list->sets[s], tallies, count);
        if (b.software) {
            along = b;
            no_pass = &list->sets[s];
        }
    }
    attn_status status = ATTN_OK;
    bool first = true;
    for (size_t s = 0; s < list->set_count && status == ATTN_OK; s++) {
        batch b = gather(&list->sets[s], tallies, count);
        if (&list->sets[s] == no_pass || b.count == 0)
            continue;
        batch both[2] = {b, along};
        status = count_batches(p, both, first ? 2 : 1, err);
        first = false;
        if (status == ATTN_OK && b.count > 1)
            status = count_singly(p, &b, err);
    }
    if (status == ATTN_OK && first) /* there is nothing else to count */
        status = count_batches(p, &along, 1, err);
    return status;
}

/* ---- the process's own accounts ---- */

static double account(const struct perf_event_attr *attr)
{
    struct rusage u;
    struct timespec t;
    getrusage(RUSAGE_SELF, &u);
    switch (attr->config) {
    case PERF_COUNT_SW_TASK_CLOCK:
        return clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t) == 0 ? (double)t.tv_sec * 1e9 + (double)t.tv_nsec
                                                                : (double)NAN;
    case PERF_COUNT_SW_PAGE_FAULTS: return (double)(u.ru_minflt + u.ru_majflt);
    case PERF_COUNT_SW_CONTEXT_SWITCHES: return (double)(u.ru_nvcsw + u.ru_nivcsw);
    default: return (double)NAN;
    }
}

/* One window for the software counters that may not be opened; the number of them filled in. */
static size_t count_accounts(const pass *p, tally *tallies, size_t count)
{
    size_t filled = 0, iterations = runs_per_window(p);
    double before[PERF_MOST_EVENTS];
    bool wanted = false;
    for (size_t i = 0; i < count; i++) {
        before[i] = account(&tallies[i].attr);
        bool forbidden = tallies[i].last.cause == PERF_NOT_PERMITTED || tallies[i].last.error == ENOSYS;
        if (!tallies[i].software || !forbidden)
            before[i] = (double)NAN;
        wanted = wanted || !isnan(before[i]);
    }
    for (size_t n = 0; n < iterations && wanted; n++)
        run(p->bench);
    for (size_t i = 0; i < count; i++)
        if (!isnan(before[i])) {
            tallies[i].samples[0] = (account(&tallies[i].attr) - before[i]) / (double)iterations;
            tallies[i].count = 1;
            filled++;
        }
    return filled;
}

/* ---- all of it ---- */

static size_t list_events(tally *tallies, const perf_events *list)
{
    size_t count = 0;
    for (size_t s = 0; s < list->set_count; s++)
        for (size_t i = 0; i < list->sets[s].count; i++) {
            tally *t = &tallies[count++];
            const char *why;
            *t = (tally){.event = &list->sets[s].events[i], .set = &list->sets[s], .running = 1};
            if (!perf_event_encode(list, t->event, &t->attr, &why)) {
                t->last.cause = PERF_NO_ENCODING;
                snprintf(t->reason, sizeof t->reason, "libpfm4 cannot encode %.100s: %.60s", t->event->event, why);
            } else {
                t->software = t->attr.type == PERF_TYPE_SOFTWARE;
            }
        }
    return count;
}

attn_status counters_measure(bench *b, recorder *r, const perf_calls *calls, const perf_events *list, int paranoid,
                             attn_error *err)
{
    tally *tallies = calloc(PERF_MOST_EVENTS, sizeof *tallies);
    if (!tallies)
        return attn_fail(err, ATTN_ENOMEM, "out of memory for counters");
    size_t count = list_events(tallies, list);
    size_t passes = 0;
    bool along = false; /* one set of software goes along */
    for (size_t s = 0; s < list->set_count; s++) {
        const batch set = gather(&list->sets[s], tallies, count);
        passes += set.count && (!set.software || along);
        along = along || set.software;
    }

    int64_t start = clock_ns();
    run(b); /* warm; OpenMP's threads exist from here on */
    double run_ns = (double)(clock_ns() - start);
    pid_t *threads = NULL;
    pass p = {.calls = calls, .bench = b, .run_ns = run_ns, .deadline = start + (int64_t)(b->seconds * 1e9),
              .budget_ns = b->seconds * 1e9 / (double)(passes ? passes : 1), .paranoid = paranoid};
    attn_status status = perf_threads(&threads, &p.thread_count, err);
    p.threads = threads;
    if (status == ATTN_OK)
        status = count_all(&p, list, tallies, count, err);
    if (status == ATTN_OK) {
        size_t accounts = count_accounts(&p, tallies, count);
        counters_record(r, list, tallies, count, attn_plan_cost(b->plan), accounts);
    }
    free(threads);
    free(tallies);
    return status;
}

static attn_status measure(bench *b, recorder *r, attn_error *err)
{
    if (b->ext) {
        record_text(r, "counters_status", "none: an external kernel runs in a process of its own");
        return ATTN_OK;
    }
    perf_events *list = NULL;
    attn_status status = perf_events_choose(&list, perf_core_pmu(), b->events, err);
    if (!status)
        status = counters_measure(b, r, &perf_system, list, perf_paranoid(), err);
    free(list);
    return status;
}

const metric metric_counters = {
    .name = "counters",
    .summary =
        "hardware and kernel counters: cycles, instructions, cache and branch misses, FLOPs, page faults; IPC, bytes per FLOP",
    .measure = measure,
};
