/* What `attnlab doctor` finds: one row per thing looked at, with what to do about it. */
#ifndef HARNESS_DOCTOR_H
#define HARNESS_DOCTOR_H

#include <stdbool.h>
#include <stddef.h>

#include "attn/status.h"
#include "harness/cli.h"
#include "harness/clock.h"
#include "harness/host.h"
#include "harness/perf_events.h"

typedef enum doctor_status {
    DOCTOR_OK,      /* fine */
    DOCTOR_NOTE,    /* to know when reading results */
    DOCTOR_WARNING, /* makes results worse; the advice says what helps */
    DOCTOR_MISSING  /* cannot be measured or used here; the value says why */
} doctor_status;

enum { DOCTOR_VALUE_LENGTH = 240 };

typedef struct doctor_row {
    const char *topic; /* "build", "machine", "kernels", "clock", "counters", "tools", "noise" */
    char name[48];
    char value[DOCTOR_VALUE_LENGTH];
    doctor_status status;
    const char *advice; /* NULL: none */
} doctor_row;

typedef struct doctor_report {
    doctor_row *rows;
    size_t count, capacity;
    bool failed; /* out of memory: rows are missing */
} doctor_report;

void doctor_free(doctor_report *d);

/* The topics, in order. doctor_noise() and doctor_clock() judge what they are given and look at nothing. */
void doctor_build(doctor_report *d);
void doctor_machine(doctor_report *d, const host *h);
void doctor_kernels(doctor_report *d);
void doctor_clock(doctor_report *d, clock_quality quality);
void doctor_counters(doctor_report *d, const perf_calls *calls, const perf_events *list, int paranoid);
void doctor_tools(doctor_report *d, const char *path); /* $PATH */
void doctor_noise(doctor_report *d, const host *h, const environment *e, clock_gaps gaps);

/* How good the machine is for timing, of 100: 15 less for each warning and 5 less for each note about the clock or noise. Adds a row. */
int doctor_score(doctor_report *d);

/* doctor --peaks, whole (harness/doctor_peaks.c): measures, keeps, prints. The exit code. */
int doctor_peaks(const args *a);

#endif
