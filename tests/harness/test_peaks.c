/* The loops that measure the machine: what they compute, where they may run, and what is made of their times. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "attn/plan.h"
#include "harness/peaks/peak.h"
#include "support/metric_bench.h"
#include "support/peaks_emulated.h"
#include "support/program.h"
#include "support/store_fill.h"

enum { BYTES = 3 * PEAK_BLOCK, COUNT = BYTES / sizeof(float) };

/* A buffer of BYTES whose end is the end of what may be touched. */
static float *guarded(void)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *at = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    cr_assert(at != MAP_FAILED && mprotect(at + page, page, PROT_NONE) == 0 && BYTES <= page, "no guard page");
    float *x = (float *)(void *)(at + page - BYTES);
    for (size_t i = 0; i < COUNT; i++)
        x[i] = -(float)(i % 97) / 8;
    return x;
}

static void check_registers(const peak_set *s)
{
    if (!s->run[PEAK_FMA])
        return;
    const double lanes_and_chains = s->work / 2;
    const float sum = s->run[PEAK_FMA](30000, NULL, 0);
    if (strcmp(s->isa, "avx512bf16") == 0 || strcmp(s->isa, "amx") == 0 || strcmp(s->isa, "avx512fp16") == 0)
        cr_assert(isfinite(sum) && sum > 0, "%s: %g", s->isa, (double)sum);
    else /* all chains end at 1 */
        cr_assert(fabs((double)sum / lanes_and_chains - 1) < 1e-3, "%s: %g, not %g", s->isa, (double)sum, lanes_and_chains);
}

static void check_memory(const peak_set *s)
{
    float *x = guarded();
    double sum = 0, powers = 0;
    for (size_t i = 0; i < COUNT; i++) {
        sum += (double)x[i];
        powers += exp2((double)x[i]);
    }
    if (s->run[PEAK_READ])
        cr_assert(fabs((double)s->run[PEAK_READ](2, x, BYTES) / (2 * sum) - 1) < 1e-5, "%s: read", s->isa);
    if (s->run[PEAK_EXP2])
        cr_assert(fabs((double)s->run[PEAK_EXP2](3, x, BYTES) / (3 * powers) - 1) < 1e-5, "%s: exp2", s->isa);
    if (s->run[PEAK_COPY]) {
        s->run[PEAK_COPY](1, x, BYTES);
        cr_assert(memcmp(x, x + COUNT / 2, BYTES / 2) == 0 && x[1] == -0.125f, "%s: copy", s->isa);
    }
    if (s->run[PEAK_WRITE]) {
        s->run[PEAK_WRITE](1, x, BYTES);
        for (size_t i = 0; i < COUNT; i++)
            cr_assert(x[i] == 0.5f, "%s: write left out %zu", s->isa, i);
    }
}

Test(peaks, loops_do_what_they_say_within_their_buffers)
{
    for (size_t i = 0; peak_sets[i]; i++)
        if (!peak_unavailable(peak_sets[i])) {
            check_registers(peak_sets[i]);
            check_memory(peak_sets[i]);
        }
    if (peaks_emulated) {
        check_registers(peaks_emulated);
        check_memory(peaks_emulated);
    }
}

Test(peaks, sets_have_names_of_their_own_and_loops_or_a_reason)
{
    for (size_t i = 0; peak_sets[i]; i++) {
        const peak_set *s = peak_sets[i];
        size_t loops = 0;
        for (size_t k = 0; k < PEAK_KINDS; k++)
            loops += s->run[k] != NULL;
        cr_assert(s->unbuilt ? loops == 0 : loops > 0 && s->work > 0, "%s: %zu loops", s->isa, loops);
        for (size_t j = 0; j < i; j++)
            cr_assert(strcmp(s->isa, peak_sets[j]->isa) != 0, "%s is there twice", s->isa);
    }
}

Test(peaks, a_masked_cpu_has_only_what_every_cpu_has)
{
    setenv("ATTN_DISABLE_CPU", "avx2", 1);
    for (size_t i = 0; peak_sets[i]; i++) {
        const char *why = peak_unavailable(peak_sets[i]);
        const bool plain = strcmp(peak_sets[i]->isa, "integer") == 0 || strcmp(peak_sets[i]->isa, "portable") == 0;
        cr_assert(plain ? !why : why && *why, "%s: %s", peak_sets[i]->isa, why ? why : "can run");
    }
    setenv("ATTN_DISABLE_CPU", "everything", 1);
    const char *why;
    cr_assert(!peak_of_isa("avx2", &why) && strstr(why, "ATTN_DISABLE_CPU"), "%s", why);
    cr_assert(peak_of_isa("portable", &why), "%s", why);
}

