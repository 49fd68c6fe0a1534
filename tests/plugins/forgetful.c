/* Rows that count fewer combs than they have when the buffer is small. */
#define NAME "forgetful"
#include "faulty.h"

static void row(const attn_pattern_args *a, size_t head, size_t i, attn_combs *out)
{
    (void)a, (void)head;
    size_t first = i < 2 ? 0 : i - 2, last = a->causal ? i : i + 2 < a->nk ? i + 2 : a->nk - 1;
    for (size_t j = first; j <= last; j++)
        if (out->capacity > 1 || j == first)
            attn_emit(out, j, 1, 0, 1);
}

FAULTY(row, NULL);
