/* Reading operands and widening their elements. */
#include "harness/input_tensor.h"

#include "attn/pattern.h"
#include "base/float16.h"

enum { CHUNK = 8192 }; /* elements converted at a time */

attn_status input_tensor_open(input_tensor *t, const char *path, attn_error *err)
{
    *t = (input_tensor){0};
    attn_status status = npy_open(&t->reader, path, err);
    if (status != ATTN_OK)
        return status;
    t->shape = npy_reader_shape(t->reader);
    char text[NPY_SHAPE_TEXT];
    npy_shape_text(t->shape, text, sizeof text);
    npy_type type = t->shape->type;
    int rank = t->shape->rank;
    if (rank != 3 && rank != 4)
        status =
            attn_fail(err, ATTN_EINVAL, "%s: has shape %s; [h,n,d] or [b,h,n,d] is expected", path, text);
    else if (type != NPY_F4 && type != NPY_F8 && type != NPY_F2 && type != NPY_U2)
        status = attn_fail(err, ATTN_EINVAL,
                           "%s: is %s; float32, float64, float16 or uint16 (the bits of bf16) is expected",
                           path, text);
    else if (t->shape->count == 0)
        status = attn_fail(err, ATTN_EINVAL, "%s: has shape %s; every size must be at least 1", path, text);
    if (status != ATTN_OK) {
        input_tensor_close(t);
        return status;
    }
    const size_t *size = t->shape->size;
    t->batch = rank == 4 ? size[0] : 1;
    t->heads = size[rank - 3];
    t->n = size[rank - 2];
    t->dim = size[rank - 1];
    return ATTN_OK;
}

void input_tensor_close(input_tensor *t)
{
    npy_close(t->reader);
    *t = (input_tensor){0};
}

typedef union elements {
    float f4[CHUNK];
    double f8[CHUNK];
    uint16_t u2[CHUNK];
} elements;

static attn_status read_some(input_tensor *t, elements *e, size_t left, size_t *part, attn_error *err)
{
    *part = left < CHUNK ? left : CHUNK;
    return npy_read(t->reader, e, *part, err);
}

attn_status input_tensor_doubles(input_tensor *t, double *out, size_t count, attn_error *err)
{
    elements e;
    size_t part;
    for (; count > 0; out += part, count -= part) {
        attn_status status = read_some(t, &e, count, &part, err);
        if (status != ATTN_OK)
            return status;
        for (size_t i = 0; i < part; i++)
            out[i] = t->shape->type == NPY_F8   ? e.f8[i]
                     : t->shape->type == NPY_F4 ? (double)e.f4[i]
                     : t->shape->type == NPY_F2 ? (double)f32_from_f16(e.u2[i])
                                                : (double)f32_from_bf16(e.u2[i]);
    }
    return ATTN_OK;
}

attn_status input_tensor_floats(input_tensor *t, float *out, size_t count, attn_error *err)
{
    if (t->shape->type == NPY_F4)
        return npy_read(t->reader, out, count, err);
    double wide[CHUNK];
    for (size_t part; count > 0; out += part, count -= part) {
        part = count < CHUNK ? count : CHUNK;
        attn_status status = input_tensor_doubles(t, wide, part, err);
        if (status != ATTN_OK)
            return status;
        for (size_t i = 0; i < part; i++)
            out[i] = (float)wide[i];
    }
    return ATTN_OK;
}
