/* doubling: windows of k keys, each with gaps twice as wide as the one before.
 *
 *   allowed(i, j)  <=>  |i - j| = 0, or k(2^t - 1) + m 2^t for some t >= 0, 1 <= m <= k,  and j <= i when causal
 *
 * k log2(n/k) keys a row, dense nearby and thinner with distance. Source: the idea of dilated attention with doubling segments and
 * gaps, [ding2023] section 3.2, as one relative pattern. */
#include "patterns/pieces.h"

enum { K };
static const attn_param params[] = {
    [K] = {.key = "k", .min = 1, .max = ATTN_MAX_N, .fallback = "32", .help = "keys of each window on either side"},
    {0},
};

static bool allows(const attn_pattern_args *a, size_t head, size_t i, size_t j)
{
    (void)head;
    if (a->causal && j > i)
        return false;
    size_t distance = j <= i ? i - j : j - i, step = 1;
    for (; distance > a->v[K] * step; step *= 2)
        distance -= a->v[K] * step;
    return distance % step == 0;
}

static void row(const attn_pattern_args *a, size_t head, size_t i, attn_combs *out)
{
    pieces p;
    pieces_begin(&p, a, i);
    const size_t k = a->v[K];
    pieces_add(&p, i, 1, 0, 1);
    for (size_t step = 1, from = 0; from < a->nk; from += k * step, step *= 2) {
        const size_t before = i > from ? (i - from) / step : 0, count = before < k ? before : k;
        if (count)
            pieces_add(&p, i - from - count * step, 1, step, count);
        pieces_add(&p, i + from + step, 1, step, k);
    }
    pieces_emit(&p, a, head, i, allows, out);
}

const attn_pattern attn_pattern_doubling = {
    .name = "doubling",
    .summary = "windows of k keys at distances that double",
    .source = "ding2023",
    .params = params,
    .allows = allows,
    .row = row,
};
