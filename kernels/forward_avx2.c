/* Forward attention for AVX2. */
#include "kernels/kernel.h"

#include "base/cpu.h"

#define KERNEL_SYMBOL kernel_avx2
#define KERNEL_FIELDS .name = "avx2", .isa = "avx2", .summary = "fp32, 8 lanes", .cpu = CPU_AVX2
#if defined(__AVX2__) && defined(__FMA__) && defined(__F16C__)
#include "kernels/simd_avx2.h"
#include "kernels/forward_body.h"
#else
#include "kernels/unbuilt.h"
#endif
