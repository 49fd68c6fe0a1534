/* What a pattern can reach, how it is connected and how it tiles: a stack of layers as a graph.
 *
 * A layer is a layout with nq = nk = n; its edges lead from a query to the keys it sees, those of all its heads
 * together. Layer 1 is applied first: after layers 1 ... t query i holds key j when there are positions
 * i = x_t, x_(t-1), ..., x_0 = j such that x_s sees x_(s-1) in layer s. Layers repeat in turn. *With the residual*
 * every row of every layer also holds itself.
 *
 * Shares are of the pairs j <= i, or of all pairs when a layer is not causal. Nothing costs memory or time in
 * proportion to n^2 unless said; rows are kept as combs (16 bytes each, at most ATTN_ANALYSIS_BYTES together). */
#ifndef ATTN_ANALYSIS_H
#define ATTN_ANALYSIS_H

#include "attn/layout.h"

#ifdef __cplusplus
extern "C" {
#endif

#define ATTN_ANALYSIS_BYTES ((size_t)1 << 30) /* most that the combs of all rows may take */

typedef struct attn_analysis attn_analysis;

/* `layers` in the order in which they are applied; a layout may stand in it several times, and must outlive the
 * result. EINVAL: no layer, nq != nk, or layers of different n. EUNAVAILABLE: the rows need more than
 * ATTN_ANALYSIS_BYTES. ENOMEM. */
ATTN_API ATTN_MUST_CHECK attn_status attn_analysis_create(attn_analysis **out, const attn_layout *const *layers,
                                                          size_t count, attn_error *err);
ATTN_API void attn_analysis_destroy(attn_analysis *a);

/* Bytes that it holds. */
ATTN_API size_t attn_analysis_bytes(const attn_analysis *a);

/* ---- degrees: of single heads, not of their union ---- */

enum { ATTN_QUANTILES = 5 }; /* minimum, 10%, median, 90%, maximum: the least value that so many do not exceed */

typedef struct attn_degrees {
    double pairs;                     /* of a head and layer, on average */
    uint64_t rows, empty;             /* rows over all heads and layers, and those without a key */
    uint64_t unseen;                  /* columns over all heads and layers that no row sees */
    uint64_t row[ATTN_QUANTILES], column[ATTN_QUANTILES];
    double row_imbalance;             /* the longest row over the mean */
    double block_imbalance;           /* rows in 64 runs of equal length: the most pairs of a run over the mean */
} attn_degrees;

/* O(combs + n). ENOMEM. */
ATTN_API ATTN_MUST_CHECK attn_status attn_analysis_degrees(attn_degrees *out, const attn_layout *const *layers,
                                                           size_t count, attn_error *err);

/* ---- reachability ---- */

enum { ATTN_MAX_HOPS = 1 << 16, ATTN_LISTED_HOPS = 64, ATTN_DISTANCES = 26 };

typedef struct attn_reach_request {
    size_t hops;     /* listed one by one, at most ATTN_LISTED_HOPS */
    size_t steps;    /* p of the validity, in [1, max_hops] */
    size_t max_hops; /* where the search for full reach and path lengths gives up; at least hops and steps */
    size_t sample;   /* keys looked at where n exceeds exact_to; all when that is not fewer than n */
    size_t exact_to;
    uint64_t seed;
} attn_reach_request;

/* After t steps, [t - 1]. The interval covers 95% of samples; its ends are the value where nothing is sampled. */
typedef struct attn_reach_track {
    double share[ATTN_LISTED_HOPS], lo[ATTN_LISTED_HOPS], hi[ATTN_LISTED_HOPS];
    double field_mean[ATTN_LISTED_HOPS];                     /* keys held by a query */
    size_t field[ATTN_LISTED_HOPS][ATTN_QUANTILES];          /* over queries; zeros where keys are sampled */
    double by_distance[ATTN_LISTED_HOPS][ATTN_DISTANCES];    /* share of the pairs at this distance; NaN: no such pair */
    size_t full;         /* the first step after which all pairs are joined; 0: none up to the last looked at */
    size_t looked_at;    /* steps */
    bool settled;        /* more steps change nothing, or repeat what was seen */
    bool valid;          /* all pairs joined after exactly `steps` */
    size_t witness_i, witness_j; /* the first pair that is not, when not valid: the least i, then the least j */
} attn_reach_track;

typedef struct attn_reach {
    bool sampled;
    size_t keys;       /* columns looked at */
    size_t hops, steps;
    size_t distances;  /* classes used: 0, 1, 2..3, 4..7, ..., 2^(c-1) .. 2^c - 1 for class c */
    attn_reach_track plain, residual;
    double path_length; /* mean over reachable pairs i != j of the fewest steps, all layers joined into one; NaN: the
                           search gave up before all were found */
    size_t diameter;    /* the most of these; 0 with NaN */
    uint64_t reachable; /* such pairs; estimated from the sample */
    size_t bytes;       /* taken while it ran, besides the analysis */
} attn_reach;

/* Exact where all keys are looked at: bits of 512 keys at a time are pushed through the layers, so that a step costs
 * O(n^2 / 512 combs) of vector operations and memory O(n log n). Else a stratified sample of keys, exact in the queries.
 * EINVAL names a request out of range; ENOMEM. */
ATTN_API ATTN_MUST_CHECK attn_status attn_analysis_reach(attn_reach *out, const attn_analysis *a,
                                                         const attn_reach_request *request, attn_error *err);

/* ---- paths ---- */

typedef struct attn_paths {
    double total;        /* paths of exactly `steps` steps, without the residual; may exceed 2^53 and is then rounded */
    double bottleneck;   /* the largest share of them that a position between their ends carries at one step */
    size_t position;     /* which */
    size_t step;         /* and after which step, 1 ... steps - 1; 0: there is no position between */
    double carriers;     /* 1 / sum of the squared shares at that step: how many positions carry them, effectively */
} attn_paths;

/* O(steps (combs + n)) time, O(steps n) memory. */
ATTN_API ATTN_MUST_CHECK attn_status attn_analysis_paths(attn_paths *out, const attn_analysis *a, size_t steps,
                                                         attn_error *err);

/* ---- spectral gap ---- */

typedef struct attn_gap {
    double gap;         /* second-smallest eigenvalue of I - D^-1/2 S D^-1/2 */
    double residual;    /* norm of N x - (1 - gap) x for the unit vector found: an eigenvalue lies within it */
    size_t products;    /* matrix-vector products spent */
    bool settled;       /* the residual is below 1e-3 of the gap, or 1e-9; else the gap is an upper bound */
} attn_gap;

/* S joins A, its transpose and the identity, 0 or 1; A joins all layers. Thick-restart Lanczos from a fixed start,
 * orthogonal to the known first eigenvector. Memory: at most 256 MiB of vectors. EUNAVAILABLE: a bidirectional pattern that
 * is not symmetric, with n above ATTN_GAP_ASYMMETRIC. */
enum { ATTN_GAP_ASYMMETRIC = 16384 };
ATTN_API ATTN_MUST_CHECK attn_status attn_analysis_gap(attn_gap *out, const attn_analysis *a, size_t max_products,
                                                       attn_error *err);

/* ---- tiles ---- */

typedef struct attn_tiles {
    size_t block;
    uint64_t full, partial, empty; /* tiles that could hold a pair: all, some or none of their pairs allowed */
    uint64_t pairs;
    double utilisation;            /* pairs over what full and partial tiles hold, block^2 each; NaN: no such tile */
} attn_tiles;

/* Tiles of block x block of one head, in natural order (class_step 0), or with the planner's permutation: combs of
 * width 1 and step class_step whose phase follows the row are tiled by residue class, the rest in natural
 * order, and counts add. O(combs + n + tiles touched). ENOMEM. */
ATTN_API ATTN_MUST_CHECK attn_status attn_tiles_count(attn_tiles *out, const attn_layout *layout, size_t head, size_t block,
                                                      size_t class_step, attn_error *err);

#ifdef __cplusplus
}
#endif
#endif