/* A kernel without a peak to compare with says why. */
Test(peaks, every_kernel_has_a_peak_or_a_reason)
{
    for (size_t i = 0; i < attn_kernel_count(); i++) {
        const char *why = NULL;
        const attn_kernel_info k = attn_kernel_at(i);
        const peak_set *s = peak_of_isa(k.isa, &why);
        cr_assert(s ? !why : why && *why, "%s: no reason", k.name);
        cr_assert(s || k.unavailable || strcmp(k.name, "oracle") == 0, "%s (%s) can run, but has no peak: %s", k.name, k.isa,
                  why ? why : "");
    }
}

Test(peaks, working_sets_fit_their_level)
{
    const host zen = {.l1d_bytes = 32 << 10, .l2_bytes = 512 << 10, .l3_bytes = 32 << 20};
    const host server = {.l1d_bytes = 48 << 10, .l2_bytes = 2 << 20, .l3_bytes = (uint64_t)260 << 20};
    const host *const hosts[] = {&zen, &server};
    const char *why;
    for (size_t i = 0; i < 2; i++)
        for (int threads = 1; threads <= 8; threads *= 2) {
            const host *h = hosts[i];
            const size_t l1 = peak_working_set(h, 1, threads, UINT64_MAX, &why),
                         l2 = peak_working_set(h, 2, threads, UINT64_MAX, &why),
                         l3 = peak_working_set(h, 3, threads, UINT64_MAX, &why),
                         all = peak_working_set(h, 4, threads, UINT64_MAX, &why) * (size_t)threads;
            cr_assert(!why && 2 * l1 <= h->l1d_bytes && l1 > 0, "L1: %zu", l1);
            cr_assert(l2 > h->l1d_bytes && 2 * l2 <= h->l2_bytes, "L2: %zu", l2);
            cr_assert(l3 > h->l2_bytes && l3 * (size_t)threads <= h->l3_bytes + h->l2_bytes * (size_t)threads, "L3: %zu", l3);
            cr_assert(all + 64 * PEAK_BLOCK >= 2 * h->l3_bytes && all % PEAK_BLOCK == 0, "memory: %zu", all);
        }
    cr_assert(peak_working_set(&zen, 4, 1, 100 << 20, &why) == 0 && strstr(why, "memory"), "%s", why);
    const host unknown = {.cpus = 2};
    for (int level = 1; level <= 4; level++)
        cr_assert(peak_working_set(&unknown, level, 1, UINT64_MAX, &why) == 0 && strstr(why, "cache"), "level %d", level);
}

/* ---- beside the samples of a cell ---- */

static capture got; /* large: not on the stack */

Test(metric_time, peak_beside_the_samples)
{
    metric_bench m;
    metric_bench_open(&m, (cell){.spec = "local:k=4", .n = 64, .heads = 2, .dim = 16, .seed = 7, .kernel = "portable"}, 0.1);
    capture_metric(&got, "time", &m);
    const size_t count = capture_samples(&got, "peak_gflops");
    cr_assert(count >= 2 && count <= 8, "%zu samples of the peak", count);
    for (size_t i = 0; i < got.count; i++)
        if (strcmp(got.at[i].series, "peak_gflops") == 0)
            cr_assert(got.at[i].kind == RECORD_REAL && got.at[i].number > 0 && strcmp(got.at[i].unit, "GFLOP/s") == 0,
                      "%g %s", got.at[i].number, got.at[i].unit);
    metric_bench_close(&m);
}

Test(metric_time, no_peak_of_a_kernel_without_one)
{
    metric_bench m;
    metric_bench_open(&m, (cell){.spec = "local:k=4", .n = 64, .heads = 2, .dim = 16, .seed = 7, .kernel = "oracle"}, 0.02);
    capture_metric(&got, "time", &m);
    const captured *peak = capture_find(&got, "peak_gflops");
    cr_assert(peak && peak->kind == RECORD_ABSENT && *peak->text && capture_samples(&got, "peak_gflops") == 1,
              "kind %d: %s", peak ? (int)peak->kind : -1, peak ? peak->text : "none");
    metric_bench_close(&m);
}

