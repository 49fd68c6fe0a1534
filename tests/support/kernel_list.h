/* The kernels a test can run here: those that are available, and the AVX-512 one emulated where SIMDe is
 * installed (a descriptor that is not registered). */
#ifndef TESTS_SUPPORT_KERNEL_LIST_H
#define TESTS_SUPPORT_KERNEL_LIST_H

#include "kernels/kernel.h"

/* The AVX-512 instance compiled for any CPU through SIMDe, or NULL without SIMDe. */
extern const kernel *const avx512_emulated;

/* The bf16 one for AVX512-BF16 likewise. */
extern const kernel *const avx512bf16_emulated;

/* The AMX instance compiled for any CPU, its tiles emulated, or NULL without SIMDe. It computes bf16 only. */
extern const kernel *const amx_emulated;

/* The fp32 kernel for AMX likewise. */
extern const kernel *const amx_f32_emulated;

/* The bf16 kernel with its real tile instructions, which become signals on a CPU without them, or NULL. Installs the
 * handler of SIGILL. */
const kernel *amx_trapped(void);

enum { MAX_KERNELS = 16 };

/* Fast kernels that can run and compute `dtype`; the oracle is not among them. Asserts that `capacity` is enough. */
size_t runnable_kernels_for(attn_dtype dtype, const kernel **out, size_t capacity);
size_t runnable_kernels(const kernel **out, size_t capacity); /* for f32 */

/* Whether the registered kernel of this name can run; asserts that there is one. */
bool kernel_runs(const char *name);

#endif
