/* attnlab cell: measures one cell and tells it line by line (see run_wire.c). `run` starts it, once for each
 * cell; what it takes for granted, `run` has checked. */
#include <stdlib.h>
#include <string.h>

#include "harness/cli.h"
#include "harness/ext.h"
#include "harness/input.h"
#include "harness/run.h"
#include "kernels/plan_inject.h"

static const option options[] = {
    {"spec", OPTION_TEXT, "SPEC", "pattern", NULL, 0, 0, NULL, false},
    {"n", OPTION_SIZE, "N", "sequence length", NULL, 1, ATTN_MAX_N, NULL, false},
    {"d", OPTION_SIZE, "D", "head dimension", NULL, ATTN_MIN_DIM, ATTN_MAX_DIM, NULL, false},
    {"batch", OPTION_SIZE, "B", "batch", NULL, 1, ATTN_MAX_N, NULL, false},
    {"heads", OPTION_SIZE, "H", "query heads", NULL, 1, ATTN_MAX_N, NULL, false},
    {"kv-heads", OPTION_SIZE, "H", "key and value heads", NULL, 1, ATTN_MAX_N, NULL, false},
    {"dtype", OPTION_CHOICE, "TYPE", "of q, k, v, o", NULL, 0, 0, "f32|bf16|f16", false},
    {"kernel", OPTION_TEXT, "NAME", "kernel", NULL, 0, 0, NULL, false},
    {"lowering", OPTION_TEXT, "NAME", "lowering", NULL, 0, 0, NULL, false},
    {"threads", OPTION_SIZE, "T", "threads", NULL, 1, 65536, NULL, false},
    {"input", OPTION_TEXT, "INPUT", "input", NULL, 0, 0, NULL, false},
    {"seed", OPTION_SEED, "SEED", "seed", NULL, 0, 0, NULL, false},
    {"metrics", OPTION_TEXT, "LIST", "metrics", NULL, 0, 0, NULL, false},
    {"max-time", OPTION_SECONDS, "S", "seconds for each pass", NULL, 0, 0, NULL, false},
    {"runs", OPTION_SIZE, "N", "runs to be timed, 0: as many as the noise needs", NULL, 0, 1000000, NULL, false},
    {"lane", OPTION_CHOICE, "LANE", "how it is measured", "time", 0, 0, LANE_NAMES, false},
    {"stop", OPTION_TEXT, "RULE", "when to stop", NULL, 0, 0, NULL, false},
    {"events", OPTION_TEXT, "FILE", "counter events", NULL, 0, 0, NULL, false},
    {"inject", OPTION_PERCENT, "PERCENT", "share of the work to be repeated", NULL, 0, 0, NULL, false},
    EXT_OPTIONS,
    {0},
};

/* Options that `run` does not always give. */
static bool may_lack(const option *o)
{
    static const char *const names[] = {"lane", "stop", "inject", "events"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(o->name, names[i]) == 0)
            return true;
    return o->repeat;
}

static void *tensor(size_t batch, size_t heads, size_t rows, size_t row_bytes)
{
    size_t bytes, padded;
    if (__builtin_mul_overflow(batch, heads, &bytes) || __builtin_mul_overflow(bytes, rows, &bytes) ||
        __builtin_mul_overflow(bytes, row_bytes, &bytes) ||
        __builtin_add_overflow(bytes, (size_t)63, &padded))
        return NULL;
    return aligned_alloc(64, padded / 64 * 64);
}

static attn_status measure(bench *b, const metric_set *set, attn_error *err)
{
    attn_status status = ATTN_OK;
    for (size_t i = 0; i < set->count && !status; i++) {
        samples list = {0};
        recorder r = samples_recorder(&list);
        wire_send(stdout, &(wire_line){.kind = WIRE_METRIC, .text = set->at[i]->name});
        fflush(stdout);
        status = set->at[i]->measure(b, &r, err);
        if (!status && list.failed)
            status = attn_fail(err, ATTN_ENOMEM, "out of memory for samples");
        for (size_t j = 0; j < list.count && !status; j++)
            wire_send_sample(stdout, list.series[list.at[j].series].name, list.series[list.at[j].series].unit,
                             &list.at[j]);
        samples_free(&list);
    }
    return status;
}

/* What computes the cell. */
typedef struct means {
    const char *lowering;
    double inject;      /* share of the work that is repeated; 0: none */
    bool cold;          /* operands are flushed before each run */
    stop_rule stop;
    const char *events;
    ext_start external; /* command NULL: a kernel of ours */
} means;

/* Starts the external kernel and lets it compute once: who is wrong is not timed. */
static attn_status prepare_external(bench *b, const means *how, attn_error *err)
{
    attn_status status = ext_open(&b->ext, &how->external, false, err);
    if (!status)
        status = ext_prepare(b->ext, b->cell, b->layout, b->q, b->k, b->v, err);
    if (!status)
        status = ext_compute(b->ext, b->o, err);
    if (!status)
        status = ext_verify(b->cell, b->layout, b->q, b->k, b->v, b->o, err);
    if (status)
        return status;
    const char *const texts[][2] = {{"version", ext_version(b->ext)}, {"setup", ext_setup(b->ext)}};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        wire_send_sample(stdout, texts[i][0], "",
                         &(sample){.kind = RECORD_TEXT, .text = (char *)(size_t)texts[i][1]});
    return ATTN_OK;
}

