/* Atomic output: mkstemp beside the target, then rename. */
#include "base/outfile.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Whose fault an errno is: the path's that the user chose, or the machine's. */
static attn_status blame(int error)
{
    switch (error) {
    case ENOMEM: return ATTN_ENOMEM;
    case ENOSPC:
    case EDQUOT:
    case EIO:
    case EMFILE:
    case ENFILE:
    case EPIPE: return ATTN_EIO;
    default: return ATTN_EINVAL;
    }
}

static void forget(outfile *f)
{
    free(f->target);
    free(f->temporary);
    *f = (outfile){.path = f->path};
}

/* The folder part of a path, for messages: "." when there is none. */
static void folder_of(const char *path, char *out, size_t size)
{
    const char *slash = strrchr(path, '/');
    if (!slash)
        snprintf(out, size, ".");
    else
        snprintf(out, size, "%.*s", slash == path ? 1 : (int)(slash - path), path);
}

static attn_status cannot_create(const outfile *f, int error, attn_error *err)
{
    char folder[PATH_MAX];
    folder_of(f->path, folder, sizeof folder);
    struct stat s;
    if (error == ENOENT && stat(folder, &s) != 0)
        return attn_fail(err, ATTN_EINVAL, "%s: the folder '%s' does not exist; create it first", f->path,
                         folder);
    return attn_fail(err, blame(error), "%s: cannot be created: %s", f->path, strerror(error));
}

/* The default permissions of a new file, which mkstemp withholds. umask can only be read by setting it, so
 * this belongs before threads that create files. */
static mode_t new_file_mode(void)
{
    mode_t mask = umask(0);
    umask(mask);
    return 0666 & ~mask;
}

static attn_status open_directly(outfile *f, const char *path, attn_error *err)
{
    f->stream = fopen(path, "we");
    if (!f->stream)
        return attn_fail(err, blame(errno), "%s: cannot be written: %s", path, strerror(errno));
    return ATTN_OK;
}

attn_status outfile_open(outfile *f, const char *path, attn_error *err)
{
    *f = (outfile){.path = path};
    if (!*path)
        return attn_fail(err, ATTN_EINVAL,
                         "the name of an output file is empty; give a path, or - for stdout");
    if (strcmp(path, "-") == 0) {
        f->stream = stdout;
        return ATTN_OK;
    }
    struct stat s;
    bool exists = stat(path, &s) == 0;
    if (exists && S_ISDIR(s.st_mode))
        return attn_fail(err, ATTN_EINVAL, "%s: is a folder; a file is needed", path);
    if (exists && !S_ISREG(s.st_mode))
        return open_directly(f, path, err);
    if (exists && access(path, W_OK) != 0)
        return attn_fail(err, ATTN_EINVAL, "%s: exists and is not writable", path);

    f->target = exists ? realpath(path, NULL) : strdup(path);
    size_t size = f->target ? strlen(f->target) + sizeof ".XXXXXX" : 0;
    f->temporary = f->target ? malloc(size) : NULL;
    if (!f->temporary) {
        forget(f);
        return attn_fail(err, ATTN_ENOMEM, "%s: out of memory", path);
    }
    snprintf(f->temporary, size, "%s.XXXXXX", f->target);
    int fd = mkstemp(f->temporary);
    if (fd < 0) {
        attn_status status = cannot_create(f, errno, err);
        forget(f);
        return status;
    }
    /* A file system without permissions may refuse; the content matters more. */
    (void)!fchmod(fd, exists ? s.st_mode & 0777 : new_file_mode());
    f->stream = fdopen(fd, "w");
    if (!f->stream) {
        close(fd);
        outfile_discard(f);
        return attn_fail(err, ATTN_ENOMEM, "%s: out of memory", path);
    }
    return ATTN_OK;
}

attn_status outfile_finish(outfile *f, attn_error *err)
{
    if (!f->stream)
        return ATTN_OK;
    FILE *stream = f->stream;
    f->stream = NULL;
    errno = 0;
    bool bad = fflush(stream) != 0;
    int error = errno;
    bad = ferror(stream) || bad;
    if (stream != stdout && fclose(stream) != 0 && !bad) {
        bad = true;
        error = errno;
    }
    if (!bad)
        return ATTN_OK;
    outfile_discard(f);
    return attn_fail(err, ATTN_EIO, "%s: writing failed: %s", f->path, strerror(error ? error : EIO));
}

attn_status outfile_commit(outfile *f, attn_error *err)
{
    attn_status status = outfile_finish(f, err);
    if (status != ATTN_OK || !f->target)
        return status;
    if (rename(f->temporary, f->target) != 0) {
        int error = errno;
        outfile_discard(f);
        return attn_fail(err, blame(error), "%s: cannot be replaced: %s", f->path, strerror(error));
    }
    forget(f);
    return ATTN_OK;
}

void outfile_discard(outfile *f)
{
    if (f->stream && f->stream != stdout)
        fclose(f->stream);
    f->stream = NULL;
    if (f->temporary)
        unlink(f->temporary);
    forget(f);
}
