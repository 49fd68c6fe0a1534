/* Which events are counted, as data: a set is one group, counted in one pass. */
#ifndef HARNESS_PERF_EVENTS_H
#define HARNESS_PERF_EVENTS_H

#include "harness/perf.h"

typedef struct perf_event {
    const char *name;  /* of the series, after "counter." */
    const char *unit;
    const char *event; /* libpfm4's name; without the PMU where the set names PMUs */
    bool kernel;       /* counts in the kernel too: needs perf_event_paranoid <= 1 */
    double flops;      /* floating-point operations that one count stands for; 0: none */
} perf_event;

typedef struct perf_set {
    const char *name;
    const char *pmus;  /* libpfm4's names of the core PMUs that have the set, space-separated; NULL: all */
    bool software;     /* counted by the kernel, without a PMU */
    perf_event events[PERF_GROUP_EVENTS]; /* ends at the first without a name */
} perf_set;

extern const perf_set perf_sets[]; /* ends with one without a name */

size_t perf_set_size(const perf_set *set);

/* Whether the set is for this core PMU (NULL: none known). */
bool perf_set_fits(const perf_set *set, const char *pmu);

/* Encodes event `index` of the set for the core PMU; false with the reason in `why`. */
bool perf_set_encode(const perf_set *set, size_t index, const char *pmu, struct perf_event_attr *out,
                     const char **why);

#endif
