/* The AMX kernel with emulated tiles, and SIMDe's functions in place of the intrinsics, so that its logic is
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
#define TILES "support/amx_emulated.h"
#define KERNEL_SYMBOL kernel_amx_emulated
#define KERNEL_FIELDS .name = "amx (emulated)", .isa = "amx", .summary = "emulated", .cpu = 0, .weight_bits = 8
#include "kernels/amx_body.h"

const kernel *const amx_emulated = &kernel_amx_emulated;
#else
const kernel *const amx_emulated = NULL;
#endif
