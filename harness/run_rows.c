/* Rows of results as `run` prints them, read back from the store: what is printed is what is kept. */
#include "harness/run.h"

#include <stdlib.h>
#include <string.h>

#define LOWER_QUARTILE STORE_LOWER_QUARTILE("(SELECT id FROM measurements WHERE measurement_id = results.measurement_id)", "time_ns")
/* Half the interval over the median; one sample has none. */
#define HALF_WIDTH "CASE WHEN time_ns_samples > 1 THEN (time_ns_ci_hi - time_ns_ci_lo) / 2 / time_ns_median END"

enum { TIMED = 1u << LANE_TIME | 1u << LANE_COLD, COUNTED = 1u << LANE_CALLGRIND, ALL = TIMED | COUNTED };

typedef enum reading { AS_IS, AS_JSON, AS_UNSIGNED } reading;

static const struct {
    emit_column column;
    const char *sql; /* over the view `results`; NULL: the column's name */
    reading reading;
    unsigned lanes; /* bit per lane whose tables show it */
} columns[] = {
    {{"run_id", NULL, EMIT_PLAIN}, NULL, AS_IS, ALL},
    {{"measurement_id", NULL, EMIT_PLAIN}, NULL, AS_IS, ALL},
    {{"pattern", NULL, EMIT_PLAIN}, NULL, AS_IS, ALL},
    {{"spec", "pattern", EMIT_PLAIN}, NULL, AS_IS, ALL},
    {{"spec_resolved", NULL, EMIT_PLAIN}, NULL, AS_IS, ALL},
    {{"n", "n", EMIT_PLAIN}, NULL, AS_IS, ALL},
    {{"heads", NULL, EMIT_PLAIN}, NULL, AS_IS, ALL},
    {{"kv_heads", NULL, EMIT_PLAIN}, NULL, AS_IS, ALL},
    {{"dim", "d", EMIT_PLAIN}, NULL, AS_IS, ALL},
    {{"batch", NULL, EMIT_PLAIN}, NULL, AS_IS, ALL},
    {{"dtype", NULL, EMIT_PLAIN}, NULL, AS_IS, ALL},
    {{"direction", NULL, EMIT_PLAIN}, NULL, AS_IS, ALL},
    {{"kernel", "kernel", EMIT_PLAIN}, NULL, AS_IS, ALL},
    {{"isa", NULL, EMIT_PLAIN}, NULL, AS_IS, ALL},
    {{"lowering", NULL, EMIT_PLAIN}, NULL, AS_IS, ALL},
    {{"plan", NULL, EMIT_PLAIN}, NULL, AS_IS, ALL},
    {{"threads", NULL, EMIT_PLAIN}, NULL, AS_IS, ALL},
    {{"input", NULL, EMIT_PLAIN}, NULL, AS_IS, ALL},
    {{"seed", NULL, EMIT_PLAIN}, "printf('%u', seed)", AS_UNSIGNED, ALL},
    {{"metrics", NULL, EMIT_PLAIN}, NULL, AS_IS, ALL},
    {{"lane", NULL, EMIT_PLAIN}, NULL, AS_IS, ALL},
    {{"inject", NULL, EMIT_PERCENT}, NULL, AS_IS, ALL},
    {{"instructions", "instructions", EMIT_PLAIN}, NULL, AS_IS, COUNTED},
    {{"data_reads", "data reads", EMIT_COUNT}, NULL, AS_IS, COUNTED},
    {{"data_writes", "data writes", EMIT_COUNT}, NULL, AS_IS, COUNTED},
    {{"time_ns.median", "time", EMIT_NS}, "time_ns_median", AS_IS, TIMED},
    {{"time_ns.min", NULL, EMIT_NS}, "time_ns_min", AS_IS, ALL},
    {{"time_ns.lower_quartile", NULL, EMIT_NS}, LOWER_QUARTILE, AS_IS, ALL},
    {{"time_ns.ci_lo", NULL, EMIT_NS}, "time_ns_ci_lo", AS_IS, ALL},
    {{"time_ns.ci_hi", NULL, EMIT_NS}, "time_ns_ci_hi", AS_IS, ALL},
    {{"time_ns.ci_rel", NULL, EMIT_WITHIN}, HALF_WIDTH, AS_IS, TIMED},
    {{"time_ns.samples", NULL, EMIT_PLAIN}, "time_ns_samples", AS_IS, ALL},
    {{"pairs", NULL, EMIT_COUNT}, NULL, AS_IS, ALL},
    {{"pairs_total", NULL, EMIT_COUNT}, NULL, AS_IS, ALL},
    {{"flops_useful", NULL, EMIT_COUNT}, NULL, AS_IS, ALL},
    {{"flops_executed", NULL, EMIT_COUNT}, NULL, AS_IS, ALL},
    {{"flops_measured", NULL, EMIT_COUNT}, NULL, AS_IS, ALL},
    {{"gflops", "GFLOP/s", EMIT_FIXED1}, NULL, AS_IS, TIMED},
    {{"peak_gflops", NULL, EMIT_FIXED1}, NULL, AS_IS, ALL},
    {{"share_of_peak", "of peak", EMIT_PERCENT}, NULL, AS_IS, TIMED},
    {{"tile_utilisation", "util", EMIT_PERCENT}, NULL, AS_IS, ALL},
    {{"workspace_bytes", "workspace", EMIT_BYTES}, NULL, AS_IS, TIMED},
    {{"peak_rss_bytes", "peak RSS", EMIT_BYTES}, NULL, AS_IS, TIMED},
    {{"bytes_model", NULL, EMIT_BYTES}, NULL, AS_IS, ALL},
    {{"max_abs_err", NULL, EMIT_SCI}, NULL, AS_IS, ALL},
    {{"rel_err", "rel err", EMIT_SCI}, NULL, AS_IS, TIMED},
    {{"worst_row_err", NULL, EMIT_SCI}, NULL, AS_IS, ALL},
    {{"rows_checked", NULL, EMIT_PLAIN}, NULL, AS_IS, ALL},
    {{"pattern_rel_err", "pattern err", EMIT_FIXED3}, NULL, AS_IS, TIMED},
    {{"pattern_mass", "mass kept", EMIT_PERCENT}, NULL, AS_IS, TIMED},
    {{"pattern_mass_min", NULL, EMIT_PERCENT}, NULL, AS_IS, ALL},
    {{"pattern_mass_q01", NULL, EMIT_PERCENT}, NULL, AS_IS, ALL},
    {{"pattern_kl", NULL, EMIT_FIXED3}, NULL, AS_IS, ALL},
    {{"empty_rows", NULL, EMIT_PLAIN}, NULL, AS_IS, ALL},
    {{"counters", NULL, EMIT_PLAIN}, NULL, AS_JSON, ALL},
    {{"derived", NULL, EMIT_PLAIN}, NULL, AS_JSON, ALL},
    {{"ipc", "IPC", EMIT_FIXED2}, NULL, AS_IS, TIMED},
    {{"cache_miss_rate", "cache misses", EMIT_PERCENT}, NULL, AS_IS, TIMED},
    {{"bytes_per_flop", "B/FLOP", EMIT_PLAIN}, NULL, AS_IS, TIMED},
    {{"flops_measured_over_model", "FLOPs/model", EMIT_FIXED2}, NULL, AS_IS, TIMED},
    {{"counters_running", "counted", EMIT_PERCENT}, NULL, AS_IS, TIMED},
    {{"counters_scaled", NULL, EMIT_PLAIN}, NULL, AS_IS, ALL},
    {{"counters_events", NULL, EMIT_PLAIN}, NULL, AS_IS, ALL},
    {{"counters_status", NULL, EMIT_PLAIN}, NULL, AS_IS, ALL},
    {{"stop_reason", NULL, EMIT_PLAIN}, NULL, AS_IS, ALL},
    {{"reasons", NULL, EMIT_PLAIN}, NULL, AS_JSON, ALL},
};
enum { COLUMNS = sizeof columns / sizeof columns[0] };

