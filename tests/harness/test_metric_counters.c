/* The counters metric on a scripted kernel and on the real one. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "harness/metrics/counters.h"
#include "support/fake_perf.h"
#include "support/metric_bench.h"

static capture got;
static fake_perf fake;

static uint64_t a_million_and_config(const struct perf_event_attr *attr, pid_t thread)
{
    (void)thread;
    return 1000000 + attr->config;
}

static void always(pid_t thread, uint64_t *enabled, uint64_t *running)
{
    (void)thread;
    *enabled = *running = 1000;
}

static void half(pid_t thread, uint64_t *enabled, uint64_t *running)
{
    (void)thread;
    *enabled = 1000;
    *running = 500;
}

/* The fake counts per window, whatever runs in it: a recorded value times the runs per window is it. */
static void measure(const fake_rule *rules, void (*times)(pid_t, uint64_t *, uint64_t *), const char *pmu,
                    int paranoid, double seconds)
{
    metric_bench m;
    attn_error err = {0};
    metric_bench_open(&m, (cell){.spec = "dense", .n = 64, .heads = 1, .dim = 16, .seed = 1}, seconds);
    fake = (fake_perf){.rules = rules, .count = a_million_and_config, .times = times};
    perf_calls calls = fake_calls(&fake);
    capture_start(&got);
    cr_assert(counters_measure(&m.bench, &got.recorder, &calls, pmu, paranoid, &err) == ATTN_OK, "%s",
              err.message);
    cr_assert(fake.now_open == 0, "%zu files left open", fake.now_open);
    metric_bench_close(&m);
}

static double runs_per_window(void)
{
    const captured *c = capture_find(&got, "counter.cycles");
    cr_assert(c && c->kind == RECORD_REAL, "cycles: %s", c ? c->text : "not recorded");
    return 1000000 / c->number; /* config of cycles is 0 */
}

static const char *status(void)
{
    return capture_text(&got, "counters_status");
}

Test(metric_counters, everything_counts)
{
    measure(NULL, always, "skx", -1, 10);
    cr_assert(strcmp(status(), "ok") == 0, "status '%s'", status());
    static const char *const names[] = {
        "cycles",        "instructions", "branches",         "branch_misses",  "cache_references",
        "cache_misses",  "fp32_scalar",  "fp32_128",         "fp32_256",       "fp32_512",
        "task_clock_ns", "page_faults",  "context_switches", "cpu_migrations",
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char series[64];
        snprintf(series, sizeof series, "counter.%s", names[i]);
        const captured *c = capture_find(&got, series);
        cr_assert(c && c->kind == RECORD_REAL && c->number > 0, "%s is %s", series,
                  c ? c->text : "not recorded");
    }
    cr_assert(capture_number(&got, "counters_running") == 1, "running %g",
              capture_number(&got, "counters_running"));
}

/* The weights: 1, 4, 8 and 16 per count of codes 0x02c7, 0x08c7, 0x20c7 and 0x80c7; AMD counts operations. */
Test(metric_counters, flops_are_weighted)
{
    measure(NULL, always, "skx", -1, 10);
    double runs = runs_per_window();
    double want = 1.0 * (1e6 + 0x02c7) + 4 * (1e6 + 0x08c7) + 8 * (1e6 + 0x20c7) + 16 * (1e6 + 0x80c7);
    double flops = capture_number(&got, "flops_measured");
    cr_assert(fabs(flops * runs / want - 1) < 1e-9, "skx: %g in a window, not %g", flops * runs, want);
    measure(NULL, always, "amd64_fam19h_zen3", -1, 10);
    want = 1e6 + 0x0f03;
    flops = capture_number(&got, "flops_measured") * runs_per_window();
    cr_assert(fabs(flops / want - 1) < 1e-9, "zen3: %g in a window, not %g", flops, want);
}

Test(metric_counters, an_unknown_cpu_has_no_flops)
{
    measure(NULL, always, NULL, -1, 10);
    cr_assert(capture_find(&got, "flops_measured")->kind == RECORD_ABSENT, "FLOPs of an unknown CPU");
    cr_assert(capture_find(&got, "counter.cycles")->kind == RECORD_REAL, "no cycles");
}

Test(metric_counters, without_a_pmu_software_remains)
{
    static const fake_rule rules[] = {
        {PERF_TYPE_HARDWARE, -1, -1, ENOENT, 0, -1},
        {PERF_TYPE_RAW, -1, -1, ENOENT, 0, -1},
        {-1, -1, -1, -1, 0, -1},
    };
    measure(rules, always, "amd64_fam19h_zen3", 2, 10);
    cr_assert(strstr(status(), "software only: no PMU") == status(), "status '%s'", status());
    cr_assert(capture_find(&got, "counter.cycles")->kind == RECORD_ABSENT &&
              strstr(capture_text(&got, "counter.cycles"), "ENOENT"), "cycles: '%s'",
              capture_text(&got, "counter.cycles"));
    cr_assert(capture_find(&got, "flops_measured")->kind == RECORD_ABSENT &&
              strstr(capture_text(&got, "flops_measured"), "no PMU"), "flops: '%s'",
              capture_text(&got, "flops_measured"));
    cr_assert(capture_find(&got, "counter.page_faults")->kind == RECORD_REAL, "page faults: '%s'",
              capture_text(&got, "counter.page_faults"));
    cr_assert(capture_find(&got, "counters_running")->kind == RECORD_ABSENT,
              "a running time without counters");
}

