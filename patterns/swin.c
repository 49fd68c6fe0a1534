/* swin: positions are pixels of an image w wide, row by row; each sees the m x m window that it lies in.
 *
 *   allowed(i, j)  <=>  window(x(i)) = window(x(j)) and window(y(i)) = window(y(j)),  and j <= i when causal
 *   window(x) = floor((x - shift) / m)
 *
 * With shift = m/2 in every other layer, layers(swin:shift=0, swin:shift=M), these are the shifted windows of the source, whose
 * cyclic shift under a mask comes to the same. Source: [liu2021] section 3.2. */
#include "patterns/pieces.h"

enum { W, M, SHIFT };
static const attn_param params[] = {
    [W] = {.key = "w", .min = 1, .max = ATTN_MAX_N, .fallback = "sqrt(n)", .help = "width of the image"},
    [M] = {.key = "m", .min = 1, .max = ATTN_MAX_N, .fallback = "7", .help = "width of a window"},
    [SHIFT] = {.key = "shift", .min = 0, .max = ATTN_MAX_N, .fallback = "0", .help = "where the second window begins; 0: at m"},
    {0},
};

static size_t window(const attn_pattern_args *a, size_t x)
{
    return x < a->v[SHIFT] ? 0 : (x - a->v[SHIFT]) / a->v[M] + (a->v[SHIFT] > 0);
}

/* Where a window begins, and its width. */
static size_t extent(const attn_pattern_args *a, size_t window, size_t *width)
{
    const size_t shift = a->v[SHIFT];
    *width = shift && window == 0 ? shift : a->v[M];
    return shift ? (window ? shift + (window - 1) * a->v[M] : 0) : window * a->v[M];
}

static bool allows(const attn_pattern_args *a, size_t head, size_t i, size_t j)
{
    (void)head;
    if (a->causal && j > i)
        return false;
    const size_t w = a->v[W];
    return window(a, i % w) == window(a, j % w) && window(a, i / w) == window(a, j / w);
}

static void row(const attn_pattern_args *a, size_t head, size_t i, attn_combs *out)
{
    pieces p;
    pieces_begin(&p, a, i);
    const size_t w = a->v[W];
    size_t columns, rows;
    const size_t x = extent(a, window(a, i % w), &columns), y = extent(a, window(a, i / w), &rows);
    columns = x + columns > w ? w - x : columns;
    pieces_add(&p, y * w + x, columns, w, rows);
    pieces_emit(&p, a, head, i, allows, out);
}

static attn_status check(const size_t *v, uint32_t literal, attn_error *err)
{
    (void)literal;
    return v[SHIFT] < v[M] ? ATTN_OK : attn_fail(err, ATTN_EINVAL, "swin: shift=%zu is not below m=%zu", v[SHIFT], v[M]);
}

const attn_pattern attn_pattern_swin = {
    .name = "swin",
    .summary = "windows of m x m pixels of an image w wide, perhaps shifted",
    .source = "liu2021",
    .params = params,
    .check = check,
    .allows = allows,
    .row = row,
};
