/* Arms in turn. See blocks.h. */
#include "harness/blocks.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "harness/ext.h"
#include "harness/orders.h"

enum { LEAST_RUNS = 3, MOST_RUNS = 1000 };

typedef struct arm {
    run_request request;
    sweep cells;
    char *command;
    bool *lost; /* of each cell: given up */
} arm;

typedef struct session {
    const blocks_request *r;
    store *s;
    arm arms[BLOCKS_MOST_ARMS];
    size_t *runs; /* of each cell */
    host here;
    char *environment;
    progress *bar;
    attn_status failure; /* of the first cell given up, wrong numbers before others */
} session;

/* ---- from a request to arms ---- */

static attn_status arm_create(arm *a, const blocks_request *r, size_t i, attn_error *err)
{
    a->request = r->base;
    a->request.kernel = r->kernels[i];
    a->request.label = r->labels[i];
    a->request.inject = r->inject[i];
    if (r->specs[i]) {
        a->request.specs = &r->specs[i];
        a->request.spec_count = 1;
    }
    attn_status status = sweep_create(&a->cells, &a->request, err);
    if (!status) {
        a->command = run_command_line(&a->request, a->cells.cells[0].key.threads);
        a->lost = calloc(a->cells.count, sizeof *a->lost);
        status = a->command && a->lost ? ATTN_OK : attn_fail(err, ATTN_ENOMEM, "out of memory");
    }
    return status;
}

/* ---- one process ---- */

static attn_status measure(session *x, size_t arm_number, size_t number, samples *out, attn_error *err)
{
    arm *a = &x->arms[arm_number];
    const sweep_cell *c = &a->cells.cells[number];
    run_request request = a->request;
    char name[256];
    request.runs = x->runs[number];
    sweep_cell_name(c, name, sizeof name);
    progress_show(x->bar, name, a->request.label);
    return run_process(&request, c, &a->request.metrics, out, x->bar, err);
}

/* An external kernel failed at a cell: no block tries it again. */
static void give_up(session *x, size_t arm_number, size_t number, attn_status status, const attn_error *why)
{
    const sweep_cell *c = &x->arms[arm_number].cells.cells[number];
    char name[256];
    sweep_cell_name(c, name, sizeof name);
    progress_clear(x->bar);
    x->r->failed(name, why->message);
    x->arms[arm_number].lost[number] = true;
    if (!x->failure || status == ATTN_EWRONG)
        x->failure = status;
}

/* How many runs of each cell fill the time: from the fastest in one process of the first arm, which counts for nothing else. A
 * disturbed one would leave all blocks with few. */
static attn_status count_runs(session *x, attn_error *err)
{
    attn_status status = ATTN_OK;
    for (size_t c = 0; c < x->arms[0].cells.count && !status; c++) {
        samples list = {0};
        status = measure(x, 0, c, &list, err);
        const double ns = status ? (double)NAN : samples_least(&list, "time_ns");
        if (status && ext_is_name(x->arms[0].cells.cells[c].key.kernel) && !run_signals_look()) {
            give_up(x, 0, c, status, err);
            status = ATTN_OK;
        }
        const double runs = x->r->base.seconds * 1e9 / ns;
        x->runs[c] = runs > LEAST_RUNS ? (size_t)fmin(runs, MOST_RUNS) : LEAST_RUNS;
        samples_free(&list);
        x->bar->done++;
    }
    return status;
}

static attn_status keep(session *x, run_ticket *ticket, const sweep_cell *c, const samples *list, const char *started,
                        const char *failure, attn_error *err)
{
    char id[STORE_ID_LENGTH + 1], finished[STORE_TIME_LENGTH + 1];
    store_now(finished);
    const store_measurement m = {.cell = &c->about, .started = started, .finished = finished,
                                 .metrics = x->r->base.metrics.names, .failure = failure, .samples = list};
    return store_put(x->s, ticket, &m, id, err);
}

/* ---- blocks ---- */