Test(metric_counters, forbidden_falls_back_on_the_process)
{
    static const fake_rule rules[] = {{-1, -1, -1, EACCES, 0, -1}, {-1, -1, -1, -1, 0, -1}};
    measure(rules, always, "skx", 3, 10);
    cr_assert(strstr(status(), "software only (from the process's own accounts)") == status() &&
              strstr(status(), "perf_event_paranoid is 3"), "status '%s'", status());
    cr_assert(capture_find(&got, "counter.task_clock_ns")->kind == RECORD_REAL &&
              capture_find(&got, "counter.task_clock_ns")->number > 0, "no task clock");
    cr_assert(capture_find(&got, "counter.context_switches")->kind == RECORD_REAL, "no context switches");
    cr_assert(capture_find(&got, "counter.cpu_migrations")->kind == RECORD_ABSENT, "migrations from nowhere");
}

/* perf_event_paranoid = 2 for a user: events that count in the kernel are refused, the rest works. */
Test(metric_counters, partly_forbidden)
{
    static const fake_rule rules[] = {
        {PERF_TYPE_SOFTWARE, PERF_COUNT_SW_CPU_MIGRATIONS, -1, EACCES, 0, -1}, {-1, -1, -1, -1, 0, -1},
    };
    measure(rules, always, "skx", 2, 10);
    cr_assert(strstr(status(), "partial: cpu_migrations: not permitted") == status(), "status '%s'",
              status());
    cr_assert(capture_find(&got, "counter.cycles")->kind == RECORD_REAL, "no cycles");
}

Test(metric_counters, out_of_files)
{
    static const fake_rule rules[] = {{-1, -1, -1, EMFILE, 0, -1}, {-1, -1, -1, -1, 0, -1}};
    measure(rules, always, "skx", 1, 10);
    cr_assert(strstr(status(), "none: out of open files") == status(), "status '%s'", status());
    cr_assert(capture_find(&got, "counter.task_clock_ns")->kind == RECORD_ABSENT, "a clock without files");
}

Test(metric_counters, multiplexing_is_flagged)
{
    measure(NULL, half, "skx", -1, 10);
    cr_assert(strstr(status(), "scaled: a counter ran 50% of the time") == status(), "status '%s'", status());
    cr_assert(capture_number(&got, "counters_running") == 0.5, "running %g",
              capture_number(&got, "counters_running"));
}

/* The PMU takes two events of a group at most: the others are counted in passes of their own. */
Test(metric_counters, what_does_not_fit_is_counted_alone)
{
    static const fake_rule rules[] = {
        {PERF_TYPE_HARDWARE, PERF_COUNT_HW_BRANCH_INSTRUCTIONS, -1, EINVAL, 0, 1},
        {PERF_TYPE_HARDWARE, PERF_COUNT_HW_BRANCH_MISSES, -1, EINVAL, 0, 1},
        {-1, -1, -1, -1, 0, -1},
    };
    measure(rules, always, "skx", -1, 10);
    cr_assert(strcmp(status(), "ok") == 0, "status '%s'", status());
    double runs = runs_per_window();
    const captured *misses = capture_find(&got, "counter.branch_misses");
    cr_assert(misses->kind == RECORD_REAL, "branch misses: %s", misses->text);
    cr_assert(fabs(misses->number * runs / (1e6 + PERF_COUNT_HW_BRANCH_MISSES) - 1) < 1e-9, "%g in a window",
              misses->number * runs);
}

/* A run longer than the limit: one pass counts, later ones say why they do not. */
Test(metric_counters, no_time_for_later_passes)
{
    measure(NULL, always, "skx", -1, 1e-9);
    cr_assert(capture_samples(&got, "counter.cycles") == 1 &&
              capture_find(&got, "counter.cycles")->kind == RECORD_REAL, "cycles: '%s'",
              capture_text(&got, "counter.cycles"));
    cr_assert(capture_find(&got, "counter.task_clock_ns")->kind == RECORD_REAL, "no task clock");
    cr_assert(capture_find(&got, "counter.cache_misses")->kind == RECORD_ABSENT &&
              strstr(capture_text(&got, "counter.cache_misses"), "no time"), "cache misses: '%s'",
              capture_text(&got, "counter.cache_misses"));
}

Test(metric_counters, for_real)
{
    metric_bench m;
    metric_bench_open(
        &m, (cell){.spec = "local:k=16", .n = 256, .heads = 2, .dim = 32, .seed = 2, .threads = 2}, 0.1);
    capture_metric(&got, "counters", &m);
    const captured *clock = capture_find(&got, "counter.task_clock_ns");
    cr_assert(clock && clock->kind == RECORD_REAL && clock->number > 0, "task clock: %s",
              clock ? clock->text : "none");
    cr_assert(*status(), "no status");
    const captured *cycles = capture_find(&got, "counter.cycles");
    cr_assert(cycles && (cycles->kind == RECORD_ABSENT ? strcmp(status(), "ok") != 0 : cycles->number > 0),
              "cycles of kind %d, status '%s'", cycles ? (int)cycles->kind : -1, status());
    metric_bench_close(&m);
}
