/* An external kernel as a shared library: attention as the formula reads, in plain C. See attn/external.h.
 *
 *   cc -O3 -fopenmp -shared -fPIC plain.c $(pkg-config --cflags attn) -lm -o plain.so
 *   attnlab run --kernel ext:plain --ext plain=./plain.so -p local -n 1k
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "attn/external.h"

/* One row: s is room for n scores. */
static void attend(const attn_external_problem *p, size_t head, size_t i, float *s)
{
    const size_t kv = head / p->heads * p->kv_heads + head % p->heads * p->kv_heads / p->heads;
    const float *q = (const float *)p->q + (head * p->n + i) * p->dim;
    const float *k = (const float *)p->k + kv * p->n * p->dim, *v = (const float *)p->v + kv * p->n * p->dim;
    float *o = (float *)p->o + (head * p->n + i) * p->dim, most = -INFINITY, sum = 0;
    for (size_t j = 0; j < p->n; j++) {
        s[j] = -INFINITY;
        if (!p->allows(p->layout, head % p->heads, i, j))
            continue;
        s[j] = 0;
        for (size_t c = 0; c < p->dim; c++)
            s[j] += q[c] * k[j * p->dim + c];
        s[j] *= p->scale;
        most = fmaxf(most, s[j]);
    }
    memset(o, 0, p->dim * sizeof *o);
    for (size_t j = 0; j < p->n; j++) {
        if (s[j] == -INFINITY)
            continue;
        const float weight = expf(s[j] - most);
        sum += weight;
        for (size_t c = 0; c < p->dim; c++)
            o[c] += weight * v[j * p->dim + c];
    }
    for (size_t c = 0; c < p->dim && sum > 0; c++)
        o[c] /= sum;
}

typedef struct state {
    const attn_external_problem *problem;
    float *scores; /* [threads][n] */
} state;

static const char *prepare(void **out, const attn_external_problem *p)
{
    if (strcmp(p->dtype, "f32") != 0)
        return "plain computes f32 alone";
    state *s = malloc(sizeof *s);
    float *scores = malloc((size_t)p->threads * p->n * sizeof *scores);
    if (!s || !scores) {
        free(scores);
        free(s);
        return "out of memory";
    }
    *s = (state){p, scores};
    *out = s;
    return NULL;
}

static void run(void *x)
{
    const state *s = x;
    const attn_external_problem *p = s->problem;
    const long threads = p->threads, rows = (long)(p->batch * p->heads * p->n);
#pragma omp parallel for num_threads(p->threads)
    for (long t = 0; t < threads; t++)
        for (long row = t; row < rows; row += threads)
            attend(p, (size_t)row / p->n, (size_t)row % p->n, s->scores + (size_t)t * p->n);
}

static void release(void *x)
{
    state *s = x;
    free(s->scores);
    free(s);
}

ATTN_EXTERNAL {.abi = ATTN_EXTERNAL_ABI, .size = sizeof(attn_external), .version = "1", .prepare = prepare, .run = run,
               .release = release};
