/* The real instructions of kernels/amx_tiles.h with emulated vectors around them. */
#ifndef TESTS_SUPPORT_AMX_TRAPPED_H
#define TESTS_SUPPORT_AMX_TRAPPED_H

#include "support/amx_state.h"

#define TILES_ONLY
#include "kernels/amx_tiles.h"

#endif
