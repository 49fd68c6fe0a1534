/* deepspeed-variable: windows of w1, w2, ... blocks of b keys, the last size repeated; the first g blocks for all; r random ones.
 *
 *   allowed(i, j)  <=>  I and J lie in the same window  or  J < g  or  J is drawn for I,  with I = i/b, J = j/b,  and j <= i when causal
 *
 * Drawn are r blocks (perhaps the same twice) of those up to I when causal, else of all. Source: VariableSparsityConfig of
 * [deepspeed-sparse]. */
#include "patterns/pieces.h"

enum { B, W1, W2, W3, W4, G, R, SEED };
static const attn_param params[] = {
    [B] = {.key = "b", .min = 1, .max = ATTN_MAX_N, .fallback = "16", .help = "keys in a block"},
    [W1] = {.key = "w1", .min = 1, .max = ATTN_MAX_N, .fallback = "4", .help = "blocks in the first window"},
    [W2] = {.key = "w2", .min = 0, .max = ATTN_MAX_N, .fallback = "0", .help = "in the second; 0: as before"},
    [W3] = {.key = "w3", .min = 0, .max = ATTN_MAX_N, .fallback = "0", .help = "in the third; 0: as before"},
    [W4] = {.key = "w4", .min = 0, .max = ATTN_MAX_N, .fallback = "0", .help = "in the fourth; 0: as before"},
    [G] = {.key = "g", .min = 0, .max = ATTN_MAX_N, .fallback = "1", .help = "first blocks that all see"},
    [R] = {.key = "r", .min = 0, .max = 64, .fallback = "0", .help = "blocks drawn for each block of queries"},
    [SEED] = {.key = "seed", .min = 0, .max = ATTN_MAX_N, .fallback = "1", .help = "another one, other blocks"},
    {0},
};

/* The end of the window with a block, and its first block. */
static size_t window(const attn_pattern_args *a, size_t block, size_t *first)
{
    size_t size = a->v[W1], at = 0;
    for (size_t w = W2; w <= W4 && a->v[w]; w++) {
        if (block < at + size)
            break;
        at += size;
        size = a->v[w];
    }
    *first = at + (block - at) / size * size;
    return *first + size;
}

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
    const size_t bi = i / a->v[B], bj = j / a->v[B];
    size_t first;
    const size_t end = window(a, bi, &first);
    bool drawn = false;
    for (size_t t = 0; t < a->v[R]; t++)
        drawn |= bj == draw(a, bi, t);
    return (first <= bj && bj < end) || bj < a->v[G] || drawn;
}

static void row(const attn_pattern_args *a, size_t head, size_t i, attn_combs *out)
{
    pieces p;
    pieces_begin(&p, a, i);
    const size_t b = a->v[B], bi = i / b;
    size_t first;
    const size_t end = window(a, bi, &first);
    pieces_add(&p, first * b, (end - first) * b, 0, 1);
    pieces_add(&p, 0, a->v[G] * b, 0, 1);
    for (size_t t = 0; t < a->v[R]; t++)
        pieces_add(&p, draw(a, bi, t) * b, b, 0, 1);
    pieces_emit(&p, a, head, i, allows, out);
}

const attn_pattern attn_pattern_deepspeed_variable = {
    .name = "deepspeed-variable",
    .summary = "DeepSpeed: windows of several sizes, first blocks global, some at random",
    .source = "deepspeed-sparse",
    .params = params,
    .allows = allows,
    .row = row,
};
