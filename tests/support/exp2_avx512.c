#include "support/exp2_instances.h"

#ifdef __AVX512F__
#include "kernels/simd_avx512.h"
DEFINE_EXP2(exp2_avx512);
#else
exp2_array *const exp2_avx512 = NULL;
#endif
