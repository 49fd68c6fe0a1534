/* Made-up measurements. */
#include "support/synthetic.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "attn/layout.h"

enum { HEADS = 8, DIM = 64 };

static void execute(synthetic *s, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *sql = sqlite3_vmprintf(format, arguments), *message = NULL;
    va_end(arguments);
    int rc = sqlite3_exec(s->db, sql, NULL, NULL, &message);
    cr_assert(rc == SQLITE_OK, "synthetic store: %s", message ? message : "?");
    sqlite3_free(sql);
}

static double number(synthetic *s, const char *sql)
{
    sqlite3_stmt *row;
    cr_assert(sqlite3_prepare_v2(s->db, sql, -1, &row, NULL) == SQLITE_OK, "%s", sqlite3_errmsg(s->db));
    double value = sqlite3_step(row) == SQLITE_ROW ? sqlite3_column_double(row, 0) : (double)NAN;
    sqlite3_finalize(row);
    return value;
}

void synthetic_run(synthetic *s, const char *model, const char *label)
{
    s->tick++;
    execute(s, "INSERT OR IGNORE INTO hosts (model, isa, caches, cores) VALUES (%Q, 'avx2', 'L1d 32K, L2 512K', 2)",
            model);
    execute(s, "INSERT OR IGNORE INTO builds (version, revision, dirty, compiler, flags, binary_hash)"
               " VALUES ('0.1.0', '0123456789abcdef0123456789abcdef01234567', 0, 'gcc', '-O3', 'abc')");
    execute(s, "INSERT INTO runs (run_id, started, finished, outcome, host, build, environment, command, label)"
               " VALUES (printf('%%032x', %u), '2024-05-01T12:00:00.000Z', '2024-05-01T12:10:00.000Z', 'complete',"
               " (SELECT id FROM hosts WHERE model = %Q), 1, '{}', 'attnlab run', %Q)",
            s->tick, model, label);
    s->run = sqlite3_last_insert_rowid(s->db);
}

synthetic synthetic_open(const char *path, const char *model, const char *label)
{
    attn_error err;
    synthetic s = {.input = "text:/usr/share/common-licenses", .kernel = "tiles-avx2", .threads = 2};
    attn_status status = store_open(&s.store, path, STORE_WRITE, &err);
    cr_assert(status == ATTN_OK, "%s", err.message);
    s.db = store_handle(s.store);
    execute(&s, "PRAGMA synchronous = OFF");
    synthetic_run(&s, model, label);
    return s;
}

sqlite3_int64 synthetic_cell(synthetic *s, const char *text, size_t n)
{
    attn_spec *spec;
    attn_layout *layout;
    attn_error err;
    attn_status status = attn_spec_parse(&spec, text, &err);
    cr_assert(status == ATTN_OK, "%s", err.message);
    status = attn_layout_create(&layout, spec, n, n, HEADS, &err);
    cr_assert(status == ATTN_OK, "%s", err.message);
    unsigned long long pairs = attn_layout_pairs_all_heads(layout);
    execute(s, "INSERT OR IGNORE INTO cells (pattern, spec, spec_resolved, n, heads, kv_heads, dim, batch, dtype,"
               " direction, kernel, isa, threads, input, seed, pairs_total) VALUES (%Q, %Q, %Q, %llu, 8, 8, 64,"
               " 1, 'f32', 'fwd', %Q, 'avx2', %lld, %Q, 1, %llu)",
            attn_spec_pattern(spec)->name, attn_spec_text(spec), attn_layout_text(layout), (unsigned long long)n,
            s->kernel, s->threads, s->input, pairs);
    s->tick++;
    execute(s, "INSERT INTO measurements (measurement_id, run, cell, ordinal, started, finished, metrics, status)"
               " SELECT printf('%%032x', %u), %lld, id,"
               "   (SELECT count(*) FROM measurements m WHERE m.run = %lld AND m.cell = cells.id),"
               "   '2024-05-01T12:00:00.000Z', printf('2024-05-01T12:%%02d:%%02d.000Z', %u / 60, %u %% 60),"
               "   'time,flops,memory,accuracy,counters', 'finished' FROM cells"
               " WHERE spec = %Q AND n = %llu AND kernel = %Q AND threads = %lld AND input = %Q",
            s->tick, s->run, s->run, s->tick, s->tick, attn_spec_text(spec), (unsigned long long)n, s->kernel,
            s->threads, s->input);
    sqlite3_int64 row = sqlite3_last_insert_rowid(s->db);
    attn_layout_destroy(layout);
    attn_spec_destroy(spec);
    return row;
}

