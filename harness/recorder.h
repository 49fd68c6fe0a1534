/* Where metrics put what they measured: samples in long form, so that a new metric needs no new column.
 *
 * A series is named like its column in the results ("time_ns", "rel_err", "counter.cycles") and has one unit.
 * Samples of a series are numbered in order of recording. What could not be measured is recorded as absent,
 * with the reason: never as 0. */
#ifndef HARNESS_RECORDER_H
#define HARNESS_RECORDER_H

#include <stdint.h>

typedef enum record_kind { RECORD_REAL, RECORD_INT, RECORD_TEXT, RECORD_ABSENT } record_kind;

/* One sample. The strings live only as long as the call that passes it. */
typedef struct record {
    const char *series;
    const char *unit;  /* NULL: text */
    record_kind kind;
    double real;       /* REAL, finite or infinite */
    int64_t integer;   /* INT */
    const char *text;  /* TEXT: the value; ABSENT: the reason */
} record;

/* A sink of samples: the store, a pipe to the parent process, a test. Taking a sample may not fail; a sink
 * that can, remembers the first failure and reports it when it is closed. */
typedef struct recorder {
    void (*take)(void *context, const record *sample);
    void *context;
} recorder;

void record_real(recorder *r, const char *series, const char *unit, double value); /* NaN: absent, "not a number" */
void record_int(recorder *r, const char *series, const char *unit, int64_t value);
void record_count(recorder *r, const char *series, const char *unit, uint64_t value); /* as int; as real beyond 2^63-1 */
void record_text(recorder *r, const char *series, const char *value);              /* e.g. stop_reason */
void record_absent(recorder *r, const char *series, const char *unit, const char *reason);

#endif