static attn_status prepare_plan(bench *b, const means *how, attn_error *err)
{
    const cell *c = b->cell;
    const attn_problem problem = {.layout = b->layout,
                                  .batch = c->batch,
                                  .kv_heads = c->kv_heads,
                                  .dim = c->dim,
                                  .dtype = c->dtype,
                                  .threads = c->threads,
                                  .kernel = c->kernel,
                                  .lowering = how->lowering};
    attn_status status = attn_plan_create(&b->plan, &problem, err);
    if (!status && how->inject > 0)
        status = plan_inject(b->plan, how->inject, err);
    return status;
}

static attn_status prepare_and_measure(const cell *c, const means *how, const metric_set *set, double seconds, size_t runs,
                                       attn_error *err)
{
    const input_shape shape = {c->batch, c->heads, c->kv_heads, c->n, c->n, c->dim};
    const size_t row = c->dim * attn_dtype_size(c->dtype);
    attn_spec *spec = NULL;
    attn_layout *layout = NULL;
    bench b = {
        .cell = c,
        .q = tensor(c->batch, c->heads, c->n, row),
        .k = tensor(c->batch, c->kv_heads, c->n, row),
        .v = tensor(c->batch, c->kv_heads, c->n, row),
        .o = tensor(c->batch, c->heads, c->n, row),
        .lse = tensor(c->batch, c->heads, c->n, sizeof(float)),
        .seconds = seconds,
        .runs = runs,
        .cold = how->cold,
        .stop = how->stop,
        .events = how->events,
    };
    attn_status status = ATTN_OK;
    if (!b.q || !b.k || !b.v || !b.o || !b.lse)
        status = attn_fail(err, ATTN_ENOMEM, "out of memory for q, k, v and o");
    if (!status)
        status = attn_spec_parse(&spec, c->spec, err);
    if (!status)
        status = attn_layout_create(&layout, spec, c->n, c->n, c->heads, err);
    if (!status)
        status = input_fill(c->input, &shape, c->dtype, c->seed, b.q, b.k, b.v, err);
    if (!status) {
        b.layout = layout;
        status = (how->external.command ? prepare_external : prepare_plan)(&b, how, err);
    }
    if (!status)
        status = measure(&b, set, err);
    if (!status && how->inject > 0)
        wire_send_sample(stdout, "injected", "fraction", &(sample){.kind = RECORD_REAL, .real = plan_injected(b.plan)});
    ext_close(b.ext);
    attn_plan_destroy(b.plan);
    attn_layout_destroy(layout);
    attn_spec_destroy(spec);
    free(b.lse);
    free(b.o);
    free(b.v);
    free(b.k);
    free(b.q);
    return status;
}

static int run(const args *a)
{
    const cell c = {
        .spec = cli_text(a, "spec"),
        .n = cli_size(a, "n"),
        .heads = cli_size(a, "heads"),
        .kv_heads = cli_size(a, "kv-heads"),
        .dim = cli_size(a, "d"),
        .batch = cli_size(a, "batch"),
        .dtype = (attn_dtype)cli_choice(a, "dtype"),
        .direction = FORWARD,
        .kernel = cli_text(a, "kernel"),
        .threads = (int)cli_size(a, "threads"),
        .input = cli_text(a, "input"),
        .seed = cli_seed(a, "seed"),
    };
    attn_error err;
    metric_set set;
    for (size_t i = 0; options[i].name; i++)
        if (!cli_given(a, options[i].name) && !may_lack(&options[i]))
            return cli_complain(EXIT_INPUT, "cell needs %s; 'attnlab run' calls it", options[i].name);
    char *start = NULL;
    means how = {.lowering = cli_text(a, "lowering"), .inject = cli_percent(a, "inject"), .cold = cli_choice(a, "lane") == LANE_COLD, .events = cli_text(a, "events")};
    attn_status status = metric_set_parse(&set, cli_text(a, "metrics"), (lane)cli_choice(a, "lane"), &err);
    if (!status && cli_given(a, "stop"))
        status = stop_parse(&how.stop, cli_text(a, "stop"), &err);
    if (!status && ext_is_name(c.kernel)) {
        const char *const *given;
        const size_t count = cli_texts(a, "ext", &given);
        status = ext_command(&start, c.kernel, given, count, &err);
        how.external = (ext_start){.kernel = c.kernel,
                                   .command = start,
                                   .timeout = cli_seconds(a, "ext-timeout"),
                                   .threads = c.threads};
        how.external.plugin_count = cli_texts(a, "plugin", &how.external.plugins);
    }
    if (!status)
        status = prepare_and_measure(&c, &how, &set, cli_seconds(a, "max-time"), cli_size(a, "runs"), &err);
    free(start);
    wire_send(stdout, status ? &(wire_line){.kind = WIRE_ERROR, .status = status, .text = err.message}
                             : &(wire_line){.kind = WIRE_DONE});
    return EXIT_FINE; /* the last line tells how it went */
}

const command cmd_cell = {
    .name = "cell",
    .operands = "",
    .summary = "measure one cell, for run",
    .details = "",
    .options = options,
    .run = run,
    .hidden = true,
};
