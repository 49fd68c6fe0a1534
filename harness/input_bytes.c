/* Reading texts. */
#include "harness/input_bytes.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <stdbool.h>

typedef struct text {
    const char *path;
    size_t wanted;        /* bytes to gather, at most */
    unsigned char *bytes; /* NULL: only count */
    size_t have;          /* bytes gathered, or counted */
    attn_error *err;
} text;

static attn_status cannot(const text *t, const char *path, attn_error *err)
{
    bool machine = errno == EIO || errno == EMFILE || errno == ENFILE;
    return attn_fail(err, errno == ENOMEM ? ATTN_ENOMEM : machine ? ATTN_EIO : ATTN_EINVAL,
                     "input text:%s: %s cannot be read: %s", t->path, path, strerror(errno));
}

static attn_status gather_file(text *t, const char *path, off_t size)
{
    if (t->have >= t->wanted)
        return ATTN_OK;
    if (!t->bytes) {
        t->have += (size_t)size;
        return ATTN_OK;
    }
    FILE *f = fopen(path, "rbe");
    if (!f)
        return cannot(t, path, t->err);
    t->have += fread(t->bytes + t->have, 1, t->wanted - t->have, f);
    attn_status status = ferror(f) ? cannot(t, path, t->err) : ATTN_OK;
    fclose(f);
    return status;
}

static int visible(const struct dirent *entry)
{
    return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

static int bytewise(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static attn_status gather_folder(text *t)
{
    struct dirent **entries;
    int count = scandir(t->path, &entries, visible, bytewise);
    if (count < 0)
        return cannot(t, t->path, t->err);
    attn_status status = ATTN_OK;
    for (int e = 0; e < count; e++) {
        char path[PATH_MAX];
        struct stat s;
        int length = snprintf(path, sizeof path, "%s/%s", t->path, entries[e]->d_name);
        if (status == ATTN_OK && length >= (int)sizeof path)
            status = attn_fail(t->err, ATTN_EINVAL, "input text:%s: a path in it is too long", t->path);
        else if (status == ATTN_OK && lstat(path, &s) == 0 && S_ISREG(s.st_mode))
            status = gather_file(t, path, s.st_size);
        free(entries[e]);
    }
    free(entries);
    return status;
}

static attn_status gather(text *t, size_t batch, size_t n)
{
    struct stat s;
    if (stat(t->path, &s) != 0)
        return cannot(t, "it", t->err);
    if (!S_ISREG(s.st_mode) && !S_ISDIR(s.st_mode))
        return attn_fail(t->err, ATTN_EINVAL, "input text:%s: neither a regular file nor a folder", t->path);
    attn_status status = S_ISDIR(s.st_mode) ? gather_folder(t) : gather_file(t, t->path, s.st_size);
    if (status != ATTN_OK || t->have >= t->wanted)
        return status;
    if (batch == 1)
        return attn_fail(t->err, ATTN_EINVAL, "input text:%s: n=%zu is longer than its %zu bytes", t->path, n,
                         t->have);
    return attn_fail(t->err, ATTN_EINVAL, "input text:%s: batch %zu of n=%zu needs %zu bytes, it has %zu",
                     t->path, batch, n, t->wanted, t->have);
}

static attn_status check_product(const char *path, size_t batch, size_t n, size_t *out, attn_error *err)
{
    if (__builtin_mul_overflow(batch, n, out) || *out > PTRDIFF_MAX)
        return attn_fail(err, ATTN_EINVAL, "input text:%s: batch %zu of n=%zu is too much", path, batch, n);
    return ATTN_OK;
}

attn_status input_bytes_check(const char *path, size_t batch, size_t n, attn_error *err)
{
    text t = {.path = path, .err = err};
    attn_status status = check_product(path, batch, n, &t.wanted, err);
    return status == ATTN_OK ? gather(&t, batch, n) : status;
}

attn_status input_bytes_read(const char *path, size_t batch, size_t n, unsigned char **out, attn_error *err)
{
    text t = {.path = path, .err = err};
    attn_status status = check_product(path, batch, n, &t.wanted, err);
    if (status != ATTN_OK)
        return status;
    t.bytes = malloc(t.wanted ? t.wanted : 1);
    if (!t.bytes)
        return attn_fail(err, ATTN_ENOMEM, "input text:%s: out of memory for %zu bytes", path, t.wanted);
    status = gather(&t, batch, n);
    if (status != ATTN_OK) {
        free(t.bytes);
        return status;
    }
    *out = t.bytes;
    return ATTN_OK;
}
