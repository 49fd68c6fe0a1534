/* Reading curves: one ordered query, cut where anything but n (and the kernel) changes. */
#include "harness/fit_curves.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/emit.h"

/* The cells of a curve differ in n alone. The kernel is a column of its own: where the planner chose
 * another one as n grew, that is still one curve, but two kernels measured at the same n are two. */
static const char query[] =
    "WITH passed AS ("
    "  SELECT m.id, m.measurement_id, m.finished, r.host, c.spec, c.n, c.heads, c.kv_heads, c.dim, c.batch,"
    "         c.dtype, c.direction, c.kernel, c.threads, c.input, c.seed"
    "  FROM measurements m JOIN cells c ON c.id = m.cell JOIN runs r ON r.id = m.run"
    "  WHERE m.status = 'finished' AND c.isa <> 'external'"
    "    AND NOT EXISTS (SELECT 1 FROM scalars WHERE measurement = m.id AND name IN ('lane', 'inject')) AND c.n >= ?1 AND (?2 IS NULL OR r.label = ?2)"
    "    AND (?3 IS NULL OR substr(r.run_id, 1, length(?3)) = ?3)"
    "    AND (?4 = 0 OR EXISTS (SELECT 1 FROM json_each(?5) WHERE value = c.spec))),"
    " here AS (SELECT host FROM passed ORDER BY finished DESC, measurement_id DESC LIMIT 1),"
    " newest AS ("
    "  SELECT *, row_number() OVER (PARTITION BY spec, n, heads, kv_heads, dim, batch, dtype, direction,"
    "         kernel, threads, input, seed ORDER BY finished DESC, measurement_id DESC) AS age"
    "  FROM passed WHERE host IN here),"
    " curves AS ("
    "  SELECT *, count(*) OVER (PARTITION BY spec, n, heads, kv_heads, dim, batch, dtype, direction, threads,"
    "         input, seed) AS kernels"
    "  FROM newest WHERE age = 1),"
    " told AS ("
    "  SELECT *, max(kernels) OVER (PARTITION BY spec, heads, kv_heads, dim, batch, dtype, direction,"
    "         threads, input, seed) AS most FROM curves)"
    "SELECT t.spec, t.heads, t.kv_heads, t.dim, t.batch, t.dtype, t.direction, t.threads, t.input, t.seed,"
    "       CASE WHEN t.most > 1 THEN t.kernel ELSE '' END AS apart, t.kernel, t.n, v.pairs_total,"
    "       v.time_ns_median, v.workspace_bytes, v.peak_rss_bytes,"
    "       (SELECT value FROM scalars WHERE measurement = t.id AND name = 'tensors_bytes'),"
    "       (SELECT count(DISTINCT host) FROM passed)"
    " FROM told t JOIN results v ON v.measurement_id = t.measurement_id"
    " ORDER BY t.spec, t.direction, t.dtype, t.heads, t.kv_heads, t.dim, t.batch, t.threads, t.input, t.seed,"
    "          apart, t.n";

enum { /* columns of the query */
    SPEC, HEADS, KV_HEADS, DIM, BATCH, DTYPE, DIRECTION, THREADS, INPUT, CELL_SEED, APART, KERNEL, SIZE_N,
    PAIRS, TIME, WORKSPACE, RSS, TENSORS, HOSTS
};

static const char *text(sqlite3_stmt *row, int column)
{
    const char *t = (const char *)sqlite3_column_text(row, column);
    return t ? t : "";
}

static double real(sqlite3_stmt *row, int column)
{
    int type = sqlite3_column_type(row, column);
    if (type != SQLITE_INTEGER && type != SQLITE_FLOAT)
        return (double)NAN;
    return sqlite3_column_double(row, column);
}

/* The key of the row's curve, fields joined by a byte no text holds. */
static char *key_of(sqlite3_stmt *row)
{
    static const int columns[] = {SPEC,      HEADS,   KV_HEADS, DIM,       BATCH, DTYPE,
                                  DIRECTION, THREADS, INPUT,    CELL_SEED, APART};
    char *key = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&key, &size);
    if (!out)
        return NULL;
    for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++)
        fprintf(out, "%s\x1f", text(row, columns[i]));
    return fclose(out) == 0 ? key : NULL;
}

static bool begin(curve *c, sqlite3_stmt *row)
{
    *c = (curve){.spec = strdup(text(row, SPEC)),
                 .input = strdup(text(row, INPUT)),
                 .dtype = strdup(text(row, DTYPE)),
                 .direction = strdup(text(row, DIRECTION)),
                 .kernel = strdup(text(row, KERNEL)),
                 .heads = sqlite3_column_int64(row, HEADS),
                 .kv_heads = sqlite3_column_int64(row, KV_HEADS),
                 .dim = sqlite3_column_int64(row, DIM),
                 .batch = sqlite3_column_int64(row, BATCH),
                 .threads = sqlite3_column_int64(row, THREADS),
                 .seed = sqlite3_column_int64(row, CELL_SEED)};
    return c->spec && c->input && c->dtype && c->direction && c->kernel;
}

