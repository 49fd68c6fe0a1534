/* Samples on their way to a sink. */
#include "harness/recorder.h"

#include <math.h>
#include <stddef.h>

static void take(recorder *r, record sample)
{
    r->take(r->context, &sample);
}

void record_real(recorder *r, const char *series, const char *unit, double value)
{
    if (isnan(value))
        record_absent(r, series, unit, "not a number");
    else
        take(r, (record){.series = series, .unit = unit, .kind = RECORD_REAL, .real = value});
}

void record_int(recorder *r, const char *series, const char *unit, int64_t value)
{
    take(r, (record){.series = series, .unit = unit, .kind = RECORD_INT, .integer = value});
}

void record_count(recorder *r, const char *series, const char *unit, uint64_t value)
{
    if (value <= INT64_MAX)
        record_int(r, series, unit, (int64_t)value);
    else
        record_real(r, series, unit, (double)value);
}

void record_text(recorder *r, const char *series, const char *value)
{
    take(r, (record){.series = series, .kind = RECORD_TEXT, .text = value});
}

void record_absent(recorder *r, const char *series, const char *unit, const char *reason)
{
    take(r, (record){.series = series, .unit = unit, .kind = RECORD_ABSENT, .text = reason});
}
