/* Inside harness/analyze*.c: numbers derived from a result, and the two ways to print. */
#ifndef HARNESS_ANALYZE_PARTS_H
#define HARNESS_ANALYZE_PARTS_H

#include "harness/analyze.h"

/* q, k, v, o and lse once each in fp32, over all layers: the least traffic, of dense attention too. */
double analyze_bytes_model(const analyze_result *r, const analyze_request *q);

/* Paths of `path_steps` steps for each pair that has one, without the residual; NaN unless reach was sought so far. */
double analyze_paths_per_pair(const analyze_result *r);

bool analyze_print_rows(FILE *out, emit_format format, const analyze_request *q, const analyze_result *results, size_t count);
bool analyze_print_table(FILE *out, emit_format format, const analyze_request *q, const analyze_result *results, size_t count);

#endif
