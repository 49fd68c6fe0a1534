#ifndef ATTN_VERSION_H
#define ATTN_VERSION_H

#include "attn/status.h"

#ifdef __cplusplus
extern "C" {
#endif

#define ATTN_VERSION_MAJOR 0
#define ATTN_VERSION_MINOR 1
#define ATTN_VERSION_PATCH 0
#define ATTN_VERSION "0.1.0"

/* The version of the library that was linked, which may differ from the header's. */
ATTN_API const char *attn_version(void);

#ifdef __cplusplus
}
#endif
#endif
