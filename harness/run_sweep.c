/* From a request to its cells, each checked before any is measured. */
#include "harness/run.h"

#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "harness/input.h"
#include "harness/memory.h"
#include "harness/slow_rows.h"

static const char *const direction_names[] = {[FORWARD] = "fwd", [BACKWARD] = "bwd", [DECODE] = "decode"};

void sweep_cell_name(const sweep_cell *c, char *out, size_t size)
{
    snprintf(out, size, "%s n=%zu d=%zu", c->key.spec, c->key.n, c->key.dim);
}

/* ---- one cell ---- */

static bool same(const cell *a, const cell *b)
{
    /* one sweep varies nothing else */
    return strcmp(a->spec, b->spec) == 0 && a->n == b->n && a->dim == b->dim;
}

/* Bytes that measuring takes besides the plan: the tensors, and what the oracle reads in double precision. */
static double tensor_bytes(const cell *c)
{
    const double rows = (double)c->batch * (double)c->n, dim = (double)c->dim;
    const double tensors =
        rows * 2 * (double)(c->heads + c->kv_heads) * dim * (double)attn_dtype_size(c->dtype);
    const double lse = rows * (double)c->heads * sizeof(float);
    const double oracle = (double)c->n * (2 * dim + 1) * sizeof(double);
    return tensors + lse + oracle;
}

static attn_status check_memory(const sweep_cell *c, double bytes, attn_error *err)
{
    const double available = (double)memory_available(), gib = 1 << 30;
    char name[256];
    if (bytes <= available)
        return ATTN_OK;
    sweep_cell_name(c, name, sizeof name);
    return attn_fail(err, ATTN_EINVAL,
                     "%s needs %.1f GiB of memory, %.1f GiB are available; take smaller n, heads or batch",
                     name, bytes / gib, available / gib);
}

/* An error of a cell, with its name in front unless the message speaks of nothing else. */
static attn_status blame(const sweep_cell *c, attn_status status, attn_error *err)
{
    char name[200];
    attn_error inner = *err;
    sweep_cell_name(c, name, sizeof name);
    return attn_fail(err, status, "%s: %s", name, inner.message);
}

attn_problem run_problem(const run_request *r, const cell *k, const attn_layout *layout)
{
    return (attn_problem){
        .layout = layout,
        .batch = k->batch,
        .kv_heads = k->kv_heads,
        .dim = k->dim,
        .dtype = k->dtype,
        .threads = r->threads,
        .kernel = r->kernel,
        .plan = r->plan,
        .lowering = r->lowering,
    };
}

static attn_status plan_cell(sweep_cell *c, const run_request *request, const attn_layout *layout,
                             attn_error *err)
{
    attn_plan *plan = NULL;
    const attn_problem problem = run_problem(request, &c->key, layout);
    attn_status status = attn_plan_create(&plan, &problem, err);
    if (status)
        return blame(c, status, err);
    const attn_cost *cost = attn_plan_cost(plan);
    c->spec_resolved = strdup(attn_layout_text(layout));
    c->kernel = strdup(attn_plan_kernel(plan));
    c->isa = strdup(attn_plan_isa(plan));
    c->key.kernel = c->kernel;
    c->key.threads = attn_plan_threads(plan);
    snprintf(c->lowering, sizeof c->lowering, "%s", attn_plan_lowering(plan));
    c->chosen_by = attn_plan_chosen_by(plan);
    c->about = (store_cell){
        .cell = &c->key,
        .pattern = c->about.pattern,
        .spec_resolved = c->spec_resolved,
        .isa = c->isa,
        .pairs_total = cost->pairs_total,
    };
    status = c->spec_resolved && c->kernel && c->isa
                 ? check_memory(c, tensor_bytes(&c->key) + (double)cost->workspace_bytes, err)
                 : attn_fail(err, ATTN_ENOMEM, "out of memory planning the sweep");
    attn_plan_destroy(plan);
    return status;
}

