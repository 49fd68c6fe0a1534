/* The page. See report.h. */
#include "harness/report.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness/build_info.h"
#include "harness/embed.h"
#include "harness/emit.h"
#include "harness/fit.h"

EMBED(report_style, "harness/report/style.css");
EMBED(report_script, "harness/report/script.js");

/* What the charts and tables show: the newest of each cell on the host measured last, with a name that holds what differs between curves. */
static const char pick[] =
    "CREATE TEMP TABLE picked AS WITH chosen AS (SELECT * FROM latest WHERE (?1 IS NULL OR label = ?1) AND"
    " (?2 IS NULL OR substr(run_id, 1, length(?2)) = ?2)),"
    " here AS (SELECT host FROM chosen ORDER BY finished DESC LIMIT 1)"
    " SELECT * FROM chosen WHERE host = (SELECT host FROM here)";
static const char name_series[] =
    "CREATE TEMP TABLE named AS SELECT *, spec"
    " || CASE WHEN (SELECT count(DISTINCT dtype) FROM picked) > 1 THEN ' ' || dtype ELSE '' END"
    " || CASE WHEN (SELECT count(*) FROM (SELECT 1 FROM picked GROUP BY spec, n, dtype, dim, heads, batch, threads, input, seed HAVING count(DISTINCT kernel) > 1))"
    "   > 0 THEN ' ' || kernel ELSE '' END"
    " || CASE WHEN (SELECT count(DISTINCT dim) FROM picked) > 1 THEN ' d=' || dim ELSE '' END"
    " || CASE WHEN (SELECT count(DISTINCT heads) FROM picked) > 1 THEN ' heads=' || heads ELSE '' END"
    " || CASE WHEN (SELECT count(DISTINCT batch) FROM picked) > 1 THEN ' batch=' || batch ELSE '' END"
    " || CASE WHEN (SELECT count(DISTINCT threads) FROM picked) > 1 THEN ' threads=' || threads ELSE '' END"
    " || CASE WHEN (SELECT count(DISTINCT input) FROM picked) > 1 THEN ' ' || input ELSE '' END"
    " || CASE WHEN (SELECT count(DISTINCT seed) FROM picked) > 1 THEN ' seed=' || seed ELSE '' END AS series FROM picked";

static const report_filter anything = {NULL, NULL, NULL};

static attn_status run_sql(store *s, const char *sql, const report_filter *filter, attn_error *err)
{
    sqlite3_stmt *statement;
    attn_status status = ATTN_OK;
    if (filter) {
        status = report_query(&statement, s, sql, filter, err);
    } else if (sqlite3_prepare_v2(store_handle(s), sql, -1, &statement, NULL) != SQLITE_OK) {
        return attn_fail(err, ATTN_EIO, "%s cannot be read: %s", store_file(s), sqlite3_errmsg(store_handle(s)));
    }
    if (!status && sqlite3_step(statement) != SQLITE_DONE)
        status = attn_fail(err, ATTN_EIO, "%s cannot be read: %s", store_file(s), sqlite3_errmsg(store_handle(s)));
    if (!status || statement)
        sqlite3_finalize(statement);
    return status;
}

/* ---- series ---- */

static double real(sqlite3_stmt *row, int column)
{
    return sqlite3_column_type(row, column) == SQLITE_NULL ? (double)NAN : sqlite3_column_double(row, column);
}

static void free_series(report_series *curves, size_t count)
{
    for (size_t k = 0; k < count; k++) {
        free(curves[k].name);
        free(curves[k].at);
    }
    free(curves);
}

/* Rows (series, x, y, lo, hi), in order of the series. */
static attn_status read_series(report_series **out, size_t *count, sqlite3 *db, const char *sql, attn_error *err)
{
    sqlite3_stmt *rows;
    report_series *curves = NULL;
    bool fine = true;
    *out = NULL;
    *count = 0;
    if (sqlite3_prepare_v2(db, sql, -1, &rows, NULL) != SQLITE_OK)
        return attn_fail(err, ATTN_EINTERNAL, "SQLite: %s", sqlite3_errmsg(db));
    while (fine && sqlite3_step(rows) == SQLITE_ROW) {
        const char *name = (const char *)sqlite3_column_text(rows, 0);
        if (!*count || strcmp(curves[*count - 1].name, name) != 0) {
            report_series *larger = realloc(curves, (*count + 1) * sizeof *larger);
            char *copy = strdup(name);
            fine = larger && copy;
            curves = larger ? larger : curves;
            if (fine)
                curves[(*count)++] = (report_series){.name = copy};
            else
                free(copy);
        }
        if (!fine)
            break;
        report_series *of = &curves[*count - 1];
        report_point *at = realloc(of->at, (of->count + 1) * sizeof *at);
        fine = at != NULL;
        if (fine) {
            of->at = at;
            at[of->count++] = (report_point){real(rows, 1), real(rows, 2), real(rows, 3), real(rows, 4)};
        }
    }
    sqlite3_finalize(rows);
    if (!fine) {
        free_series(curves, *count);
        return attn_fail(err, ATTN_ENOMEM, "out of memory");
    }
    *out = curves;
    return ATTN_OK;
}

