/* AMX: eight tiles of 16 rows x 64 bytes. Tests put an emulation of this file in its place.
 *
 *   tile_dp(c, a, b)   c[m][n] += sum over p < 16 of a[m][2p] b[p][2n] + a[m][2p+1] b[p][2n+1]
 *                      c float [16][16]; a, b pairs of bf16. The 32 products of an element are summed in fp32
 *                      from zero, even and odd ones apart, before they join c. To nearest even; subnormals
 *                      are taken for and become zeros, whatever MXCSR says.
 *
 * Assembler, not the compilers' intrinsics: gcc's tile loads do not say that they read memory, so that stores
 * meant for them could move behind them; and where an instruction stands among the others is what the kernel is
 * about. The numbers of tiles are part of the instructions, so these are macros.
 *
 * Source: Intel 64 and IA-32 Architectures Software Developer's Manual, volume 1, chapter 18, and volume 2. */
#ifndef KERNELS_AMX_TILES_H
#define KERNELS_AMX_TILES_H

#include "kernels/simd.h"

enum { TILE_BYTES = 1024, TILE_FLOATS = 256 };

/* `stride`: bytes from one row to the next; 64 where tiles are kept packed. */
#define tile_load_rows(tile, at, stride) \
    __asm__ volatile("tileloadd (%0,%1,1), %%tmm" #tile : : "r"((const void *)(at)), "r"((long)(stride)) : "memory")
#define tile_store_rows(tile, at, stride) \
    __asm__ volatile("tilestored %%tmm" #tile ", (%0,%1,1)" : : "r"((void *)(at)), "r"((long)(stride)) : "memory")
#define tile_load(tile, at) tile_load_rows(tile, at, 64)
#define tile_store(tile, at) tile_store_rows(tile, at, 64)
#define tile_zero(tile) __asm__ volatile("tilezero %%tmm" #tile : :)
#define tile_dp(c, a, b) __asm__ volatile("tdpbf16ps %%tmm" #b ", %%tmm" #a ", %%tmm" #c : :)

/* Palette 1, all eight tiles whole. The layout is architectural: CPUID leaf 0x1D need not be asked. */
INLINE void tiles_open(void)
{
    static const struct {
        uint8_t palette, start_row, reserved[14];
        uint16_t bytes[16];
        uint8_t rows[16];
    } config = {1, 0, {0}, {64, 64, 64, 64, 64, 64, 64, 64}, {16, 16, 16, 16, 16, 16, 16, 16}};
    __asm__ volatile("ldtilecfg %0" : : "m"(config));
}

INLINE void tiles_close(void)
{
    __asm__ volatile("tilerelease" : :);
}

#ifndef TILES_ONLY /* tests have their own vectors */
#include <immintrin.h>

/* To bf16, nearest even, subnormals to zero: lo in words 0..15, hi in 16..31; words without a bit in `keep`
 * become 0. */
INLINE __m512i bf16_pair(__m512 lo, __m512 hi)
{
    return (__m512i)_mm512_cvtne2ps_pbh(hi, lo);
}
INLINE __m512i bf16_pair_kept(uint32_t keep, __m512 lo, __m512 hi)
{
    return (__m512i)_mm512_maskz_cvtne2ps_pbh(keep, hi, lo);
}
INLINE __m256i bf16_half(__m512 x)
{
    return (__m256i)_mm512_cvtneps_pbh(x);
}
#endif

#endif
