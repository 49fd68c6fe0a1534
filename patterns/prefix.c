/* prefix: a prefix that everyone sees, and causal attention behind it.
 *
 *   allowed(i, j)  <=>  j <= i  or  j < p
 *
 * The prefix looks forward, so the language model of the source is prefix:p=P,causal=0; with causal=1, which adds j <= i, all of
 * it is dense. Source: [raffel2020] section 3.2.1, causal with prefix. */
#include "patterns/pieces.h"

enum { P };
static const attn_param params[] = {
    [P] = {.key = "p", .min = 0, .max = ATTN_MAX_N, .fallback = "n/4", .help = "keys of the prefix"},
    {0},
};

static bool allows(const attn_pattern_args *a, size_t head, size_t i, size_t j)
{
    (void)head;
    if (a->causal && j > i)
        return false;
    return j <= i || j < a->v[P];
}

static void row(const attn_pattern_args *a, size_t head, size_t i, attn_combs *out)
{
    pieces p;
    pieces_begin(&p, a, i);
    pieces_add(&p, 0, i + 1 > a->v[P] ? i + 1 : a->v[P], 0, 1);
    pieces_emit(&p, a, head, i, allows, out);
}

const attn_pattern attn_pattern_prefix = {
    .name = "prefix",
    .summary = "the first p keys seen by all, causal behind them (with causal=0)",
    .source = "raffel2020",
    .params = params,
    .allows = allows,
    .row = row,
};
