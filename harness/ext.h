/* External kernels: other people's implementations as arms of a measurement.
 *
 * Each is a process, the adapter, that answers JSON lines (docs/EXTERNAL.md has the protocol). It is named "ext:NAME"
 * wherever a kernel is named, and "external" is its isa. Operands lie in NPY files of a folder that both sides see;
 * time is taken by the adapter, of as many runs as it is asked for.
 *
 * An adapter may crash, hang, or answer rubbish: each is an error of ATTN_EINVAL that names the adapter and what it
 * was asked, its process and those it started are ended and reaped, and later calls give the same error. */
#ifndef HARNESS_EXT_H
#define HARNESS_EXT_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/types.h>

#include "attn/layout.h"
#include "harness/cell.h"

enum { EXT_PROTOCOL = 1, EXT_TEXT = 256 };
#define EXT_PREFIX "ext:"
#define EXT_ISA "external"

/* ---- names (harness/ext_names.c) ---- */

/* The options --ext and --ext-timeout, for the commands that start adapters. */
#define EXT_OPTIONS                                                                                                    \
    {"ext", OPTION_TEXT, "NAME=COMMAND", "an external kernel ext:NAME: a command that answers JSON lines, or a "       \
     "library FILE.so", NULL, 0, 0, NULL, true},                                                                       \
    {"ext-timeout", OPTION_SECONDS, "S", "how long an external kernel may take for one answer", "600", 0, 0, NULL,     \
     false}

typedef struct ext_shipped {
    const char *name, *arm, *summary; /* arm: of harness/peers/ */
} ext_shipped;
extern const ext_shipped ext_shipped_list[]; /* ends with a zeroed entry */

/* Why one that comes with attnlab cannot be used here, or NULL. All are asked at the first call, at the same time, and
 * nothing is timed or computed. */
const char *ext_unavailable(const ext_shipped *s);

bool ext_is_name(const char *kernel); /* begins with "ext:" */

/* The shell command of the kernel "ext:NAME"; *out is malloc'ed. `given` are the values of --ext, of which the last
 * counts. EINVAL: no such name (with the nearest known one), or a malformed --ext; EUNAVAILABLE: it comes with attnlab,
 * but its files are not where they should be. */
ATTN_MUST_CHECK attn_status ext_command(char **out, const char *kernel, const char *const *given, size_t count,
                                        attn_error *err);

/* EINVAL unless each is NAME=COMMAND. */
ATTN_MUST_CHECK attn_status ext_check_given(const char *const *given, size_t count, attn_error *err);

/* ---- one adapter (harness/ext.c) ---- */

typedef struct ext ext;

/* How to start one. `threads` is told to OpenMP and BLAS libraries by their environment variables; `plugins` are
 * those of --plugin, for ATTNLAB_PLUGINS. */
typedef struct ext_start {
    const char *kernel, *command; /* "ext:NAME" for messages; for the shell */
    double timeout;               /* seconds for one answer */
    int threads;
    const char *const *plugins;
    size_t plugin_count;
} ext_start;

/* Starts the process and greets it. EUNAVAILABLE: it says that it cannot work here; the message has its reason and how
 * to get what it lacks. `probe`: it only needs to know whether it could. */
ATTN_MUST_CHECK attn_status ext_open(ext **out, const ext_start *how, bool probe, attn_error *err);

/* Poses the problem: q [batch][heads][n][dim], k and v [batch][kv_heads][n][dim] of the cell's dtype. EINVAL also: the
 * adapter cannot compute it. */
ATTN_MUST_CHECK attn_status ext_prepare(ext *e, const cell *c, const attn_layout *layout, const void *q,
                                        const void *k, const void *v, attn_error *err);

/* One run, and what came out: o [batch][heads][n][dim]. EINVAL also: wrong shape or type. */
ATTN_MUST_CHECK attn_status ext_compute(ext *e, void *o, attn_error *err);

/* Nanoseconds of one run, the mean of `count`, by the adapter's clock; INFINITY once anything has failed, which
 * ext_status() tells. */
double ext_timed(ext *e, size_t count);
ATTN_MUST_CHECK attn_status ext_status(const ext *e, attn_error *err);

const char *ext_version(const ext *e); /* of what it adapts; "" when it does not say */
const char *ext_setup(const ext *e);   /* how it computes the problem, likewise */

/* Asks it to leave, ends it and all it started when it does not, reaps it, removes the files. NULL is fine. */
void ext_close(ext *e);

/* ---- verification (harness/ext_verify.c) ---- */

/* Compares sampled rows of o with the fp64 oracle. ATTN_EWRONG: a row is off by more than the tolerance of the dtype,
 * ||o - o*|| > t ||o*||, or not finite where it should be; empty rows are the adapter's to fill. */
ATTN_MUST_CHECK attn_status ext_verify(const cell *c, const attn_layout *layout, const void *q, const void *k,
                                       const void *v, const void *o, attn_error *err);
double ext_tolerance(attn_dtype dtype);

/* ---- its pieces ---- */

/* What an adapter answered: absent texts are "". (harness/ext_reply.c) */
typedef struct ext_reply {
    bool ok;
    int protocol; /* 0: not said */
    double ns;    /* NaN: not said */
    char error[EXT_TEXT], get[EXT_TEXT], version[EXT_TEXT], setup[EXT_TEXT], want[EXT_TEXT];
} ext_reply;

/* Reads one line by SQLite's JSON functions. False: not an object with a boolean `ok`. `json` is any open connection. */
bool ext_reply_read(sqlite3 *json, const char *line, size_t length, ext_reply *out);

/* A process and its pipes. (harness/ext_process.c) */
typedef struct ext_process {
    pid_t pid; /* leader of its own group; 0: none, or reaped */
    int in, out, err;
    char *line; /* what has come of the current answer */
    size_t used, capacity;
    char complaint[1024]; /* the end of what it wrote on stderr */
    size_t complained;
} ext_process;

typedef enum ext_heard { EXT_LINE, EXT_ENDED, EXT_SILENT, EXT_ENDLESS, EXT_NO_MEMORY } ext_heard;

bool ext_process_start(ext_process *p, const ext_start *how); /* false: errno */
void ext_process_tell(ext_process *p, const char *line);      /* a process that is gone shows when it is listened to */

/* The next line, without its end, for at most `seconds`. EXT_ENDLESS: more than a mebibyte without a line end. */
ext_heard ext_process_listen(ext_process *p, double seconds, char **line, size_t *length);

/* Closes the pipes, waits `patience` seconds, kills the group; the wait status. */
int ext_process_end(ext_process *p, double patience);

/* The last line of its complaints, printable, or "". */
const char *ext_process_last_words(ext_process *p, char *out, size_t size);

/* A folder for operands, in $TMPDIR, else /dev/shm, else /tmp; removed with its files by close. A lock in it says that
 * it is in use: opening one removes those whose processes were killed. (harness/ext_folder.c) */
typedef struct ext_folder {
    char path[512];
    int lock;
} ext_folder;

ATTN_MUST_CHECK attn_status ext_folder_open(ext_folder *f, attn_error *err);
void ext_folder_close(ext_folder *f);
void ext_folder_sweep(void);

#endif
