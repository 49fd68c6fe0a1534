/* natten2d: positions are pixels of an image w wide, row by row; each sees the k x k nearest, `step` apart.
 *
 *   allowed(i, j)  <=>  x(j) is a neighbour of x(i) and y(j) of y(i),  and j <= i when causal
 *
 * Neighbours along an axis are the k places of the same remainder mod step around x, [p - k/2, p - k/2 + k), moved inwards at the
 * edges so that there are k where there is room. The last row of the image may be cut by n. Source: [hassani2023] section 3,
 * dilation from [hassani2022]. */
#include "patterns/neighbours.h"
#include "patterns/pieces.h"

enum { W, K, STEP };
static const attn_param params[] = {
    [W] = {.key = "w", .min = 1, .max = ATTN_MAX_N, .fallback = "sqrt(n)", .help = "width of the image"},
    [K] = {.key = "k", .min = 1, .max = ATTN_MAX_N, .fallback = "7", .help = "neighbours along each axis"},
    [STEP] = {.key = "step", .min = 1, .max = ATTN_MAX_N, .fallback = "1", .help = "distance between them"},
    {0},
};

static bool allows(const attn_pattern_args *a, size_t head, size_t i, size_t j)
{
    (void)head;
    if (a->causal && j > i)
        return false;
    const size_t w = a->v[W], h = (a->nk - 1) / w + 1;
    return is_neighbour(i % w, j % w, w, a->v[K], a->v[STEP]) && is_neighbour(i / w, j / w, h, a->v[K], a->v[STEP]);
}

static void row(const attn_pattern_args *a, size_t head, size_t i, attn_combs *out)
{
    pieces p;
    pieces_begin(&p, a, i);
    const size_t w = a->v[W], h = (a->nk - 1) / w + 1, step = a->v[STEP];
    size_t columns, rows;
    const size_t x = neighbours(i % w, w, a->v[K], step, &columns), y = neighbours(i / w, h, a->v[K], step, &rows);
    if (step == 1)
        pieces_add(&p, y * w + x, columns, w, rows);
    for (size_t r = 0; r < rows && step > 1; r++)
        pieces_add(&p, (y + r * step) * w + x, 1, step, columns);
    pieces_emit(&p, a, head, i, allows, out);
}

const attn_pattern attn_pattern_natten2d = {
    .name = "natten2d",
    .summary = "the k x k nearest pixels of an image w wide",
    .source = "hassani2023",
    .params = params,
    .allows = allows,
    .row = row,
};
