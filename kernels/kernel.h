/* What a kernel is to the planner: one const descriptor, like a pattern's.
 *
 * To add one: a file that exports a descriptor, and a line in kernels.inc. A kernel this compiler or
 * architecture cannot build is registered all the same, with the reason in `unbuilt`.
 *
 * The planner lowers the layout to the kernel's geometry, groups tiles and schedules the work; the kernel
 * computes one item at a time from one thread, in its own scratch memory. It never fails, allocates or locks. */
#ifndef KERNELS_KERNEL_H
#define KERNELS_KERNEL_H

#include <stdatomic.h>

#include "attn/plan.h"
#include "base/arena.h"
#include "kernels/program.h"
#include "kernels/work.h"

/* Of q, k, v and o of all heads: what is written then does not stay in the caches of one core, nor of a share of those that
 * cores have in common. */
#define LARGE_BYTES ((size_t)64 << 20)

/* What all heads of a plan have in common. */
typedef struct shape {
    const attn_layout *layout;
    size_t nq, nk, dim;
    attn_dtype dtype;
    float scale;
    size_t max_combs;    /* longest row of the layout */
    uint32_t group;      /* most tiles in a group */
    bool large;          /* the tensors of all heads are more than caches keep: see LARGE_BYTES */
} shape;

/* One query head of one batch entry. */
typedef struct operands {
    const void *q, *k, *v;  /* q [nq][dim], k, v [nk][dim], of the shape's dtype */
    void *o;                /* [nq][dim] */
    float *lse;             /* [nq] or NULL */
    size_t layout_head;
    uint64_t keys_id;       /* of k and v: another one in every run; not 0 */
    atomic_ullong *facts;   /* what is known of k and v: see facts.h */
    /* What rows in several parts carry from one to the next; NULL where no row does. */
    float *reference, *sum; /* [nq]; reference in units of log2 */
    float *partial;         /* [nq][dim] float, unnormalised; o itself for f32 */
} operands;

/* Tiles that share keys and so run in lockstep, chunk of keys by chunk, or units of a kernel's own. */
typedef struct group {
    uint32_t first_tile, tiles;
} group;

/* What a run did. The first three equal the plan's prediction, whatever the data. */
typedef struct tally {
    uint64_t tiles, granules; /* computed */
    uint64_t lanes;           /* lane-keys computed */
    uint64_t redone;          /* chunks computed again with another reference, */
    uint64_t redone_granules; /* and what they hold */
    uint64_t careful;         /* tiles taken in with care: see facts.h and forward_care.h */
    uint64_t repeated;        /* tiles computed again because of their result */
    uint64_t exact_rows;      /* rows recomputed in fp64 */
} tally;

typedef struct kernel {
    const char *name, *isa, *summary;
    uint32_t dtypes;      /* bit per attn_dtype */
    uint32_t weight_bits; /* significant bits of the weights exp(score) when they meet v; 0: as in fp32 */
    uint32_t cpu;         /* features needed, of base/cpu.h */
    const char *unbuilt;  /* why this build has only the name, or NULL */
    bool by_name_only;    /* never the planner's own choice, */
    uint32_t worth_on;    /* or only with these features, since others make it slower than a kernel further down */
    geometry geometry;    /* lanes 0: works on rows, without a program */
    uint32_t max_group;   /* most tiles worth running in lockstep */
    bool packs;           /* every key is packed, into panels that are found again */
    rates rates;          /* what its work costs, where that was measured or reckoned */
    /* Lays out the scratch memory of one thread; its address is the value returned. */
    void *(*scratch)(arena *a, const shape *s);
    /* Computes neighbouring groups of one part; `last` when rows are finished in this part. Without a
     * program, the groups hold rows. */
    void (*run)(const shape *s, const operands *x, const program *p, const group *groups, uint32_t count,
                bool last, void *scratch, tally *tally);
} kernel;

static inline gathering kernel_gathers(const kernel *k, attn_dtype dtype)
{
    return k->packs ? GATHERS_NEW : dtype == ATTN_F32 ? GATHERS_APART : GATHERS_ALL;
}

extern const kernel *const kernels[]; /* from kernels.inc, best first; ends with NULL */

/* Why `k` cannot run here (a static text), or NULL when it can. EINVAL when ATTN_DISABLE_CPU is malformed. */
attn_status kernel_unavailable(const kernel *k, const char **out, attn_error *err);

/* Why the planner does not consider a kernel that can run here (a static text), or NULL. Errors likewise. */
attn_status kernel_passed_over(const kernel *k, const char **out, attn_error *err);

#endif
