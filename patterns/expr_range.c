/* Expressions: what an operation gives, for values and for intervals of them.
 *
 * Intervals are computed in 128 bits, so nothing overflows before it is compared with EXPR_LIMIT. They are
 * what proves an expression safe for all pairs, and what settles whole tiles of keys. */
#include "patterns/expr_parts.h"

__extension__ typedef __int128 wide;

/* ---- values ---- */

int64_t expr_floor_div(int64_t x, int64_t y)
{
    if (y == 0)
        return 0;
    int64_t quotient = x / y;
    return quotient - (x % y != 0 && (x < 0) != (y < 0));
}

int64_t expr_floor_mod(int64_t x, int64_t y)
{
    if (y == 0)
        return x;
    int64_t rest = x % y;
    return rest != 0 && (rest < 0) != (y < 0) ? rest + y : rest;
}

int64_t expr_apply(expr_op op, int64_t x, int64_t y, int64_t z)
{
    switch (op) {
    case EXPR_NEGATE: return -x;
    case EXPR_FLIP: return ~x;
    case EXPR_ABS: return x < 0 ? -x : x;
    case EXPR_MUL: return x * y;
    case EXPR_DIV: return expr_floor_div(x, y);
    case EXPR_MOD: return expr_floor_mod(x, y);
    case EXPR_ADD: return x + y;
    case EXPR_SUB: return x - y;
    case EXPR_SHL: return x * (INT64_C(1) << y);
    case EXPR_SHR: return expr_floor_div(x, INT64_C(1) << y);
    case EXPR_LT: return x < y;
    case EXPR_LE: return x <= y;
    case EXPR_EQ: return x == y;
    case EXPR_NE: return x != y;
    case EXPR_AND: return x & y;
    case EXPR_XOR: return x ^ y;
    case EXPR_OR: return x | y;
    case EXPR_ALL: return x && y;
    case EXPR_ANY: return x || y;
    case EXPR_MIN: return x < y ? x : y;
    case EXPR_MAX: return x > y ? x : y;
    case EXPR_COND: return x ? y : z;
    default: return 0; /* operands are not operations */
    }
}

/* ---- intervals ---- */

typedef struct bounds {
    wide low, high;
} bounds;

static wide smaller(wide a, wide b)
{
    return a < b ? a : b;
}

static wide larger(wide a, wide b)
{
    return a > b ? a : b;
}

/* Hull of the four corners of an operation that is monotonic in each operand. */
static bounds corners(const wide v[4])
{
    return (bounds){smaller(smaller(v[0], v[1]), smaller(v[2], v[3])),
                    larger(larger(v[0], v[1]), larger(v[2], v[3]))};
}

static bounds product(const expr_range *x, const expr_range *y)
{
    const wide v[4] = {(wide)x->low * y->low, (wide)x->low * y->high, (wide)x->high * y->low,
                       (wide)x->high * y->high};
    return corners(v);
}

static int64_t magnitude(const expr_range *x)
{
    return (int64_t)larger(x->high, -(wide)x->low);
}

static bounds divided(const expr_range *x, const expr_range *y)
{
    if (y->low <= 0 && y->high >= 0) { /* |x/y| <= |x|, and x/0 = 0 */
        int64_t most = magnitude(x);
        return (bounds){-most, most};
    }
    const wide v[4] = {expr_floor_div(x->low, y->low), expr_floor_div(x->low, y->high),
                       expr_floor_div(x->high, y->low), expr_floor_div(x->high, y->high)};
    return corners(v);
}

static bounds modulo(const expr_range *x, const expr_range *y)
{
    if (x->low >= 0 && y->low > x->high)
        return (bounds){x->low, x->high};
    if (y->low == y->high && y->low > 0 && expr_floor_div(x->low, y->low) == expr_floor_div(x->high, y->low))
        return (bounds){expr_floor_mod(x->low, y->low), expr_floor_mod(x->high, y->low)};
    bounds r = {y->low < 0 ? (wide)y->low + 1 : 0, y->high > 0 ? (wide)y->high - 1 : 0};
    if (y->low <= 0 && y->high >= 0) /* x%0 = x */
        r = (bounds){smaller(r.low, x->low), larger(r.high, x->high)};
    return r;
}

/* Bits above those in which the numbers of an interval differ are the same in all of them. */
static int64_t common_bits(const expr_range *x)
{
    uint64_t differ = (uint64_t)x->low ^ (uint64_t)x->high;
    return differ ? (int64_t)(differ >> 63 ? 0 : ~UINT64_C(0) << (64 - __builtin_clzll(differ))) : -1;
}

