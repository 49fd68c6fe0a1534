/* The store as text, written. */
#include "harness/store_records.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "harness/emit.h"

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

static const record_column head_columns[] = {
    {"format", NULL, NULL, COLUMN_INT},  {"schema", NULL, NULL, COLUMN_INT},
    {"runs", NULL, NULL, COLUMN_INT},    {"measurements", NULL, NULL, COLUMN_INT},
    {"samples", NULL, NULL, COLUMN_INT}, {"peaks", NULL, NULL, COLUMN_OPTIONAL}, /* none in version 1 */
    {"wisdom", NULL, NULL, COLUMN_OPTIONAL}, /* from version 3 on */
};

static const record_column run_columns[] = {
    {"run_id", "r", "run_id", COLUMN_TEXT},
    {"started", "r", "started", COLUMN_TEXT},
    {"finished", "r", "finished", COLUMN_OPTIONAL},
    {"outcome", "r", "outcome", COLUMN_OPTIONAL},
    {"label", "r", "label", COLUMN_TEXT},
    {"command", "r", "command", COLUMN_TEXT},
    {"environment", "r", "environment", COLUMN_TEXT},
    {"host_fingerprint", "h", "fingerprint", COLUMN_TEXT},
    {"host_model", "h", "model", COLUMN_TEXT},
    {"host_stepping", "h", "stepping", COLUMN_TEXT},
    {"host_isa", "h", "isa", COLUMN_TEXT},
    {"host_l1d_bytes", "h", "l1d_bytes", COLUMN_INT},
    {"host_l2_bytes", "h", "l2_bytes", COLUMN_INT},
    {"host_l3_bytes", "h", "l3_bytes", COLUMN_INT},
    {"host_cpus", "h", "cpus", COLUMN_INT},
    {"host_cores", "h", "cores", COLUMN_INT},
    {"host_memory_gib", "h", "memory_gib", COLUMN_INT},
    {"version", "b", "version", COLUMN_TEXT},
    {"revision", "b", "revision", COLUMN_TEXT},
    {"dirty", "b", "dirty", COLUMN_INT},
    {"compiler", "b", "compiler", COLUMN_TEXT},
    {"flags", "b", "flags", COLUMN_TEXT},
    {"mode", "b", "mode", COLUMN_TEXT},
    {"binary_hash", "b", "binary_hash", COLUMN_TEXT},
};

static const record_column peak_columns[] = {
    {"run_id", "r", "run_id", COLUMN_TEXT},
    {"name", "p", "name", COLUMN_TEXT},
    {"isa", "p", "isa", COLUMN_TEXT},
    {"threads", "p", "threads", COLUMN_INT},
    {"rep", "p", "rep", COLUMN_INT},
    {"unit", "p", "unit", COLUMN_TEXT},
    {"bytes", "p", "bytes", COLUMN_INT},
    {"type", NULL, "typeof(p.value)", COLUMN_TEXT},
    {"value", "p", "value", COLUMN_VALUE},
    {"reason", "p", "reason", COLUMN_OPTIONAL},
};

static const record_column measurement_columns[] = {
    {"measurement_id", "m", "measurement_id", COLUMN_TEXT},
    {"run_id", "r", "run_id", COLUMN_TEXT},
    {"ordinal", "m", "ordinal", COLUMN_INT},
    {"started", "m", "started", COLUMN_TEXT},
    {"finished", "m", "finished", COLUMN_TEXT},
    {"metrics", "m", "metrics", COLUMN_TEXT},
    {"status", "m", "status", COLUMN_TEXT},
    {"reason", "m", "reason", COLUMN_OPTIONAL},
    {"pattern", "c", "pattern", COLUMN_TEXT},
    {"spec", "c", "spec", COLUMN_TEXT},
    {"spec_resolved", "c", "spec_resolved", COLUMN_TEXT},
    {"n", "c", "n", COLUMN_INT},
    {"heads", "c", "heads", COLUMN_INT},
    {"kv_heads", "c", "kv_heads", COLUMN_INT},
    {"dim", "c", "dim", COLUMN_INT},
    {"batch", "c", "batch", COLUMN_INT},
    {"dtype", "c", "dtype", COLUMN_TEXT},
    {"direction", "c", "direction", COLUMN_TEXT},
    {"kernel", "c", "kernel", COLUMN_TEXT},
    {"isa", "c", "isa", COLUMN_TEXT},
    {"threads", "c", "threads", COLUMN_INT},
    {"input", "c", "input", COLUMN_TEXT},
    {"seed", "c", "seed", COLUMN_INT},
    {"pairs_total", "c", "pairs_total", COLUMN_INT},
};

