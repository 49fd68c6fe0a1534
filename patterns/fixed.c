/* fixed: blocks of l keys, and the last c keys of every block as its summary.
 *
 *   block:    floor(j/l) = floor(i/l)
 *   summary:  f <= j mod l < f + c,  f = l - (sub+1)c: the sub-th c-wide sub-block from the block's end
 *   merged:   either                                   each with j <= i when causal
 *
 * Pairs, with n = a l + r, and w = min(c, max(0, r-f)) summary columns in the cut block:
 *
 *                    causal                                               bidirectional
 *   block            a l(l+1)/2 + r(r+1)/2                                a l^2 + r^2
 *   summary          each column j is seen by n - j rows, which sums to   n(a c + w)
 *                    c(a(n-f) - l a(a-1)/2) - a c(c-1)/2
 *                    + w(r-f) - w(w-1)/2
 *   merged           block + summary less the summaries in the own block:
 *                    a(c(l-f) - c(c-1)/2) + w(r-f) - w(w-1)/2             a c l + w r
 *
 * With l growing as sqrt(n) and c constant this is n sqrt(n); with c growing as l, or l constant, n^2.
 *
 * Source: [child2019] section 4.3: A1 = {j : floor(j/l) = floor(i/l)}, A2 = {j : j mod l >= l-c}, and its
 * advice that several heads take distinct sub-blocks, our sub. */
#include "attn/pattern.h"

enum { L, C, HEAD, SUB };
enum { MERGED, BLOCK, SUMMARY };
static const attn_param params[] = {
    [L] = {.key = "l", .min = 1, .max = ATTN_MAX_N, .fallback = "sqrt(n)", .help = "keys in a block"},
    [C] = {.key = "c", .min = 1, .max = ATTN_MAX_N, .fallback = "8", .help = "keys in a block's summary"},
    [HEAD] = {.key = "head", .fallback = "merged", .choices = "merged|block|summary",
              .help = "both sets or one of them"},
    [SUB] = {.key = "sub", .min = 0, .max = ATTN_MAX_N, .fallback = "0",
             .help = "which c keys summarise a block, counted from its end"},
    {0},
};

/* f, the first summary key of block 0. */
static size_t offset(const attn_pattern_args *a)
{
    return a->v[L] - (a->v[SUB] + 1) * a->v[C];
}

static bool allows(const attn_pattern_args *a, size_t head, size_t i, size_t j)
{
    (void)head;
    if (a->causal && j > i)
        return false;
    size_t l = a->v[L];
    bool block = j / l == i / l;
    if (a->v[HEAD] == BLOCK)
        return block;
    bool summary = j % l >= offset(a) && j % l < offset(a) + a->v[C];
    return a->v[HEAD] == SUMMARY ? summary : block || summary;
}

/* Summaries from the one at `begin` on, the last one cut at `end`. */
static void summaries(const attn_pattern_args *a, size_t begin, size_t end, attn_combs *out)
{
    size_t l = a->v[L], c = a->v[C];
    if (begin >= end)
        return;
    size_t whole = end - begin < c ? 0 : (end - begin - c) / l + 1;
    attn_emit(out, begin, c, l, whole);
    size_t cut = begin + whole * l;
    if (cut < end)
        attn_emit(out, cut, end - cut, l, 1);
}

static void row(const attn_pattern_args *a, size_t head, size_t i, attn_combs *out)
{
    (void)head;
    size_t l = a->v[L], end = a->causal ? i + 1 : a->nk;
    size_t block = i / l * l, next = block + l;
    if (a->v[HEAD] == SUMMARY) {
        summaries(a, offset(a), end, out);
        return;
    }
    bool merged = a->v[HEAD] == MERGED;
    if (merged)
        summaries(a, offset(a), block, out);
    attn_emit(out, block, (next < end ? next : end) - block, 0, 1);
    if (merged)
        summaries(a, next + offset(a), end, out);
}

static uint64_t pairs(const attn_pattern_args *a, size_t head)
{
    (void)head;
    uint64_t n = a->nk, l = a->v[L], whole = n / l, r = n % l;
    uint64_t block = a->causal ? whole * (l * (l + 1) / 2) + r * (r + 1) / 2 : whole * l * l + r * r;
    if (a->v[HEAD] == BLOCK)
        return block;

    uint64_t c = a->v[C], f = offset(a), w = r <= f ? 0 : r - f < c ? r - f : c;
    uint64_t summary, own;
    if (a->causal) {
        uint64_t cut = w ? w * (r - f) - w * (w - 1) / 2 : 0; /* seen from inside the cut block */
        uint64_t rows = whole ? whole * (n - f) - l * (whole * (whole - 1) / 2) : 0;
        summary = c * rows - whole * (c * (c - 1) / 2) + cut;
        own = whole * (c * (l - f) - c * (c - 1) / 2) + cut;
    } else {
        summary = n * (whole * c + w);
        own = whole * c * l + w * r;
    }
    return a->v[HEAD] == SUMMARY ? summary : block + summary - own;
}

/* The clamp of c to l happens in prepare(), so here c may still be larger where that is forgiven. */
static attn_status check(const size_t *v, uint32_t literal, attn_error *err)
{
    if (v[HEAD] == BLOCK)
        return ATTN_OK; /* c and sub mean nothing */
    uint32_t both = 1u << L | 1u << C;
    if (v[C] > v[L] && (literal & both) == both)
        return attn_fail(err, ATTN_EINVAL, "fixed: c=%zu exceeds l=%zu; a summary is part of its block", v[C],
                         v[L]);
    size_t c = v[C] < v[L] ? v[C] : v[L];
    if (v[SUB] >= v[L] / c)
        return attn_fail(err, ATTN_EINVAL,
                         "fixed: sub=%zu is outside the block; l=%zu holds %zu sub-blocks of c=%zu, "
                         "so sub is at most %zu",
                         v[SUB], v[L], v[L] / c, c, v[L] / c - 1);
    return ATTN_OK;
}

static attn_status prepare(attn_pattern_args *a, uint32_t literal, attn_error *err)
{
    (void)literal;
    (void)err;
    if (a->v[C] > a->v[L] && a->v[HEAD] != BLOCK)
        a->v[C] = a->v[L];
    return ATTN_OK;
}

const attn_pattern attn_pattern_fixed = {
    .name = "fixed",
    .summary = "blocks of l keys, and a summary of c keys from every block",
    .source = "child2019",
    .params = params,
    .allows = allows,
    .row = row,
    .pairs = pairs,
    .check = check,
    .prepare = prepare,
};
