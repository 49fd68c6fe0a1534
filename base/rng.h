/* Random numbers that are a pure function of (seed, stream, index): the same on every machine, for any number
 * of threads and in any order of asking.
 *
 * Philox4x32-10 [salmon2011]: the block at (stream, index) is a keyed bijection of the 128-bit counter, the
 * seed being the key, so distinct streams and indices never share a block. */
#ifndef BASE_RNG_H
#define BASE_RNG_H

#include <stddef.h>
#include <stdint.h>

typedef struct rng {
    uint64_t seed, stream;
    uint64_t index; /* the block drawn next */
} rng;

static inline rng rng_make(uint64_t seed, uint64_t stream)
{
    return (rng){.seed = seed, .stream = stream};
}

/* An independent generator for part `part` of the work of `parent`: its stream is a hash of the parent's
 * stream and the part. The parent does not move. */
rng rng_split(const rng *parent, uint64_t part);

/* The block at an index, 128 random bits. */
void rng_block(uint64_t seed, uint64_t stream, uint64_t index, uint32_t out[4]);

/* One after the other; each draw takes one block. */
uint64_t rng_next(rng *r);
double rng_uniform(rng *r);                  /* [0, 1), a multiple of 2^-53 */
uint64_t rng_below(rng *r, uint64_t bound);  /* [0, bound), without bias; bound >= 1 */
float rng_normal(rng *r);                    /* N(0,1), see below */

/* out[e] = the normal variate number first + e of the stream, for e < count. Four variates share a block, by
 * Box and Muller's transform [box1958] in fp32 with this file's own logarithm and cosine, so that no libm
 * decides a bit. Magnitudes end at 6.8 (the transform of 2^-33). */
void rng_normal_fill(uint64_t seed, uint64_t stream, uint64_t first, size_t count, float *out);

/* The finalizer of SplitMix64 [steele2014]: a bijection of 64 bits that mixes well; for hashing. */
static inline uint64_t rng_mix(uint64_t x)
{
    x ^= x >> 30;
    x *= UINT64_C(0xbf58476d1ce4e5b9);
    x ^= x >> 27;
    x *= UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

#endif
