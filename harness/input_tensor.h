/* Attention operands in NPY files: [h,n,d] or [b,h,n,d] of float32, float64, float16 or uint16 (bf16
 * bits). */
#ifndef HARNESS_INPUT_TENSOR_H
#define HARNESS_INPUT_TENSOR_H

#include "base/npy.h"

typedef struct input_tensor {
    npy_reader *reader;
    const npy_shape *shape;         /* as in the file */
    size_t batch, heads, n, dim;    /* all at least 1; batch is 1 when the file has three dimensions */
} input_tensor;

/* EINVAL names the file, its shape and what is expected. `path` outlives the tensor. */
ATTN_MUST_CHECK attn_status input_tensor_open(input_tensor *t, const char *path, attn_error *err);
void input_tensor_close(input_tensor *t);

/* The next `count` elements in order, exactly (double holds all four types), or rounded to float. */
ATTN_MUST_CHECK attn_status input_tensor_doubles(input_tensor *t, double *out, size_t count, attn_error *err);
ATTN_MUST_CHECK attn_status input_tensor_floats(input_tensor *t, float *out, size_t count, attn_error *err);

#endif
