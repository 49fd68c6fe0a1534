/* attnlab run, in pieces: what was asked for, the cells it means, a child process that measures one of them,
 * and the rows that come out. */
#ifndef HARNESS_RUN_H
#define HARNESS_RUN_H

#include <stdbool.h>
#include <stdio.h>

#include "harness/emit.h"
#include "harness/metric.h"
#include "harness/progress.h"
#include "harness/store.h"

enum { RUN_MOST_METRICS = 16, RUN_METRICS_LENGTH = 256 };

/* ---- metrics by name (harness/run_metrics.c) ---- */

/* Some of the metrics, in the order of the registry. */
typedef struct metric_set {
    const metric *at[RUN_MOST_METRICS];
    size_t count;
    char names[RUN_METRICS_LENGTH]; /* "time,flops" */
} metric_set;

/* `text` is "all" or a list of names. EINVAL: an unknown name, or one given that cannot work here or in this lane; "all"
 * are those that can. */
attn_status metric_set_parse(metric_set *out, const char *text, lane in, attn_error *err);

/* The members with the given `alone`. */
metric_set metric_set_split(const metric_set *all, bool alone);
metric_set metric_set_one(const metric *m);
bool metric_set_has(const metric_set *set, const char *name);

/* ---- the sweep (harness/run_sweep.c) ---- */

/* The command line, parsed. Everything it points to belongs to the caller. */
typedef struct run_request {
    const char *const *specs;
    const size_t *ns, *dims;
    size_t spec_count, n_count, dim_count;
    size_t batch, heads, kv_heads;
    attn_dtype dtype;
    direction direction;
    const char *kernel; /* "auto", a name, or "ext:NAME" */
    const char *const *exts; /* the values of --ext */
    size_t ext_count;
    double ext_timeout;
    attn_plan_mode plan;
    const char *lowering; /* NULL: the planner's choice */
    int threads;        /* 0: all */
    const char *input;
    uint64_t seed;
    double seconds; /* for one pass of one cell */
    size_t runs;    /* to be timed, one by one; 0: as many as the noise needs */
    lane lane;
    const char *stop; /* a rule of harness/stop.h; NULL: as many samples as the noise needs */
    double inject;  /* share of the work that is repeated, to try who notices; 0: none */
    size_t shard, shards; /* of the cells, only every shards-th from the shard-th on; 0: all */
    const char *program; /* another attnlab that measures; NULL: this one */
    metric_set metrics;
    const char *events; /* a file of counter events, or NULL */
    const char *const *plugins;
    size_t plugin_count;
    const char *label; /* or NULL */
} run_request;

/* A cell checked and planned. */
typedef struct sweep_cell {
    cell key;
    store_cell about;
    char *spec, *spec_resolved, *kernel, *isa; /* what the two above point to */
    char lowering[32];
    const char *chosen_by;
} sweep_cell;

typedef struct sweep {
    sweep_cell *cells;
    size_t count;
} sweep;

/* The problem a cell poses to the planner. */
attn_problem run_problem(const run_request *r, const cell *k, const attn_layout *layout);

/* All cells: for each spec, each n, each dim, those met before left out. Every one is checked as far as it
 * can be without measuring: the spec at its n, the input, sizes, the kernel, the memory needed. */
attn_status sweep_create(sweep *out, const run_request *request, attn_error *err);
void sweep_destroy(sweep *s);

/* Whether the request's kernel, if it is an external one, is there at all. */
attn_status run_check_external(const run_request *r, attn_error *err);

/* What a measurement of this request has to be marked with, so that nobody takes it for another kind. */
void run_mark(const run_request *r, samples *list);

/* "strided:l=sqrt(n) n=4096 d=64", for messages. */
void sweep_cell_name(const sweep_cell *c, char *out, size_t size);

/* The line that repeats the run, quoted for a shell, with everything that was left to defaults; free() it. */
char *run_command_line(const run_request *request, int threads);

/* ---- measuring (harness/run_process.c, harness/cmd_cell.c, harness/run_wire.c) ---- */

/* From the first on, SIGINT, SIGTERM and SIGHUP end nothing by themselves; the second tells whether one has
 * come. Those that were ignored stay so. */
void run_signals_catch(void);
bool run_signals_look(void);

/* Measures `metrics` of a cell in a fresh process, adding to `out`. A process that dies is an error that says
 * how: ATTN_ENOMEM where the kernel killed it, else ATTN_EINTERNAL. An external kernel's failures are ATTN_EINVAL, its
 * wrong numbers ATTN_EWRONG. A signal kills the
 * process; run_signals_look() then says so. */
attn_status run_process(const run_request *request, const sweep_cell *c, const metric_set *metrics,
                        samples *out, const progress *p, attn_error *err);

/* One line from the child to its parent. */
typedef struct wire_line {
    enum { WIRE_SAMPLE, WIRE_METRIC, WIRE_ERROR, WIRE_DONE } kind;
    record sample;
    const char *text; /* METRIC: the one that begins; ERROR: the message */
    attn_status status;
} wire_line;

void wire_send_sample(FILE *out, const char *series, const char *unit, const sample *s);
void wire_send(FILE *out, const wire_line *line); /* the other kinds */

/* Cuts up `text`, one line without its end; the result points into it. False when it is not one of ours. */
bool wire_read(char *text, wire_line *out);

/* ---- plans (harness/run_explain.c) ---- */

/* How every cell would be computed, and why; nothing is measured but what --plan asks for. */
attn_status run_explain(FILE *out, emit_format format, const run_request *r, const sweep *cells, attn_error *err);

/* ---- rows (harness/run_rows.c) ---- */

typedef struct row_printer row_printer;

/* Tables show the columns that `in` measures; other formats show all. */
attn_status row_printer_open(row_printer **out, store *s, FILE *stream, emit_format format, lane in, attn_error *err);
attn_status row_print(row_printer *p, const char *measurement_id, attn_error *err);
bool row_printer_close(row_printer *p); /* false when the stream failed */

#endif
