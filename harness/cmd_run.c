/* attnlab run: axes in, rows in the database out. */
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "harness/cli.h"
#include "harness/lane_callgrind.h"
#include "harness/perf_events.h"

static const option options[] = {
    {"p", OPTION_TEXT, "SPEC", "pattern (default: dense, local, strided and fixed)", NULL, 0, 0, NULL, true},
    {"n", OPTION_AXIS, "AXIS", "sequence lengths: 4k, or 1k,2k, or 1k:16k*2", "1k:4k*2", 1, ATTN_MAX_N, NULL,
     false},
    {"d", OPTION_AXIS, "AXIS", "head dimensions", "64", ATTN_MIN_DIM, ATTN_MAX_DIM, NULL, false},
    {"batch", OPTION_SIZE, "B", "batch entries", "1", 1, 65536, NULL, false},
    {"heads", OPTION_SIZE, "H", "query heads", "8", 1, 65536, NULL, false},
    {"kv-heads", OPTION_SIZE, "H", "key and value heads; divides --heads (default: as many)", NULL, 1, 65536,
     NULL, false},
    {"dtype", OPTION_CHOICE, "TYPE", "of q, k, v and o", "f32", 0, 0, "f32|bf16|f16", false},
    {"direction", OPTION_CHOICE, "WAY", "what to compute", "fwd", 0, 0, DIRECTION_CHOICES, false},
    {"kernel", OPTION_TEXT, "NAME", "kernel, never replaced by another; auto: the planner's choice; ext:NAME: an "
     "external one", "auto", 0, 0, NULL, false},
    EXT_OPTIONS,
    {"plan", OPTION_CHOICE, "HOW", "choose the lowering by estimate, or measure those that might be fastest", "estimate", 0,
     0, "estimate|measure", false},
    {"lowering", OPTION_TEXT, "NAME", "take this one: natural, classes, ... as --explain names them", NULL, 0, 0, NULL,
     false},
    {"explain", OPTION_FLAG, NULL, "print how each cell would be computed and why; measure nothing", NULL, 0, 0, NULL,
     false},
    {"threads", OPTION_SIZE, "T", "threads (default: all this process may use)", NULL, 1, 4096, NULL, false},
    {"input", OPTION_TEXT, "INPUT", "q, k and v: gauss, text:FILE or npy:DIR", "gauss", 0, 0, NULL, false},
    {"seed", OPTION_SEED, "SEED", "seed of the input", "1", 0, 0, NULL, false},
    {"metrics", OPTION_TEXT, "LIST", "what to measure: time,flops,memory,accuracy,counters, or all", "all", 0,
     0, NULL, false},
    {"events", OPTION_TEXT, "FILE", "count what this file says too (docs/MEASUREMENT.md)", NULL, 0, 0, NULL, false},
    {"max-time", OPTION_SECONDS, "S",
     "seconds for the timed pass of one cell; other passes take about as much", "1", 0, 0, NULL, false},
    {"processes", OPTION_SIZE, "P", "measure everything P times, each time a run of its own, cells in random order", "1", 1,
     1000, NULL, false},
    {"lane", OPTION_CHOICE, "LANE", "time: on the machine; callgrind: instructions of one run, counted by valgrind", "time", 0, 0,
     LANE_CHOICES, false},
    {"cache", OPTION_CHOICE, "STATE", "hot: operands as the run before left them; cold: flushed from all caches before each timed run", "hot", 0, 0, "hot|cold",
     false},
    {"stop", OPTION_TEXT, "RULE", "when to stop sampling: ci:1%, stdrel:1%, entropy, count:N or time:S (default: ci:1%, looked at often)", NULL, 0, 0, NULL, false},
    {"inject", OPTION_PERCENT, "PERCENT", "repeat that share of the work, to see who notices", NULL, 0, 0, NULL, false},
    {"shard", OPTION_TEXT, "I/N", "measure the I-th of N parts of the cells, for N machines; 'attnlab db merge' joins them", NULL, 0, 0, NULL,
     false},
    {"resume", OPTION_FLAG, NULL, "measure only the cells that this program has not measured here; print all",
     NULL, 0, 0, NULL, false},
    {"label", OPTION_TEXT, "TEXT", "kept with the run", NULL, 0, 0, NULL, false},
    {"db", OPTION_TEXT, "FILE", "the database (default: $ATTNLAB_DB, else results/attnlab.db)", NULL, 0, 0,
     NULL, false},
    {"o", OPTION_CHOICE, "FORMAT", "how rows are printed", "table", 0, 0, EMIT_CHOICES, false},
    {0},
};