/* What many machines cannot measure. */
static const char *const only_with_values[] = {"ipc", "cache_miss_rate", "bytes_per_flop", "flops_measured_over_model",
                                               "counters_running"};

struct row_printer {
    store *s;
    sqlite3_stmt *query;
    emitter *emitter;
    emit_column described[COLUMNS]; /* must outlive the emitter */
};

attn_status row_printer_open(row_printer **out, store *s, FILE *stream, emit_format format, lane in, attn_error *err)
{
    row_printer *p = calloc(1, sizeof *p);
    if (!p)
        return attn_fail(err, ATTN_ENOMEM, "out of memory");
    p->s = s;
    sqlite3_str *sql = sqlite3_str_new(store_handle(s));
    for (size_t i = 0; i < COLUMNS; i++) {
        p->described[i] = columns[i].column;
        if (!(columns[i].lanes >> in & 1))
            p->described[i].title = NULL;
        sqlite3_str_appendf(sql, "%s%s", i ? ", " : "SELECT ",
                            columns[i].sql ? columns[i].sql : columns[i].column.name);
    }
    sqlite3_str_appendall(sql, " FROM results WHERE measurement_id = ?");
    char *text = sqlite3_str_finish(sql);
    int rc = text ? sqlite3_prepare_v2(store_handle(s), text, -1, &p->query, NULL) : SQLITE_NOMEM;
    sqlite3_free(text);
    attn_status status = ATTN_OK;
    if (rc != SQLITE_OK)
        status = attn_fail(err, ATTN_EINTERNAL, "%s: %s", store_file(s), sqlite3_errmsg(store_handle(s)));
    else if (!(p->emitter = emit_open(stream, format, p->described, COLUMNS)))
        status = attn_fail(err, ATTN_ENOMEM, "out of memory");
    if (status) {
        sqlite3_finalize(p->query);
        free(p);
        return status;
    }
    for (size_t i = 0; i < sizeof only_with_values / sizeof only_with_values[0]; i++)
        emit_optional(p->emitter, only_with_values[i]);
    *out = p;
    return ATTN_OK;
}

