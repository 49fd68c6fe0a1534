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
    attn_combs *out;
    int64_t begin, end; /* an interval that may still grow; begin == end: none */
    uint64_t tests;
} row;

static void flush(row *r)
{
    attn_emit(r->out, (size_t)r->begin, (size_t)(r->end - r->begin), 0, 1);
    r->begin = r->end = 0;
}

static void add_interval(row *r, int64_t begin, int64_t end)
{
    if (begin >= end)
        return;
    if (r->begin < r->end && r->end == begin) {
        r->end = end;
        return;
    }
    flush(r);
    r->begin = begin;
    r->end = end;
}

static void add_comb(row *r, int64_t begin, int64_t width, int64_t step, int64_t count)
{
    if (count <= 0)
        return;
    flush(r);
    attn_emit(r->out, (size_t)begin, (size_t)width, (size_t)step, (size_t)count);
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
    int64_t stack[64], at = begin; /* where the tiles behind end; each half is shorter */
    size_t depth = 0;
    stack[depth++] = end;
    while (depth > 0) {
        int64_t stop = stack[depth - 1];
        expr_range whole = range_of_tile(r, at, stop);
        r->tests++;
        if (whole.low == whole.high || (whole.low > 0 || whole.high < 0)) {
            if (whole.low != 0 || whole.high != 0)
                add_interval(r, at, stop);
        } else if (stop - at > SMALL) {
            stack[depth++] = halve(at, stop);
            continue;
        } else {
            for (int64_t j = at; j < stop; j++)
                if (evaluate(r->b, r->value, r->head, r->i, j, false))
                    add_interval(r, j, j + 1);
            r->tests += (uint64_t)(stop - at);
        }
        at = stop;
        depth--;
    }
}

/* ---- periodic pieces ---- */

typedef struct tooth {
    int64_t begin, width; /* begin in [0, period); the last may reach into the next period */
} tooth;

/* The teeth of one period, touching ones joined, also across the period's end. false: too many of them, or
 * some residues are open. */
static bool find_teeth(const piece *p, tooth *teeth, size_t *count)
{
    *count = 0;
    for (uint32_t k = 0; k < p->count; k++) {
        const strip *s = &p->strips[k];
        int64_t begin = k ? p->strips[k - 1].end : 0;
        if (s->open)
            return false;
        if (s->value == 0)
            continue;
        tooth *last = &teeth[*count - (*count > 0)];
        if (*count && last->begin + last->width == begin) {
            last->width += s->end - begin;
            continue;
        }
        if (*count == TEETH)
            return false;
        teeth[(*count)++] = (tooth){begin, s->end - begin};
    }
    tooth *last = &teeth[*count - (*count > 0)];
    if (*count > 1 && teeth[0].begin == 0 && last->begin + last->width == p->period) {
        last->width += teeth[0].width;
        memmove(teeth, teeth + 1, --*count * sizeof *teeth);
    }
    return true;
}

/* The shortest period of the teeth that divides `period`. */
static int64_t shortest_period(const tooth *teeth, size_t *count, int64_t period)
{
    for (size_t few = 1; few < *count; few++) {
        int64_t times = (int64_t)(*count / few), shorter = period / times;
        if (*count % few != 0 || period % times != 0)
            continue;
        size_t k = 0;
        while (k + few < *count && teeth[k + few].begin == teeth[k].begin + shorter &&
               teeth[k + few].width == teeth[k].width)
            k++;
        if (k + few == *count) {
            *count = few;
            return shorter;
        }
    }
    return period;
}

