/* Comparisons as rows of a table: the same columns, digits and words wherever they are shown. */
#ifndef HARNESS_COMPARE_ROWS_H
#define HARNESS_COMPARE_ROWS_H

#include "harness/compare.h"
#include "harness/emit.h"

/* NULL: out of memory. */
emitter *compare_rows_open(FILE *out, emit_format format);
void compare_row(emitter *out, emit_format format, const compare_request *r, const comparison *c);

#endif
