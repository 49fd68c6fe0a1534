/* Forward attention for AVX-512. */
#include "kernels/kernel.h"

#include "base/cpu.h"

#define KERNEL_SYMBOL kernel_avx512
#define KERNEL_GEOMETRY 16, 3, 8
#define KERNEL_GROUP 8
#define KERNEL_FIELDS .name = "avx512", .isa = "avx512", .summary = "fp32, 16 lanes", .cpu = CPU_AVX512, \
    .rates = {{ \
        [WORK_FMA_1] = 0.845f, [WORK_FMA_2] = 0.821f, [WORK_FMA_MORE] = 0.672f, [WORK_WEIGHT] = 7.04f, \
        [WORK_MASK] = 3.68f, [WORK_GRANULE] = 23.3f, [WORK_GATHER] = 0.319f, [WORK_STREAM] = 0.11f, \
        [WORK_ROW] = 0.636f, [WORK_FAR] = 13.3f, [WORK_CARRY] = 0.536f}} /* Emerald Rapids, gcc 12 */
#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512DQ__) && defined(__AVX512VL__)
#include "kernels/simd_avx512.h"
#include "kernels/forward_body.h"
#else
#include "kernels/unbuilt.h"
#endif
