/* libFuzzer target: any bytes as an events file. It is refused in one line, or what was read keeps its bounds, every formula
 * has a value or a reason, and the list added to itself is the same again. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/perf_events.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void hold(bool condition, const char *what)
{
    if (condition)
        return;
    fprintf(stderr, "fuzz_events: %s\n", what);
    abort();
}

static bool is_name(const char *text)
{
    const size_t length = perf_name_span(text);
    return length && length < PERF_NAME_LENGTH && !text[length];
}

static void look_at(const perf_events *l)
{
    hold(l->set_count <= PERF_MOST_SETS && l->derived_count <= PERF_MOST_DERIVED, "too much");
    for (size_t s = 0; s < l->set_count; s++) {
        hold(is_name(l->sets[s].name) && l->sets[s].count && l->sets[s].count <= PERF_GROUP_EVENTS, "a set out of bounds");
        for (size_t i = 0; i < l->sets[s].count; i++)
            hold(is_name(l->sets[s].events[i].name) && l->sets[s].events[i].flops >= 0, "an event out of bounds");
    }
    for (size_t i = 0; i < l->derived_count; i++) {
        double operands[PERF_FORMULA_NAMES], value = (double)NAN;
        for (size_t n = 0; n < PERF_FORMULA_NAMES; n++)
            operands[n] = (double)n;
        if (*l->derived[i].why)
            continue;
        const char *why = perf_formula_value(&l->derived[i].formula, operands, &value);
        hold(why || isfinite(value), "no value and no reason");
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static perf_events list, again;
    char pmus[PERF_LINE_LENGTH];
    attn_error err = {0};
    attn_status status = perf_events_read(&list, pmus, "f", (const char *)data, size, &err);
    hold((status == ATTN_OK) == !*err.message && !strchr(err.message, '\n'), "a refusal without one line");
    if (status)
        return 0;
    hold(*pmus, "a file for no PMU");
    look_at(&list);
    again = list;
    hold(perf_events_add(&again, &list, &err) == ATTN_OK && again.set_count == list.set_count &&
             again.derived_count == list.derived_count, "a list and itself are more");
    hold(perf_events_check(&list, NULL) == perf_events_check(&again, NULL), "a list and itself differ");
    return 0;
}
