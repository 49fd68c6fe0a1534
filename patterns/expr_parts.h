/* Inside expr_*.c: what an expression consists of. */
#ifndef PATTERNS_EXPR_PARTS_H
#define PATTERNS_EXPR_PARTS_H

#include "patterns/expr.h"

#define EXPR_LIMIT (INT64_C(1) << 62) /* magnitude of every value */

/* Conditions (of && || ! ?: and the whole) are boolean nodes: the parser puts `x != 0` where they are not.
 * a > b is b < a, !a is a == 0, and unary + is nothing. */
typedef enum expr_op {
    EXPR_CONST,
    EXPR_I,
    EXPR_J,
    EXPR_N,
    EXPR_H,
    EXPR_NEGATE,
    EXPR_FLIP, /* ~ */
    EXPR_ABS,
    EXPR_MUL,
    EXPR_DIV,
    EXPR_MOD,
    EXPR_ADD,
    EXPR_SUB,
    EXPR_SHL,
    EXPR_SHR,
    EXPR_LT,
    EXPR_LE,
    EXPR_EQ,
    EXPR_NE,
    EXPR_AND,
    EXPR_XOR,
    EXPR_OR,
    EXPR_ALL, /* && */
    EXPR_ANY, /* || */
    EXPR_MIN,
    EXPR_MAX,
    EXPR_COND
} expr_op;

enum { EXPR_USES_I = 1, EXPR_USES_J = 2, EXPR_USES_H = 4, EXPR_USES_N = 8 };

/* Operands stand before their operation, so evaluating is one pass over the array. Equal operations are one
 * node. */
typedef struct expr_node {
    uint8_t op, uses;
    bool boolean;     /* 0 or 1, whatever the operands */
    uint16_t a, b, c; /* operands */
    uint32_t column;  /* where it first stands in the text */
    int64_t value;    /* CONST */
} expr_node;

struct expr {
    size_t count; /* the last node is the whole */
    expr_node node[EXPR_NODES];
    char *text;
};

/* What an operation gives; x, y, z beyond its operands are ignored. Within EXPR_LIMIT for operands of which
 * that was proved. */
int64_t expr_apply(expr_op op, int64_t x, int64_t y, int64_t z);
int64_t expr_floor_div(int64_t x, int64_t y); /* 0 for y = 0 */
int64_t expr_floor_mod(int64_t x, int64_t y); /* x for y = 0 */

/* ---- intervals (expr_range.c) ---- */

typedef struct expr_range {
    int64_t low, high;
} expr_range;

typedef struct expr_box {
    expr_range i, j, n, h;
} expr_box;

/* Bounds of what a node gives where its operands lie within x, y, z and the variables within the box, clipped
 * to EXPR_LIMIT; false when that clips something. */
bool expr_range_of(const expr_node *node, const expr_range *x, const expr_range *y, const expr_range *z,
                   const expr_box *box, expr_range *out);

#endif