static const struct {
    const char *id, *heading, *title, *y, *unit, *sql, *none;
    bool log, fit;
} charts[] = {
    {"time", "Scaling", "Time of a forward pass against n, with the 95% interval of the median", "time, ms", "ms",
     "SELECT series, n, time_ns_median / 1e6, time_ns_ci_lo / 1e6, time_ns_ci_hi / 1e6 FROM named WHERE time_ns_median > 0 ORDER BY series, n",
     "No times were measured.", true, true},
    {"rate", "Speed", "Useful GFLOP/s against n: allowed pairs only, so a masked pair never looks like work", "GFLOP/s", "GFLOP/s",
     "SELECT series, n, gflops, NULL, NULL FROM named WHERE gflops > 0 ORDER BY series, n", "No times were measured.", false, false},
    {"memory", "Memory", "Workspace of a run against n", "workspace, MiB", "MiB",
     "SELECT series, n, workspace_bytes / 1048576.0, NULL, NULL FROM named WHERE workspace_bytes > 0 ORDER BY series, n", "No memory was measured.", true, false},
    {"error", "Accuracy", "Relative error of kernels against the fp64 oracle", "relative error", "",
     "SELECT series, n, rel_err, NULL, NULL FROM named WHERE rel_err > 0 ORDER BY series, n", "No accuracy was measured.", true, false},
};
enum { CHARTS = sizeof charts / sizeof charts[0] };

/* Exponents of the curves, as a table. */
static void write_fits(FILE *out, const report_series *curves, size_t count)
{
    bool begun = false;
    for (size_t k = 0; k < count; k++) {
        double *n = malloc((curves[k].count + 1) * sizeof *n), *y = malloc((curves[k].count + 1) * sizeof *y);
        for (size_t p = 0; n && y && p < curves[k].count; p++) {
            n[p] = curves[k].at[p].x;
            y[p] = curves[k].at[p].y;
        }
        if (n && y && curves[k].count > 2) {
            const fit_line line = fit_power(n, y, curves[k].count, FIT_MEASURED);
            if (!begun)
                fputs("<div class=\"wide\" tabindex=\"0\"><table><caption>Slopes on logarithmic axes: time grows as n to this power over what was measured</caption>"
                      "<thead><tr><th scope=\"col\">curve</th><th scope=\"col\" class=\"n\">exponent</th><th scope=\"col\" class=\"n\">95% interval</th>"
                      "<th scope=\"col\" class=\"n\">sizes</th></tr></thead><tbody>\n", out);
            begun = true;
            fputs("<tr><td>", out);
            emit_html_text(out, curves[k].name);
            fprintf(out, "</td><td class=\"n\">%.2f</td><td class=\"n\">%.2f … %.2f</td><td class=\"n\">%zu</td></tr>\n", line.slope, line.lo, line.hi, line.points);
        }
        free(n);
        free(y);
    }
    if (begun)
        fputs("</tbody></table></div>\n", out);
}

static attn_status write_chart(FILE *out, store *s, size_t which, attn_error *err)
{
    report_series *curves;
    size_t count;
    attn_status status = read_series(&curves, &count, store_handle(s), charts[which].sql, err);
    if (status)
        return status;
    fprintf(out, "<section aria-labelledby=\"h-%s\"><h2 id=\"h-%s\">%s</h2>\n", charts[which].id, charts[which].id, charts[which].heading);
    if (!count)
        fprintf(out, "<p>%s</p>\n", charts[which].none);
    report_draw(out, &(report_chart){.id = charts[which].id, .title = charts[which].title, .x = "sequence length n", .y = charts[which].y,
                                     .unit = charts[which].unit, .log_y = charts[which].log, .series = curves, .count = count});
    if (charts[which].fit)
        write_fits(out, curves, count);
    fputs("</section>\n", out);
    free_series(curves, count);
    return ATTN_OK;
}

/* ---- tables ---- */

typedef struct heading { const char *title; const char *format; /* of numbers; NULL: text */ } heading;

