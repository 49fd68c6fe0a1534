/* Piecewise functions of a key: comparisons, min and max, by the sign of the difference.
 *
 * In a strip without rise the sign of  v + s t  changes at most twice, and the strip is cut there. With a
 * rise it depends on the period q too: below some q all residues of the strip are on one side, above another
 * all on the other side, and between them, a few periods for which the piece itself is cut, at keys. Then
 * every strip of every part has either no rise or one sign. */
#include "patterns/expr_pieces.h"

enum {
    CUTS = 64,  /* keys at which one piece is cut */
    BETWEEN = 8 /* periods in which a strip has both signs */
};

typedef struct cutter {
    moving at[CUTS];
    size_t count;
    moving begin, end;
    int64_t *rows;
    bool full;
} cutter;

static void cut(cutter *c, moving key)
{
    if (!less(c->rows, c->begin, key) || !less(c->rows, key, c->end))
        return;
    size_t place = c->count;
    while (place > 0 && !less(c->rows, c->at[place - 1], key))
        if (same(c->rows, c->at[--place], key))
            return;
    if (c->count == CUTS) {
        c->full = true;
        return;
    }
    for (size_t k = c->count++; k > place; k--)
        c->at[k] = c->at[k - 1];
    c->at[place] = key;
}

/* The first t in [0, length] with  v + s t  beyond 0 in the direction of s (s != 0), or at it. */
static moving reaches(int64_t *rows, moving v, int64_t s, moving length, bool beyond)
{
    if (s < 0) {
        v = times(v, -1);
        s = -s;
    }
    moving t = beyond ? shifted(quotient(rows, times(v, -1), s), 1) : times(quotient(rows, v, s), -1);
    return less(rows, t, fixed(0)) ? fixed(0) : lesser(rows, t, length);
}

/* Cuts the piece where the sign of the difference d, in residues [begin, end) of period `period`, changes
 * with q. */
static void cut_strip(cutter *c, const strip *d, moving begin, moving end, int64_t period)
{
    int64_t *rows = c->rows, a = d->rise;
    moving last = plus(d->value, times(minus(shifted(end, -1), begin), d->slope));
    moving low = d->slope >= 0 ? d->value : last, high = d->slope >= 0 ? last : d->value;
    if (a < 0) { /* the same for -d */
        moving other = low;
        low = times(high, -1);
        high = times(other, -1);
        a = -a;
    }
    /* a q + high < 0 below `from`, a q + low > 0 from `to` on */
    moving from = times(quotient(rows, high, a), -1), to = shifted(quotient(rows, times(low, -1), a), 1);
    moving first = quotient(rows, c->begin, period),
           stop = shifted(quotient(rows, shifted(c->end, -1), period), 1);
    if (!less(rows, from, stop) || !less(rows, first, to))
        return; /* one side throughout */
    moving q = greater(rows, from, first), past = lesser(rows, to, stop);
    if (d->slope != 0 && less(rows, shifted(q, BETWEEN), past)) {
        c->full = true;
        return;
    }
    cut(c, times(q, period));
    cut(c, times(past, period));
    if (d->slope == 0)
        return;
    for (moving length = minus(end, begin); less(rows, q, past); q = shifted(q, 1)) {
        moving v = plus(d->value, times(q, d->rise)), base = plus(times(q, period), begin);
        cut(c, times(q, period));
        cut(c, plus(base, reaches(rows, v, d->slope, length, false)));
        cut(c, plus(base, reaches(rows, v, d->slope, length, true)));
    }
}

/* The sign of a difference with a rise in keys [begin, end), where it is the same for all that are in the
 * strip. */
static int sign_in(int64_t *rows, const strip *d, const pair_walk *w, moving begin, moving end)
{
    int64_t period = w->pair->period;
    moving q = quotient(rows, begin, period), r = minus(begin, times(q, period));
    if (!less(rows, r, w->end)) {
        q = shifted(q, 1);
        r = w->begin;
    } else {
        r = greater(rows, r, w->begin);
    }
    if (!less(rows, plus(times(q, period), r), end))
        return 0; /* no key of the strip is here */
    return sign_of(rows, plus(d->value, plus(times(q, d->rise), times(minus(r, w->begin), d->slope))));
}

