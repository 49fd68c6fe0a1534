/* Metrics: each measures one thing about a cell, in its own pass.
 *
 * A metric is one file in harness/metrics/ that exports a const descriptor, and one line in
 * harness/metrics.inc. `run` calls the metrics of a cell one after the other on the same operands; a metric
 * that needs a process to itself says so. */
#ifndef HARNESS_METRIC_H
#define HARNESS_METRIC_H

#include "harness/cell.h"
#include "harness/ext.h"
#include "harness/lane.h"
#include "harness/recorder.h"
#include "harness/stop.h"

/* A cell ready to be measured. */
typedef struct bench {
    const cell *cell;
    const attn_layout *layout;
    attn_plan *plan;      /* NULL where `ext` computes */
    ext *ext;             /* an external kernel, prepared and verified; else NULL */
    void *q, *k, *v, *o;  /* of the cell's dtype; o is the metric's to overwrite */
    float *lse;           /* not written by external kernels */
    double seconds;       /* time this pass may take, about */
    size_t runs;          /* to be timed, one by one; 0: as many as the noise needs */
    bool cold;            /* q, k, v and o leave all caches before each timed run */
    stop_rule stop;       /* when to stop sampling */
    const char *events;   /* the user's file of counter events, or NULL */
} bench;

typedef struct metric {
    const char *name;     /* as in --metrics: "time" */
    const char *summary;
    unsigned lanes;       /* bit per lane it measures in; 0: the time lane */
    bool alone;           /* runs in a process that does nothing else for the cell */
    const char *(*unavailable)(void); /* why it cannot work here, or NULL; the callback may be NULL */
    /* A failure to measure is recorded as absent; an error fails the cell (out of memory, machine failed). */
    attn_status (*measure)(bench *b, recorder *r, attn_error *err);
} metric;

extern const metric *const metrics[]; /* from metrics.inc, ends with NULL */

#endif
