/* What SQL cannot say by itself: lines on logarithmic paper, and patterns. */
#include "harness/plot.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "attn/analysis.h"
#include "harness/build_info.h"
#include "harness/fit.h"

/* ---- aggregates over (n, y) ---- */

typedef struct points {
    double *at; /* n, y, n, y, ... */
    size_t count, capacity;
    double where;
} points;

static bool is_number(sqlite3_value *v)
{
    int type = sqlite3_value_type(v);
    return type == SQLITE_INTEGER || type == SQLITE_FLOAT;
}

static void step(sqlite3_context *context, int count, sqlite3_value **values)
{
    points *p = sqlite3_aggregate_context(context, sizeof *p);
    if (!p || !is_number(values[0]) || !is_number(values[1]))
        return;
    if (p->count == p->capacity) {
        size_t capacity = p->capacity ? 2 * p->capacity : 16;
        double *grown = realloc(p->at, capacity * 2 * sizeof *grown);
        if (!grown) {
            sqlite3_result_error_nomem(context);
            return;
        }
        p->at = grown;
        p->capacity = capacity;
    }
    p->at[2 * p->count] = sqlite3_value_double(values[0]);
    p->at[2 * p->count + 1] = sqlite3_value_double(values[1]);
    p->count++;
    if (count > 2)
        p->where = sqlite3_value_double(values[2]);
}

enum { SLOPE, LO, HI, AT };
static const int wanted[] = {SLOPE, LO, HI, AT};

static void finish(sqlite3_context *context)
{
    points *p = sqlite3_aggregate_context(context, 0);
    if (!p || !p->count)
        return; /* NULL */
    double *n = malloc(2 * p->count * sizeof *n);
    if (n) {
        double *y = n + p->count;
        for (size_t i = 0; i < p->count; i++) {
            n[i] = p->at[2 * i];
            y[i] = p->at[2 * i + 1];
        }
        fit_line line = fit_power(n, y, p->count, FIT_MEASURED);
        int what = *(const int *)sqlite3_user_data(context);
        double value = what == SLOPE ? line.slope
                       : what == LO  ? line.lo
                       : what == HI  ? line.hi
                                     : fit_at(&line, p->where);
        if (isfinite(value))
            sqlite3_result_double(context, value);
        free(n);
    } else {
        sqlite3_result_error_nomem(context);
    }
    free(p->at);
}

/* ---- patterns ---- */

static void pattern_class(sqlite3_context *context, int count, sqlite3_value **values)
{
    (void)count;
    const char *text = (const char *)sqlite3_value_text(values[0]);
    fit_growth growth;
    if (text && fit_class(&growth, text, 1, NULL) == ATTN_OK && growth.name[0])
        sqlite3_result_text(context, growth.name, -1, SQLITE_TRANSIENT);
}

static attn_status layout_of(attn_layout **out, const char *text, sqlite3_int64 n, attn_error *err)
{
    attn_spec *spec;
    if (!text || n < 1 || n > (sqlite3_int64)ATTN_MAX_N)
        return attn_fail(err, ATTN_EINVAL, "n = %lld: from 1 to %zu", (long long)n, ATTN_MAX_N);
    attn_status status = attn_spec_parse(&spec, text, err);
    if (status != ATTN_OK)
        return status;
    status = attn_layout_create(out, spec, (size_t)n, (size_t)n, 1, err);
    attn_spec_destroy(spec);
    return status;
}

static void pattern_pairs(sqlite3_context *context, int count, sqlite3_value **values)
{
    (void)count;
    attn_layout *layout;
    const char *text = (const char *)sqlite3_value_text(values[0]);
    if (layout_of(&layout, text, sqlite3_value_int64(values[1]), NULL) != ATTN_OK)
        return; /* NULL: a plugin's pattern, perhaps */
    sqlite3_result_int64(context, (sqlite3_int64)attn_layout_pairs(layout, 0));
    attn_layout_destroy(layout);
}

