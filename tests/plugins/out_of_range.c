/* Rows that go on after the last key. */
#define NAME "out-of-range"
#include "faulty.h"

static void row(const attn_pattern_args *a, size_t head, size_t i, attn_combs *out)
{
    (void)a, (void)head;
    attn_emit(out, i, 1, 1, a->nk);
}

FAULTY(row, NULL);
