#include "harness/folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

attn_status folder_make(char path[FOLDER_PATH], const char *stem, attn_error *err)
{
    const char *named = getenv("TMPDIR"), *where = named && *named ? named : "/tmp";
    const int length = snprintf(path, FOLDER_PATH, "%s/attnlab-%s-XXXXXX", where, stem);
    if (length < FOLDER_PATH && mkdtemp(path))
        return ATTN_OK;
    *path = '\0';
    return attn_fail(err, ATTN_EIO, "cannot make a folder in %.120s ($TMPDIR): %s", where,
                     length < FOLDER_PATH ? strerror(errno) : "the path is too long");
}

void folder_remove(const char *path)
{
    DIR *all = *path ? opendir(path) : NULL;
    for (struct dirent *one; all && (one = readdir(all));)
        if (strcmp(one->d_name, ".") != 0 && strcmp(one->d_name, "..") != 0)
            unlinkat(dirfd(all), one->d_name, 0);
    if (all)
        closedir(all);
    if (*path)
        rmdir(path);
}