/* pattern_reach(spec, n, hops): the share of pairs joined after so many steps, with the residual. */
static void pattern_reach(sqlite3_context *context, int count, sqlite3_value **values)
{
    (void)count;
    attn_layout *layout = NULL;
    attn_analysis *graph = NULL;
    attn_reach *reach = malloc(sizeof *reach);
    const sqlite3_int64 hops = sqlite3_value_int64(values[2]);
    const size_t listed = hops < 1 ? 1 : hops > ATTN_LISTED_HOPS ? ATTN_LISTED_HOPS : (size_t)hops;
    const attn_reach_request request = {.hops = listed, .steps = 1, .max_hops = listed, .sample = 512, .exact_to = 16384, .seed = 1};
    if (reach && layout_of(&layout, (const char *)sqlite3_value_text(values[0]), sqlite3_value_int64(values[1]), NULL) == ATTN_OK &&
        attn_analysis_create(&graph, (const attn_layout *const[]){layout}, 1, NULL) == ATTN_OK &&
        attn_analysis_reach(reach, graph, &request, NULL) == ATTN_OK)
        sqlite3_result_double(context, reach->residual.share[listed - 1]);
    attn_analysis_destroy(graph);
    attn_layout_destroy(layout);
    free(reach);
}

static void program(sqlite3_context *context, int count, sqlite3_value **values)
{
    (void)count, (void)values;
    const build_info *build = build_info_get();
    char text[96];
    snprintf(text, sizeof text, "attnlab %s%s%.12s%s", build->version, *build->commit ? ", commit " : "",
             build->commit, build->dirty ? "+" : "");
    sqlite3_result_text(context, text, -1, SQLITE_TRANSIENT);
}

/* ---- mask(spec, n): a table-valued function; runs of keys by the definition, row by row ---- */

enum { ROW, FIRST, LAST, SPEC, SIZE, LARGEST_MASK = 4096 };

typedef struct mask_cursor {
    sqlite3_vtab_cursor base;
    attn_layout *layout;
    size_t n, row, first, last;
    bool done;
    sqlite3_int64 id;
} mask_cursor;

static int mask_connect(sqlite3 *db, void *aux, int argc, const char *const *argv, sqlite3_vtab **out,
                        char **err)
{
    (void)aux, (void)argc, (void)argv, (void)err;
    int rc = sqlite3_declare_vtab(db, "CREATE TABLE x (row, first, last, spec HIDDEN, n HIDDEN)");
    sqlite3_vtab *table = rc == SQLITE_OK ? sqlite3_malloc(sizeof *table) : NULL;
    if (!table)
        return rc == SQLITE_OK ? SQLITE_NOMEM : rc;
    memset(table, 0, sizeof *table);
    *out = table;
    return SQLITE_OK;
}

static int mask_disconnect(sqlite3_vtab *table)
{
    sqlite3_free(table);
    return SQLITE_OK;
}

/* Both arguments are needed, as equalities. */
static int mask_plan(sqlite3_vtab *table, sqlite3_index_info *info)
{
    (void)table;
    int found[2] = {-1, -1};
    for (int i = 0; i < info->nConstraint; i++) {
        const int column = info->aConstraint[i].iColumn;
        if ((column == SPEC || column == SIZE) && info->aConstraint[i].op == SQLITE_INDEX_CONSTRAINT_EQ) {
            if (!info->aConstraint[i].usable)
                return SQLITE_CONSTRAINT;
            found[column - SPEC] = i;
        }
    }
    for (int i = 0; i < 2; i++) {
        if (found[i] < 0)
            return SQLITE_CONSTRAINT;
        info->aConstraintUsage[found[i]].argvIndex = i + 1;
        info->aConstraintUsage[found[i]].omit = 1;
    }
    info->estimatedCost = 1000;
    return SQLITE_OK;
}

static int mask_open(sqlite3_vtab *table, sqlite3_vtab_cursor **out)
{
    (void)table;
    mask_cursor *c = sqlite3_malloc(sizeof *c);
    if (!c)
        return SQLITE_NOMEM;
    *c = (mask_cursor){.done = true};
    *out = &c->base;
    return SQLITE_OK;
}

static int mask_close(sqlite3_vtab_cursor *cursor)
{
    mask_cursor *c = (mask_cursor *)cursor;
    attn_layout_destroy(c->layout);
    sqlite3_free(c);
    return SQLITE_OK;
}

/* The next run of allowed keys at or after (row, first). */
static void mask_seek(mask_cursor *c)
{
    for (; c->row < c->n; c->row++, c->first = 0)
        for (; c->first < c->n; c->first++)
            if (attn_layout_allows(c->layout, 0, c->row, c->first)) {
                c->last = c->first;
                while (c->last + 1 < c->n && attn_layout_allows(c->layout, 0, c->row, c->last + 1))
                    c->last++;
                return;
            }
    c->done = true;
}