/* ---- in the store ---- */

/* Useful FLOPs over the median time over the best peak. */
Test(store, share_of_peak_is_of_the_median_time_and_the_best_peak)
{
    attn_error err;
    char id[STORE_ID_LENGTH + 1], now[STORE_TIME_LENGTH + 1];
    static const double times[] = {2000, 1000, 1000, 4000}, peaks[] = {100, 400, 200};
    store *s = fill_open(scratch_path("share.db"));
    run_ticket ticket;
    samples list = {0};
    recorder r = samples_recorder(&list);
    for (size_t i = 0; i < 4; i++)
        record_real(&r, "time_ns", "ns", times[i]);
    for (size_t i = 0; i < 3; i++)
        record_real(&r, "peak_gflops", "GFLOP/s", peaks[i]);
    record_int(&r, "flops_useful", "flop", 150000);
    store_now(now);
    cr_assert(store_run_begin(s, fill_about(0, 0), &ticket, &err) == ATTN_OK, "%s", err.message);
    const store_measurement m = {
        .cell = fill_cell(8), .started = now, .finished = now, .metrics = "time,flops", .samples = &list};
    cr_assert(store_put(s, &ticket, &m, id, &err) == ATTN_OK, "%s", err.message);
    cr_assert(strcmp(ask_store(s, "SELECT gflops || ' ' || peak_gflops || ' ' || share_of_peak FROM results"),
                     "100.0 400.0 0.25") == 0,
              "%s", ask_store(s, "SELECT gflops || ' ' || peak_gflops || ' ' || share_of_peak FROM results"));
    samples_free(&list);
    store_close(s);
}

static peak_report made_up(double scale)
{
    peak_report p = {.count = 3};
    p.at[0] = (peak_result){.name = "fma.f32", .isa = "avx2", .unit = "GFLOP/s", .threads = 1, .count = 2,
                            .samples = {90 * scale, 100 * scale}};
    p.at[1] = (peak_result){.name = "read.l1", .isa = "avx2", .unit = "GB/s", .threads = 2, .bytes = 12288, .count = 1,
                            .samples = {300.125 * scale}};
    p.at[2] = (peak_result){.name = "fma.f32", .isa = "avx512", .unit = "GFLOP/s", .threads = 1, .reason = "not here"};
    return p;
}

static void keep(store *s, int host_number, double scale)
{
    attn_error err;
    run_ticket ticket;
    const peak_report report = made_up(scale);
    cr_assert(store_run_begin(s, fill_about(host_number, 0), &ticket, &err) == ATTN_OK, "%s", err.message);
    snprintf(ticket.started, sizeof ticket.started, "2024-05-01T12:00:%02d.000Z", (int)(10 * scale));
    cr_assert(store_put_peaks(s, &ticket, &report, &err) == ATTN_OK, "%s", err.message);
    cr_assert(store_run_end(s, &ticket, "complete", &err) == ATTN_OK, "%s", err.message);
}

Test(store, limits_are_the_newest_of_each_host)
{
    store *s = fill_open(scratch_path("limits.db"));
    keep(s, 0, 2); /* an older one, though higher */
    keep(s, 0, 3);
    keep(s, 1, 1);
    cr_assert(strcmp(ask_store(s, "SELECT group_concat(value, ' ') FROM (SELECT value FROM limits WHERE name = 'fma.f32' AND "
                                  "isa = 'avx2' ORDER BY host)"),
                     "300.0 100.0") == 0,
              "%s", ask_store(s, "SELECT group_concat(value) FROM limits WHERE name = 'fma.f32'"));
    cr_assert(strcmp(ask_store(s, "SELECT count(*) || ' ' || sum(samples) || ' ' || sum(reason = 'not here') FROM limits"),
                     "6 6 2") == 0,
              "%s", ask_store(s, "SELECT count(*) || ' ' || sum(samples) FROM limits"));
    store_close(s);
}

