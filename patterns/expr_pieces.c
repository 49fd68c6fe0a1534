/* Piecewise functions of a key: how they are written, and the operations that go strip by strip. */
#include "patterns/expr_pieces.h"

static const strip unknown = {.end = {1, 0}, .open = true};
static const piece unknown_piece = {.period = 1, .strips = &unknown, .count = 1};

pieces pieces_open(void)
{
    return (pieces){&unknown_piece, 1};
}

/* *to += factor * by; false: too large. */
static bool accumulate(int64_t *to, int64_t factor, int64_t by)
{
    int64_t part;
    return !__builtin_mul_overflow(factor, by, &part) && !__builtin_add_overflow(*to, part, to);
}

/* The same of a moving number; steps that are too large are not moved by. */
static bool accumulate_moving(int64_t *rows, moving *to, moving x, int64_t by)
{
    if (!accumulate(&to->per, x.per, by)) {
        to->per = 0;
        *rows = 1;
    }
    return accumulate(&to->at, x.at, by);
}

/* ---- writing ---- */

void writer_start(piece_writer *w, piece_room *room)
{
    *w = (piece_writer){.room = room, .first = room->piece_count, .room_strips = room->strip_count};
}

void writer_open(piece_writer *w, moving begin, int64_t period)
{
    w->begin = begin;
    w->period = period;
    w->first_strip = w->room->strip_count;
}

/* Whether s continues the strip before it, whose first residue is `begin`. Two single residues are joined
 * only if equal, so that functions of 0 and 1 have no slopes. */
static bool continues(int64_t *rows, const strip *last, moving begin, const strip *s)
{
    if (last->open || s->open)
        return last->open && s->open;
    if (last->rise != s->rise)
        return false;
    moving length = minus(last->end, begin), more = minus(s->end, last->end);
    bool alone = same(rows, length, fixed(1)), one = same(rows, more, fixed(1));
    int64_t slope = !alone ? last->slope : one ? 0 : s->slope;
    moving next = last->value;
    return (one || s->slope == slope) && accumulate_moving(rows, &next, length, slope) &&
           same(rows, next, s->value);
}

/* Whether all numbers of a strip of `length` residues are small enough to be computed with. */
static bool moderate(int64_t *rows, strip *s, moving length)
{
    moving last = s->value;
    return !s->open && s->rise < EXPR_LIMIT && s->rise > -EXPR_LIMIT && tame(rows, &s->value) &&
           accumulate_moving(rows, &last, shifted(length, -1), s->slope) && tame(rows, &last);
}

void writer_strip(piece_writer *w, strip s)
{
    piece_room *room = w->room;
    int64_t *rows = &room->rows;
    size_t count = room->strip_count - w->first_strip;
    strip *last = &room->strips[room->strip_count - (count > 0)];
    moving done = count ? last->end : fixed(0);
    if (w->full || !less(rows, done, s.end))
        return;
    moving length = minus(s.end, done);
    if (s.slope != 0 && same(rows, length, fixed(1)))
        s.slope = 0;
    if (!moderate(rows, &s, length))
        s = (strip){.end = s.end, .open = true};
    if (count) {
        moving begin = count > 1 ? last[-1].end : fixed(0);
        if (continues(rows, last, begin, &s)) {
            if (last->slope != s.slope && same(rows, minus(last->end, begin), fixed(1)))
                last->slope = s.slope;
            last->end = s.end;
            return;
        }
    }
    if (room->strip_count == room->strip_capacity) {
        w->full = true;
        return;
    }
    room->strips[room->strip_count++] = s;
}

static bool same_form(int64_t *rows, const piece *a, int64_t period, const strip *strips, size_t count)
{
    if (a->period != period || a->count != count)
        return false;
    if (a->strips == strips)
        return true;
    for (size_t k = 0; k < count; k++) {
        const strip *s = &a->strips[k], *t = &strips[k];
        if (s->open != t->open || !same(rows, s->end, t->end))
            return false;
        if (!s->open && (s->rise != t->rise || s->slope != t->slope || !same(rows, s->value, t->value)))
            return false;
    }
    return true;
}

static void append(piece_writer *w, piece p)
{
    piece_room *room = w->room;
    if (w->full)
        return;
    if (room->piece_count > w->first &&
        same_form(&room->rows, &room->pieces[room->piece_count - 1], p.period, p.strips, p.count))
        return;
    if (room->piece_count == room->piece_capacity) {
        w->full = true;
        return;
    }
    room->pieces[room->piece_count++] = p;
}

