/* exp2 for weights that are rounded to bf16 at once: f = x - floor(x), 2^f by the minimax cubic (Remez, coefficients rounded to
 * float; error 7.5e-5), times 2^floor(x). Rounding to bf16 errs by up to 3.9e-3, so the cubic is a fiftieth of what is there
 * anyway. */
#ifndef KERNELS_EXP2_CUBIC_H
#define KERNELS_EXP2_CUBIC_H

#define EXP2_CUBIC_0 9.999251962e-01f
#define EXP2_CUBIC_1 6.958335638e-01f
#define EXP2_CUBIC_2 2.260671556e-01f
#define EXP2_CUBIC_3 7.802452147e-02f

#endif
