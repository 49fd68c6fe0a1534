/* In which order the arms of a block are measured.
 *
 * The rows of a Williams design: a Latin square in which each arm follows each other arm equally often, so that neither the place
 * in a block nor what the process before left behind favours an arm. One square of k rows for an even number of arms k, a pair of
 * squares for an odd one [williams1949]. For two arms that is A B, B A. */
#ifndef HARNESS_ORDERS_H
#define HARNESS_ORDERS_H

#include <stddef.h>
#include <stdint.h>

enum { ORDERS_MOST_ARMS = 16 };

/* Rows of the whole design: k, or 2k where k is odd; 1 of one arm. */
size_t orders_rows(size_t arms);

/* Row `row` of it: out[place] is an arm. 1 <= arms <= ORDERS_MOST_ARMS, row < orders_rows(arms). */
void orders_row(size_t *out, size_t arms, size_t row);

/* The order of block `block` of a series, say a cell. Blocks form groups of orders_rows(arms), and each takes all rows in an order
 * drawn at random: a function of (seed, series, group). */
void orders_of_block(size_t *out, size_t arms, size_t block, uint64_t series, uint64_t seed);

#endif
