/* The instruction lane: a cell under valgrind's callgrind, which counts the instructions of one run of the plan.
 *
 * Collection is toggled round attn_plan_run(), the symbol that every attnlab exports, so the counts hold neither the making
 * of inputs nor planning, and any revision's program can be counted. The count of a given program file is exact: one thread,
 * the same inputs, functions bound before the start, and an address space that valgrind lays out. Data references come from
 * the same run and are diagnostic.
 *
 * Valgrind knows neither AVX-512 nor AMX. They are switched off for the planner and the process counted, so that what is
 * counted is the AVX2 or the portable body; a kernel that needs them is refused. */
#ifndef HARNESS_LANE_CALLGRIND_H
#define HARNESS_LANE_CALLGRIND_H

#include <stdint.h>

#include "harness/run.h"

/* Why it cannot be used here ("valgrind is not installed ..."), or NULL. */
const char *callgrind_unavailable(void);

/* Makes a request one of this lane: one thread, a kernel that valgrind can run; switches the rest of the CPU off for this
 * process and its children. EINVAL says what does not go together with the lane. */
ATTN_MUST_CHECK attn_status callgrind_adapt(run_request *r, attn_error *err);

/* Whether valgrind can run the kernel. EINVAL: why not. */
ATTN_MUST_CHECK attn_status callgrind_check_kernel(const char *name, attn_error *err);

/* What one run of the plan took. */
typedef struct callgrind_counts {
    uint64_t instructions, data_reads, data_writes;
    char tool[48]; /* "callgrind-3.19.0" */
} callgrind_counts;

/* Reads what callgrind wrote. EINTERNAL: it is not complete, or nothing was counted. */
ATTN_MUST_CHECK attn_status callgrind_parse(callgrind_counts *out, FILE *file, attn_error *err);

/* ---- for run_process() ---- */

/* A process to be started under valgrind, and the file in memory that its counts go to. */
typedef struct callgrind_start {
    int file; /* -1: none */
    char out[96], program[64];
    const char *words[12]; /* what goes before the program's own arguments, the program included */
    size_t count;
} callgrind_start;

ATTN_MUST_CHECK attn_status callgrind_open(callgrind_start *c, const char *program, attn_error *err);
void callgrind_close(callgrind_start *c);

/* In the child: becomes valgrind; returns only where that fails. */
void callgrind_become(char *const *arguments);

/* After the child's end: its counts as samples. */
ATTN_MUST_CHECK attn_status callgrind_take(const callgrind_start *c, samples *out, attn_error *err);

#endif
