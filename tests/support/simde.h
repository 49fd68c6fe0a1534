/* SIMDe's functions under the names of the intrinsics, and what SIMDe 0.7.4 lacks. */
#ifndef TESTS_SUPPORT_SIMDE_H
#define TESTS_SUPPORT_SIMDE_H

#define SIMDE_ENABLE_NATIVE_ALIASES
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "base/float16.h"

#include <simde/x86/avx512.h>
#include <simde/x86/f16c.h>

#ifndef __mmask16
#define __mmask16 simde__mmask16
#endif
#ifndef _MM_FROUND_TO_NEG_INF
#define _MM_FROUND_TO_NEG_INF 1
#define _MM_FROUND_NO_EXC 8
#endif

/* VREDUCEPS rounding down: x - floor(x), and 0 of infinities. */
static inline __m512 emulated_reduce(__m512 x)
{
    float at[16];
    _mm512_storeu_ps(at, x);
    for (int i = 0; i < 16; i++)
        at[i] = isinf(at[i]) ? 0 : at[i] - floorf(at[i]);
    return _mm512_loadu_ps(at);
}
#define _mm512_reduce_ps(x, rounding) emulated_reduce(x)

/* VRANGEPS that selects the larger magnitude, made positive; a NaN gives way to a number. */
static inline __m512 emulated_range(__m512 a, __m512 b)
{
    float x[16], y[16];
    _mm512_storeu_ps(x, a);
    _mm512_storeu_ps(y, b);
    for (int i = 0; i < 16; i++)
        x[i] = fmaxf(fabsf(x[i]), fabsf(y[i]));
    return _mm512_loadu_ps(x);
}
#undef _mm512_range_ps
#define _mm512_range_ps(a, b, selection) emulated_range(a, b)

#ifndef _CMP_LE_OQ
#define _CMP_LE_OQ SIMDE_CMP_LE_OQ
#endif

/* Loads and stores under masks, whose other elements are not touched. */
#define EMULATE_MASKED(vector, element, lanes, bits, load, store, loadu, storeu) \
    static inline vector emulated_##load(bits keep, const void *from) \
    { \
        element x[lanes] = {0}; \
        for (int i = 0; i < lanes; i++) \
            if (keep >> i & 1) \
                memcpy(&x[i], (const element *)from + i, sizeof x[i]); \
        return loadu; \
    } \
    static inline void emulated_##store(void *to, bits keep, vector y) \
    { \
        element x[lanes]; \
        storeu; \
        for (int i = 0; i < lanes; i++) \
            if (keep >> i & 1) \
                memcpy((element *)to + i, &x[i], sizeof x[i]); \
    }
EMULATE_MASKED(__m512, float, 16, uint16_t, maskz_loadu_ps, mask_storeu_ps, _mm512_loadu_ps(x), _mm512_storeu_ps(x, y))
EMULATE_MASKED(__m512i, uint16_t, 32, uint32_t, maskz_loadu_512, mask_storeu_512, _mm512_loadu_si512(x),
               _mm512_storeu_si512(x, y))
EMULATE_MASKED(__m256i, uint16_t, 16, uint16_t, maskz_loadu_256, mask_storeu_256,
               _mm256_loadu_si256((const __m256i *)(const void *)x), _mm256_storeu_si256((__m256i *)(void *)x, y))
#undef EMULATE_MASKED
#define _mm512_maskz_loadu_ps(keep, from) emulated_maskz_loadu_ps((uint16_t)(keep), from)
#define _mm512_mask_storeu_ps(to, keep, x) emulated_mask_storeu_ps(to, (uint16_t)(keep), x)
#define _mm512_maskz_loadu_epi16(keep, from) emulated_maskz_loadu_512(keep, from)
#define _mm256_mask_storeu_epi16(to, keep, x) emulated_mask_storeu_256(to, (uint16_t)(keep), x)

