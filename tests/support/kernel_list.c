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

size_t runnable_kernels(const kernel **out, size_t capacity)
{
    size_t count = 0;
    for (size_t i = 0; kernels[i] && count < capacity; i++)
        if (kernels[i]->geometry.lanes && kernel_runs(kernels[i]->name))
            out[count++] = kernels[i];
    if (avx512_emulated && count < capacity)
        out[count++] = avx512_emulated;
    return count;
}
