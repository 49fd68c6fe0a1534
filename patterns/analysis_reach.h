/* Inside patterns/analysis_reach*.c: what a strip of keys is, and what is counted of it. */
#ifndef PATTERNS_ANALYSIS_REACH_H
#define PATTERNS_ANALYSIS_REACH_H

#include "patterns/analysis_rows.h"

/* Without and with the residual, and with it all layers joined into one (whose steps are lengths of paths). A track that
 * would be the same as another is not walked. */
enum { REACH_PLAIN, REACH_RESIDUAL, REACH_PATHS, REACH_TRACKS };

typedef struct reach_track {
    uint64_t *joined;          /* [max_hops]: pairs joined after t + 1 steps */
    uint64_t (*near)[ATTN_DISTANCES]; /* [hops]: of these, by distance */
    uint32_t *field;           /* [hops][n]: keys held by a query, where all keys are looked at */
    uint32_t *reached;         /* [hops][keys]: queries that hold a key, where keys are sampled */
    size_t strips_settled;
    size_t witness_i, witness_j; /* SIZE_MAX: none */
} reach_track;

typedef struct reach_tally {
    uint64_t possible;         /* pairs that there could be */
    uint64_t near[ATTN_DISTANCES];
    reach_track track[REACH_TRACKS];
} reach_tally;

typedef struct reach_job {
    const attn_analysis *a;
    size_t hops, steps, max_hops, levels;
    size_t keys;
    uint32_t *key;             /* [keys], ascending */
    bool exact, wanted[REACH_TRACKS];
    size_t strips;
    reach_tally sum;
} reach_job;

typedef struct strip {
    const reach_job *job;
    const uint32_t *key;       /* [count] of the job's */
    size_t count, words;
    size_t first;              /* the first query that can hold any of them */
    lanes lanes;
    uint64_t *state[2], *past; /* [n][words] each */
    uint64_t *joined;          /* [max_hops]: of the track being walked */
    reach_tally *tally;
} strip;

bool reach_tally_open(reach_tally *t, const reach_job *job);
void reach_tally_close(reach_tally *t);
void reach_tally_add(reach_tally *to, const reach_tally *from, const reach_job *job);
size_t reach_tally_bytes(const reach_job *job);

void reach_possible(strip *s);                              /* counts the pairs there could be */
void reach_count(strip *s, reach_track *track, size_t t);   /* state[0] is that after t steps */
void reach_repeat(strip *s, reach_track *track, size_t t, size_t period); /* after t steps as after t - period: the same
                                                                             counts again, until the end */
void reach_conclude(attn_reach *out, const reach_job *job);

#endif