Test(store, peaks_survive_export_and_import)
{
    for (int csv = 0; csv < 2; csv++) {
        attn_error err;
        store_counts counts;
        store *from = fill_open(scratch_path(csv ? "a.db" : "b.db")), *to = fill_open(scratch_path(csv ? "c.db" : "d.db"));
        keep(from, 0, 1);
        fill_run(from, fill_about(0, 0), "", 1, 2);
        char *text = export_text(from, csv);
        for (size_t again = 0; again < 2; again++) {
            cr_assert(store_import(to, "test", text, strlen(text), &counts, &err) == ATTN_OK, "%s", err.message);
            cr_assert(counts.peaks == (again ? 0 : 4), "%zu peaks", counts.peaks);
        }
        char *back = export_text(to, csv);
        cr_assert(strcmp(text, back) == 0, "csv %d: another text comes back", csv);
        free(text);
        free(back);
        store_close(from);
        store_close(to);
    }
}

/* What version 1 of the program exported has neither the records nor their number. */
Test(store, exports_without_peaks_are_read)
{
    attn_error err;
    store_counts counts;
    store *from = fill_open(scratch_path("old.db")), *to = fill_open(scratch_path("new.db"));
    fill_run(from, fill_about(0, 0), "", 1, 2);
    char *text = export_text(from, false), *at = strstr(text, ", \"peaks\": 0");
    cr_assert(at, "%.200s", text);
    memmove(at, at + 12, strlen(at + 12) + 1);
    cr_assert(store_import(to, "test", text, strlen(text), &counts, &err) == ATTN_OK && counts.measurements == 2, "%s",
              err.message);
    free(text);
    store_close(from);
    store_close(to);
}

/* ---- the command ---- */

static size_t count(const char *text, const char *word)
{
    size_t n = 0;
    for (; (text = strstr(text, word)); text++)
        n++;
    return n;
}

Test(cli_doctor, peaks_have_a_value_or_a_reason)
{
    const char *db = scratch_path("peaks.db");
    outcome o = attnlab("doctor --peaks --threads 2 --max-time 0.3 --db '%s' -o jsonl", db);
    cr_assert(o.exit_code == 0 && !*o.err, "exit %d: %s", o.exit_code, o.err);
    size_t rows = 0;
    for (char *rest = o.out, *line; (line = strsep(&rest, "\n")) && *line; rows++) {
        const bool null = strstr(line, "\"value\": null") != NULL, reason = strstr(line, "\"reason\": null") == NULL;
        cr_assert(null == reason && !strstr(line, "\"value\": 0,"), "%s", line);
        cr_assert(null == (strstr(line, "\"samples\": 0") != NULL), "%s", line);
    }
    cr_assert(rows == 32, "%zu rows", rows);
    outcome_free(&o);
    o = attnlab("db sql --db '%s' -o csv \"SELECT count(*), count(value), min(threads), max(threads) FROM limits\"", db);
    unsigned all, with, least, most;
    const char *second = strchr(o.out, '\n');
    cr_assert(second && sscanf(second, "\n%u,%u,%u,%u", &all, &with, &least, &most) == 4 && all == 32 && with >= 6 &&
                  least == 1 && most == 2,
              "%s%s", o.out, o.err);
    outcome_free(&o);
}

Test(cli_doctor, peaks_of_a_masked_cpu)
{
    outcome o = shell("ATTN_DISABLE_CPU=avx2 \"$ATTNLAB\" doctor --peaks --threads 1 --max-time 0.2 -o jsonl");
    cr_assert(o.exit_code == 0 && !*o.err, "exit %d: %s", o.exit_code, o.err);
    cr_assert(count(o.out, "\n") == 16 && count(o.out, "\"isa\": \"avx2\"") == 2, "%s", o.out);
    for (char *rest = o.out, *line; (line = strsep(&rest, "\n")) && *line;)
        if (strstr(line, "\"isa\": \"avx") || strstr(line, "\"isa\": \"amx"))
            cr_assert(strstr(line, "\"value\": null") && !strstr(line, "\"reason\": null"), "%s", line);
    outcome_free(&o);
}

Test(cli_doctor, options_of_peaks_need_it)
{
    outcome o = attnlab("doctor --db x.db");
    cr_assert(o.exit_code == 2 && one_complaint(&o, "--db", "--peaks", NULL), "exit %d: %s", o.exit_code, o.err);
    outcome_free(&o);
    o = attnlab("doctor --peaks --db /nowhere/x.db");
    cr_assert(o.exit_code == 2 && one_complaint(&o, "/nowhere", NULL), "exit %d: %s", o.exit_code, o.err);
    outcome_free(&o);
}
