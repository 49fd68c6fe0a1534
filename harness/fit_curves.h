/* Curves of a store: what was measured at several n with everything else equal, for fit. */
#ifndef HARNESS_FIT_CURVES_H
#define HARNESS_FIT_CURVES_H

#include <stdbool.h>
#include <stddef.h>

#include "harness/store.h"

/* One point of a curve; NaN: not measured. */
typedef struct curve_point {
    double n;
    double flops;     /* useful, from the exact pair count */
    double time_ns;   /* median */
    double workspace; /* bytes */
    double tensors;   /* bytes of q, k, v, o and lse */
    double rss;       /* peak resident bytes of the process */
} curve_point;

typedef struct curve {
    char *spec, *input, *dtype, *direction;
    char *kernel; /* several, joined by '+', where the planner chose differently along n */
    long long heads, kv_heads, dim, batch, threads, seed;
    curve_point *at; /* ascending n, each once */
    size_t count;
} curve;

typedef struct curve_filter {
    const char *const *specs; /* canonical; none: all */
    size_t spec_count;
    const char *label;  /* NULL: any */
    const char *run_id; /* a prefix; NULL: any */
    size_t n_min;
} curve_filter;

/* The newest finished measurement of every cell that passes the filter, on one host: that of the newest
 * measurement among them. Sets *others when other hosts were left out. Release with curves_free. */
attn_status curves_read(store *s, const curve_filter *filter, curve **out, size_t *count, bool *others,
                        attn_error *err);
void curves_free(curve *curves, size_t count);

#endif
