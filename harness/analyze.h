/* attnlab analyze: what is found out about one pattern, or about one stack of layers. */
#ifndef HARNESS_ANALYZE_H
#define HARNESS_ANALYZE_H

#include "attn/analysis.h"
#include "attn/plan.h"
#include "harness/emit.h"
#include "harness/fit.h"

/* Sections of an analysis, in the order of --sections. */
enum { ANALYZE_PAIRS, ANALYZE_REACH, ANALYZE_GRAPH, ANALYZE_TILES, ANALYZE_TIME, ANALYZE_SECTIONS };
extern const char *const analyze_sections[ANALYZE_SECTIONS];

enum { ANALYZE_BLOCKS = 16, ANALYZE_REASON = 200 };

typedef struct analyze_request {
    bool wanted[ANALYZE_SECTIONS];
    size_t n, heads, kv_heads, dim;
    attn_reach_request reach;  /* steps 0: as many as there are layers, and 2 for one */
    size_t products;           /* of the spectral gap, at most */
    const size_t *blocks;
    size_t block_count;
    const char *input;         /* NULL: no data */
    uint64_t seed;
    size_t rows;               /* of data, looked at; 0: what fits the time */
} analyze_request;

typedef struct analyze_tiles { /* over all layers and their distinct heads */
    attn_tiles natural, planned;
    double bytes;              /* moved with natural tiles: K and V of each tile that holds a pair, q and o once */
    double bytes_dense;        /* the same for all tiles that could */
} analyze_tiles;

/* Attention over given q, k, v against dense attention of the same causality. */
typedef struct analyze_data {
    size_t rows;               /* looked at, over all heads */
    size_t empty;              /* of these, without a key */
    double mass, mass_min, mass_q01, rel_err, kl, entropy, entropy_dense; /* nats; as in docs/MEASUREMENT.md */
    size_t heads, distances;
    double *head_mass, *head_rel_err, *head_kl, *head_entropy, *head_entropy_dense; /* [heads]; NaN: not looked at */
    double mass_dense_at[ATTN_DISTANCES]; /* share of the dense softmax at this distance */
    double mass_kept_at[ATTN_DISTANCES];  /* share of that which falls on allowed keys; NaN: there is none */
} analyze_data;

typedef struct analyze_result {
    char *spec, *resolved;     /* of a stack: layers(A, B) */
    size_t layers;
    bool causal;
    attn_degrees degrees;
    double pairs_total;        /* over heads and layers */
    double universe;           /* pairs that there could be in a head */
    fit_growth growth;
    double slope;              /* d ln pairs / d ln n over the last octave; NaN for n = 1 */
    attn_reach reach;
    size_t path_steps;
    attn_paths paths;
    attn_gap gap;
    char no_gap[ANALYZE_REASON];
    analyze_tiles tiles[ANALYZE_BLOCKS];
    size_t class_step;         /* of the planner's permutation; 0: natural order; that of the first layer that has one */
    double predicted_ns, utilisation; /* of the plans, all layers */
    char kernel[32], lowering[24];
    char no_plan[ANALYZE_REASON];
    analyze_data data;
    size_t bytes;              /* held at most by the analysis */
} analyze_result;

typedef struct analyze_subject {
    char *spec, *resolved;
    const attn_layout **layers; /* [count] */
    size_t count;
    attn_layout **owned;        /* [owned_count], those that layers points to */
    size_t owned_count;
    char **texts;               /* [count]: canonical, of each layer */
} analyze_subject;

/* One spec, or several as the layers of a stack. EINVAL as attn_spec_parse() and attn_layout_create(). */
attn_status analyze_subject_create(analyze_subject *out, const char *const *specs, size_t count, size_t n, size_t heads,
                                   attn_error *err);
void analyze_subject_destroy(analyze_subject *s);

/* Where a search for full reach gives up by default. */
size_t analyze_default_hops(size_t n, size_t exact_to, size_t sample);

/* Everything asked for. ENOMEM, EUNAVAILABLE (rows too long to keep), EINVAL (input). */
attn_status analyze(analyze_result *out, const analyze_subject *s, const analyze_request *q, attn_error *err);
void analyze_result_destroy(analyze_result *r);

/* The data section: harness/analyze_data.c. */
attn_status analyze_on_data(analyze_data *out, const analyze_subject *s, const analyze_request *q, attn_error *err);

/* As rows, one for each result, or (table and md) as properties by results. False: the stream failed or out of memory. */
bool analyze_print(FILE *out, emit_format format, const analyze_request *q, const analyze_result *results, size_t count);

#endif
