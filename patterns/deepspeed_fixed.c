/* deepspeed-fixed: windows of l blocks of b keys, and g blocks of every window that are seen from all (later) rows.
 *
 *   allowed(i, j)  <=>  I/l = J/l  or  J is global,  with I = i/b, J = j/b,  and j <= i when causal
 *
 * Global are the (sub+1)-th g blocks from the end of each window; of a last window that is cut short, those g blocks from the
 * same distance to its start, or the sequence's last g if they end before. Source: FixedSparsityConfig of [deepspeed-sparse], with
 * vertical global attention; its different patterns per head are heads(...) over sub. */
#include "patterns/pieces.h"

enum { B, L, G, SUB };
static const attn_param params[] = {
    [B] = {.key = "b", .min = 1, .max = ATTN_MAX_N, .fallback = "16", .help = "keys in a block"},
    [L] = {.key = "l", .min = 1, .max = ATTN_MAX_N, .fallback = "4", .help = "blocks in a window"},
    [G] = {.key = "g", .min = 1, .max = ATTN_MAX_N, .fallback = "1", .help = "global blocks of a window"},
    [SUB] = {.key = "sub", .min = 0, .max = ATTN_MAX_N, .fallback = "0", .help = "which g blocks are global, counted from the end"},
    {0},
};

/* The first global block of the window that a block belongs to. */
static size_t first_global(const attn_pattern_args *a, size_t block)
{
    const size_t l = a->v[L], g = a->v[G], window = block / l * l, blocks = (a->nk - 1) / a->v[B] + 1;
    const size_t first = window + l - (a->v[SUB] + 1) * g;
    return window + l <= blocks || first + g <= blocks ? first : blocks > g ? blocks - g : 0;
}

static bool allows(const attn_pattern_args *a, size_t head, size_t i, size_t j)
{
    (void)head;
    if (a->causal && j > i)
        return false;
    const size_t bi = i / a->v[B], bj = j / a->v[B];
    return bi / a->v[L] == bj / a->v[L] || (bj >= first_global(a, bj) && bj < first_global(a, bj) + a->v[G]);
}

static void row(const attn_pattern_args *a, size_t head, size_t i, attn_combs *out)
{
    pieces p;
    pieces_begin(&p, a, i);
    const size_t b = a->v[B], l = a->v[L], blocks = (a->nk - 1) / b + 1, cut = blocks / l * l;
    pieces_add(&p, i / b / l * l * b, l * b, 0, 1);
    if (cut)
        pieces_add(&p, first_global(a, 0) * b, a->v[G] * b, l * b, blocks / l);
    if (cut < blocks)
        pieces_add(&p, first_global(a, cut) * b, a->v[G] * b, 0, 1);
    pieces_emit(&p, a, head, i, allows, out);
}

static attn_status check(const size_t *v, uint32_t literal, attn_error *err)
{
    (void)literal;
    if (v[G] > v[L] || v[SUB] >= v[L] / v[G])
        return attn_fail(err, ATTN_EINVAL, "deepspeed-fixed: g=%zu, sub=%zu: a window of l=%zu blocks has %zu groups of g, so sub is below that",
                         v[G], v[SUB], v[L], v[L] / v[G]);
    return ATTN_OK;
}

const attn_pattern attn_pattern_deepspeed_fixed = {
    .name = "deepspeed-fixed",
    .summary = "DeepSpeed: windows of l blocks, and g global blocks of each",
    .source = "deepspeed-sparse",
    .params = params,
    .check = check,
    .allows = allows,
    .row = row,
};
