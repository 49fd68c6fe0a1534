/* What computing a tile program takes, as counts of a few kinds of work, and what each kind costs a kernel.
 *
 * The model is linear: cycles = sum of count * rate. The counts follow from the program and the dimension; the
 * rates, in cycles, belong to a kernel and are fitted to measured times (`attnlab calibrate`). It knows no
 * cache sizes but through the kind that reads memory, so it ranks lowerings of one problem better than it
 * tells times. */
#ifndef KERNELS_WORK_H
#define KERNELS_WORK_H

#include "attn/plan.h"
#include "kernels/program.h"

typedef enum work_kind {
    WORK_FMA_1,    /* multiply-adds of vectors, scores and values, in granules that touch 1 vector, */
    WORK_FMA_2,    /* 2 vectors, */
    WORK_FMA_MORE, /* or more */
    WORK_WEIGHT,   /* vectors of weights: exp2, sum, store */
    WORK_MASK,     /* of these, masked ones */
    WORK_GRANULE,  /* granules */
    WORK_GATHER,   /* floats of k and v copied or widened into panels */
    WORK_STREAM,   /* floats of k and v that a group of tiles brings near */
    WORK_ROW,      /* floats of q and o transposed */
    WORK_FAR,      /* rows of q and o that lie apart */
    WORK_CARRY,    /* floats of o carried from an earlier part */
    WORK_TILE,     /* tiles */
    WORK_KINDS
} work_kind;

extern const char *const work_names[WORK_KINDS];

typedef struct work {
    double count[WORK_KINDS];
} work;

typedef struct rates {
    float cycles[WORK_KINDS]; /* all 0: not known */
} rates;

extern const rates work_average; /* of a kernel of average parts */

/* Which keys a kernel copies before it computes with them. */
typedef enum gathering {
    GATHERS_APART, /* those that are not contiguous */
    GATHERS_ALL,
    GATHERS_NEW    /* all, but finds again what the tile before has had, if that is not too much */
} gathering;

/* Adds the work of tiles that run in lockstep. */
void work_add_group(work *w, const program *p, const tile *first, uint32_t tiles, size_t dim, gathering how);

/* Adds the work of one part of a program, in groups of at most `group` tiles. */
void work_add_part(work *w, const program *p, uint32_t part, uint32_t group, size_t dim, gathering how);

void work_add(work *w, const work *more, double times);

/* With rates that are not known, those of a kernel of average parts. */
double work_cycles(const work *w, const rates *r);

/* Least cycles of one allowed pair: every lane used, nothing but multiply-adds and weights. */
double work_least_cycles(geometry g, const rates *r, size_t dim);

/* Whether tiles begin with the same keys, so that they are worth running in lockstep. */
bool tiles_share_keys(const program *p, const tile *a, const tile *b);

#endif