static bounds bitwise(expr_op op, const expr_range *x, const expr_range *y)
{
    /* known[v]: the bits known to be v */
    int64_t known_x = common_bits(x), known_y = common_bits(y), zeros, ones;
    int64_t x1 = x->low & known_x, x0 = ~x->low & known_x, y1 = y->low & known_y, y0 = ~y->low & known_y;
    if (op == EXPR_AND) {
        ones = x1 & y1;
        zeros = x0 | y0;
    } else if (op == EXPR_OR) {
        ones = x1 | y1;
        zeros = x0 & y0;
    } else {
        ones = (x1 & y0) | (x0 & y1);
        zeros = (x1 & y1) | (x0 & y0);
    }
    int64_t open = ~(ones | zeros);
    bounds r = {ones, ones | open};
    if (open < 0) /* the sign itself: lowest with it set, highest without */
        r = (bounds){(int64_t)((uint64_t)ones | UINT64_C(1) << 63), (ones | open) & INT64_MAX};
    /* numbers of so many bits make a number of so many bits */
    int64_t most = magnitude(x) > magnitude(y) ? magnitude(x) : magnitude(y);
    wide power = (wide)1 << (64 - __builtin_clzll((uint64_t)most | 1));
    r = (bounds){larger(r.low, -power), smaller(r.high, power - 1)};
    if (op == EXPR_AND && x->low >= 0)
        r = (bounds){larger(r.low, 0), smaller(r.high, x->high)};
    if (op == EXPR_AND && y->low >= 0)
        r = (bounds){larger(r.low, 0), smaller(r.high, y->high)};
    return r;
}

static bounds truth(bool can_be_false, bool can_be_true)
{
    return (bounds){!can_be_false, can_be_true};
}

static bounds compare(expr_op op, const expr_range *x, const expr_range *y, bool same)
{
    if (same)
        return truth(op == EXPR_LT || op == EXPR_NE, op == EXPR_LE || op == EXPR_EQ);
    bool apart = x->high < y->low || y->high < x->low;
    bool one = x->low == x->high && y->low == y->high && x->low == y->low;
    switch (op) {
    case EXPR_LT: return truth(x->high >= y->low, x->low < y->high);
    case EXPR_LE: return truth(x->high > y->low, x->low <= y->high);
    case EXPR_EQ: return truth(!one, !apart);
    default: return truth(!apart, !one);
    }
}

static bounds absolute(const expr_range *x)
{
    if (x->low >= 0)
        return (bounds){x->low, x->high};
    return (bounds){x->high < 0 ? -(wide)x->high : 0, magnitude(x)};
}

static int64_t clip(wide x, int64_t low, int64_t high)
{
    return (int64_t)larger(smaller(x, high), low);
}

static expr_range powers(const expr_range *y)
{
    return (expr_range){INT64_C(1) << clip(y->low, 0, 62), INT64_C(1) << clip(y->high, 0, 62)};
}

static bounds of_operation(const expr_node *node, const expr_range *x, const expr_range *y,
                           const expr_range *z)
{
    bool same = node->a == node->b;
    expr_range power;
    switch (node->op) {
    case EXPR_NEGATE: return (bounds){-(wide)x->high, -(wide)x->low};
    case EXPR_FLIP: return (bounds){~x->high, ~x->low};
    case EXPR_ABS: return absolute(x);
    case EXPR_MUL: {
        bounds r = product(x, y);
        return same ? (bounds){larger(r.low, 0), r.high} : r;
    }
    case EXPR_DIV: return divided(x, y);
    case EXPR_MOD: return modulo(x, y);
    case EXPR_ADD: return (bounds){(wide)x->low + y->low, (wide)x->high + y->high};
    case EXPR_SUB: return same ? (bounds){0, 0} : (bounds){(wide)x->low - y->high, (wide)x->high - y->low};
    case EXPR_SHL: power = powers(y); return product(x, &power);
    case EXPR_SHR: power = powers(y); return divided(x, &power);
    case EXPR_LT:
    case EXPR_LE:
    case EXPR_EQ:
    case EXPR_NE: return compare(node->op, x, y, same);
    case EXPR_AND:
    case EXPR_XOR:
    case EXPR_OR: return bitwise(node->op, x, y);
    case EXPR_ALL: return truth(!x->low || !y->low, x->high && y->high);
    case EXPR_ANY: return truth(!x->low && !y->low, x->high || y->high);
    case EXPR_MIN: return (bounds){smaller(x->low, y->low), smaller(x->high, y->high)};
    case EXPR_MAX: return (bounds){larger(x->low, y->low), larger(x->high, y->high)};
    case EXPR_COND:
        if (x->low == x->high)
            return x->low ? (bounds){y->low, y->high} : (bounds){z->low, z->high};
        return (bounds){smaller(y->low, z->low), larger(y->high, z->high)};
    default: return (bounds){0, 0};
    }
}

bool expr_range_of(const expr_node *node, const expr_range *x, const expr_range *y, const expr_range *z,
                   const expr_box *box, expr_range *out)
{
    switch (node->op) {
    case EXPR_CONST: *out = (expr_range){node->value, node->value}; return true;
    case EXPR_I: *out = box->i; return true;
    case EXPR_J: *out = box->j; return true;
    case EXPR_N: *out = box->n; return true;
    case EXPR_H: *out = box->h; return true;
    default: break;
    }
    bounds r = of_operation(node, x, y, z);
    *out = (expr_range){clip(r.low, -EXPR_LIMIT, EXPR_LIMIT), clip(r.high, -EXPR_LIMIT, EXPR_LIMIT)};
    return r.low >= -EXPR_LIMIT && r.high <= EXPR_LIMIT;
}
