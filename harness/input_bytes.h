/* The bytes of a text: one regular file, or all regular files directly in a folder, in the bytewise order of
 * their names, one after the other; symbolic links in a folder are left out, so that nothing counts twice. */
#ifndef HARNESS_INPUT_BYTES_H
#define HARNESS_INPUT_BYTES_H

#include <stddef.h>

#include "attn/status.h"

/* EINVAL unless `path` has at least batch * n bytes; the message names both. */
ATTN_MUST_CHECK attn_status input_bytes_check(const char *path, size_t batch, size_t n, attn_error *err);

/* The first batch * n bytes, to be freed by the caller. */
ATTN_MUST_CHECK attn_status input_bytes_read(const char *path, size_t batch, size_t n, unsigned char **out,
                                             attn_error *err);

#endif
