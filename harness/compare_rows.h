/* Comparisons as rows of a table: the same columns, digits and words wherever they are shown. */
#ifndef HARNESS_COMPARE_ROWS_H
#define HARNESS_COMPARE_ROWS_H

#include "harness/compare.h"
#include "harness/emit.h"

/* The columns that every table of comparisons has, by enumerators of these names. */
#define COMPARE_COLUMNS \
    [NS_A] = {"time_ns_a", "time A", EMIT_NS}, \
    [NS_B] = {"time_ns_b", "time B", EMIT_NS}, \
    [COUNT_A] = {"instructions_a", "instructions A", EMIT_COUNT}, \
    [COUNT_B] = {"instructions_b", "instructions B", EMIT_COUNT}, \
    [RATIO] = {"ratio", "B / A", EMIT_FIXED3}, \
    [LO] = {"ratio_lo", "95% from", EMIT_FIXED3}, \
    [HI] = {"ratio_hi", "to", EMIT_FIXED3}, \
    [VERDICT] = {"verdict", "verdict", EMIT_PLAIN}, \
    [BLOCKS] = {"blocks", "blocks", EMIT_PLAIN}, \
    [DROPPED] = {"dropped", "dropped", EMIT_PLAIN}, \
    [NEEDED] = {"blocks_needed", "would decide", EMIT_PLAIN},

/* NULL: out of memory. */
emitter *compare_rows_open(FILE *out, emit_format format);
void compare_row(emitter *out, emit_format format, const compare_request *r, const comparison *c);

#endif
