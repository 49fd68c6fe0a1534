/* The report: one HTML file with all that a store holds, or some runs of it. In pieces: the page (report.c), its charts as SVG
 * (report_chart.c), comparisons of its runs (report_compare.c, report_forest.c), and the measurements as JSON (report_data.c). Style and script are files of harness/report/, embedded.
 *
 * Everything from the store is escaped: labels and specs may hold anything. */
#ifndef HARNESS_REPORT_H
#define HARNESS_REPORT_H

#include <stdio.h>

#include "harness/compare.h"
#include "harness/store.h"

typedef struct report_filter {
    const char *label, *run_id; /* run_id: a prefix; NULL: any */
    const char *base;           /* a label, commit or kernel that others are compared with; NULL: the one measured first */
} report_filter;

/* EINVAL: nothing passes the filter, or the base is nothing of it. EIO: the stream failed. */
attn_status report_write(FILE *out, store *s, const report_filter *filter, attn_error *err);

/* ---- charts ---- */

typedef struct report_point {
    double x, y, lo, hi; /* lo, hi: NaN without an interval */
} report_point;

typedef struct report_series {
    char *name;
    report_point *at;
    size_t count;
} report_series;

typedef struct report_chart {
    const char *id, *title, *x, *y, *unit; /* axes; unit of y's values in what a pointer is told */
    bool log_y;
    const report_series *series;
    size_t count;
} report_chart;

/* A figure: lines over a logarithmic x, names at their ends, values where one points or with a screen reader. Nothing where there is no
 * point. */
void report_draw(FILE *out, const report_chart *c);

/* ---- comparisons ---- */

typedef struct report_arms report_arms;

/* EINVAL: the base is no label, commit or kernel of what passes the filter. */
attn_status report_arms_read(report_arms **out, store *s, const report_filter *filter, attn_error *err);
void report_arms_free(report_arms *a);
/* Sentences, and the section with figures and tables; the section says so where there is nothing to compare. */
void report_arms_summary(FILE *out, const report_arms *a);
attn_status report_arms_write(FILE *out, const report_arms *a, attn_error *err);

/* A figure: the cells of a comparison from the top down, each with its interval and verdict, with all of it where one points. */
void report_forest(FILE *out, const char *id, const char *title, const char *axis, const comparisons *all);

/* ---- data ---- */

/* A query bound to the filter: ?1 label, ?2 prefix of run_id. */
attn_status report_query(sqlite3_stmt **out, store *s, const char *sql, const report_filter *filter, attn_error *err);
/* {"count": ..., "columns": [{"name", "title", "texts", "values"}, ...]}, and the heading of the table. */
attn_status report_data(FILE *out, store *s, const report_filter *filter, attn_error *err);
void report_headings(FILE *out);

#endif
