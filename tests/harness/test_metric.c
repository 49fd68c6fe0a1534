/* The metrics time, flops and memory on small problems. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "support/metric_bench.h"

static capture got; /* large: not on the stack */

static cell small(const char *spec)
{
    return (cell){.spec = spec, .n = 64, .heads = 2, .dim = 16, .seed = 7};
}

Test(metric, every_metric_has_a_unique_name_and_a_summary)
{
    for (size_t i = 0; metrics[i]; i++) {
        cr_assert(metrics[i]->name && metrics[i]->summary && metrics[i]->measure, "metric %zu is incomplete",
                  i);
        for (size_t j = 0; j < i; j++)
            cr_assert(strcmp(metrics[i]->name, metrics[j]->name) != 0, "%s is there twice", metrics[i]->name);
    }
}

/* A series recorded by two metrics would be two samples of the same thing. */
Test(metric, no_series_is_recorded_by_two_metrics)
{
    static char seen[64][64];
    size_t count = 0;
    metric_bench m;
    metric_bench_open(&m, small("local:k=4"), 0.02);
    for (size_t i = 0; metrics[i]; i++) {
        size_t before = count;
        capture_metric(&got, metrics[i]->name, &m);
        for (size_t s = 0; s < got.count; s++) {
            bool known = false;
            for (size_t k = 0; k < count; k++)
                if (strcmp(seen[k], got.at[s].series) == 0) {
                    known = true;
                    cr_assert(k >= before, "%s records %s, which another metric does too", metrics[i]->name,
                              seen[k]);
                }
            if (!known) {
                cr_assert(count < 64, "too many series");
                strcpy(seen[count++], got.at[s].series);
            }
        }
    }
    metric_bench_close(&m);
}

Test(metric_time, samples_and_reason)
{
    metric_bench m;
    metric_bench_open(&m, small("dense"), 0.05);
    capture_metric(&got, "time", &m);
    size_t samples = capture_samples(&got, "time_ns");
    cr_assert(samples >= 3, "%zu samples", samples);
    for (size_t i = 0; i < got.count; i++)
        if (strcmp(got.at[i].series, "time_ns") == 0)
            cr_assert(got.at[i].kind == RECORD_REAL && got.at[i].number > 0 &&
                          strcmp(got.at[i].unit, "ns") == 0,
                      "sample %zu: %g %s", i, got.at[i].number, got.at[i].unit);
    cr_assert(capture_number(&got, "warmup_ns") > 0, "no warm-up");
    cr_assert(capture_number(&got, "cpu_ns") > 0, "no processor time");
    cr_assert(capture_samples(&got, "clock_ghz") >= 2, "%zu clocks", capture_samples(&got, "clock_ghz"));
    for (size_t i = 0; i < got.count; i++)
        if (strcmp(got.at[i].series, "clock_ghz") == 0)
            cr_assert(got.at[i].number > 0.01 && got.at[i].number < 10, "a clock of %g GHz", got.at[i].number);
    cr_assert(capture_number(&got, "time_iterations") >= 1, "no iterations");
    const char *reason = capture_text(&got, "stop_reason");
    cr_assert(strcmp(reason, "interval") == 0 || strcmp(reason, "time") == 0 || strcmp(reason, "count") == 0,
              "stop_reason '%s'", reason);
    metric_bench_close(&m);
}

Test(metric_time, one_sample_where_a_run_exceeds_the_limit)
{
    metric_bench m;
    metric_bench_open(&m, small("dense"), 1e-9);
    capture_metric(&got, "time", &m);
    cr_assert(capture_samples(&got, "time_ns") == 1, "%zu samples", capture_samples(&got, "time_ns"));
    cr_assert(strcmp(capture_text(&got, "stop_reason"), "time") == 0, "stop_reason '%s'",
              capture_text(&got, "stop_reason"));
    metric_bench_close(&m);
}

