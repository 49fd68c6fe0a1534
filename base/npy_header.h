/* The dictionary in an NPY header. Internal to base/npy.c, apart so that it can be fuzzed by itself. */
#ifndef BASE_NPY_HEADER_H
#define BASE_NPY_HEADER_H

#include "base/npy.h"

/* Parses `length` bytes at `text` (no terminator needed). `path` is for messages.
 * EINVAL: not such a dictionary, a type or order we do not take, or a shape whose bytes exceed
 * PTRDIFF_MAX. */
ATTN_MUST_CHECK attn_status npy_header_parse(const char *text, size_t length, const char *path,
                                             npy_shape *out, attn_error *err);

/* The type of a descr such as "<f4"; false when it is none of ours. */
bool npy_type_of_descr(const char *descr, npy_type *out);

#endif
