/* Comparing two programs: other builds of attnlab, each measuring through its own command line, as the gate has them. */
#ifndef HARNESS_COMPARE_PROGRAMS_H
#define HARNESS_COMPARE_PROGRAMS_H

#include "harness/emit.h"
#include "harness/run.h"

typedef struct programs_request {
    run_request base;   /* specs, axes and what all cells share; seconds: for a process */
    const char *programs[2];
    size_t blocks;
    double threshold;   /* of the lane's costs */
} programs_request;

/* Measures A, B and A again in blocks and prints a row for each cell. EINVAL: a program that does not measure as attnlab does, with
 * what it said, or that refuses a cell. */
ATTN_MUST_CHECK attn_status compare_programs(const programs_request *r, emit_format format, bool *written, attn_error *err);

#endif
