#include "support/exp2_instances.h"

#ifdef __AVX2__
#include "kernels/simd_avx2.h"
DEFINE_EXP2(exp2_avx2);
#else
exp2_array *const exp2_avx2 = NULL;
#endif
