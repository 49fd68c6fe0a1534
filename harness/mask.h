/* Masks as pictures: one head of a layout as a grid of cells, computed from its combs.
 *
 * A cell covers `cell` x `cell` pairs (fewer at the right and lower edge) and holds how many of them are
 * allowed, exactly; with cell = 1 the grid is the mask itself. */
#ifndef HARNESS_MASK_H
#define HARNESS_MASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "attn/layout.h"

/* Query rows [row, row_end) and keys [key, key_end) of a mask. */
typedef struct mask_window {
    size_t row, row_end, key, key_end;
} mask_window;

typedef struct mask_grid {
    size_t nq, nk; /* of the mask or the part of it that is shown */
    size_t first_query, first_key; /* positions where that begins */
    size_t cell;
    size_t rows, columns; /* ceil(nq / cell), ceil(nk / cell) */
    uint64_t *pairs;      /* [rows][columns] */
} mask_grid;

/* The grid with the smallest cells such that neither side has more than `most` of them.
 * O(nq (combs + columns)) time, O(most^2) memory. ENOMEM. */
ATTN_MUST_CHECK attn_status mask_grid_create(mask_grid *out, const attn_layout *layout, size_t head,
                                             size_t most, attn_error *err);
/* The same of a part of the mask, neither side empty. */
ATTN_MUST_CHECK attn_status mask_grid_cut(mask_grid *out, const attn_layout *layout, size_t head,
                                          const mask_window *window, size_t most, attn_error *err);
mask_window mask_whole(const attn_layout *layout);
void mask_grid_destroy(mask_grid *grid);

/* Allowed pairs of a cell as a fraction of its pairs: 0 or 1 where cell = 1. */
double mask_fraction(const mask_grid *grid, size_t row, size_t column);

/* One row of the mask: keys[j] = 1 where key j is allowed, else 0, for nk keys. The combs buffer grows as
 * needed and is kept between calls: start with {0}, end with free(combs->at). */
ATTN_MUST_CHECK attn_status mask_row(const attn_layout *layout, size_t head, size_t r, attn_combs *combs,
                                     unsigned char *keys, attn_error *err);

/* How a terminal shows a grid. */
typedef enum mask_style {
    MASK_ASCII,  /* '#' allowed, '.' not; larger cells ':' below half, '+' from half on, two rows a line */
    MASK_BLOCKS, /* half blocks, two rows of cells a line; where cells are larger, shades */
    MASK_COLOUR  /* half blocks in colours of the 256-colour palette */
} mask_style;

void mask_print(FILE *out, const mask_grid *grid, mask_style style);

#endif
