/* Made-up measurements. */
#include "support/synthetic.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "attn/layout.h"

enum { DIM = 64 };

static const build_info build = {.version = "0.1.0",
                                 .commit = "0123456789abcdef0123456789abcdef01234567",
                                 .compiler = "gcc",
                                 .flags = "-O3",
                                 .mode = "release",
                                 .binary = "feedfacecafebeef"};

static void must(attn_status status, const attn_error *err)
{
    cr_assert(status == ATTN_OK, "synthetic store: %s", err->message);
}

void synthetic_run(synthetic *s, const char *model, const char *label)
{
    attn_error err = {{0}};
    s->host = (host){.cpus = 2, .cores = 2, .memory_gib = 8, .isa = "avx2 fma"};
    snprintf(s->host.model, sizeof s->host.model, "%s", model);
    snprintf(s->host.fingerprint, sizeof s->host.fingerprint, "%016zx", strlen(model));
    s->about = (store_run){
        .host = &s->host, .build = &build, .environment = "{}", .command = "attnlab run", .label = label};
    must(store_run_begin(s->store, &s->about, &s->ticket, &err), &err);
}

void synthetic_open(synthetic *s, const char *path, const char *model, const char *label)
{
    attn_error err = {{0}};
    const bool first = s->tick == 0;
    if (first)
        *s = (synthetic){
            .input = "text:/usr/share/common-licenses", .kernel = "tiles-avx2", .heads = 8, .threads = 2};
    must(store_open(&s->store, path, STORE_WRITE, &err), &err);
    sqlite3_exec(store_handle(s->store), "PRAGMA synchronous = OFF", NULL, NULL, NULL);
    synthetic_run(s, model, label);
}

void synthetic_begin(synthetic *s, const char *text, size_t n)
{
    attn_spec *spec;
    attn_layout *layout;
    attn_error err = {{0}};
    must(attn_spec_parse(&spec, text, &err), &err);
    must(attn_layout_create(&layout, spec, n, n, s->heads, &err), &err);
    snprintf(s->spec, sizeof s->spec, "%s", attn_spec_text(spec));
    snprintf(s->resolved, sizeof s->resolved, "%s", attn_layout_text(layout));
    snprintf(s->pattern, sizeof s->pattern, "%s", attn_spec_pattern(spec)->name);
    s->pairs = attn_layout_pairs_all_heads(layout);
    s->key = (cell){.spec = s->spec,
                    .n = n,
                    .heads = s->heads,
                    .kv_heads = s->heads,
                    .dim = DIM,
                    .batch = 1,
                    .dtype = ATTN_F32,
                    .direction = FORWARD,
                    .kernel = s->kernel,
                    .threads = s->threads,
                    .input = s->input,
                    .seed = 1};
    s->samples = (samples){0};
    s->to = samples_recorder(&s->samples);
    attn_layout_destroy(layout);
    attn_spec_destroy(spec);
}

void synthetic_end(synthetic *s)
{
    attn_error err = {{0}};
    char id[STORE_ID_LENGTH + 1], finished[STORE_TIME_LENGTH + 1];
    s->tick++;
    snprintf(finished, sizeof finished, "2024-05-01T%02u:%02u:%02u.000Z", s->tick / 3600 % 24,
             s->tick / 60 % 60, s->tick % 60);
    const store_cell about = {.cell = &s->key,
                              .pattern = s->pattern,
                              .spec_resolved = s->resolved,
                              .isa = "avx2",
                              .pairs_total = s->pairs};
    const store_measurement m = {.cell = &about,
                                 .started = finished,
                                 .finished = finished,
                                 .metrics = "time,flops,memory,accuracy,counters",
                                 .samples = &s->samples};
    must(store_put(s->store, &s->ticket, &m, id, &err), &err);
    samples_free(&s->samples);
}

