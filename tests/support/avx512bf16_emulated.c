/* The kernel for AVX512-BF16 with SIMDe's functions in place of the intrinsics, so that its logic is tested on any
 * machine. */
#include "support/kernel_list.h"

#if defined(__has_include)
#if __has_include(<simde/x86/avx512.h>)
#define EMULATED 1
#endif
#endif

#ifdef EMULATED
#define INLINE static inline
#define UNROLL
#define UNROLL_4
#define INTRINSICS "support/simde.h"
#define KERNEL_SYMBOL kernel_avx512bf16_emulated
#define KERNEL_FIELDS .name = "avx512_bf16 (SIMDe)", .isa = "avx512bf16", .summary = "emulated", .cpu = 0, .weight_bits = 8
#define KERNEL_DTYPES (1u << ATTN_BF16)
#include "kernels/simd_avx512bf16.h"
#include "kernels/forward_body.h"

const kernel *const avx512bf16_emulated = &kernel_avx512bf16_emulated;
#else
const kernel *const avx512bf16_emulated = NULL;
#endif
