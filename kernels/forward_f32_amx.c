/* Forward attention in fp32 for AMX. */
#include "kernels/kernel.h"

#include "base/cpu.h"

#define KERNEL_SYMBOL kernel_amx_f32
#define KERNEL_FIELDS .name = "amx_f32", .isa = "amx", .summary = "fp32 as three bf16 on tiles", \
    .cpu = CPU_AMX | CPU_AVX512, \
    .rates = {{ \
        [WORK_FMA_1] = 0.852f, [WORK_FMA_2] = 0.65f, [WORK_FMA_MORE] = 0.55f, [WORK_WEIGHT] = 7.73f, \
        [WORK_MASK] = 2.68f, [WORK_GRANULE] = 19.9f, [WORK_GATHER] = 0.291f, [WORK_STREAM] = 0.0905f, \
        [WORK_ROW] = 1.58f, [WORK_FAR] = 31.4f, [WORK_CARRY] = 0.837f, [WORK_TILE] = 501}} /* Emerald Rapids, gcc 12 */
#if (defined(__AMX_BF16__) || defined(__AMXBF16__)) && defined(__AVX512F__) && defined(__AVX512DQ__)
#define VECTORS 2
#define KEYS 32
#include "kernels/simd_avx512.h"
#define ENGINE "kernels/amx_f32_engine.h"
#include "kernels/forward_body.h"
#else
#include "kernels/unbuilt.h"
#endif
