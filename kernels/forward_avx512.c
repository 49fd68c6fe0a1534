/* Forward attention for AVX-512. */
#include "kernels/kernel.h"

#include "base/cpu.h"

#define KERNEL_SYMBOL kernel_avx512
#define KERNEL_FIELDS .name = "avx512", .isa = "avx512", .summary = "fp32, 16 lanes", .cpu = CPU_AVX512
#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512DQ__) && defined(__AVX512VL__)
#include "kernels/simd_avx512.h"
#include "kernels/forward_body.h"
#else
#include "kernels/unbuilt.h"
#endif
