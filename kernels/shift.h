/* Rows of floats times powers of two, subnormals on either side included, without meeting one in the
 * floating-point unit: their bits are an integer, counting 2^-149. For |shift| <= 126. */
#ifndef KERNELS_SHIFT_H
#define KERNELS_SHIFT_H

#include <float.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>

#include "base/float16.h"

static inline float shift_power(int e) /* 2^e; 0 below the normal range */
{
    return e < -126 ? 0 : float_from_bits((uint32_t)(e + 127) << 23);
}

/* x[i] *= 2^shift; what becomes subnormal may be flushed. */
static inline void shift_in(float *x, size_t count, int shift)
{
    const float normal = shift_power(shift), subnormal = shift_power(shift - 149);
    for (size_t i = 0; i < count; i++) {
        uint32_t bits = float_bits(x[i]), m = bits & 0x7fffffffu;
        float y = m < 0x00800000u ? (float)(int32_t)m * subnormal : float_from_bits(m) * normal;
        x[i] = float_from_bits(float_bits(y) | (bits & 0x80000000u));
    }
}

/* x[i] *= 2^-shift, rounded once; a finite one stays finite. */
static inline void shift_out(float *x, size_t count, int shift)
{
    const float normal = shift_power(-shift), least = shift_power(shift - 126);
    const double steps = ldexp(1, 149 - shift);
    for (size_t i = 0; i < count; i++) {
        float m = fabsf(x[i]);
        uint32_t sign = float_bits(x[i]) & 0x80000000u;
        if (m < least)
            m = float_from_bits((uint32_t)lrint((double)m * steps));
        else if (m <= FLT_MAX)
            m = fminf(m * normal, FLT_MAX);
        x[i] = float_from_bits(float_bits(m) | sign);
    }
}

#endif
