/* What this program was built from, so that a stored result can be traced to it. */
#ifndef HARNESS_BUILD_INFO_H
#define HARNESS_BUILD_INFO_H

#include <stdbool.h>

typedef struct build_info {
    const char *version;
    const char *commit;   /* full id, or "" when not built in a git checkout */
    bool dirty;           /* sources differed from that commit */
    const char *compiler; /* first line of CC --version */
    const char *flags;
    const char *mode;     /* "release", "debug", ... */
    const char *binary;   /* 64-bit hash of the running program's file, 16 hex digits; "" if unreadable */
} build_info;

/* The same object at every call; the first reads the program's own file. Thread-safe. */
const build_info *build_info_get(void);

#endif
