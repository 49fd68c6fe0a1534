/* Expressions: the keys of one row.
 *
 * 1. The operations that depend on both query and key are carried out on functions of j (expr_pieces.h), the
 *    others are known beforehand. The last is a function of 0 and 1: pieces of periodic sets.
 * 2. Where one period holds the same for a piece, each tooth of it becomes a comb of that step, with a comb
 * of one tooth where the piece's ends cut one.
 * 3. What is left open is settled tile by tile: a tile in which bounds of all operations prove the whole true
 * or false needs no test; others are halved, and small ones tested key by key. */
#include "patterns/expr_bound.h"

#include <string.h>

enum {
    STRIPS = 2048, /* of all functions of one row */
    PIECES = 1024,
    SCRATCH = 1024,
    TEETH = 512, /* in one period */
    SMALL = 16   /* keys of a tile that is not halved */
};

/* ---- direct evaluation ---- */

/* Values of the operations that a key takes part in, or of all. `value` holds the others. */
static bool evaluate(const expr_bound *b, int64_t *value, int64_t head, int64_t i, int64_t j, bool all)
{
    for (size_t k = 0; k < b->count; k++) {
        const expr_node *node = &b->node[k];
        if (!all && !(node->uses & EXPR_USES_J))
            continue;
        switch (node->op) {
        case EXPR_CONST: value[k] = node->value; break;
        case EXPR_I: value[k] = i; break;
        case EXPR_J: value[k] = j; break;
        case EXPR_N: value[k] = (int64_t)b->nk; break;
        case EXPR_H: value[k] = head; break;
        default: value[k] = expr_apply(node->op, value[node->a], value[node->b], value[node->c]);
        }
    }
    return value[b->count - 1] != 0;
}

bool expr_allows(const expr_bound *b, size_t head, size_t i, size_t j)
{
    int64_t value[EXPR_NODES];
    return !(b->causal && j > i) && evaluate(b, value, (int64_t)head, (int64_t)i, (int64_t)j, true);
}

/* ---- a row while it is written ---- */

typedef struct row {
    const expr_bound *b;
    int64_t head, i;
    int64_t *value; /* of the operations without a key */
    int64_t *rows;  /* for which all decisions come out the same */
    attn_combs *out;
    moving begin, end; /* an interval that may still grow, if `open` */
    bool open;
    uint64_t tests;
    row_entry made; /* the first combs, as they move */
} row;

static void emit(attn_combs *out, const moving_comb *c, int64_t later)
{
    attn_emit(out, (size_t)(c->begin.at + c->begin.per * later), (size_t)(c->width.at + c->width.per * later),
              (size_t)c->step, (size_t)(c->count.at + c->count.per * later));
}

static void put(row *r, moving_comb c)
{
    emit(r->out, &c, 0);
    if (r->made.count < ENTRY_COMBS)
        r->made.at[r->made.count] = c;
    r->made.count++;
}

static void flush(row *r)
{
    if (r->open)
        put(r, (moving_comb){r->begin, minus(r->end, r->begin), fixed(1), 0});
    r->open = false;
}

static void add_interval(row *r, moving begin, moving end)
{
    if (!less(r->rows, begin, end))
        return;
    if (!r->open || !same(r->rows, r->end, begin)) {
        flush(r);
        r->begin = begin;
        r->open = true;
    }
    r->end = end;
}

static void add_comb(row *r, moving begin, moving width, int64_t step, moving count)
{
    if (!less(r->rows, fixed(0), count))
        return;
    flush(r);
    put(r, (moving_comb){begin, width, count, step});
}

/* ---- tiles ---- */

/* What is known of the whole for keys [begin, end): low == high settles it. */
static expr_range range_of_tile(const row *r, int64_t begin, int64_t end)
{
    expr_range range[EXPR_NODES];
    const expr_bound *b = r->b;
    int64_t n = (int64_t)b->nk;
    const expr_box box = {{r->i, r->i}, {begin, end - 1}, {n, n}, {r->head, r->head}};
    for (size_t k = 0; k < b->count; k++) {
        const expr_node *node = &b->node[k];
        if (node->uses & EXPR_USES_J)
            (void)expr_range_of(node, &range[node->a], &range[node->b], &range[node->c], &box, &range[k]);
        else
            range[k] = (expr_range){r->value[k], r->value[k]};
    }
    return range[b->count - 1];
}

