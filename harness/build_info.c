/* What this program was built from. mk/build.mk passes compiler, flags and mode, and writes commit.h. */
#include "harness/build_info.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>

#include "attn/version.h"
#include "base/hash.h"
#include "harness/commit.h" /* generated */

static char binary[17];
static build_info info;

static void hash_self(void)
{
    FILE *file = fopen("/proc/self/exe", "rb");
    unsigned char block[65536];
    uint64_t hash = HASH_START;
    if (!file)
        return;
    for (size_t n; (n = fread(block, 1, sizeof block, file)) > 0;)
        hash = hash_bytes(hash, block, n);
    if (!ferror(file))
        snprintf(binary, sizeof binary, "%016" PRIx64, hash);
    fclose(file);
}

static void fill(void)
{
    hash_self();
    info = (build_info){
        .version = ATTN_VERSION,
        .commit = BUILD_COMMIT,
        .dirty = BUILD_DIRTY,
        .compiler = BUILD_COMPILER,
        .flags = BUILD_FLAGS,
        .mode = BUILD_MODE,
        .binary = binary,
    };
}

const build_info *build_info_get(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, fill);
    return &info;
}
