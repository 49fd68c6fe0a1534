/* Arrays of bfloat16 and binary16; the conversions themselves are in the header. */
#include "base/float16.h"

void f32_from_bf16_array(float *dst, const uint16_t *src, size_t count)
{
    for (size_t i = 0; i < count; i++)
        dst[i] = f32_from_bf16(src[i]);
}

void f32_from_f16_array(float *dst, const uint16_t *src, size_t count)
{
    for (size_t i = 0; i < count; i++)
        dst[i] = f32_from_f16(src[i]);
}

void bf16_from_f32_array(uint16_t *dst, const float *src, size_t count)
{
    for (size_t i = 0; i < count; i++)
        dst[i] = bf16_from_f32(src[i]);
}

void f16_from_f32_array(uint16_t *dst, const float *src, size_t count)
{
    for (size_t i = 0; i < count; i++)
        dst[i] = f16_from_f32(src[i]);
}
