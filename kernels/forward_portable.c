/* Forward attention for any CPU. */
#include "kernels/kernel.h"

#define KERNEL_SYMBOL kernel_portable
#define KERNEL_FIELDS .name = "portable", .isa = "portable", .summary = "fp32, 4 lanes, any CPU", \
    .rates = {{ \
        [WORK_FMA_1] = 1.34f, [WORK_FMA_2] = 0.96f, [WORK_FMA_MORE] = 0.55f, [WORK_WEIGHT] = 13.2f, \
        [WORK_MASK] = 2.8f, [WORK_GRANULE] = 30, [WORK_GATHER] = 0.25f, [WORK_STREAM] = 0.024f, \
        [WORK_ROW] = 0.75f, [WORK_FAR] = 31, [WORK_CARRY] = 0.49f, [WORK_TILE] = 340}} /* fitted on Zen 3 with SSE2 */
#include "kernels/simd_portable.h"
#include "kernels/forward_body.h"
