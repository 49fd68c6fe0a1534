/* See kernel_list.h. */
#include "support/kernel_list.h"

#include <criterion/criterion.h>
#include <string.h>

bool kernel_runs(const char *name)
{
    for (size_t i = 0; i < attn_kernel_count(); i++)
        if (strcmp(attn_kernel_at(i).name, name) == 0)
            return !attn_kernel_at(i).unavailable;
    cr_assert(false, "kernel %s is not registered", name);
    return false;
}

static void add(const kernel **out, size_t *count, size_t capacity, const kernel *one)
{
    cr_assert(*count < capacity, "more than %zu kernels can run", capacity);
    out[(*count)++] = one;
}

size_t runnable_kernels_for(attn_dtype dtype, const kernel **out, size_t capacity)
{
    size_t count = 0;
    for (size_t i = 0; kernels[i]; i++)
        if (kernels[i]->geometry.lanes && (kernels[i]->dtypes & 1u << dtype) && kernel_runs(kernels[i]->name))
            add(out, &count, capacity, kernels[i]);
    const kernel *const emulated[] = {avx512_emulated, avx512bf16_emulated, amx_emulated, amx_f32_emulated};
    for (size_t i = 0; i < sizeof emulated / sizeof emulated[0]; i++)
        if (emulated[i] && (emulated[i]->dtypes & 1u << dtype))
            add(out, &count, capacity, emulated[i]);
    return count;
}

size_t runnable_kernels(const kernel **out, size_t capacity)
{
    return runnable_kernels_for(ATTN_F32, out, capacity);
}
