/* Rows of floats times powers of two, subnormals on either side included, without meeting one in the
 * floating-point unit: their bits are an integer, counting 2^-149. For |shift| <= 126. */
#ifndef KERNELS_SHIFT_H
#define KERNELS_SHIFT_H

#include <stddef.h>
#include <stdint.h>

#include "base/float16.h"

static inline float shift_power(int e) /* 2^e; 0 below the normal range */
{
    return e < -126 ? 0 : float_from_bits((uint32_t)(e + 127) << 23);
}

/* yes where the mask is all ones, else no. */
static inline uint32_t shift_choose(uint32_t mask, uint32_t yes, uint32_t no) { return (yes & mask) | (no & ~mask); }

/* x[i] *= 2^shift; what becomes subnormal may be flushed. */
static inline void shift_in(float *x, size_t count, int shift)
{
    const float normal = shift_power(shift), subnormal = shift_power(shift - 149);
    for (size_t i = 0; i < count; i++) { /* without branches, so that it is vectorised */
        uint32_t bits = float_bits(x[i]), m = bits & 0x7fffffffu;
        uint32_t counted = float_bits((float)(int32_t)m * subnormal), scaled = float_bits(float_from_bits(m) * normal);
        uint32_t y = shift_choose(-(uint32_t)((int32_t)m < 0x00800000), counted, scaled);
        x[i] = float_from_bits(y | (bits & 0x80000000u));
    }
}

/* x[i] *= 2^-shift, rounded once; a finite one stays finite. */
static inline void shift_out(float *x, size_t count, int shift)
{
    const float normal = shift_power(-shift), ulps = shift < 0 ? 0 : shift_power(49 - shift);
    const int32_t least = (int32_t)float_bits(shift_power(shift - 126)), most = 0x7f7fffff; /* FLT_MAX */
    for (size_t i = 0; i < count; i++) {
        uint32_t bits = float_bits(x[i]), m = bits & 0x7fffffffu;
        /* In units of 2^-149 below 2^23: added to 2^23 it is rounded, and its bits count. */
        uint32_t counted = float_bits(float_from_bits(m) * 0x1p100f * ulps + 0x1p23f) - 0x4b000000u;
        int32_t scaled = (int32_t)float_bits(float_from_bits(m) * normal);
        scaled = scaled < most ? scaled : most;
        uint32_t y = shift_choose(-(uint32_t)((int32_t)m < least), counted, (uint32_t)scaled);
        y = shift_choose(-(uint32_t)((int32_t)m > most), m, y);
        x[i] = float_from_bits(y | (bits & 0x80000000u));
    }
}

#endif
