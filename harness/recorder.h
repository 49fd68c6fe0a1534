/* Where metrics put what they measured: samples in long form, so that a new metric needs no new column.
 *
 * A series is named like its column in the results ("time_ns", "rel_err", "counter.cycles") and has one unit.
 * Samples of a series are numbered in order of recording. What could not be measured is recorded as absent,
 * with the reason: never as 0. */
#ifndef HARNESS_RECORDER_H
#define HARNESS_RECORDER_H

#include <stdint.h>

typedef struct recorder recorder;

void record_real(recorder *r, const char *series, const char *unit, double value); /* NaN: absent, "not a number" */
void record_int(recorder *r, const char *series, const char *unit, int64_t value);
void record_text(recorder *r, const char *series, const char *value);              /* e.g. stop_reason */
void record_absent(recorder *r, const char *series, const char *unit, const char *reason);

#endif
