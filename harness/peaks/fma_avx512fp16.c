/* Multiply-adds of thirty-two 16-bit floats: AVX512-FP16. The chains converge to 1, as those of vector_body.h. */
#include "harness/peaks/peak.h"

#include "base/cpu.h"

#define FIELDS .isa = "avx512fp16", .cpu = CPU_AVX512_FP16
#if defined(__AVX512FP16__)
#include <immintrin.h>

enum { LANES = 32, CHAINS = 24 };

static float run(size_t rounds, void *buffer, size_t bytes)
{
    (void)buffer, (void)bytes;
    __m512h a[CHAINS];
    const __m512h b = (__m512h)_mm512_set1_epi16(0x3800), c = b; /* 1/2; ISO C has no name for the type */
#pragma GCC unroll 32
    for (int i = 0; i < CHAINS; i++)
        a[i] = (__m512h)_mm512_set1_epi16((short)(0x4000 + i));
    for (size_t r = 0; r < rounds; r++) {
#pragma GCC unroll 32
        for (int i = 0; i < CHAINS; i++)
            a[i] = _mm512_fmadd_ph(a[i], b, c);
    }
#pragma GCC unroll 32
    for (int i = 1; i < CHAINS; i++)
        a[0] = _mm512_add_ph(a[0], a[i]);
    return _mm512_reduce_add_ps(_mm512_cvtph_ps(_mm512_castsi512_si256((__m512i)a[0])));
}

const peak_set peak_avx512fp16 = {FIELDS, .work = 2.0 * LANES * CHAINS, .run = {[PEAK_FMA] = run}};
#else
const peak_set peak_avx512fp16 = {FIELDS, .unbuilt = PEAK_UNBUILT};
#endif
