/* Vectors of four floats in the compilers' own vector extension: any architecture gcc or clang knows.
 * Multiply and add round separately. */
#ifndef KERNELS_SIMD_PORTABLE_H
#define KERNELS_SIMD_PORTABLE_H

#include <string.h>

#include "kernels/simd.h"

#define LANES 4
#define VECTORS 2
#define KEYS 4
#define FOR_VECTORS(F) F(1) F(2)
#define WIDTHS_1(F) F(1, 8) F(1, 4) F(1, 2) F(1, 1)
#define WIDTHS_2(F) F(2, 4) F(2, 2) F(2, 1)

typedef float vf __attribute__((vector_size(16)));
typedef uint32_t vu __attribute__((vector_size(16)));

INLINE vf vf_set1(float x) { return (vf){x, x, x, x}; }
INLINE vf vf_load(const float *at) { return *(const vf *)(const void *)at; }
INLINE vf vf_loadu(const float *at)
{
    vf x;
    memcpy(&x, at, sizeof x);
    return x;
}
INLINE void vf_store(float *at, vf x) { *(vf *)(void *)at = x; }
INLINE void vf_storeu(float *at, vf x) { memcpy(at, &x, sizeof x); }
INLINE void vf_stream(float *at, vf x) { vf_storeu(at, x); }
INLINE void vf_stream_end(void) {}
INLINE vf vf_add(vf a, vf b) { return a + b; }
INLINE vf vf_mul(vf a, vf b) { return a * b; }
INLINE vf vf_div(vf a, vf b) { return a / b; }
INLINE vf vf_fma(vf a, vf b, vf c) { return a * b + c; }
INLINE vf vf_abs(vf x) { return (vf)((vu)x & 0x7fffffffu); }
INLINE vf vf_choose(vu yes, vf a, vf b) { return (vf)((yes & (vu)a) | (~yes & (vu)b)); }
INLINE vf vf_max(vf a, vf b) { return vf_choose((vu)(a > b), a, b); }

INLINE vu vu_lanes(uint32_t bits)
{
    const vu lane = {1, 2, 4, 8};
    return (vu)((bits & lane) != 0);
}
/* x where the lane's bit is set, else 0; else y. */
INLINE vf vf_keep(vf x, uint32_t bits) { return (vf)((vu)x & vu_lanes(bits)); }
INLINE vf vf_select(uint32_t bits, vf x, vf y) { return vf_choose(vu_lanes(bits), x, y); }

INLINE uint32_t vu_bits(vu x) { return (x[0] & 1) | (x[1] & 2) | (x[2] & 4) | (x[3] & 8); }
/* Bit per lane where a <= b, a >= b; false for NaN. */
INLINE uint32_t vf_le(vf a, vf b) { return vu_bits((vu)(a <= b)); }
INLINE uint32_t vf_ge(vf a, vf b) { return vu_bits((vu)(a >= b)); }

/* 2^x; see simd.h. */
INLINE void vf_exp2_each(vf *x, const uint32_t n)
{
    vf t[FLIGHT], f[FLIGHT];
    STAGE x[i] = vf_choose((vu)(x[i] > 127), vf_set1(127), vf_choose((vu)(x[i] < -127), vf_set1(-127), x[i]));
    STAGE t[i] = x[i] + EXP2_MAGIC;
    STAGE f[i] = x[i] - (t[i] - EXP2_MAGIC);
    STAGE x[i] = EXP2_5 * f[i] + EXP2_4;
    STAGE x[i] = x[i] * f[i] + EXP2_3;
    STAGE x[i] = x[i] * f[i] + EXP2_2;
    STAGE x[i] = x[i] * f[i] + EXP2_1;
    STAGE x[i] = x[i] * f[i] + EXP2_0;
    STAGE x[i] = x[i] * (vf)((vu)t[i] << 23);
}

INLINE vf vf_exp2(vf x)
{
    vf_exp2_each(&x, 1);
    return x;
}

INLINE void vf_transpose(vf r[LANES])
{
    vf a = __builtin_shufflevector(r[0], r[1], 0, 4, 1, 5), b = __builtin_shufflevector(r[2], r[3], 0, 4, 1, 5);
    vf c = __builtin_shufflevector(r[0], r[1], 2, 6, 3, 7), d = __builtin_shufflevector(r[2], r[3], 2, 6, 3, 7);
    r[0] = __builtin_shufflevector(a, b, 0, 1, 4, 5);
    r[1] = __builtin_shufflevector(a, b, 2, 3, 6, 7);
    r[2] = __builtin_shufflevector(c, d, 0, 1, 4, 5);
    r[3] = __builtin_shufflevector(c, d, 2, 3, 6, 7);
}

INLINE void widen_bf16(float *dst, const uint16_t *src, size_t count)
{
    for (size_t i = 0; i < count; i++)
        dst[i] = f32_from_bf16(src[i]);
}

INLINE void widen_f16(float *dst, const uint16_t *src, size_t count)
{
    for (size_t i = 0; i < count; i++)
        dst[i] = f32_from_f16(src[i]);
}

INLINE void narrow_bf16(uint16_t *dst, const float *src, size_t count)
{
    for (size_t i = 0; i < count; i++)
        dst[i] = bf16_from_f32(src[i]);
}

INLINE void narrow_f16(uint16_t *dst, const float *src, size_t count)
{
    for (size_t i = 0; i < count; i++)
        dst[i] = f16_from_f32(src[i]);
}

#endif
