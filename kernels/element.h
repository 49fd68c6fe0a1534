/* Reading and writing one element of a tensor of any dtype, for code where speed does not matter. */
#ifndef KERNELS_ELEMENT_H
#define KERNELS_ELEMENT_H

#include "attn/plan.h"
#include "base/float16.h"

static inline double element_get(const void *at, attn_dtype dtype, size_t index)
{
    switch (dtype) {
    case ATTN_F32: return (double)((const float *)at)[index];
    case ATTN_BF16: return (double)f32_from_bf16(((const uint16_t *)at)[index]);
    case ATTN_F16: return (double)f32_from_f16(((const uint16_t *)at)[index]);
    }
    return 0;
}

static inline void element_set(void *at, attn_dtype dtype, size_t index, double value)
{
    switch (dtype) {
    case ATTN_F32: ((float *)at)[index] = (float)value; break;
    case ATTN_BF16: ((uint16_t *)at)[index] = bf16_from_f32((float)value); break;
    case ATTN_F16: ((uint16_t *)at)[index] = f16_from_f32((float)value); break;
    }
}

#endif
