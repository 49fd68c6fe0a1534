/* Products of 16 x 32 by 32 x 16 tiles of bf16 into 16 x 16 floats: AMX. Two tiles by two, as a matrix product has
 * them, with no loads: four accumulators are enough to hide the 52 cycles of one, since one starts in 16.
 *
 * Source: Intel SDM volume 1, chapter 18; the layout of the configuration is that of LDTILECFG. */
#include "harness/peaks/peak.h"

#include "base/cpu.h"

#define FIELDS .isa = "amx", .cpu = CPU_AMX
#if defined(__AMX_BF16__) || defined(__AMXBF16__) /* as gcc and as older clang say it */
#include <immintrin.h>

enum { ROWS = 16, ROW_BYTES = 64, TILES = 8, PRODUCTS = 4 };

typedef struct configuration {
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
} configuration;

static const char *permit(void)
{
    return cpu_ask_for_tiles() ? NULL : "the operating system lets this process have no tiles (arch_prctl)";
}

static float run(size_t rounds, void *buffer, size_t bytes)
{
    (void)buffer, (void)bytes;
    _Alignas(64) configuration tiles = {.palette = 1};
    _Alignas(64) uint16_t source[ROWS * ROW_BYTES / 2];
    _Alignas(64) float sums[ROWS * ROW_BYTES / 4];
    for (int t = 0; t < TILES; t++) {
        tiles.row_bytes[t] = ROW_BYTES;
        tiles.rows[t] = ROWS;
    }
    for (size_t i = 0; i < sizeof source / sizeof *source; i++)
        source[i] = 0x3d80; /* 1/16: a sum grows by 1/8 a round */
    _tile_loadconfig(&tiles);
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    _tile_loadd(4, source, ROW_BYTES);
    _tile_loadd(5, source, ROW_BYTES);
    _tile_loadd(6, source, ROW_BYTES);
    _tile_loadd(7, source, ROW_BYTES);
    for (size_t r = 0; r < rounds; r++) {
        _tile_dpbf16ps(0, 4, 6);
        _tile_dpbf16ps(1, 4, 7);
        _tile_dpbf16ps(2, 5, 6);
        _tile_dpbf16ps(3, 5, 7);
    }
    float sum = 0;
    _tile_stored(0, sums, ROW_BYTES);
    sum += sums[0];
    _tile_stored(1, sums, ROW_BYTES);
    sum += sums[1];
    _tile_stored(2, sums, ROW_BYTES);
    sum += sums[2];
    _tile_stored(3, sums, ROW_BYTES);
    sum += sums[3];
    _tile_release();
    return sum;
}

const peak_set peak_amx = {
    FIELDS, .permit = permit, .work = 2.0 * PRODUCTS * 16 * 16 * 32, .run = {[PEAK_FMA] = run}};
#else
const peak_set peak_amx = {FIELDS, .unbuilt = PEAK_UNBUILT};
#endif
