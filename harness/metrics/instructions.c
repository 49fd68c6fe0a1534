/* instructions: what one run of the plan takes, by valgrind (lane_callgrind.h).
 *
 *   instructions   executed by attn_plan_run() and what it calls
 *   data_reads     loads and stores among them, whatever their width; diagnostic: spills of the
 *   data_writes    compiler count like data
 *   counted_by     the tool and its version
 *
 * The measuring process only runs the plan, once; who started it under valgrind reads the counts. */
#include "harness/lane_callgrind.h"

static attn_status measure(bench *b, recorder *r, attn_error *err)
{
    (void)r;
    (void)err;
    attn_plan_run(b->plan, b->q, b->k, b->v, b->o, b->lse);
    return ATTN_OK;
}

const metric metric_instructions = {
    .name = "instructions",
    .summary = "instructions of one run, exactly, and data references: counted by valgrind, with --lane callgrind alone",
    .lanes = 1u << LANE_CALLGRIND,
    .unavailable = callgrind_unavailable,
    .measure = measure,
};
