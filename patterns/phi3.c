/* phi3: blocks of b keys: a window of `local` blocks, and every stride-th block, at another place for each head.
 *
 *   allowed(i, j)  <=>  I - J < local  or  (J + 1 + step h) mod stride = 0,  with I = i/b, J = j/b,  and j <= i when causal
 *
 * step = max(1, stride / heads), so that the heads together see every block; |I - J| when bidirectional. Source: the
 * block-sparse attention of Phi-3-small, [abdin2024] section 2. */
#include "patterns/pieces.h"

enum { B, LOCAL, STRIDE };
static const attn_param params[] = {
    [B] = {.key = "b", .min = 1, .max = ATTN_MAX_N, .fallback = "64", .help = "keys in a block"},
    [LOCAL] = {.key = "local", .min = 1, .max = ATTN_MAX_N, .fallback = "16", .help = "blocks of the window"},
    [STRIDE] = {.key = "stride", .min = 1, .max = ATTN_MAX_N, .fallback = "8", .help = "distance between the others"},
    {0},
};

static size_t shift(const attn_pattern_args *a, size_t head)
{
    const size_t step = a->v[STRIDE] / a->heads;
    return (step ? step : 1) * head;
}

static bool allows(const attn_pattern_args *a, size_t head, size_t i, size_t j)
{
    if (a->causal && j > i)
        return false;
    const size_t bi = i / a->v[B], bj = j / a->v[B];
    return (bj <= bi ? bi - bj : bj - bi) < a->v[LOCAL] || (bj + 1 + shift(a, head)) % a->v[STRIDE] == 0;
}

static void row(const attn_pattern_args *a, size_t head, size_t i, attn_combs *out)
{
    pieces p;
    pieces_begin(&p, a, i);
    const size_t b = a->v[B], bi = i / b, local = a->v[LOCAL], stride = a->v[STRIDE];
    const size_t before = bi < local - 1 ? bi : local - 1;
    pieces_add(&p, (bi - before) * b, (before + local) * b, 0, 1);
    pieces_add(&p, (stride - 1 - shift(a, head) % stride) * b, b, stride * b, a->nk);
    pieces_emit(&p, a, head, i, allows, out);
}

const attn_pattern attn_pattern_phi3 = {
    .name = "phi3",
    .summary = "blocks: the last `local`, and every stride-th, shifted by the head",
    .source = "abdin2024",
    .params = params,
    .flags = ATTN_PER_HEAD,
    .allows = allows,
    .row = row,
};
