/* sinks: the first keys as attention sinks, and a window (an A-shape).
 *
 *   allowed(i, j)  <=>  j < s  or  |i - j| <= k,  and j <= i when causal
 *
 * Source: [xiao2023] section 3.2 (four sinks and a rolling window); the A-shape head of [jiang2024]. */
#include "patterns/pieces.h"

enum { S, K };
static const attn_param params[] = {
    [S] = {.key = "s", .min = 0, .max = ATTN_MAX_N, .fallback = "4", .help = "sinks: first keys that all queries see"},
    [K] = {.key = "k", .min = 0, .max = ATTN_MAX_N, .fallback = "1020", .help = "keys seen on each side of the query"},
    {0},
};

static bool allows(const attn_pattern_args *a, size_t head, size_t i, size_t j)
{
    (void)head;
    if (a->causal && j > i)
        return false;
    return j < a->v[S] || (j <= i ? i - j : j - i) <= a->v[K];
}

static void row(const attn_pattern_args *a, size_t head, size_t i, attn_combs *out)
{
    pieces p;
    pieces_begin(&p, a, i);
    pieces_add(&p, 0, a->v[S], 0, 1);
    pieces_window(&p, i, a->v[K]);
    pieces_emit(&p, a, head, i, allows, out);
}

const attn_pattern attn_pattern_sinks = {
    .name = "sinks",
    .summary = "the first s keys and a window of k: streaming attention",
    .source = "xiao2023",
    .params = params,
    .allows = allows,
    .row = row,
};
