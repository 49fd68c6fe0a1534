/* Sixteen lanes with dot products of pairs of bf16: AVX512-BF16. A lane of 32 bits holds two neighbouring elements of q, or the
 * weights of two neighbouring keys; VDPBF16PS multiplies both and adds them to a float.
 *
 * Zen 4 starts one every cycle, as a multiply-add of floats, which does half as much; Emerald Rapids every second cycle. */
#ifndef KERNELS_SIMD_AVX512BF16_H
#define KERNELS_SIMD_AVX512BF16_H

#include "kernels/exp2_cubic.h"
#include "kernels/simd_avx512.h"

#define PAIRS

typedef __m512i vp; /* a pair of bf16 in each lane, the first one in its lower half */

INLINE vp vp_set1(uint32_t pair) { return _mm512_set1_epi32((int)pair); }
INLINE vp vp_load(const uint32_t *at) { return _mm512_load_si512(at); }
INLINE void vp_store(uint32_t *at, vp x) { _mm512_store_si512(at, x); }
INLINE vf vf_dot(vf sum, vp a, vp b) { return _mm512_dpbf16_ps(sum, (__m512bh)a, (__m512bh)b); }

INLINE vp vp_loadu(const uint16_t *at) { return _mm512_loadu_si512(at); }
INLINE void vp_storeu(uint16_t *at, vp x) { _mm512_storeu_si512(at, x); }

/* Sixteen numbers as the first ones of pairs; the first ones of `first` with those of `second` behind them,
 * or with the second ones of `second`. */
INLINE vp vp_widen(const uint16_t *at) { return _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)(const void *)at)); }
INLINE vp vp_join(vp first, vp second)
{
    return _mm512_or_si512(_mm512_and_si512(first, _mm512_set1_epi32(0xffff)), _mm512_slli_epi32(second, 16));
}
INLINE vp vp_join_second(vp first, vp second)
{
    return _mm512_or_si512(first, _mm512_and_si512(second, _mm512_set1_epi32((int)0xffff0000)));
}

INLINE vp vp_alternate(void) /* 0, 16, 1, 17, ... */
{
    return _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6, 21, 5, 20, 4, 19, 3, 18, 2,
                            17, 1, 16, 0);
}

/* Of two rows of 32 numbers, the first sixteen as pairs (a[i], b[i]), and the last sixteen. */
INLINE vp vp_mix_low(vp a, vp b)
{
    return _mm512_permutexvar_epi16(vp_alternate(), _mm512_inserti64x4(a, _mm512_castsi512_si256(b), 1));
}
INLINE vp vp_mix_high(vp a, vp b)
{
    return _mm512_permutexvar_epi16(vp_alternate(), _mm512_inserti64x4(b, _mm512_extracti64x4_epi64(a, 1), 0));
}

/* Rounded to nearest even: lane i is (first[i], second[i]). */
INLINE vp vp_round(vf first, vf second)
{
    return _mm512_permutexvar_epi16(vp_alternate(), (__m512i)_mm512_cvtne2ps_pbh(second, first));
}

INLINE vp vp_bits(vf x) { return _mm512_castps_si512(x); }
INLINE vf vp_floats(vp x) { return _mm512_castsi512_ps(x); }

INLINE vp vp_upper(vf x) { return _mm512_srli_epi32(_mm512_castps_si512(x), 16); } /* floats that are bf16 */

/* The floats of each half. */
INLINE vf vp_first(vp x) { return _mm512_castsi512_ps(_mm512_slli_epi32(x, 16)); }
INLINE vf vp_second(vp x) { return _mm512_castsi512_ps(_mm512_and_si512(x, _mm512_set1_epi32((int)0xffff0000))); }

/* As narrow_bf16(). The instruction takes subnormal numbers for zeros: a row that has one goes the other way. */
INLINE void narrow_bf16_at_once(uint16_t *dst, const float *src, size_t count)
{
    __m512i least = _mm512_set1_epi32(-1); /* twice the bits without their sign, minus one: a zero is large */
    size_t i = 0;
    for (; i + LANES <= count; i += LANES) {
        const vf x = vf_loadu(src + i);
        const __m512i twice = _mm512_slli_epi32(_mm512_castps_si512(x), 1);
        least = _mm512_min_epu32(least, _mm512_add_epi32(twice, _mm512_set1_epi32(-1)));
        _mm256_storeu_si256((__m256i *)(void *)(dst + i), (__m256i)_mm512_cvtneps_pbh(x));
    }
    if (__builtin_expect(_mm512_cmple_epu32_mask(least, _mm512_set1_epi32(0x00fffffe)), 0))
        narrow_bf16(dst, src, count);
    for (; i < count; i++)
        dst[i] = bf16_from_f32(src[i]);
}
#define NARROW_BF16 narrow_bf16_at_once

/* As vf_exp2_each(), but for weights that are rounded at once. */
INLINE void vf_exp2_cubic_each(vf *x, const uint32_t n)
{
    vf f[FLIGHT], p[FLIGHT];
    STAGE f[i] = _mm512_reduce_ps(x[i], _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
    STAGE p[i] = vf_fma(vf_set1(EXP2_CUBIC_3), f[i], vf_set1(EXP2_CUBIC_2));
    STAGE p[i] = vf_fma(p[i], f[i], vf_set1(EXP2_CUBIC_1));
    STAGE p[i] = vf_fma(p[i], f[i], vf_set1(EXP2_CUBIC_0));
    STAGE x[i] = _mm512_scalef_ps(p[i], x[i]);
}

#endif
