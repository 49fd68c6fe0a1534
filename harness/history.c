/* Reading histories: one ordered query, cut where the series or the program changes. See history.h. */
#include "harness/history.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness/emit.h"
#include "harness/stats.h"

/* ?1 series; ?2, ?3 specs and sizes as JSON arrays, empty: all; ?4 kernel, ?5 label. */
static const char query[] =
    "WITH chosen AS ("
    "  SELECT m.id, m.run, m.finished, m.measurement_id, r.run_id, b.revision, b.dirty, b.compiler, b.binary_hash,"
    "         h.fingerprint AS host, b.mode, c.*"
    "  FROM measurements m JOIN cells c ON c.id = m.cell JOIN runs r ON r.id = m.run"
    "       JOIN hosts h ON h.id = r.host JOIN builds b ON b.id = r.build"
    "  WHERE m.status = 'finished' AND c.isa <> 'external'"
    "    AND NOT EXISTS (SELECT 1 FROM scalars WHERE measurement = m.id AND name IN ('lane', 'inject'))"
    "    AND (json_array_length(?2) = 0 OR c.spec IN (SELECT value FROM json_each(?2)))"
    "    AND (json_array_length(?3) = 0 OR c.n IN (SELECT value FROM json_each(?3)))"
    "    AND (?4 IS NULL OR c.kernel = ?4) AND (?5 IS NULL OR r.label = ?5)),"
    " ranked AS ("
    "  SELECT s.measurement, s.value, row_number() OVER (PARTITION BY s.measurement ORDER BY s.value) AS rank,"
    "         count(*) OVER (PARTITION BY s.measurement) AS count"
    "  FROM samples s WHERE s.series = (SELECT id FROM series WHERE name = ?1)"
    "    AND typeof(s.value) IN ('integer', 'real') AND s.measurement IN (SELECT id FROM chosen)),"
    " medians AS ("
    "  SELECT measurement, avg(value) AS value FROM ranked WHERE rank IN ((count + 1) / 2, count / 2 + 1)"
    "  GROUP BY measurement)"
    "SELECT x.host, x.mode, x.spec, x.dtype, x.direction, x.kernel, x.input, x.n, x.dim, x.heads, x.kv_heads, x.batch,"
    "       x.threads, x.seed, x.run_id, x.finished, x.revision, x.dirty, x.compiler, x.binary_hash, v.value,"
    "       (SELECT unit FROM series WHERE name = ?1)"
    " FROM chosen x JOIN medians v ON v.measurement = x.id"
    " ORDER BY x.spec, x.direction, x.dtype, x.n, x.dim, x.heads, x.kv_heads, x.batch, x.kernel, x.threads, x.input,"
    "          x.seed, x.host, x.mode, x.finished, x.measurement_id";

enum {
    HOST, MODE, SPEC, DTYPE, DIRECTION, KERNEL, INPUT, SIZE_N, DIM, HEADS, KV_HEADS, BATCH, THREADS, CELL_SEED,
    KEY, RUN = KEY, FINISHED, REVISION, DIRTY, COMPILER, BINARY, VALUE, UNIT
};

static const char *text(sqlite3_stmt *row, int column)
{
    const char *t = (const char *)sqlite3_column_text(row, column);
    return t ? t : "";
}

static bool same_series(const history_series *s, sqlite3_stmt *row)
{
    const struct { int column; const char *is; } texts[] = {
        {HOST, s->host}, {MODE, s->mode}, {SPEC, s->spec}, {DTYPE, s->dtype}, {DIRECTION, s->direction}, {KERNEL, s->kernel},
        {INPUT, s->input}};
    const struct { int column; int64_t is; } numbers[] = {
        {SIZE_N, s->n}, {DIM, s->dim}, {HEADS, s->heads}, {KV_HEADS, s->kv_heads}, {BATCH, s->batch}, {THREADS, s->threads},
        {CELL_SEED, s->seed}};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (strcmp(texts[i].is, text(row, texts[i].column)) != 0)
            return false;
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        if (numbers[i].is != sqlite3_column_int64(row, numbers[i].column))
            return false;
    return true;
}

