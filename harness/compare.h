/* Comparing two arms: pairs of measurements of the same cell, block by block, and what they say.
 *
 * An *arm* is a set of runs in the store: those with a label, of a commit, or one by its id. The k-th measurement of a
 * cell in A and the k-th in B, in order of time, are block k. A process tells the lower quartile of its runs (stats_of_process()). Runs made in turn (`attnlab compare --kernel ...`,
 * `attnlab run --processes`) are what that is meant for. */
#ifndef HARNESS_COMPARE_H
#define HARNESS_COMPARE_H

#include "harness/store.h"
#include "harness/verdict.h"

/* What holds where nothing else is asked for. */
#define COMPARE_THRESHOLD 0.01
#define COMPARE_COUNT_THRESHOLD 0.0025
#define COMPARE_CONFIDENCE 0.95

typedef struct compare_request {
    const char *a, *b;      /* labels, run ids, or at least 7 digits of commits; equal texts are the same arm. NULL: all runs */
    const char *kernel_a, *kernel_b; /* of these, only measurements by the kernel; NULL: by any */
    const char *label, *run_id;      /* only runs with this label, whose id begins so; NULL: any */
    double threshold;       /* 0.01: one per cent */
    double count_threshold; /* the same for instructions */
    double confidence;
    bool anyway;            /* arms of different hosts, compilers or inputs as well */
    bool keep_noisy;        /* disturbed blocks as well */
} compare_request;

/* One cell in both arms. */
typedef struct comparison {
    char *spec_a, *spec_b;  /* differ where each arm has one pattern of its own */
    char *kernel_a, *kernel_b, *dtype, *direction, *input;
    int64_t n, heads, kv_heads, dim, batch, threads, seed;
    double *log_ratios;     /* of the blocks that count, in order */
    bool counts;            /* of instructions, where the arms were measured in that lane; else times */
    bool injected;          /* an arm repeated a share of its work */
    double cost_a, cost_b;  /* medians over these blocks of what processes tell (stats_of_process()), ns or instructions */
    size_t dropped;         /* blocks that were disturbed */
    verdict verdict;
    bool adjusted;          /* whether the sign test holds in the family (Benjamini-Hochberg, 5%) */
    const char *why;        /* incomparable: a static text */
    char detail[200];       /* and of what */
} comparison;

typedef struct comparisons {
    comparison *at;
    size_t count;
    size_t only_a, only_b;  /* cells that the other arm lacks */
} comparisons;

/* EINVAL: an arm that names nothing in the store; no common cell. */
attn_status compare_read(comparisons *out, store *s, const compare_request *r, attn_error *err);
void compare_free(comparisons *c);

/* Leaves out the blocks in which the multiply-adds beside either arm fell below 85% of that arm's median (GFLOP/s; NaN: not
 * told), unless those are more than half. The array closes up; returns how many went. */
size_t compare_drop_disturbed(double *log_ratios, const double *peaks_a, const double *peaks_b, size_t *count);

#endif
