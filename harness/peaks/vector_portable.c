/* Vectors of four floats in portable C: a multiplication and an addition where the target has no FMA. */
#include "harness/peaks/peak.h"

#include "kernels/simd_portable.h"

#define PEAK_SYMBOL peak_portable
#define PEAK_FIELDS .isa = "portable"
#define CHAINS 13 /* with b and c, 15 of 16 registers */
#include "harness/peaks/vector_body.h"
