/* What of the chosen runs can be compared: labels, or where there are not two of them, commits, or else kernels; each with the base, by the
 * rules of `attnlab compare`. See report.h. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness/compare_rows.h"
#include "harness/emit.h"
#include "harness/report.h"

enum { MOST_ARMS = 8, MOST_ROWS = 200 };

/* The arms of one kind, what was timed or counted under a name: the base if one is asked for, then those that ended last; the base first, others
 * as they began. Columns: name, whether it is the base asked for, how many there are, how many measurements have none. */
#define ARMS_QUERY(name, holds, is_base)                                                                                          \
    "WITH chosen AS (SELECT r.label, substr(b.revision, 1, 12) AS revision, c.kernel, m.started, m.finished,"                     \
    "  c.spec || '|' || c.n || '|' || c.heads || '|' || c.kv_heads || '|' || c.dim || '|' || c.batch || '|' || c.dtype || '|'"    \
    "  || c.direction || '|' || c.threads AS cell"                                                                                \
    " FROM measurements m JOIN cells c ON c.id = m.cell JOIN runs r ON r.id = m.run JOIN builds b ON b.id = r.build"              \
    " WHERE m.status = 'finished' AND (?1 IS NULL OR r.label = ?1) AND (?2 IS NULL OR substr(r.run_id, 1, length(?2)) = ?2)"      \
    "  AND (EXISTS (SELECT 1 FROM samples WHERE measurement = m.id AND series = (SELECT id FROM series WHERE name = 'time_ns'))"  \
    "   OR EXISTS (SELECT 1 FROM scalars WHERE measurement = m.id AND name = 'instructions'))),"                                  \
    " arms AS (SELECT " name " AS name, min(started) AS began, max(finished) AS ended, " is_base " AS is_base FROM chosen"        \
    "  WHERE " holds " GROUP BY 1),"                                                                                              \
    " taken AS (SELECT * FROM arms ORDER BY is_base DESC, ended DESC, began DESC, name DESC LIMIT ?4)"                            \
    " SELECT name, is_base, (SELECT count(*) FROM arms), (SELECT count(*) FROM chosen WHERE NOT (" holds ")) FROM taken"          \
    " ORDER BY is_base DESC, began, name"

static const struct { const char *plural, *lacking, *sql; } kinds[] = {
    {"labels", "without a label", ARMS_QUERY("label", "label <> ''", "label IS ?3")},
    {"commits", "of no known commit",
     ARMS_QUERY("revision", "length(revision) >= 7", "coalesce(length(?3) >= 7 AND revision GLOB substr(?3, 1, 12) || '*', 0)")},
    {"kernels", "of cells with a single kernel",
     ARMS_QUERY("kernel", "cell IN (SELECT cell FROM chosen GROUP BY cell HAVING count(DISTINCT kernel) > 1)", "kernel IS ?3")},
};
enum { KINDS = sizeof kinds / sizeof *kinds, KERNELS = KINDS - 1 };

/* One arm; but for the base, compared with it. */
typedef struct arm {
    char *name;
    compare_request request;
    comparisons results;
    char *failure; /* why there are none */
} arm;

struct report_arms {
    size_t kind, count; /* at[0] is the base; with fewer than two there is nothing to compare */
    int64_t total, lacking;
    bool asked; /* for this base */
    arm at[MOST_ARMS];
};

void report_arms_free(report_arms *a)
{
    for (size_t k = 0; a && k < a->count; k++) {
        free(a->at[k].name);
        free(a->at[k].failure);
        compare_free(&a->at[k].results);
    }
    free(a);
}

/* The arms of a kind. With a base, *found tells whether it is one of them. */
static attn_status read_names(report_arms *a, store *s, const report_filter *filter, size_t kind, bool *found, attn_error *err)
{
    sqlite3_stmt *rows;
    int rc = SQLITE_DONE;
    attn_status status = report_query(&rows, s, kinds[kind].sql, filter, err);
    if (status)
        return status;
    sqlite3_bind_text(rows, 3, filter->base, -1, SQLITE_STATIC);
    sqlite3_bind_int(rows, 4, MOST_ARMS);
    for (size_t k = 0; k < a->count; k++)
        free(a->at[k].name);
    a->kind = kind;
    a->count = 0;
    *found = false;
    while (!status && (rc = sqlite3_step(rows)) == SQLITE_ROW) {
        char *name = strdup((const char *)sqlite3_column_text(rows, 0));
        if (name)
            a->at[a->count++].name = name;
        else
            status = attn_fail(err, ATTN_ENOMEM, "out of memory");
        *found |= sqlite3_column_int(rows, 1) != 0;
        a->total = sqlite3_column_int64(rows, 2);
        a->lacking = sqlite3_column_int64(rows, 3);
    }
    sqlite3_finalize(rows);
    if (!status && rc != SQLITE_DONE)
        status = attn_fail(err, ATTN_EIO, "%s cannot be read: %s", store_file(s), sqlite3_errmsg(store_handle(s)));
    return status;
}

