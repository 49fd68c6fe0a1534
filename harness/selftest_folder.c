/* The folder that selftest works in. */
#include "harness/selftest_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

attn_status selftest_folder_open(selftest_folder *l, attn_error *err)
{
    const char *named = getenv("TMPDIR"), *where = named && *named ? named : "/tmp";
    const int length = snprintf(l->folder, sizeof l->folder, "%s/attnlab-selftest-XXXXXX", where);
    if (length < (int)sizeof l->folder && mkdtemp(l->folder))
        return ATTN_OK;
    l->folder[0] = '\0';
    return attn_fail(err, ATTN_EIO, "cannot make a folder in %s ($TMPDIR): %s", where, strerror(errno));
}

void selftest_folder_close(selftest_folder *l)
{
    if (*l->folder)
        rmdir(l->folder);
}

void selftest_file(const selftest_folder *l, char out[300], const char *name)
{
    snprintf(out, 300, "%s/%s", l->folder, name);
}

void selftest_remove(const selftest_folder *l, const char *name)
{
    static const char *const ends[] = {"", "-wal", "-shm", "-journal"};
    char file[300], path[320];
    selftest_file(l, file, name);
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        snprintf(path, sizeof path, "%s%s", file, ends[i]);
        unlink(path);
    }
}