static attn_status write_table(FILE *out, store *s, const char *id, const char *title, const char *caption, const heading *heads, int count,
                               const char *sql, const report_filter *filter, const char *none, attn_error *err)
{
    sqlite3_stmt *rows;
    size_t written = 0;
    attn_status status = report_query(&rows, s, sql, filter, err);
    if (status)
        return status;
    fprintf(out, "<section aria-labelledby=\"h-%s\"><h2 id=\"h-%s\">%s</h2>\n", id, id, title);
    for (; sqlite3_step(rows) == SQLITE_ROW; written++) {
        if (!written) {
            fprintf(out, "<div class=\"wide\" tabindex=\"0\"><table><caption>%s</caption><thead><tr>", caption);
            for (int c = 0; c < count; c++)
                fprintf(out, "<th scope=\"col\"%s>%s</th>", heads[c].format ? " class=\"n\"" : "", heads[c].title);
            fputs("</tr></thead><tbody>\n", out);
        }
        fputs("<tr>", out);
        for (int c = 0; c < count; c++) {
            fprintf(out, "<td%s>", heads[c].format ? " class=\"n\"" : "");
            if (sqlite3_column_type(rows, c) == SQLITE_NULL) {
                fputs("–", out);
            } else if (heads[c].format) {
                char text[64];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
                snprintf(text, sizeof text, heads[c].format, sqlite3_column_double(rows, c)); /* formats are in this file */
#pragma GCC diagnostic pop
                emit_html_text(out, text);
            } else {
                emit_html_text(out, (const char *)sqlite3_column_text(rows, c));
            }
            fputs("</td>", out);
        }
        fputs("</tr>\n", out);
    }
    sqlite3_finalize(rows);
    fputs(written ? "</tbody></table></div>\n" : "<p>", out);
    if (!written)
        fprintf(out, "%s</p>\n", none);
    fputs("</section>\n", out);
    return ATTN_OK;
}

/* At the largest n that most series share, against the slowest. */
static const char side_by_side[] =
    "WITH at AS (SELECT n FROM named WHERE time_ns_median > 0 AND ?1 IS NULL AND ?2 IS NULL GROUP BY n ORDER BY count(DISTINCT series) DESC, n DESC LIMIT 1),"
    " here AS (SELECT * FROM named WHERE n = (SELECT n FROM at) AND time_ns_median > 0)"
    " SELECT series, n, time_ns_median / 1e6, 100 * (time_ns_ci_hi - time_ns_ci_lo) / 2 / time_ns_median, (SELECT max(time_ns_median) FROM here) / time_ns_median,"
    " gflops, 100 * share_of_peak, 100 * tile_utilisation, 100.0 * pairs_total / (SELECT max(pairs_total) FROM here), 100 * pattern_mass, kernel"
    " FROM here ORDER BY time_ns_median";
static const heading side_heads[] = {{"pattern", NULL}, {"n", "%.0f"}, {"time, ms", "%.4g"}, {"±, %", "%.1f"}, {"times the slowest", "%.2f"},
                                           {"GFLOP/s", "%.1f"}, {"of peak, %", "%.1f"}, {"utilisation, %", "%.1f"}, {"pairs, of the most, %", "%.2f"},
                                           {"mass kept, %", "%.1f"}, {"kernel", NULL}};

static const char counters[] =
    "SELECT series, n, counters, derived, counters_status FROM named WHERE counters IS NOT NULL AND counters <> '{}' AND ?1 IS NULL AND ?2 IS NULL ORDER BY series, n LIMIT 200";
static const heading counter_heads[] = {{"pattern", NULL}, {"n", "%.0f"}, {"counters of one run", NULL}, {"derived", NULL}, {"status", NULL}};

static const char runs[] =
    "SELECT substr(r.run_id, 1, 12), r.started, ifnull(r.outcome, 'not ended'), r.label, h.model, h.cpus, b.compiler, substr(b.revision, 1, 12)"
    " || CASE b.dirty WHEN 1 THEN ' with changes' ELSE '' END, b.mode, r.command"
    " FROM runs r JOIN hosts h ON h.id = r.host JOIN builds b ON b.id = r.build"
    " WHERE (?1 IS NULL OR r.label = ?1) AND (?2 IS NULL OR substr(r.run_id, 1, length(?2)) = ?2) ORDER BY r.started DESC LIMIT 200";
static const heading run_heads[] = {{"run", NULL}, {"started, UTC", NULL}, {"outcome", NULL}, {"label", NULL}, {"CPU", NULL}, {"CPUs", "%.0f"},
                                    {"compiler", NULL}, {"commit", NULL}, {"mode", NULL}, {"the line that repeats it", NULL}};

