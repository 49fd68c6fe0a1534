/* Inside expr_*.c: an expression at given sizes. */
#ifndef PATTERNS_EXPR_BOUND_H
#define PATTERNS_EXPR_BOUND_H

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

struct expr_bound {
    size_t nk, heads, count;
    bool causal;
    expr_node node[EXPR_NODES];
    bound_node at[EXPR_NODES];
    piece_room room; /* of the pieces above */
};

/* The function of j that operation `node` makes of functions. */
pieces expr_pieces_of(piece_room *room, const expr_node *node, pieces x, pieces y, pieces z, int64_t end);

#endif
