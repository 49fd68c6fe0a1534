/* A closed form that is one too many at odd n. */
#define NAME "wrong-pairs"
#include "faulty.h"

static uint64_t pairs(const attn_pattern_args *a, size_t head)
{
    (void)head;
    uint64_t n = a->nk, k = n < 3 ? n - 1 : 2;
    return (a->causal ? n * (k + 1) - k * (k + 1) / 2 : n * (2 * k + 1) - k * (k + 1)) + n % 2;
}

FAULTY(NULL, pairs);
