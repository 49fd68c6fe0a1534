/* Piecewise functions of a key: how they are written, and the operations that go strip by strip. */
#include "patterns/expr_pieces.h"

static const strip unknown = {.end = 1, .open = true};
static const piece unknown_piece = {.begin = 0, .period = 1, .strips = &unknown, .count = 1};

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

/* ---- writing ---- */

void writer_start(piece_writer *w, piece_room *room)
{
    *w = (piece_writer){.room = room, .first = room->piece_count, .room_strips = room->strip_count};
}

void writer_open(piece_writer *w, int64_t begin, int64_t period)
{
    w->begin = begin;
    w->period = period;
    w->first_strip = w->room->strip_count;
}

/* Whether s continues the strip before it, whose first residue is `begin`. Two single residues are joined
 * only if equal, so that functions of 0 and 1 have no slopes. */
static bool continues(const strip *before, int64_t begin, const strip *s)
{
    if (before->open || s->open)
        return before->open && s->open;
    int64_t length = before->end - begin, more = s->end - before->end;
    int64_t slope = length > 1 ? before->slope : more > 1 ? s->slope : 0;
    return before->rise == s->rise && (more == 1 || s->slope == slope) &&
           before->value + slope * length == s->value;
}

/* Whether all numbers of a strip of `length` residues are small enough to be computed with. */
static bool moderate(const strip *s, int64_t length)
{
    int64_t last = s->value;
    return !s->open && s->rise <= EXPR_LIMIT && s->rise >= -EXPR_LIMIT && s->value <= EXPR_LIMIT &&
           s->value >= -EXPR_LIMIT && accumulate(&last, s->slope, length - 1) && last <= EXPR_LIMIT &&
           last >= -EXPR_LIMIT;
}

