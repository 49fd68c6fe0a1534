/* Inside libattn: what a plan consists of.
 *
 * Work is cut into *items* of neighbouring groups of tiles, per distinct layout head and part, the same items
 * for every query head that uses it. A *stage* is one part of one query head of one batch entry; stages are
 * ordered so that part p of head g comes after part p-1 of head g+1, and threads take items in that order
 * from one counter. An item whose rows continue from an earlier part waits for that stage, which by then has
 * been handed out entirely: usually it is long finished, and no order of threads can deadlock.
 *
 * Which thread computes an item changes nothing in it, and how items are cut changes nothing in a tile:
 * results do not depend on the number of threads. */
#ifndef KERNELS_PLAN_PARTS_H
#define KERNELS_PLAN_PARTS_H

#include <stdatomic.h>

#include "kernels/choice.h"
#include "kernels/kernel.h"
#include "kernels/shares.h"

typedef struct item {
    double cycles; /* predicted */
    uint32_t first_group, groups;
} item;

/* The items of one part of one program, most expensive first. */
typedef struct item_range {
    uint32_t first, count;
} item_range;

/* A distinct layout head, ready to run. */
typedef struct lowered {
    program program;          /* without tiles for a kernel that works on rows */
    item_range parts[MAX_PARTS];
    work work[MAX_PARTS];     /* of each part */
    uint32_t part_count;
    uint64_t pairs;
} lowered;

/* A candidate that planning by measurement has run, or meant to. */
typedef struct tried {
    const kernel *kernel;
    char lowering[CHOICE_LENGTH];
    double cycles, ns; /* predicted; measured, 0: there was no time for it */
} tried;

enum { MAX_TRIED = 32 };

typedef struct injection injection;

struct attn_plan {
    const kernel *kernel;
    shape shape;
    size_t batch, heads, kv_heads;
    int threads;
    choice choice;            /* as asked for until planned, then as resolved */
    char lowering[CHOICE_LENGTH];
    attn_cost cost;
    double cycles;            /* of a run, predicted, over all threads */

    uint64_t runs;            /* so far */
    lowered *lowered;         /* [distinct] */
    size_t distinct;
    group *groups;
    item *items;

    uint32_t parts;           /* most of any head */
    size_t stages;
    uint64_t *first_item;     /* [stages + 1]: of each stage, counted over the whole run */
    atomic_uint *done;        /* [stages]: items finished */
    atomic_ullong next;       /* item to hand out */

    uint32_t shares;          /* of the keys of every tile; more than 1 only where `parts` is 1: see shares.h */
    size_t slots;             /* heads that may be between two of their parts, or shares, at a time */
    atomic_ullong *facts;     /* [batch][kv_heads] */
    float *reference, *sum;   /* [slots][shares][nq] */
    float *partial;           /* [slots][shares][nq][dim], not for f32 in parts: there o itself serves */
    joiner *joiners;          /* [threads], where there are shares */
    void **scratch;           /* [threads] */
    tally *tallies;           /* [threads] */
    tally total;              /* of the last run */
    struct { size_t program, schedule, carried, scratch; } bytes; /* of `memory`, by purpose */
    const char *chosen_by;    /* "estimate", "wisdom", "measurement", "request" */
    double measured_ns;       /* of a run, when it was chosen or when the wisdom was learned; 0: never */
    tried tried[MAX_TRIED];   /* in order of predicted cost */
    size_t tried_count;
    injection *injection;     /* NULL: nothing is repeated */
    uint64_t runs_before_injection;
    arena memory;             /* all of the above from `lowered` to `tallies`, and the programs' arrays */
};

/* As attn_plan_create(), for a given kernel, whether this CPU is said to have it or not. Tests run emulated
 * kernels with it. */
attn_status plan_create_for(attn_plan **out, const attn_problem *problem, const kernel *k, attn_error *err);

/* The same for a given lowering too. */
attn_status plan_create_as(attn_plan **out, const attn_problem *problem, const kernel *k, choice c, attn_error *err);

/* The kernels a problem may be computed with, in order of preference, at most `capacity`: one when it names it. */
attn_status plan_kernels(const kernel **out, size_t capacity, size_t *count, const attn_problem *problem,
                         attn_error *err);

/* Runs candidates of the kernels listed and takes the fastest. EINVAL, ENOMEM. */
attn_status plan_measure(attn_plan **out, const attn_problem *problem, const kernel *const *list, size_t count,
                         attn_error *err);

/* Whether kernel `k` could be so much cheaper than `plan` that its own plan is worth making, and whether
 * `other` is: by a fifth, so that kernels keep their order where the model cannot tell. */
bool plan_may_lose_to(const attn_plan *plan, const kernel *k);
bool plan_loses_to(const attn_plan *plan, const attn_plan *other);

/* Whether one measured time makes a plan worth taking instead of another; what is predicted to be best, the `first`, keeps its place
 * in doubt. */
bool plan_measured_better(double ns, double than, bool first);

/* EINVAL: sizes, names or numbers of a problem that cannot be. */
attn_status plan_check_problem(const attn_problem *p, attn_error *err);

/* The threads a plan of this problem has. */
int plan_threads(const attn_problem *p);

/* Query heads over all batch entries that use distinct head h. */
static inline uint64_t plan_uses(const attn_plan *plan, size_t h)
{
    return plan->batch * (plan->heads / plan->distinct + (h < plan->heads % plan->distinct));
}

/* Computes `count` groups of one item of part `part` for head `of`, with `thread`'s scratch memory. */
void plan_run_groups(const attn_plan *plan, const lowered *l, size_t part, const operands *of, const group *groups,
                     uint32_t count, size_t thread, tally *done);

/* Cuts the work of a plan whose programs are lowered (in `ready`) and lays out its memory. */
attn_status plan_lay_out(attn_plan *plan, const lowered *ready, attn_error *err);

/* What the last run did. */
const tally *plan_tally(const attn_plan *plan);

/* Predicted cycles of `tiles` tiles in lockstep from the `first` on, or of as many rows for a kernel
 * that works on rows. */
double plan_group_cycles(const attn_plan *plan, const program *p, size_t first, uint32_t tiles);

/* Behind an item of a plan that has an injection: repeats tiles of it (kernels/plan_inject.c). */
void plan_repeat_some(attn_plan *plan, size_t thread, size_t head, const item *it, size_t part, const operands *of);

/* Of a plan that may have none. */
void plan_end_injection(attn_plan *plan);

/* What of the last run differs from the plan's prediction ("tiles", "granules", "lanes"), or NULL: nothing does.
 * Debug builds assert it after every run. */
const char *plan_miscount(const attn_plan *plan);

#endif
