/* exp2 of every vector header, over an array: NULL where this build or CPU has not got it. */
#ifndef TESTS_SUPPORT_EXP2_INSTANCES_H
#define TESTS_SUPPORT_EXP2_INSTANCES_H

#include <stddef.h>

typedef void exp2_array(float *x, size_t count); /* in place; count a multiple of 16, x 64-byte aligned */

extern exp2_array *const exp2_portable, *const exp2_avx2, *const exp2_avx512, *const exp2_emulated;

#define DEFINE_EXP2(name) \
    static void name##_over(float *x, size_t count) \
    { \
        for (size_t i = 0; i < count; i += LANES) \
            vf_store(x + i, vf_exp2(vf_load(x + i))); \
    } \
    exp2_array *const name = name##_over

#endif
