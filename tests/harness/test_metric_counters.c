/* The counters metric on a scripted kernel and on the real one. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/metrics/counters.h"
#include "harness/metrics/counters_parts.h"
#include "support/fake_perf.h"
#include "support/metric_bench.h"
#include "support/program.h"

static capture got;
static fake_perf fake;
static const char *users; /* file of events, or NULL */
static attn_cost cost;

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
    perf_events *list = NULL;
    cr_assert(perf_events_choose(&list, pmu, users, &err) == ATTN_OK, "%s", err.message);
    capture_start(&got);
    cr_assert(counters_measure(&m.bench, &got.recorder, &calls, list, paranoid, &err) == ATTN_OK, "%s",
              err.message);
    cr_assert(fake.now_open == 0, "%zu files left open", fake.now_open);
    free(list);
    cost = *attn_plan_cost(m.bench.plan);
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

static bool near(const char *series, double want)
{
    const captured *c = capture_find(&got, series);
    cr_assert(c && c->kind == RECORD_REAL, "%s: %s", series, c ? c->text : "not recorded");
    return fabs(c->number / want - 1) < 1e-9;
}

static void is_absent(const char *series, const char *word)
{
    const captured *c = capture_find(&got, series);
    cr_assert(c && c->kind == RECORD_ABSENT && strstr(c->text, word), "%s: '%s' lacks '%s'", series,
              c ? c->text : "not recorded", word);
}

/* Codes: cycles 0, instructions 1, references 2, misses 3, branches 4, their misses 5; misses of L3 0x412e on Intel,
 * fills from memory 0x4844 and prefetches past L3 0x1f72 on Zen 3. */
Test(metric_counters, formulas_of_medians)
{
    measure(NULL, always, "skx", -1, 10);
    const double flops = capture_number(&got, "flops_measured"), runs = runs_per_window();
    cr_assert(near("derived.ipc", (1e6 + 1) / 1e6), "IPC %g", capture_number(&got, "derived.ipc"));
    cr_assert(near("derived.cache_miss_rate", (1e6 + 3) / (1e6 + 2)), "cache misses");
    cr_assert(near("derived.branch_miss_rate", (1e6 + 5) / (1e6 + 4)), "branch misses");
    cr_assert(near("derived.flops_measured_over_model", flops / (double)cost.flops_executed), "over model");
    cr_assert(near("derived.bytes_per_flop", 64 * (1e6 + 0x412e) / runs / flops), "bytes per FLOP");
    cr_assert(strcmp(capture_text(&got, "counters_scaled"), "none") == 0, "scaled: %s", capture_text(&got, "counters_scaled"));
    cr_assert(strcmp(capture_text(&got, "counters_events"), "any intel-skylake-server") == 0, "events: %s",
              capture_text(&got, "counters_events"));
    measure(NULL, always, "amd64_fam19h_zen3", -1, 10);
    cr_assert(near("derived.bytes_per_flop", 64 * (2e6 + 0x4844 + 0x1f72) / (1e6 + 0x0f03)), "bytes per FLOP of Zen 3");
}

Test(metric_counters, without_an_operand_nothing_is_derived)
{
    static const fake_rule rules[] = {
        {PERF_TYPE_HARDWARE, PERF_COUNT_HW_CACHE_REFERENCES, -1, ENOENT, 0, -1}, {-1, -1, -1, -1, 0, -1},
    };
    measure(rules, always, "skx", -1, 10);
    is_absent("derived.cache_miss_rate", "no PMU");
    cr_assert(near("derived.ipc", (1e6 + 1) / 1e6), "IPC goes with it");
    measure(NULL, always, NULL, -1, 10);
    is_absent("derived.flops_measured_over_model", "no known counter of floating-point operations");
    is_absent("derived.bytes_per_flop", "no counter of traffic with memory");
    measure(NULL, always, "amd64_fam17h_zen1", -1, 10);
    is_absent("derived.bytes_per_flop", "on Zen");
    cr_assert(capture_number(&got, "flops_measured") > 0, "no FLOPs on Zen");
}