/* External kernels plan nothing: what they refuse is seen when they are asked. */
static attn_status place_external(sweep_cell *c, const run_request *r, const attn_layout *layout, attn_error *err)
{
    uint64_t pairs;
    if (__builtin_mul_overflow(attn_layout_pairs_all_heads(layout), c->key.batch, &pairs))
        return attn_fail(err, ATTN_EINVAL, "more than 2^64 pairs; take smaller n, heads or batch");
    c->spec_resolved = strdup(attn_layout_text(layout));
    c->kernel = strdup(r->kernel);
    c->isa = strdup(EXT_ISA);
    c->key.kernel = c->kernel;
    c->key.threads = r->threads ? r->threads : omp_get_max_threads();
    c->about = (store_cell){
        .cell = &c->key,
        .pattern = c->about.pattern,
        .spec_resolved = c->spec_resolved,
        .isa = c->isa,
        .pairs_total = pairs,
    };
    return c->spec_resolved && c->kernel && c->isa
               ? ATTN_OK : attn_fail(err, ATTN_ENOMEM, "out of memory planning the sweep");
}

static attn_status check_cell(sweep_cell *c, const run_request *request, const attn_spec *spec,
                              attn_error *err)
{
    const cell *k = &c->key;
    const input_shape shape = {k->batch, k->heads, k->kv_heads, k->n, k->n, k->dim};
    attn_layout *layout = NULL;
    attn_status status = check_memory(c, tensor_bytes(k), err);
    if (!status && (status = input_check(k->input, &shape, err)))
        status = blame(c, status, err);
    if (!status && (status = attn_layout_create(&layout, spec, k->n, k->n, k->heads, err)))
        status = blame(c, status, err);
    if (!status)
        slow_rows_say(layout);
    if (!status)
        status = (ext_is_name(request->kernel) ? place_external : plan_cell)(c, request, layout, err);
    attn_layout_destroy(layout);
    return status;
}

/* ---- all of them ---- */

static attn_status add_spec(sweep *s, const run_request *r, const char *text, attn_error *err)
{
    attn_spec *spec = NULL;
    attn_status status = attn_spec_parse(&spec, text, err);
    for (size_t i = 0; !status && i < r->n_count; i++)
        for (size_t j = 0; !status && j < r->dim_count; j++) {
            sweep_cell *c = &s->cells[s->count];
            size_t known = 0;
            c->key = (cell){
                .spec = attn_spec_text(spec),
                .n = r->ns[i],
                .heads = r->heads,
                .kv_heads = r->kv_heads,
                .dim = r->dims[j],
                .batch = r->batch,
                .dtype = r->dtype,
                .direction = r->direction,
                .input = r->input,
                .seed = r->seed,
            };
            while (known < s->count && !same(&s->cells[known].key, &c->key))
                known++;
            if (known < s->count)
                continue;
            c->about.pattern = attn_spec_pattern(spec)->name;
            if (!(c->spec = strdup(c->key.spec)))
                status = attn_fail(err, ATTN_ENOMEM, "out of memory planning the sweep");
            c->key.spec = c->spec;
            s->count++;
        }
    attn_spec_destroy(spec);
    return status;
}

static attn_status check_all(sweep *s, const run_request *r, attn_error *err)
{
    attn_spec *spec = NULL;
    attn_status status = ATTN_OK;
    for (size_t i = 0; !status && i < s->count; i++) {
        status = attn_spec_parse(&spec, s->cells[i].spec, err);
        if (!status)
            status = check_cell(&s->cells[i], r, spec, err);
        attn_spec_destroy(spec);
        spec = NULL;
    }
    return status;
}

static void free_cell(sweep_cell *c)
{
    free(c->spec);
    free(c->spec_resolved);
    free(c->kernel);
    free(c->isa);
}

/* Cells in turn, since neighbours cost about the same: what shards have adds up to all, and nothing is in two. Before they are
 * checked, which makes them point into themselves. */
static void keep_shard(sweep *s, size_t shard, size_t shards)
{
    size_t kept = 0;
    for (size_t i = 0; i < s->count; i++)
        if (i % shards == shard - 1)
            s->cells[kept++] = s->cells[i];
        else
            free_cell(&s->cells[i]);
    s->count = kept;
}