/* What is going on while the cells are measured. */
typedef struct session {
    const run_request *request;
    metric_set together, alone; /* those that share a process, and the others */
    store *s;
    run_ticket ticket;
    row_printer *rows;
    progress bar;
    bool resume;
    size_t processes;
    size_t failures;
    attn_status failure; /* of the first cell that failed, wrong numbers before others */
} session;

/* ---- from arguments to a request ---- */

/* An external kernel: no option that means nothing to it. */
static attn_status check_external(const run_request *r, bool explain, attn_error *err)
{
    const char *idle = explain ? "--explain" : r->lowering ? "--lowering" : r->plan == ATTN_PLAN_MEASURE ? "--plan" : NULL;
    if (idle)
        return attn_fail(err, ATTN_EINVAL, "%s has no meaning with --kernel %s: external kernels plan nothing", idle,
                         r->kernel);
    return run_check_external(r, err);
}

static attn_status check_injection(const run_request *r, const args *a, attn_error *err)
{
    if (r->inject > 1)
        return attn_fail(err, ATTN_EINVAL, "--inject %g is outside its range, above 0 to 100 per cent", 100 * r->inject);
    if (cli_flag(a, "resume"))
        return attn_fail(err, ATTN_EINVAL, "--inject %g measures another program than the one there is, and --resume takes what "
                                           "that one measured: give one of them", 100 * r->inject);
    return ext_is_name(r->kernel) ? attn_fail(err, ATTN_EINVAL, "--inject has no meaning with --kernel %s: its work is not attnlab's",
                                              r->kernel)
                                  : ATTN_OK;
}

static attn_status check_cold(run_request *r, attn_error *err)
{
    if (r->lane == LANE_CALLGRIND)
        return attn_fail(err, ATTN_EINVAL, "--cache cold has no meaning with --lane callgrind: instructions are the same whatever caches hold");
    if (ext_is_name(r->kernel))
        return attn_fail(err, ATTN_EINVAL, "--cache cold cannot reach the memory of --kernel %s, which is another process", r->kernel);
    r->lane = LANE_COLD;
    return ATTN_OK;
}

static attn_status parse_shard(run_request *r, const char *text, attn_error *err)
{
    char first[24] = "";
    const char *slash = strchr(text, '/');
    if (slash && (size_t)(slash - text) < sizeof first)
        memcpy(first, text, (size_t)(slash - text));
    if (!slash || !cli_parse_size(first, &r->shard) || !cli_parse_size(slash + 1, &r->shards) || r->shard < 1 || r->shard > r->shards)
        return attn_fail(err, ATTN_EINVAL, "--shard %.40s is not I/N with I from 1 to N, such as 2/8", text);
    return ATTN_OK;
}

/* The file is read before anything is measured, though the measuring process reads it again. */
static attn_status check_events(const run_request *r, attn_error *err)
{
    perf_events *list = NULL;
    if (!metric_set_has(&r->metrics, "counters"))
        return attn_fail(err, ATTN_EINVAL, "--events %.200s has no meaning without the metric counters, and --metrics is %s", r->events,
                         r->metrics.names);
    if (ext_is_name(r->kernel))
        return attn_fail(err, ATTN_EINVAL, "--events has no meaning with --kernel %s, whose process is not counted", r->kernel);
    attn_status status = perf_events_choose(&list, perf_core_pmu(), r->events, err);
    free(list);
    return status;
}

