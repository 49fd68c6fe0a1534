/* What the counting (counters.c) hands to the recording (counters_record.c). */
#ifndef HARNESS_METRICS_COUNTERS_PARTS_H
#define HARNESS_METRICS_COUNTERS_PARTS_H

#include "harness/metric.h"
#include "harness/perf_events.h"

enum { COUNTER_WINDOWS = 5 };

typedef struct tally {
    const perf_event *event;
    const perf_set *set;
    bool software;       /* counted by the kernel, without a PMU */
    struct perf_event_attr attr;
    perf_count last;     /* of the last window, or why there is none */
    char reason[PERF_REASON_LENGTH];
    double samples[COUNTER_WINDOWS];
    size_t count;
    double running;
} tally;

/* Records the counts, what is derived from them, and how counting went. `cost`: of the plan. `accounts`: how many came
 * from the process's own accounts. */
void counters_record(recorder *r, const perf_events *list, const tally *tallies, size_t count, const attn_cost *cost,
                     size_t accounts);

#endif
