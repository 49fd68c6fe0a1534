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

/* Asks for the next row, if there is one. */
INLINE void touch_next(touches *a)
{
    if (a->next == a->count)
        return;
    touch *t = &a->of[a->next];
    if (t->write)
        for (size_t b = 0; b < t->bytes; b += 64)
            __builtin_prefetch(t->at + b, 1, 3);
    else
        for (size_t b = 0; b < t->bytes; b += 64)
            __builtin_prefetch(t->at + b, 0, 2);
    t->at += t->stride;
    if (--t->rows == 0)
        a->next++;
}

#endif
