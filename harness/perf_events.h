/* Which events are counted, and what is derived from them, as data: files in harness/metrics/events, built into the
 * program, and files of the user's. docs/MEASUREMENT.md, section Counters, describes their format:
 *
 *   for PMU... | any                               the core PMUs the file is for, as libpfm4 calls them; first of all
 *   set NAME                                       a group of events, counted together in one pass
 *   event NAME UNIT EVENT [flops=N] [kernel]       one of the set before
 *   derive NAME UNIT = FORMULA                     of events, of the model's figures, of what else is derived
 *   absent NAME UNIT REASON                        what cannot be derived here, and why
 *
 * A list is made of any.txt, the file for the CPU, and the user's, in this order: a set or something derived replaces
 * what had its name before. */
#ifndef HARNESS_PERF_EVENTS_H
#define HARNESS_PERF_EVENTS_H

#include "harness/perf.h"
#include "harness/perf_formula.h"

enum {
    PERF_MOST_SETS = 16,
    PERF_MOST_DERIVED = 32,
    PERF_MOST_EVENTS = PERF_MOST_SETS * PERF_GROUP_EVENTS,
    PERF_UNIT_LENGTH = 16,
    PERF_EVENT_LENGTH = 192,
    PERF_WHY_LENGTH = 120,
    PERF_PLACE_LENGTH = 80,
    PERF_LINE_LENGTH = 240,
    PERF_FILE_BYTES = 65536
};

typedef struct perf_event {
    char name[PERF_NAME_LENGTH]; /* of the series, after "counter." */
    char unit[PERF_UNIT_LENGTH];
    char event[PERF_EVENT_LENGTH]; /* libpfm4's name; without "::" of the core PMU */
    bool kernel;                   /* counts in the kernel too: needs perf_event_paranoid <= 1 */
    double flops;                  /* floating-point operations that one count stands for; 0: none */
    size_t line;
} perf_event;

typedef struct perf_set {
    char name[PERF_NAME_LENGTH];
    char file[PERF_PLACE_LENGTH];
    size_t line, count;
    perf_event events[PERF_GROUP_EVENTS];
} perf_set;

typedef struct perf_derived {
    char name[PERF_NAME_LENGTH]; /* of the series, after "derived." */
    char unit[PERF_UNIT_LENGTH];
    char file[PERF_PLACE_LENGTH];
    size_t line;
    perf_formula formula;
    char why[PERF_WHY_LENGTH]; /* not "": there is no formula, for this reason */
} perf_derived;

typedef struct perf_events {
    char files[3 * PERF_PLACE_LENGTH]; /* "any amd-zen3"; the user's with a hash of its bytes */
    char pmu[PERF_NAME_LENGTH];        /* the core PMU; "": none known */
    perf_set sets[PERF_MOST_SETS];
    perf_derived derived[PERF_MOST_DERIVED];
    size_t set_count, derived_count;
} perf_events;

/* What formulas may name beside events and what is derived: flops_measured, the sum of counts times their flops, and
 * figures of the plan. Ends with NULL. */
extern const char *const perf_model_names[];

/* ---- choosing, perf_events.c ---- */

/* The list for a core PMU (NULL: none known), with the user's `file` (or NULL). *out is malloc'ed. EINVAL: what is
 * wrong in `file`, as FILE:LINE, be it that it is for other CPUs or that libpfm4 does not know an event. */
ATTN_MUST_CHECK attn_status perf_events_choose(perf_events **out, const char *core_pmu, const char *file,
                                               attn_error *err);

/* Encodes an event for the list's PMU; false with the reason in `why`. */
bool perf_event_encode(const perf_events *list, const perf_event *e, struct perf_event_attr *out, const char **why);

/* The files built in. */
typedef struct perf_file {
    const char *name; /* "amd-zen3" */
    const char *text;
} perf_file;
extern const perf_file perf_files[]; /* ends with one without a name */

/* ---- reading, perf_events_read.c: text alone, no libpfm4, no files ---- */

/* Reads a file's text into a list of its own. `pmus`: those of its `for`, space-separated; "any" for all. EINVAL:
 * NAME:LINE and what would be right. */
ATTN_MUST_CHECK attn_status perf_events_read(perf_events *out, char pmus[PERF_LINE_LENGTH], const char *name,
                                             const char *text, size_t size, attn_error *err);

/* Whether a list of PMUs as above holds this one (NULL: none known). */
bool perf_events_fit(const char *pmus, const char *pmu);

/* Adds `more`, whose sets and derived values take the place of those with their names. EINVAL: too much, or one name
 * for two things. */
ATTN_MUST_CHECK attn_status perf_events_add(perf_events *list, const perf_events *more, attn_error *err);

/* Whether every formula names what there is, and none itself by way of others. */
ATTN_MUST_CHECK attn_status perf_events_check(const perf_events *list, attn_error *err);

#endif
