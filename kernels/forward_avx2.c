/* Forward attention for AVX2. */
#include "kernels/kernel.h"

#include "base/cpu.h"

#define KERNEL_SYMBOL kernel_avx2
#define KERNEL_GEOMETRY 8, 3, 4
#define KERNEL_GROUP 8
#define KERNEL_FIELDS .name = "avx2", .isa = "avx2", .summary = "fp32, 8 lanes", .cpu = CPU_AVX2, \
    .rates = {{ \
        [WORK_FMA_1] = 0.88f, [WORK_FMA_2] = 0.83f, [WORK_FMA_MORE] = 0.58f, [WORK_WEIGHT] = 6, \
        [WORK_MASK] = 4.5f, [WORK_GRANULE] = 41, [WORK_GATHER] = 0.48f, [WORK_STREAM] = 0.026f, \
        [WORK_ROW] = 0.61f, [WORK_FAR] = 17, [WORK_CARRY] = 0.73f, [WORK_TILE] = 610}} /* fitted on Zen 3 */
#if defined(__AVX2__) && defined(__FMA__) && defined(__F16C__)
#include "kernels/simd_avx2.h"
#include "kernels/forward_body.h"
#else
#include "kernels/unbuilt.h"
#endif
