/* Forward attention in bf16 for AMX. */
#include "kernels/kernel.h"

#include "base/cpu.h"

#define KERNEL_SYMBOL kernel_amx
#define KERNEL_FIELDS .name = "amx", .isa = "amx", .summary = "bf16 tiles", \
    .cpu = CPU_AMX | CPU_AVX512_BF16, .weight_bits = 8
#if (defined(__AMX_BF16__) || defined(__AMXBF16__)) && defined(__AVX512BF16__)
#include "kernels/amx_body.h"
#else
#define KERNEL_DTYPES (1u << ATTN_BF16)
#include "kernels/unbuilt.h"
#endif
