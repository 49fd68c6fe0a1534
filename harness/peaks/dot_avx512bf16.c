/* Dot products of pairs of bf16 into sixteen floats: AVX512-BF16. The sums grow by 2 / 256 a round: no
 * overflow in years. */
#include "harness/peaks/peak.h"

#include "base/cpu.h"

#define FIELDS .isa = "avx512bf16", .cpu = CPU_AVX512_BF16
#if defined(__AVX512BF16__)
#include <immintrin.h>

enum { LANES = 16, CHAINS = 24 };

static float run(size_t rounds, void *buffer, size_t bytes)
{
    (void)buffer, (void)bytes;
    __m512 a[CHAINS];
    const __m512bh b = (__m512bh)_mm512_set1_epi32(0x3d803d80); /* 1/16 and 1/16 */
#pragma GCC unroll 32
    for (int i = 0; i < CHAINS; i++)
        a[i] = _mm512_set1_ps((float)i);
    for (size_t r = 0; r < rounds; r++) {
#pragma GCC unroll 32
        for (int i = 0; i < CHAINS; i++)
            a[i] = _mm512_dpbf16_ps(a[i], b, b);
    }
#pragma GCC unroll 32
    for (int i = 1; i < CHAINS; i++)
        a[0] = _mm512_add_ps(a[0], a[i]);
    return _mm512_reduce_add_ps(a[0]);
}

const peak_set peak_avx512bf16 = {FIELDS, .work = 2.0 * 2 * LANES * CHAINS, .run = {[PEAK_FMA] = run}};
#else
const peak_set peak_avx512bf16 = {FIELDS, .unbuilt = PEAK_UNBUILT};
#endif
