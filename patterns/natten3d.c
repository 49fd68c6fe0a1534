/* natten3d: positions are voxels of a video of frames w wide and h high; each sees the kt x k x k nearest, `step` apart.
 *
 *   allowed(i, j)  <=>  x(j), y(j) and t(j) are neighbours of x(i), y(i) and t(i),  and j <= i when causal
 *
 * Neighbours along an axis are as in natten2d; kt is their number in time. Source: [hassani2023] section 3, dilation from
 * [hassani2022]. */
#include "patterns/neighbours.h"
#include "patterns/pieces.h"

enum { W, H, K, KT, STEP };
static const attn_param params[] = {
    [W] = {.key = "w", .min = 1, .max = ATTN_MAX_N, .fallback = "8", .help = "width of a frame"},
    [H] = {.key = "h", .min = 1, .max = ATTN_MAX_N, .fallback = "8", .help = "height of a frame"},
    [K] = {.key = "k", .min = 1, .max = ATTN_MAX_N, .fallback = "5", .help = "neighbours along each axis of a frame"},
    [KT] = {.key = "kt", .min = 1, .max = ATTN_MAX_N, .fallback = "3", .help = "neighbours in time"},
    [STEP] = {.key = "step", .min = 1, .max = ATTN_MAX_N, .fallback = "1", .help = "distance between them"},
    {0},
};

static bool allows(const attn_pattern_args *a, size_t head, size_t i, size_t j)
{
    (void)head;
    if (a->causal && j > i)
        return false;
    const size_t w = a->v[W], h = a->v[H], frames = (a->nk - 1) / (w * h) + 1, step = a->v[STEP];
    return is_neighbour(i % w, j % w, w, a->v[K], step) && is_neighbour(i / w % h, j / w % h, h, a->v[K], step) &&
           is_neighbour(i / w / h, j / w / h, frames, a->v[KT], step);
}

static void row(const attn_pattern_args *a, size_t head, size_t i, attn_combs *out)
{
    pieces p;
    pieces_begin(&p, a, i);
    const size_t w = a->v[W], h = a->v[H], frames = (a->nk - 1) / (w * h) + 1, step = a->v[STEP];
    size_t columns, rows, times;
    const size_t x = neighbours(i % w, w, a->v[K], step, &columns), y = neighbours(i / w % h, h, a->v[K], step, &rows);
    const size_t t = neighbours(i / w / h, frames, a->v[KT], step, &times);
    for (size_t f = 0; f < times && (t + f * step) * w * h < p.end; f++) {
        const size_t frame = (t + f * step) * w * h;
        if (step == 1)
            pieces_add(&p, frame + y * w + x, columns, w, rows);
        for (size_t r = 0; r < rows && step > 1; r++)
            pieces_add(&p, frame + (y + r * step) * w + x, 1, step, columns);
    }
    pieces_emit(&p, a, head, i, allows, out);
}

const attn_pattern attn_pattern_natten3d = {
    .name = "natten3d",
    .summary = "the kt x k x k nearest voxels of a video w wide and h high",
    .source = "hassani2023",
    .params = params,
    .allows = allows,
    .row = row,
};
