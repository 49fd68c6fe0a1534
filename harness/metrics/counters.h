/* The counters metric behind its table of calls, for tests. */
#ifndef HARNESS_METRICS_COUNTERS_H
#define HARNESS_METRICS_COUNTERS_H

#include "harness/metric.h"
#include "harness/perf.h"

/* core_pmu as from perf_core_pmu(), paranoid as from perf_paranoid(). */
ATTN_MUST_CHECK attn_status counters_measure(bench *b, recorder *r, const perf_calls *calls,
                                             const char *core_pmu, int paranoid, attn_error *err);

#endif
