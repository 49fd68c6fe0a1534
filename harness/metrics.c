/* The table of metrics, in the order in which a cell is measured. */
#include "harness/metric.h"

#include <stddef.h>

#define METRIC(name) extern const metric metric_##name;
#include "harness/metrics.inc"
#undef METRIC

#define METRIC(name) &metric_##name,
const metric *const metrics[] = {
#include "harness/metrics.inc"
    NULL,
};
