/* 16-bit floats to float, eight at a time; for kernels built with AVX2 and F16C. */
#ifndef KERNELS_WIDEN_AVX2_H
#define KERNELS_WIDEN_AVX2_H

#ifndef INTRINSICS
#define INTRINSICS <immintrin.h> /* tests put an emulation here */
#endif
#include INTRINSICS

#include "kernels/simd.h"

INLINE void widen_bf16(float *dst, const uint16_t *src, size_t count)
{
    size_t i = 0;
    for (; i + 8 <= count; i += 8) {
        __m256i wide = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)(const void *)(src + i)));
        _mm256_storeu_ps(dst + i, _mm256_castsi256_ps(_mm256_slli_epi32(wide, 16)));
    }
    for (; i < count; i++)
        dst[i] = f32_from_bf16(src[i]);
}

INLINE void widen_f16(float *dst, const uint16_t *src, size_t count)
{
    size_t i = 0;
    for (; i + 8 <= count; i += 8)
        _mm256_storeu_ps(dst + i, _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(const void *)(src + i))));
    for (; i < count; i++)
        dst[i] = f32_from_f16(src[i]);
}

#endif
