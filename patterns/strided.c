/* strided: a window of l keys, and every l-th key counted from the query.
 *
 *   local:   |i - j| <= l
 *   column:  (i - j) mod l = 0
 *   merged:  either                                   each with j <= i when causal
 *
 * Pairs, with n = a l + r:
 *
 *   column, causal         n + l a(a-1)/2 + a r       r residues have a+1 positions, l - r have a,
 *   column, bidirectional  r(a+1)^2 + (l-r) a^2       and m positions make m(m+1)/2 or m^2 pairs
 *   merged                 local + column - overlap   the overlap is j = i and |i - j| = l:
 *                                                     n + max(0, n-l) causal, n + 2 max(0, n-l) not
 *
 * Source: [child2019] section 4.2: A1 = {max(0, i-l) .. i}, A2 = {j : (i-j) mod l = 0}, l near sqrt(n). */
#include "attn/pattern.h"

enum { L, HEAD };
enum { MERGED, LOCAL, COLUMN };
static const attn_param params[] = {
    [L] = {.key = "l", .min = 1, .max = ATTN_MAX_N, .fallback = "sqrt(n)",
           .help = "keys on each side, and distance between columns"},
    [HEAD] = {.key = "head", .fallback = "merged", .choices = "merged|local|column",
              .help = "both sets or one of them"},
    {0},
};

static bool allows(const attn_pattern_args *a, size_t head, size_t i, size_t j)
{
    (void)head;
    if (a->causal && j > i)
        return false;
    size_t l = a->v[L], distance = j <= i ? i - j : j - i;
    bool local = distance <= l, column = distance % l == 0;
    return a->v[HEAD] == LOCAL ? local : a->v[HEAD] == COLUMN ? column : local || column;
}

static void row(const attn_pattern_args *a, size_t head, size_t i, attn_combs *out)
{
    (void)head;
    size_t l = a->v[L], phase = i % l;
    size_t before = i / l, after = a->causal ? 0 : (a->nk - 1 - i) / l; /* column keys on either side */
    if (a->v[HEAD] == COLUMN) {
        attn_emit(out, phase, 1, l, before + 1 + after);
        return;
    }
    bool merged = a->v[HEAD] == MERGED;
    size_t first = i > l ? i - l : 0;
    size_t last = a->causal ? i : i + l < a->nk ? i + l : a->nk - 1;
    if (merged && before > 1) /* the window holds the nearest of them */
        attn_emit(out, phase, 1, l, before - 1);
    attn_emit(out, first, last - first + 1, 0, 1);
    if (merged && after > 1)
        attn_emit(out, i + 2 * l, 1, l, after - 1);
}

static uint64_t pairs(const attn_pattern_args *a, size_t head)
{
    (void)head;
    uint64_t n = a->nk, l = a->v[L], whole = n / l, rest = n % l;
    uint64_t k = l < n ? l : n - 1, far = n > l ? n - l : 0;
    uint64_t local, column, overlap;
    if (a->causal) {
        local = n * (k + 1) - k * (k + 1) / 2;
        column = n + (whole ? l * (whole * (whole - 1) / 2) : 0) + whole * rest;
        overlap = n + far;
    } else {
        local = n * (2 * k + 1) - k * (k + 1);
        column = rest * (whole + 1) * (whole + 1) + (l - rest) * whole * whole;
        overlap = n + 2 * far;
    }
    return a->v[HEAD] == LOCAL ? local : a->v[HEAD] == COLUMN ? column : local + column - overlap;
}

const attn_pattern attn_pattern_strided = {
    .name = "strided",
    .summary = "a window of l keys, and every l-th key",
    .source = "child2019",
    .params = params,
    .allows = allows,
    .row = row,
    .pairs = pairs,
};
