/* Masks from PNG files. libattn reads files of bits only; who links a library of pictures hands it this. */
#ifndef HARNESS_MASK_PNG_H
#define HARNESS_MASK_PNG_H

#include "patterns/mask.h"

/* For mask_read_pictures_with(): a square picture of n x n pixels, black (allowed) or white; transparent is white. EINVAL: not
 * that; ENOMEM. Nothing is allocated before the size is known to be right. */
attn_status mask_png_decode(const char *path, size_t n, unsigned char **pbm, size_t *size, attn_error *err);

#endif