static bool begin_series(history *h, sqlite3_stmt *row)
{
    history_series *larger = realloc(h->at, (h->count + 1) * sizeof *larger);
    if (!larger)
        return false;
    h->at = larger;
    history_series *s = &h->at[h->count++];
    *s = (history_series){
        .host = strdup(text(row, HOST)), .mode = strdup(text(row, MODE)), .spec = strdup(text(row, SPEC)),
        .dtype = strdup(text(row, DTYPE)), .direction = strdup(text(row, DIRECTION)), .kernel = strdup(text(row, KERNEL)),
        .input = strdup(text(row, INPUT)), .unit = strdup(text(row, UNIT)), .n = sqlite3_column_int64(row, SIZE_N),
        .dim = sqlite3_column_int64(row, DIM), .heads = sqlite3_column_int64(row, HEADS),
        .kv_heads = sqlite3_column_int64(row, KV_HEADS), .batch = sqlite3_column_int64(row, BATCH),
        .threads = sqlite3_column_int64(row, THREADS), .seed = sqlite3_column_int64(row, CELL_SEED)};
    return s->host && s->mode && s->spec && s->dtype && s->direction && s->kernel && s->input && s->unit;
}

static bool begin_point(history_series *s, sqlite3_stmt *row)
{
    history_point *larger = realloc(s->at, (s->count + 1) * sizeof *larger);
    if (!larger)
        return false;
    s->at = larger;
    history_point *p = &s->at[s->count++];
    *p = (history_point){
        .run_id = strdup(text(row, RUN)), .finished = strdup(text(row, FINISHED)), .revision = strdup(text(row, REVISION)),
        .dirty = sqlite3_column_int(row, DIRTY) != 0, .compiler = strdup(text(row, COMPILER)), .binary = strdup(text(row, BINARY))};
    return p->run_id && p->finished && p->revision && p->compiler && p->binary;
}

static void free_point(history_point *p)
{
    free(p->run_id);
    free(p->finished);
    free(p->revision);
    free(p->compiler);
    free(p->binary);
}

static bool same_program(const history_point *p, sqlite3_stmt *row)
{
    return strcmp(p->revision, text(row, REVISION)) == 0 && strcmp(p->compiler, text(row, COMPILER)) == 0 &&
           p->dirty == (sqlite3_column_int(row, DIRTY) != 0) && (!p->dirty || strcmp(p->binary, text(row, BINARY)) == 0);
}

/* The medians of the runs of a visit, as they come. */
typedef struct visit {
    double *values;
    size_t count;
} visit;

/* The visit is over: its point gets a value, or goes. */
static void end_visit(history *h, visit *v)
{
    if (!v->count)
        return;
    history_series *s = &h->at[h->count - 1];
    history_point *p = &s->at[s->count - 1];
    p->runs = v->count;
    p->value = stats_median(v->values, v->count, 0.95).median;
    v->count = 0;
    if (!(p->value > 0)) {
        free_point(p);
        s->count--;
        s->left_out++;
    }
}

static bool take(history *h, visit *v, sqlite3_stmt *row)
{
    const bool going_on = h->count && same_series(&h->at[h->count - 1], row);
    const history_series *last = going_on ? &h->at[h->count - 1] : NULL;
    if (!last || !v->count || !same_program(&last->at[last->count - 1], row)) {
        end_visit(h, v);
        if ((!going_on && !begin_series(h, row)) || !begin_point(&h->at[h->count - 1], row))
            return false;
    }
    double *larger = realloc(v->values, (v->count + 1) * sizeof *larger);
    if (!larger)
        return false;
    v->values = larger;
    v->values[v->count++] = sqlite3_column_double(row, VALUE);
    return true;
}

