/* History: what was measured of one cell over time, program by program, and where its level changed.
 *
 * A point is a visit: consecutive runs of one program (the same commit and compiler, and if sources differed from the commit, the
 * same binary). Runs of a visit share a state of the machine, so that they count once, however many they are. The newest visit
 * may still grow; changes are looked for in those before it, and so are never taken back when runs are added. */
#ifndef HARNESS_HISTORY_H
#define HARNESS_HISTORY_H

#include "harness/changes.h"
#include "harness/store.h"

/* The median over the runs of a visit of the medians of their samples. */
typedef struct history_point {
    char *run_id, *finished; /* of the first run's measurement of the cell */
    char *revision;          /* commit, "" outside a repository */
    bool dirty;
    char *compiler, *binary;
    double value;            /* > 0 */
    size_t runs;
} history_point;

/* What is comparable: one host, build mode and cell. The same whatever the lowering. */
typedef struct history_series {
    char *host, *mode, *spec, *dtype, *direction, *kernel, *input, *unit;
    int64_t n, dim, heads, kv_heads, batch, threads, seed;
    history_point *at; /* in order of time */
    size_t count;
    change *changes;   /* of the logarithms; levels are exp(before), exp(after) */
    size_t change_count;
    size_t left_out;   /* visits whose value is not above 0, which has no logarithm */
} history_series;

typedef struct history {
    history_series *at;
    size_t count;
} history;

typedef struct history_filter {
    const char *const *specs; /* canonical; none: all */
    size_t spec_count;
    const size_t *sizes;      /* none: all */
    size_t size_count;
    const char *kernel, *label; /* NULL: any */
    const char *what;         /* the series of samples: "time_ns" */
} history_filter;

/* EINVAL: nothing passes the filter. Release with history_free. */
attn_status history_read(history *out, store *s, const history_filter *filter, attn_error *err);
void history_free(history *h);

/* The size of a change, 0.05: five per cent more. */
double history_size_of(const change *c);

#endif
