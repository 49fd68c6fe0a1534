/* Subnormal operands and results as zeros, while a kernel computes.
 *
 * A multiply-add that meets a subnormal takes 150 cycles and more on many x86 CPUs. Kernels therefore flush them
 * where they cannot matter, and scale what is small as a whole (see facts.h). */
#ifndef KERNELS_FLUSH_H
#define KERNELS_FLUSH_H

#if defined(__SSE__)
#include <xmmintrin.h>
#define FLUSH_BITS 0x8040u /* MXCSR: flush to zero, denormals are zeros */
static inline unsigned flush_set(unsigned bits)
{
    unsigned before = _mm_getcsr();
    _mm_setcsr((before & ~FLUSH_BITS) | bits);
    return before & FLUSH_BITS;
}
#else /* others compute subnormals at full speed, or nearly */
#define FLUSH_BITS 0u
static inline unsigned flush_set(unsigned bits) { return bits; }
#endif

/* Begins and ends flushing in this thread, or an exception to it; both return what flush_end() restores. */
static inline unsigned flush_begin(void) { return flush_set(FLUSH_BITS); }
static inline unsigned flush_pause(void) { return flush_set(0); }
static inline void flush_end(unsigned before) { (void)flush_set(before); }

#endif
