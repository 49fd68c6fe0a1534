/* One row by the definition, in fp64, from its combs: what a fast kernel falls back on for rows whose result
 * fp32 could not hold or non-finite inputs reached. Matches the oracle in every NaN and infinity. */
#ifndef KERNELS_EXACT_H
#define KERNELS_EXACT_H

#include "kernels/kernel.h"

/* Row r: o [dim] and its lse. combs: scratch for s->max_combs. */
void exact_row(const shape *s, const operands *x, size_t r, attn_comb *combs, float *o, float *lse);

#endif
