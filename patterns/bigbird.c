/* bigbird: blocks of b keys: a window of w blocks on each side, g global blocks, r random ones for every block of queries.
 *
 *   allowed(i, j)  <=>  |I - J| <= w  or  J < g  or  I < g  or  J is drawn for I,  with I = i/b, J = j/b,  and j <= i when causal
 *
 * Drawn are r blocks (perhaps the same twice) of those up to I when causal, else of all. Source: [zaheer2020] section 2 and
 * appendix D. */
#include "patterns/pieces.h"

enum { B, W, G, R, SEED };
static const attn_param params[] = {
    [B] = {.key = "b", .min = 1, .max = ATTN_MAX_N, .fallback = "64", .help = "keys in a block"},
    [W] = {.key = "w", .min = 0, .max = ATTN_MAX_N, .fallback = "1", .help = "blocks seen on each side"},
    [G] = {.key = "g", .min = 0, .max = ATTN_MAX_N, .fallback = "1", .help = "first blocks that all see, and that see all"},
    [R] = {.key = "r", .min = 0, .max = 64, .fallback = "3", .help = "blocks drawn for each block of queries"},
    [SEED] = {.key = "seed", .min = 0, .max = ATTN_MAX_N, .fallback = "1", .help = "another one, other blocks"},
    {0},
};

/* The t-th block drawn for the queries of a block. */
static size_t draw(const attn_pattern_args *a, size_t block, size_t t)
{
    const size_t blocks = a->causal ? block + 1 : (a->nk - 1) / a->v[B] + 1;
    return (size_t)(pieces_hash(a->v[SEED], block, t) % blocks);
}

static bool allows(const attn_pattern_args *a, size_t head, size_t i, size_t j)
{
    (void)head;
    if (a->causal && j > i)
        return false;
    const size_t b = a->v[B], bi = i / b, bj = j / b;
    bool drawn = false;
    for (size_t t = 0; t < a->v[R]; t++)
        drawn |= bj == draw(a, bi, t);
    return (bj <= bi ? bi - bj : bj - bi) <= a->v[W] || bj < a->v[G] || bi < a->v[G] || drawn;
}

static void row(const attn_pattern_args *a, size_t head, size_t i, attn_combs *out)
{
    pieces p;
    pieces_begin(&p, a, i);
    const size_t b = a->v[B], bi = i / b, before = bi < a->v[W] ? bi : a->v[W];
    pieces_add(&p, (bi - before) * b, (before + 1 + a->v[W]) * b, 0, 1);
    pieces_add(&p, 0, bi < a->v[G] ? a->nk : a->v[G] * b, 0, 1);
    for (size_t t = 0; t < a->v[R]; t++)
        pieces_add(&p, draw(a, bi, t) * b, b, 0, 1);
    pieces_emit(&p, a, head, i, allows, out);
}

const attn_pattern attn_pattern_bigbird = {
    .name = "bigbird",
    .summary = "blocks: a window of w, the first g for all, and r at random",
    .source = "zaheer2020",
    .params = params,
    .allows = allows,
    .row = row,
};
