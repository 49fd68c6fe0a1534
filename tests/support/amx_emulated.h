/* Emulated tiles in place of kernels/amx_tiles.h. */
#ifndef TESTS_SUPPORT_AMX_EMULATED_H
#define TESTS_SUPPORT_AMX_EMULATED_H

#include "support/amx_state.h"

enum { TILE_BYTES = 1024, TILE_FLOATS = 256 };

#define tile_load_rows(tile, at, stride) emulated_load(tile, at, stride)
#define tile_store_rows(tile, at, stride) emulated_store(tile, at, stride)
#define tile_load(tile, at) emulated_load(tile, at, 64)
#define tile_store(tile, at) emulated_store(tile, at, 64)
#define tile_zero(tile) emulated_zero(tile)
#define tile_dp(c, a, b) emulated_dp(c, a, b)
#define tiles_open() emulated_open()
#define tiles_close() emulated_close()

#endif
