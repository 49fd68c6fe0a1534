/* Compiled against another ABI. */
#include "attn/external.h"

ATTN_EXTERNAL {.abi = ATTN_EXTERNAL_ABI + 1, .size = sizeof(attn_external)};
