/* A growing list of samples, and the recorder that fills it: what one measurement found, held in memory until
 * it is over. */
#ifndef HARNESS_SAMPLES_H
#define HARNESS_SAMPLES_H

#include <stdbool.h>
#include <stddef.h>

#include "harness/recorder.h"

typedef struct series {
    char *name, *unit; /* unit "" for text */
    size_t count;      /* samples so far: the next one's number */
} series;

typedef struct sample {
    size_t series, rep;
    record_kind kind;
    double real;
    int64_t integer;
    char *text; /* the value of TEXT, the reason of ABSENT, else NULL */
} sample;

typedef struct samples {
    series *series;
    size_t series_count, series_capacity;
    sample *at;
    size_t count, capacity;
    bool failed; /* out of memory: the list lacks samples */
} samples;

/* Appends a copy. Text without a unit and NULL are kept as "". */
void samples_add(samples *list, const record *r);

/* A recorder that appends to `list`, which must outlive it. */
recorder samples_recorder(samples *list);

/* The least of a series of reals; NaN where there is none. */
double samples_least(const samples *list, const char *series);

void samples_free(samples *list); /* leaves an empty list */

#endif
