/* A layout: a spec at given sizes, as combs of keys per query row.
 *
 * Here r is a query row (0 <= r < nq), not a position. Rows are generated on demand and never stored, so a
 * layout is small whatever n is. Immutable after creation and safe to share between threads. */
#ifndef ATTN_LAYOUT_H
#define ATTN_LAYOUT_H

#include "attn/spec.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct attn_layout attn_layout;

/* Resolves `spec` at nq query rows, nk keys and `heads` query heads, each in [1, ATTN_MAX_N], their product
 * below 2^64. In parameter expressions n is nk. The layout keeps nothing of `spec` but its pattern. */
ATTN_API ATTN_MUST_CHECK attn_status attn_layout_create(attn_layout **out, const attn_spec *spec, size_t nq,
                                                        size_t nk, size_t heads, attn_error *err);
ATTN_API void attn_layout_destroy(attn_layout *layout);

ATTN_API size_t attn_layout_nq(const attn_layout *layout);
ATTN_API size_t attn_layout_nk(const attn_layout *layout);
ATTN_API size_t attn_layout_heads(const attn_layout *layout);
ATTN_API bool attn_layout_causal(const attn_layout *layout);

/* Heads with a row of their own: 1 unless the pattern is ATTN_PER_HEAD. Head g uses layout head
 * g % distinct. */
ATTN_API size_t attn_layout_distinct_heads(const attn_layout *layout);

/* The spec with every parameter as a number or word: "fixed:l=64,c=8,head=merged,sub=0"; causal=0 is
 * printed, causal=1 is not. Valid as long as the layout. */
ATTN_API const char *attn_layout_text(const attn_layout *layout);

/* The definition itself, asked of the pattern's allows(); false for rows before key 0. */
ATTN_API bool attn_layout_allows(const attn_layout *layout, size_t head, size_t r, size_t j);

/* Streams the combs of row r; none for rows before key 0. Sets out->count (see attn_combs). */
ATTN_API void attn_layout_row(const attn_layout *layout, size_t head, size_t r, attn_combs *out);

/* EINVAL unless the combs are well-formed, ordered by first key, disjoint, below nk, and (when causal) not
 * beyond the row's own position. The message names pattern, row and comb. For patterns we did not write. */
ATTN_API ATTN_MUST_CHECK attn_status attn_layout_check_row(const attn_layout *layout, size_t head, size_t r,
                                                           const attn_combs *combs, attn_error *err);

/* Exact number of allowed pairs of one head: closed form where the pattern has one, else counted from the
 * rows in O(nq combs). */
ATTN_API uint64_t attn_layout_pairs(const attn_layout *layout, size_t head);

/* The same over all query heads of one batch entry. */
ATTN_API uint64_t attn_layout_pairs_all_heads(const attn_layout *layout);

/* How many single pairs are tested each time all rows of one head are streamed: 0 where combs come from formulas,
 * all pairs for a pattern without row(), and for expressions that intervals and residues do not settle an
 * estimate from a sample of rows. */
ATTN_API double attn_layout_tests(const attn_layout *layout, size_t head);

#ifdef __cplusplus
}
#endif
#endif