static emit_value value_at(sqlite3_stmt *query, int i)
{
    const char *text = (const char *)sqlite3_column_text(query, i);
    if (columns[i].reading != AS_IS)
        return emit_json(text);
    switch (sqlite3_column_type(query, i)) {
    case SQLITE_INTEGER: return emit_int(sqlite3_column_int64(query, i));
    case SQLITE_FLOAT: return emit_real(sqlite3_column_double(query, i));
    default: return emit_text(text);
    }
}

attn_status row_print(row_printer *p, const char *measurement_id, attn_error *err)
{
    emit_value values[COLUMNS];
    sqlite3_bind_text(p->query, 1, measurement_id, -1, SQLITE_STATIC);
    int rc = sqlite3_step(p->query);
    if (rc == SQLITE_ROW) {
        for (int i = 0; i < COLUMNS; i++)
            values[i] = value_at(p->query, i);
        emit_row(p->emitter, values);
    }
    attn_status status = ATTN_OK;
    if (rc != SQLITE_ROW)
        status =
            attn_fail(err, ATTN_EINTERNAL, "%s: measurement %s cannot be read back: %s", store_file(p->s),
                      measurement_id, rc == SQLITE_DONE ? "no such row" : sqlite3_errmsg(store_handle(p->s)));
    sqlite3_reset(p->query);
    sqlite3_clear_bindings(p->query);
    return status;
}

bool row_printer_close(row_printer *p)
{
    if (!p)
        return true;
    bool fine = emit_close(p->emitter);
    sqlite3_finalize(p->query);
    free(p);
    return fine;
}
