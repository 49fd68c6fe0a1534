/* Inside expr_*.c: an expression at given sizes. */
#ifndef PATTERNS_EXPR_BOUND_H
#define PATTERNS_EXPR_BOUND_H

#include <stdatomic.h>

#include "patterns/expr_pieces.h"

/* What a node's value depends on, besides sizes. */
typedef enum expr_kind {
    EXPR_FIXED, /* nothing: `value` */
    EXPR_ROW,   /* the query and its head */
    EXPR_KEY,   /* the key alone: `pieces`, made once */
    EXPR_BOTH
} expr_kind;

typedef struct bound_node {
    uint8_t kind;
    int64_t value;
    pieces pieces; /* of FIXED and KEY */
} bound_node;

/* A comb of a row that moves with it. */
typedef struct moving_comb {
    moving begin, width, count;
    int64_t step;
} moving_comb;

/* The combs of `rows` rows from row `first` on. Rows are asked for in order, or every so many in order, so
 * what was computed for one is kept for those after it, in a table by head and group of GROUP rows. Whoever
 * finds an entry in use does without. */
enum { ENTRY_COMBS = 6, ENTRIES = 1024, GROUP = 64 };

typedef struct row_entry {
    atomic_flag used;
    int64_t head, first, rows; /* 0 rows: nothing */
    size_t count;
    moving_comb at[ENTRY_COMBS];
} row_entry;

struct expr_bound {
    size_t nk, heads, count;
    bool causal;
    expr_node node[EXPR_NODES];
    bound_node at[EXPR_NODES];
    piece_room room;    /* of the pieces above */
    row_entry *entries; /* [entry_count] */
    size_t entry_count;
};

/* The function of j that operation `node` makes of functions. */
pieces expr_pieces_of(piece_room *room, const expr_node *node, pieces x, pieces y, pieces z, moving end);

#endif
