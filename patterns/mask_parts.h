/* What a mask from a file is. Inside patterns/mask*.c. */
#ifndef PATTERNS_MASK_PARTS_H
#define PATTERNS_MASK_PARTS_H

#include "patterns/mask.h"

typedef struct mask_run {
    uint32_t begin, end;
} mask_run;

struct mask_runs {
    size_t heads, rows;  /* rows of a head */
    size_t unit;         /* queries of a row: those of a block, or 1 */
    size_t *first;       /* [heads*rows + 1]: where the runs of a row begin */
    mask_run *at;        /* ordered, not touching */
    size_t count, capacity;
};

#endif
