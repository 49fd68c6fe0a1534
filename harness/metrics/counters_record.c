/* Counts into series: medians, what formulas make of them, and a status.
 *
 * A formula whose operand has no value has none, for the operand's reason; one whose operand is an estimate is one. */
#include "harness/metrics/counters_parts.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "harness/stats.h"

/* What a formula can name: an event, a figure of the model, something derived. */
typedef struct quantity {
    const char *name;
    double value;
    const char *reason; /* NULL: there is a value */
    bool scaled;        /* it is an estimate: a counter behind it did not run all the time */
} quantity;

enum { MODEL_FIGURES = 5, MOST_QUANTITIES = PERF_MOST_EVENTS + MODEL_FIGURES + PERF_MOST_DERIVED };

typedef struct quantities {
    quantity at[MOST_QUANTITIES];
    size_t count;
} quantities;

static const quantity *find(const quantities *q, const char *name)
{
    for (size_t i = 0; i < q->count; i++)
        if (strcmp(q->at[i].name, name) == 0)
            return &q->at[i];
    return NULL;
}

/* ---- what formulas start from ---- */

static quantity counted(const tally *t)
{
    quantity q = {.name = t->event->name, .reason = t->count ? NULL : t->reason, .scaled = t->count && t->running < 1};
    double sorted[COUNTER_WINDOWS];
    memcpy(sorted, t->samples, sizeof sorted);
    if (t->count)
        q.value = stats_median(sorted, t->count, 0.95).median;
    return q;
}

static quantity flops_measured(const tally *tallies, const quantities *events)
{
    quantity sum = {.name = "flops_measured", .reason = "no known counter of floating-point operations on this CPU"};
    for (size_t i = 0; i < events->count; i++) {
        const quantity *q = &events->at[i];
        if (tallies[i].event->flops <= 0)
            continue;
        sum.reason = q->reason;
        sum.value += tallies[i].event->flops * q->value;
        sum.scaled = sum.scaled || q->scaled;
        if (q->reason)
            break;
    }
    return sum;
}

static void gather(quantities *q, const tally *tallies, size_t count, const attn_cost *cost)
{
    for (size_t i = 0; i < count; i++)
        q->at[q->count++] = counted(&tallies[i]);
    const quantity measured = flops_measured(tallies, q);
    const quantity model[MODEL_FIGURES] = {
        measured,
        {.name = "flops_useful", .value = (double)cost->flops_useful},
        {.name = "flops_executed", .value = (double)cost->flops_executed},
        {.name = "bytes_model", .value = (double)cost->bytes_model},
        {.name = "pairs_total", .value = (double)cost->pairs_total},
    };
    memcpy(q->at + q->count, model, sizeof model);
    q->count += MODEL_FIGURES;
}

/* ---- formulas ---- */

/* False: an operand is still to be derived. */
static bool derive(const quantities *known, const perf_derived *d, quantity *out)
{
    double operands[PERF_FORMULA_NAMES];
    *out = (quantity){.name = d->name, .reason = *d->why ? d->why : NULL};
    for (size_t n = 0; n < d->formula.name_count; n++) {
        const quantity *q = find(known, d->formula.names[n]);
        if (!q)
            return false;
        operands[n] = q->value;
        out->scaled = out->scaled || q->scaled;
        if (!out->reason)
            out->reason = q->reason;
    }
    if (!out->reason)
        out->reason = perf_formula_value(&d->formula, operands, &out->value);
    out->scaled = out->scaled && !out->reason;
    return true;
}

/* In whatever order the formulas stand; none names itself by way of others (perf_events_check). */
static void derive_all(quantities *q, const perf_events *list)
{
    const size_t all = q->count + list->derived_count;
    for (size_t before = 0; q->count < all && q->count != before;) {
        before = q->count;
        for (size_t i = 0; i < list->derived_count; i++)
            if (!find(q, list->derived[i].name) && derive(q, &list->derived[i], &q->at[q->count]))
                q->count++;
    }
}

/* ---- recording ---- */

static void record_quantity(recorder *r, const char *series, const char *unit, const quantity *q)
{
    if (!q || q->reason)
        record_absent(r, series, unit, q ? q->reason : "derived from itself");
    else
        record_real(r, series, unit, q->value);
}

static void record_counts(recorder *r, const tally *tallies, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char series[PERF_NAME_LENGTH + 16];
        snprintf(series, sizeof series, "counter.%s", tallies[i].event->name);
        for (size_t s = 0; s < tallies[i].count; s++)
            record_real(r, series, tallies[i].event->unit, tallies[i].samples[s]);
        if (tallies[i].count == 0)
            record_absent(r, series, tallies[i].event->unit, tallies[i].reason);
    }
}

static void record_derived(recorder *r, const perf_events *list, const quantities *q)
{
    record_quantity(r, "flops_measured", "flop", find(q, "flops_measured"));
    for (size_t i = 0; i < list->derived_count; i++) {
        char series[PERF_NAME_LENGTH + 16];
        snprintf(series, sizeof series, "derived.%s", list->derived[i].name);
        record_quantity(r, series, list->derived[i].unit, find(q, list->derived[i].name));
    }
}

static void record_scaled(recorder *r, const quantities *q)
{
    char names[MOST_QUANTITIES * PERF_NAME_LENGTH] = "none";
    size_t used = 0;
    for (size_t i = 0; i < q->count; i++)
        if (q->at[i].scaled)
            used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", used ? " " : "", q->at[i].name);
    record_text(r, "counters_scaled", names);
}

static void record_status(recorder *r, const tally *tallies, size_t count, size_t accounts)
{
    const tally *missing = NULL, *hardware_missing = NULL;
    size_t hardware = 0, software = 0;
    double running = 1;
    for (size_t i = 0; i < count; i++) {
        const tally *t = &tallies[i];
        if (t->count == 0 && !missing)
            missing = t;
        if (t->count == 0 && !t->software && !hardware_missing)
            hardware_missing = t;
        hardware += t->count && !t->software;
        software += t->count && t->software;
        if (t->count)
            running = fmin(running, t->running);
    }
    char text[2 * PERF_REASON_LENGTH + 80];
    if (hardware == 0 && software == 0)
        snprintf(text, sizeof text, "none: %s", missing ? missing->reason : "no events");
    else if (hardware == 0)
        snprintf(text, sizeof text, "software only%s: %s",
                 accounts ? " (from the process's own accounts)" : "",
                 hardware_missing ? hardware_missing->reason : "no hardware events known");
    else if (missing)
        snprintf(text, sizeof text, "partial: %s: %s", missing->event->name, missing->reason);
    else if (running < 1)
        snprintf(text, sizeof text, "scaled: a counter ran %.0f%% of the time, its value is an estimate",
                 running * 100);
    else
        snprintf(text, sizeof text, "ok");
    record_text(r, "counters_status", text);
    if (hardware)
        record_real(r, "counters_running", "fraction", running);
    else
        record_absent(r, "counters_running", "fraction", "no hardware counter");
}

void counters_record(recorder *r, const perf_events *list, const tally *tallies, size_t count, const attn_cost *cost,
                     size_t accounts)
{
    quantities q = {.count = 0};
    gather(&q, tallies, count, cost);
    derive_all(&q, list);
    record_counts(r, tallies, count);
    record_derived(r, list, &q);
    record_scaled(r, &q);
    record_status(r, tallies, count, accounts);
    record_text(r, "counters_events", list->files);
}
