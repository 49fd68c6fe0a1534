/* Whether a pattern's shortcuts say what its allows() says. */
#ifndef PATTERNS_CONFORMANCE_H
#define PATTERNS_CONFORMANCE_H

#include <stddef.h>
#include <stdint.h>

#include "attn/pattern.h"

/* Compares row(), pairs() and causality with allows() on layouts of every n up to 64 and some larger, nq !=
 * nk, several heads, causal and bidirectional; with defaults, the ends of every parameter's range, every
 * word, expressions, and values drawn from `seed`. Combinations that the pattern refuses are passed over, but
 * not all may be. Sets *cases to the number of layouts compared.
 *
 * EINVAL: the first disagreement, with spec, sizes, head, row and key; ENOMEM. The pattern need not be
 * registered, but must be well-formed as attn_plugin_load() demands. Takes a second or so. */
attn_status pattern_conform(const attn_pattern *pattern, uint64_t seed, size_t *cases, attn_error *err);

/* The same for one spec, composed ones included, over all sizes. */
attn_status spec_conform(const char *text, size_t *cases, attn_error *err);

#endif