/* The tile after this one or the first half of it: tiles are halved where the most bits of the keys agree. */
static int64_t halve(int64_t begin, int64_t end)
{
    uint64_t differ = (uint64_t)begin ^ (uint64_t)(end - 1);
    int64_t unit = INT64_C(1) << (63 - __builtin_clzll(differ));
    return (end - 1) / unit * unit;
}

static void add_tiles(row *r, int64_t begin, int64_t end)
{
    *r->rows = 1;
    int64_t stack[64], at = begin; /* where the tiles behind end; each half is shorter */
    size_t depth = 0;
    stack[depth++] = end;
    while (depth > 0) {
        int64_t stop = stack[depth - 1];
        expr_range whole = range_of_tile(r, at, stop);
        r->tests++;
        if (whole.low == whole.high || (whole.low > 0 || whole.high < 0)) {
            if (whole.low != 0 || whole.high != 0)
                add_interval(r, fixed(at), fixed(stop));
        } else if (stop - at > SMALL) {
            stack[depth++] = halve(at, stop);
            continue;
        } else {
            for (int64_t j = at; j < stop; j++)
                if (evaluate(r->b, r->value, r->head, r->i, j, false))
                    add_interval(r, fixed(j), fixed(j + 1));
            r->tests += (uint64_t)(stop - at);
        }
        at = stop;
        depth--;
    }
}

/* ---- periodic pieces ---- */

typedef struct tooth {
    moving begin, width; /* begin in [0, period); the last may reach into the next period */
} tooth;

/* The teeth of one period, touching ones joined, also across the period's end. false: too many of them, or
 * some residues are open. */
static bool find_teeth(int64_t *rows, const piece *p, tooth *teeth, size_t *count)
{
    *count = 0;
    for (uint32_t k = 0; k < p->count; k++) {
        const strip *s = &p->strips[k]; /* neighbours differ */
        moving begin = k ? p->strips[k - 1].end : fixed(0);
        if (s->open)
            return false;
        if (s->value.at == 0)
            continue;
        if (*count == TEETH)
            return false;
        teeth[(*count)++] = (tooth){begin, minus(s->end, begin)};
    }
    tooth *last = &teeth[*count - (*count > 0)];
    if (*count > 1 && same(rows, teeth[0].begin, fixed(0)) &&
        same(rows, plus(last->begin, last->width), fixed(p->period))) {
        last->width = plus(last->width, teeth[0].width);
        memmove(teeth, teeth + 1, --*count * sizeof *teeth);
    }
    return true;
}

/* The shortest period of the teeth that divides `period`. */
static int64_t shortest_period(int64_t *rows, const tooth *teeth, size_t *count, int64_t period)
{
    for (size_t few = 1; few < *count; few++) {
        int64_t times = (int64_t)(*count / few), shorter = period / times;
        if (*count % few != 0 || period % times != 0)
            continue;
        size_t k = 0;
        while (k + few < *count && same(rows, teeth[k + few].begin, shifted(teeth[k].begin, shorter)) &&
               same(rows, teeth[k + few].width, teeth[k].width))
            k++;
        if (k + few == *count) {
            *count = few;
            return shorter;
        }
    }
    return period;
}

static void add_teeth(row *r, const tooth *teeth, size_t count, int64_t period, moving begin, moving end)
{
    int64_t *rows = r->rows;
    moving base = times(quotient(rows, begin, period), period);
    size_t first = 0; /* the tooth that begins next at or after `begin` */
    while (first < count && less(rows, plus(base, teeth[first].begin), begin))
        first++;
    /* the one before may reach into the piece */
    const tooth *last = &teeth[first ? first - 1 : count - 1];
    moving started = shifted(plus(base, last->begin), first ? 0 : -period),
           stops = plus(started, last->width);
    if (less(rows, begin, stops))
        add_comb(r, begin, minus(lesser(rows, stops, end), begin), period, fixed(1));
    tooth cut = {fixed(0), fixed(0)};
    for (size_t k = 0; k < count; k++) {
        const tooth *t = &teeth[(first + k) % count];
        moving at = shifted(plus(base, t->begin), first + k >= count ? period : 0);
        if (!less(rows, at, end))
            break;
        moving room = minus(minus(end, at), t->width), whole = fixed(0);
        if (!less(rows, room, fixed(0)))
            whole = shifted(quotient(rows, room, period), 1);
        add_comb(r, at, t->width, period, whole);
        moving next = plus(at, times(whole, period));
        if (less(rows, next, end))
            cut = (tooth){next, minus(end, next)};
    }
    if (cut.width.at)
        add_comb(r, cut.begin, cut.width, period, fixed(1));
}

