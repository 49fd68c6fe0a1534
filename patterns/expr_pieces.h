/* Inside expr_*.c: integer functions of a key j that are affine piece by piece, residue by residue.
 *
 * A *form* of period P says, for j = q P + r with 0 <= r < P, and r in the strip [begin, end) of it:
 *
 *     f(j) = value + rise * q + slope * (r - begin)
 *
 * so j itself is {P 1, rise 1}, j % 8 is {P 8, slope 1}, j / 8 is {P 8, rise 1}. A function is a list of
 * *pieces* of the keys, each with a form; the forms count q and r from key 0, not from the piece's begin.
 * Sums, quotients and remainders by constants, comparisons, min, max, and logic lead from such functions to
 * such functions, so a condition comes out as pieces of periodic sets, which are combs.
 *
 * A strip of which nothing is known is *open*: products of two variables, and whatever would need more
 * strips than there is room for. */
#ifndef PATTERNS_EXPR_PIECES_H
#define PATTERNS_EXPR_PIECES_H

#include "patterns/expr_moving.h"

typedef struct strip {
    moving end; /* in [1, P]; strips follow each other from 0 */
    moving value;
    int64_t rise, slope;
    bool open;
} strip;

typedef struct piece {
    moving begin; /* key; it ends where the next piece begins */
    int64_t period;
    const strip *strips;
    uint32_t count; /* of strips */
} piece;

/* A function on [0, some end): pieces in order, the first from 0. Shared and immutable. */
typedef struct pieces {
    const piece *at;
    uint32_t count;
} pieces;

/* Room that functions are made in, from the front; what is made stays until the room is reset. */
typedef struct piece_room {
    strip *strips;
    piece *pieces;
    size_t strip_count, strip_capacity, piece_count, piece_capacity;
    int64_t keys;   /* no function reaches beyond */
    int64_t rows;   /* for which all decisions so far come out the same, from this one on */
    strip *scratch; /* for forms stretched to a longer period */
    size_t scratch_count, scratch_capacity;
} piece_room;

/* Operations on functions on [0, end). Where there is no room the result is open, throughout. */
pieces pieces_constant(piece_room *room, moving value);
pieces pieces_key(piece_room *room); /* j */
pieces pieces_open(void);
pieces pieces_sum(piece_room *room, pieces x, pieces y, int64_t sign, moving end); /* x + sign * y */
pieces pieces_product(piece_room *room, pieces x, pieces y, moving end);
pieces pieces_quotient(piece_room *room, pieces x, pieces y, moving end); /* floor(x / y), 0 where y = 0 */
pieces pieces_remainder(piece_room *room, pieces x, pieces y, moving end);
pieces pieces_compare(piece_room *room, expr_op op, pieces x, pieces y, moving end); /* LT LE EQ NE MIN MAX */
pieces pieces_logic(piece_room *room, expr_op op, pieces x, pieces y, moving end);   /* ALL ANY, of 0 and 1 */
pieces pieces_bits(piece_room *room, expr_op op, pieces x, pieces y, moving end);    /* AND XOR OR */
pieces pieces_shift(piece_room *room, expr_op op, pieces x, pieces y, moving end);   /* SHL SHR */

/* ---- for the files that implement them ---- */

/* Writing a function piece by piece: open, strips in order, close. */
typedef struct piece_writer {
    piece_room *room;
    size_t first;       /* of the function's pieces */
    size_t first_strip; /* of the piece being written */
    size_t room_strips; /* where to return to */
    moving begin;
    int64_t period;
    bool full;
} piece_writer;

void writer_start(piece_writer *w, piece_room *room);
void writer_open(piece_writer *w, moving begin, int64_t period);
void writer_strip(piece_writer *w,
                  strip s); /* s.end: where it ends in the period; nothing if that adds nothing */
void writer_close(piece_writer *w);
void writer_share(piece_writer *w, moving begin, const piece *form); /* a piece with a form that exists */
pieces writer_finish(piece_writer *w);

/* Two functions, where both have one form: of equal period, walked strip by strip. */
typedef struct piece_pair {
    piece_room *room;
    moving begin, end;
    int64_t period;
    const strip *x, *y;
    uint32_t count_x, count_y;
} piece_pair;

typedef struct pair_walk {
    const piece_pair *pair;
    uint32_t at_x, at_y;
    moving begin, end; /* residues in which x and y are what they are; x.value counts from begin */
    strip x, y;
} pair_walk;

pair_walk walk_start(const piece_pair *pair);
bool walk_next(pair_walk *w);

/* Calls `make` for each stretch of keys in which x and y have one form each. */
typedef struct piece_work {
    piece_writer writer;
    expr_op op;
    int64_t sign;
} piece_work;
pieces pieces_combine(piece_room *room, piece_work work, pieces x, pieces y, moving end,
                      void (*make)(piece_work *work, const piece_pair *pair));

/* The strips stretched from period P to factor * P, in scratch; NULL: no room, or too large numbers. */
const strip *pieces_stretch(piece_room *room, const strip *strips, uint32_t count, int64_t period,
                            int64_t factor, uint32_t *new_count);

/* Whether the value is the same for all keys of a strip of `length` residues. */
static inline bool strip_constant(piece_room *room, const strip *s, moving length)
{
    return !s->open && s->rise == 0 && (s->slope == 0 || same(&room->rows, length, fixed(1)));
}

enum { PIECE_PERIOD_BITS = 40 }; /* longest period: 2^40 */

#endif
