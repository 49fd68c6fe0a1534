/* What several hops reach, row by row, for masks too large for a bit for each pair. See paths.c. */
#ifndef EXPLORER_PATHS_H
#define EXPLORER_PATHS_H

#include "attn/layout.h"

enum { PATHS_MOST = 1 << 18, PATHS_SAMPLED = 4 };

typedef struct paths paths;

/* Exactly `steps` hops through a layout, all heads together; it is the caller's and must outlive *out. EUNAVAILABLE: rows can only be had by
 * testing pairs. */
attn_status paths_open(paths **out, attn_layout *layout, size_t steps, size_t n, attn_error *err);
void paths_close(paths *p);

/* Whether `steps` hops lead from query i to key j; *known is false where the row costs more than PATHS_MOST. */
bool paths_join(paths *p, size_t i, size_t j, bool *known);

/* As explore_cells(): shares of reached pairs in rows x columns cells, from at most PATHS_SAMPLED rows of a cell; below 0 outside, and for rows that
 * cost more than PATHS_MOST, counted in *unknown. Returns the work. */
uint64_t paths_cells(paths *p, size_t row, size_t key, size_t cell, size_t rows, size_t columns, float *out, size_t *unknown);

#endif