void writer_close(piece_writer *w)
{
    piece_room *room = w->room;
    if (w->full)
        return;
    strip *s = &room->strips[w->first_strip];
    size_t count = room->strip_count - w->first_strip, before = room->piece_count;
    int64_t climb;
    if (count == 1 && w->period > 1 &&
        (s->open || (!__builtin_mul_overflow(s->slope, w->period, &climb) && climb == s->rise))) {
        /* the same line in every period: a function of j itself */
        *s = (strip){.end = fixed(1), .value = s->value, .rise = s->slope, .open = s->open};
        w->period = 1;
    }
    append(w, (piece){.begin = w->begin, .period = w->period, .strips = s, .count = (uint32_t)count});
    if (room->piece_count == before) /* it is the piece before, or there was no room */
        room->strip_count = w->first_strip;
}

void writer_share(piece_writer *w, moving begin, const piece *form)
{
    append(w, (piece){.begin = begin, .period = form->period, .strips = form->strips, .count = form->count});
}

pieces writer_finish(piece_writer *w)
{
    if (w->full || w->room->piece_count == w->first) {
        w->room->piece_count = w->first;
        w->room->strip_count = w->room_strips;
        return pieces_open();
    }
    return (pieces){&w->room->pieces[w->first], (uint32_t)(w->room->piece_count - w->first)};
}

/* ---- reading two at once ---- */

pair_walk walk_start(const piece_pair *pair)
{
    return (pair_walk){.pair = pair};
}

/* The strip, counted from residue `begin` of it on. */
static strip from(int64_t *rows, const strip *strips, uint32_t at, moving begin)
{
    strip s = strips[at];
    moving first = at ? strips[at - 1].end : fixed(0);
    if (!s.open && s.slope != 0) {
        s.open = !accumulate_moving(rows, &s.value, minus(begin, first), s.slope) || !tame(rows, &s.value);
    }
    return s;
}

bool walk_next(pair_walk *w)
{
    const piece_pair *p = w->pair;
    int64_t *rows = &p->room->rows;
    w->begin = w->end;
    if (!less(rows, w->begin, fixed(p->period)))
        return false;
    while (!less(rows, w->begin, p->x[w->at_x].end))
        w->at_x++;
    while (!less(rows, w->begin, p->y[w->at_y].end))
        w->at_y++;
    w->x = from(rows, p->x, w->at_x, w->begin);
    w->y = from(rows, p->y, w->at_y, w->begin);
    w->end = lesser(rows, w->x.end, w->y.end);
    return true;
}

const strip *pieces_stretch(piece_room *room, const strip *strips, uint32_t count, int64_t period,
                            int64_t factor, uint32_t *new_count)
{
    strip *out = room->scratch + room->scratch_count;
    size_t left = room->scratch_capacity - room->scratch_count, used = 0;
    if (count == 1 && period == 1 && left > 0) { /* a line stays one */
        out[used++] = (strip){
            .end = fixed(factor), .value = strips[0].value, .slope = strips[0].rise, .open = strips[0].open};
        if (!strips[0].open && (__builtin_mul_overflow(strips[0].rise, factor, &out->rise) ||
                                !moderate(&room->rows, out, fixed(factor))))
            return NULL;
    } else {
        for (int64_t t = 0; t < factor; t++)
            for (uint32_t k = 0; k < count; k++) {
                strip s = strips[k];
                moving length = minus(s.end, k ? strips[k - 1].end : fixed(0));
                if (used == left)
                    return NULL;
                if (!s.open &&
                    (!accumulate(&s.value.at, s.rise, t) || !accumulate(&s.rise, s.rise, factor - 1) ||
                     !moderate(&room->rows, &s, length)))
                    return NULL;
                s.end = shifted(s.end, t * period);
                out[used++] = s;
            }
    }
    room->scratch_count += used;
    *new_count = (uint32_t)used;
    return out;
}

