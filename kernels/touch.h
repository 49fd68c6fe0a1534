/* Rows to be brought into the cache while something else is computed: they lie too far apart, or are too few, for the
 * hardware to foresee them. A core has few line buffers: asked for a few at a time, rows cost nothing, all at once they
 * hold up everything behind them. */
#ifndef KERNELS_TOUCH_H
#define KERNELS_TOUCH_H

#include <stdbool.h>

#include "kernels/simd.h"

typedef struct touch {
    const char *at;
    size_t stride, bytes;   /* from row to row, of a row */
    uint32_t rows;
    bool write;
} touch;

enum { MAX_TOUCHES = 6 };

typedef struct touches {
    touch of[MAX_TOUCHES];
    uint32_t count, next;   /* of[next .. count) are left */
    uint32_t rows;          /* in all */
} touches;

/* `rows` rows of `bytes`, `step` apart, from row `row` of a tensor; NULL: none. What does not fit is left out. */
INLINE void touch_rows(touches *a, const void *tensor, size_t row, size_t bytes, size_t step, size_t rows, bool write)
{
    if (tensor && rows && a->count < MAX_TOUCHES) {
        a->of[a->count++] = (touch){(const char *)tensor + row * bytes, step * bytes, bytes, (uint32_t)rows, write};
        a->rows += (uint32_t)rows;
    }
}

/* Asks for the next `rows` rows, or for as many as there are. */
INLINE void touch_next(touches *a, uint32_t rows)
{
    while (rows && a->next < a->count) {
        touch *t = &a->of[a->next];
        const uint32_t now = rows < t->rows ? rows : t->rows;
        const char *at = t->at, *const end = at + now * t->stride;
        const size_t stride = t->stride, bytes = t->bytes;
        if (t->write)
            for (; at != end; at += stride)
                for (size_t b = 0; b < bytes; b += 64)
                    __builtin_prefetch(at + b, 1, 3);
        else
            for (; at != end; at += stride)
                for (size_t b = 0; b < bytes; b += 64)
                    __builtin_prefetch(at + b, 0, 2);
        t->at = end;
        t->rows -= now;
        a->next += t->rows == 0;
        rows -= now;
    }
}

#endif
