/* expr: the keys for which an expression of i, j, n and h is true, as in  expr:"i-j < 64 || j % 128 >= 120".
 *
 *   allowed(i, j)  <=>  the expression is not 0, and j <= i when causal
 *
 * The language is described in patterns/expr.h. The expression is bound to its sizes by the layout, which
 * hands it over as the state of the arguments; whether heads differ is up to the expression, too. Pairs are
 * counted from the combs. Source: none; combs come from interval and residue arithmetic (expr_pieces.h). */
#include "patterns/expr.h"

static bool allows(const attn_pattern_args *a, size_t head, size_t i, size_t j)
{
    return expr_allows(a->state, head, i, j);
}

static void row(const attn_pattern_args *a, size_t head, size_t i, attn_combs *out)
{
    uint64_t tests = 0;
    expr_row(a->state, head, i, out, &tests);
}

static void release(attn_pattern_args *a)
{
    expr_unbind(a->state);
}

const attn_pattern attn_pattern_expr = {
    .name = "expr",
    .summary = "where an expression of i, j, n and head h is true: expr:\"i-j < 64\"",
    .allows = allows,
    .row = row,
    .release = release,
};
