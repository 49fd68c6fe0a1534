/* Two masks over each other: what only one has, what only the other has, what both have. */
#ifndef HARNESS_OVERLAY_H
#define HARNESS_OVERLAY_H

#include "harness/mask.h"

typedef struct overlay {
    char *names[2];      /* the specs, resolved */
    mask_grid only[3];   /* pairs of A alone, of B alone, of both: of one size */
    uint64_t pairs[3];
} overlay;

/* Of a head at n. EINVAL as attn_spec_parse() and attn_layout_create(). */
attn_status overlay_create(overlay *out, const char *a, const char *b, size_t nq, size_t n, size_t heads, size_t head, size_t most, attn_error *err);
void overlay_destroy(overlay *o);

/* A letter a cell, of what it has most of, or with blocks and colours; and a legend with the numbers. */
void overlay_print(FILE *out, const overlay *o, bool utf8, bool colour);
/* Squares in the colours of overlay_svg(), at most `pixels` a side. */
attn_status overlay_png(FILE *out, const overlay *o, size_t pixels, attn_error *err);
attn_status overlay_svg(FILE *out, const overlay *o, attn_error *err);

#endif