attn_status sweep_create(sweep *out, const run_request *r, attn_error *err)
{
    sweep s = {.cells = calloc(r->spec_count * r->n_count * r->dim_count, sizeof *s.cells)};
    attn_status status = s.cells ? ATTN_OK : attn_fail(err, ATTN_ENOMEM, "out of memory planning the sweep");
    if (!status && r->heads % r->kv_heads != 0)
        status = attn_fail(err, ATTN_EINVAL, "--kv-heads %zu does not divide --heads %zu", r->kv_heads,
                           r->heads);
    for (size_t i = 0; !status && i < r->spec_count; i++)
        status = add_spec(&s, r, r->specs[i], err);
    if (!status && r->shards)
        keep_shard(&s, r->shard, r->shards);
    if (!status)
        status = check_all(&s, r, err);
    if (status)
        sweep_destroy(&s);
    else
        *out = s;
    return status;
}

void sweep_destroy(sweep *s)
{
    for (size_t i = 0; i < s->count; i++)
        free_cell(&s->cells[i]);
    free(s->cells);
    *s = (sweep){0};
}

/* ---- the line that repeats it ---- */

static void word(FILE *out, const char *text)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:=,+%@";
    fputc(' ', out);
    if (*text && strspn(text, plain) == strlen(text)) {
        fputs(text, out);
        return;
    }
    fputc('\'', out);
    for (; *text; text++)
        fputs(*text == '\'' ? "'\\''" : (char[]){*text, '\0'}, out);
    fputc('\'', out);
}

static void list(FILE *out, const char *name, const size_t *values, size_t count)
{
    fprintf(out, " %s ", name);
    for (size_t i = 0; i < count; i++)
        fprintf(out, "%s%zu", i ? "," : "", values[i]);
}

char *run_command_line(const run_request *r, int threads)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        return NULL;
    fputs("attnlab run", out);
    for (size_t i = 0; i < r->plugin_count; i++) {
        fputs(" --plugin", out);
        word(out, r->plugins[i]);
    }
    for (size_t i = 0; i < r->spec_count; i++) {
        fputs(" -p", out);
        word(out, r->specs[i]);
    }
    list(out, "-n", r->ns, r->n_count);
    list(out, "-d", r->dims, r->dim_count);
    fprintf(out, " --batch %zu --heads %zu --kv-heads %zu --dtype %s --direction %s --kernel", r->batch,
            r->heads, r->kv_heads, attn_dtype_name(r->dtype), direction_names[r->direction]);
    word(out, r->kernel);
    for (size_t i = 0; i < r->ext_count; i++) {
        fputs(" --ext", out);
        word(out, r->exts[i]);
    }
    if (ext_is_name(r->kernel))
        fprintf(out, " --ext-timeout %g", r->ext_timeout);
    if (r->plan == ATTN_PLAN_MEASURE)
        fputs(" --plan measure", out);
    if (r->lowering) {
        fputs(" --lowering", out);
        word(out, r->lowering);
    }
    fprintf(out, " --threads %d --input", threads);
    word(out, r->input);
    fprintf(out, " --seed %llu --metrics %s --max-time %g", (unsigned long long)r->seed, r->metrics.names,
            r->seconds);
    if (r->lane == LANE_CALLGRIND)
        fputs(" --lane callgrind", out);
    if (r->lane == LANE_COLD)
        fputs(" --cache cold", out);
    if (r->stop) {
        fputs(" --stop", out);
        word(out, r->stop);
    }
    if (r->events) {
        fputs(" --events", out);
        word(out, r->events);
    }
    if (r->inject > 0)
        fprintf(out, " --inject %.12g", 100 * r->inject);
    if (r->shards)
        fprintf(out, " --shard %zu/%zu", r->shard, r->shards);
    if (r->label) {
        fputs(" --label", out);
        word(out, r->label);
    }
    if (fclose(out) != 0) {
        free(text);
        return NULL;
    }
    return text;
}
