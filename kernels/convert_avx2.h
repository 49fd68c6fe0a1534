/* 16-bit floats to float and back, eight at a time; for kernels built with AVX2 and F16C. */
#ifndef KERNELS_CONVERT_AVX2_H
#define KERNELS_CONVERT_AVX2_H

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

INLINE void narrow_bf16(uint16_t *dst, const float *src, size_t count)
{
    size_t i = 0;
    for (; i + 8 <= count; i += 8) { /* nearest even, and NaN kept: see bf16_from_f32() */
        __m256 x = _mm256_loadu_ps(src + i);
        __m256i bits = _mm256_castps_si256(x), top = _mm256_srli_epi32(bits, 16);
        __m256i odd = _mm256_and_si256(top, _mm256_set1_epi32(1));
        __m256i rounded = _mm256_srli_epi32(_mm256_add_epi32(bits, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff))), 16);
        __m256i nan = _mm256_or_si256(top, _mm256_set1_epi32(0x40));
        __m256i is_nan = _mm256_castps_si256(_mm256_cmp_ps(x, x, _CMP_UNORD_Q));
        rounded = _mm256_blendv_epi8(rounded, nan, is_nan);
        __m128i packed = _mm_packus_epi32(_mm256_castsi256_si128(rounded), _mm256_extracti128_si256(rounded, 1));
        _mm_storeu_si128((__m128i *)(void *)(dst + i), packed);
    }
    for (; i < count; i++)
        dst[i] = bf16_from_f32(src[i]);
}

INLINE void narrow_f16(uint16_t *dst, const float *src, size_t count)
{
    size_t i = 0;
    for (; i + 8 <= count; i += 8)
        _mm_storeu_si128((__m128i *)(void *)(dst + i), _mm256_cvtps_ph(_mm256_loadu_ps(src + i), _MM_FROUND_TO_NEAREST_INT));
    for (; i < count; i++)
        dst[i] = f16_from_f32(src[i]);
}

#endif
