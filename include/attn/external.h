/* Kernels of your own as shared libraries, measured beside attnlab's: the ABI of `--ext NAME=FILE.so`.
 *
 *   #include "attn/external.h"
 *   ATTN_EXTERNAL { .abi = ATTN_EXTERNAL_ABI, .size = sizeof(attn_external), .prepare = ..., .run = ..., };
 *
 *   cc -O3 -shared -fPIC mine.c -o mine.so
 *   attnlab run --kernel ext:mine --ext mine=./mine.so -p dense -n 4k
 *
 * The library is loaded by a process of its own (`attnlab adapter FILE.so`), which speaks the protocol for it. It links
 * against nothing of attnlab's. */
#ifndef ATTN_EXTERNAL_H
#define ATTN_EXTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { ATTN_EXTERNAL_ABI = 1 };

/* What is to be computed: o_i = sum_j softmax_j(scale q_i.k_j) v_j over the keys j that row i may see. Query head g reads
 * key and value head g * kv_heads / heads. The structure and all it points to live until release(). */
typedef struct attn_external_problem {
    size_t batch, heads, kv_heads, n, dim;
    const char *dtype;   /* "f32", "bf16" or "f16", of q, k, v and o */
    float scale;
    int threads;         /* how many to use; OMP_NUM_THREADS says the same */
    bool causal;
    const char *pattern; /* "local" */
    const char *spec;    /* with every parameter: "local:k=128" */
    const void *q;       /* [batch][heads][n][dim], 64-byte aligned, as are all four */
    const void *k, *v;   /* [batch][kv_heads][n][dim] */
    void *o;             /* [batch][heads][n][dim]; what stands in rows without any key does not matter */
    /* Whether row i of a head may see key j; the truth for every pattern. Thread-safe. */
    bool (*allows)(const void *layout, size_t head, size_t i, size_t j);
    const void *layout;
} attn_external_problem;

typedef struct attn_external {
    uint32_t abi;        /* ATTN_EXTERNAL_ABI */
    uint32_t size;       /* sizeof(attn_external) */
    const char *version; /* kept with the results; may be NULL */

    /* All that is done once for a problem, whatever the values of q, k and v: not timed. NULL when it can be computed, with
     * *state whatever run() needs; else why not, a text that stays valid. */
    const char *(*prepare)(void **state, const attn_external_problem *problem);
    void (*run)(void *state);     /* computes o; timed */
    void (*release)(void *state); /* may be NULL */
} attn_external;

#define ATTN_EXTERNAL_SYMBOL "attn_external_kernel"

#if defined(__GNUC__)
#define ATTN_EXTERNAL_EXPORT __attribute__((visibility("default")))
#else
#define ATTN_EXTERNAL_EXPORT
#endif

/* Defines the one symbol that is looked for; braces with the members follow, then a semicolon. */
#ifdef __cplusplus
#define ATTN_EXTERNAL                                                                                                  \
    extern "C" ATTN_EXTERNAL_EXPORT const attn_external attn_external_kernel;                                          \
    const attn_external attn_external_kernel =
#else
#define ATTN_EXTERNAL                                                                                                  \
    extern ATTN_EXTERNAL_EXPORT const attn_external attn_external_kernel;                                              \
    const attn_external attn_external_kernel =
#endif

#ifdef __cplusplus
}
#endif
#endif
