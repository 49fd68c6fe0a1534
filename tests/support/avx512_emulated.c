/* The AVX-512 kernel with SIMDe's functions in place of the intrinsics, so that its logic is tested on any
 * machine. */
#include "support/exp2_instances.h"
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
#define KERNEL_SYMBOL kernel_avx512_emulated
#define KERNEL_FIELDS .name = "avx512 (SIMDe)", .isa = "avx512", .summary = "emulated", .cpu = 0
#include "kernels/simd_avx512.h"
#include "kernels/forward_body.h"

const kernel *const avx512_emulated = &kernel_avx512_emulated;
DEFINE_EXP2(exp2_emulated);
#else
exp2_array *const exp2_emulated = NULL;
const kernel *const avx512_emulated = NULL;
#endif
