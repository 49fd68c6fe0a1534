/* Inside expr_*.c: numbers that move with the row.
 *
 * Neighbouring rows mostly take the same decisions with slightly other numbers: the window begins one key
 * later, the column's residue is one more. So what is computed for row i is computed for the rows after it at
 * the same time: a number is `at` in row i and changes by `per` from row to row, and every decision (a
 * comparison, a quotient) notes for how many rows it would come out the same. As long as all do, the combs of
 * a later row are those of row i, moved, and exactly what computing it anew would give. */
#ifndef PATTERNS_EXPR_MOVING_H
#define PATTERNS_EXPR_MOVING_H

#include "patterns/expr_parts.h"

typedef struct moving {
    int64_t at, per;
} moving;

/* Numbers and steps beyond these are only trusted for one row, so that limits are met or not in all rows
 * alike: 2^24 rows of steps 2^34 stay below 2^58. */
#define MOVING_STEP (INT64_C(1) << 34)
#define MOVING_SIZE (INT64_C(1) << 59)

static inline moving fixed(int64_t x)
{
    return (moving){x, 0};
}
static inline moving plus(moving x, moving y)
{
    return (moving){x.at + y.at, x.per + y.per};
}
static inline moving minus(moving x, moving y)
{
    return (moving){x.at - y.at, x.per - y.per};
}
static inline moving times(moving x, int64_t factor)
{
    return (moving){x.at * factor, x.per * factor};
}
static inline moving shifted(moving x, int64_t by)
{
    return (moving){x.at + by, x.per};
}

static inline void limit_rows(int64_t *rows, int64_t most)
{
    if (most < *rows)
        *rows = most;
}

/* x >= 0 now; it shall stay so. */
static inline void keep_positive(int64_t *rows, moving x)
{
    if (x.per < 0)
        limit_rows(rows, x.at / -x.per + 1);
}

/* The value in this row, on which something depends that cannot move. */
static inline int64_t pinned(int64_t *rows, moving x)
{
    if (x.per != 0)
        *rows = 1;
    return x.at;
}

static inline bool less(int64_t *rows, moving x, moving y) /* x < y */
{
    moving d = minus(y, x);
    if (d.at > 0) {
        keep_positive(rows, shifted(d, -1));
        return true;
    }
    keep_positive(rows, times(d, -1));
    return false;
}

static inline int sign_of(int64_t *rows, moving x)
{
    if (x.at == 0) {
        if (x.per != 0)
            *rows = 1;
        return 0;
    }
    if (x.at > 0)
        keep_positive(rows, shifted(x, -1));
    else
        keep_positive(rows, shifted(times(x, -1), -1));
    return x.at > 0 ? 1 : -1;
}

static inline bool same(int64_t *rows, moving x, moving y)
{
    moving d = minus(x, y);
    if (d.per == 0)
        return d.at == 0;
    if (d.at == 0)
        *rows = 1;
    else if (d.at % d.per == 0 && (d.at < 0) != (d.per < 0))
        limit_rows(rows, -(d.at / d.per));
    return d.at == 0;
}

static inline moving lesser(int64_t *rows, moving x, moving y)
{
    return less(rows, y, x) ? y : x;
}
static inline moving greater(int64_t *rows, moving x, moving y)
{
    return less(rows, x, y) ? y : x;
}

/* floor(x / d), d > 0 */
static inline moving quotient(int64_t *rows, moving x, int64_t d)
{
    int64_t q = x.at / d;
    q -= x.at % d < 0;
    if (x.per % d == 0)
        return (moving){q, x.per / d};
    int64_t rest = x.at - q * d;
    keep_positive(rows, (moving){rest, x.per});
    keep_positive(rows, (moving){d - 1 - rest, -x.per});
    return fixed(q);
}

/* Whether x may be computed with. */
static inline bool tame(int64_t *rows, moving *x)
{
    if (x->per > MOVING_STEP || x->per < -MOVING_STEP)
        x->per = 0, *rows = 1;
    if (x->at > MOVING_SIZE || x->at < -MOVING_SIZE)
        *rows = 1;
    return x->at < EXPR_LIMIT && x->at > -EXPR_LIMIT;
}

#endif
