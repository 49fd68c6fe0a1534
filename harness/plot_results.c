/* What SQL cannot say of the results by itself: comparisons with their verdicts, histories with their change points. As JSON,
 * for json_each():
 *
 *   comparison_json(a, b)   [{"spec", "n", "kernel_a", "kernel_b", "dtype", "ratio", "lo", "hi", "verdict", "blocks", "why"}, ...],
 *                           of two labels, runs or commits; NULL numbers where there is no interval. NULL: no common cell
 *   history_json()          [{"series", "style", "host", "n", "at", "finished", "revision", "value", "level", "change"}, ...]: points of
 *                           time_ns in order; `level` as it is known, `change` the size of one that begins here, else NULL
 */
#include "harness/plot.h"

#include <math.h>
#include <stdlib.h>

#include "harness/compare.h"
#include "harness/emit.h"
#include "harness/history.h"

static void put_number(FILE *out, const char *name, double value)
{
    fprintf(out, ", \"%s\": ", name);
    if (isfinite(value))
        fprintf(out, "%.9g", value);
    else
        fputs("null", out);
}

/* Infinite logarithms are ends that too few blocks have not. */
static void put_ratio(FILE *out, const char *name, double log_ratio)
{
    put_number(out, name, isfinite(log_ratio) ? exp(log_ratio) : (double)NAN);
}

static void put_text(FILE *out, const char *name, const char *text)
{
    fprintf(out, ", \"%s\": ", name);
    emit_json_string(out, text ? text : "");
}

/* The text of a stream becomes the result, or NULL does. */
static void finish(sqlite3_context *context, FILE *out, char *const *text, bool found)
{
    if (!out || fclose(out) != 0)
        sqlite3_result_error_nomem(context);
    else if (found)
        sqlite3_result_text(context, *text, -1, SQLITE_TRANSIENT);
    free(*text);
}

static void comparison_json(sqlite3_context *context, int count, sqlite3_value **values)
{
    (void)count;
    const compare_request request = {.a = (const char *)sqlite3_value_text(values[0]), .b = (const char *)sqlite3_value_text(values[1]),
                                     .threshold = COMPARE_THRESHOLD, .count_threshold = COMPARE_COUNT_THRESHOLD,
                                     .confidence = COMPARE_CONFIDENCE};
    comparisons c = {0};
    if (!request.a || !request.b || compare_read(&c, sqlite3_user_data(context), &request, NULL) != ATTN_OK)
        return;
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    for (size_t i = 0; i < c.count && out; i++) {
        const comparison *x = &c.at[i];
        fprintf(out, "%s{\"n\": %lld", i ? ",\n" : "[", (long long)x->n);
        put_text(out, "spec", x->spec_b);
        put_text(out, "kernel_a", x->kernel_a);
        put_text(out, "kernel_b", x->kernel_b);
        put_text(out, "dtype", x->dtype);
        put_number(out, "threads", (double)x->threads);
        put_ratio(out, "ratio", x->verdict.median);
        put_ratio(out, "lo", x->verdict.lo);
        put_ratio(out, "hi", x->verdict.hi);
        put_text(out, "verdict", verdict_name(x->verdict.kind));
        put_number(out, "blocks", (double)x->verdict.blocks);
        put_text(out, "why", x->why);
        fputc('}', out);
    }
    if (out)
        fputc(']', out);
    finish(context, out, &text, c.count > 0);
    compare_free(&c);
}

/* The level of point p: before the first change that is known to begin behind it, after the last that begins before it. */
static double level_at(const history_series *s, size_t p)
{
    double level = s->change_count ? s->changes[0].before : (double)NAN;
    for (size_t k = 0; k < s->change_count && s->changes[k].at <= p; k++)
        level = s->changes[k].after;
    return exp(level);
}

static void put_series(FILE *out, const history_series *s, size_t style, bool *begun)
{
    char name[512];
    snprintf(name, sizeof name, "%s, n = %lld, %s, %s", s->spec, (long long)s->n, s->kernel, s->dtype);
    for (size_t p = 0; p < s->count; p++, *begun = true) {
        double size = (double)NAN;
        for (size_t k = 0; k < s->change_count; k++)
            if (s->changes[k].at == p)
                size = history_size_of(&s->changes[k]);
        fprintf(out, "%s{\"at\": %zu", *begun ? ",\n" : "[", p + 1);
        put_text(out, "series", name);
        put_number(out, "style", (double)style);
        put_text(out, "host", s->host);
        put_text(out, "finished", s->at[p].finished);
        put_text(out, "revision", s->at[p].revision);
        put_number(out, "value", s->at[p].value);
        put_number(out, "level", level_at(s, p));
        put_number(out, "change", size);
        fputc('}', out);
    }
}

static void history_json(sqlite3_context *context, int count, sqlite3_value **values)
{
    (void)count, (void)values;
    const history_filter filter = {.what = "time_ns"};
    history h = {0};
    if (history_read(&h, sqlite3_user_data(context), &filter, NULL) != ATTN_OK)
        return;
    char *text = NULL;
    size_t size = 0;
    bool begun = false;
    FILE *out = open_memstream(&text, &size);
    for (size_t i = 0; i < h.count && out; i++)
        put_series(out, &h.at[i], i + 1, &begun);
    if (out)
        fputc(']', out);
    finish(context, out, &text, begun);
    history_free(&h);
}

attn_status plot_result_functions(store *s, attn_error *err)
{
    const int flags = SQLITE_UTF8;
    int rc = sqlite3_create_function(store_handle(s), "comparison_json", 2, flags, s, comparison_json, NULL, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_create_function(store_handle(s), "history_json", 0, flags, s, history_json, NULL, NULL);
    return rc == SQLITE_OK ? ATTN_OK : attn_fail(err, ATTN_EINTERNAL, "SQL functions: %s", sqlite3_errmsg(store_handle(s)));
}
