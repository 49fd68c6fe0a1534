/* Masks as files. Each writes to a stream; a failed write shows in the stream's error flag, which the caller
 * checks when closing it (base/outfile.h). Errors returned are the encoder's. */
#ifndef HARNESS_IMAGE_H
#define HARNESS_IMAGE_H

#include "harness/mask.h"
#include "harness/sheet.h"

/* Greyscale PNG: each cell a square of `scale` pixels, white for no pair, black for all; between them linear
 * from a visible light grey on, so that a single pair in a large cell is not lost. */
ATTN_MUST_CHECK attn_status image_png(FILE *out, const mask_grid *grid, size_t scale, attn_error *err);

/* Panels beside each other in a PNG of at most `pixels` a side, grey between them. */
ATTN_MUST_CHECK attn_status image_png_sheet(FILE *out, const sheet *s, size_t pixels, attn_error *err);

/* The grey of a fraction, 0 black to 255 white, as image_png() uses it. */
unsigned char image_grey(double fraction);

/* SVG with axes; equal neighbouring cells of a row are one rectangle, and so are equal ones of successive
 * rows. `title` heads the picture, `description` is for screen readers. */
ATTN_MUST_CHECK attn_status image_svg(FILE *out, const mask_grid *grid, const char *title,
                                      const char *description, attn_error *err);

/* The same for panels beside each other, each under its head and number of pairs. */
ATTN_MUST_CHECK attn_status image_svg_sheet(FILE *out, const sheet *s, const char *title, const char *description,
                                            attn_error *err);

/* Every pair of the window, whatever n: raw PBM (P4; black is allowed) and NPY (bool [rows,keys]). ENOMEM only. */
ATTN_MUST_CHECK attn_status image_pbm(FILE *out, const attn_layout *layout, size_t head,
                                      const mask_window *window, attn_error *err);
ATTN_MUST_CHECK attn_status image_npy(FILE *out, const attn_layout *layout, size_t head,
                                      const mask_window *window, attn_error *err);

#endif