void synthetic_cell(synthetic *s, const char *spec, size_t n)
{
    synthetic_begin(s, spec, n);
    const double flops = 4.0 * DIM * (double)s->pairs, size = (double)n, heads = (double)s->heads,
                 share = (double)s->pairs / heads / (size * (size + 1) / 2);
    const double rate = 30 * (strcmp(s->pattern, "dense") == 0   ? 1.0
                              : strcmp(s->pattern, "local") == 0 ? 0.8
                                                                 : 0.6);
    const double tensors = size * (4 * DIM + 1) * 4 * heads, workspace = 65536 + 8 * size;
    for (size_t rep = 0; rep < 9; rep++)
        record_real(&s->to, "time_ns", "ns",
                    (flops / rate + 20 * size) * (1 + 0.01 * (double)((rep * 7 + (n >> 10)) % 9)));
    for (size_t rep = 0; rep < 3; rep++)
        record_real(&s->to, "peak_gflops", "GFLOP/s", s->threads * (48 + (double)rep));
    const struct {
        const char *name, *unit;
        double value; /* NaN: absent */
    } scalars[] = {
        {"flops_useful", "flop", flops},
        {"flops_executed", "flop", flops * 1.2},
        {"workspace_bytes", "bytes", workspace},
        {"tensors_bytes", "bytes", tensors},
        {"peak_rss_bytes", "bytes", 6e6 + tensors + workspace},
        {"bytes_model", "bytes", tensors},
        {"max_abs_err", "", 1e-6},
        {"rel_err", "", 2e-7},
        {"pattern_rel_err", "", fmax(0, 1 - share)},
        {"pattern_mass", "", fmin(1, 0.3 + 0.7 * share)},
        {"pattern_mass_q01", "", fmin(1, 0.05 + 0.95 * share)},
        {"pattern_kl", "nat", 0.3},
        {"counter.cycles", "count", (double)NAN},
        {"counter.instructions", "count", (double)NAN},
        {"counter.cache_misses", "count", (double)NAN},
        {"counter.task_clock_ns", "ns", flops / rate * 1.9},
        {"counter.page_faults", "count", size / 64},
        {"counter.context_switches", "count", 3},
        {"counter.cpu_migrations", "count", 0},
    };
    for (size_t i = 0; i < sizeof scalars / sizeof scalars[0]; i++)
        if (isnan(scalars[i].value))
            record_absent(&s->to, scalars[i].name, scalars[i].unit, "no PMU");
        else
            record_real(&s->to, scalars[i].name, scalars[i].unit, scalars[i].value);
    record_text(&s->to, "counters_status", "no hardware counters: no PMU");
    record_text(&s->to, "stop_reason", "narrow");
    synthetic_end(s);
}

void synthetic_peaks(synthetic *s)
{
    attn_error err = {{0}};
    static const struct { const char *name, *unit, *isa; double value; } all[] = {
        {"fma.f32", "GFLOP/s", "portable", 25},  {"fma.f32", "GFLOP/s", "avx2", 50},
        {"fma.f32", "GFLOP/s", "avx512", 0},     {"dot.bf16", "GFLOP/s", "amx", 0},
        {"read.l1", "GB/s", "avx2", 160},        {"read.l2", "GB/s", "avx2", 90},
        {"read.l3", "GB/s", "avx2", 65},         {"read.memory", "GB/s", "avx2", 20},
        {"copy.memory", "GB/s", "avx2", 18},     {"clock", "GHz", "integer", 3},
    };
    peak_report report = {0};
    for (int threads = 1; threads <= 2; threads++)
        for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
            peak_result *r = &report.at[report.count++];
            *r = (peak_result){.name = all[i].name, .unit = all[i].unit, .isa = all[i].isa, .threads = threads};
            if (all[i].value > 0)
                r->samples[r->count++] = all[i].value * threads;
            else
                snprintf(r->reason, sizeof r->reason, "this CPU is made up");
        }
    must(store_put_peaks(s->store, &s->ticket, &report, &err), &err);
}

void synthetic_close(synthetic *s)
{
    attn_error err = {{0}};
    must(store_run_end(s->store, &s->ticket, "complete", &err), &err);
    store_close(s->store);
    s->store = NULL;
}
