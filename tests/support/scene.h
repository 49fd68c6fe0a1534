/* A scene: one attention problem with random operands, ready to be run by any kernel and compared with the
 * oracle. Every tensor ends (or, with at_front, begins) at a page that may not be touched. */
#ifndef TESTS_SUPPORT_SCENE_H
#define TESTS_SUPPORT_SCENE_H

#include "attn/attn.h"
#include "kernels/kernel.h"

typedef struct scene {
    /* What to run; zeros mean: nk = nq, heads 1, kv_heads = heads, batch 1, threads 1, scale 1/sqrt(dim). */
    const char *spec;            /* or, with its name here, */
    const attn_pattern *pattern; /* one that is not registered */
    size_t nq, nk, heads, kv_heads, batch, dim;
    attn_dtype dtype;
    const char *kernel;          /* a name, or */
    const kernel *descriptor;    /* a kernel that is not registered */
    const char *lowering;        /* NULL: the planner's choice */
    int threads;
    float scale;
    unsigned seed;
    bool at_front;

    attn_spec *parsed;
    attn_layout *layout;
    attn_plan *plan;
    void *q, *k, *v, *o;         /* as in attn_plan_run() */
    float *lse;
    double *expected, *expected_lse;
    char name[256];              /* what a failure message needs to replay */
    struct { void *map; size_t bytes; } maps[5];
} scene;

/* Difference between o and the oracle over the rows both have finite. */
typedef struct difference {
    double relative;             /* Frobenius */
    double worst;                /* largest magnitude */
    double lse;                  /* largest, relative to max(1, |lse|) */
    size_t misplaced;            /* elements where one is finite and the other not, NaN in one only, or signs of
                                    infinities differ */
} difference;

/* Parses, plans, allocates and fills q, k, v with N(0,1); asserts on failure. `s` holds the request. */
void scene_open(scene *s);
void scene_close(scene *s);

/* Another kernel, dtype or thread count on the same operands: change the fields and plan again. */
void scene_plan(scene *s);

void scene_run(scene *s);         /* asserts that the plan computed what it had predicted */
void scene_oracle(scene *s);     /* every row, into expected; call after changing operands */
difference scene_compare(const scene *s);

size_t scene_queries(const scene *s); /* elements of q and o */
size_t scene_keys(const scene *s);    /* elements of k and v */
double scene_get(const scene *s, const void *tensor, size_t index);
void scene_set(const scene *s, void *tensor, size_t index, double value);

/* A deterministic N(0,1) and [0,1) from a seed. */
double random_normal(uint64_t *state);
double random_uniform(uint64_t *state);

#endif