static const record_column sample_columns[] = {
    {"measurement_id", "m", "measurement_id", COLUMN_TEXT},
    {"series", "x", "name", COLUMN_TEXT},
    {"unit", "x", "unit", COLUMN_TEXT},
    {"rep", "s", "rep", COLUMN_INT},
    {"type", NULL, "typeof(s.value)", COLUMN_TEXT},
    {"value", "s", "value", COLUMN_VALUE},
    {"reason", "s", "reason", COLUMN_OPTIONAL},
};

static const record_column wisdom_columns[] = {
    {"key", "w", "key", COLUMN_TEXT},
    {"lowering", "w", "lowering", COLUMN_TEXT},
    {"ns", "w", "ns", COLUMN_INT},
    {"learned", "w", "learned", COLUMN_TEXT},
};

const record_shape record_shapes[RECORD_TYPES] = {
    [RECORD_HEAD] = {"attnlab", head_columns, LENGTH(head_columns)},
    [RECORD_RUN] = {"run", run_columns, LENGTH(run_columns)},
    [RECORD_PEAK] = {"peak", peak_columns, LENGTH(peak_columns)},
    [RECORD_WISDOM] = {"wisdom", wisdom_columns, LENGTH(wisdom_columns)},
    [RECORD_MEASUREMENT] = {"measurement", measurement_columns, LENGTH(measurement_columns)},
    [RECORD_SAMPLE] = {"sample", sample_columns, LENGTH(sample_columns)},
};

/* Where the records come from, and their order. */
static const char *const sources[RECORD_TYPES] = {
    [RECORD_HEAD] = NULL,
    [RECORD_RUN] = "FROM runs r JOIN hosts h ON h.id = r.host JOIN builds b ON b.id = r.build "
                   "ORDER BY r.started, r.run_id",
    [RECORD_PEAK] = "FROM peaks p JOIN runs r ON r.id = p.run "
                    "ORDER BY r.started, r.run_id, p.name, p.isa, p.threads, p.rep",
    [RECORD_WISDOM] = "FROM wisdom w ORDER BY w.key, w.learned, w.lowering, w.ns",
    [RECORD_MEASUREMENT] =
        ", m.id FROM measurements m JOIN runs r ON r.id = m.run JOIN cells c ON c.id = m.cell "
        "ORDER BY r.started, r.run_id, m.started, m.measurement_id",
    [RECORD_SAMPLE] =
        "FROM samples s JOIN series x ON x.id = s.series JOIN measurements m ON m.id = s.measurement "
        "WHERE s.measurement = ? ORDER BY x.name, s.rep",
};

void record_union(record_header *out)
{
    *out = (record_header){.names = {"record"}, .count = 1};
    for (size_t t = 0; t < RECORD_TYPES; t++)
        for (size_t i = 0; i < record_shapes[t].count; i++) {
            size_t k = 0;
            while (k < out->count && strcmp(out->names[k], record_shapes[t].columns[i].name) != 0)
                k++;
            assert(k < RECORDS_MOST_COLUMNS);
            if (k == out->count)
                out->names[out->count++] = record_shapes[t].columns[i].name;
        }
}

/* ---- all of them ---- */

typedef struct exporter {
    store *s;
    bool csv;
    record_header header;                                    /* CSV: one emitter with all columns */
    emit_column columns[RECORD_TYPES][RECORDS_MOST_COLUMNS]; /* JSON: one for each kind, with its own */
    emitter *emitters[RECORD_TYPES];
    sqlite3_stmt *queries[RECORD_TYPES];
} exporter;

static bool open_emitters(exporter *e, FILE *out)
{
    if (e->csv) {
        record_union(&e->header);
        for (size_t k = 0; k < e->header.count; k++)
            e->columns[0][k].name = e->header.names[k];
        e->emitters[0] = emit_open(out, EMIT_CSV, e->columns[0], e->header.count);
        return e->emitters[0] != NULL;
    }
    for (size_t t = 0; t < RECORD_TYPES; t++) {
        const record_shape *shape = &record_shapes[t];
        e->columns[t][0].name = "record";
        for (size_t i = 0; i < shape->count; i++)
            e->columns[t][i + 1].name = shape->columns[i].name;
        if (!(e->emitters[t] = emit_open(out, EMIT_JSONL, e->columns[t], shape->count + 1)))
            return false;
    }
    return true;
}

static void put_record(exporter *e, record_type type, const emit_value *values)
{
    const record_shape *shape = &record_shapes[type];
    emit_value row[RECORDS_MOST_COLUMNS] = {emit_text(shape->name)};
    for (size_t i = 0; i < shape->count; i++) {
        size_t k = i + 1;
        if (e->csv)
            for (k = 1; strcmp(e->header.names[k], shape->columns[i].name) != 0;)
                k++;
        row[k] = values[i];
    }
    emit_row(e->emitters[e->csv ? 0 : type], row);
}

