/* The kernels of this build, and whether they can run here. */
#include "kernels/kernel.h"

#include "base/cpu.h"

#define KERNEL(identifier) extern const kernel kernel_##identifier;
#include "kernels/kernels.inc"
#undef KERNEL

const kernel *const kernels[] = {
#define KERNEL(identifier) &kernel_##identifier,
#include "kernels/kernels.inc"
#undef KERNEL
    NULL,
};

enum { KERNELS = sizeof kernels / sizeof kernels[0] - 1 };

attn_status kernel_unavailable(const kernel *k, const char **out, attn_error *err)
{
    attn_status status = cpu_lacks(k->cpu, out, err);
    if (k->unbuilt)
        *out = k->unbuilt;
    if (!*out && status == ATTN_OK && (k->cpu & CPU_AMX) && !cpu_ask_for_tiles())
        *out = "the operating system does not let this process use AMX tiles";
    return status;
}

attn_status kernel_passed_over(const kernel *k, const char **out, attn_error *err)
{
    attn_status status = cpu_lacks(k->worth_on, out, err);
    if (k->by_name_only)
        *out = "taken by name only";
    return status;
}

size_t attn_kernel_count(void)
{
    return KERNELS;
}

attn_kernel_info attn_kernel_at(size_t index)
{
    const kernel *k = kernels[index];
    attn_kernel_info info = {k->name, k->isa, k->summary, k->dtypes, k->weight_bits ? k->weight_bits : 24, NULL};
    if (kernel_unavailable(k, &info.unavailable, NULL) != ATTN_OK && k->cpu)
        info.unavailable = "ATTN_DISABLE_CPU names an unknown feature; known are " CPU_NAMES;
    return info;
}
