/* Growing a tile program: arrays that double, and pools that store equal sequences once.
 *
 * A failure (out of memory, more than 2^32 entries) is remembered in `failed` and further pushes are ignored,
 * so that the lowering needs to look once, at the end. */
#ifndef KERNELS_BUILDER_H
#define KERNELS_BUILDER_H

#include "kernels/program.h"

typedef struct array {
    void *at;
    size_t count, capacity;
} array;

/* Room for `more` further elements of `size` bytes; false: out of memory. */
bool array_reserve(array *a, size_t more, size_t size);

/* A pool of words in which a sequence is found again by its hash. */
typedef struct pool {
    array words;      /* uint64_t */
    array sequences;  /* where each begins, how long it is, the next with the same hash */
    uint32_t *table;  /* heads of the chains */
    size_t buckets;
} pool;

typedef struct builder {
    geometry geometry;
    array tiles, runs;
    pool masks;   /* geometry.keys words a granule */
    pool offsets;
    bool failed;
} builder;

void builder_init(builder *b, geometry g);
void builder_free(builder *b);

void builder_push_run(builder *b, run u);
void builder_push_tile(builder *b, tile t);

/* Index of the first granule of `granules` masks, and of `count` offsets. */
uint32_t builder_masks(builder *b, const uint64_t *masks, size_t granules);
uint32_t builder_offsets(builder *b, const uint64_t *offsets, size_t count);

/* What a granule's masks touch under a geometry. */
mask_range mask_range_of(geometry g, const uint64_t *masks);

#endif
