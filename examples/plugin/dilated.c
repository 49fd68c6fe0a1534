/* dilated: a sliding window with gaps, k keys on each side of the query, every d-th one.
 *
 *   allowed(i, j)  <=>  |i - j| mod d = 0  and  |i - j| / d <= k,  and j <= i when causal
 *
 * A pattern outside attnlab: this file needs the installed headers and nothing else. */
#include <attn/pattern.h>

enum { K, D };
static const attn_param params[] = {
    [K] = {.key = "k", .min = 0, .max = ATTN_MAX_N, .fallback = "64",
           .help = "keys seen on each side of the query"},
    [D] = {.key = "d", .min = 1, .max = ATTN_MAX_N, .fallback = "2", .help = "distance between them"},
    {0},
};

/* The definition. A plugin with this alone is complete; row() makes it fast. */
static bool allows(const attn_pattern_args *a, size_t head, size_t i, size_t j)
{
    (void)head;
    size_t distance = j <= i ? i - j : j - i;
    return (j <= i || !a->causal) && distance % a->v[D] == 0 && distance / a->v[D] <= a->v[K];
}

/* One comb: before teeth, the query itself, after teeth. */
static void row(const attn_pattern_args *a, size_t head, size_t i, attn_combs *out)
{
    (void)head;
    size_t k = a->v[K], d = a->v[D];
    size_t before = i / d, after = a->causal ? 0 : (a->nk - 1 - i) / d;
    before = before < k ? before : k;
    after = after < k ? after : k;
    attn_emit(out, i - before * d, 1, d, before + 1 + after);
}

static const attn_pattern dilated = {
    .name = "dilated",
    .summary = "a sliding window that takes every d-th key",
    .params = params,
    .allows = allows,
    .row = row,
};

ATTN_PLUGIN(&dilated);
