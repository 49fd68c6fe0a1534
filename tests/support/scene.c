/* Scenes: see scene.h. */
#include "support/scene.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kernels/element.h"
#include "kernels/plan_parts.h"
#include "support/own_patterns.h"

double random_uniform(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u); /* splitmix64 */
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return (double)((z ^ z >> 31) >> 11) * 0x1p-53;
}

double random_normal(uint64_t *state)
{
    double sum = -6;
    for (int i = 0; i < 12; i++)
        sum += random_uniform(state);
    return sum;
}

size_t scene_queries(const scene *s) { return s->batch * s->heads * s->nq * s->dim; }
size_t scene_keys(const scene *s) { return s->batch * s->kv_heads * s->nk * s->dim; }

double scene_get(const scene *s, const void *tensor, size_t index)
{
    return element_get(tensor, s->dtype, index);
}

void scene_set(const scene *s, void *tensor, size_t index, double value)
{
    element_set(tensor, s->dtype, index, value);
}

/* `bytes` between two forbidden pages, touching one of them. */
static void *guarded(scene *s, int m, size_t bytes)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), inner = (bytes + page - 1) / page * page;
    char *map = mmap(NULL, inner + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    cr_assert(map != MAP_FAILED && mprotect(map + page, inner, PROT_READ | PROT_WRITE) == 0, "cannot map %zu bytes", inner);
    s->maps[m].map = map;
    s->maps[m].bytes = inner + 2 * page;
    return map + page + (s->at_front ? 0 : inner - bytes);
}

static void defaults(scene *s)
{
    s->nk = s->nk ? s->nk : s->nq;
    s->heads = s->heads ? s->heads : 1;
    s->kv_heads = s->kv_heads ? s->kv_heads : s->heads;
    s->batch = s->batch ? s->batch : 1;
    s->threads = s->threads ? s->threads : 1;
}

void scene_plan(scene *s)
{
    attn_error err;
    attn_problem problem = {.layout = s->layout, .batch = s->batch, .kv_heads = s->kv_heads, .dim = s->dim,
                            .dtype = s->dtype, .scale = s->scale, .threads = s->threads, .kernel = s->kernel,
                            .lowering = s->lowering};
    attn_plan_destroy(s->plan);
    snprintf(s->name, sizeof s->name, "%s %s nq=%zu nk=%zu heads=%zu/%zu batch=%zu d=%zu %s threads=%d seed=%u",
             s->descriptor ? s->descriptor->name : s->kernel ? s->kernel : "auto", s->spec, s->nq, s->nk, s->heads,
             s->kv_heads, s->batch, s->dim, attn_dtype_name(s->dtype), s->threads, s->seed);
    attn_status status = s->descriptor ? plan_create_for(&s->plan, &problem, s->descriptor, &err)
                                       : attn_plan_create(&s->plan, &problem, &err);
    cr_assert(status == ATTN_OK, "%s: %s", s->name, err.message);
}

void scene_open(scene *s)
{
    attn_error err = {""};
    defaults(s);
    if (s->pattern) {
        s->layout = own_layout(s->pattern, s->nq, s->nk, s->heads);
        s->spec = s->pattern->name;
    } else {
        cr_assert(attn_spec_parse(&s->parsed, s->spec, &err) == ATTN_OK, "%s: %s", s->spec, err.message);
        cr_assert(attn_layout_create(&s->layout, s->parsed, s->nq, s->nk, s->heads, &err) == ATTN_OK, "%s: %s", s->spec,
                  err.message);
    }
    scene_plan(s);
    size_t size = attn_dtype_size(s->dtype), queries = scene_queries(s), keys = scene_keys(s);
    size_t rows = s->batch * s->heads * s->nq;
    s->q = guarded(s, 0, queries * size);
    s->k = guarded(s, 1, keys * size);
    s->v = guarded(s, 2, keys * size);
    s->o = guarded(s, 3, queries * size);
    s->lse = guarded(s, 4, rows * sizeof *s->lse);
    s->expected = malloc(queries * sizeof *s->expected);
    s->expected_lse = malloc(rows * sizeof *s->expected_lse);
    uint64_t state = s->seed;
    for (size_t i = 0; i < queries; i++)
        scene_set(s, s->q, i, random_normal(&state));
    for (size_t i = 0; i < keys; i++)
        scene_set(s, s->k, i, random_normal(&state));
    for (size_t i = 0; i < keys; i++)
        scene_set(s, s->v, i, random_normal(&state));
}