static int64_t greatest_divisor(int64_t a, int64_t b)
{
    while (b) {
        int64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* Both forms over their common period; false: too long, or no room. */
static bool common_period(piece_room *room, const piece *x, const piece *y, piece_pair *pair)
{
    pair->x = x->strips;
    pair->y = y->strips;
    pair->count_x = x->count;
    pair->count_y = y->count;
    pair->period = x->period;
    if (x->period == y->period)
        return true;
    int64_t shared = greatest_divisor(x->period, y->period);
    if (__builtin_mul_overflow(x->period / shared, y->period, &pair->period) ||
        pair->period > INT64_C(1) << PIECE_PERIOD_BITS)
        return false;
    if (x->period != pair->period)
        pair->x =
            pieces_stretch(room, x->strips, x->count, x->period, pair->period / x->period, &pair->count_x);
    if (y->period != pair->period)
        pair->y =
            pieces_stretch(room, y->strips, y->count, y->period, pair->period / y->period, &pair->count_y);
    return pair->x && pair->y;
}

static void write_open(piece_writer *w, moving begin)
{
    writer_share(w, begin, &unknown_piece);
}

pieces pieces_combine(piece_room *room, piece_work work, pieces x, pieces y, moving end,
                      void (*make)(piece_work *work, const piece_pair *pair))
{
    int64_t *rows = &room->rows;
    uint32_t at_x = 0, at_y = 0;
    writer_start(&work.writer, room);
    for (moving begin = fixed(0); !work.writer.full && less(rows, begin, end);) {
        while (at_x + 1 < x.count && !less(rows, begin, x.at[at_x + 1].begin))
            at_x++;
        while (at_y + 1 < y.count && !less(rows, begin, y.at[at_y + 1].begin))
            at_y++;
        moving next = end;
        if (at_x + 1 < x.count)
            next = lesser(rows, next, x.at[at_x + 1].begin);
        if (at_y + 1 < y.count)
            next = lesser(rows, next, y.at[at_y + 1].begin);
        piece_pair pair = {.room = room, .begin = begin, .end = next};
        room->scratch_count = 0;
        if (common_period(room, &x.at[at_x], &y.at[at_y], &pair))
            make(&work, &pair);
        else
            write_open(&work.writer, begin);
        begin = next;
    }
    return writer_finish(&work.writer);
}

/* ---- constants and lines ---- */

static pieces line(piece_room *room, moving value, int64_t rise)
{
    piece_writer w;
    writer_start(&w, room);
    writer_open(&w, fixed(0), 1);
    writer_strip(&w, (strip){.end = fixed(1), .value = value, .rise = rise});
    writer_close(&w);
    return writer_finish(&w);
}

pieces pieces_constant(piece_room *room, moving value)
{
    return line(room, value, 0);
}

pieces pieces_key(piece_room *room)
{
    return line(room, fixed(0), 1);
}

/* ---- sums and products ---- */

static void make_sum(piece_work *work, const piece_pair *pair)
{
    piece_room *room = pair->room;
    writer_open(&work->writer, pair->begin, pair->period);
    for (pair_walk w = walk_start(pair); walk_next(&w);) {
        strip s = {.end = w.end, .value = w.x.value, .rise = w.x.rise, .slope = w.x.slope};
        s.open = w.x.open || w.y.open || !accumulate_moving(&room->rows, &s.value, w.y.value, work->sign) ||
                 !accumulate(&s.rise, work->sign, w.y.rise) || !accumulate(&s.slope, work->sign, w.y.slope);
        writer_strip(&work->writer, s);
    }
    writer_close(&work->writer);
}

pieces pieces_sum(piece_room *room, pieces x, pieces y, int64_t sign, moving end)
{
    return pieces_combine(room, (piece_work){.sign = sign}, x, y, end, make_sum);
}

enum { SINGLES = 64 }; /* residues of a strip that are taken one by one where nothing better is known */

/* The residues of a strip one by one: op applied to both values. false: they are too many. */
static bool write_singles(piece_work *work, const pair_walk *w)
{
    int64_t *rows = &w->pair->room->rows;
    if (w->x.open || w->y.open || w->x.rise != 0 || w->y.rise != 0 ||
        less(rows, fixed(SINGLES), minus(w->end, w->begin)))
        return false;
    int64_t begin = pinned(rows, w->begin), end = pinned(rows, w->end), first_x = pinned(rows, w->x.value),
            first_y = pinned(rows, w->y.value);
    for (int64_t t = 0; t < end - begin; t++) {
        int64_t x = first_x + w->x.slope * t, y = first_y + w->y.slope * t;
        strip s = {.end = fixed(begin + t + 1)};
        if (work->op == EXPR_MUL)
            s.open = __builtin_mul_overflow(x, y, &s.value.at);
        else
            s.value.at = expr_apply(work->op, x, y, 0);
        writer_strip(&work->writer, s);
    }
    return true;
}

static void make_product(piece_work *work, const piece_pair *pair)
{
    piece_room *room = pair->room;
    writer_open(&work->writer, pair->begin, pair->period);
    for (pair_walk w = walk_start(pair); walk_next(&w);) {
        moving length = minus(w.end, w.begin);
        bool constant_x = strip_constant(room, &w.x, length), constant_y = strip_constant(room, &w.y, length);
        bool by_x = constant_x && (!constant_y || w.x.value.per == 0);
        const strip *factor = by_x ? &w.x : &w.y, *other = by_x ? &w.y : &w.x;
        strip s = {.end = w.end};
        if (!constant_x && !constant_y) {
            if (write_singles(work, &w))
                continue;
            s.open = true;
        } else {
            int64_t by = pinned(&room->rows, factor->value);
            if (by != 0) /* 0 times anything is 0 */
                s.open = other->open || !accumulate_moving(&room->rows, &s.value, other->value, by) ||
                         !accumulate(&s.rise, by, other->rise) || !accumulate(&s.slope, by, other->slope);
        }
        writer_strip(&work->writer, s);
    }
    writer_close(&work->writer);
}

pieces pieces_product(piece_room *room, pieces x, pieces y, moving end)
{
    return pieces_combine(room, (piece_work){.op = EXPR_MUL}, x, y, end, make_product);
}

/* ---- logic and bits ---- */

/* Whether a piece of a function of 0 and 1 is the same everywhere, and what. */
static bool settled(const strip *s, uint32_t count, int64_t *value)
{
    *value = s->value.at;
    return count == 1 && !s->open;
}

/* The form of one operand as it stands, where the other does not matter: it has not been stretched then. */
static void share(piece_work *work, const piece_pair *pair, const strip *strips, uint32_t count)
{
    writer_share(&work->writer, pair->begin,
                 &(piece){.period = pair->period, .strips = strips, .count = count});
}

static void make_logic(piece_work *work, const piece_pair *pair)
{
    int64_t decides = work->op == EXPR_ANY, value; /* the value that settles it alone */
    if (settled(pair->x, pair->count_x, &value) && value != decides) {
        share(work, pair, pair->y, pair->count_y);
        return;
    }
    if (settled(pair->y, pair->count_y, &value) && value != decides) {
        share(work, pair, pair->x, pair->count_x);
        return;
    }
    writer_open(&work->writer, pair->begin, pair->period);
    for (pair_walk w = walk_start(pair); walk_next(&w);) {
        strip s = {.end = w.end, .value = fixed(decides)};
        bool x = !w.x.open && w.x.value.at == decides, y = !w.y.open && w.y.value.at == decides;
        if (!x && !y) {
            s.open = w.x.open || w.y.open;
            s.value = fixed(!decides);
        }
        writer_strip(&work->writer, s);
    }
    writer_close(&work->writer);
}

pieces pieces_logic(piece_room *room, expr_op op, pieces x, pieces y, moving end)
{
    return pieces_combine(room, (piece_work){.op = op}, x, y, end, make_logic);
}

static void make_bits(piece_work *work, const piece_pair *pair)
{
    piece_room *room = pair->room;
    writer_open(&work->writer, pair->begin, pair->period);
    for (pair_walk w = walk_start(pair); walk_next(&w);) {
        moving length = minus(w.end, w.begin);
        strip s = {.end = w.end};
        if (strip_constant(room, &w.x, length) && strip_constant(room, &w.y, length))
            s.value.at =
                expr_apply(work->op, pinned(&room->rows, w.x.value), pinned(&room->rows, w.y.value), 0);
        else if (write_singles(work, &w))
            continue;
        else
            s.open = true;
        writer_strip(&work->writer, s);
    }
    writer_close(&work->writer);
}

/* One value for all keys below end. */
static bool single_value(piece_room *room, pieces x, moving end, moving *value)
{
    if (x.count > 1 && less(&room->rows, x.at[1].begin, end))
        return false;
    *value = x.at[0].strips[0].value;
    return x.at[0].count == 1 && strip_constant(room, &x.at[0].strips[0], fixed(x.at[0].period));
}

/* x & mask, mask >= 0: the sum over its runs of ones [low, low + width) of (x / 2^low mod 2^width) 2^low. */
static pieces masked(piece_room *room, pieces x, int64_t mask, moving end)
{
    pieces sum = pieces_constant(room, fixed(0));
    for (int low = 0; mask >> low;) {
        int64_t rest = mask >> low;
        if (!(rest & 1)) {
            low += __builtin_ctzll((uint64_t)rest);
            continue;
        }
        int width = __builtin_ctzll(~(uint64_t)rest);
        pieces unit = pieces_constant(room, fixed(INT64_C(1) << low));
        pieces part = pieces_quotient(room, x, unit, end);
        part = pieces_remainder(room, part, pieces_constant(room, fixed(INT64_C(1) << width)), end);
        sum = pieces_sum(room, sum, pieces_product(room, part, unit, end), 1, end);
        low += width;
    }
    return sum;
}

pieces pieces_bits(piece_room *room, expr_op op, pieces x, pieces y, moving end)
{
    moving value;
    if (single_value(room, x, end, &value)) {
        pieces other = x;
        x = y;
        y = other;
    } else if (!single_value(room, y, end, &value)) {
        return pieces_combine(room, (piece_work){.op = op}, x, y, end, make_bits);
    }
    /* x & ~m = x - (x & m) */
    int64_t mask = pinned(&room->rows, value);
    pieces both = masked(room, x, mask < 0 ? ~mask : mask, end);
    if (mask < 0)
        both = pieces_sum(room, x, both, -1, end);
    if (op == EXPR_AND)
        return both;
    return pieces_sum(room, pieces_sum(room, x, y, 1, end), both, op == EXPR_OR ? -1 : -2, end);
}
