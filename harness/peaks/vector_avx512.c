/* Vectors of sixteen floats: AVX-512. */
#include "harness/peaks/peak.h"

#include "base/cpu.h"

#define PEAK_SYMBOL peak_avx512
#define PEAK_FIELDS .isa = "avx512", .cpu = CPU_AVX512
#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512DQ__) && defined(__AVX512VL__)
#include "kernels/simd_avx512.h"
#define CHAINS 24
#include "harness/peaks/vector_body.h"
#else
const peak_set PEAK_SYMBOL = {PEAK_FIELDS, .unbuilt = PEAK_UNBUILT};
#endif
