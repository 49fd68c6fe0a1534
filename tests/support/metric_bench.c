#include "support/metric_bench.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/float16.h"
#include "base/rng.h"

static void *tensor(const cell *c, size_t heads, uint64_t stream)
{
    size_t count = c->batch * heads * c->n * c->dim;
    float *values = malloc(count * sizeof *values + 64);
    cr_assert(values, "out of memory");
    rng_normal_fill(c->seed, stream, 0, count, values);
    if (c->dtype == ATTN_BF16)
        for (size_t i = 0; i < count; i++) { /* in place: half as wide, never ahead of what is read */
            uint16_t half = bf16_from_f32(values[i]);
            memcpy((char *)values + i * sizeof half, &half, sizeof half);
        }
    return values;
}

void metric_bench_open(metric_bench *m, cell c, double seconds)
{
    attn_error err = {0};
    c.kv_heads = c.kv_heads ? c.kv_heads : c.heads;
    c.batch = c.batch ? c.batch : 1;
    c.threads = c.threads ? c.threads : 1;
    c.input = "gauss";
    *m = (metric_bench){.cell = c};
    cr_assert(attn_spec_parse(&m->spec, c.spec, &err) == ATTN_OK, "%s", err.message);
    cr_assert(attn_layout_create(&m->layout, m->spec, c.n, c.n, c.heads, &err) == ATTN_OK, "%s", err.message);
    attn_problem problem = {.layout = m->layout, .batch = c.batch, .kv_heads = c.kv_heads, .dim = c.dim,
                            .dtype = c.dtype, .threads = c.threads, .kernel = c.kernel};
    attn_plan *plan = NULL;
    cr_assert(attn_plan_create(&plan, &problem, &err) == ATTN_OK, "%s", err.message);
    m->cell.kernel = attn_plan_kernel(plan);
    m->bench = (bench){
        .cell = &m->cell, .layout = m->layout, .plan = plan, .seconds = seconds,
        .q = tensor(&m->cell, c.heads, 1), .k = tensor(&m->cell, c.kv_heads, 2),
        .v = tensor(&m->cell, c.kv_heads, 3), .o = tensor(&m->cell, c.heads, 4),
        .lse = calloc(c.batch * c.heads * c.n, sizeof(float)),
    };
}

void metric_bench_close(metric_bench *m)
{
    attn_plan_destroy(m->bench.plan);
    free(m->bench.q);
    free(m->bench.k);
    free(m->bench.v);
    free(m->bench.o);
    free(m->bench.lse);
    attn_layout_destroy(m->layout);
    attn_spec_destroy(m->spec);
}

static void take(void *context, const record *sample)
{
    capture *c = context;
    cr_assert(c->count < CAPTURED, "more than %d samples", (int)CAPTURED);
    captured *to = &c->at[c->count++];
    *to = (captured){.kind = sample->kind};
    snprintf(to->series, sizeof to->series, "%s", sample->series);
    snprintf(to->unit, sizeof to->unit, "%s", sample->unit ? sample->unit : "");
    snprintf(to->text, sizeof to->text, "%s", sample->text ? sample->text : "");
    to->number = sample->kind == RECORD_INT ? (double)sample->integer : sample->real;
    cr_assert(sample->kind != RECORD_ABSENT || *to->text, "%s is absent without a reason", to->series);
}

void capture_start(capture *c)
{
    *c = (capture){.recorder = {take, c}};
}

void capture_metric(capture *c, const char *name, metric_bench *m)
{
    attn_error err = {0};
    capture_start(c);
    for (size_t i = 0; metrics[i]; i++)
        if (strcmp(metrics[i]->name, name) == 0) {
            cr_assert(metrics[i]->measure(&m->bench, &c->recorder, &err) == ATTN_OK, "%s: %s", name,
                      err.message);
            return;
        }
    cr_assert(false, "no metric %s", name);
}

size_t capture_samples(const capture *c, const char *series)
{
    size_t n = 0;
    for (size_t i = 0; i < c->count; i++)
        n += strcmp(c->at[i].series, series) == 0;
    return n;
}

const captured *capture_find(const capture *c, const char *series)
{
    for (size_t i = 0; i < c->count; i++)
        if (strcmp(c->at[i].series, series) == 0)
            return &c->at[i];
    return NULL;
}

double capture_number(const capture *c, const char *series)
{
    const captured *found = capture_find(c, series);
    cr_assert(found && capture_samples(c, series) == 1, "%zu samples of %s", capture_samples(c, series),
              series);
    cr_assert(found->kind == RECORD_REAL || found->kind == RECORD_INT, "%s is no number: %s", series,
              found->text);
    return found->number;
}

const char *capture_text(const capture *c, const char *series)
{
    const captured *found = capture_find(c, series);
    return found ? found->text : "";
}
