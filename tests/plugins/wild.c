/* Combs whose last key does not fit into a size_t. */
#define NAME "wild"
#include "faulty.h"

static void row(const attn_pattern_args *a, size_t head, size_t i, attn_combs *out)
{
    (void)a, (void)head;
    attn_emit(out, i, 1, SIZE_MAX / 2 + 1, 2 * i + 1);
}

FAULTY(row, NULL);
