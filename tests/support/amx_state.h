/* AMX tiles as arrays, one set for each thread, with functions that do what kernels/amx_tiles.h says of the
 * instructions; and conversions to bf16. */
#ifndef TESTS_SUPPORT_AMX_STATE_H
#define TESTS_SUPPORT_AMX_STATE_H

#include <assert.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "base/float16.h"
#include "support/simde.h"

static _Thread_local struct {
    _Alignas(64) uint8_t tile[8][1024];
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

/* Rows are `stride` bytes apart. */
static inline void emulated_load(unsigned number, const void *at, size_t stride)
{
    assert(amx.open);
    for (size_t r = 0; r < 16; r++)
        memcpy(amx.tile[number] + 64 * r, (const char *)at + stride * r, 64);
}

static inline void emulated_store(unsigned number, void *at, size_t stride)
{
    assert(amx.open);
    for (size_t r = 0; r < 16; r++)
        memcpy((char *)at + stride * r, amx.tile[number] + 64 * r, 64);
}

static inline void emulated_zero(unsigned number)
{
    assert(amx.open);
    memset(amx.tile[number], 0, 1024);
}

static inline void emulated_dp(unsigned to, unsigned left, unsigned right)
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

/* Tiles hold anything but zeros when they are configured. */
static inline void emulated_open(void)
{
    memset(amx.tile, 0xff, sizeof amx.tile);
    amx.open = true;
}

static inline void emulated_close(void)
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