static void add_teeth(row *r, const tooth *teeth, size_t count, int64_t period, int64_t begin, int64_t end)
{
    int64_t base = begin / period * period;
    size_t first = 0; /* the tooth that begins next at or after `begin` */
    while (first < count && base + teeth[first].begin < begin)
        first++;
    /* the one before may reach into the piece */
    const tooth *before = &teeth[first ? first - 1 : count - 1];
    int64_t started = base + before->begin - (first ? 0 : period), stops = started + before->width;
    if (stops > begin)
        add_comb(r, begin, (stops < end ? stops : end) - begin, period, 1);
    tooth cut = {0, 0};
    for (size_t k = 0; k < count; k++) {
        size_t which = (first + k) % count;
        int64_t at = base + teeth[which].begin + (first + k >= count ? period : 0),
                width = teeth[which].width;
        if (at >= end)
            break;
        int64_t whole = end - at < width ? 0 : (end - at - width) / period + 1;
        add_comb(r, at, width, period, whole);
        if (at + whole * period < end)
            cut = (tooth){at + whole * period, end - at - whole * period};
    }
    if (cut.width)
        add_comb(r, cut.begin, cut.width, period, 1);
}

/* Period by period: for pieces with open residues, or with too many teeth. */
static void add_strips(row *r, const piece *p, int64_t begin, int64_t end)
{
    for (int64_t base = begin / p->period * p->period; base < end; base += p->period)
        for (uint32_t k = 0; k < p->count; k++) {
            const strip *s = &p->strips[k];
            int64_t from = base + (k ? p->strips[k - 1].end : 0), to = base + s->end;
            from = from > begin ? from : begin;
            to = to < end ? to : end;
            if (s->open && from < to)
                add_tiles(r, from, to);
            else if (s->value != 0)
                add_interval(r, from, to);
        }
}

static void add_piece(row *r, const piece *p, int64_t begin, int64_t end)
{
    tooth teeth[TEETH];
    size_t count;
    if (p->period == 1) {
        add_strips(r,
                   &(piece){.period = end,
                            .strips = &(strip){end, p->strips->value, 0, 0, p->strips->open},
                            .count = 1},
                   begin, end);
    } else if (find_teeth(p, teeth, &count)) {
        if (count > 0) {
            int64_t period = shortest_period(teeth, &count, p->period);
            add_teeth(r, teeth, count, period, begin, end);
        }
    } else {
        add_strips(r, p, begin, end);
    }
}

/* ---- the row ---- */

/* The whole as a function of the key, and the values of operations without one. */
static pieces row_pieces(row *r, piece_room *room, int64_t end)
{
    const expr_bound *b = r->b;
    pieces made[EXPR_NODES];
    for (size_t k = 0; k < b->count; k++) {
        const expr_node *node = &b->node[k];
        switch (b->at[k].kind) {
        case EXPR_FIXED:
            r->value[k] = b->at[k].value;
            made[k] = b->at[k].pieces;
            break;
        case EXPR_KEY: made[k] = b->at[k].pieces; break;
        case EXPR_ROW:
            r->value[k] = node->op == EXPR_I ? r->i
                          : node->op == EXPR_H
                              ? r->head
                              : expr_apply(node->op, r->value[node->a], r->value[node->b], r->value[node->c]);
            made[k] = pieces_constant(room, r->value[k]);
            break;
        default: made[k] = expr_pieces_of(room, node, made[node->a], made[node->b], made[node->c], end);
        }
    }
    return made[b->count - 1];
}

void expr_row(const expr_bound *b, size_t head, size_t i, attn_combs *out, uint64_t *tests)
{
    strip strips[STRIPS], scratch[SCRATCH];
    piece places[PIECES];
    int64_t value[EXPR_NODES], end = (int64_t)(b->causal ? i + 1 : b->nk);
    piece_room room = {.strips = strips,
                       .strip_capacity = STRIPS,
                       .pieces = places,
                       .piece_capacity = PIECES,
                       .scratch = scratch,
                       .scratch_capacity = SCRATCH};
    row r = {.b = b, .head = (int64_t)head, .i = (int64_t)i, .value = value, .out = out};
    pieces whole = row_pieces(&r, &room, end);
    for (uint32_t p = 0; p < whole.count && whole.at[p].begin < end; p++) {
        int64_t stop = p + 1 < whole.count && whole.at[p + 1].begin < end ? whole.at[p + 1].begin : end;
        add_piece(&r, &whole.at[p], whole.at[p].begin, stop);
    }
    flush(&r);
    *tests += r.tests;
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
