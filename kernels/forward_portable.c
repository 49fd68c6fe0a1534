/* Forward attention for any CPU. */
#include "kernels/simd_portable.h"

#define KERNEL_SYMBOL kernel_portable
#define KERNEL_FIELDS \
    .name = "portable", .isa = "portable", .summary = "fp32 in C, for any CPU", .cpu = 0
#include "kernels/forward_body.h"
