/* From the softmax's reference and sum to the log of the sum of exp. */
#ifndef KERNELS_LOG_SUM_EXP_H
#define KERNELS_LOG_SUM_EXP_H

#include "kernels/simd.h"

#define LN_2 0.6931471805599453

/* lse = spread * reference * ln 2 + ln(sum) for `count` rows with positive finite sums; the others are not used.
 * sum = 2^e m with m in [0.7, 1.41); ln m = 2 atanh(z), z = (m - 1) / (m + 1), |z| < 0.172: the series to z^11
 * leaves 2e-11. In double, so that only the result is rounded; without branches, so that it is vectorised. */
INLINE void log_sum_exp(uint32_t count, const float *minus_reference, float spread, const float *sum, float *lse)
{
    for (uint32_t i = 0; i < count; i++) {
        int32_t bits = (int32_t)float_bits(sum[i]), e = (bits - 0x3f3504f3) >> 23;
        double m = (double)float_from_bits((uint32_t)bits - ((uint32_t)e << 23));
        double z = (m - 1) / (m + 1), y = z * z;
        double log_m = 2 * z * (1 + y * (1. / 3 + y * (1. / 5 + y * (1. / 7 + y * (1. / 9 + y * (1. / 11))))));
        lse[i] = (float)(((double)e - (double)spread * (double)minus_reference[i]) * LN_2 + log_m);
    }
}

#endif
