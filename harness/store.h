/* The store: one SQLite file holding every sample of every run. All SQL that writes lives in store*.c.
 *
 * Opened with application_id and user_version checked, foreign keys on, WAL where the file system is local,
 * a busy timeout; older versions are migrated after a backup, newer ones refused. One transaction per
 * finished cell. The tables are described in harness/schema.sql, the views in harness/views.sql. */
#ifndef HARNESS_STORE_H
#define HARNESS_STORE_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdio.h>

#include "attn/status.h"
#include "harness/build_info.h"
#include "harness/cell.h"
#include "harness/host.h"
#include "harness/peaks/peak.h"
#include "harness/samples.h"

typedef struct store store;

typedef enum store_mode { STORE_READ, STORE_WRITE } store_mode; /* WRITE creates the file, not its folder */

/* EINVAL: no such file (READ) or folder, not a database, another program's, from a newer version, damaged,
 * not to be written. EIO: locked longer than $ATTNLAB_DB_WAIT seconds (10 unless set), disk full.
 * READ migrates an older file too, since views and queries know one version only. */
attn_status store_open(store **out, const char *path, store_mode mode, attn_error *err);
void store_close(store *s);
sqlite3 *store_handle(store *s); /* for queries */
const char *store_file(const store *s);

/* --db, else $ATTNLAB_DB, else results/attnlab.db */
const char *store_path(const char *option);

enum { STORE_APPLICATION_ID = 0x6174746e }; /* "attn" */

/* The schema version of this program. */
int store_version(void);

/* ---- writing ---- */

enum {
    STORE_ID_LENGTH = 32,  /* hexadecimal digits of run_id and measurement_id */
    STORE_TIME_LENGTH = 24 /* "2024-05-01T12:00:00.000Z" */
};
void store_now(char out[STORE_TIME_LENGTH + 1]);

/* Who measures, and what for. */
typedef struct store_run {
    const host *host;
    const build_info *build;
    const char *environment; /* JSON */
    const char *command;     /* the line that repeats the run */
    const char *label;       /* NULL: none */
} store_run;

/* A run under way. It is written with its first measurement: one that measures nothing leaves no trace. */
typedef struct run_ticket {
    char run_id[STORE_ID_LENGTH + 1];
    const store_run *about; /* must outlive the ticket */
    char started[STORE_TIME_LENGTH + 1];
    int64_t run, host, build; /* keys of this file, 0: not there yet */
} run_ticket;

attn_status store_run_begin(store *s, const store_run *about, run_ticket *out, attn_error *err);

/* `outcome` is "complete", "incomplete" (cells failed) or "interrupted". */
attn_status store_run_end(store *s, const run_ticket *run, const char *outcome, attn_error *err);

/* A cell and what the planner says of it on this machine. */
typedef struct store_cell {
    const cell *cell;
    const char *pattern, *spec_resolved, *isa;
    uint64_t pairs_total;
} store_cell;

/* One cell measured. Times as store_now() gives them. */
typedef struct store_measurement {
    const store_cell *cell;
    const char *started, *finished;
    const char *metrics;     /* "time,flops", in the order of the registry */
    const char *failure;     /* why it could not be measured; NULL: it is finished */
    const samples *samples;  /* of a finished one */
} store_measurement;

/* One transaction: when it returns ATTN_OK the measurement is on the disk, else no part of it is. */
attn_status store_put(store *s, run_ticket *run, const store_measurement *m,
                      char measurement_id[STORE_ID_LENGTH + 1], attn_error *err);

/* What `attnlab doctor --peaks` found, each sample; one transaction. */
attn_status store_put_peaks(store *s, run_ticket *run, const peak_report *report, attn_error *err);

/* The newest finished measurement of the same cell by the same host and build with at least these metrics, in this lane
 * ("time", ...) and with nothing injected; "" when there is none. */
attn_status store_find(store *s, const run_ticket *run, const store_cell *c, const char *metrics, const char *lane,
                       char measurement_id[STORE_ID_LENGTH + 1], attn_error *err);

/* ---- wisdom (harness/store_wisdom.c) ---- */

/* What libattn knows into the store, as far as it is new there. */
attn_status store_wisdom_keep(store *s, size_t *added, attn_error *err);

/* What the store holds into libattn: of several entries for one problem the one learned last. */
attn_status store_wisdom_recall(store *s, attn_error *err);

/* The same from a file that may not exist yet. */
attn_status store_wisdom_recall_from(const char *path, attn_error *err);

attn_status store_wisdom_forget(store *s, size_t *count, attn_error *err);

/* ---- copies as text (harness/store_export.c) ---- */

typedef struct store_counts {
    size_t runs, peaks, wisdom, measurements, samples; /* new ones */
    size_t known;                       /* measurements that were there already */
} store_counts;

/* Everything, in an order that depends on the content alone: two databases with the same content give the
 * same bytes. `csv`: RFC 4180 with one header line; else one JSON object a line. */
attn_status store_export(store *s, bool csv, FILE *out, attn_error *err);

/* Adds what `text` (an export in either form) holds and the database does not. All or nothing; EINVAL names
 * the line that is wrong. */
attn_status store_import(store *s, const char *name, const char *text, size_t size, store_counts *out,
                         attn_error *err);

/* What another database holds, as an export for store_import(), checked; free() it, whatever is returned. An older one is brought to today's schema first.
 * EINVAL: none, or newer than this program. */
ATTN_MUST_CHECK attn_status store_read_other(const char *path, char **text, size_t *size, attn_error *err);

/* One line: the `run` record of an export, of a run with a new id that begins now. `about` as for
 * store_run_begin(). (harness/store_stamp.c) */
attn_status store_stamp(const store_run *about, FILE *out, attn_error *err);

/* EINVAL unless `text` is a whole export: each line well-formed and their numbers as announced. */
attn_status store_import_check(const char *name, const char *text, size_t size, attn_error *err);

/* Of the samples of a series of a measurement (SQL for its id), interpolated linearly as stats_quantile() does; NULL without any. */
#define STORE_LOWER_QUARTILE(measurement, name)                                                                                       \
    "(SELECT sum(value * max(0, 1 - abs(rank - 1 - 0.25 * (count - 1)))) FROM"                                                        \
    "  (SELECT value, row_number() OVER (ORDER BY value) AS rank, count(*) OVER () AS count FROM samples"                             \
    "   WHERE measurement = " measurement " AND series = (SELECT id FROM series WHERE name = '" name "') AND value IS NOT NULL))"

#endif