/* Writes residues up to `end` of what the sign decides. */
static void write_outcome(piece_work *work, const pair_walk *w, int sign, moving begin, moving end)
{
    strip s = {.end = end};
    switch (work->op) {
    case EXPR_LT: s.value.at = sign < 0; break;
    case EXPR_LE: s.value.at = sign <= 0; break;
    case EXPR_EQ: s.value.at = sign == 0; break;
    case EXPR_NE: s.value.at = sign != 0; break;
    default: { /* MIN, MAX */
        const strip *from = (work->op == EXPR_MIN) == (sign < 0) ? &w->x : &w->y;
        s.value = plus(from->value, times(minus(begin, w->begin), from->slope));
        s.rise = from->rise;
        s.slope = from->slope;
    }
    }
    if (less(&w->pair->room->rows, begin, end))
        writer_strip(&work->writer, s);
}

/* d = x - y; false: one of them is open, or so large that what is computed with it below could overflow. */
static bool difference(const pair_walk *w, strip *d)
{
    const int64_t most = EXPR_LIMIT / 4;
    const piece_pair *pair = w->pair;
    int64_t *rows = &pair->room->rows, climb, steps;
    *d = (strip){.end = w->end};
    if (w->x.open || w->y.open)
        return false;
    d->value = minus(w->x.value, w->y.value);
    (void)tame(rows, &d->value);
    moving length = minus(w->end, w->begin);
    int64_t periods = pair->room->keys / pair->period + 1;
    if (__builtin_sub_overflow(w->x.rise, w->y.rise, &d->rise) ||
        __builtin_sub_overflow(w->x.slope, w->y.slope, &d->slope) || d->value.at > most ||
        d->value.at < -most || __builtin_mul_overflow(d->rise, periods, &climb) || climb > most ||
        climb < -most)
        return false;
    if (__builtin_mul_overflow(d->slope, length.at, &climb) || climb > most || climb < -most ||
        __builtin_mul_overflow(d->slope, length.per, &steps) || steps > most || steps < -most)
        return false;
    if (climb > MOVING_SIZE || climb < -MOVING_SIZE || steps > MOVING_STEP || steps < -MOVING_STEP)
        *rows = 1;
    return true;
}

static void write_part(piece_work *work, const piece_pair *pair, moving begin, moving end)
{
    int64_t *rows = &pair->room->rows;
    writer_open(&work->writer, begin, pair->period);
    for (pair_walk w = walk_start(pair); walk_next(&w);) {
        strip d;
        moving length = minus(w.end, w.begin);
        if (!difference(&w, &d)) {
            writer_strip(&work->writer, (strip){.end = w.end, .open = true});
        } else if (d.rise != 0) {
            write_outcome(work, &w, sign_in(rows, &d, &w, begin, end), w.begin, w.end);
        } else if (d.slope == 0) {
            write_outcome(work, &w, sign_of(rows, d.value), w.begin, w.end);
        } else {
            int after = d.slope > 0 ? 1 : -1;
            moving at = plus(w.begin, reaches(rows, d.value, d.slope, length, false)),
                   past = plus(w.begin, reaches(rows, d.value, d.slope, length, true));
            write_outcome(work, &w, -after, w.begin, at);
            write_outcome(work, &w, 0, at, past);
            write_outcome(work, &w, after, past, w.end);
        }
    }
    writer_close(&work->writer);
}

static void make_comparison(piece_work *work, const piece_pair *pair)
{
    cutter c = {.begin = pair->begin, .end = pair->end, .rows = &pair->room->rows};
    for (pair_walk w = walk_start(pair); walk_next(&w) && !c.full;) {
        strip d;
        if (difference(&w, &d) && d.rise != 0)
            cut_strip(&c, &d, w.begin, w.end, pair->period);
    }
    if (c.full) {
        writer_open(&work->writer, pair->begin, 1);
        writer_strip(&work->writer, (strip){.end = fixed(1), .open = true});
        writer_close(&work->writer);
        return;
    }
    moving begin = pair->begin;
    for (size_t k = 0; k <= c.count; k++) {
        moving end = k < c.count ? c.at[k] : pair->end;
        write_part(work, pair, begin, end);
        begin = end;
    }
}

pieces pieces_compare(piece_room *room, expr_op op, pieces x, pieces y, moving end)
{
    return pieces_combine(room, (piece_work){.op = op}, x, y, end, make_comparison);
}
