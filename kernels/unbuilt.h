/* A kernel that this compiler cannot build for the target: the name, and why. Its geometry and rates still tell what a plan
 * for it would cost (harness/explorer/). */

#ifndef KERNEL_DTYPES
#define KERNEL_DTYPES (1u << ATTN_F32 | 1u << ATTN_BF16 | 1u << ATTN_F16)
#endif

extern const kernel KERNEL_SYMBOL;
const kernel KERNEL_SYMBOL = {
    KERNEL_FIELDS,
    .dtypes = KERNEL_DTYPES,
#ifdef KERNEL_GEOMETRY
    .geometry = {KERNEL_GEOMETRY},
    .max_group = KERNEL_GROUP,
#endif
    .unbuilt = "the compiler that built this program does not target these instructions",
};
