/* Rows that miss a key of allows(), from key 40 on. */
#define NAME "disagree"
#include "faulty.h"

static void row(const attn_pattern_args *a, size_t head, size_t i, attn_combs *out)
{
    (void)a, (void)head;
    size_t width = i < 40 ? 3 : 2;
    size_t first = i < width ? 0 : i + 1 - width;
    size_t last = a->causal ? i : i + 2 < a->nk ? i + 2 : a->nk - 1;
    attn_emit(out, first, last - first + 1, 0, 1);
}

FAULTY(row, NULL);
