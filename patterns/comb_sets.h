/* Sets of keys as lists of combs, and what is common to two, in either, or in one alone. Inside libattn.
 *
 * Two combs meet in pieces that repeat with the least common multiple of their steps, so a result is found from one period,
 * without looking at single keys. A comb of one tooth is an interval here, whatever its step. */
#ifndef PATTERNS_COMB_SETS_H
#define PATTERNS_COMB_SETS_H

#include "attn/pattern.h"

/* A list that grows. It begins in the caller's `few`; comb_list_free() releases what it may have grown into. */
enum { COMB_LIST_FEW = 24 };
typedef struct comb_list {
    attn_comb *at;
    size_t count, capacity;
    bool failed; /* out of memory: what it holds means nothing */
    attn_comb few[COMB_LIST_FEW];
} comb_list;

void comb_list_init(comb_list *l);
void comb_list_free(comb_list *l);
void comb_list_add(comb_list *l, size_t begin, size_t width, size_t step, size_t count);
void comb_list_append(comb_list *l, const comb_list *more);
/* Adds the keys of c in [lo, hi). */
void comb_list_cut(comb_list *l, const attn_comb *c, size_t lo, size_t hi);
void comb_list_sort(comb_list *l); /* by first key */

static inline bool comb_is_interval(const attn_comb *c) { return c->count == 1 || c->width == c->step; }
static inline size_t comb_end(const attn_comb *c) { return c->begin + (c->count - 1) * c->step + c->width; } /* behind the last key */

/* The sets of a and of b are disjoint within each; so are those of `out`, which is initialised and empty, and not a or b. */
void comb_sets_intersect(comb_list *out, const comb_list *a, const comb_list *b);
void comb_sets_subtract(comb_list *out, const comb_list *a, const comb_list *b);
/* Intervals stay whole, and are cut out of combs: that is what kernels do best. */
void comb_sets_unite(comb_list *out, const comb_list *a, const comb_list *b);
/* The keys below `end` that are not in a. */
void comb_sets_complement(comb_list *out, const comb_list *a, size_t end);

/* Sorted by first key; intervals that touch become one. */
void comb_list_tidy(comb_list *l);

#endif
