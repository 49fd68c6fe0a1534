/* Stores filled with made-up curves, for what reads them: fit, plots. */
#ifndef TESTS_SUPPORT_SYNTHETIC_H
#define TESTS_SUPPORT_SYNTHETIC_H

#include "harness/store.h"

typedef struct synthetic {
    store *store;
    recorder to;                /* takes the samples of the cell begun */
    const char *input, *kernel; /* of the cells begun next */
    size_t heads;
    int threads;
    /* inside */
    host host;
    store_run about;
    run_ticket ticket;
    samples samples;
    unsigned tick; /* later cells finish later */
    char spec[256], resolved[256], pattern[64];
    cell key;
    uint64_t pairs;
} synthetic;

/* Opens or makes the store at `path` and begins a run, labelled `label`, on a host of model `model`. The
 * structure must stay where it is. Failures end the test. */
void synthetic_open(synthetic *s, const char *path, const char *model, const char *label);

/* Another run; cells begun next belong to it. */
void synthetic_run(synthetic *s, const char *model, const char *label);

/* A cell: begin, record samples to `s->to`, end. Pairs are counted. */
void synthetic_begin(synthetic *s, const char *spec, size_t n);
void synthetic_end(synthetic *s);

/* A whole cell with everything that `attnlab run` records, from simple models: time follows the pairs. */
void synthetic_cell(synthetic *s, const char *spec, size_t n);

/* The host's limits, on 1 and 2 threads: rates of 50 (AVX2) and bandwidths of 160, 90, 65 and 20 a thread. */
void synthetic_peaks(synthetic *s);

void synthetic_close(synthetic *s);

#endif
