/* Which query rows an accuracy pass looks at: all of them, or a seeded sample that can stand for all. */
#ifndef HARNESS_METRICS_ROWS_H
#define HARNESS_METRICS_ROWS_H

#include <stddef.h>
#include <stdint.h>

#include "attn/status.h"

typedef struct row_choice {
    size_t head;   /* batch * heads + query head */
    size_t row;
    double weight; /* rows that this one stands for; 1 where all are looked at */
} row_choice;

/* Chooses about `wanted` of heads * rows, ordered by head and row; *out is malloc'ed. A function of the
 * arguments alone.
 *
 * A sample takes heads stratified over all heads, as many as leave ROWS_PER_HEAD rows for each, and in each
 * head the first row, the last, and one row at random from each of equal strata between them. Weights sum to
 * heads * rows, so that weighted means estimate those over all rows without bias: the first and last row
 * stand for themselves (times the heads their head stands for). */
enum { ROWS_PER_HEAD = 16 };
ATTN_MUST_CHECK attn_status rows_choose(row_choice **out, size_t *count, size_t heads, size_t rows,
                                        double wanted, uint64_t seed, attn_error *err);

#endif
