/* Measuring arms in turn: block after block, each arm's cell in a fresh process close to the other arms'.
 *
 * In each block cells come in random order, and the arms of each cell in the order of a Williams design (harness/orders.h), so
 * that neither drift nor what the process before left behind favours one. Each measurement keeps both: series "block" and "place"
 * within it, from 0. Numbers of runs are fixed per cell before the first block and the same for all arms, inputs too. Each
 * arm of each block is a run in the store of its own, labelled with the arm's label: compare_read() pairs them. In the lane callgrind
 * a process counts one run, and nothing is to be found out before. */
#ifndef HARNESS_BLOCKS_H
#define HARNESS_BLOCKS_H

#include "harness/run.h"

enum { BLOCKS_MOST_ARMS = 8 };

typedef struct blocks_request {
    run_request base;        /* axes and the rest that all arms share; seconds: for a process, about */
    size_t arms;
    const char *specs[BLOCKS_MOST_ARMS];   /* of each arm; NULL: those of base */
    const char *kernels[BLOCKS_MOST_ARMS]; /* of each arm */
    const char *labels[BLOCKS_MOST_ARMS];
    double inject[BLOCKS_MOST_ARMS];       /* of each arm: the share of its work that is repeated; 0: none */
    size_t blocks;
    uint64_t seed;           /* of the orders */
    void (*failed)(const char *cell, const char *why); /* an external kernel's cell was given up */
} blocks_request;

/* Everything is checked before anything is measured. EINVAL: a cell that cannot be; EIO with run_signals_look(): interrupted;
 * finished measurements stay in the store. An external kernel that fails costs its cell: it is stored as failed, told through
 * `failed`, and not tried again; *lost is the status of the first, wrong numbers before others, else ATTN_OK. */
attn_status blocks_measure(const blocks_request *r, store *s, progress *bar, attn_status *lost, attn_error *err);

#endif
