/* Patterns with the same combs as built-in ones, under other names: a planner that goes by the combs cannot tell.
 *
 *   slants  as strided: a window of l keys, and every l-th key
 *   pages   as fixed: pages of l keys, and the last c keys of every page */
#include <attn/pattern.h>

enum { LENGTH, PART };
enum { BOTH, NEAR, FAR };
static const attn_param slant_params[] = {
    [LENGTH] = {"length", 1, ATTN_MAX_N, "sqrt(n)", "keys of the window, and between far keys", NULL},
    [PART] = {"part", 0, 0, "both", "which keys", "both|near|far"},
    {0},
};

static bool slant_allows(const attn_pattern_args *a, size_t head, size_t i, size_t j)
{
    (void)head;
    size_t distance = i > j ? i - j : j - i;
    if (a->causal && j > i)
        return false;
    return (a->v[PART] != FAR && distance <= a->v[LENGTH]) || (a->v[PART] != NEAR && distance % a->v[LENGTH] == 0);
}

static void slant_row(const attn_pattern_args *a, size_t head, size_t i, attn_combs *out)
{
    (void)head;
    size_t l = a->v[LENGTH], left = i / l, right = a->causal ? 0 : (a->nk - 1 - i) / l;
    if (a->v[PART] == FAR) {
        attn_emit(out, i - left * l, 1, l, left + right + 1);
        return;
    }
    size_t begin = left ? i - l : 0, end = right ? i + l + 1 : a->causal ? i + 1 : a->nk;
    if (a->v[PART] == BOTH && left > 1)
        attn_emit(out, i - left * l, 1, l, left - 1);
    attn_emit(out, begin, end - begin, 0, 1);
    if (a->v[PART] == BOTH && right > 1)
        attn_emit(out, i + 2 * l, 1, l, right - 1);
}

static const attn_pattern slants = {
    .name = "slants",
    .summary = "a window and far keys",
    .params = slant_params,
    .allows = slant_allows,
    .row = slant_row,
};

enum { SIZE, NOTES };
static const attn_param page_params[] = {
    [SIZE] = {"size", 1, ATTN_MAX_N, "sqrt(n)", "keys of a page", NULL},
    [NOTES] = {"notes", 1, ATTN_MAX_N, "8", "keys at its end that all later rows see", NULL},
    {0},
};

static attn_status page_prepare(attn_pattern_args *a, uint32_t literal, attn_error *err)
{
    (void)literal;
    (void)err;
    if (a->v[NOTES] > a->v[SIZE])
        a->v[NOTES] = a->v[SIZE];
    return ATTN_OK;
}

static bool page_allows(const attn_pattern_args *a, size_t head, size_t i, size_t j)
{
    (void)head;
    size_t l = a->v[SIZE];
    return !(a->causal && j > i) && (i / l == j / l || j % l >= l - a->v[NOTES]);
}

static void page_row(const attn_pattern_args *a, size_t head, size_t i, attn_combs *out)
{
    (void)head;
    size_t l = a->v[SIZE], c = a->v[NOTES], page = i / l, end = a->causal ? i + 1 : a->nk;
    attn_emit(out, l - c, c, l, page); /* nothing for the first page */
    attn_emit(out, page * l, (page + 1) * l < end ? l : end - page * l, 0, 1);
    size_t next = (page + 2) * l - c; /* the first note behind this page */
    if (next >= end)
        return;
    size_t whole = end - next < c ? 0 : (end - next - c) / l + 1;
    attn_emit(out, next, c, l, whole);
    if (next + whole * l < end)
        attn_emit(out, next + whole * l, end - next - whole * l, l, 1);
}

static const attn_pattern pages = {
    .name = "pages",
    .summary = "pages and their last keys",
    .params = page_params,
    .prepare = page_prepare,
    .allows = page_allows,
    .row = page_row,
};

ATTN_PLUGIN(&slants, &pages);
