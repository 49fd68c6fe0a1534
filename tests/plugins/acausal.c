/* Rows that ignore causality. */
#define NAME "acausal"
#include "faulty.h"

static void row(const attn_pattern_args *a, size_t head, size_t i, attn_combs *out)
{
    (void)a, (void)head;
    size_t first = i < 2 ? 0 : i - 2, last = i + 2 < a->nk ? i + 2 : a->nk - 1;
    attn_emit(out, first, last - first + 1, 0, 1);
}

FAULTY(row, NULL);