static void shuffle(size_t *order, size_t count, rng *r)
{
    for (size_t i = 0; i < count; i++)
        order[i] = i;
    for (size_t i = count; i > 1; i--) {
        const size_t j = (size_t)rng_below(r, i), kept = order[i - 1];
        order[i - 1] = order[j];
        order[j] = kept;
    }
}

static void mark_place(samples *list, size_t block, size_t place)
{
    recorder to = samples_recorder(list);
    record_int(&to, "block", "count", (int64_t)block);
    record_int(&to, "place", "count", (int64_t)place);
}

static attn_status run_block(session *x, size_t block, const size_t *order, attn_error *err)
{
    store_run about[BLOCKS_MOST_ARMS];
    run_ticket tickets[BLOCKS_MOST_ARMS];
    const size_t arms = x->r->arms, cells = x->arms[0].cells.count;
    attn_status status = ATTN_OK;
    for (size_t i = 0; i < arms && !status; i++) {
        about[i] = (store_run){.host = &x->here, .build = build_info_get(), .environment = x->environment,
                               .command = x->arms[i].command, .label = x->r->labels[i]};
        status = store_run_begin(x->s, &about[i], &tickets[i], err);
    }
    for (size_t k = 0; k < cells && !status; k++) {
        size_t arm_at[BLOCKS_MOST_ARMS];
        orders_of_block(arm_at, arms, block, order[k], x->r->seed);
        for (size_t place = 0; place < arms && !status; place++) {
            const size_t i = arm_at[place];
            const sweep_cell *c = &x->arms[i].cells.cells[order[k]];
            if (x->arms[i].lost[order[k]])
                continue;
            samples list = {0};
            char started[STORE_TIME_LENGTH + 1];
            store_now(started);
            attn_error why;
            const attn_status failed = measure(x, i, order[k], &list, &why);
            run_mark(&x->arms[i].request, &list);
            mark_place(&list, block, place);
            const bool given_up = failed && ext_is_name(c->key.kernel) && !run_signals_look();
            if (failed && !given_up)
                status = attn_fail(err, failed, "%s", why.message);
            else
                status = keep(x, &tickets[i], c, &list, started, failed ? why.message : NULL, err);
            if (given_up)
                give_up(x, i, order[k], failed, &why);
            samples_free(&list);
            x->bar->done++;
        }
    }
    for (size_t i = 0; i < arms; i++) {
        attn_error ignored; /* the first failure is the one to tell */
        const attn_status ended = store_run_end(x->s, &tickets[i], status ? "interrupted" : "complete", status ? &ignored : err);
        status = status ? status : ended;
    }
    return status;
}

attn_status blocks_measure(const blocks_request *r, store *s, progress *bar, attn_status *lost, attn_error *err)
{
    session x = {.r = r, .s = s, .bar = bar};
    attn_status status = ATTN_OK;
    size_t *order = NULL;
    host_read(&x.here, "");
    x.environment = environment_describe();
    for (size_t i = 0; i < r->arms && !status; i++)
        status = arm_create(&x.arms[i], r, i, err);
    if (status)
        goto cleanup;
    const size_t cells = x.arms[0].cells.count;
    x.runs = calloc(cells, sizeof *x.runs);
    order = calloc(cells, sizeof *order);
    if (!x.runs || !order || !x.environment) {
        status = attn_fail(err, ATTN_ENOMEM, "out of memory");
        goto cleanup;
    }
    run_signals_catch();
    bar->total = cells * (r->arms * r->blocks + (r->base.lane == LANE_TIME));
    if (r->base.lane == LANE_TIME)
        status = count_runs(&x, err);
    for (size_t b = 0; b < r->blocks && !status; b++) {
        rng random = rng_make(r->seed, b);
        shuffle(order, cells, &random);
        status = run_block(&x, b, order, err);
    }
    progress_clear(bar);
    *lost = x.failure;
cleanup:
    for (size_t i = 0; i < r->arms; i++) {
        sweep_destroy(&x.arms[i].cells);
        free(x.arms[i].command);
        free(x.arms[i].lost);
    }
    free(x.runs);
    free(order);
    free(x.environment);
    return status;
}
