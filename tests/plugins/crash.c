/* Rows that crash, from n = 20 on. */
#define NAME "crash"
#include "faulty.h"

#include <signal.h>

static void row(const attn_pattern_args *a, size_t head, size_t i, attn_combs *out)
{
    (void)head;
    if (a->nk >= 20)
        raise(SIGSEGV);
    size_t first = i < 2 ? 0 : i - 2, last = a->causal ? i : i + 2 < a->nk ? i + 2 : a->nk - 1;
    attn_emit(out, first, last - first + 1, 0, 1);
}

FAULTY(row, NULL);
