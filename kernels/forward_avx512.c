/* Forward attention for AVX-512. */
#include "kernels/kernel.h"

#include "base/cpu.h"

#define KERNEL_SYMBOL kernel_avx512
#define KERNEL_FIELDS .name = "avx512", .isa = "avx512", .summary = "fp32, 16 lanes", .cpu = CPU_AVX512, \
    .rates = {{ \
        [WORK_FMA_1] = 0.75f, [WORK_FMA_2] = 0.6f, [WORK_FMA_MORE] = 0.55f, [WORK_WEIGHT] = 6, \
        [WORK_MASK] = 3, [WORK_GRANULE] = 45, [WORK_GATHER] = 0.3f, [WORK_STREAM] = 0.03f, \
        [WORK_ROW] = 0.5f, [WORK_FAR] = 20, [WORK_CARRY] = 0.5f, [WORK_TILE] = 700}} /* reckoned: two multiply-adds a cycle, one of them where a granule's chains are short */
#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512DQ__) && defined(__AVX512VL__)
#include "kernels/simd_avx512.h"
#include "kernels/forward_body.h"
#else
#include "kernels/unbuilt.h"
#endif