static emit_value column_value(sqlite3_stmt *query, int i)
{
    switch (sqlite3_column_type(query, i)) {
    case SQLITE_INTEGER: return emit_int(sqlite3_column_int64(query, i));
    case SQLITE_TEXT: return emit_text((const char *)sqlite3_column_text(query, i));
    case SQLITE_FLOAT: {
        double value = sqlite3_column_double(query, i);
        return isfinite(value) ? emit_real(value) : emit_text(value > 0 ? "inf" : "-inf");
    }
    default: return emit_null();
    }
}

static int prepare(exporter *e, record_type type)
{
    const record_shape *shape = &record_shapes[type];
    sqlite3_str *sql = sqlite3_str_new(e->s->db);
    for (size_t i = 0; i < shape->count; i++) {
        const record_column *c = &shape->columns[i];
        sqlite3_str_appendf(sql, "%s%s%s%s", i ? ", " : "SELECT ", c->table ? c->table : "",
                            c->table ? "." : "", c->column);
    }
    sqlite3_str_appendf(sql, " %s", sources[type]);
    char *text = sqlite3_str_finish(sql);
    int rc = text ? sqlite3_prepare_v2(e->s->db, text, -1, &e->queries[type], NULL) : SQLITE_NOMEM;
    sqlite3_free(text);
    return rc;
}

/* Every row of one query; those of measurements are followed by their samples. */
static int put_rows(exporter *e, record_type type)
{
    sqlite3_stmt *query = e->queries[type];
    emit_value values[RECORDS_MOST_COLUMNS];
    const size_t count = record_shapes[type].count;
    int rc;
    while ((rc = sqlite3_step(query)) == SQLITE_ROW) {
        for (size_t i = 0; i < count; i++)
            values[i] = column_value(query, (int)i);
        put_record(e, type, values);
        if (type != RECORD_MEASUREMENT)
            continue;
        sqlite3_stmt *inner = e->queries[RECORD_SAMPLE];
        sqlite3_reset(inner);
        sqlite3_bind_int64(inner, 1, sqlite3_column_int64(query, (int)count));
        if ((rc = put_rows(e, RECORD_SAMPLE)) != SQLITE_DONE)
            break;
    }
    return rc;
}

static int put_head(exporter *e)
{
    static const char sql[] = "SELECT (SELECT count(*) FROM runs), (SELECT count(*) FROM measurements), "
                              "(SELECT count(*) FROM samples), (SELECT count(*) FROM peaks), "
                              "(SELECT count(*) FROM wisdom)";
    sqlite3_stmt *query = NULL;
    int rc = sqlite3_prepare_v2(e->s->db, sql, -1, &query, NULL);
    if (rc == SQLITE_OK && (rc = sqlite3_step(query)) == SQLITE_ROW) {
        const emit_value values[] = {emit_int(RECORDS_FORMAT), emit_int(store_version()),
                                     column_value(query, 0), column_value(query, 1), column_value(query, 2),
                                     column_value(query, 3), column_value(query, 4)};
        put_record(e, RECORD_HEAD, values);
        rc = SQLITE_OK;
    }
    sqlite3_finalize(query);
    return rc;
}

attn_status store_export(store *s, bool csv, FILE *out, attn_error *err)
{
    exporter e = {.s = s, .csv = csv};
    attn_status status = open_emitters(&e, out) ? ATTN_OK : attn_fail(err, ATTN_ENOMEM, "out of memory");
    int rc = sqlite3_exec(s->db, "BEGIN", NULL, NULL, NULL); /* one state of the database for all of it */
    for (record_type type = RECORD_RUN; !status && rc == SQLITE_OK && type < RECORD_TYPES; type++)
        rc = prepare(&e, type);
    if (!status && rc == SQLITE_OK)
        rc = put_head(&e);
    if (!status && rc == SQLITE_OK && (rc = put_rows(&e, RECORD_RUN)) == SQLITE_DONE &&
        (rc = put_rows(&e, RECORD_PEAK)) == SQLITE_DONE && (rc = put_rows(&e, RECORD_WISDOM)) == SQLITE_DONE)
        rc = put_rows(&e, RECORD_MEASUREMENT);
    if (!status && rc != SQLITE_DONE)
        status = store_sql_fail(s->db, rc, "read", s->path, err);
    for (size_t t = 0; t < RECORD_TYPES; t++)
        sqlite3_finalize(e.queries[t]);
    store_rollback(s);
    bool written = true;
    for (size_t t = 0; t < RECORD_TYPES; t++)
        if (e.emitters[t])
            written = emit_close(e.emitters[t]) && written;
    if (!status && !written)
        status = attn_fail(err, ATTN_EIO, "the export could not be written: disk full or pipe closed");
    return status;
}
