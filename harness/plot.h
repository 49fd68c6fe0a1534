/* Plots: pairs of files, NAME.sql with a query and NAME.gp with the picture of it; nothing about any plot is
 * compiled in, so that adding one is adding two files.
 *
 * NAME.sql opens with comment lines:
 *
 *   -- what the picture shows (in lists)
 *   -- needs: attnlab run ...              what to do when the query finds nothing
 *
 * Its first SELECT is the data. It goes to NAME.tsv, tab-separated, NULL as NaN; when its first column is
 * called `series`, a new data set (two empty lines, gnuplot's `index`) starts whenever that changes. Further
 * SELECTs, of at most 256 rows, become gnuplot arrays named like their columns.
 *
 * What gnuplot runs is written to NAME.gp beside the data: variables, then style.gp, then NAME.gp.
 *
 *   name, data          'time', 'time.tsv'
 *   rows, blocks        lines of data and data sets in it
 *   c_COLUMN            number of each column, for `using`
 *   COLUMN[1..]         the arrays, those of style.sql first
 *   format              'svg', 'png' or 'pdf', from the command line
 *   size                'wide', 'column' (of a paper) or 'slide', likewise
 *
 * style.sql runs before every NAME.sql on the same connection, which reads the store and can write nothing
 * but temporary tables and views. Text from the store enters gnuplot only as data and as single-quoted
 * strings in which nothing is special, and without the characters ' " ` \ and control characters. gnuplot
 * runs in the folder of the pictures, so that no path enters a script. */
#ifndef HARNESS_PLOT_H
#define HARNESS_PLOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "harness/store.h"

/* ---- finding plots ---- */

typedef struct plot {
    char *name;    /* letters, digits, '-' and '_' */
    char *summary; /* NULL when the file does not say */
    char *needs;   /* likewise */
    char *folder;  /* that holds the pair */
} plot;

typedef struct plot_list {
    plot *at; /* by name */
    size_t count;
    char *folder; /* ours, which has style.sql and style.gp */
} plot_list;

/* The plots of the program, and those of `extra` (--plots; NULL: none), which come first: a pair or a style
 * there replaces ours of the same name. Ours are in ./plots of the source tree that the program was built
 * in, or in ../share/attnlab/plots of where it is installed. EINVAL: `extra` is not a folder with plots, a
 * file without its other half, or ours are nowhere. */
attn_status plot_list_read(plot_list *out, const char *extra, attn_error *err);
void plot_list_free(plot_list *list);
const plot *plot_find(const plot_list *list, const char *name);

/* ---- drawing ---- */

/* Draws into the folder `out`, which exists: NAME.tsv, NAME.gp, NAME.svg, NAME.png and NAME.pdf. *drawn is false when
 * the query found nothing; nothing is written then. EINVAL: the pair is wrong, or gnuplot is missing (the
 * message says how to get it). */
attn_status plot_draw(const plot_list *list, const plot *p, store *s, const char *out, const char *size_name, bool *drawn,
                      attn_error *err);

/* Why nothing can be drawn here, or NULL: gnuplot is not on the path. */
const char *plot_unavailable(void);

/* ---- the parts ---- */

/* Text as gnuplot may see it: ' " ` \ become typographic quotes and a slash, control characters spaces.
 * UTF-8 that is not valid becomes '?'. */
void plot_write_text(FILE *out, const char *text);

/* What is known of the data after it was written. */
typedef struct plot_data {
    size_t rows, blocks, columns;
    FILE *variables; /* c_COLUMN = ... and arrays, as gnuplot commands */
} plot_data;

/* Runs the SQL of a file (`path` for messages). The first SELECT goes to `tsv` as data (NULL: there is none,
 * every SELECT becomes arrays). */
attn_status plot_query(sqlite3 *db, const char *sql, const char *path, FILE *tsv, plot_data *data,
                       attn_error *err);

/* Runs gnuplot on NAME.gp in the folder `out` with format = 'svg', 'png' or 'pdf' and size = 'wide', 'column' or 'slide', and puts NAME.FORMAT in place. */
attn_status plot_gnuplot(const char *out, const char *name, const char *format, const char *size, attn_error *err);

/* SQL functions for plots (and whoever queries a store):
 *
 *   fit_slope(n, y), fit_lo(n, y), fit_hi(n, y)   aggregates: the line of harness/fit.h through measured
 *   fit_at(n, y, at)                              points, its interval, its value
 *   pattern_class(spec)                           "n", "n√n", "n²"; NULL for a spec unknown here
 *   pattern_pairs(spec, n)                        exact, causal or not as the spec says
 *   pattern_reach(spec, n, hops)                  the share of pairs joined after so many steps, with the residual
 *   mask(spec, n)                                 a table: row, first, last: runs of keys, n <= 4096
 *   program()                                     "attnlab 0.1.0" and commit */
attn_status plot_functions(sqlite3 *db, attn_error *err);

/* comparison_json(a, b) and history_json(): what compare and history say of the store's runs, for json_each(); see plot_results.c. */
attn_status plot_result_functions(store *s, attn_error *err);

#endif