static bool holds(const char *list, const char *kernel)
{
    size_t length = strlen(kernel);
    for (const char *at = list; at; at = strchr(at, '+')) {
        at += *at == '+';
        if (strncmp(at, kernel, length) == 0 && (at[length] == '+' || at[length] == '\0'))
            return true;
    }
    return false;
}

static bool add(curve *c, sqlite3_stmt *row)
{
    curve_point *grown = realloc(c->at, (c->count + 1) * sizeof *grown);
    if (!grown)
        return false;
    c->at = grown;
    const double factor = strcmp(c->direction, "bwd") == 0 ? 10 : 4; /* per pair and d; backward recomputes */
    c->at[c->count++] = (curve_point){
        .n = real(row, SIZE_N),
        .flops = factor * (double)c->dim * real(row, PAIRS),
        .time_ns = real(row, TIME),
        .workspace = real(row, WORKSPACE),
        .tensors = real(row, TENSORS),
        .rss = real(row, RSS),
    };
    if (holds(c->kernel, text(row, KERNEL)))
        return true;
    char *both;
    if (asprintf(&both, "%s+%s", c->kernel, text(row, KERNEL)) < 0)
        return false;
    free(c->kernel);
    c->kernel = both;
    return true;
}

static attn_status collect(sqlite3_stmt *row, curve **out, size_t *count, bool *others, attn_error *err)
{
    char *last = NULL;
    attn_status status = ATTN_OK;
    int rc;
    while ((rc = sqlite3_step(row)) == SQLITE_ROW) {
        *others = sqlite3_column_int(row, HOSTS) > 1;
        char *key = key_of(row);
        bool fine = key != NULL;
        if (fine && (!last || strcmp(key, last) != 0)) {
            curve *grown = realloc(*out, (*count + 1) * sizeof *grown);
            fine = grown != NULL;
            if (fine) {
                *out = grown;
                fine = begin(&grown[(*count)++], row);
            }
        }
        fine = fine && add(&(*out)[*count - 1], row);
        free(last);
        last = key;
        if (!fine) {
            status = attn_fail(err, ATTN_ENOMEM, "out of memory");
            break;
        }
    }
    free(last);
    if (status == ATTN_OK && rc != SQLITE_DONE)
        status =
            attn_fail(err, ATTN_EIO, "cannot read the store: %s", sqlite3_errmsg(sqlite3_db_handle(row)));
    return status;
}

/* The specs as a JSON array, for json_each. */
static char *json_array(const char *const *specs, size_t count)
{
    char *out = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&out, &size);
    if (!stream)
        return NULL;
    putc('[', stream);
    for (size_t i = 0; i < count; i++) {
        if (i)
            putc(',', stream);
        emit_json_string(stream, specs[i]);
    }
    putc(']', stream);
    return fclose(stream) == 0 ? out : NULL;
}

attn_status curves_read(store *s, const curve_filter *filter, curve **out, size_t *count, bool *others,
                        attn_error *err)
{
    *out = NULL;
    *count = 0;
    *others = false;
    sqlite3_stmt *row = NULL;
    attn_status status = ATTN_OK;
    char *specs = json_array(filter->specs, filter->spec_count);
    if (!specs)
        return attn_fail(err, ATTN_ENOMEM, "out of memory");
    if (sqlite3_prepare_v2(store_handle(s), query, -1, &row, NULL) != SQLITE_OK) {
        status =
            attn_fail(err, ATTN_EIO, "cannot read %s: %s", store_file(s), sqlite3_errmsg(store_handle(s)));
        goto cleanup;
    }
    sqlite3_bind_int64(row, 1, (sqlite3_int64)filter->n_min);
    if (filter->label)
        sqlite3_bind_text(row, 2, filter->label, -1, SQLITE_STATIC);
    if (filter->run_id)
        sqlite3_bind_text(row, 3, filter->run_id, -1, SQLITE_STATIC);
    sqlite3_bind_int64(row, 4, (sqlite3_int64)filter->spec_count);
    sqlite3_bind_text(row, 5, specs, -1, SQLITE_STATIC);
    status = collect(row, out, count, others, err);
    if (status != ATTN_OK) {
        curves_free(*out, *count);
        *out = NULL;
        *count = 0;
    }
cleanup:
    sqlite3_finalize(row);
    free(specs);
    return status;
}

void curves_free(curve *curves, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(curves[i].spec);
        free(curves[i].input);
        free(curves[i].dtype);
        free(curves[i].direction);
        free(curves[i].kernel);
        free(curves[i].at);
    }
    free(curves);
}
