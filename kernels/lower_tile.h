/* Lowering one tile: the combs of its rows become runs of keys under masks. */
#ifndef KERNELS_LOWER_TILE_H
#define KERNELS_LOWER_TILE_H

#include "attn/pattern.h"
#include "kernels/builder.h"

typedef struct tile_maker {
    builder *b;
    array intervals; /* ends of keys seen: where which rows change */
    array teeth;     /* combs, in units of teeth */
    array ends;      /* of the teeth of one family */
    array sorted;    /* ends on their way */
    array segments;
    array pending;   /* keys and masks of granules that will become one run */
    uint64_t rows;   /* the bits of the tile's rows */
    uint64_t lanes;
    size_t granules;
} tile_maker;

void tile_maker_init(tile_maker *m, builder *b);
void tile_maker_free(tile_maker *m);

void tile_begin(tile_maker *m);
/* The row of bit `row` sees the keys of `c`. */
void tile_add(tile_maker *m, uint32_t row, const attn_comb *c);
/* Pushes the runs and the tile; t gives row0, row_step, count and merge. */
void tile_end(tile_maker *m, tile t);

#endif