static int mask_filter(sqlite3_vtab_cursor *cursor, int number, const char *text, int argc,
                       sqlite3_value **argv)
{
    (void)number, (void)text, (void)argc;
    mask_cursor *c = (mask_cursor *)cursor;
    attn_layout_destroy(c->layout);
    c->layout = NULL;
    const char *spec = (const char *)sqlite3_value_text(argv[0]);
    sqlite3_int64 n = sqlite3_value_int64(argv[1]);
    attn_error err;
    attn_status status = n > LARGEST_MASK ? attn_fail(&err, ATTN_EINVAL, "mask: n = %lld exceeds %d",
                                                      (long long)n, (int)LARGEST_MASK)
                                          : layout_of(&c->layout, spec, n, &err);
    if (status != ATTN_OK) {
        sqlite3_free(cursor->pVtab->zErrMsg);
        cursor->pVtab->zErrMsg = sqlite3_mprintf("%s", err.message);
        return SQLITE_ERROR;
    }
    c->n = (size_t)n;
    c->row = c->first = 0;
    c->id = 0;
    c->done = false;
    mask_seek(c);
    return SQLITE_OK;
}

static int mask_next(sqlite3_vtab_cursor *cursor)
{
    mask_cursor *c = (mask_cursor *)cursor;
    c->first = c->last + 1;
    c->id++;
    mask_seek(c);
    return SQLITE_OK;
}

static int mask_eof(sqlite3_vtab_cursor *cursor)
{
    return ((mask_cursor *)cursor)->done;
}

static int mask_column(sqlite3_vtab_cursor *cursor, sqlite3_context *context, int column)
{
    const mask_cursor *c = (const mask_cursor *)cursor;
    const size_t values[] = {[ROW] = c->row, [FIRST] = c->first, [LAST] = c->last, [SPEC] = 0, [SIZE] = c->n};
    if (column != SPEC)
        sqlite3_result_int64(context, (sqlite3_int64)values[column]);
    return SQLITE_OK;
}

static int mask_rowid(sqlite3_vtab_cursor *cursor, sqlite3_int64 *id)
{
    *id = ((mask_cursor *)cursor)->id;
    return SQLITE_OK;
}

static const sqlite3_module mask_module = {
    .xConnect = mask_connect,
    .xBestIndex = mask_plan,
    .xDisconnect = mask_disconnect,
    .xOpen = mask_open,
    .xClose = mask_close,
    .xFilter = mask_filter,
    .xNext = mask_next,
    .xEof = mask_eof,
    .xColumn = mask_column,
    .xRowid = mask_rowid,
};

/* ---- registering ---- */

attn_status plot_functions(sqlite3 *db, attn_error *err)
{
    static const struct {
        const char *name;
        int arguments;
        const int *what;
    } aggregates[] = {{"fit_slope", 2, &wanted[SLOPE]},
                      {"fit_lo", 2, &wanted[LO]},
                      {"fit_hi", 2, &wanted[HI]},
                      {"fit_at", 3, &wanted[AT]}};
    static const struct {
        const char *name;
        int arguments;
        void (*function)(sqlite3_context *, int, sqlite3_value **);
    } functions[] = {
        {"pattern_class", 1, pattern_class}, {"pattern_pairs", 2, pattern_pairs}, {"pattern_reach", 3, pattern_reach}, {"program", 0, program}};
    int rc = sqlite3_create_module(db, "mask", &mask_module, NULL);
    for (size_t i = 0; rc == SQLITE_OK && i < sizeof aggregates / sizeof aggregates[0]; i++)
        rc = sqlite3_create_function(db, aggregates[i].name, aggregates[i].arguments,
                                     SQLITE_UTF8 | SQLITE_DETERMINISTIC,
                                     (void *)(uintptr_t)aggregates[i].what, NULL, step, finish);
    for (size_t i = 0; rc == SQLITE_OK && i < sizeof functions / sizeof functions[0]; i++)
        rc = sqlite3_create_function(db, functions[i].name, functions[i].arguments,
                                     SQLITE_UTF8 | SQLITE_DETERMINISTIC, NULL, functions[i].function, NULL,
                                     NULL);
    return rc == SQLITE_OK ? ATTN_OK
                           : attn_fail(err, ATTN_EINTERNAL, "SQL functions: %s", sqlite3_errmsg(db));
}
