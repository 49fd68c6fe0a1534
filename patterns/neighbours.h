/* Neighbourhoods along one axis, as natten2d and natten3d share them. Source: [hassani2023]. */
#ifndef PATTERNS_NEIGHBOURS_H
#define PATTERNS_NEIGHBOURS_H

#include <stdbool.h>
#include <stddef.h>

/* The neighbours of x on a line of `size`: the k places `step` apart that are nearest, moved inwards at the ends. Returns the first, and
 * their number. */
static inline size_t neighbours(size_t x, size_t size, size_t k, size_t step, size_t *count)
{
    const size_t rest = x % step, places = (size - rest - 1) / step + 1, place = x / step;
    *count = places < k ? places : k;
    const size_t least = place < k / 2 ? 0 : place - k / 2, most = places - *count;
    return rest + (least < most ? least : most) * step;
}

static inline bool is_neighbour(size_t x, size_t y, size_t size, size_t k, size_t step)
{
    size_t count;
    const size_t first = neighbours(x, size, k, step, &count);
    return y >= first && (y - first) % step == 0 && (y - first) / step < count;
}

#endif
