/* The clock: additions and exclusive ors in one chain, each needing the result of the one before.
 *
 * Both take one cycle from register to register on every CPU known to us, and neither folds into the other, so a
 * round is two cycles; a multiplication would do as well but takes 3, 4 or 5. */
#include "harness/peaks/peak.h"

enum { STEPS = 16 };

static float run(size_t rounds, void *buffer, size_t bytes)
{
    (void)buffer, (void)bytes;
    uint64_t x = rounds, y = 0x9e3779b97f4a7c15u, z = 0xbf58476d1ce4e5b9u;
    __asm__("" : "+r"(y), "+r"(z)); /* no constants to reason with */
    for (size_t r = 0; r < rounds; r++) {
#pragma GCC unroll 16
        for (int i = 0; i < STEPS; i++) {
            x += y;
            x ^= z;
        }
    }
    return (float)(x >> 40);
}

const peak_set peak_plain = {
    .isa = "integer",
    .work = 2 * STEPS,
    .run = {[PEAK_CLOCK] = run},
};