/* Period by period: for pieces with open residues, or with too many teeth. */
static void add_strips(row *r, const piece *p, int64_t begin, int64_t end)
{
    for (int64_t base = begin / p->period * p->period; base < end; base += p->period)
        for (uint32_t k = 0; k < p->count; k++) {
            const strip *s = &p->strips[k];
            int64_t from = base + (k ? p->strips[k - 1].end.at : 0), to = base + s->end.at;
            from = from > begin ? from : begin;
            to = to < end ? to : end;
            if (s->open && from < to)
                add_tiles(r, from, to);
            else if (s->value.at != 0)
                add_interval(r, fixed(from), fixed(to));
        }
}

static void add_piece(row *r, const piece *p, moving begin, moving end)
{
    tooth teeth[TEETH];
    size_t count;
    if (p->period == 1 && !p->strips->open) {
        if (p->strips->value.at != 0)
            add_interval(r, begin, end);
    } else if (p->period == 1) {
        add_tiles(r, pinned(r->rows, begin), pinned(r->rows, end));
    } else if (find_teeth(r->rows, p, teeth, &count)) {
        if (count > 0) {
            int64_t period = shortest_period(r->rows, teeth, &count, p->period);
            add_teeth(r, teeth, count, period, begin, end);
        }
    } else {
        *r->rows = 1;
        add_strips(r, p, begin.at, end.at);
    }
}

/* ---- the row ---- */

#define SCALE (INT64_C(1) << 26) /* both below: products and their steps need no check */

/* An operation on what the row knows: expr_apply() of numbers that move. */
static moving apply(int64_t *rows, expr_op op, moving x, moving y, moving z)
{
    bool large = x.at > MOVING_SIZE || x.at < -MOVING_SIZE || y.at > MOVING_SIZE || y.at < -MOVING_SIZE;
    if ((x.per == 0 && y.per == 0 && z.per == 0) || large) {
        int64_t first = pinned(rows, x), second = pinned(rows, y);
        return fixed(expr_apply(op, first, second, pinned(rows, z)));
    }
    moving result;
    switch (op) {
    case EXPR_NEGATE: result = times(x, -1); break;
    case EXPR_FLIP: result = shifted(times(x, -1), -1); break;
    case EXPR_ABS: result = sign_of(rows, x) < 0 ? times(x, -1) : x; break;
    case EXPR_ADD: result = plus(x, y); break;
    case EXPR_SUB: result = minus(x, y); break;
    case EXPR_LT: return fixed(less(rows, x, y));
    case EXPR_LE: return fixed(!less(rows, y, x));
    case EXPR_EQ: return fixed(same(rows, x, y));
    case EXPR_NE: return fixed(!same(rows, x, y));
    case EXPR_MIN: return lesser(rows, x, y);
    case EXPR_MAX: return greater(rows, x, y);
    case EXPR_COND: return x.at ? y : z; /* 0 and 1 do not move */
    case EXPR_DIV:
    case EXPR_MOD: {
        int64_t d = pinned(rows, y);
        if (d == 0)
            return op == EXPR_DIV ? fixed(0) : x;
        moving whole = d > 0 ? quotient(rows, x, d) : quotient(rows, times(x, -1), -d);
        result = op == EXPR_DIV ? whole : minus(x, times(whole, d));
        break;
    }
    default:
        if (op == EXPR_MUL && (x.per == 0 || y.per == 0) && x.at < SCALE && x.at > -SCALE && y.at < SCALE &&
            y.at > -SCALE) {
            result = (moving){x.at * y.at, x.per * y.at + y.per * x.at};
        } else {
            int64_t first = pinned(rows, x), second = pinned(rows, y);
            return fixed(expr_apply(op, first, second, pinned(rows, z)));
        }
    }
    (void)tame(rows, &result);
    return result;
}

