/* longformer: a window of k keys on each side, `step` apart, and g global tokens.
 *
 *   allowed(i, j)  <=>  (|i - j| mod step = 0 and |i - j| / step <= k)  or  j < g  or  i < g,  and j <= i when causal
 *
 * Source: [beltagy2020] section 3.1; global tokens are the first ones, as for classification. */
#include "patterns/pieces.h"

enum { K, STEP, G };
static const attn_param params[] = {
    [K] = {.key = "k", .min = 0, .max = ATTN_MAX_N, .fallback = "256", .help = "keys seen on each side of the query"},
    [STEP] = {.key = "step", .min = 1, .max = ATTN_MAX_N, .fallback = "1", .help = "distance between them"},
    [G] = {.key = "g", .min = 0, .max = ATTN_MAX_N, .fallback = "1", .help = "first tokens that all see, and that see all"},
    {0},
};

static bool allows(const attn_pattern_args *a, size_t head, size_t i, size_t j)
{
    (void)head;
    if (a->causal && j > i)
        return false;
    const size_t distance = j <= i ? i - j : j - i;
    return (distance % a->v[STEP] == 0 && distance / a->v[STEP] <= a->v[K]) || j < a->v[G] || i < a->v[G];
}

static void row(const attn_pattern_args *a, size_t head, size_t i, attn_combs *out)
{
    pieces p;
    pieces_begin(&p, a, i);
    if (a->v[STEP] == 1)
        pieces_window(&p, i, a->v[K]);
    else
        pieces_teeth(&p, i, a->v[STEP], a->v[K]);
    pieces_add(&p, 0, i < a->v[G] ? a->nk : a->v[G], 0, 1);
    pieces_emit(&p, a, head, i, allows, out);
}

const attn_pattern attn_pattern_longformer = {
    .name = "longformer",
    .summary = "a window, perhaps with gaps, and g global tokens",
    .source = "beltagy2020",
    .params = params,
    .allows = allows,
    .row = row,
};
