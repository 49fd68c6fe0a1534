/* Shares of keys: how a few query rows against very many keys keep several threads busy.
 *
 * The keys of every tile are cut into shares, which are computed apart, each with a reference, a sum and an
 * unnormalised o of its own; whoever finishes the last share of a head joins them. How many shares there are
 * follows from the problem, never from the number of threads. */
#ifndef KERNELS_SHARES_H
#define KERNELS_SHARES_H

#include "kernels/kernel.h"

/* How many shares the keys of a program's tiles are worth cutting into, when all heads together have `tiles` tiles;
 * 1: as they are. */
uint32_t shares_worth(const program *p, double tiles);

/* Cuts them: the program then has every tile `shares` times, those of one share together. ENOMEM. */
attn_status shares_cut(program *p, uint32_t shares, attn_error *err);

/* What joining takes, for one thread. */
typedef struct joiner {
    float *row;        /* [dim] */
    attn_comb *combs;  /* for exact_row */
} joiner;

/* Writes all rows of o and lse from those of the shares; reference, sum and partial of x are of the first, and those of
 * the others follow it, [share][nq] and [share][nq][dim]. Returns how many rows fp64 had to compute. */
uint64_t shares_join(const shape *s, const operands *x, uint32_t shares, const joiner *with);

#endif
