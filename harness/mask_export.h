/* Masks as index lists in NPY files, for other programs: CSR, and FlexAttention's block masks. Rows are streamed. */
#ifndef HARNESS_MASK_EXPORT_H
#define HARNESS_MASK_EXPORT_H

#include "harness/mask.h"

/* CSR of a window of one head: int64 [rows+1] and int32 [pairs], keys counted from the window's first. ENOMEM, EIO. */
attn_status mask_write_indptr(FILE *out, const attn_layout *layout, size_t head, const mask_window *window, attn_error *err);
attn_status mask_write_indices(FILE *out, const attn_layout *layout, size_t head, const mask_window *window, attn_error *err);

/* Blocks of `block` queries and keys: int32 [1,heads,rows] counts and [1,heads,rows,columns] block numbers in order, filled up with 0; of the
 * blocks all of whose pairs are allowed (`full`), or of those with some. heads: those that differ. */
attn_status mask_write_block_counts(FILE *out, const attn_layout *layout, size_t block, bool full, attn_error *err);
attn_status mask_write_block_indices(FILE *out, const attn_layout *layout, size_t block, bool full, attn_error *err);

#endif
