/* AMX tiles as arrays, one set for each thread, under the names of kernels/amx_tiles.h, whose comment says what
 * they do; and conversions to bf16. Include support/simde.h first. */
#ifndef TESTS_SUPPORT_AMX_EMULATED_H
#define TESTS_SUPPORT_AMX_EMULATED_H

#include <assert.h>
#include <math.h>
#include <string.h>

#include "base/float16.h"
#include "support/simde.h"

enum { TILE_ROWS = 16, TILE_BYTES = 1024, TILE_FLOATS = 256 };

static _Thread_local struct {
    _Alignas(64) uint8_t tile[8][TILE_BYTES];
    bool open; /* configured */
} amx;

/* Subnormals become zeros of their sign. */
static inline float emulated_flush(float x)
{
    return fabsf(x) < 0x1p-126f ? copysignf(0, x) : x;
}

/* a * b + c: the product is exact in double; the sum is rounded twice, which matters once in 2^29. */
static inline float emulated_fma(float a, float b, float c)
{
    return emulated_flush((float)((double)a * (double)b + (double)c));
}

static inline void tile_load_(unsigned number, const void *at)
{
    assert(amx.open);
    memcpy(amx.tile[number], at, TILE_BYTES);
}

static inline void tile_store_(unsigned number, void *at)
{
    assert(amx.open);
    memcpy(at, amx.tile[number], TILE_BYTES);
}

static inline void tile_zero_(unsigned number)
{
    assert(amx.open);
    memset(amx.tile[number], 0, TILE_BYTES);
}

static inline void tile_dp_(unsigned to, unsigned left, unsigned right)
{
    float c[16][16];
    uint16_t a[16][32], b[16][32];
    assert(amx.open);
    memcpy(c, amx.tile[to], sizeof c);
    memcpy(a, amx.tile[left], sizeof a);
    memcpy(b, amx.tile[right], sizeof b);
    for (int m = 0; m < 16; m++) {
        float even[16] = {0}, odd[16] = {0};
        for (int p = 0; p < 16; p++) {
            float a0 = emulated_flush(f32_from_bf16(a[m][2 * p])), a1 = emulated_flush(f32_from_bf16(a[m][2 * p + 1]));
            for (int n = 0; n < 16; n++) {
                even[n] = emulated_fma(a0, emulated_flush(f32_from_bf16(b[p][2 * n])), even[n]);
                odd[n] = emulated_fma(a1, emulated_flush(f32_from_bf16(b[p][2 * n + 1])), odd[n]);
            }
        }
        for (int n = 0; n < 16; n++)
            c[m][n] = emulated_flush(emulated_flush(c[m][n]) + emulated_flush(even[n] + odd[n]));
    }
    memcpy(amx.tile[to], c, sizeof c);
}

#define tile_load(tile, at) tile_load_(tile, at)
#define tile_store(tile, at) tile_store_(tile, at)
#define tile_zero(tile) tile_zero_(tile)
#define tile_dp(c, a, b) tile_dp_(c, a, b)

/* Tiles hold anything but zeros when they are configured. */
static inline void tiles_open(void)
{
    memset(amx.tile, 0xff, sizeof amx.tile);
    amx.open = true;
}

static inline void tiles_close(void)
{
    amx.open = false;
}

static inline uint16_t emulated_bf16(float x)
{
    return bf16_from_f32(emulated_flush(x));
}

static inline __m512i bf16_pair_kept(uint32_t keep, __m512 lo, __m512 hi)
{
    float x[32];
    uint16_t h[32];
    _mm512_storeu_ps(x, lo);
    _mm512_storeu_ps(x + 16, hi);
    for (int i = 0; i < 32; i++)
        h[i] = keep >> i & 1 ? emulated_bf16(x[i]) : 0;
    return _mm512_loadu_si512(h);
}

static inline __m512i bf16_pair(__m512 lo, __m512 hi)
{
    return bf16_pair_kept(UINT32_MAX, lo, hi);
}

static inline __m256i bf16_half(__m512 x)
{
    return _mm512_castsi512_si256(bf16_pair(x, x));
}

#endif
