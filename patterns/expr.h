/* Inside libattn: predicates over i, j, n and h written as text, as in  expr:"i-j < 64 || j % 128 >= 120".
 *
 *   i, j   positions of query and key; n the number of keys; h the query head, from 0
 *   C's operators and precedence on integers:
 *     ?:   ||   &&   |   ^   &   == !=   < <= > >=   << >>   + -   * / // %   unary - + ! ~   ( )
 *   and  min(a, b, ...)  max(a, b, ...)  abs(a);  integers are decimal, with k or m, or 0x...
 *
 * `/` and `//` are floor division and `%` takes the divisor's sign; x/0 = 0 and x%0 = x; anything but 0 is
 * true. A parsed expression is data: nothing of it is ever executed as code, and both its length and its
 * depth are bounded. Bound to sizes it has been proved to stay within 2^62 for every pair, which is why
 * evaluating it cannot fail. */
#ifndef PATTERNS_EXPR_H
#define PATTERNS_EXPR_H

#include "attn/pattern.h"

enum {
    EXPR_LONGEST = 4096, /* bytes of text */
    EXPR_NODES = 512,    /* operations and operands, equal ones counted once */
    EXPR_DEPTH = 64      /* parentheses, calls, signs and conditions inside each other */
};

extern const attn_pattern attn_pattern_expr;

#define EXPR_EXAMPLE "i - j < 64 || j % 128 >= 120" /* what the spec `expr` alone stands for */

typedef struct expr expr;             /* parsed; knows no sizes */
typedef struct expr_bound expr_bound; /* at given sizes */

/* Parses all `length` bytes. EINVAL names the column, counted in bytes from 1, and what would be right. */
ATTN_MUST_CHECK attn_status expr_parse(expr **out, const char *text, size_t length, attn_error *err);
void expr_destroy(expr *e);

/* The canonical text: one space round binary operators and after commas, none elsewhere, plain decimal
 * numbers. Parses to an equal expression; at most 4 * length + 1 bytes, terminated. */
const char *expr_text(const expr *e);

bool expr_per_head(const expr *e); /* h occurs */

/* Proves that no value can pass 2^62 for 0 <= i, j < nk and 0 <= h < heads, and no constant divisor is 0;
 * EINVAL names the column where that fails. Keeps nothing of `e`. */
ATTN_MUST_CHECK attn_status expr_bind(expr_bound **out, const expr *e, size_t nk, size_t heads, bool causal,
                                      attn_error *err);
void expr_unbind(expr_bound *b);

/* The definition: evaluates every operation. Causality included. */
bool expr_allows(const expr_bound *b, size_t head, size_t i, size_t j);

/* The combs of the keys of query i. Uses some 250 KiB of stack; what was computed for a row is kept for the rows
 * after it, as far as they follow from it (expr_moving.h), and any number of threads may ask. Adds to *tests how many
 * values at single keys and bounds of tiles had to be computed because reasoning on intervals and residues did not
 * settle the row: 0 for whatever is made of comparisons of sums, quotients and remainders by what is fixed in a row. */
void expr_row(const expr_bound *b, size_t head, size_t i, attn_combs *out, uint64_t *tests);

/* Tests behind the rows of one head, extrapolated from a sample of rows; 0 is exact. */
double expr_tests(const expr_bound *b, size_t head);

#endif
