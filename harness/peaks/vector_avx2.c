/* Vectors of eight floats: AVX2 with FMA. */
#include "harness/peaks/peak.h"

#include "base/cpu.h"

#define PEAK_SYMBOL peak_avx2
#define PEAK_FIELDS .isa = "avx2", .cpu = CPU_AVX2
#if defined(__AVX2__) && defined(__FMA__) && defined(__F16C__)
#include "kernels/simd_avx2.h"
#define CHAINS 12
#include "harness/peaks/vector_body.h"
#else
const peak_set PEAK_SYMBOL = {PEAK_FIELDS, .unbuilt = PEAK_UNBUILT};
#endif
