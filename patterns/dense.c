/* dense: every query sees every key.
 *
 *   allowed(i, j)  <=>  true, and j <= i when causal
 *   pairs: n(n+1)/2 causal, n^2 bidirectional */
#include "attn/pattern.h"

static bool allows(const attn_pattern_args *a, size_t head, size_t i, size_t j)
{
    (void)head;
    return j <= i || !a->causal;
}

static void row(const attn_pattern_args *a, size_t head, size_t i, attn_combs *out)
{
    (void)head;
    attn_emit(out, 0, a->causal ? i + 1 : a->nk, 0, 1);
}

static uint64_t pairs(const attn_pattern_args *a, size_t head)
{
    (void)head;
    uint64_t n = a->nk;
    return a->causal ? n * (n + 1) / 2 : n * n;
}

const attn_pattern attn_pattern_dense = {
    .name = "dense",
    .summary = "every key",
    .source = "vaswani2017",
    .allows = allows,
    .row = row,
    .pairs = pairs,
};
