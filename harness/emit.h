/* Rows of results in six formats, from one description of the columns.
 *
 *   table  aligned, for people: only columns with a title, values with units and sensible digits; on a terminal that is too
 *          narrow, columns go on in further blocks, each with the first columns again
 *   md     the same as a Markdown table
 *   html   the same as thead and tbody of an HTML table; for pages, not for -o
 *   csv    every column, raw values, header line; RFC 4180 quoting
 *   json   one array of objects; jsonl: one object a line
 *
 * A column named "time_ns.median" becomes {"time_ns": {"median": ...}}: columns that share a prefix must be
 * adjacent. Missing values are null in JSON, empty in CSV and "-" in tables. NaN and infinities are null. */
#ifndef HARNESS_EMIT_H
#define HARNESS_EMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

typedef enum emit_format { EMIT_TABLE, EMIT_JSON, EMIT_JSONL, EMIT_CSV, EMIT_MD, EMIT_HTML } emit_format;
#define EMIT_CHOICES "table|json|jsonl|csv|md" /* the option -o, in the order of emit_format */

typedef enum emit_style { /* how tables print a number */
    EMIT_PLAIN,   /* integers as they are, reals with 4 significant digits */
    EMIT_NS,      /* 1.23 ms */
    EMIT_BYTES,   /* 3.4 MiB */
    EMIT_COUNT,   /* 1.2 G, 345 k */
    EMIT_PERCENT, /* a fraction as 12.3% */
    EMIT_WITHIN,  /* half of an interval, as a fraction of the number of style EMIT_NS before it: tables write both as one,
                     "1.23 ms ± 0.02", with the digits that this leaves; no title */
    EMIT_SCI,     /* 1.2e-07 */
    EMIT_FIXED1, EMIT_FIXED2, EMIT_FIXED3
} emit_style;

typedef struct emit_column {
    const char *name;  /* key in json and csv */
    const char *title; /* heading in tables; NULL: not shown there */
    emit_style style;
} emit_column;

typedef struct emit_value {
    enum { EMIT_NULL, EMIT_BOOL, EMIT_INT, EMIT_REAL, EMIT_TEXT, EMIT_RAW_JSON } kind;
    int64_t i;
    double d;
    const char *s;
} emit_value;

static inline emit_value emit_null(void) { return (emit_value){.kind = EMIT_NULL}; }
static inline emit_value emit_bool(bool b) { return (emit_value){.kind = EMIT_BOOL, .i = b}; }
static inline emit_value emit_int(int64_t i) { return (emit_value){.kind = EMIT_INT, .i = i}; }
static inline emit_value emit_real(double d) { return (emit_value){.kind = EMIT_REAL, .d = d}; }
static inline emit_value emit_text(const char *s) { return (emit_value){.kind = s ? EMIT_TEXT : EMIT_NULL, .s = s}; }
/* A JSON value as text: printed as it is in json, as a quoted field in csv. */
static inline emit_value emit_json(const char *s) { return (emit_value){.kind = s ? EMIT_RAW_JSON : EMIT_NULL, .s = s}; }

typedef struct emitter emitter;

/* Rows are written as they come, except for table, md and html, which need all widths and print on close.
 * NULL: out of memory. */
emitter *emit_open(FILE *out, emit_format format, const emit_column *columns, size_t count);
/* Folds tables wider than this, as emit_open() does on a terminal; 0: none. */
void emit_fold(emitter *e, size_t width);
/* Leaves a column out of tables in which no row has a value for it. */
void emit_optional(emitter *e, const char *name);
void emit_row(emitter *e, const emit_value *values);
/* Writes what is left, flushes, frees; false when the stream failed (disk full, closed pipe). */
bool emit_close(emitter *e);

/* One number in a table's style, "1.23 ms"; writes at most size bytes. */
void emit_format_number(char *out, size_t size, emit_style style, double value);
/* Nanoseconds and half of their interval: "1.23 ms ± 0.02". */
void emit_format_interval(char *out, size_t size, double ns, double half);

/* Writes `text` as a quoted JSON string. */
void emit_json_string(FILE *out, const char *text);
/* Writes `text` as HTML, NULL as nothing. */
void emit_html_text(FILE *out, const char *text);

#endif
