/* Philox4x32-10 and normal variates.
 *
 * Philox: ten rounds of two 32x32 -> 64 bit products on a 128-bit counter (x0 x1 = index, x2 x3 = stream);
 * the key starts as the seed and is bumped by Weyl constants each round. [salmon2011], table 2.
 *
 * Normal variates: for u, w uniform, r = sqrt(-2 ln u), the pair (r cos 2 pi w, r sin 2 pi w) is standard
 * normal. Everything is fp32 sums, products, quotients and square roots, which IEEE 754 rounds the same
 * everywhere (contraction is off in the whole build), and branch-free, so that the loop over blocks is
 * vectorised. The approximations are Taylor sections whose first omitted term is below an ulp. */
#include "base/rng.h"

#include <math.h>
#include <string.h>

enum { ROUNDS = 10 };

static inline void philox(uint32_t x[4], uint32_t k0, uint32_t k1)
{
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t a = UINT64_C(0xd2511f53) * x[0], b = UINT64_C(0xcd9e8d57) * x[2];
        uint32_t x0 = (uint32_t)(b >> 32) ^ x[1] ^ k0, x2 = (uint32_t)(a >> 32) ^ x[3] ^ k1;
        x[0] = x0;
        x[1] = (uint32_t)b;
        x[2] = x2;
        x[3] = (uint32_t)a;
        k0 += UINT32_C(0x9e3779b9);
        k1 += UINT32_C(0xbb67ae85);
    }
}

static inline void block(uint64_t seed, uint64_t stream, uint64_t index, uint32_t x[4])
{
    x[0] = (uint32_t)index;
    x[1] = (uint32_t)(index >> 32);
    x[2] = (uint32_t)stream;
    x[3] = (uint32_t)(stream >> 32);
    philox(x, (uint32_t)seed, (uint32_t)(seed >> 32));
}

void rng_block(uint64_t seed, uint64_t stream, uint64_t index, uint32_t out[4])
{
    block(seed, stream, index, out);
}

rng rng_split(const rng *parent, uint64_t part)
{
    uint64_t gamma = UINT64_C(0x9e3779b97f4a7c15); /* 2^64 / golden ratio: the increment of SplitMix64 */
    uint64_t stream = rng_mix(rng_mix(parent->stream + gamma) + gamma * (part + 1));
    return rng_make(parent->seed, stream);
}

uint64_t rng_next(rng *r)
{
    uint32_t x[4];
    block(r->seed, r->stream, r->index++, x);
    return (uint64_t)x[1] << 32 | x[0];
}

double rng_uniform(rng *r)
{
    return (double)(rng_next(r) >> 11) * 0x1p-53;
}

uint64_t rng_below(rng *r, uint64_t bound)
{
    uint64_t reject = -bound % bound; /* 2^64 mod bound: this many values would be favoured */
    uint64_t x;
    do
        x = rng_next(r);
    while (x < reject);
    return x % bound;
}

/* ln u for u = (x + 1/2) 2^-32. u = 2^e m with m in [sqrt(1/2), sqrt(2)), ln m = 2 artanh(t), t =
 * (m-1)/(m+1), |t| <= 0.1716: the first omitted term, 2 t^9 / 9, is below 3e-8. */
static inline float log_unit(uint32_t x)
{
    float u = ((float)(int32_t)(x >> 8) + (float)(int32_t)(x & 255) * 0x1p-8f + 0x1p-9f) * 0x1p-24f;
    uint32_t bits;
    memcpy(&bits, &u, sizeof bits);
    uint32_t shifted = bits - UINT32_C(0x3f3504f3); /* sqrt(1/2) */
    int32_t e = (int32_t)shifted >> 23;
    bits = (shifted & UINT32_C(0x007fffff)) + UINT32_C(0x3f3504f3);
    float m;
    memcpy(&m, &bits, sizeof m);
    float t = (m - 1) / (m + 1), t2 = t * t;
    float series = 1 + t2 * (1.0f / 3 + t2 * (1.0f / 5 + t2 * (1.0f / 7)));
    return (float)e * 0.693147181f + 2 * t * series;
}

/* The sine and cosine of 2 pi w, w = x 2^-32: the top two bits choose the quadrant, the rest is an angle
 * a in [-pi/4, pi/4); first omitted terms a^9/9! < 4e-7 relative to 1 and a^10/10! < 3e-8. */
static inline void sincos_turn(uint32_t x, float *sine, float *cosine)
{
    uint32_t quadrant = (x + (UINT32_C(1) << 29)) >> 30;
    int32_t rest = (int32_t)(x - (quadrant << 30)); /* [-2^29, 2^29) */
    float a = (float)rest * 1.46291808e-9f;         /* 2 pi / 2^32 */
    float a2 = a * a;
    float s = a * (1 + a2 * (-1.0f / 6 + a2 * (1.0f / 120 + a2 * (-1.0f / 5040 + a2 * (1.0f / 362880)))));
    float c = 1 + a2 * (-0.5f + a2 * (1.0f / 24 + a2 * (-1.0f / 720 + a2 * (1.0f / 40320))));
    float swapped_s = quadrant & 1 ? c : s, swapped_c = quadrant & 1 ? s : c;
    *sine = quadrant & 2 ? -swapped_s : swapped_s;
    *cosine = (quadrant + 1) & 2 ? -swapped_c : swapped_c;
}

static inline void normal_pair(uint32_t x, uint32_t y, float *a, float *b)
{
    float radius = sqrtf(-2 * log_unit(x)), sine, cosine;
    sincos_turn(y, &sine, &cosine);
    *a = radius * cosine;
    *b = radius * sine;
}

float rng_normal(rng *r)
{
    uint32_t x[4];
    float a, b;
    block(r->seed, r->stream, r->index++, x);
    normal_pair(x[0], x[1], &a, &b);
    return a;
}

enum { CHUNK = 64 }; /* blocks at a time: their state stays in L1 and the loops are long enough for vectors */

/* The variates of blocks [first, first + CHUNK): lane-major within, so that each loop is plain arrays. */
static void normal_chunk(uint64_t seed, uint64_t stream, uint64_t first, float out[CHUNK * 4])
{
    uint32_t x0[CHUNK], x1[CHUNK], x2[CHUNK], x3[CHUNK];
    for (size_t e = 0; e < CHUNK; e++) {
        uint32_t x[4];
        block(seed, stream, first + e, x);
        x0[e] = x[0];
        x1[e] = x[1];
        x2[e] = x[2];
        x3[e] = x[3];
    }
    float a[CHUNK], b[CHUNK], c[CHUNK], d[CHUNK];
    for (size_t e = 0; e < CHUNK; e++)
        normal_pair(x0[e], x1[e], &a[e], &b[e]);
    for (size_t e = 0; e < CHUNK; e++)
        normal_pair(x2[e], x3[e], &c[e], &d[e]);
    for (size_t e = 0; e < CHUNK; e++) {
        out[e * 4] = a[e];
        out[e * 4 + 1] = b[e];
        out[e * 4 + 2] = c[e];
        out[e * 4 + 3] = d[e];
    }
}

void rng_normal_fill(uint64_t seed, uint64_t stream, uint64_t first, size_t count, float *out)
{
    float chunk[CHUNK * 4];
    uint64_t index = first / 4;
    size_t skip = (size_t)(first % 4);
    while (count > 0) {
        normal_chunk(seed, stream, index, chunk);
        size_t part = CHUNK * 4 - skip < count ? CHUNK * 4 - skip : count;
        memcpy(out, chunk + skip, part * sizeof *out);
        out += part;
        count -= part;
        index += CHUNK;
        skip = 0;
    }
}
