/* logsparse: a window, and keys at distances that are powers of two.
 *
 *   allowed(i, j)  <=>  |i - j| <= k  or  |i - j| is a power of two,  and j <= i when causal
 *
 * O(log n) keys a row, and after log2(n) layers every key is reached. Source: [li2019] section 4.2, with local attention. */
#include "patterns/pieces.h"

enum { K };
static const attn_param params[] = {
    [K] = {.key = "k", .min = 0, .max = ATTN_MAX_N, .fallback = "0", .help = "keys seen on each side of the query in any case"},
    {0},
};

static bool allows(const attn_pattern_args *a, size_t head, size_t i, size_t j)
{
    (void)head;
    if (a->causal && j > i)
        return false;
    const size_t distance = j <= i ? i - j : j - i;
    return distance <= a->v[K] || (distance & (distance - 1)) == 0;
}

static void row(const attn_pattern_args *a, size_t head, size_t i, attn_combs *out)
{
    pieces p;
    pieces_begin(&p, a, i);
    pieces_window(&p, i, a->v[K]);
    for (size_t distance = 1; distance < a->nk; distance *= 2) {
        if (distance <= i)
            pieces_add(&p, i - distance, 1, 0, 1);
        pieces_add(&p, i + distance, 1, 0, 1);
    }
    pieces_emit(&p, a, head, i, allows, out);
}

const attn_pattern attn_pattern_logsparse = {
    .name = "logsparse",
    .summary = "keys at distances 1, 2, 4, 8, ... and a window of k",
    .source = "li2019",
    .params = params,
    .allows = allows,
    .row = row,
};
