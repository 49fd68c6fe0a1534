/* axial: positions are pixels of an image w wide, row by row; each sees its row and its column.
 *
 *   row:     floor(i/w) = floor(j/w)
 *   column:  i mod w = j mod w
 *   merged:  either                       each with j <= i when causal
 *
 * Source: [ho2019] section 3. */
#include "patterns/pieces.h"

enum { MERGED, ROW, COLUMN };
enum { W, HEAD };
static const attn_param params[] = {
    [W] = {.key = "w", .min = 1, .max = ATTN_MAX_N, .fallback = "sqrt(n)", .help = "width of the image"},
    [HEAD] = {.key = "head", .fallback = "merged", .choices = "merged|row|column", .help = "both sets or one of them"},
    {0},
};

static bool allows(const attn_pattern_args *a, size_t head, size_t i, size_t j)
{
    (void)head;
    if (a->causal && j > i)
        return false;
    const size_t w = a->v[W];
    const bool same_row = i / w == j / w, same_column = i % w == j % w;
    return a->v[HEAD] == ROW ? same_row : a->v[HEAD] == COLUMN ? same_column : same_row || same_column;
}

static void row(const attn_pattern_args *a, size_t head, size_t i, attn_combs *out)
{
    pieces p;
    pieces_begin(&p, a, i);
    const size_t w = a->v[W];
    if (a->v[HEAD] != COLUMN)
        pieces_add(&p, i / w * w, w, 0, 1);
    if (a->v[HEAD] != ROW)
        pieces_add(&p, i % w, 1, w, a->nk);
    pieces_emit(&p, a, head, i, allows, out);
}

const attn_pattern attn_pattern_axial = {
    .name = "axial",
    .summary = "the row and the column of an image w wide",
    .source = "ho2019",
    .params = params,
    .allows = allows,
    .row = row,
};