static attn_status make_request(run_request *out, const args *a, attn_error *err)
{
    static const char *const families[] = {"dense", "local", "strided", "fixed"};
    run_request r = {
        .batch = cli_size(a, "batch"),
        .heads = cli_size(a, "heads"),
        .dtype = (attn_dtype)cli_choice(a, "dtype"),
        .direction = (direction)cli_choice(a, "direction"),
        .kernel = cli_text(a, "kernel"),
        .plan = (attn_plan_mode)cli_choice(a, "plan"),
        .lowering = cli_text(a, "lowering"),
        .threads = (int)cli_size(a, "threads"),
        .input = cli_text(a, "input"),
        .seed = cli_seed(a, "seed"),
        .seconds = cli_seconds(a, "max-time"),
        .label = cli_text(a, "label"),
        .stop = cli_text(a, "stop"),
        .ext_timeout = cli_seconds(a, "ext-timeout"),
        .lane = (lane)cli_choice(a, "lane"),
        .inject = cli_percent(a, "inject"),
        .events = cli_text(a, "events"),
    };
    r.spec_count = cli_texts(a, "p", &r.specs);
    if (!r.spec_count) {
        r.specs = families;
        r.spec_count = sizeof families / sizeof families[0];
    }
    r.n_count = cli_axis(a, "n", &r.ns);
    r.dim_count = cli_axis(a, "d", &r.dims);
    r.kv_heads = cli_given(a, "kv-heads") ? cli_size(a, "kv-heads") : r.heads;
    r.plugin_count = cli_texts(a, "plugin", &r.plugins);
    r.ext_count = cli_texts(a, "ext", &r.exts);
    if (r.direction != FORWARD)
        return attn_fail(err, ATTN_EINVAL,
                         "--direction %s: no kernel computes it yet; only fwd can be measured",
                         r.direction == BACKWARD ? "bwd" : "decode");
    attn_status status = ext_check_given(r.exts, r.ext_count, err);
    if (!status && ext_is_name(r.kernel))
        status = check_external(&r, cli_flag(a, "explain"), err);
    if (!status && cli_given(a, "shard"))
        status = parse_shard(&r, cli_text(a, "shard"), err);
    if (!status && r.inject > 0)
        status = check_injection(&r, a, err);
    if (!status && cli_choice(a, "cache") == 1)
        status = check_cold(&r, err);
    if (!status && r.stop)
        status = stop_parse(&(stop_rule){0}, r.stop, err);
    if (!status && r.lane == LANE_CALLGRIND)
        status = callgrind_adapt(&r, err);
    if (!status)
        status = metric_set_parse(&r.metrics, cli_text(a, "metrics"), r.lane, err);
    if (!status && r.events)
        status = check_events(&r, err);
    if (!status)
        *out = r;
    return status;
}

/* ---- one cell ---- */

/* The metrics that share a process, then a process for each of the others. */
static attn_status measure(const session *x, const sweep_cell *c, samples *out, attn_error *err)
{
    attn_status status = ATTN_OK;
    if (ext_is_name(x->request->kernel)) /* its own process is another anyway, and long to start */
        return run_process(x->request, c, &x->request->metrics, out, &x->bar, err);
    if (x->together.count)
        status = run_process(x->request, c, &x->together, out, &x->bar, err);
    for (size_t i = 0; i < x->alone.count && !status; i++) {
        const metric_set one = metric_set_one(x->alone.at[i]);
        status = run_process(x->request, c, &one, out, &x->bar, err);
    }
    return status;
}

static void report_failure(session *x, const sweep_cell *c, attn_status status, const attn_error *why)
{
    char name[256];
    sweep_cell_name(c, name, sizeof name);
    progress_clear(&x->bar);
    cli_complain(EXIT_MACHINE, "%s failed: %s", name, why->message);
    if (!x->failures++ || status == ATTN_EWRONG)
        x->failure = status;
}

/* Errors of the cell are reported, stored and passed over; the status is that of the store. */
static attn_status do_cell(session *x, const sweep_cell *c, attn_error *err)
{
    char id[STORE_ID_LENGTH + 1] = "", started[STORE_TIME_LENGTH + 1], finished[STORE_TIME_LENGTH + 1];
    attn_status status = ATTN_OK;
    if (x->resume)
        status = store_find(x->s, &x->ticket, &c->about, x->request->metrics.names,
                            lane_name(x->request->lane), id, err);
    if (status || *id)
        return status ? status : row_print(x->rows, id, err);

    char name[256];
    samples list = {0};
    attn_error why;
    sweep_cell_name(c, name, sizeof name);
    progress_show(&x->bar, name, "");
    store_now(started);
    const attn_status failed = measure(x, c, &list, &why);
    run_mark(x->request, &list);
    if (c->chosen_by)
        samples_add(&list, &(record){.series = "plan", .kind = RECORD_TEXT, .text = c->chosen_by});
    if (*c->lowering)
        samples_add(&list, &(record){.series = "lowering", .kind = RECORD_TEXT, .text = c->lowering});
    store_now(finished);
    progress_clear(&x->bar);
    if (!run_signals_look() || !failed) {
        const store_measurement m = {
            .cell = &c->about,
            .started = started,
            .finished = finished,
            .metrics = x->request->metrics.names,
            .failure = failed ? why.message : NULL,
            .samples = &list,
        };
        status = store_put(x->s, &x->ticket, &m, id, err);
        if (failed)
            report_failure(x, c, failed, &why);
        else if (!status)
            status = row_print(x->rows, id, err);
    }
    samples_free(&list);
    return status;
}

