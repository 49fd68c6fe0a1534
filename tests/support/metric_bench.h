/* A small problem ready to be measured, and a recorder that remembers what it was told. */
#ifndef TESTS_SUPPORT_METRIC_BENCH_H
#define TESTS_SUPPORT_METRIC_BENCH_H

#include "harness/metric.h"

typedef struct metric_bench {
    cell cell;
    attn_spec *spec;
    attn_layout *layout;
    bench bench;
} metric_bench;

/* Seeded N(0,1) tensors; failures end the test. `c.kernel` may be NULL: the planner's choice; kv_heads,
 * batch and threads 0: heads, 1 and 1. */
void metric_bench_open(metric_bench *m, cell c, double seconds);
void metric_bench_close(metric_bench *m);

enum { CAPTURED = 1100 }; /* as many as the 1000 timings of a pass, and what goes with them */

typedef struct captured {
    char series[64], unit[16], text[512];
    record_kind kind;
    double number; /* of REAL and INT */
} captured;

typedef struct capture {
    recorder recorder;
    size_t count;
    captured at[CAPTURED];
} capture;

void capture_start(capture *c);

/* Measures, and fails the test on an error. */
void capture_metric(capture *c, const char *metric, metric_bench *m);

size_t capture_samples(const capture *c, const char *series);            /* how many */
const captured *capture_find(const capture *c, const char *series);      /* the first, or NULL */
double capture_number(const capture *c, const char *series);    /* of the only one; else fails the test */
const char *capture_text(const capture *c, const char *series); /* value of TEXT, reason of ABSENT, or "" */

#endif
