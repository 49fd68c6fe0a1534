/* Inside harness/cmd_selftest.c and harness/selftest_*.c: the stories that selftest tells, and the table they fill. */
#ifndef HARNESS_SELFTEST_PARTS_H
#define HARNESS_SELFTEST_PARTS_H

#include "harness/emit.h"
#include "harness/folder.h"
#include "harness/progress.h"
#include "harness/selftest.h"
#include "harness/store.h"

typedef struct selftest_session {
    emitter *out;
    progress bar;
    char folder[FOLDER_PATH]; /* of its files, for as long as it runs */
    const char *program; /* another attnlab; NULL: this one */
    bool quick;
    size_t gates;        /* measured of each kind */
    uint64_t seed;
    int code;            /* of the rows so far */
} selftest_session;

/* ---- the table (harness/selftest_rows.c) ---- */

/* What was tried and came out: a rate, hits of trials, or a slope with its interval. */
typedef struct selftest_row {
    const char *tried, *on, *bar;
    size_t hits, trials;
    const char *unit;             /* what trials are: "gates" */
    bool is_slope;
    double slope, lo, hi;
    const selftest_tally *gates;  /* NULL: no gates */
    const char *also;             /* more to say, or NULL */
    bool holds;
    int failure;                  /* the exit code where it does not */
} selftest_row;

emitter *selftest_table(FILE *out, emit_format format); /* NULL: out of memory */
void selftest_put(selftest_session *x, const selftest_row *row);

/* What a row of gates has to show. Of a null claim the trials are gates, else cases. */
typedef struct selftest_claim {
    const char *row, *bar;
    double truth;         /* 0.05: 5% slower */
    double least_flagged; /* share of the cases that must be told regressed */
    bool may_pass;
} selftest_claim;

extern const selftest_claim selftest_same, selftest_same_busy, selftest_five, selftest_two;
void selftest_judge(selftest_session *x, const selftest_claim *c, const char *on, const selftest_tally *t, int failure);

/* ---- files (harness/selftest_files.c) ---- */

void selftest_file(const char *folder, char out[300], const char *name);
/* A database of that name and what SQLite puts beside it. */
void selftest_remove(const char *folder, const char *name);

/* ---- stories ---- */

void selftest_simulations(selftest_session *x);                       /* coverage, gates, change points */
attn_status selftest_exponents(selftest_session *x, attn_error *err); /* of exact counts, and of times */
attn_status selftest_stores(selftest_session *x, attn_error *err);    /* kill -9 and resume; eight writers */
attn_status selftest_gates(selftest_session *x, attn_error *err);     /* measured gates, and replays of their blocks */

/* ---- what they stand on ---- */

/* The slope of y against n, both logarithmic, where each n has the lower quartile of its y over the rounds, and a bootstrap's 95% interval;
 * y[round * points + i], at most 3 points and 30 rounds. */
void selftest_slope(const double *n, const double *y, size_t points, size_t rounds, double *slope, double *lo, double *hi);

/* Kills `kills` sweeps of `attnlab run`, each into a new database, at moments drawn between start and end; *hit of them were
 * still running (late ones are tried again, twice as often as asked at most). *lost: rows that were printed and are not
 * stored, before or after --resume. *unequal: sets that --resume did not make equal to that of an undisturbed run. EIO,
 * EINTERNAL: the program could not be run. */
typedef struct selftest_kills {
    size_t hit, lost, unequal, rows; /* rows: printed before the kills, all told */
} selftest_kills;
attn_status selftest_kill(selftest_session *x, size_t kills, selftest_kills *out, attn_error *err);

/* `writers` processes at once store `rows` measurements each in one new database: how many complained, how many rows there are. */
attn_status selftest_write(selftest_session *x, size_t writers, size_t rows, size_t *complaints, size_t *stored, attn_error *err);

#endif
