/* Inside libattn: all rows of one or several layouts as combs, and two ways to push vectors through them.
 *
 * Combs of few teeth become intervals; those of many belong to one of a few families of equal step and width, for
 * which a running sum (or a running union) along the step makes each comb cost the same however many teeth. */
#ifndef PATTERNS_ANALYSIS_ROWS_H
#define PATTERNS_ANALYSIS_ROWS_H

#include "attn/analysis.h"

typedef struct comb32 { /* as attn_comb; ATTN_MAX_N fits */
    uint32_t begin, width, step, count;
} comb32;

typedef struct comb_family {
    uint32_t step, width;
    uint32_t most; /* teeth of a comb */
    uint64_t teeth;
} comb_family;

enum { ROWS_FAMILIES = 8 };

typedef struct rows {
    size_t n;
    bool causal;
    bool diagonal;      /* every row holds itself */
    uint64_t pairs;
    uint64_t *first;    /* [n + 1] into at */
    comb32 *at;         /* disjoint within a row; count 1, or of a family */
    comb_family families[ROWS_FAMILIES];
    size_t family_count;
    uint32_t longest;   /* interval, or width of a family */
    size_t bytes;
} rows;

/* The union of all heads of all the layouts, which have nq = nk = n. */
attn_status rows_create(rows *out, const attn_layout *const *layouts, size_t count, attn_error *err);
void rows_destroy(rows *r);

/* The family of a comb with count > 1. */
static inline size_t rows_family(const rows *r, const comb32 *c)
{
    size_t f = 0;
    while (r->families[f].step != c->step || r->families[f].width != c->width)
        f++;
    return f;
}

/* The combs of a layout's row, in a buffer that grows; false: out of memory. Free combs->at in the end. */
bool rows_fetch(const attn_layout *layout, size_t head, size_t r, attn_combs *combs);

/* ---- sums: patterns/analysis_linear.c ---- */

typedef struct linear {
    const rows *rows;
    double *running;                /* [n + 1] */
    double *along[ROWS_FAMILIES];   /* [n] each */
    double *block;
} linear;

attn_status linear_create(linear *out, const rows *r, attn_error *err);
void linear_destroy(linear *l);
void linear_gather(linear *l, const double *x, double *y);  /* y_i = sum of x_j over the keys j of row i */
void linear_scatter(linear *l, const double *x, double *y); /* y_j = sum of x_i over the rows i that hold j */

/* ---- unions of bits: patterns/analysis_lanes.c ---- */

/* Each position has `words` 64-bit words, one bit for each of words * 64 things that it may hold. */
enum { LANES_MOST_WORDS = 8 };

typedef struct lanes {
    size_t n;
    unsigned words;     /* 1, 2, 4 or 8 */
    size_t levels;      /* tables in the pool */
    uint64_t *pool;     /* [levels][n][words] */
} lanes;

size_t lanes_levels(const rows *r); /* tables that a hop through r needs */

/* y_i = union of x_j over the keys j of row i, and of x_i with `residual`, for i >= first; x is zero below `first`, and so
 * is y afterwards. x, y [n][words]. */
void lanes_hop(lanes *l, const rows *r, const uint64_t *x, uint64_t *y, size_t first, bool residual);

struct attn_analysis {
    size_t n, layers, distinct;
    bool causal;
    size_t *order;  /* [layers]: which of the distinct rows */
    rows *rows;     /* [distinct] */
    rows joined;    /* of all of them; unused when distinct is 1 */
};

static inline const rows *analysis_joined(const attn_analysis *a)
{
    return a->distinct == 1 ? &a->rows[0] : &a->joined;
}

#endif