/* ---- the summary ---- */

static char *ask(store *s, const char *sql, const report_filter *filter)
{
    sqlite3_stmt *row;
    attn_error ignored;
    char *text = NULL;
    if (report_query(&row, s, sql, filter, &ignored) != ATTN_OK)
        return NULL;
    if (sqlite3_step(row) == SQLITE_ROW && sqlite3_column_type(row, 0) != SQLITE_NULL)
        text = strdup((const char *)sqlite3_column_text(row, 0));
    sqlite3_finalize(row);
    return text;
}

static void say(FILE *out, store *s, const char *sql, const report_filter *filter)
{
    char *text = ask(s, sql, filter);
    if (text) {
        fputs("<p class=\"lead\">", out);
        emit_html_text(out, text);
        fputs("</p>\n", out);
    }
    free(text);
}

static void write_summary(FILE *out, store *s, const report_arms *arms, const report_filter *filter)
{
    fputs("<section aria-labelledby=\"h-summary\"><h2 id=\"h-summary\">Summary</h2>\n", out);
    say(out, s,
        "SELECT count(*) || ' measurements of ' || count(DISTINCT spec) || CASE count(DISTINCT spec) WHEN 1 THEN ' pattern' ELSE ' patterns' END || ' in '"
        " || count(DISTINCT run_id) || CASE count(DISTINCT run_id) WHEN 1 THEN ' run' ELSE ' runs' END || ', n = ' || min(n) || ' to ' || max(n) || ', newest of '"
        " || substr(max(finished), 1, 10) || ', on ' || count(DISTINCT host) || CASE count(DISTINCT host) WHEN 1 THEN ' machine' ELSE ' machines; charts show the one measured last' END"
        " || ': ' || max(host_model) || '.' FROM results WHERE (?1 IS NULL OR label = ?1) AND (?2 IS NULL OR substr(run_id, 1, length(?2)) = ?2)", filter);
    say(out, s,
        "WITH at AS (SELECT n FROM named WHERE time_ns_median > 0 AND ?1 IS NULL AND ?2 IS NULL GROUP BY n HAVING count(DISTINCT series) > 1 ORDER BY count(DISTINCT series) DESC, n DESC LIMIT 1),"
        " here AS (SELECT * FROM named WHERE n = (SELECT n FROM at) AND time_ns_median > 0), fast AS (SELECT * FROM here ORDER BY time_ns_median LIMIT 1),"
        " slow AS (SELECT * FROM here ORDER BY time_ns_median DESC LIMIT 1)"
        " SELECT 'At n = ' || (SELECT n FROM at) || ' the fastest is ' || fast.series || ' with ' || printf('%.3g', fast.time_ns_median / 1e6) || ' ms, '"
        " || printf('%.3g', slow.time_ns_median / fast.time_ns_median) || ' times as fast as ' || slow.series || '.' FROM fast, slow", &anything);
    say(out, s,
        "SELECT 'The highest rate is ' || printf('%.0f', gflops) || ' useful GFLOP/s, by ' || series || ' at n = ' || n"
        " || CASE WHEN share_of_peak IS NULL THEN '' ELSE ': ' || printf('%.0f', 100 * share_of_peak) || '% of the multiply-add peak beside it' END || '.'"
        " FROM named WHERE gflops > 0 AND ?1 IS NULL AND ?2 IS NULL ORDER BY gflops DESC LIMIT 1", &anything);
    say(out, s,
        "SELECT 'The largest relative error against the fp64 oracle is ' || printf('%.1e', rel_err) || ', of ' || series || ' at n = ' || n || '.'"
        " FROM named WHERE rel_err IS NOT NULL AND ?1 IS NULL AND ?2 IS NULL ORDER BY rel_err DESC LIMIT 1", &anything);
    report_arms_summary(out, arms);
    fputs("</section>\n", out);
}

/* ---- the page ---- */

static void write_method(FILE *out)
{
    fputs("<section aria-labelledby=\"h-method\"><h2 id=\"h-method\">Method</h2>\n<p>A cell is measured in a process of its own, and every sample is kept. Times are medians with the exact 95% "
          "interval of order statistics; samples of one process share its state, so differences are judged over fresh processes (attnlab compare, attnlab gate). GFLOP/s count "
          "allowed pairs only, 4 d FLOPs each; the peak is that of multiply-adds, timed beside the samples. Errors are relative Frobenius norms against attention in fp64. A counter that "
          "could not be read is left out with its reason, never 0.</p></section>\n", out);
}

