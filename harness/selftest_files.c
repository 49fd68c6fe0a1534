/* Files in the folder that selftest works in. */
#include "harness/selftest_parts.h"

#include <stdio.h>
#include <unistd.h>

void selftest_file(const char *folder, char out[300], const char *name)
{
    snprintf(out, 300, "%s/%s", folder, name);
}

void selftest_remove(const char *folder, const char *name)
{
    static const char *const ends[] = {"", "-wal", "-shm", "-journal"};
    char file[300], path[320];
    selftest_file(folder, file, name);
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        snprintf(path, sizeof path, "%s%s", file, ends[i]);
        unlink(path);
    }
}
