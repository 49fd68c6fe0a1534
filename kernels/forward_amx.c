/* Forward attention in bf16 for AMX. */
#include "kernels/kernel.h"

#include "base/cpu.h"

#define KERNEL_SYMBOL kernel_amx
#define KERNEL_FIELDS .name = "amx", .isa = "amx", .summary = "bf16 tiles", \
    .cpu = CPU_AMX | CPU_AVX512_BF16, .weight_bits = 8, \
    .rates = {{ \
        [WORK_FMA_1] = 0.15f, [WORK_FMA_2] = 0.15f, [WORK_FMA_MORE] = 0.15f, [WORK_WEIGHT] = 16, \
        [WORK_MASK] = 3, [WORK_GRANULE] = 100, [WORK_GATHER] = 0.1f, [WORK_STREAM] = 0.03f, \
        [WORK_ROW] = 0.3f, [WORK_FAR] = 20, [WORK_CARRY] = 0.3f, [WORK_TILE] = 1000}} /* reckoned: 40% of a tile
            product of 8192 multiply-adds every 16 cycles */
#if (defined(__AMX_BF16__) || defined(__AMXBF16__)) && defined(__AVX512BF16__)
#include "kernels/amx_body.h"
#else
#define KERNEL_DTYPES (1u << ATTN_BF16)
#include "kernels/unbuilt.h"
#endif
