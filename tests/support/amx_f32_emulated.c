/* The fp32 kernel for AMX with emulated tiles, and SIMDe's functions in place of the intrinsics, so that its logic is
 * tested on any machine. */
#include "support/kernel_list.h"

#if defined(__has_include)
#if __has_include(<simde/x86/avx512.h>)
#define EMULATED 1
#endif
#endif

#ifdef EMULATED
#define INLINE static inline
#define UNROLL
#define INTRINSICS "support/simde.h"
#define TILES "support/amx_emulated.h"
#define KERNEL_SYMBOL kernel_amx_f32_emulated
#define KERNEL_FIELDS .name = "amx_f32 (emulated)", .isa = "amx", .summary = "emulated", .cpu = 0
#define VECTORS 2
#define KEYS 32
#include "kernels/simd_avx512.h"
#define ENGINE "kernels/amx_f32_engine.h"
#include "kernels/forward_body.h"

const kernel *const amx_f32_emulated = &kernel_amx_f32_emulated;
#else
const kernel *const amx_f32_emulated = NULL;
#endif
