/* Masks from files: mask:"FILE", as runs of keys for every row. Inside libattn. */
#ifndef PATTERNS_MASK_H
#define PATTERNS_MASK_H

#include "attn/pattern.h"

typedef struct mask_runs mask_runs;

/* Reads FILE for nk positions; `block` is that of block masks, 0 for the others. EINVAL: not to be read, or not a mask of this many
 * positions. Formats, by name:
 *
 *   *.indptr.npy          CSR: with *.indices.npy beside it; integers, [n+1] and [pairs]. With [n/block+1] it is BSR: rows and
 *                         columns are blocks
 *   *.kv_num_blocks.npy   FlexAttention's BlockMask: with *.kv_indices.npy, and *.full_kv_num_blocks.npy and *.full_kv_indices.npy where
 *                         they are; integers [rows], [heads,rows] or [1,heads,rows] and one dimension more. Listed blocks are whole:
 *                         what a mask_mod says within them is not in the files
 *   *.pbm                 P1 or P4, n x n; 1 (black) is allowed
 *   *.png                 n x n pixels, black or white, where the program can decode them: mask_read_pictures_with()
 *   *.npy                 bool, int8 or uint8, [n,n] or [heads,n,n]; not 0 is allowed */
attn_status mask_read(mask_runs **out, const char *path, size_t nk, size_t block, attn_error *err);
void mask_free(mask_runs *m);

/* Turns the picture at `path` into a PBM (P4) of n x n in memory, malloc'ed. EINVAL, ENOMEM. */
typedef attn_status mask_decoder(const char *path, size_t n, unsigned char **pbm, size_t *size, attn_error *err);
/* Before any mask is read; libattn itself links no library of pictures. */
void mask_read_pictures_with(mask_decoder *decoder);

size_t mask_heads(const mask_runs *m);
/* 1 to 2^24 - 1: files with other pairs have, but for chance, another. */
size_t mask_id(const mask_runs *m);

/* For the fuzzer: a PBM in memory. */
attn_status mask_read_pbm(mask_runs **out, const unsigned char *bytes, size_t size, const char *name, size_t nk, attn_error *err);

enum { MASK_BLOCK, MASK_ID }; /* parameters */
extern const attn_pattern attn_pattern_mask;

#endif
