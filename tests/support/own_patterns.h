/* Patterns of the tests' own, for what the built-in families do not do: rows without row(), sets that depend
 * on the head, random masks, many short combs, teeth that follow the row, rows that are malformed. They are
 * not registered. */
#ifndef TESTS_SUPPORT_OWN_PATTERNS_H
#define TESTS_SUPPORT_OWN_PATTERNS_H

#include "attn/layout.h"

extern const attn_pattern *const own_patterns[];       /* well-formed; ends with NULL */
extern const attn_pattern *const malformed_patterns[]; /* row() is wrong in one way each; ends with NULL */

attn_layout *own_layout(const attn_pattern *pattern, size_t nq, size_t nk, size_t heads);
void own_layout_free(attn_layout *layout);

#endif
