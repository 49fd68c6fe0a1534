/* local: each query sees the k keys on either side of it, and itself.
 *
 *   allowed(i, j)  <=>  |i - j| <= k,  and j <= i when causal
 *   pairs, with k capped at n-1:  causal n(k+1) - k(k+1)/2,  bidirectional n(2k+1) - k(k+1)
 *
 * Source: [child2019] section 4.2, first set of strided attention, where l is our k. The mask released with
 * the paper has one key fewer: k = l-1 is theirs, k = l the paper's. */
#include "attn/pattern.h"

enum { K };
static const attn_param params[] = {
    [K] = {.key = "k", .min = 0, .max = ATTN_MAX_N, .fallback = "128",
           .help = "keys seen on each side of the query"},
    {0},
};

static bool allows(const attn_pattern_args *a, size_t head, size_t i, size_t j)
{
    (void)head;
    return j <= i ? i - j <= a->v[K] : !a->causal && j - i <= a->v[K];
}

static void row(const attn_pattern_args *a, size_t head, size_t i, attn_combs *out)
{
    (void)head;
    size_t k = a->v[K];
    size_t first = i > k ? i - k : 0;
    size_t last = a->causal ? i : i + k < a->nk ? i + k : a->nk - 1;
    attn_emit(out, first, last - first + 1, 0, 1);
}

static uint64_t pairs(const attn_pattern_args *a, size_t head)
{
    (void)head;
    uint64_t n = a->nk, k = a->v[K] < n ? a->v[K] : n - 1;
    return a->causal ? n * (k + 1) - k * (k + 1) / 2 : n * (2 * k + 1) - k * (k + 1);
}

const attn_pattern attn_pattern_local = {
    .name = "local",
    .summary = "a sliding window of k keys on each side",
    .source = "child2019",
    .params = params,
    .allows = allows,
    .row = row,
    .pairs = pairs,
};