/* ---- all of them ---- */

/* One run: each cell once, in the order given, or in a random one of the `turn`. */
static attn_status measure_once(session *x, const sweep *cells, size_t turn, attn_error *err)
{
    attn_status status = ATTN_OK;
    size_t *order = calloc(cells->count, sizeof *order);
    if (!order)
        return attn_fail(err, ATTN_ENOMEM, "out of memory");
    rng random = rng_make(x->request->seed, turn);
    for (size_t i = 0; i < cells->count; i++) {
        const size_t j = x->processes > 1 ? (size_t)rng_below(&random, i + 1) : i;
        order[i] = order[j];
        order[j] = i;
    }
    for (size_t i = 0; i < cells->count && !status && !run_signals_look(); i++, x->bar.done++)
        status = do_cell(x, &cells->cells[order[i]], err);
    free(order);
    return status;
}

static int measure_all(session *x, const sweep *cells)
{
    attn_error err, ending;
    attn_status status = ATTN_OK, ended = ATTN_OK;
    bool interrupted = false;
    run_signals_catch();
    for (size_t turn = 0; turn < x->processes && !status && !ended && !interrupted; turn++) {
        if (turn)
            status = store_run_begin(x->s, x->ticket.about, &x->ticket, &err);
        if (!status)
            status = measure_once(x, cells, turn, &err);
        interrupted = run_signals_look();
        const char *outcome = interrupted ? "interrupted" : x->failures || status ? "incomplete" : "complete";
        ended = store_run_end(x->s, &x->ticket, outcome, &ending);
    }
    const bool printed = row_printer_close(x->rows);
    x->rows = NULL;
    if (status)
        return cli_fail(status, &err);
    if (ended)
        return cli_fail(ended, &ending);
    if (interrupted)
        return cli_complain(EXIT_INTERRUPTED,
                            "interrupted; finished cells are in %s, and the same command with --resume "
                            "measures the rest",
                            store_file(x->s));
    if (x->failures)
        return cli_complain(cli_exit_code(x->failure), "%zu of %zu measurements failed; the others are in %s", x->failures,
                            cells->count * x->processes,
                            store_file(x->s));
    return printed ? EXIT_FINE : cli_complain(EXIT_MACHINE, "standard output could not be written");
}

static int run(const args *a)
{
    attn_error err;
    run_request request = {0};
    sweep cells = {0};
    host here;
    session x = {.request = &request, .resume = cli_flag(a, "resume"), .processes = cli_size(a, "processes")};
    char *command_line = NULL, *environment_json_text = NULL;
    int code;
    const bool explain = cli_flag(a, "explain");
    attn_status status = make_request(&request, a, &err);
    if (!status && x.resume && x.processes > 1)
        status = attn_fail(&err, ATTN_EINVAL, "--processes %zu measures cells again, --resume leaves out those measured: give one of "
                                              "them", x.processes);
    attn_plan_mode plan = request.plan;
    if (!status && explain) /* measured when it is explained, not before */
        request.plan = ATTN_PLAN_ESTIMATE;
    if (!status)
        status = store_wisdom_recall_from(store_path(cli_text(a, "db")), &err);
    if (!status)
        status = sweep_create(&cells, &request, &err);
    request.plan = plan;
    if (!status && !cells.count) { /* more parts than cells */
        fprintf(stderr, "attnlab: no cells fall to part %zu of %zu\n", request.shard, request.shards);
        code = EXIT_FINE;
        goto cleanup;
    }
    if (!status && explain) {
        status = run_explain(stdout, (emit_format)cli_choice(a, "o"), &request, &cells, &err);
        code = status ? cli_fail(status, &err) : EXIT_FINE;
        goto cleanup;
    }
    if (!status)
        status = store_open(&x.s, store_path(cli_text(a, "db")), STORE_WRITE, &err);
    if (!status)
        status = store_wisdom_keep(x.s, NULL, &err);
    if (status) {
        code = cli_fail(status, &err);
        goto cleanup;
    }
    x.together = metric_set_split(&request.metrics, false);
    x.alone = metric_set_split(&request.metrics, true);
    x.bar = progress_start(stderr, cells.count * x.processes);
    host_read(&here, "");
    command_line = run_command_line(&request, cells.cells[0].key.threads);
    environment_json_text = environment_describe();
    const store_run about = {.host = &here,
                             .build = build_info_get(),
                             .environment = environment_json_text,
                             .command = command_line,
                             .label = request.label};
    status = command_line && environment_json_text ? store_run_begin(x.s, &about, &x.ticket, &err)
                                                   : attn_fail(&err, ATTN_ENOMEM, "out of memory");
    if (!status)
        status = row_printer_open(&x.rows, x.s, stdout, (emit_format)cli_choice(a, "o"), request.lane, &err);
    code = status ? cli_fail(status, &err) : measure_all(&x, &cells);
cleanup:
    store_close(x.s);
    sweep_destroy(&cells);
    free(environment_json_text);
    free(command_line);
    return code;
}

