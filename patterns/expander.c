/* expander: d random permutations of the positions; each sees where they lead, where they come from, and itself.
 *
 *   allowed(i, j)  <=>  i = j,  or j = P_t(i) or i = P_t(j) for some t < d,  and j <= i when causal
 *
 * A random 2d-regular graph, so that log n steps reach everything. P_t is a Feistel network on the least power of four that holds
 * n, walked until it falls below n: a permutation without a table, from the seed. Source: the expander edges of [shirzad2023]
 * section 4. */
#include "patterns/pieces.h"

enum { D, SEED };
static const attn_param params[] = {
    [D] = {.key = "d", .min = 1, .max = 32, .fallback = "4", .help = "permutations"},
    [SEED] = {.key = "seed", .min = 0, .max = ATTN_MAX_N, .fallback = "1", .help = "another one, other permutations"},
    {0},
};

enum { ROUNDS = 6 };

/* Where permutation t takes x, or where it comes from. */
static size_t permute(const attn_pattern_args *a, size_t t, size_t x, bool back)
{
    unsigned half = 1;
    while ((size_t)1 << 2 * half < a->nk)
        half++;
    const size_t mask = ((size_t)1 << half) - 1;
    do {
        size_t left = x >> half, right = x & mask;
        for (unsigned r = 0; r < ROUNDS; r++) {
            const unsigned round = back ? ROUNDS - 1 - r : r;
            if (back) {
                const size_t before = left;
                left = right ^ (size_t)(pieces_hash(a->v[SEED], t * ROUNDS + round, left) & mask);
                right = before;
            } else {
                const size_t before = right;
                right = left ^ (size_t)(pieces_hash(a->v[SEED], t * ROUNDS + round, right) & mask);
                left = before;
            }
        }
        x = left << half | right;
    } while (x >= a->nk);
    return x;
}

static bool allows(const attn_pattern_args *a, size_t head, size_t i, size_t j)
{
    (void)head;
    if (a->causal && j > i)
        return false;
    bool joined = i == j;
    for (size_t t = 0; t < a->v[D]; t++)
        joined |= permute(a, t, i, false) == j || permute(a, t, j, false) == i;
    return joined;
}

static void row(const attn_pattern_args *a, size_t head, size_t i, attn_combs *out)
{
    pieces p;
    pieces_begin(&p, a, i);
    pieces_add(&p, i, 1, 0, 1);
    for (size_t t = 0; t < a->v[D]; t++) {
        pieces_add(&p, permute(a, t, i, false), 1, 0, 1);
        pieces_add(&p, permute(a, t, i, true), 1, 0, 1);
    }
    pieces_emit(&p, a, head, i, allows, out);
}

const attn_pattern attn_pattern_expander = {
    .name = "expander",
    .summary = "d random permutations and their inverses: a sparse expander",
    .source = "shirzad2023",
    .params = params,
    .allows = allows,
    .row = row,
};