/* The whole as a function of the key, and the values of operations without one. */
static pieces row_pieces(row *r, piece_room *room, moving end)
{
    const expr_bound *b = r->b;
    pieces made[EXPR_NODES];
    moving value[EXPR_NODES];
    for (size_t k = 0; k < b->count; k++) {
        const expr_node *node = &b->node[k];
        value[k] = fixed(b->at[k].value);
        switch (b->at[k].kind) {
        case EXPR_FIXED:
        case EXPR_KEY: made[k] = b->at[k].pieces; break;
        case EXPR_ROW:
            value[k] = node->op == EXPR_I ? (moving){r->i, 1}
                       : node->op == EXPR_H
                           ? fixed(r->head)
                           : apply(r->rows, node->op, value[node->a], value[node->b], value[node->c]);
            made[k] = pieces_constant(room, value[k]);
            break;
        default: made[k] = expr_pieces_of(room, node, made[node->a], made[node->b], made[node->c], end);
        }
        r->value[k] = value[k].at;
    }
    return made[b->count - 1];
}

/* Computes a row; made.rows says for how many it holds. */
static void make_row(row *r)
{
    const expr_bound *b = r->b;
    strip strips[STRIPS], scratch[SCRATCH];
    piece places[PIECES];
    int64_t value[EXPR_NODES];
    piece_room room = {.keys = (int64_t)b->nk,
                       .rows = (int64_t)b->nk - r->i,
                       .strips = strips,
                       .strip_capacity = STRIPS,
                       .pieces = places,
                       .piece_capacity = PIECES,
                       .scratch = scratch,
                       .scratch_capacity = SCRATCH};
    r->value = value;
    r->rows = &room.rows;
    moving end = b->causal ? (moving){r->i + 1, 1} : fixed((int64_t)b->nk);
    pieces whole = row_pieces(r, &room, end);
    for (uint32_t p = 0; p < whole.count && less(r->rows, whole.at[p].begin, end); p++) {
        moving stop = p + 1 < whole.count ? lesser(r->rows, whole.at[p + 1].begin, end) : end;
        add_piece(r, &whole.at[p], whole.at[p].begin, stop);
    }
    flush(r);
    r->made.rows = room.rows;
}

void expr_row(const expr_bound *b, size_t head, size_t i, attn_combs *out, uint64_t *tests)
{
    row_entry *entry = &b->entries[(i / GROUP + head) % b->entry_count];
    bool mine = !atomic_flag_test_and_set_explicit(&entry->used, memory_order_acquire);
    int64_t later = (int64_t)i - entry->first;
    if (mine && entry->head == (int64_t)head && later >= 0 && later < entry->rows) {
        for (size_t c = 0; c < entry->count; c++)
            emit(out, &entry->at[c], later);
    } else {
        row r = {.b = b, .head = (int64_t)head, .i = (int64_t)i, .out = out};
        make_row(&r);
        *tests += r.tests;
        if (mine && r.made.rows > 1 && r.made.count <= ENTRY_COMBS) {
            entry->head = (int64_t)head;
            entry->first = (int64_t)i;
            entry->rows = r.made.rows;
            entry->count = r.made.count;
            memcpy(entry->at, r.made.at, r.made.count * sizeof *entry->at);
        }
    }
    if (mine)
        atomic_flag_clear_explicit(&entry->used, memory_order_release);
}

double expr_tests(const expr_bound *b, size_t head)
{
    enum { SAMPLE = 32 };
    uint64_t tests = 0;
    size_t rows = b->nk < SAMPLE ? b->nk : SAMPLE;
    for (size_t s = 1; s <= rows; s++) {
        attn_combs none = {NULL, 0, 0};
        expr_row(b, head, s * (b->nk - 1) / rows, &none, &tests);
    }
    return (double)tests / (double)rows * (double)b->nk;
}
