/* SIMDe's functions under the names of the intrinsics, and what SIMDe 0.7.4 lacks. */
#ifndef TESTS_SUPPORT_SIMDE_H
#define TESTS_SUPPORT_SIMDE_H

#define SIMDE_ENABLE_NATIVE_ALIASES
#include <simde/x86/avx512.h>
#include <simde/x86/f16c.h>

#ifndef __mmask16
#define __mmask16 simde__mmask16
#endif
#ifndef _MM_FROUND_TO_NEG_INF
#define _MM_FROUND_TO_NEG_INF 1
#define _MM_FROUND_NO_EXC 8
#endif

/* VREDUCEPS rounding down: x - floor(x). */
static inline __m512 emulated_reduce(__m512 x)
{
    return _mm512_sub_ps(x, _mm512_floor_ps(x));
}
#define _mm512_reduce_ps(x, rounding) emulated_reduce(x)

#ifndef _mm512_shuffle_f32x4
#define _mm512_shuffle_f32x4(a, b, lanes) \
    _mm512_castsi512_ps(_mm512_shuffle_i32x4(_mm512_castps_si512(a), _mm512_castps_si512(b), lanes))
#endif

#endif
