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
    int64_t at[CUTS];
    size_t count;
    int64_t begin, end;
    bool full;
} cutter;

static void cut(cutter *c, int64_t key)
{
    if (key <= c->begin || key >= c->end)
        return;
    size_t place = c->count;
    while (place > 0 && c->at[place - 1] >= key)
        if (c->at[--place] == key)
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
static int64_t reaches(int64_t v, int64_t s, int64_t length, bool beyond)
{
    if (s < 0) {
        v = -v;
        s = -s;
    }
    int64_t t = beyond ? expr_floor_div(-v, s) + 1 : -expr_floor_div(v, s);
    return t < 0 ? 0 : t > length ? length : t;
}

static int sign_of(int64_t v)
{
    return (v > 0) - (v < 0);
}

/* Cuts the piece where the sign of the difference d, in residues [begin, end) of period `period`, changes
 * with q. */
static void cut_strip(cutter *c, const strip *d, int64_t begin, int64_t end, int64_t period)
{
    int64_t last = d->value + d->slope * (end - begin - 1);
    int64_t low = d->value < last ? d->value : last, high = d->value < last ? last : d->value, a = d->rise;
    if (a < 0) { /* the same for -d */
        int64_t other = low;
        low = -high;
        high = -other;
        a = -a;
    }
    /* a q + high < 0 below `from`, a q + low > 0 from `to` on */
    int64_t from = -expr_floor_div(high, a), to = expr_floor_div(-low, a) + 1;
    int64_t first = c->begin / period, final = (c->end - 1) / period;
    if (from > final || to <= first)
        return; /* one side throughout */
    int64_t least = from < first ? first : from, most = to > final + 1 ? final + 1 : to;
    if (d->slope != 0 && most - least > BETWEEN) {
        c->full = true;
        return;
    }
    cut(c, least * period);
    cut(c, most * period);
    if (d->slope == 0)
        return;
    for (int64_t q = least; q < most; q++) {
        int64_t v = d->value + d->rise * q;
        cut(c, q * period);
        cut(c, q * period + begin + reaches(v, d->slope, end - begin, false));
        cut(c, q * period + begin + reaches(v, d->slope, end - begin, true));
    }
}

/* The sign of a difference with a rise in keys [begin, end), where it is the same for all that are in the
 * strip. */
static int sign_in(const strip *d, int64_t strip_begin, int64_t strip_end, int64_t period, int64_t begin,
                   int64_t end)
{
    int64_t q = begin / period, r = begin % period;
    if (r >= strip_end) {
        q++;
        r = strip_begin;
    } else if (r < strip_begin) {
        r = strip_begin;
    }
    if (q * period + r >= end)
        return 0; /* no key of the strip is here */
    return sign_of(d->value + d->rise * q + d->slope * (r - strip_begin));
}

/* Writes residues up to `end` of what the sign decides. */
static void write_outcome(piece_work *work, const pair_walk *w, int sign, int64_t begin, int64_t end)
{
    strip s = {.end = end};
    switch (work->op) {
    case EXPR_LT: s.value = sign < 0; break;
    case EXPR_LE: s.value = sign <= 0; break;
    case EXPR_EQ: s.value = sign == 0; break;
    case EXPR_NE: s.value = sign != 0; break;
    default: { /* MIN, MAX */
        const strip *from = (work->op == EXPR_MIN) == (sign < 0) ? &w->x : &w->y;
        s.value = from->value + from->slope * (begin - w->begin);
        s.rise = from->rise;
        s.slope = from->slope;
    }
    }
    if (end > begin)
        writer_strip(&work->writer, s);
}

/* d = x - y; false: one of them is open, or so large that what is computed with it below could overflow. */
static bool difference(const piece_pair *pair, const pair_walk *w, strip *d)
{
    const int64_t most = EXPR_LIMIT / 4;
    *d = (strip){.end = w->end};
    int64_t climb, length = w->end - w->begin, periods = pair->end / pair->period + 1;
    if (w->x.open || w->y.open || __builtin_sub_overflow(w->x.value, w->y.value, &d->value) ||
        __builtin_sub_overflow(w->x.rise, w->y.rise, &d->rise) ||
        __builtin_sub_overflow(w->x.slope, w->y.slope, &d->slope) || d->value > most || d->value < -most)
        return false;
    if (__builtin_mul_overflow(d->slope, length, &climb) || climb > most || climb < -most)
        return false;
    return !__builtin_mul_overflow(d->rise, periods, &climb) && climb <= most && climb >= -most;
}

static void write_part(piece_work *work, const piece_pair *pair, int64_t begin, int64_t end)
{
    writer_open(&work->writer, begin, pair->period);
    for (pair_walk w = walk_start(pair); walk_next(&w);) {
        strip d;
        int64_t length = w.end - w.begin;
        if (!difference(pair, &w, &d)) {
            writer_strip(&work->writer, (strip){.end = w.end, .open = true});
        } else if (d.rise != 0) {
            write_outcome(work, &w, sign_in(&d, w.begin, w.end, pair->period, begin, end), w.begin, w.end);
        } else if (d.slope == 0) {
            write_outcome(work, &w, sign_of(d.value), w.begin, w.end);
        } else {
            int after = sign_of(d.slope);
            int64_t at = w.begin + reaches(d.value, d.slope, length, false),
                    past = w.begin + reaches(d.value, d.slope, length, true);
            write_outcome(work, &w, -after, w.begin, at);
            write_outcome(work, &w, 0, at, past);
            write_outcome(work, &w, after, past, w.end);
        }
    }
    writer_close(&work->writer);
}

static void make_comparison(piece_work *work, const piece_pair *pair)
{
    cutter c = {.begin = pair->begin, .end = pair->end};
    for (pair_walk w = walk_start(pair); walk_next(&w) && !c.full;) {
        strip d;
        if (difference(pair, &w, &d) && d.rise != 0)
            cut_strip(&c, &d, w.begin, w.end, pair->period);
    }
    if (c.full) {
        writer_open(&work->writer, pair->begin, 1);
        writer_strip(&work->writer, (strip){.end = 1, .open = true});
        writer_close(&work->writer);
        return;
    }
    int64_t begin = pair->begin;
    for (size_t k = 0; k <= c.count; k++) {
        int64_t end = k < c.count ? c.at[k] : pair->end;
        write_part(work, pair, begin, end);
        begin = end;
    }
}

pieces pieces_compare(piece_room *room, expr_op op, pieces x, pieces y, int64_t end)
{
    return pieces_combine(room, (piece_work){.op = op}, x, y, end, make_comparison);
}
