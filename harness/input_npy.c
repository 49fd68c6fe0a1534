/* npy:DIR: operands from DIR/q.npy, DIR/k.npy and DIR/v.npy.
 *
 * The head dimension and the numbers of heads must be those asked for; the batch and the sequence may be
 * longer in the files, and then their beginnings are used, so that one set of files serves a sweep over n. */
#include "harness/input_parts.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "harness/input_tensor.h"

enum { CHUNK = 4096 };

typedef struct file {
    const char *name;
    size_t heads, n;
    void *tensor;
} file;

static attn_status open_file(input_tensor *t, const file *f, const char *path, const input_shape *s,
                             attn_error *err)
{
    attn_status status = input_tensor_open(t, path, err);
    if (status != ATTN_OK)
        return status;
    if (t->dim == s->dim && t->heads == f->heads && t->n >= f->n && t->batch >= s->batch)
        return ATTN_OK;
    char text[NPY_SHAPE_TEXT];
    status = attn_fail(err, ATTN_EINVAL,
                       "%s: has shape %s; batch %zu, heads %zu, n %zu, d %zu are needed "
                       "(batch and n may be more)",
                       path, npy_shape_text(t->shape, text, sizeof text), s->batch, f->heads, f->n, s->dim);
    input_tensor_close(t);
    return status;
}

/* The first n rows of every head of the first batch entries. */
static attn_status read_file(input_tensor *t, const file *f, const input_target *to, attn_error *err)
{
    size_t rows = f->n * t->dim, rest = (t->n - f->n) * t->dim, at = 0;
    float values[CHUNK];
    for (size_t head = 0; head < to->shape->batch * f->heads; head++) {
        for (size_t done = 0, part; done < rows; done += part) {
            part = rows - done < CHUNK ? rows - done : CHUNK;
            attn_status status = input_tensor_floats(t, values, part, err);
            if (status != ATTN_OK)
                return status;
            input_put(to->dtype, f->tensor, at, values, part);
            at += part;
        }
        attn_status status = npy_skip(t->reader, rest, err);
        if (status != ATTN_OK)
            return status;
    }
    return ATTN_OK;
}

/* Opens each file, and reads it when there is a target. */
static attn_status visit(const char *folder, const input_shape *s, const input_target *to, attn_error *err)
{
    const file files[] = {{"q.npy", s->heads, s->nq, to ? to->q : NULL},
                          {"k.npy", s->kv_heads, s->nk, to ? to->k : NULL},
                          {"v.npy", s->kv_heads, s->nk, to ? to->v : NULL}};
    for (size_t f = 0; f < sizeof files / sizeof *files; f++) {
        char path[PATH_MAX];
        if ((size_t)snprintf(path, sizeof path, "%s/%s", folder, files[f].name) >= sizeof path)
            return attn_fail(err, ATTN_EINVAL, "%s: the path is too long", folder);
        input_tensor t;
        attn_status status = open_file(&t, &files[f], path, s, err);
        if (status == ATTN_OK && to)
            status = read_file(&t, &files[f], to, err);
        input_tensor_close(&t);
        if (status != ATTN_OK)
            return status;
    }
    return ATTN_OK;
}

static attn_status check(const char *folder, const input_shape *shape, attn_error *err)
{
    return visit(folder, shape, NULL, err);
}

static attn_status fill(const char *folder, const input_target *to, attn_error *err)
{
    return visit(folder, to->shape, to, err);
}

const input_kind input_npy = {
    .name = "npy",
    .rest = "DIR",
    .describe = "the user's own arrays q.npy, k.npy and v.npy",
    .check = check,
    .fill = fill,
};
