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
    /* One text for each set of missing features, so that it outlives the call. */
    static const struct { uint32_t bits; const char *missing, *disabled; } texts[] = {
        {CPU_AVX2, "this CPU has no AVX2 with FMA, F16C and BMI2", "avx2 is switched off by ATTN_DISABLE_CPU"},
        {CPU_AVX512, "this CPU has no AVX-512 with F, BW, DQ and VL", "avx512 is switched off by ATTN_DISABLE_CPU"},
        {CPU_AMX, "this CPU has no AMX with bf16", "amx is switched off by ATTN_DISABLE_CPU"},
    };
    uint32_t off, have = cpu_detect();
    attn_status status = cpu_disabled(&off, err);
    *out = k->unbuilt;
    for (size_t t = 0; t < sizeof texts / sizeof texts[0] && !*out && status == ATTN_OK; t++)
        if (k->cpu & texts[t].bits)
            *out = !(have & texts[t].bits) ? texts[t].missing : off & texts[t].bits ? texts[t].disabled : NULL;
    return status;
}

size_t attn_kernel_count(void)
{
    return KERNELS;
}

attn_kernel_info attn_kernel_at(size_t index)
{
    const kernel *k = kernels[index];
    attn_kernel_info info = {k->name, k->isa, k->summary, k->dtypes, NULL};
    if (kernel_unavailable(k, &info.unavailable, NULL) != ATTN_OK && k->cpu)
        info.unavailable = "ATTN_DISABLE_CPU names an unknown feature; known are avx2, avx512, amx";
    return info;
}
