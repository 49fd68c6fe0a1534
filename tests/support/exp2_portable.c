#include "support/exp2_instances.h"

#include "kernels/simd_portable.h"

DEFINE_EXP2(exp2_portable);
