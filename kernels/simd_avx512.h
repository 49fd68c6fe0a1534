/* Vectors of sixteen floats: AVX-512 F, BW, DQ, VL. 8 keys x 3 vectors accumulate in 24 of 32 registers: 11
 * loads for 24 multiply-adds. Masks are the bits of the tile program as they are. An engine of tiles brings its
 * own VECTORS and KEYS. */
#ifndef KERNELS_SIMD_AVX512_H
#define KERNELS_SIMD_AVX512_H

#include "kernels/simd.h"
#include "kernels/convert_avx2.h"

#define LANES 16
#ifndef KEYS
#define VECTORS 3
#define KEYS 8
#define FOR_VECTORS(F) F(1) F(2) F(3)
#define WIDTHS_1(F) F(1, 8) F(1, 4) F(1, 2) F(1, 1)
#define WIDTHS_2(F) F(2, 8) F(2, 4) F(2, 2) F(2, 1)
#define WIDTHS_3(F) F(3, 8) F(3, 4) F(3, 2) F(3, 1)
#endif

typedef __m512 vf;

INLINE vf vf_set1(float x) { return _mm512_set1_ps(x); }
INLINE vf vf_load(const float *at) { return _mm512_load_ps(at); }
INLINE vf vf_loadu(const float *at) { return _mm512_loadu_ps(at); }
INLINE void vf_store(float *at, vf x) { _mm512_store_ps(at, x); }
INLINE void vf_storeu(float *at, vf x) { _mm512_storeu_ps(at, x); }
INLINE void vf_stream(float *at, vf x) { _mm512_stream_ps(at, x); }
INLINE void vf_stream_end(void) { _mm_sfence(); }
INLINE vf vf_add(vf a, vf b) { return _mm512_add_ps(a, b); }
INLINE vf vf_mul(vf a, vf b) { return _mm512_mul_ps(a, b); }
INLINE vf vf_div(vf a, vf b) { return _mm512_div_ps(a, b); }
INLINE vf vf_fma(vf a, vf b, vf c) { return _mm512_fmadd_ps(a, b, c); }
INLINE vf vf_abs(vf x) { return _mm512_abs_ps(x); }
INLINE vf vf_max(vf a, vf b) { return _mm512_max_ps(a, b); }
INLINE vf vf_keep(vf x, uint32_t bits) { return _mm512_maskz_mov_ps((__mmask16)bits, x); }
INLINE vf vf_select(uint32_t bits, vf x, vf y) { return _mm512_mask_mov_ps(y, (__mmask16)bits, x); }
INLINE uint32_t vf_le(vf a, vf b) { return _mm512_cmp_ps_mask(a, b, _CMP_LE_OQ); }
INLINE uint32_t vf_ge(vf a, vf b) { return _mm512_cmp_ps_mask(a, b, _CMP_GE_OQ); }

/* f = x - floor(x) in [0, 1) and p * 2^floor(x) are one instruction each; the polynomial is minimax on [0, 1),
 * error 9.0e-8 with its coefficients rounded to float (Remez). NaN passes through both. */
INLINE void vf_exp2_each(vf *x, const uint32_t n)
{
    vf f[FLIGHT], p[FLIGHT];
    STAGE f[i] = _mm512_reduce_ps(x[i], _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
    STAGE p[i] = vf_fma(vf_set1(1.877576695e-03f), f[i], vf_set1(8.989339694e-03f));
    STAGE p[i] = vf_fma(p[i], f[i], vf_set1(5.582631752e-02f));
    STAGE p[i] = vf_fma(p[i], f[i], vf_set1(2.401536107e-01f));
    STAGE p[i] = vf_fma(p[i], f[i], vf_set1(6.931530833e-01f));
    STAGE p[i] = vf_fma(p[i], f[i], vf_set1(9.999999404e-01f));
    STAGE x[i] = _mm512_maskz_scalef_ps(_mm512_cmp_ps_mask(x[i], vf_set1(EXP2_ZERO), _CMP_NLT_UQ), p[i], x[i]);
}

INLINE vf vf_exp2(vf x)
{
    vf_exp2_each(&x, 1);
    return x;
}

INLINE void vf_transpose(vf r[LANES])
{
    vf a[16];
    UNROLL for (int i = 0; i < 8; i++) {
        a[2 * i] = _mm512_unpacklo_ps(r[2 * i], r[2 * i + 1]);
        a[2 * i + 1] = _mm512_unpackhi_ps(r[2 * i], r[2 * i + 1]);
    }
    UNROLL for (int i = 0; i < 4; i++) {
        r[4 * i] = _mm512_shuffle_ps(a[4 * i], a[4 * i + 2], 0x44);
        r[4 * i + 1] = _mm512_shuffle_ps(a[4 * i], a[4 * i + 2], 0xee);
        r[4 * i + 2] = _mm512_shuffle_ps(a[4 * i + 1], a[4 * i + 3], 0x44);
        r[4 * i + 3] = _mm512_shuffle_ps(a[4 * i + 1], a[4 * i + 3], 0xee);
    }
    UNROLL for (int i = 0; i < 4; i++) {
        a[i] = _mm512_shuffle_f32x4(r[i], r[4 + i], 0x88);
        a[4 + i] = _mm512_shuffle_f32x4(r[i], r[4 + i], 0xdd);
        a[8 + i] = _mm512_shuffle_f32x4(r[8 + i], r[12 + i], 0x88);
        a[12 + i] = _mm512_shuffle_f32x4(r[8 + i], r[12 + i], 0xdd);
    }
    UNROLL for (int i = 0; i < 4; i++) {
        r[i] = _mm512_shuffle_f32x4(a[i], a[8 + i], 0x88);
        r[8 + i] = _mm512_shuffle_f32x4(a[i], a[8 + i], 0xdd);
        r[4 + i] = _mm512_shuffle_f32x4(a[4 + i], a[12 + i], 0x88);
        r[12 + i] = _mm512_shuffle_f32x4(a[4 + i], a[12 + i], 0xdd);
    }
}

#endif
