/* butterfly: blocks of b keys; a block sees itself and those whose number differs in a single bit.
 *
 *   allowed(i, j)  <=>  I xor J is 0 or a power of two,  with I = i/b, J = j/b,  and j <= i when causal
 *
 * O(log n) blocks a row; log2(n/b) layers reach everything. Source: the flat block butterfly of [dao2021] section 3. */
#include "patterns/pieces.h"

enum { B };
static const attn_param params[] = {
    [B] = {.key = "b", .min = 1, .max = ATTN_MAX_N, .fallback = "32", .help = "keys in a block"},
    {0},
};

static bool allows(const attn_pattern_args *a, size_t head, size_t i, size_t j)
{
    (void)head;
    if (a->causal && j > i)
        return false;
    const size_t differ = (i / a->v[B]) ^ (j / a->v[B]);
    return (differ & (differ - 1)) == 0;
}

static void row(const attn_pattern_args *a, size_t head, size_t i, attn_combs *out)
{
    pieces p;
    pieces_begin(&p, a, i);
    const size_t b = a->v[B], bi = i / b, blocks = (a->nk - 1) / b + 1;
    pieces_add(&p, bi * b, b, 0, 1);
    for (size_t bit = 1; bit < blocks; bit *= 2)
        pieces_add(&p, (bi ^ bit) * b, b, 0, 1);
    pieces_emit(&p, a, head, i, allows, out);
}

const attn_pattern attn_pattern_butterfly = {
    .name = "butterfly",
    .summary = "blocks whose numbers differ in one bit",
    .source = "dao2021",
    .params = params,
    .allows = allows,
    .row = row,
};