void writer_strip(piece_writer *w, strip s)
{
    piece_room *room = w->room;
    size_t count = room->strip_count - w->first_strip;
    strip *last = &room->strips[room->strip_count - (count > 0)];
    int64_t done = count ? last->end : 0;
    if (w->full || s.end <= done)
        return;
    if (s.end - done == 1)
        s.slope = 0;
    if (!moderate(&s, s.end - done))
        s = (strip){.end = s.end, .open = true};
    if (count) {
        int64_t begin = count > 1 ? last[-1].end : 0;
        if (continues(last, begin, &s)) {
            if (last->end - begin == 1)
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

static bool same_form(const piece *a, int64_t period, const strip *strips, size_t count)
{
    if (a->period != period || a->count != count)
        return false;
    if (a->strips == strips)
        return true;
    for (size_t k = 0; k < count; k++) {
        const strip *s = &a->strips[k], *t = &strips[k];
        if (s->end != t->end || s->open != t->open)
            return false;
        if (!s->open && (s->value != t->value || s->rise != t->rise || s->slope != t->slope))
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
        same_form(&room->pieces[room->piece_count - 1], p.period, p.strips, p.count))
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
        *s = (strip){.end = 1, .value = s->value, .rise = s->slope, .open = s->open};
        w->period = 1;
    }
    append(w, (piece){.begin = w->begin, .period = w->period, .strips = s, .count = (uint32_t)count});
    if (room->piece_count == before) /* it is the piece before, or there was no room */
        room->strip_count = w->first_strip;
}

void writer_share(piece_writer *w, int64_t begin, const piece *form)
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
static strip from(const strip *strips, uint32_t at, int64_t begin)
{
    strip s = strips[at];
    int64_t first = at ? strips[at - 1].end : 0;
    s.value += s.open ? 0 : s.slope * (begin - first);
    return s;
}

bool walk_next(pair_walk *w)
{
    const piece_pair *p = w->pair;
    w->begin = w->end;
    if (w->begin == p->period)
        return false;
    while (p->x[w->at_x].end <= w->begin)
        w->at_x++;
    while (p->y[w->at_y].end <= w->begin)
        w->at_y++;
    w->x = from(p->x, w->at_x, w->begin);
    w->y = from(p->y, w->at_y, w->begin);
    w->end = w->x.end < w->y.end ? w->x.end : w->y.end;
    return true;
}

const strip *pieces_stretch(piece_room *room, const strip *strips, uint32_t count, int64_t period,
                            int64_t factor, uint32_t *new_count)
{
    strip *out = room->scratch + room->scratch_count;
    size_t left = room->scratch_capacity - room->scratch_count, used = 0;
    if (count == 1 && period == 1 && left > 0) { /* a line stays one */
        out[used++] =
            (strip){.end = factor, .value = strips[0].value, .slope = strips[0].rise, .open = strips[0].open};
        if (!strips[0].open &&
            (__builtin_mul_overflow(strips[0].rise, factor, &out->rise) || !moderate(out, factor)))
            return NULL;
    } else {
        for (int64_t t = 0; t < factor; t++)
            for (uint32_t k = 0; k < count; k++) {
                strip s = strips[k];
                int64_t length = s.end - (k ? strips[k - 1].end : 0);
                if (used == left)
                    return NULL;
                if (!s.open && (!accumulate(&s.value, s.rise, t) ||
                                !accumulate(&s.rise, s.rise, factor - 1) || !moderate(&s, length)))
                    return NULL;
                s.end += t * period;
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

static void write_open(piece_writer *w, int64_t begin)
{
    writer_share(w, begin, &unknown_piece);
}

pieces pieces_combine(piece_room *room, piece_work work, pieces x, pieces y, int64_t end,
                      void (*make)(piece_work *work, const piece_pair *pair))
{
    writer_start(&work.writer, room);
    uint32_t at_x = 0, at_y = 0;
    for (int64_t begin = 0; begin < end && !work.writer.full;) {
        while (at_x + 1 < x.count && x.at[at_x + 1].begin <= begin)
            at_x++;
        while (at_y + 1 < y.count && y.at[at_y + 1].begin <= begin)
            at_y++;
        int64_t next = end;
        if (at_x + 1 < x.count && x.at[at_x + 1].begin < next)
            next = x.at[at_x + 1].begin;
        if (at_y + 1 < y.count && y.at[at_y + 1].begin < next)
            next = y.at[at_y + 1].begin;
        piece_pair pair = {.begin = begin, .end = next};
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

static pieces line(piece_room *room, int64_t value, int64_t rise)
{
    piece_writer w;
    writer_start(&w, room);
    writer_open(&w, 0, 1);
    writer_strip(&w, (strip){.end = 1, .value = value, .rise = rise});
    writer_close(&w);
    return writer_finish(&w);
}

pieces pieces_constant(piece_room *room, int64_t value)
{
    return line(room, value, 0);
}

pieces pieces_key(piece_room *room)
{
    return line(room, 0, 1);
}

/* ---- sums and products ---- */

static void make_sum(piece_work *work, const piece_pair *pair)
{
    writer_open(&work->writer, pair->begin, pair->period);
    for (pair_walk w = walk_start(pair); walk_next(&w);) {
        strip s = {.end = w.end, .value = w.x.value, .rise = w.x.rise, .slope = w.x.slope};
        s.open = w.x.open || w.y.open || !accumulate(&s.value, work->sign, w.y.value) ||
                 !accumulate(&s.rise, work->sign, w.y.rise) || !accumulate(&s.slope, work->sign, w.y.slope);
        writer_strip(&work->writer, s);
    }
    writer_close(&work->writer);
}

pieces pieces_sum(piece_room *room, pieces x, pieces y, int64_t sign, int64_t end)
{
    return pieces_combine(room, (piece_work){.sign = sign}, x, y, end, make_sum);
}

enum { SINGLES = 64 }; /* residues of a strip that are taken one by one where nothing better is known */

/* The residues of a strip one by one: op applied to both values. */
static void write_singles(piece_work *work, const pair_walk *w)
{
    for (int64_t t = 0; t < w->end - w->begin; t++) {
        int64_t x = w->x.value + w->x.slope * t, y = w->y.value + w->y.slope * t;
        strip s = {.end = w->begin + t + 1};
        if (work->op == EXPR_MUL)
            s.open = __builtin_mul_overflow(x, y, &s.value);
        else
            s.value = expr_apply(work->op, x, y, 0);
        writer_strip(&work->writer, s);
    }
}

static bool few_values(const pair_walk *w)
{
    return !w->x.open && !w->y.open && w->x.rise == 0 && w->y.rise == 0 && w->end - w->begin <= SINGLES;
}

static void make_product(piece_work *work, const piece_pair *pair)
{
    writer_open(&work->writer, pair->begin, pair->period);
    for (pair_walk w = walk_start(pair); walk_next(&w);) {
        int64_t length = w.end - w.begin;
        bool constant_x = strip_constant(&w.x, length);
        const strip *factor = constant_x ? &w.x : &w.y, *other = constant_x ? &w.y : &w.x;
        strip s = {.end = w.end};
        if (!strip_constant(factor, length)) {
            if (few_values(&w)) {
                write_singles(work, &w);
                continue;
            }
            s.open = true;
        } else if (factor->value != 0) { /* 0 times anything is 0 */
            s.open = other->open || !accumulate(&s.value, factor->value, other->value) ||
                     !accumulate(&s.rise, factor->value, other->rise) ||
                     !accumulate(&s.slope, factor->value, other->slope);
        }
        writer_strip(&work->writer, s);
    }
    writer_close(&work->writer);
}

pieces pieces_product(piece_room *room, pieces x, pieces y, int64_t end)
{
    return pieces_combine(room, (piece_work){.op = EXPR_MUL}, x, y, end, make_product);
}

/* ---- logic and bits ---- */

/* Whether a piece of a function of 0 and 1 is the same everywhere, and what. */
static bool settled(const piece_pair *pair, const strip *s, uint32_t count, int64_t *value)
{
    *value = s->value;
    return count == 1 && strip_constant(s, pair->period);
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
    if (settled(pair, pair->x, pair->count_x, &value) && value != decides) {
        share(work, pair, pair->y, pair->count_y);
        return;
    }
    if (settled(pair, pair->y, pair->count_y, &value) && value != decides) {
        share(work, pair, pair->x, pair->count_x);
        return;
    }
    writer_open(&work->writer, pair->begin, pair->period);
    for (pair_walk w = walk_start(pair); walk_next(&w);) {
        strip s = {.end = w.end, .value = decides};
        bool x = !w.x.open && w.x.value == decides, y = !w.y.open && w.y.value == decides;
        if (!x && !y) {
            s.open = w.x.open || w.y.open;
            s.value = !decides;
        }
        writer_strip(&work->writer, s);
    }
    writer_close(&work->writer);
}

pieces pieces_logic(piece_room *room, expr_op op, pieces x, pieces y, int64_t end)
{
    return pieces_combine(room, (piece_work){.op = op}, x, y, end, make_logic);
}

static void make_bits(piece_work *work, const piece_pair *pair)
{
    writer_open(&work->writer, pair->begin, pair->period);
    for (pair_walk w = walk_start(pair); walk_next(&w);) {
        int64_t length = w.end - w.begin;
        if (strip_constant(&w.x, length) && strip_constant(&w.y, length))
            writer_strip(&work->writer,
                         (strip){.end = w.end, .value = expr_apply(work->op, w.x.value, w.y.value, 0)});
        else if (few_values(&w))
            write_singles(work, &w);
        else
            writer_strip(&work->writer, (strip){.end = w.end, .open = true});
    }
    writer_close(&work->writer);
}

/* One value for all keys below end. */
static bool single_value(pieces x, int64_t end, int64_t *value)
{
    if (x.count > 1 && x.at[1].begin < end)
        return false;
    *value = x.at[0].strips[0].value;
    return x.at[0].count == 1 && strip_constant(&x.at[0].strips[0], x.at[0].period);
}

/* x & mask, mask >= 0: the sum over its runs of ones [low, low + width) of (x / 2^low mod 2^width) 2^low. */
static pieces masked(piece_room *room, pieces x, int64_t mask, int64_t end)
{
    pieces sum = pieces_constant(room, 0);
    for (int low = 0; mask >> low;) {
        int64_t rest = mask >> low;
        if (!(rest & 1)) {
            low += __builtin_ctzll((uint64_t)rest);
            continue;
        }
        int width = __builtin_ctzll(~(uint64_t)rest);
        pieces unit = pieces_constant(room, INT64_C(1) << low);
        pieces part = pieces_quotient(room, x, unit, end);
        part = pieces_remainder(room, part, pieces_constant(room, INT64_C(1) << width), end);
        sum = pieces_sum(room, sum, pieces_product(room, part, unit, end), 1, end);
        low += width;
    }
    return sum;
}

pieces pieces_bits(piece_room *room, expr_op op, pieces x, pieces y, int64_t end)
{
    int64_t mask;
    if (single_value(x, end, &mask)) {
        pieces other = x;
        x = y;
        y = other;
    } else if (!single_value(y, end, &mask)) {
        return pieces_combine(room, (piece_work){.op = op}, x, y, end, make_bits);
    }
    /* x & ~m = x - (x & m) */
    pieces both = masked(room, x, mask < 0 ? ~mask : mask, end);
    if (mask < 0)
        both = pieces_sum(room, x, both, -1, end);
    if (op == EXPR_AND)
        return both;
    return pieces_sum(room, pieces_sum(room, x, y, 1, end), both, op == EXPR_OR ? -1 : -2, end);
}
