/* dilated-local: a window of k keys on each side of the query, `step` apart.
 *
 *   allowed(i, j)  <=>  |i - j| mod step = 0  and  |i - j| / step <= k,  and j <= i when causal
 *
 * Source: [beltagy2020] section 3.1, dilated sliding window. */
#include "patterns/pieces.h"

enum { K, STEP };
static const attn_param params[] = {
    [K] = {.key = "k", .min = 0, .max = ATTN_MAX_N, .fallback = "128", .help = "keys seen on each side of the query"},
    [STEP] = {.key = "step", .min = 1, .max = ATTN_MAX_N, .fallback = "2", .help = "distance between them"},
    {0},
};

static bool allows(const attn_pattern_args *a, size_t head, size_t i, size_t j)
{
    (void)head;
    if (a->causal && j > i)
        return false;
    const size_t distance = j <= i ? i - j : j - i;
    return distance % a->v[STEP] == 0 && distance / a->v[STEP] <= a->v[K];
}

static void row(const attn_pattern_args *a, size_t head, size_t i, attn_combs *out)
{
    pieces p;
    pieces_begin(&p, a, i);
    pieces_teeth(&p, i, a->v[STEP], a->v[K]);
    pieces_emit(&p, a, head, i, allows, out);
}

const attn_pattern attn_pattern_dilated_local = {
    .name = "dilated-local",
    .summary = "a sliding window with gaps: every step-th key, k of them on each side",
    .source = "beltagy2020",
    .params = params,
    .allows = allows,
    .row = row,
};