static attn_status write_page(FILE *out, store *s, const report_arms *arms, const report_filter *filter, attn_error *err)
{
    attn_status status;
    fputs("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">"
          "<title>attnlab report</title>\n<style>\n", out);
    fputs(report_style, out);
    fputs("</style></head>\n<body>\n<header><h1>attnlab report</h1>\n<nav aria-label=\"Sections\"><ul><li><a href=\"#h-summary\">Summary</a></li>", out);
    for (size_t c = 0; c < CHARTS; c++)
        fprintf(out, "<li><a href=\"#h-%s\">%s</a></li>%s", charts[c].id, charts[c].heading,
                c ? "" : "<li><a href=\"#h-side\">Patterns</a></li><li><a href=\"#h-compare\">Comparison</a></li>");
    fputs("<li><a href=\"#h-counters\">Counters</a></li><li><a href=\"#h-runs\">Runs</a></li><li><a href=\"#h-method\">Method</a></li>"
          "<li><a href=\"#h-all\">All measurements</a></li></ul></nav></header>\n<main>\n", out);
    write_summary(out, s, arms, filter);
    status = write_chart(out, s, 0, err);
    if (!status)
        status = write_table(out, s, "side", "Patterns side by side", "At the largest n that most curves have; ± is half the 95% interval", side_heads,
                             sizeof side_heads / sizeof *side_heads, side_by_side, &anything, "No times were measured.", err);
    if (!status)
        status = report_arms_write(out, arms, err);
    for (size_t c = 1; c < CHARTS && !status; c++)
        status = write_chart(out, s, c, err);
    if (!status)
        status = write_table(out, s, "counters", "Counters", "Hardware and software counters of one run", counter_heads, sizeof counter_heads / sizeof *counter_heads, counters,
                             &anything, "No counters were measured.", err);
    if (!status)
        status = write_table(out, s, "runs", "Runs", "Newest first; the first 200", run_heads, sizeof run_heads / sizeof *run_heads, runs, filter, "No runs.", err);
    if (status)
        return status;
    write_method(out);
    fputs("<section aria-labelledby=\"h-all\"><h2 id=\"h-all\">All measurements</h2>\n<div class=\"tools\"><label for=\"filter\">Filter</label><input id=\"filter\" type=\"search\" "
          "placeholder=\"dense 4096\"><button type=\"button\" id=\"before\">Previous page</button><button type=\"button\" id=\"after\">Next page</button>"
          "<button type=\"button\" id=\"csv\">Download CSV</button><span id=\"shown\" role=\"status\" class=\"soft\">The table needs JavaScript; everything above does not.</span></div>\n"
          "<div class=\"wide\" tabindex=\"0\"><table id=\"rows\"><thead><tr>", out);
    report_headings(out);
    fputs("</tr></thead><tbody></tbody></table></div></section>\n</main>\n<footer class=\"soft\"><p>attnlab ", out);
    emit_html_text(out, build_info_get()->version);
    fputs("</p></footer>\n<script type=\"application/json\" id=\"data\">", out);
    status = report_data(out, s, filter, err);
    fputs("</script>\n<script>\n", out);
    fputs(report_script, out);
    fputs("</script>\n</body></html>\n", out);
    return status;
}

attn_status report_write(FILE *out, store *s, const report_filter *filter, attn_error *err)
{
    attn_status status = run_sql(s, pick, filter, err);
    if (!status)
        status = run_sql(s, name_series, NULL, err);
    char *any = status ? NULL : ask(s, "SELECT 1 FROM results WHERE (?1 IS NULL OR label = ?1) AND (?2 IS NULL OR substr(run_id, 1, length(?2)) = ?2) LIMIT 1", filter);
    if (!status && !any)
        status = attn_fail(err, ATTN_EINVAL, "%s has no finished measurement%s%s; 'attnlab run' makes some", store_file(s), filter->label ? " with label " : filter->run_id ? " of run " : "",
                           filter->label ? filter->label : filter->run_id ? filter->run_id : "");
    free(any);
    report_arms *arms = NULL;
    if (!status)
        status = report_arms_read(&arms, s, filter, err);
    if (!status)
        status = write_page(out, s, arms, filter, err);
    report_arms_free(arms);
    (void)run_sql(s, "DROP TABLE IF EXISTS temp.named", NULL, &(attn_error){{0}});
    (void)run_sql(s, "DROP TABLE IF EXISTS temp.picked", NULL, &(attn_error){{0}});
    return status ? status : ferror(out) ? attn_fail(err, ATTN_EIO, "the report could not be written") : ATTN_OK;
}
