/* bfloat16 and IEEE binary16 as bit patterns, to and from float. Rounding is to nearest, ties to even;
 * NaN stays NaN (made quiet), infinities and signed zeros stay, subnormals are kept. */
#ifndef BASE_FLOAT16_H
#define BASE_FLOAT16_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint32_t float_bits(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static inline float float_from_bits(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static inline float f32_from_bf16(uint16_t h) { return float_from_bits((uint32_t)h << 16); }

static inline uint16_t bf16_from_f32(float x)
{
    uint32_t bits = float_bits(x);
    if ((bits & 0x7fffffffu) > 0x7f800000u)
        return (uint16_t)(bits >> 16 | 0x40u);
    return (uint16_t)((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
}

static inline float f32_from_f16(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000u) << 16, magnitude = h & 0x7fffu;
    if (magnitude >= 0x7c00u) /* infinity, NaN */
        return float_from_bits(sign | 0x7f800000u | (magnitude & 0x3ffu) << 13 | (magnitude > 0x7c00u ? 0x400000u : 0));
    if (magnitude >= 0x400u) /* normal: rebias 15 to 127 */
        return float_from_bits(sign | ((magnitude << 13) + (112u << 23)));
    float tiny = (float)magnitude * 0x1p-24f;
    return sign ? -tiny : tiny;
}

static inline uint16_t f16_from_f32(float x)
{
    uint32_t bits = float_bits(x), sign = bits >> 16 & 0x8000u, magnitude = bits & 0x7fffffffu;
    if (magnitude > 0x7f800000u)
        return (uint16_t)(sign | 0x7e00u | (magnitude >> 13 & 0x3ffu));
    if (magnitude >= 0x477ff000u) /* 65520 and above round to infinity */
        return (uint16_t)(sign | 0x7c00u);
    if (magnitude >= 0x38800000u) /* 2^-14 and above: normal */
        return (uint16_t)(sign | (magnitude - (112u << 23) + 0xfffu + (magnitude >> 13 & 1u)) >> 13);
    /* Subnormal: adding 0.5 leaves the value in units of 2^-24, rounded, in the low bits. */
    return (uint16_t)(sign | (float_bits(float_from_bits(magnitude) + 0.5f) - 0x3f000000u));
}

/* Whole arrays; dst and src do not overlap. */
void f32_from_bf16_array(float *dst, const uint16_t *src, size_t count);
void f32_from_f16_array(float *dst, const uint16_t *src, size_t count);
void bf16_from_f32_array(uint16_t *dst, const float *src, size_t count);
void f16_from_f32_array(uint16_t *dst, const float *src, size_t count);

#endif
