/* All heads of a layout that differ, side by side: a sheet of panels, a mask each. */
#ifndef HARNESS_SHEET_H
#define HARNESS_SHEET_H

#include "harness/mask.h"

enum { SHEET_MOST = 64, SHEET_GAP = 2 /* cells between panels in a terminal */ };

typedef struct sheet {
    size_t count, across; /* panels, row by row; those of a row */
    mask_grid *panels;    /* [count], of one size */
    uint64_t *pairs;      /* [count]: of the part shown */
} sheet;

/* Panels of at most `most` cells a side, `across` in a row. EINVAL above SHEET_MOST heads; ENOMEM. */
ATTN_MUST_CHECK attn_status sheet_create(sheet *out, const attn_layout *layout, const mask_window *window, size_t across,
                                         size_t most, attn_error *err);
void sheet_destroy(sheet *s);

/* Panels in a row that make a sheet about square, and those that fit `width` cells with 16 cells each. */
size_t sheet_across(size_t count);
size_t sheet_across_within(size_t count, size_t width);

void sheet_print(FILE *out, const sheet *s, mask_style style);

#endif
