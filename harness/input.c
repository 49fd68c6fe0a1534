/* Named inputs: the table of generators, and gauss, the simplest.
 *
 * gauss: every element of q, k and v is N(0,1) and independent, so that q.k / sqrt(d) has unit variance. The
 * element at index e of a tensor is variate e of the tensor's own stream: a longer sequence has other numbers
 * in the same place, but neither threads nor order matter. */
#include "harness/input_parts.h"

#include <string.h>

#include "base/float16.h"
#include "base/rng.h"
#include "base/suggest.h"

enum {
    CHUNK = 1 << 14, /* elements a thread makes at a time */
    MANY = 1 << 20   /* that take a few milliseconds: fewer are not worth a team, whose idle threads spin beside what comes next */
};

void input_put(attn_dtype dtype, void *tensor, size_t first, const float *values, size_t count)
{
    uint16_t *halves = (uint16_t *)tensor + (dtype == ATTN_F32 ? 0 : first);
    switch (dtype) {
    case ATTN_F32:
        memcpy((float *)tensor + first, values, count * sizeof *values);
        break;
    case ATTN_BF16:
        bf16_from_f32_array(halves, values, count);
        break;
    case ATTN_F16:
        f16_from_f32_array(halves, values, count);
        break;
    }
}

static attn_status gauss_check(const char *rest, const input_shape *shape, attn_error *err)
{
    (void)rest, (void)shape, (void)err;
    return ATTN_OK;
}

static attn_status gauss_fill(const char *rest, const input_target *to, attn_error *err)
{
    (void)rest, (void)err;
    const input_shape *s = to->shape;
    const struct {
        void *tensor;
        size_t count;
    } tensors[] = {{to->q, s->batch * s->heads * s->nq * s->dim},
                   {to->k, s->batch * s->kv_heads * s->nk * s->dim},
                   {to->v, s->batch * s->kv_heads * s->nk * s->dim}};
    for (size_t t = 0; t < 3; t++) {
        size_t count = tensors[t].count;
#pragma omp parallel for schedule(static) if (count >= MANY)
        for (size_t first = 0; first < count; first += CHUNK) {
            float values[CHUNK];
            size_t part = count - first < CHUNK ? count - first : CHUNK;
            rng_normal_fill(to->seed, t + 1, first, part, values);
            input_put(to->dtype, tensors[t].tensor, first, values, part);
        }
    }
    return ATTN_OK;
}

const input_kind input_gauss = {
    .name = "gauss",
    .describe = "independent N(0,1): white noise; says nothing about how much attention a pattern keeps",
    .check = gauss_check,
    .fill = gauss_fill,
};

static const input_kind *const kinds[] = {&input_gauss, &input_text, &input_npy};
enum { KINDS = sizeof kinds / sizeof *kinds };

static attn_status find(const char *name, const input_kind **out, const char **rest, attn_error *err)
{
    size_t length = strcspn(name, ":");
    suggestion near = {.word = name};
    for (size_t k = 0; k < KINDS; k++) {
        const input_kind *kind = kinds[k];
        suggest_offer(&near, kind->name);
        if (strlen(kind->name) != length || strncmp(kind->name, name, length) != 0)
            continue;
        *out = kind;
        *rest = name[length] ? name + length + 1 : name + length;
        if (kind->rest && !**rest)
            return attn_fail(err, ATTN_EINVAL, "input %s: a path is missing; write %s:%s", name, kind->name,
                             kind->rest);
        if (!kind->rest && name[length])
            return attn_fail(err, ATTN_EINVAL, "input %s: nothing follows %s; write --input %s", name,
                             kind->name, kind->name);
        return ATTN_OK;
    }
    return near.best
               ? attn_fail(err, ATTN_EINVAL, "input %s: unknown; did you mean %s?", name, near.best)
               : attn_fail(err, ATTN_EINVAL, "input %s: unknown; write gauss, text:PATH or npy:DIR", name);
}

attn_status input_check(const char *name, const input_shape *shape, attn_error *err)
{
    const input_kind *kind;
    const char *rest;
    attn_status status = find(name, &kind, &rest, err);
    return status == ATTN_OK ? kind->check(rest, shape, err) : status;
}

attn_status input_fill(const char *name, const input_shape *shape, attn_dtype dtype, uint64_t seed, void *q,
                       void *k, void *v, attn_error *err)
{
    const input_kind *kind;
    const char *rest;
    attn_status status = find(name, &kind, &rest, err);
    input_target to = {shape, dtype, seed, q, k, v};
    return status == ATTN_OK ? kind->fill(rest, &to, err) : status;
}

const char *input_describe(const char *name)
{
    const input_kind *kind;
    const char *rest;
    attn_error err;
    return find(name, &kind, &rest, &err) == ATTN_OK ? kind->describe : "unknown";
}
