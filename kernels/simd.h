/* What every vector header shares: names, and the constants of exp2.
 *
 * A vector header (simd_NAME.h) defines, for the body in forward_body.h,
 *
 *   LANES, VECTORS, KEYS     the geometry: scores accumulate in KEYS x VECTORS vectors
 *   FOR_VECTORS              F(1) ... F(VECTORS)
 *   WIDTHS_1, _2, ...        F(vectors, columns) of o that accumulate at once, widest first, down to one
 *   vf                       a vector of LANES floats, and the functions vf_* on it
 *   vf_stream, vf_stream_end a store past the caches, to an address for vf_store; and all of them seen by other threads
 *   vf_exp2, vf_exp2_each    exp2 of one vector, of FLIGHT at most
 *   vf_transpose             LANES x LANES in registers
 *   widen_*, narrow_*        arrays of 16-bit floats to float and back
 *
 * exp2(x), within 1.6 ulp: x = n + f, 2^f by a polynomial, times 2^n.
 *   - NaN stays NaN and +inf does not turn into something small: callers look for both in sums.
 *   - Below EXP2_ZERO the result is 0. Sums that matter are at least 2^-32 (see forward_body.h), so what is
 *     dropped is below 2^-68 of them, and no weight is ever subnormal (slow on many CPUs). */
#ifndef KERNELS_SIMD_H
#define KERNELS_SIMD_H

#include <stddef.h>
#include <stdint.h>

#include "base/float16.h"

#ifndef INLINE /* an emulation may want neither: it would take minutes to compile */
#define INLINE static inline __attribute__((always_inline))
#if defined(__clang__)
#define UNROLL _Pragma("unroll")
#define UNROLL_4 /* clang unrolls by itself, and what it is told to unroll here it spills */
#else
#define UNROLL _Pragma("GCC unroll 16")
#define UNROLL_4 _Pragma("GCC unroll 4")
#endif
#endif

/* An unrolled loop over x < n, for n known only once the function is inlined: clang optimises a function
 * before it inlines it, and must not meet a loop of unknown length there. */
#define EACH(x, n, most) UNROLL for (uint32_t x = 0; x < (most); x++) if (x < (n))

/* Vectors whose exp2 is computed stage by stage: one after the other, the stages that wait for each other
 * would fill the CPU's scheduler. */
enum { FLIGHT = 4 };
#define STAGE EACH(i, n, FLIGHT)

/* Minimax for 2^f / relative error, |f| <= 1/2, with the constant fixed at 1: error 1.07e-7 (Remez and
 * iterated weighted least squares; coefficients rounded to float). */
#define EXP2_0 1.0f
#define EXP2_1 6.931470037e-01f
#define EXP2_2 2.402224243e-01f
#define EXP2_3 5.550734326e-02f
#define EXP2_4 9.671541862e-03f
#define EXP2_5 1.326464000e-03f
/* x + this leaves n + 127, rounded to nearest, in the low bits: shifted by 23 they are the float 2^n. */
#define EXP2_MAGIC (0x1.8p23f + 127)
#define EXP2_ZERO (-100.0f)

#endif
