/* What the CPU (and the operating system's state saving) lets us use, and what the user switched off. */
#ifndef BASE_CPU_H
#define BASE_CPU_H

#include <stdbool.h>
#include <stdint.h>

#include "attn/status.h"

enum {
    CPU_AVX2 = 1u << 0,   /* AVX2, FMA, F16C, BMI2 */
    CPU_AVX512 = 1u << 1, /* AVX-512 F, BW, DQ, VL */
    CPU_AMX = 1u << 2,    /* AMX tiles and bf16 products; the process still has to ask for permission */
    CPU_AVX512_BF16 = 1u << 3,
    CPU_AVX512_FP16 = 1u << 4,
    CPU_BF16_TWICE = 1u << 5, /* dot products of AVX512-BF16 start as often as multiply-adds of floats, and do twice as much */
    CPU_ALL = (1u << 6) - 1
};

/* The names that ATTN_DISABLE_CPU knows, for messages. */
#define CPU_NAMES "avx2, avx512, avx512bf16, avx512fp16, amx"

/* What this machine has, detected once. */
uint32_t cpu_detect(void);

/* The features named in ATTN_DISABLE_CPU, a list such as "amx,avx512", as bits; a feature switched off takes
 * those above it on the ladder with it (avx2 < avx512 < amx). Read anew by every call, so that a test can
 * walk down the ladder. EINVAL names a word that is no feature. */
attn_status cpu_disabled(uint32_t *out, attn_error *err);

/* Why not all of `features` can be used, a static text about the first that cannot, or NULL. EINVAL when
 * ATTN_DISABLE_CPU is malformed. */
attn_status cpu_lacks(uint32_t features, const char **why, attn_error *err);

/* Whether the operating system lets this process use tiles, which it has to be asked; asked once. Needs
 * CPU_AMX. A thread started later inherits it. */
bool cpu_ask_for_tiles(void);

#endif
