/* Vectors of eight floats: AVX2 with FMA. 4 keys x 3 vectors accumulate in 12 registers; the other four hold
 * three vectors of q and one broadcast key: 7 loads for 12 multiply-adds. */
#ifndef KERNELS_SIMD_AVX2_H
#define KERNELS_SIMD_AVX2_H

#include "kernels/simd.h"
#include "kernels/convert_avx2.h"

#define LANES 8
#define VECTORS 3
#define KEYS 4
#define FOR_VECTORS(F) F(1) F(2) F(3)
#define WIDTHS_1(F) F(1, 8) F(1, 4) F(1, 2) F(1, 1)
#define WIDTHS_2(F) F(2, 4) F(2, 2) F(2, 1)
#define WIDTHS_3(F) F(3, 4) F(3, 2) F(3, 1)

typedef __m256 vf;

INLINE vf vf_set1(float x) { return _mm256_set1_ps(x); }
INLINE vf vf_load(const float *at) { return _mm256_load_ps(at); }
INLINE vf vf_loadu(const float *at) { return _mm256_loadu_ps(at); }
INLINE void vf_store(float *at, vf x) { _mm256_store_ps(at, x); }
INLINE void vf_storeu(float *at, vf x) { _mm256_storeu_ps(at, x); }
INLINE void vf_stream(float *at, vf x) { _mm256_stream_ps(at, x); }
INLINE void vf_stream_end(void) { _mm_sfence(); }
INLINE vf vf_add(vf a, vf b) { return _mm256_add_ps(a, b); }
INLINE vf vf_mul(vf a, vf b) { return _mm256_mul_ps(a, b); }
INLINE vf vf_div(vf a, vf b) { return _mm256_div_ps(a, b); }
INLINE vf vf_fma(vf a, vf b, vf c) { return _mm256_fmadd_ps(a, b, c); }
INLINE vf vf_abs(vf x) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), x); }
INLINE vf vf_max(vf a, vf b) { return _mm256_max_ps(a, b); }

/* All ones in the lanes whose bit is set. */
INLINE vf lane_mask(uint32_t bits)
{
    const __m256i lane = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
    return _mm256_castsi256_ps(_mm256_cmpeq_epi32(_mm256_and_si256(_mm256_set1_epi32((int)bits), lane), lane));
}
INLINE vf vf_keep(vf x, uint32_t bits) { return _mm256_and_ps(x, lane_mask(bits)); }
INLINE vf vf_select(uint32_t bits, vf x, vf y) { return _mm256_blendv_ps(y, x, lane_mask(bits)); }

INLINE uint32_t vf_le(vf a, vf b) { return (uint32_t)_mm256_movemask_ps(_mm256_cmp_ps(a, b, _CMP_LE_OQ)); }
INLINE uint32_t vf_ge(vf a, vf b) { return (uint32_t)_mm256_movemask_ps(_mm256_cmp_ps(a, b, _CMP_GE_OQ)); }

INLINE void vf_exp2_each(vf *x, const uint32_t n)
{
    const vf magic = vf_set1(EXP2_MAGIC);
    vf t[FLIGHT], f[FLIGHT];
    STAGE x[i] = _mm256_max_ps(vf_set1(-127), _mm256_min_ps(vf_set1(127), x[i])); /* NaN stays: it is second */
    STAGE t[i] = vf_add(x[i], magic);
    STAGE f[i] = _mm256_sub_ps(t[i], magic);
    STAGE f[i] = _mm256_sub_ps(x[i], f[i]);
    STAGE x[i] = vf_fma(vf_set1(EXP2_5), f[i], vf_set1(EXP2_4));
    STAGE x[i] = vf_fma(x[i], f[i], vf_set1(EXP2_3));
    STAGE x[i] = vf_fma(x[i], f[i], vf_set1(EXP2_2));
    STAGE x[i] = vf_fma(x[i], f[i], vf_set1(EXP2_1));
    STAGE x[i] = vf_fma(x[i], f[i], vf_set1(EXP2_0));
    STAGE t[i] = _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_castps_si256(t[i]), 23));
    STAGE x[i] = vf_mul(x[i], t[i]);
}

INLINE vf vf_exp2(vf x)
{
    vf_exp2_each(&x, 1);
    return x;
}

INLINE void vf_transpose(vf r[LANES])
{
    vf a[8], b[8];
    UNROLL for (int i = 0; i < 4; i++) {
        a[2 * i] = _mm256_unpacklo_ps(r[2 * i], r[2 * i + 1]);
        a[2 * i + 1] = _mm256_unpackhi_ps(r[2 * i], r[2 * i + 1]);
    }
    UNROLL for (int i = 0; i < 2; i++) {
        b[4 * i] = _mm256_shuffle_ps(a[4 * i], a[4 * i + 2], 0x44);
        b[4 * i + 1] = _mm256_shuffle_ps(a[4 * i], a[4 * i + 2], 0xee);
        b[4 * i + 2] = _mm256_shuffle_ps(a[4 * i + 1], a[4 * i + 3], 0x44);
        b[4 * i + 3] = _mm256_shuffle_ps(a[4 * i + 1], a[4 * i + 3], 0xee);
    }
    UNROLL for (int i = 0; i < 4; i++) {
        r[i] = _mm256_permute2f128_ps(b[i], b[i + 4], 0x20);
        r[i + 4] = _mm256_permute2f128_ps(b[i], b[i + 4], 0x31);
    }
}

#endif
