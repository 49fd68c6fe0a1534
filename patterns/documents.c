/* documents: documents one after the other, each of which sees itself only.
 *
 *   allowed(i, j)  <=>  i and j lie in the same document,  and j <= i when causal
 *
 * Lengths are l1, l2, ... up to the first that is 0, and from the beginning again. Lengths that say more are a mask of one's own
 * (an expression or a file). A & documents:... restricts A. Source: block-diagonal masks of packed sequences, [krell2021] section 3.2. */
#include "patterns/pieces.h"

enum { L1, L2, L3, L4, L5, L6, L7, L8, L9, L10, L11, L12 };
static const attn_param params[] = {
    [L1] = {.key = "l1", .min = 1, .max = ATTN_MAX_N, .fallback = "n/4", .help = "keys of the first document"},
    [L2] = {.key = "l2", .min = 0, .max = ATTN_MAX_N, .fallback = "0", .help = "keys of document 2; 0: there is none"},
    [L3] = {.key = "l3", .min = 0, .max = ATTN_MAX_N, .fallback = "0", .help = "keys of document 3; 0: there is none"},
    [L4] = {.key = "l4", .min = 0, .max = ATTN_MAX_N, .fallback = "0", .help = "keys of document 4; 0: there is none"},
    [L5] = {.key = "l5", .min = 0, .max = ATTN_MAX_N, .fallback = "0", .help = "keys of document 5; 0: there is none"},
    [L6] = {.key = "l6", .min = 0, .max = ATTN_MAX_N, .fallback = "0", .help = "keys of document 6; 0: there is none"},
    [L7] = {.key = "l7", .min = 0, .max = ATTN_MAX_N, .fallback = "0", .help = "keys of document 7; 0: there is none"},
    [L8] = {.key = "l8", .min = 0, .max = ATTN_MAX_N, .fallback = "0", .help = "keys of document 8; 0: there is none"},
    [L9] = {.key = "l9", .min = 0, .max = ATTN_MAX_N, .fallback = "0", .help = "keys of document 9; 0: there is none"},
    [L10] = {.key = "l10", .min = 0, .max = ATTN_MAX_N, .fallback = "0", .help = "keys of document 10; 0: there is none"},
    [L11] = {.key = "l11", .min = 0, .max = ATTN_MAX_N, .fallback = "0", .help = "keys of document 11; 0: there is none"},
    [L12] = {.key = "l12", .min = 0, .max = ATTN_MAX_N, .fallback = "0", .help = "keys of document 12; 0: there is none"},
    {0},
};

/* The end of the document with key i, and where it begins. */
static size_t document(const attn_pattern_args *a, size_t i, size_t *begin)
{
    size_t count = 1, all = a->v[L1];
    while (count <= L12 && a->v[count])
        all += a->v[count++];
    *begin = i / all * all;
    size_t d = 0;
    while (i - *begin >= a->v[d])
        *begin += a->v[d++];
    return *begin + a->v[d];
}

static bool allows(const attn_pattern_args *a, size_t head, size_t i, size_t j)
{
    (void)head;
    if (a->causal && j > i)
        return false;
    size_t begin;
    const size_t end = document(a, i, &begin);
    return begin <= j && j < end;
}

static void row(const attn_pattern_args *a, size_t head, size_t i, attn_combs *out)
{
    pieces p;
    pieces_begin(&p, a, i);
    size_t begin;
    const size_t end = document(a, i, &begin);
    pieces_add(&p, begin, end - begin, 0, 1);
    pieces_emit(&p, a, head, i, allows, out);
}

const attn_pattern attn_pattern_documents = {
    .name = "documents",
    .summary = "documents packed into one sequence, each of which sees itself",
    .source = "krell2021",
    .params = params,
    .allows = allows,
    .row = row,
};