static attn_status choose(report_arms *a, store *s, const report_filter *filter, attn_error *err)
{
    attn_status status = ATTN_OK;
    bool found = false, enough = false;
    for (size_t kind = 0; kind < KINDS && !status && !enough; kind++) {
        status = read_names(a, s, filter, kind, &found, err);
        enough = filter->base ? found : a->count > 1;
    }
    if (!status && filter->base && !found)
        status = attn_fail(err, ATTN_EINVAL, "--base \"%s\": no label, commit (at least 7 digits) or kernel of the runs in question; "
                                             "`attnlab db sql \"SELECT DISTINCT label, revision, kernel FROM results\"` lists them", filter->base);
    return status;
}

attn_status report_arms_read(report_arms **out, store *s, const report_filter *filter, attn_error *err)
{
    report_arms *a = *out = calloc(1, sizeof *a);
    if (!a)
        return attn_fail(err, ATTN_ENOMEM, "out of memory");
    a->asked = filter->base != NULL;
    attn_status status = choose(a, s, filter, err);
    for (size_t k = 1; k < a->count && !status; k++) {
        arm *x = &a->at[k];
        attn_error why;
        x->request = (compare_request){.threshold = COMPARE_THRESHOLD, .count_threshold = COMPARE_COUNT_THRESHOLD, .confidence = COMPARE_CONFIDENCE,
                                       .label = filter->label, .run_id = filter->run_id};
        *(a->kind == KERNELS ? &x->request.kernel_a : &x->request.a) = a->at[0].name;
        *(a->kind == KERNELS ? &x->request.kernel_b : &x->request.b) = x->name;
        status = compare_read(&x->results, s, &x->request, &why);
        if (status == ATTN_EINVAL) {
            x->failure = strdup(why.message);
            status = x->failure ? ATTN_OK : ATTN_ENOMEM;
        }
        if (status)
            *err = why;
    }
    if (status) {
        report_arms_free(a);
        *out = NULL;
    }
    return status;
}

/* ---- words ---- */

/* "2 regressed, 1 pass". */
static void say_verdicts(FILE *out, const comparisons *c)
{
    static const verdict_kind order[] = {VERDICT_REGRESSED, VERDICT_IMPROVED, VERDICT_PASS, VERDICT_INCONCLUSIVE, VERDICT_INCOMPARABLE};
    const char *comma = "";
    for (size_t k = 0; k < sizeof order / sizeof *order; k++) {
        size_t count = 0;
        for (size_t i = 0; i < c->count; i++)
            count += c->at[i].verdict.kind == order[k];
        if (count) {
            fprintf(out, "%s%zu %s", comma, count, verdict_name(order[k]));
            comma = ", ";
        }
    }
}

static void say_ratios(FILE *out, const comparisons *c)
{
    double least = HUGE_VAL, most = 0;
    for (size_t i = 0; i < c->count; i++)
        if (!c->at[i].why && isfinite(c->at[i].verdict.median)) {
            least = fmin(least, exp(c->at[i].verdict.median));
            most = fmax(most, exp(c->at[i].verdict.median));
        }
    if (most > least)
        fprintf(out, "; ratios from %.3f to %.3f", least, most);
    else if (most > 0)
        fprintf(out, "; ratio %.3f", most);
}

void report_arms_summary(FILE *out, const report_arms *a)
{
    for (size_t k = 1; k < a->count; k++) {
        if (a->at[k].failure)
            continue;
        fputs("<p class=\"lead\">", out);
        emit_html_text(out, a->at[k].name);
        fputs(" over ", out);
        emit_html_text(out, a->at[0].name);
        fputs(", cell by cell: ", out);
        say_verdicts(out, &a->at[k].results);
        say_ratios(out, &a->at[k].results);
        fputs(".</p>\n", out);
    }
}

static void say_left_out(FILE *out, const char *name, size_t cells)
{
    if (!cells)
        return;
    fprintf(out, " Left out: %zu cell%s that only ", cells, cells == 1 ? "" : "s");
    emit_html_text(out, name);
    fputs(" has.", out);
}