void synthetic_sample(synthetic *s, sqlite3_int64 row, const char *series, const char *unit, int rep, double value)
{
    execute(s, "INSERT OR IGNORE INTO series (name, unit) VALUES (%Q, %Q)", series, unit);
    if (isnan(value))
        execute(s, "INSERT INTO samples VALUES (%lld, (SELECT id FROM series WHERE name = %Q), %d, NULL, 'no PMU')",
                row, series, rep);
    else
        execute(s, "INSERT INTO samples VALUES (%lld, (SELECT id FROM series WHERE name = %Q), %d, %!.17g, NULL)", row,
                series, rep, value);
}

void synthetic_text(synthetic *s, sqlite3_int64 row, const char *series, const char *value)
{
    execute(s, "INSERT OR IGNORE INTO series (name, unit) VALUES (%Q, '')", series);
    execute(s, "INSERT INTO samples VALUES (%lld, (SELECT id FROM series WHERE name = %Q), 0, %Q, NULL)", row, series,
            value);
}

void synthetic_all(synthetic *s, sqlite3_int64 row, const char *spec, size_t n)
{
    char sql[128];
    snprintf(sql, sizeof sql, "SELECT pairs_total FROM cells c JOIN measurements m ON m.cell = c.id WHERE m.id = %lld",
             (long long)row);
    const double pairs = number(s, sql), flops = 4.0 * DIM * pairs, size = (double)n;
    const double rate = 30 * (strncmp(spec, "dense", 5) == 0 ? 1.0 : strncmp(spec, "local", 5) == 0 ? 0.8 : 0.6);
    for (int rep = 0; rep < 9; rep++)
        synthetic_sample(s, row, "time_ns", "ns", rep,
                         (flops / rate + 20 * size) * (1 + 0.01 * ((rep * 7 + (int)(n >> 10)) % 9)));
    const struct {
        const char *name, *unit;
        double value;
    } scalars[] = {
        {"flops_useful", "FLOP", flops},
        {"flops_executed", "FLOP", flops * 1.2},
        {"flops_measured", "FLOP", (double)NAN},
        {"workspace_bytes", "bytes", 65536 + 8 * size},
        {"tensors_bytes", "bytes", size * (4 * DIM + 1) * 4 * HEADS},
        {"peak_rss_bytes", "bytes", 6e6 + size * (4 * DIM + 1) * 4 * HEADS + 65536 + 8 * size},
        {"bytes_model", "bytes", size * (4 * DIM + 1) * 4 * HEADS},
        {"max_abs_err", "", 1e-6},
        {"rel_err", "", 2e-7},
        {"pattern_rel_err", "", fmax(1e-9, 1 - pairs / HEADS / (size * (size + 1) / 2))},
        {"pattern_mass", "", fmin(1, 0.3 + 0.7 * pairs / HEADS / (size * (size + 1) / 2))},
        {"pattern_mass_min", "", 0.01},
        {"pattern_mass_q01", "", 0.05},
        {"pattern_kl", "nat", 0.3},
        {"empty_rows", "rows", 0},
        {"counter.cycles", "count", (double)NAN},
        {"counter.instructions", "count", (double)NAN},
        {"counter.cache_misses", "count", (double)NAN},
        {"counter.task_clock_ns", "ns", flops / rate * 1.9},
        {"counter.page_faults", "count", size / 64},
        {"counter.context_switches", "count", 3},
        {"counter.cpu_migrations", "count", 0},
    };
    for (size_t i = 0; i < sizeof scalars / sizeof scalars[0]; i++)
        synthetic_sample(s, row, scalars[i].name, scalars[i].unit, 0, scalars[i].value);
    synthetic_text(s, row, "counters_status", "no hardware counters: no PMU; software events measured");
    synthetic_text(s, row, "stop_reason", "narrow");
}

void synthetic_close(synthetic *s)
{
    store_close(s->store);
    *s = (synthetic){0};
}