static uint64_t no_cycles(const struct perf_event_attr *attr, pid_t thread)
{
    (void)thread;
    return attr->type == PERF_TYPE_HARDWARE && attr->config == PERF_COUNT_HW_CPU_CYCLES ? 0 : 1000;
}

/* Tallies made by hand: instructions always ran, cycles half of the time, branches once, their misses never. */
Test(metric_counters, an_estimate_makes_estimates)
{
    perf_events *list = NULL;
    attn_error err;
    cr_assert(perf_events_choose(&list, NULL, NULL, &err) == ATTN_OK, "%s", err.message);
    const perf_set *core = &list->sets[0];
    cr_assert(strcmp(core->name, "core") == 0, "the first set is %s", core->name);
    tally t[PERF_MOST_EVENTS];
    size_t count = 0;
    for (size_t s = 0; s < list->set_count; s++)
        for (size_t i = 0; i < list->sets[s].count; i++)
            t[count++] = (tally){.event = &list->sets[s].events[i], .set = &list->sets[s], .count = 3, .running = 1,
                                 .samples = {30, 10, 20}};
    t[0].running = 0.5;
    t[3].count = 0;
    strcpy(t[3].reason, "taken");
    capture_start(&got);
    counters_record(&got.recorder, list, t, count, &(attn_cost){.flops_executed = 1}, 0);
    cr_assert(strcmp(capture_text(&got, "counters_scaled"), "cycles ipc") == 0, "scaled: %s",
              capture_text(&got, "counters_scaled"));
    cr_assert(near("derived.ipc", 1) && near("derived.cache_miss_rate", 1), "medians of 20");
    is_absent("derived.branch_miss_rate", "taken");
    cr_assert(capture_find(&got, "counter.cycles")->number == 30, "the samples are out of order");
    free(list);
}

Test(metric_counters, nothing_is_divided_by_0)
{
    metric_bench m;
    attn_error err = {0};
    metric_bench_open(&m, (cell){.spec = "dense", .n = 64, .heads = 1, .dim = 16, .seed = 1}, 10);
    fake = (fake_perf){.count = no_cycles, .times = always};
    perf_calls calls = fake_calls(&fake);
    perf_events *list = NULL;
    cr_assert(perf_events_choose(&list, NULL, NULL, &err) == ATTN_OK, "%s", err.message);
    capture_start(&got);
    cr_assert(counters_measure(&m.bench, &got.recorder, &calls, list, -1, &err) == ATTN_OK, "%s", err.message);
    is_absent("derived.ipc", "divides by a count of 0");
    cr_assert(near("derived.cache_miss_rate", 1), "not 1");
    free(list);
    metric_bench_close(&m);
}

/* A set of the user's is counted in a pass of its own, software or not. */
Test(metric_counters, sets_of_the_users)
{
    static const char text[] = "for any\nset more\nevent minor count perf::MINOR-FAULTS\nset mixed\n"
                               "event stalls count perf::REF-CYCLES\nevent major count perf::MAJOR-FAULTS\n"
                               "derive share 1 = (minor + major) / 2 / stalls\n";
    write_whole_file(scratch_path("mine.txt"), text, strlen(text));
    users = scratch_path("mine.txt");
    measure(NULL, always, "skx", -1, 10);
    const double minor = 1e6 + PERF_COUNT_SW_PAGE_FAULTS_MIN, major = 1e6 + PERF_COUNT_SW_PAGE_FAULTS_MAJ,
                 stalls = 1e6 + PERF_COUNT_HW_REF_CPU_CYCLES;
    cr_assert(near("derived.share", (minor + major) / 2 / stalls), "share");
    cr_assert(strcmp(status(), "ok") == 0, "status '%s'", status());
    cr_assert(strstr(capture_text(&got, "counters_events"), "any intel-skylake-server mine.txt:"), "events: %s",
              capture_text(&got, "counters_events"));
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