static void say_arm(FILE *out, const arm *base, const arm *x)
{
    size_t least = SIZE_MAX, most = 0;
    for (size_t i = 0; i < x->results.count; i++) {
        const size_t blocks = x->results.at[i].verdict.blocks;
        least = blocks < least ? blocks : least;
        most = blocks > most ? blocks : most;
    }
    fprintf(out, "<p>Of %zu cell%s: ", x->results.count, x->results.count == 1 ? "" : "s");
    say_verdicts(out, &x->results);
    if (least < most)
        fprintf(out, ". Each rests on %zu to %zu blocks", least, most);
    else
        fprintf(out, ". Each rests on %zu block%s", most, most == 1 ? "" : "s");
    fputs(", a process of either in each.", out);
    for (size_t i = 0; i < x->results.count; i++)
        if (x->results.at[i].why) {
            fprintf(out, " Incomparable is what has a different %s (", x->results.at[i].why);
            emit_html_text(out, x->results.at[i].detail);
            fputs(").", out);
            break;
        }
    say_left_out(out, base->name, x->results.only_a);
    say_left_out(out, x->name, x->results.only_b);
    fputs("</p>\n", out);
}

/* ---- the section ---- */

static attn_status write_rows(FILE *out, const arm *x, attn_error *err)
{
    const size_t count = x->results.count < MOST_ROWS ? x->results.count : MOST_ROWS;
    fputs("<div class=\"wide\" tabindex=\"0\"><table><caption>Ratios as <code>attnlab compare</code> gives them: the median over blocks with its exact 95% interval", out);
    if (count < x->results.count)
        fprintf(out, "; the first %zu of %zu cells", count, x->results.count);
    fputs("</caption>", out);
    emitter *rows = compare_rows_open(out, EMIT_HTML);
    if (!rows)
        return attn_fail(err, ATTN_ENOMEM, "out of memory");
    for (size_t i = 0; i < count; i++)
        compare_row(rows, EMIT_HTML, &x->request, &x->results.at[i]);
    if (!emit_close(rows))
        return attn_fail(err, ATTN_EIO, "the report could not be written");
    fputs("</table></div>\n", out);
    return ATTN_OK;
}

static attn_status write_arm(FILE *out, const report_arms *a, size_t k, attn_error *err)
{
    const arm *base = &a->at[0], *x = &a->at[k];
    char id[32], *title = NULL;
    bool counts = x->results.count > 0;
    attn_status status = ATTN_OK;
    for (size_t i = 0; i < x->results.count; i++)
        counts = counts && x->results.at[i].counts;
    fputs("<h3>", out);
    emit_html_text(out, x->name);
    fputs(" over ", out);
    emit_html_text(out, base->name);
    fputs("</h3>\n", out);
    if (x->failure) {
        fputs("<p>Not compared: ", out);
        emit_html_text(out, x->failure);
        fputs(".</p>\n", out);
        return ATTN_OK;
    }
    say_arm(out, base, x);
    snprintf(id, sizeof id, "forest-%zu", k);
    if (asprintf(&title, "%s of %s over %s, cell by cell, with the 95%% interval", counts ? "Instructions" : "Time", x->name, base->name) < 0)
        title = NULL;
    if (title)
        report_forest(out, id, title, counts ? "instructions over those of the base" : "time over that of the base: left of 1× is faster", &x->results);
    else
        status = attn_fail(err, ATTN_ENOMEM, "out of memory");
    free(title);
    return status ? status : write_rows(out, x, err);
}

attn_status report_arms_write(FILE *out, const report_arms *a, attn_error *err)
{
    attn_status status = ATTN_OK;
    fputs("<section aria-labelledby=\"h-compare\"><h2 id=\"h-compare\">Comparison</h2>\n", out);
    if (a->asked && a->count < 2) {
        fputs("<p>Nothing to compare: ", out);
        emit_html_text(out, a->at[0].name);
        fprintf(out, " is all there is of the %s.</p></section>\n", kinds[a->kind].plural);
        return ATTN_OK;
    }
    if (a->count < 2) {
        fputs("<p>Nothing to compare: these runs have one label, one commit, and one kernel for each cell. <code>attnlab run --processes 12 --label before</code> "
              "and the same again with another label make runs to compare.</p></section>\n", out);
        return ATTN_OK;
    }
    fprintf(out, "<p>%lld %s; the base is <strong>", (long long)a->total, kinds[a->kind].plural);
    emit_html_text(out, a->at[0].name);
    fputs("</strong>. The k-th measurement of a cell there and the k-th elsewhere are a block.", out);
    if ((int64_t)a->count < a->total)
        fprintf(out, " Shown are the %zu measured last.", a->count);
    if (a->lacking)
        fprintf(out, " Left out: %lld measurement%s %s.", (long long)a->lacking, a->lacking == 1 ? "" : "s", kinds[a->kind].lacking);
    fputs("</p>\n", out);
    for (size_t k = 1; k < a->count && !status; k++)
        status = write_arm(out, a, k, err);
    fputs("</section>\n", out);
    return status;
}
