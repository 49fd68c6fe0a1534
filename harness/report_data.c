/* The measurements as columns of JSON, texts as numbers into a list of their own: 10,000 rows are about a megabyte. See report.h. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness/emit.h"
#include "harness/report.h"

static const struct { const char *name, *title; bool text; } columns[] = {
    {"spec", "pattern", true},        {"n", "n", false},
    {"dim", "d", false},              {"heads", "heads", false},
    {"dtype", "dtype", true},         {"kernel", "kernel", true},
    {"threads", "threads", false},    {"time_ms", "time, ms", false},
    {"time_ms_lo", "95% from", false}, {"time_ms_hi", "to", false},
    {"gflops", "GFLOP/s", false},     {"share_of_peak", "of peak", false},
    {"tile_utilisation", "utilisation", false}, {"workspace_bytes", "workspace, B", false},
    {"peak_rss_bytes", "peak RSS, B", false},   {"rel_err", "rel. error", false},
    {"pattern_rel_err", "pattern error", false}, {"pattern_mass", "mass kept", false},
    {"lane", "lane", true},           {"instructions", "instructions", false},
    {"label", "label", true},         {"revision", "revision", true},
    {"finished", "finished", true},   {"run_id", "run", true},
};
enum { COLUMNS = sizeof columns / sizeof columns[0] };

static const char query[] =
    "SELECT spec, n, dim, heads, dtype, kernel, threads, time_ns_median / 1e6, time_ns_ci_lo / 1e6, time_ns_ci_hi / 1e6, gflops,"
    " share_of_peak, tile_utilisation, workspace_bytes, peak_rss_bytes, rel_err, pattern_rel_err, pattern_mass, lane, instructions,"
    " label, substr(revision, 1, 12), finished, substr(run_id, 1, 12)"
    " FROM results WHERE (?1 IS NULL OR label = ?1) AND (?2 IS NULL OR substr(run_id, 1, length(?2)) = ?2)"
    " ORDER BY finished, measurement_id";

attn_status report_query(sqlite3_stmt **out, store *s, const char *sql, const report_filter *filter, attn_error *err)
{
    sqlite3 *db = store_handle(s);
    if (sqlite3_prepare_v2(db, sql, -1, out, NULL) != SQLITE_OK || sqlite3_bind_text(*out, 1, filter->label, -1, SQLITE_STATIC) != SQLITE_OK ||
        sqlite3_bind_text(*out, 2, filter->run_id, -1, SQLITE_STATIC) != SQLITE_OK) {
        sqlite3_finalize(*out);
        *out = NULL;
        return attn_fail(err, ATTN_EIO, "%s cannot be read: %s", store_file(s), sqlite3_errmsg(db));
    }
    return ATTN_OK;
}

/* JSON within a script element: nothing that HTML might read. */
static void script_string(FILE *out, const char *text)
{
    char *quoted = NULL;
    size_t size;
    FILE *memory = open_memstream(&quoted, &size);
    if (!memory)
        return;
    emit_json_string(memory, text);
    if (fclose(memory) == 0)
        for (const char *c = quoted; *c; c++)
            *c == '<' || *c == '>' || *c == '&' ? fprintf(out, "\\u%04x", *c) : fputc(*c, out);
    free(quoted);
}

/* ---- texts met so far ---- */

typedef struct texts {
    char **at;
    size_t count, capacity;
} texts;

static bool index_of(texts *t, const char *text, size_t *out)
{
    for (size_t k = t->count; k-- > 0;) /* the newest first: neighbours are alike */
        if (strcmp(t->at[k], text) == 0) {
            *out = k;
            return true;
        }
    if (t->count == t->capacity) {
        const size_t capacity = t->capacity ? 2 * t->capacity : 16;
        char **at = realloc(t->at, capacity * sizeof *at);
        if (!at)
            return false;
        t->at = at;
        t->capacity = capacity;
    }
    if (!(t->at[t->count] = strdup(text)))
        return false;
    *out = t->count++;
    return true;
}

typedef struct column_text {
    FILE *stream;
    char *text;
    size_t size;
    texts words;
} column_text;

static void number(FILE *out, double value)
{
    if (!isfinite(value))
        fputs("null", out);
    else if (value == floor(value) && fabs(value) < 1e15)
        fprintf(out, "%.0f", value);
    else
        fprintf(out, "%.5g", value);
}

static attn_status read_rows(column_text *to, sqlite3_stmt *rows, size_t *count, store *s, attn_error *err)
{
    int rc;
    while ((rc = sqlite3_step(rows)) == SQLITE_ROW) {
        for (int c = 0; c < COLUMNS; c++) {
            size_t word = 0;
            if (*count)
                fputc(',', to[c].stream);
            if (sqlite3_column_type(rows, c) == SQLITE_NULL)
                fputs("null", to[c].stream);
            else if (!columns[c].text)
                number(to[c].stream, sqlite3_column_double(rows, c));
            else if (index_of(&to[c].words, (const char *)sqlite3_column_text(rows, c), &word))
                fprintf(to[c].stream, "%zu", word);
            else
                return attn_fail(err, ATTN_ENOMEM, "out of memory");
        }
        ++*count;
    }
    return rc == SQLITE_DONE ? ATTN_OK : attn_fail(err, ATTN_EIO, "%s cannot be read: %s", store_file(s), sqlite3_errmsg(store_handle(s)));
}

attn_status report_data(FILE *out, store *s, const report_filter *filter, attn_error *err)
{
    column_text to[COLUMNS] = {{0}};
    sqlite3_stmt *rows = NULL;
    size_t count = 0;
    attn_status status = report_query(&rows, s, query, filter, err);
    for (size_t c = 0; c < COLUMNS && !status; c++)
        if (!(to[c].stream = open_memstream(&to[c].text, &to[c].size)))
            status = attn_fail(err, ATTN_ENOMEM, "out of memory");
    if (!status)
        status = read_rows(to, rows, &count, s, err);
    sqlite3_finalize(rows);
    if (!status)
        fprintf(out, "{\"count\": %zu, \"columns\": [", count);
    for (size_t c = 0; c < COLUMNS; c++) {
        const bool closed = !to[c].stream || fclose(to[c].stream) == 0;
        if (!closed && !status)
            status = attn_fail(err, ATTN_ENOMEM, "out of memory");
        if (!status) {
            fprintf(out, "%s\n{\"name\": \"%s\", \"texts\": ", c ? "," : "", columns[c].name);
            fputs(columns[c].text ? "[" : "null", out);
            for (size_t k = 0; k < to[c].words.count; k++) {
                fputs(k ? "," : "", out);
                script_string(out, to[c].words.at[k]);
            }
            fprintf(out, "%s, \"values\": [%s]}", columns[c].text ? "]" : "", to[c].text);
        }
        for (size_t k = 0; k < to[c].words.count; k++)
            free(to[c].words.at[k]);
        free(to[c].words.at);
        free(to[c].text);
    }
    if (!status)
        fputs("]}", out);
    return status;
}

void report_headings(FILE *out)
{
    for (size_t c = 0; c < COLUMNS; c++)
        fprintf(out, "<th scope=\"col\"%s aria-sort=\"none\"><button type=\"button\">%s</button></th>", columns[c].text ? "" : " class=\"n\"", columns[c].title);
}
