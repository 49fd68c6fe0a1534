/* Rows put together from pieces that may overlap. Inside libattn: what patterns with several rules share.
 *
 *   pieces p;
 *   pieces_begin(&p, a, i);
 *   pieces_add(&p, ...);  pieces_window(&p, i, k);  ...
 *   pieces_emit(&p, a, head, i, allows, out);
 */
#ifndef PATTERNS_PIECES_H
#define PATTERNS_PIECES_H

#include "patterns/comb_sets.h"

typedef struct pieces {
    comb_list all; /* below the end */
    size_t end; /* keys of the row are below: i + 1 when causal, else nk */
} pieces;

void pieces_begin(pieces *p, const attn_pattern_args *a, size_t i);
/* Keys begin + s*step + t for s < count, t < width, as far as they are below the end. */
void pieces_add(pieces *p, size_t begin, size_t width, size_t step, size_t count);
/* |i - j| <= k. */
void pieces_window(pieces *p, size_t i, size_t k);
/* |i - j| = 0, step, ... k*step. */
void pieces_teeth(pieces *p, size_t i, size_t step, size_t k);
/* Gives the row and forgets it. Where memory ran out, from `allows`. */
void pieces_emit(pieces *p, const attn_pattern_args *a, size_t head, size_t i,
                 bool (*allows)(const attn_pattern_args *, size_t, size_t, size_t), attn_combs *out);

/* 64 bits from three, for patterns that draw keys. Source: [steele2014]. */
uint64_t pieces_hash(uint64_t seed, uint64_t a, uint64_t b);

#endif
