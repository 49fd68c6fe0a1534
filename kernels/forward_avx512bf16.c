/* Forward attention in bf16 for AVX512-BF16. */
#include "kernels/kernel.h"

#include "base/cpu.h"

#define KERNEL_SYMBOL kernel_avx512_bf16
#define KERNEL_GEOMETRY 16, 3, 8
#define KERNEL_GROUP 8
#define KERNEL_DTYPES (1u << ATTN_BF16)
#define KERNEL_FIELDS .name = "avx512_bf16", .isa = "avx512bf16", .summary = "bf16, dot products of pairs", \
    .cpu = CPU_AVX512 | CPU_AVX512_BF16, .worth_on = CPU_BF16_TWICE, .weight_bits = 8, \
    .rates = {{ \
        [WORK_FMA_1] = 0.6f, [WORK_FMA_2] = 0.513f, [WORK_FMA_MORE] = 0.525f, [WORK_WEIGHT] = 12.5f, \
        [WORK_MASK] = 4.5f, [WORK_GRANULE] = 30, [WORK_GATHER] = 0.08f, [WORK_STREAM] = 0.05f, \
        [WORK_ROW] = 0.6f, [WORK_FAR] = 18, [WORK_CARRY] = 0.37f, [WORK_TILE] = 300}} /* Zen 4, gcc 12 */
#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512DQ__) && defined(__AVX512VL__) && defined(__AVX512BF16__)
#include "kernels/simd_avx512bf16.h"
#include "kernels/forward_body.h"
#else
#include "kernels/unbuilt.h"
#endif
