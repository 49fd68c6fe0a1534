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
    const char *db;     /* the store: the runs of A, B and A again go there, labelled */
    const char *labels[3];
} programs_request;

/* Measures A, B and A again in blocks, stores them and prints a row for each cell. EINVAL: a program that does not measure as attnlab
 * does, with what it said, whose database is newer than this program, or that refuses a cell. EIO with run_signals_look(): interrupted.
 * What was measured is stored in either case, and where it
 * cannot be, stays in a folder that is named. */
ATTN_MUST_CHECK attn_status compare_programs(const programs_request *r, emit_format format, bool *written, attn_error *err);

#endif
