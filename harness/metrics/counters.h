/* The counters metric behind its table of calls, for tests. */
#ifndef HARNESS_METRICS_COUNTERS_H
#define HARNESS_METRICS_COUNTERS_H

#include "harness/metric.h"
#include "harness/perf_events.h"

/* paranoid as from perf_paranoid(). */
ATTN_MUST_CHECK attn_status counters_measure(bench *b, recorder *r, const perf_calls *calls, const perf_events *list,
                                             int paranoid, attn_error *err);

#endif
