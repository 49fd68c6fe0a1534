/* Forward attention for any CPU. */
#include "kernels/kernel.h"

#define KERNEL_SYMBOL kernel_portable
#define KERNEL_FIELDS .name = "portable", .isa = "portable", .summary = "fp32, 4 lanes, any CPU"
#include "kernels/simd_portable.h"
#include "kernels/forward_body.h"
