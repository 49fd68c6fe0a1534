/* Inputs: q, k and v from a named generator or from files, the same for the same name, sizes and seed.
 *
 *   gauss       independent N(0,1); k and q give scores of unit variance. White noise: says nothing about
 *               how much attention a pattern keeps, and is labelled so
 *   text:PATH   derived from the bytes of a real file, or of all regular files of a directory in name order
 *   npy:DIR     DIR/q.npy, k.npy, v.npy of shape [h,n,d] or [b,h,n,d]
 */
#ifndef HARNESS_INPUT_H
#define HARNESS_INPUT_H

#include "attn/plan.h"

typedef struct input_shape {
    size_t batch, heads, kv_heads, nq, nk, dim;
} input_shape;

/* EINVAL unless `name` is well-formed and its files exist and can serve `shape` (long enough, right sizes);
 * cheap, so that a sweep can check all its cells before measuring any. */
attn_status input_check(const char *name, const input_shape *shape, attn_error *err);

/* Fills q [batch][heads][nq][dim], k and v [batch][kv_heads][nk][dim] of `dtype`. */
attn_status input_fill(const char *name, const input_shape *shape, attn_dtype dtype, uint64_t seed, void *q,
                       void *k, void *v, attn_error *err);

/* One line for reports: what the input models. */
const char *input_describe(const char *name);

#endif
