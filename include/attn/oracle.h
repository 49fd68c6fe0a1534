/* The oracle: attention by its definition, in fp64, from allows() alone. It never sees a comb, so a
 * disagreement with a kernel exposes layout bugs as well as kernel bugs. O(nk) a row; single-threaded. */
#ifndef ATTN_ORACLE_H
#define ATTN_ORACLE_H

#include "attn/layout.h"

#ifdef __cplusplus
extern "C" {
#endif

/* One row of one head.
 *
 *   q [dim], k, v [nk][dim]   fp64, of the head's own q and of the kv head it reads
 *   scores [nk]               scratch: holds scale * q.k where allowed, -INFINITY elsewhere, on return
 *   o [dim], lse              zeros and -INFINITY for an empty row
 *
 * The dense reference of a pattern error is this function on a `dense` layout. */
ATTN_API void attn_oracle_row(const attn_layout *layout, size_t head, size_t r, size_t dim, double scale,
                              const double *q, const double *k, const double *v,
                              double *scores, double *o, double *lse);

#ifdef __cplusplus
}
#endif
#endif
