/* The loops of AVX-512 with SIMDe's functions in place of the intrinsics, so that what they compute is tested on any
 * machine. */
#include "support/peaks_emulated.h"

#if defined(__has_include)
#if __has_include(<simde/x86/avx512.h>)
#define EMULATED 1
#endif
#endif

#ifdef EMULATED
#define INLINE static inline
#define UNROLL
#define PEAK_UNROLL
#define INTRINSICS "support/simde.h"
#include "kernels/simd_avx512.h"
#define PEAK_SYMBOL peak_emulated_set
#define PEAK_FIELDS .isa = "avx512 (SIMDe)"
#define CHAINS 24
extern const peak_set peak_emulated_set;
#include "harness/peaks/vector_body.h"
const peak_set *const peaks_emulated = &peak_emulated_set;
#else
const peak_set *const peaks_emulated = NULL;
#endif