void scene_close(scene *s)
{
    attn_plan_destroy(s->plan);
    s->pattern ? own_layout_free(s->layout) : attn_layout_destroy(s->layout);
    attn_spec_destroy(s->parsed);
    for (size_t m = 0; m < sizeof s->maps / sizeof s->maps[0]; m++)
        munmap(s->maps[m].map, s->maps[m].bytes);
    free(s->expected);
    free(s->expected_lse);
}

/* o and lse are filled with what must not remain. */
void scene_run(scene *s)
{
    for (size_t i = 0; i < scene_queries(s); i++)
        scene_set(s, s->o, i, 12345);
    for (size_t i = 0; i < s->batch * s->heads * s->nq; i++)
        s->lse[i] = 12345;
    attn_plan_run(s->plan, s->q, s->k, s->v, s->o, s->lse);
    const char *wrong = plan_miscount(s->plan);
    cr_assert(!wrong, "%s: computed other %s than planned", s->name, wrong);
}

void scene_oracle(scene *s)
{
    size_t dim = s->dim, per_kv = s->nk * dim;
    double *k = malloc(per_kv * sizeof *k), *v = malloc(per_kv * sizeof *v), *scores = malloc(s->nk * sizeof *scores);
    double q[ATTN_MAX_DIM], scale = (double)(s->scale != 0 ? s->scale : (float)(1 / sqrt((double)dim)));
    for (size_t head = 0; head < s->batch * s->heads; head++) {
        size_t g = head % s->heads, kv = head / s->heads * s->kv_heads + g * s->kv_heads / s->heads;
        for (size_t e = 0; e < per_kv; e++) {
            k[e] = scene_get(s, s->k, kv * per_kv + e);
            v[e] = scene_get(s, s->v, kv * per_kv + e);
        }
        for (size_t r = 0; r < s->nq; r++) {
            size_t row = head * s->nq + r;
            for (size_t c = 0; c < dim; c++)
                q[c] = scene_get(s, s->q, row * dim + c);
            attn_oracle_row(s->layout, g, r, dim, scale, q, k, v, scores, s->expected + row * dim,
                            s->expected_lse + row);
        }
    }
    free(k);
    free(v);
    free(scores);
}

static bool same_kind(double a, double b)
{
    return isnan(a) ? isnan(b) : isinf(a) ? isinf(b) && signbit(a) == signbit(b) : isfinite(b);
}

difference scene_compare(const scene *s)
{
    difference d = {0};
    double difference_squared = 0, squared = 0;
    _Alignas(float) char rounded[sizeof(float)]; /* the oracle's value may overflow where it is stored */
    for (size_t i = 0; i < scene_queries(s); i++) {
        double got = scene_get(s, s->o, i), want = s->expected[i];
        scene_set(s, rounded, 0, want);
        d.misplaced += !same_kind(got, scene_get(s, rounded, 0));
        if (!isfinite(got) || !isfinite(want))
            continue;
        difference_squared += (got - want) * (got - want);
        squared += want * want;
        d.worst = fmax(d.worst, fabs(got - want));
    }
    d.relative = squared > 0 ? sqrt(difference_squared / squared) : sqrt(difference_squared);
    for (size_t r = 0; r < s->batch * s->heads * s->nq; r++) {
        double got = (double)s->lse[r], want = s->expected_lse[r];
        d.misplaced += !same_kind(got, (double)(float)want);
        if (isfinite(got) && isfinite(want))
            d.lse = fmax(d.lse, fabs(got - want) / fmax(1, fabs(want)));
    }
    return d;
}
