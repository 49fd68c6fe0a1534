/* Folders for operands: memory where the system has it as files, seen by both sides under one name. */
#include "harness/ext.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness/folder.h"

static const char stem[] = "attnlab-ext-";

static const char *base(void)
{
    const char *named = getenv("TMPDIR");
    if (named && *named)
        return named;
    return access("/dev/shm", W_OK | X_OK) == 0 ? "/dev/shm" : "/tmp";
}

void ext_folder_sweep(void)
{
    DIR *all = opendir(base());
    for (struct dirent *one; all && (one = readdir(all));) {
        char path[1024];
        struct stat about;
        if (strncmp(one->d_name, stem, sizeof stem - 1) != 0)
            continue;
        snprintf(path, sizeof path, "%s/%s/lock", base(), one->d_name);
        const int lock = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
        if (lock < 0)
            continue;
        if (fstat(lock, &about) == 0 && about.st_uid == geteuid() && flock(lock, LOCK_EX | LOCK_NB) == 0) {
            path[strlen(path) - sizeof "/lock" + 1] = '\0';
            folder_remove(path);
        }
        close(lock);
    }
    if (all)
        closedir(all);
}

attn_status ext_folder_open(ext_folder *f, attn_error *err)
{
    char lock[600];
    ext_folder made = {.lock = -1};
    ext_folder_sweep();
    int length = snprintf(made.path, sizeof made.path, "%s/%sXXXXXX", base(), stem);
    if (length < 0 || (size_t)length >= sizeof made.path)
        return attn_fail(err, ATTN_EINVAL, "TMPDIR %.60s...: a path too long for the operands", base());
    if (!mkdtemp(made.path))
        return attn_fail(err, errno == ENOSPC ? ATTN_EIO : ATTN_EINVAL,
                         "%s: no folder for operands can be made there: %s; set TMPDIR to one that the external kernel "
                         "sees too", base(), strerror(errno));
    snprintf(lock, sizeof lock, "%s/lock", made.path);
    made.lock = open(lock, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (made.lock < 0 || flock(made.lock, LOCK_EX) != 0) {
        const int why = errno;
        if (made.lock >= 0)
            close(made.lock);
        folder_remove(made.path);
        return attn_fail(err, ATTN_EIO, "%s: %s", lock, strerror(why));
    }
    *f = made;
    return ATTN_OK;
}

void ext_folder_close(ext_folder *f)
{
    if (!*f->path)
        return;
    folder_remove(f->path);
    close(f->lock);
    *f = (ext_folder){.lock = -1};
}
