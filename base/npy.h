/* NumPy's array files, read and written as streams.
 *
 * Format: the six bytes \x93NUMPY, version (1.0, 2.0 or 3.0), the length of the header (2 bytes, from 2.0 on
 * 4), the header as a Python dictionary {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }, then the
 * elements. [numpy-format]
 *
 * Taken: little-endian C-ordered arrays of the types below. Refused with one line that names the file and the
 * remedy: big-endian, Fortran order (unless at most one dimension exceeds 1, where it means the same),
 * object, string, structured and other types, pickles and .npz archives, truncated files, trailing bytes. */
#ifndef BASE_NPY_H
#define BASE_NPY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "attn/status.h"

typedef enum npy_type {
    NPY_BOOL, NPY_U1, NPY_I1, NPY_U2, NPY_I2, NPY_U4, NPY_I4, NPY_U8, NPY_I8, NPY_F2, NPY_F4, NPY_F8
} npy_type;

enum { NPY_MAX_RANK = 8 };

typedef struct npy_shape {
    npy_type type;
    int rank;                  /* 0: a single number */
    size_t size[NPY_MAX_RANK];
    size_t count;              /* elements: the product; its bytes fit size_t */
} npy_shape;

const char *npy_type_name(npy_type type); /* as NumPy calls it: "float32" */
size_t npy_type_bytes(npy_type type);

/* "[8,1024,64] float32": for messages. Returns out. */
char *npy_shape_text(const npy_shape *shape, char *out, size_t size);
enum { NPY_SHAPE_TEXT = 224 };

/* ---- reading: the header when opened, elements in order ---- */

typedef struct npy_reader npy_reader;

/* Reads the header; of a regular file also checks that the elements are all there and nothing after them.
 * EINVAL names the file and what is wrong with it. `path` may be a pipe; it must outlive the reader. */
ATTN_MUST_CHECK attn_status npy_open(npy_reader **out, const char *path, attn_error *err);
void npy_close(npy_reader *r);

const npy_shape *npy_reader_shape(const npy_reader *r);

/* The next `count` elements, as stored; and leaving out the next `count`. Reading the last one also checks
 * that nothing follows. Asking for more than there are is a broken invariant. */
ATTN_MUST_CHECK attn_status npy_read(npy_reader *r, void *data, size_t count, attn_error *err);
ATTN_MUST_CHECK attn_status npy_skip(npy_reader *r, size_t count, attn_error *err);

/* ---- writing: a header of version 1.0, then the elements, by the caller ---- */

/* The header for an array of this shape; `shape->count` is not looked at. false: the stream failed. */
bool npy_write_header(FILE *stream, npy_type type, int rank, const size_t *size);

/* A whole array as a file, written completely or not at all (see base/outfile.h). */
ATTN_MUST_CHECK attn_status npy_save(const char *path, npy_type type, int rank, const size_t *size,
                                     const void *data, attn_error *err);

#endif
