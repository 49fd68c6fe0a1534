/* Rows whose combs do not come in the order of their first keys. */
#define NAME "unsorted"
#include "faulty.h"

static void row(const attn_pattern_args *a, size_t head, size_t i, attn_combs *out)
{
    (void)a, (void)head;
    attn_emit(out, i, 1, 0, 1);
    if (i > 0)
        attn_emit(out, 0, i, 0, 1);
}

FAULTY(row, NULL);
