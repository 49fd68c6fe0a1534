/* Inside harness/analyze_*.c: the nested parts of a row, as JSON on one line. malloc'ed; NULL: out of memory. */
#ifndef HARNESS_ANALYZE_JSON_H
#define HARNESS_ANALYZE_JSON_H

#include "harness/analyze.h"

char *json_shares(const double *share, size_t hops);                          /* [0.5, 1] */
char *json_intervals(const attn_reach_track *t, size_t hops);                 /* [[lo, hi], ...] */
char *json_fields(const attn_reach_track *t, size_t hops, bool quantiles);    /* [{"mean": ...}, ...] */
char *json_distances(const attn_reach *r, const attn_reach_track *t);         /* [[share at distance 0, 1, 2-3, ...], ...] */
char *json_pair(size_t i, size_t j);
char *json_tiles(const analyze_result *r, const analyze_request *q);
char *json_heads(const analyze_data *d);
char *json_data_distances(const analyze_data *d);

/* "0", "1", "2..3", "4..7": distance class c of n positions. */
void distance_text(char *out, size_t size, size_t c, size_t n);

#endif
