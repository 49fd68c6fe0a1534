/* Piecewise functions of a key: quotients, remainders and shifts by what is constant in a strip.
 *
 * With f = v + a q + s t and a divisor d > 0: stretched to a period in which d divides a,
 *
 *     floor(f / d) = (a/d) q + floor((v + s t) / d)
 *
 * and with s = m d + s', |s'| <= d/2, the last term is m t + floor((v + s' t) / d), a staircase whose steps
 * are the strips of the result. The remainder is f - d floor(f / d): slope s', no rise. A negative divisor is
 * floor(-f / -d). */
#include "patterns/expr_pieces.h"

typedef struct division {
    piece_work *work;
    moving begin, end; /* residues */
    strip f;
    int64_t d;    /* > 0 */
    int64_t sign; /* of the divisor that was written */
} division;

/* The strips of one strip's quotient or remainder. */
static void write_stairs(const division *v)
{
    piece_writer *writer = &v->work->writer;
    int64_t *rows = &writer->room->rows, d = v->d, whole = expr_floor_div(v->f.slope, d),
            part = v->f.slope - whole * d;
    if (part > d / 2) {
        whole++;
        part -= d;
    }
    moving length = minus(v->end, v->begin);
    for (moving t = fixed(0); !writer->full && less(rows, t, length);) {
        /* a step: t to next, with the quotient of v + s' t the same */
        moving at = plus(v->f.value, times(t, part)), step = quotient(rows, at, d),
               inside = minus(at, times(step, d)), next = length;
        if (part > 0)
            next = plus(t, shifted(quotient(rows, minus(fixed(d - 1), inside), part), 1));
        else if (part < 0)
            next = plus(t, shifted(quotient(rows, inside, -part), 1));
        next = lesser(rows, next, length);
        strip s = {.end = plus(v->begin, next)};
        if (v->work->op == EXPR_DIV) {
            s.value = plus(step, times(t, whole));
            s.rise = v->f.rise / d;
            s.slope = whole;
        } else {
            s.value = times(inside, v->sign);
            s.slope = v->sign * part;
        }
        writer_strip(writer, s);
        t = next;
    }
}

/* The factor by which the period has to grow; 0: too long. */
static int64_t stretch_factor(const piece_pair *pair)
{
    int64_t factor = 1;
    for (pair_walk w = walk_start(pair); walk_next(&w);) {
        int64_t divisor = pinned(&pair->room->rows, w.y.value), d = divisor < 0 ? -divisor : divisor,
                a = w.x.rise < 0 ? -w.x.rise : w.x.rise;
        if (w.x.open || !strip_constant(pair->room, &w.y, minus(w.end, w.begin)) || d < 2)
            continue;
        int64_t x = a, y = d;
        while (x) {
            int64_t rest = y % x;
            y = x;
            x = rest;
        }
        int64_t needed = d / y, p = factor, q = needed; /* least common multiple with what there is */
        while (q) {
            int64_t rest = p % q;
            p = q;
            q = rest;
        }
        if (__builtin_mul_overflow(factor / p, needed, &factor))
            return 0;
        if (factor > (INT64_C(1) << PIECE_PERIOD_BITS) / pair->period)
            return 0;
    }
    return factor;
}

static void make_division(piece_work *work, const piece_pair *pair)
{
    piece_writer *writer = &work->writer;
    piece_pair p = *pair;
    int64_t factor = stretch_factor(pair);
    bool possible = factor > 0;
    if (factor > 1) {
        p.period *= factor;
        p.x = pieces_stretch(writer->room, pair->x, pair->count_x, pair->period, factor, &p.count_x);
        p.y = p.x ? pieces_stretch(writer->room, pair->y, pair->count_y, pair->period, factor, &p.count_y)
                  : NULL;
        possible = p.x && p.y;
    }
    writer_open(writer, p.begin, p.period);
    if (!possible)
        writer_strip(writer, (strip){.end = fixed(p.period), .open = true});
    else
        for (pair_walk w = walk_start(&p); walk_next(&w);) {
            division v = {work, w.begin, w.end, w.x, w.y.value.at, 1}; /* pinned above */
            if (w.x.open || !strip_constant(pair->room, &w.y, minus(w.end, w.begin))) {
                writer_strip(writer, (strip){.end = w.end, .open = true});
                continue;
            }
            if (v.d == 0) { /* x // 0 = 0, x % 0 = x */
                strip s = w.x;
                s.end = w.end;
                writer_strip(writer, work->op == EXPR_DIV ? (strip){.end = w.end} : s);
                continue;
            }
            if (v.d < 0) {
                v.d = -v.d;
                v.sign = -1;
                v.f.value = times(v.f.value, -1);
                v.f.rise = -v.f.rise;
                v.f.slope = -v.f.slope;
            }
            write_stairs(&v);
        }
    writer_close(writer);
}

pieces pieces_quotient(piece_room *room, pieces x, pieces y, moving end)
{
    return pieces_combine(room, (piece_work){.op = EXPR_DIV}, x, y, end, make_division);
}

pieces pieces_remainder(piece_room *room, pieces x, pieces y, moving end)
{
    return pieces_combine(room, (piece_work){.op = EXPR_MOD}, x, y, end, make_division);
}

/* ---- shifts ---- */

/* 2^x, where x is constant strip by strip. */
static void make_power(piece_work *work, const piece_pair *pair)
{
    writer_open(&work->writer, pair->begin, pair->period);
    for (pair_walk w = walk_start(pair); walk_next(&w);) {
        strip s = {.end = w.end, .open = !strip_constant(pair->room, &w.x, minus(w.end, w.begin))};
        int64_t bits = s.open ? 0 : pinned(&pair->room->rows, w.x.value);
        if (bits >= 0 && bits <= 62)
            s.value = fixed(INT64_C(1) << bits);
        writer_strip(&work->writer, s);
    }
    writer_close(&work->writer);
}

pieces pieces_shift(piece_room *room, expr_op op, pieces x, pieces y, moving end)
{
    pieces power = pieces_combine(room, (piece_work){.op = op}, y, y, end, make_power);
    return op == EXPR_SHL ? pieces_product(room, x, power, end) : pieces_quotient(room, x, power, end);
}