/* SIMDe's shifts into the sign. */
static inline uint32_t emulated_test_epi16(__m512i a, __m512i b)
{
    uint16_t x[32], y[32];
    uint32_t bits = 0;
    _mm512_storeu_si512(x, a);
    _mm512_storeu_si512(y, b);
    for (int i = 0; i < 32; i++)
        bits |= (uint32_t)((x[i] & y[i]) != 0) << i;
    return bits;
}
#undef _mm512_test_epi16_mask
#define _mm512_test_epi16_mask(a, b) emulated_test_epi16(a, b)

static inline float emulated_reduce_add(__m512 x)
{
    float at[16], sum = 0;
    _mm512_storeu_ps(at, x);
    for (int i = 0; i < 16; i++)
        sum += at[i];
    return sum;
}
static inline float emulated_reduce_max(__m512 x)
{
    float at[16], max = -INFINITY;
    _mm512_storeu_ps(at, x);
    for (int i = 0; i < 16; i++)
        max = at[i] > max ? at[i] : max;
    return max;
}
#define _mm512_reduce_add_ps(x) emulated_reduce_add(x)
#define _mm512_reduce_max_ps(x) emulated_reduce_max(x)

#ifndef _mm512_shuffle_f32x4
#define _mm512_shuffle_f32x4(a, b, lanes) \
    _mm512_castsi512_ps(_mm512_shuffle_i32x4(_mm512_castps_si512(a), _mm512_castps_si512(b), lanes))
#endif

/* Two products of bf16 added to a float, the second one first, each rounded; and floats to bf16, nearest even. */
static inline __m512 emulated_dot(__m512 sum, __m512i a, __m512i b)
{
    float of[16];
    uint32_t x[16], y[16];
    _mm512_storeu_ps(of, sum);
    _mm512_storeu_si512(x, a);
    _mm512_storeu_si512(y, b);
    for (int i = 0; i < 16; i++) {
        of[i] = fmaf(f32_from_bf16((uint16_t)(x[i] >> 16)), f32_from_bf16((uint16_t)(y[i] >> 16)), of[i]);
        of[i] = fmaf(f32_from_bf16((uint16_t)x[i]), f32_from_bf16((uint16_t)y[i]), of[i]);
    }
    return _mm512_loadu_ps(of);
}
static inline __m512i emulated_narrow(__m512 high, __m512 low)
{
    float from[32];
    uint16_t to[32];
    _mm512_storeu_ps(from, low);
    _mm512_storeu_ps(from + 16, high);
    for (int i = 0; i < 32; i++)
        to[i] = bf16_from_f32(from[i]);
    return _mm512_loadu_si512(to);
}
static inline __m512i emulated_widen(__m256i x)
{
    uint16_t from[16];
    uint32_t to[16];
    _mm256_storeu_si256((__m256i *)(void *)from, x);
    for (int i = 0; i < 16; i++)
        to[i] = from[i];
    return _mm512_loadu_si512(to);
}
#define _mm512_cvtepu16_epi32(x) emulated_widen(x)

static inline __m256i emulated_narrow_16(__m512 x)
{
    float from[16];
    uint16_t to[16];
    _mm512_storeu_ps(from, x);
    for (int i = 0; i < 16; i++)
        to[i] = fpclassify(from[i]) == FP_SUBNORMAL ? 0 : bf16_from_f32(from[i]);
    return _mm256_loadu_si256((const __m256i *)(const void *)to);
}
#define _mm512_cvtneps_pbh(x) emulated_narrow_16(x)

#undef __m512bh
#define __m512bh __m512i
#undef _mm512_dpbf16_ps
#define _mm512_dpbf16_ps(sum, a, b) emulated_dot(sum, a, b)
#define _mm512_cvtne2ps_pbh(high, low) emulated_narrow(high, low)

/* Not in SIMDe. */
#define _mm512_stream_ps(at, x) _mm512_store_ps(at, x)

#endif