const command cmd_run = {
    .name = "run",
    .operands = "",
    .summary = "measure: axes in, rows in the database out",
    .details =
        "Measures every pattern at every length and dimension, each in a process of its own, and keeps "
        "every sample in the database. All cells are checked before the first is measured; when one is "
        "wrong nothing is written.\n"
        "\n"
        "  attnlab run -p dense -p 'strided:l=sqrt(n)' -n 1k:16k*2\n"
        "  attnlab run -p local:k=128 -n 64k --metrics time,memory -o jsonl\n"
        "\n"
        "Ctrl-C keeps what is finished (exit 130). --resume continues: a cell counts as measured when "
        "the database has it finished by this very program file on this machine with at least the "
        "metrics asked for, whatever --max-time and --events were. A cell that crashes or runs out of memory is "
        "reported, stored as failed and passed over; the exit code is then 70 or 74.\n"
        "\n"
        "--kernel ext:NAME measures somebody else's implementation on the same inputs: one that 'attnlab list externals' "
        "shows, or any command that --ext names and that answers JSON lines (docs/EXTERNAL.md). It is compared with the "
        "fp64 oracle before it is timed. One that fails costs its cells (exit 2), one that is wrong gives exit 14.\n"
        "\n"
        "  PYTHON=~/torch/bin/python3 attnlab run --kernel ext:torch-sdpa -p dense -n 4k\n"
        "  attnlab run --kernel ext:mine --ext mine=./mine.so -p local -n 4k\n"
        "\n"
        "--plan measure runs the lowerings that might be fastest of each cell for about a second before "
        "anything is measured; what comes out is kept in the database and used from then on (see "
        "'attnlab db wisdom').\n"
        "\n"
        "--processes 12 repeats all of it in as many runs: processes, not samples of one, are independent, and what "
        "'attnlab compare' counts.\n"
        "\n"
        "--lane callgrind runs each cell once under valgrind and stores the instructions of the kernel, exactly, for gates on "
        "machines too noisy to time: one thread, the AVX2 or the portable kernel. Data references are stored too, for "
        "diagnosis. What lanes measure is never held against each other.\n"
        "\n"
        "  attnlab run --lane callgrind -p dense -p local -n 512 --heads 2 --kernel avx2\n"
        "\n"
        "--cache cold flushes q, k, v and o from all caches before each timed run: a lane of its own, with --metrics time and flops, in runs of its "
        "own. --stop decides when there are samples enough: ci, stdrel and entropy look after 6, 12, 24, ... samples only, so that "
        "what they say holds although they look more than once (docs/MEASUREMENT.md); --max-time bounds them all.\n"
        "\n"
        "--events mine.txt adds sets of counter events, and formulas over them, to those that attnlab has for this CPU "
        "('attnlab doctor' lists them); a set or formula of the same name takes its place. The format is described in "
        "docs/MEASUREMENT.md, section Counters, and in the comments of harness/metrics/events.\n"
        "\n"
        "--shard 2/8 measures the second of eight parts of the sweep. Every part is a run of its own, on whatever machine; 'attnlab "
        "db merge' joins the databases (docs/SHARING.md).\n"
        "\n"
        "--inject 5 computes 5% of the work twice: the numbers stay, the cost grows. Such measurements are marked, and left "
        "out of plots and fits.\n"
        "\n"
        "gauss is white noise: good for time, meaningless for how much attention a pattern keeps.",
    .options = options,
    .run = run,
};