static attn_status collect(history *out, sqlite3_stmt *row, attn_error *err)
{
    visit v = {0};
    bool fine = true;
    int rc = SQLITE_DONE;
    while (fine && (rc = sqlite3_step(row)) == SQLITE_ROW)
        fine = take(out, &v, row);
    if (fine)
        end_visit(out, &v);
    free(v.values);
    if (!fine)
        return attn_fail(err, ATTN_ENOMEM, "out of memory");
    return rc == SQLITE_DONE ? ATTN_OK
                             : attn_fail(err, ATTN_EIO, "cannot read the store: %s", sqlite3_errmsg(sqlite3_db_handle(row)));
}

static attn_status find_changes(history_series *s, attn_error *err)
{
    double *logs = malloc((s->count + 1) * sizeof *logs);
    s->changes = malloc((s->count / CHANGES_RUN + 1) * sizeof *s->changes);
    if (!logs || !s->changes) {
        free(logs);
        return attn_fail(err, ATTN_ENOMEM, "out of memory");
    }
    for (size_t i = 0; i < s->count; i++)
        logs[i] = log(s->at[i].value);
    s->change_count = changes_find(logs, s->count ? s->count - 1 : 0, s->changes);
    free(logs);
    return ATTN_OK;
}

/* A JSON array of texts or of sizes, as SQLite reads it. */
static char *json_array(const history_filter *f, bool sizes)
{
    char *out = NULL;
    size_t length = 0;
    FILE *to = open_memstream(&out, &length);
    if (!to)
        return NULL;
    putc('[', to);
    for (size_t i = 0; i < (sizes ? f->size_count : f->spec_count); i++) {
        if (i)
            putc(',', to);
        if (sizes)
            fprintf(to, "%zu", f->sizes[i]);
        else
            emit_json_string(to, f->specs[i]);
    }
    putc(']', to);
    return fclose(to) == 0 ? out : NULL;
}

attn_status history_read(history *out, store *s, const history_filter *filter, attn_error *err)
{
    sqlite3_stmt *row = NULL;
    attn_status status = ATTN_OK;
    char *specs = json_array(filter, false), *sizes = json_array(filter, true);
    *out = (history){0};
    if (!specs || !sizes)
        status = attn_fail(err, ATTN_ENOMEM, "out of memory");
    else if (sqlite3_prepare_v2(store_handle(s), query, -1, &row, NULL) != SQLITE_OK)
        status = attn_fail(err, ATTN_EIO, "cannot read %s: %s", store_file(s), sqlite3_errmsg(store_handle(s)));
    if (!status) {
        sqlite3_bind_text(row, 1, filter->what, -1, SQLITE_STATIC);
        sqlite3_bind_text(row, 2, specs, -1, SQLITE_STATIC);
        sqlite3_bind_text(row, 3, sizes, -1, SQLITE_STATIC);
        sqlite3_bind_text(row, 4, filter->kernel, -1, SQLITE_STATIC);
        sqlite3_bind_text(row, 5, filter->label, -1, SQLITE_STATIC);
        status = collect(out, row, err);
    }
    for (size_t i = 0; i < out->count && !status; i++)
        status = find_changes(&out->at[i], err);
    if (!status && !out->count)
        status = attn_fail(err, ATTN_EINVAL, "%s: no measurement of %s passes the filters; leave them out to see what there is",
                           store_file(s), filter->what);
    sqlite3_finalize(row);
    free(specs);
    free(sizes);
    if (status)
        history_free(out);
    return status;
}

void history_free(history *h)
{
    for (size_t i = 0; i < h->count; i++) {
        history_series *s = &h->at[i];
        for (size_t p = 0; p < s->count; p++)
            free_point(&s->at[p]);
        char *const texts[] = {s->host, s->mode, s->spec, s->dtype, s->direction, s->kernel, s->input, s->unit};
        for (size_t t = 0; t < sizeof texts / sizeof texts[0]; t++)
            free(texts[t]);
        free(s->at);
        free(s->changes);
    }
    free(h->at);
    *h = (history){0};
}

double history_size_of(const change *c) { return expm1(c->after - c->before); }
