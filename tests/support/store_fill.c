/* Stores with known content. */
#include "support/store_fill.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

store *fill_open(const char *path)
{
    attn_error err = {{0}};
    store *s = NULL;
    cr_assert(store_open(&s, path, STORE_WRITE, &err) == ATTN_OK, "%s", err.message);
    return s;
}

const store_run *fill_about(int host_number, int build_number)
{
    static host hosts[2];
    static build_info builds[2];
    static store_run run;
    host *h = &hosts[host_number];
    snprintf(h->model, sizeof h->model, "Model, \"%d\"", host_number);
    snprintf(h->fingerprint, sizeof h->fingerprint, "%016d", host_number);
    h->cores = h->cpus = 2;
    builds[build_number] = (build_info){.version = "0.1.0",
                                        .commit = "abc",
                                        .compiler = "gcc",
                                        .flags = "-O3",
                                        .mode = "release",
                                        .binary = build_number ? "b1" : "b0"};
    run = (store_run){.host = h,
                      .build = &builds[build_number],
                      .environment = "{\"load\": 0.5}",
                      .command = "attnlab run -p 'strided:l=sqrt(n)'\t\\"};
    return &run;
}

const store_cell *fill_cell(size_t n)
{
    static cell key;
    static store_cell about;
    key = (cell){.spec = "dense",
                 .n = n,
                 .heads = 8,
                 .kv_heads = 8,
                 .dim = 64,
                 .batch = 1,
                 .dtype = ATTN_F32,
                 .direction = FORWARD,
                 .kernel = "portable",
                 .threads = 2,
                 .input = "gauss",
                 .seed = UINT64_MAX};
    about = (store_cell){.cell = &key,
                         .pattern = "dense",
                         .spec_resolved = "dense",
                         .isa = "portable",
                         .pairs_total = 8 * n * (n + 1) / 2};
    return &about;
}

void fill_run(store *s, const store_run *about, const char *label, size_t first, size_t count)
{
    attn_error err = {{0}};
    store_run mine = *about;
    run_ticket ticket;
    mine.label = label;
    cr_assert(store_run_begin(s, &mine, &ticket, &err) == ATTN_OK, "%s", err.message);
    for (size_t n = first; n < first + count; n++) {
        samples list = {0};
        recorder r = samples_recorder(&list);
        char id[STORE_ID_LENGTH + 1], now[STORE_TIME_LENGTH + 1];
        for (int i = 0; i < 7; i++)
            record_real(&r, "time_ns", "ns", (double)n * 1000 + 0.1 * i);
        record_real(&r, "max_abs_err", "", 5);
        record_int(&r, "flops_useful", "flop", ((int64_t)1 << 53) + 1);
        record_int(&r, "flops_executed", "flop", (int64_t)1 << 54);
        record_real(&r, "pattern_kl", "nat", (double)INFINITY);
        record_real(&r, "rel_err", "", (double)NAN);
        record_absent(&r, "counter.cycles", "count", "no \"PMU\",\nreally\t\\");
        record_int(&r, "counter.page_faults", "count", 0);
        record_text(&r, "stop_reason", "time, \"up\"\r\n\x01 na\xc3\xafve");
        record_text(&r, "empty", "");
        store_now(now);
        const store_measurement m = {
            .cell = fill_cell(n), .started = now, .finished = now, .metrics = "time,flops", .samples = &list};
        cr_assert(store_put(s, &ticket, &m, id, &err) == ATTN_OK, "n=%zu: %s", n, err.message);
        samples_free(&list);
    }
    cr_assert(store_run_end(s, &ticket, "complete", &err) == ATTN_OK, "%s", err.message);
}

const char *ask_store(store *s, const char *sql)
{
    static char ring[8][512];
    static size_t next;
    char *out = ring[next++ % 8];
    sqlite3_stmt *query = NULL;
    int rc = sqlite3_prepare_v2(store_handle(s), sql, -1, &query, NULL);
    cr_assert(rc == SQLITE_OK, "%s: %s", sql, sqlite3_errmsg(store_handle(s)));
    const char *text = sqlite3_step(query) == SQLITE_ROW ? (const char *)sqlite3_column_text(query, 0) : NULL;
    snprintf(out, sizeof ring[0], "%s", text ? text : "");
    sqlite3_finalize(query);
    return out;
}

char *export_text(store *s, bool csv)
{
    char *text = NULL;
    size_t size;
    attn_error err = {{0}};
    FILE *out = open_memstream(&text, &size);
    cr_assert(out && store_export(s, csv, out, &err) == ATTN_OK, "%s", err.message);
    fclose(out);
    return text;
}
