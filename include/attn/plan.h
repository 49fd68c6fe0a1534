/* Plans: attention over a layout, prepared once and run many times.
 *
 *   o_i = sum_j softmax_j(scale * q_i . k_j) v_j   over the keys j that the layout allows to row i
 *
 * Planning may fail; running may not: attn_plan_create() checks every argument and allocates everything,
 * attn_plan_run() is void. A plan serves one caller at a time; several plans may run at once. */
#ifndef ATTN_PLAN_H
#define ATTN_PLAN_H

#include "attn/layout.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum attn_dtype { ATTN_F32, ATTN_BF16, ATTN_F16 } attn_dtype;

ATTN_API const char *attn_dtype_name(attn_dtype dtype);  /* "f32", "bf16", "f16" */
ATTN_API size_t attn_dtype_size(attn_dtype dtype);       /* bytes */
ATTN_API bool attn_dtype_parse(const char *text, attn_dtype *out);

enum { ATTN_MIN_DIM = 1, ATTN_MAX_DIM = 256 };

/* How the planner chooses among ways to lower a layout to tiles. */
typedef enum attn_plan_mode {
    ATTN_PLAN_ESTIMATE, /* by a model of their cost, or by wisdom (attn/wisdom.h) where there is some */
    ATTN_PLAN_MEASURE   /* by running them, on data made up for it: planning then takes seconds and the memory
                           of the tensors; what comes out becomes wisdom, which later plans use */
} attn_plan_mode;

typedef struct attn_problem {
    const attn_layout *layout; /* gives nq, nk, query heads; must outlive the plan */
    size_t batch;
    size_t kv_heads; /* query head g reads kv head floor(g * kv_heads / heads); divides heads; 0: heads */
    size_t dim;      /* d, in [ATTN_MIN_DIM, ATTN_MAX_DIM] */
    attn_dtype dtype;    /* storage of q, k, v, o; sums are fp32 */
    float scale;         /* 0: 1/sqrt(dim) */
    int threads;         /* 0: all this process may use */
    const char *kernel;  /* NULL or "auto": the planner's choice; a name is never replaced silently */
    attn_plan_mode plan;
    const char *lowering; /* NULL: the planner's choice; else a name as attn_plan_lowering() gives it */
} attn_problem;

/* What a run costs, known when planned. FLOPs count 2 per multiply-add; exp, max and division apart. */
typedef struct attn_cost {
    uint64_t pairs_total;      /* allowed pairs over batch and query heads */
    uint64_t flops_useful;     /* 4 * dim * pairs_total */
    uint64_t flops_executed;   /* padding and masked lanes included; redone tiles not */
    uint64_t exps_useful;      /* one per pair */
    size_t workspace_bytes;    /* everything the plan allocated for running, over all threads */
    uint64_t bytes_model;      /* q, k, v, o, lse once each: the least traffic with memory */
    uint64_t tiles;            /* tiles planned, over batch and query heads */
    uint64_t granules;         /* of keys, in these tiles: a kernel's least unit of work */
} attn_cost;

typedef struct attn_plan attn_plan;

/* EINVAL: bad sizes, unknown kernel or lowering; EUNAVAILABLE: a kernel this CPU or build cannot run (with the reason),
 * or none for this dtype; ENOMEM. */
ATTN_API ATTN_MUST_CHECK attn_status attn_plan_create(attn_plan **out, const attn_problem *problem,
                                                      attn_error *err);
ATTN_API void attn_plan_destroy(attn_plan *plan);

/* Runs the plan.
 *
 *   q, o  [batch][heads][nq][dim]      k, v  [batch][kv_heads][nk][dim]     row-major, of the problem's dtype
 *   lse   [batch][heads][nq] fp32: ln sum exp of the scaled scores; may be NULL
 *
 * o and lse overlap nothing. Natural alignment is enough. A row with no allowed key is zeros in o and
 * -INFINITY in lse. NaN and infinities propagate within the rows allowed to see them and nowhere else.
 * Never fails, allocates or locks; restores the floating-point environment; bitwise the same for any
 * number of threads. */
ATTN_API void attn_plan_run(attn_plan *plan, const void *q, const void *k, const void *v, void *o, float *lse);

ATTN_API const attn_cost *attn_plan_cost(const attn_plan *plan);
ATTN_API const char *attn_plan_kernel(const attn_plan *plan); /* the name of the kernel chosen */
ATTN_API const char *attn_plan_isa(const attn_plan *plan);    /* "portable", "avx2", "avx512", "amx"; "fp64": the oracle */
ATTN_API int attn_plan_threads(const attn_plan *plan);

/* The name of the lowering chosen: "natural/8", "classes/1". It says which combs are tiled by residue class
 * and how many tiles run in lockstep. Valid as long as the plan. */
ATTN_API const char *attn_plan_lowering(const attn_plan *plan);

/* What decided on it: "estimate", "wisdom", "measurement", or "request" where the problem named it. */
ATTN_API const char *attn_plan_chosen_by(const attn_plan *plan);

/* ---- the kernels of this build, in order of preference ---- */

typedef struct attn_kernel_info {
    const char *name;        /* as in --kernel */
    const char *isa;
    const char *summary;
    uint32_t dtypes;         /* bit per attn_dtype */
    uint32_t weight_bits;    /* significant bits of the softmax weights: 24, or fewer where they are rounded */
    const char *unavailable; /* why it cannot run here, or NULL */
} attn_kernel_info;

ATTN_API size_t attn_kernel_count(void);
ATTN_API attn_kernel_info attn_kernel_at(size_t index);

#ifdef __cplusplus
}
#endif
#endif
