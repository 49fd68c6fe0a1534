/* vertical-slash: vertical lines, slashes parallel to the diagonal, and a window.
 *
 *   allowed(i, j)  <=>  j mod v = 0  or  |i - j| mod s = 0  or  |i - j| <= k,  and j <= i when causal
 *
 * Source: the vertical-slash head of [jiang2024], whose lines are found in the data; these stand at equal distances. */
#include "patterns/pieces.h"

enum { V, S, K };
static const attn_param params[] = {
    [V] = {.key = "v", .min = 1, .max = ATTN_MAX_N, .fallback = "256", .help = "distance between vertical lines"},
    [S] = {.key = "s", .min = 1, .max = ATTN_MAX_N, .fallback = "256", .help = "distance between slashes"},
    [K] = {.key = "k", .min = 0, .max = ATTN_MAX_N, .fallback = "64", .help = "keys seen on each side of the query"},
    {0},
};

static bool allows(const attn_pattern_args *a, size_t head, size_t i, size_t j)
{
    (void)head;
    if (a->causal && j > i)
        return false;
    const size_t distance = j <= i ? i - j : j - i;
    return j % a->v[V] == 0 || distance % a->v[S] == 0 || distance <= a->v[K];
}

static void row(const attn_pattern_args *a, size_t head, size_t i, attn_combs *out)
{
    pieces p;
    pieces_begin(&p, a, i);
    pieces_window(&p, i, a->v[K]);
    pieces_add(&p, 0, 1, a->v[V], a->nk);
    pieces_teeth(&p, i, a->v[S], a->nk);
    pieces_emit(&p, a, head, i, allows, out);
}

const attn_pattern attn_pattern_vertical_slash = {
    .name = "vertical-slash",
    .summary = "columns every v keys, diagonals every s, and a window of k",
    .source = "jiang2024",
    .params = params,
    .allows = allows,
    .row = row,
};
