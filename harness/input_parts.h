/* What the generators of harness/input*.c share. Internal to them. */
#ifndef HARNESS_INPUT_PARTS_H
#define HARNESS_INPUT_PARTS_H

#include "harness/input.h"

/* The three tensors to be filled. */
typedef struct input_target {
    const input_shape *shape;
    attn_dtype dtype;
    uint64_t seed;
    void *q, *k, *v;
} input_target;

/* One generator. `rest` is what follows the colon of its name. */
typedef struct input_kind {
    const char *name, *rest; /* "text", and what help calls the rest: "PATH"; NULL: nothing follows */
    const char *describe;
    attn_status (*check)(const char *rest, const input_shape *shape, attn_error *err);
    attn_status (*fill)(const char *rest, const input_target *to, attn_error *err);
} input_kind;

extern const input_kind input_gauss, input_text, input_npy;

/* Rounds `count` floats into elements [first, first + count) of a tensor of `dtype`. */
void input_put(attn_dtype dtype, void *tensor, size_t first, const float *values, size_t count);

#endif