Test(metric_flops, exact_counts)
{
    metric_bench m;
    cell c = small("local:k=5");
    c.batch = 3;
    metric_bench_open(&m, c, 0.1);
    capture_metric(&got, "flops", &m);
    double pairs = 64 * 6 - 5 * 6 / 2; /* n(k+1) - k(k+1)/2 */
    double total = pairs * 3 * 2;
    cr_assert(capture_number(&got, "pairs") == pairs, "pairs %g, not %g", capture_number(&got, "pairs"),
              pairs);
    cr_assert(capture_number(&got, "pairs_total") == total, "pairs_total %g",
              capture_number(&got, "pairs_total"));
    cr_assert(capture_number(&got, "exps_useful") == total, "exps_useful %g",
              capture_number(&got, "exps_useful"));
    double useful = capture_number(&got, "flops_useful"), executed = capture_number(&got, "flops_executed");
    cr_assert(useful == 4 * 16 * total && executed >= useful, "useful %g, executed %g", useful, executed);
    cr_assert(capture_number(&got, "tile_utilisation") == useful / executed, "tile_utilisation %g",
              capture_number(&got, "tile_utilisation"));
    metric_bench_close(&m);
}

Test(metric_memory, exact_parts)
{
    metric_bench m;
    cell c = {.spec = "dense", .n = 96, .heads = 4, .kv_heads = 2, .dim = 24, .batch = 2, .seed = 1};
    metric_bench_open(&m, c, 0.1);
    capture_metric(&got, "memory", &m);
    /* q and o of 4 heads, k and v of 2, fp32; lse of 4 heads */
    double tensors = 2 * (96 * 24 * 4 * (2 * 4 + 2 * 2) + 96 * 4 * 4);
    cr_assert(capture_number(&got, "tensors_bytes") == tensors, "tensors %g, not %g",
              capture_number(&got, "tensors_bytes"), tensors);
    cr_assert(capture_number(&got, "bytes_model") == tensors, "bytes_model %g",
              capture_number(&got, "bytes_model"));
    cr_assert(capture_number(&got, "workspace_bytes") ==
                  (double)attn_plan_cost(m.bench.plan)->workspace_bytes,
              "workspace %g", capture_number(&got, "workspace_bytes"));
    cr_assert(capture_number(&got, "peak_rss_bytes") > tensors, "peak %g",
              capture_number(&got, "peak_rss_bytes"));
    metric_bench_close(&m);
}

Test(metric_memory, peak_begins_with_the_run)
{
    enum { EARLIER = 96 << 20 };
    char *earlier = mmap(NULL, EARLIER, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    cr_assert(earlier != MAP_FAILED, "out of memory");
    memset(earlier, 1, EARLIER);
    munmap(earlier, EARLIER);
    metric_bench m;
    metric_bench_open(&m, small("dense"), 0.1);
    capture_metric(&got, "memory", &m);
    if (strcmp(capture_text(&got, "peak_rss_scope"), "running the plan") == 0)
        cr_assert(capture_number(&got, "peak_rss_bytes") < EARLIER, "peak %g holds what was freed before",
                  capture_number(&got, "peak_rss_bytes"));
    else
        cr_assert(capture_number(&got, "peak_rss_bytes") > EARLIER, "peak %g of the whole process lacks %d",
                  capture_number(&got, "peak_rss_bytes"), EARLIER);
    metric_bench_close(&m);
}

Test(recorder, a_count_beyond_63_bits_becomes_real)
{
    capture_start(&got);
    record_count(&got.recorder, "a", "count", INT64_MAX);
    record_count(&got.recorder, "b", "count", (uint64_t)1 << 63);
    record_real(&got.recorder, "c", "1", (double)NAN);
    cr_assert(got.at[0].kind == RECORD_INT && got.at[1].kind == RECORD_REAL && got.at[1].number == 0x1p63,
              "kinds %d and %d", (int)got.at[0].kind, (int)got.at[1].kind);
    cr_assert(got.at[2].kind == RECORD_ABSENT && strcmp(got.at[2].text, "not a number") == 0, "NaN: kind %d",
              (int)got.at[2].kind);
}
