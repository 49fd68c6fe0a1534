/* Why a plan is as it is: its parts and tiles, what it costs and where, and what else could have been done.
 *
 * Predicted times come from a linear model of each kernel (counts of work times measured rates) and from how
 * fast the clock runs just now. The model chooses between plans; as a clock it is good to some tens of percent. */
#ifndef ATTN_EXPLAIN_H
#define ATTN_EXPLAIN_H

#include "attn/plan.h"

#ifdef __cplusplus
extern "C" {
#endif

/* One part of one distinct layout head. Counts are of one query head. */
typedef struct attn_part_info {
    size_t head;              /* layout head */
    char way[96];             /* "residue classes mod 128: intervals", "natural order: intervals, gathered columns" */
    size_t row_step;          /* between the rows of a tile */
    uint64_t tiles, groups, items;
    uint64_t granules, masked_granules;
    uint64_t lanes_useful;    /* allowed pairs */
    uint64_t lanes_executed;  /* lane-keys: pairs computed, padding and masked ones included */
    uint64_t keys_gathered;   /* copied or widened into panels, once for each group */
    uint64_t rows_carried;    /* continued from an earlier part */
    double predicted_ns;      /* of all heads and batch entries that use it, on all threads */
} attn_part_info;

/* A plan that was considered, or a kernel that was not. */
typedef struct attn_candidate_info {
    const char *kernel;
    char lowering[24];        /* "" where no plan was made */
    bool chosen;
    double predicted_ns;      /* 0: not predicted */
    double measured_ns;       /* 0: not measured */
    char why[160];            /* why it was not chosen, or was */
} attn_candidate_info;

typedef struct attn_explanation {
    const char *kernel, *isa;
    char lowering[24];
    const char *chosen_by;    /* as attn_plan_chosen_by() */
    int threads;
    uint32_t tile_rows, granule_keys, lanes, group; /* rows of a tile at most, keys of a granule, rows of a
                                                       vector, most tiles in lockstep; 0 for a kernel of rows */
    attn_cost cost;
    size_t program_bytes, schedule_bytes, carried_bytes, scratch_bytes; /* of cost.workspace_bytes */
    double items_per_thread;
    double imbalance;         /* predicted time over that of an even split without waiting; at least 1 */
    double predicted_ns;      /* of a run */
    double measured_ns;       /* when it was chosen; 0: never */
    attn_part_info *parts;
    size_t part_count;
    attn_candidate_info *candidates; /* the chosen one first */
    size_t candidate_count;
} attn_explanation;

/* Plans `problem` as attn_plan_create() does, and what could have been instead. Fails as that does. */
ATTN_API ATTN_MUST_CHECK attn_status attn_plan_explain(attn_explanation **out, const attn_problem *problem,
                                                       attn_error *err);
/* The same without what could have been: of the candidates only those that planning itself looked at. No other plan is made. */
ATTN_API ATTN_MUST_CHECK attn_status attn_plan_predict(attn_explanation **out, const attn_problem *problem,
                                                       attn_error *err);
ATTN_API void attn_explanation_destroy(attn_explanation *e);

#ifdef __cplusplus
}
#endif
#endif
