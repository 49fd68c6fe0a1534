/* A cell: one point of a sweep, everything that decides what is measured. Two cells are the same when all
 * of this is equal; --resume and the store's unique key go by it. */
#ifndef HARNESS_CELL_H
#define HARNESS_CELL_H

#include "attn/plan.h"

typedef enum direction { FORWARD, BACKWARD, DECODE } direction;
#define DIRECTION_CHOICES "fwd|bwd|decode"

typedef struct cell {
    const char *spec;   /* canonical text */
    size_t n;           /* nq = nk */
    size_t heads, kv_heads, dim, batch;
    attn_dtype dtype;
    direction direction;
    const char *kernel; /* as resolved by the planner, never "auto" */
    int threads;        /* as resolved */
    const char *input;  /* "gauss", "text:FILE", "npy:DIR" */
    uint64_t seed;
} cell;

#endif
