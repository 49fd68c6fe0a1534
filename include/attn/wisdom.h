/* Wisdom: what planning by measurement has learned, as text.
 *
 *   attn-wisdom 1
 *   kernel=avx2 isa=avx2 cpu=AMD%20EPYC threads=2 batch=1 heads=8 kv_heads=8 nq=4096 nk=4096 dim=64 dtype=f32
 *     pattern=strided:l=128,head=merged lowering=classes/8 ns=4100000          (one line)
 *
 * An entry holds for problems that equal it in everything before `lowering`, so text from other machines does no
 * harm. A plan uses wisdom where there is some, whatever its mode. Spaces, control characters and % in a value are
 * written as %20. All functions may be called from several threads at once. */
#ifndef ATTN_WISDOM_H
#define ATTN_WISDOM_H

#include <stddef.h>

#include "attn/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct attn_wisdom_counts {
    size_t taken;    /* entries, new or in place of older ones */
    size_t ignored;  /* of kernels that this build does not know */
} attn_wisdom_counts;

/* Adds what `text` holds; of two entries for one problem the later counts. EINVAL names the line that is wrong, and
 * nothing is taken then. `out` may be NULL. ENOMEM. */
ATTN_API ATTN_MUST_CHECK attn_status attn_wisdom_import(const char *text, attn_wisdom_counts *out, attn_error *err);

/* All of it in an order that depends on the content alone; free() it. NULL: out of memory. */
ATTN_API char *attn_wisdom_export(void);

ATTN_API void attn_wisdom_forget(void);

#ifdef __cplusplus
}
#endif
#endif
