/* attnlab compare: two arms, from the store or measured in turn, and verdicts on their ratio. */
#include <stdlib.h>
#include <string.h>

#include "harness/blocks.h"
#include "harness/cli.h"
#include "harness/compare.h"
#include "harness/compare_programs.h"
#include "harness/compare_rows.h"
#include "harness/ext.h"
#include "harness/lane_callgrind.h"

static const option options[] = {
    {"kernel", OPTION_TEXT, "NAME", "measure now: a kernel, twice or more; the first is what others are compared with; "
     "ext:NAME: an external one", NULL, 0, 0, NULL, true},
    {"p", OPTION_TEXT, "SPEC", "measure now: patterns; without two kernels these are the arms", NULL, 0, 0, NULL, true},
    {"binary", OPTION_TEXT, "FILE", "measure now, with two programs: other builds of attnlab; twice", NULL, 0, 0, NULL, true},
    {"n", OPTION_AXIS, "AXIS", "sequence lengths: 4k, or 1k,2k, or 1k:16k*2", "1k", 1, ATTN_MAX_N, NULL, false},
    {"d", OPTION_AXIS, "AXIS", "head dimensions", "64", ATTN_MIN_DIM, ATTN_MAX_DIM, NULL, false},
    {"batch", OPTION_SIZE, "B", "batch entries", "1", 1, 65536, NULL, false},
    {"heads", OPTION_SIZE, "H", "query heads", "8", 1, 65536, NULL, false},
    {"kv-heads", OPTION_SIZE, "H", "key and value heads; divides --heads (default: as many)", NULL, 1, 65536, NULL, false},
    {"dtype", OPTION_CHOICE, "TYPE", "of q, k, v and o", "f32", 0, 0, "f32|bf16|f16", false},
    {"threads", OPTION_SIZE, "T", "threads (default: all this process may use)", NULL, 1, 4096, NULL, false},
    {"input", OPTION_TEXT, "INPUT", "q, k and v: gauss, text:FILE or npy:DIR", "gauss", 0, 0, NULL, false},
    {"seed", OPTION_SEED, "SEED", "seed of the input, and of the order of measuring", "1", 0, 0, NULL, false},
    {"blocks", OPTION_SIZE, "B", "blocks to be measured: a fresh process for each arm and cell in each (default: 12, and 2 with --lane callgrind)", NULL, 1, 10000,
     NULL, false},
    {"lane", OPTION_CHOICE, "LANE", "time, or instructions counted by valgrind (callgrind)", "time", 0, 0, LANE_CHOICES, false},
    {"inject", OPTION_TEXT, "ARM:PERCENT", "that arm, counted from 1, repeats that share of its work, to see who notices", NULL, 0, 0, NULL, true},
    {"max-time", OPTION_SECONDS, "S", "seconds of timed runs in each process, about", "0.2", 0, 0, NULL, false},
    {"threshold", OPTION_PERCENT, "PERCENT", "differences up to this do not matter", "1", 0, 0, NULL, false},
    {"count-threshold", OPTION_PERCENT, "PERCENT", "the same for instructions, of arms measured in the lane callgrind", "0.25", 0, 0, NULL, false},
    {"anyway", OPTION_FLAG, NULL, "compare other hosts, compilers, flags, inputs or seeds as well", NULL, 0, 0, NULL, false},
    {"keep-noisy", OPTION_FLAG, NULL, "count disturbed blocks as well", NULL, 0, 0, NULL, false},
    EXT_OPTIONS,
    {"label", OPTION_TEXT, "TEXT", "what labels of measured arms begin with (default: compare and the time)", NULL, 0, 0,
     NULL, false},
    {"db", OPTION_TEXT, "FILE", "the database (default: $ATTNLAB_DB, else results/attnlab.db)", NULL, 0, 0, NULL, false},
    CLI_OPTION_FORMAT,
    {0},
};

enum { TIME_BLOCKS = 12, COUNT_BLOCKS = 2 };

/* Arm 0 with each of the others. `lossy`: an arm may have lost all its cells, which has been told. */
static attn_status compare_all(const args *a, store *s, compare_request r, const char *const *names, size_t count, bool lossy,
                               bool *incomparable, bool *written, attn_error *err)
{
    const emit_format format = (emit_format)cli_choice(a, "o");
    comparisons all[BLOCKS_MOST_ARMS] = {{0}};
    attn_status status = ATTN_OK;
    emitter *out = NULL;
    r.a = names[0];
    for (size_t k = 1; k < count && !status; k++) {
        r.b = names[k];
        status = compare_read(&all[k], s, &r, err);
        if (status == ATTN_EINVAL && lossy)
            status = ATTN_OK;
    }
    if (!status && !(out = compare_rows_open(stdout, format)))
        status = attn_fail(err, ATTN_ENOMEM, "out of memory");
    for (size_t k = 1; k < count && !status; k++) {
        r.b = names[k];
        for (size_t i = 0; i < all[k].count; i++) {
            compare_row(out, format, &r, &all[k].at[i]);
            *incomparable |= all[k].at[i].verdict.kind == VERDICT_INCOMPARABLE;
        }
        if (all[k].only_a + all[k].only_b)
            fprintf(stderr, "left out: %zu cells that only %s has, %zu that only %s has\n", all[k].only_a, r.a, all[k].only_b,
                    r.b);
    }
    *written = !out || emit_close(out);
    for (size_t k = 1; k < count; k++)
        compare_free(&all[k]);
    return status;
}

/* ---- arms measured now ---- */

typedef struct live {
    blocks_request request;
    char *labels[BLOCKS_MOST_ARMS];
    char *specs[BLOCKS_MOST_ARMS]; /* canonical */
} live;

static void live_free(live *l)
{
    for (size_t i = 0; i < BLOCKS_MOST_ARMS; i++) {
        free(l->labels[i]);
        free(l->specs[i]);
    }
}

/* "2:5": the second arm repeats 5% of its work. */
static attn_status inject(blocks_request *r, const char *text, attn_error *err)
{
    const char *colon = strchr(text, ':');
    char number[24];
    size_t arm = 0;
    double percent = 0;
    snprintf(number, sizeof number, "%.*s", colon ? (int)(colon - text) : 0, text);
    if (!cli_parse_size(number, &arm) || !cli_parse_positive(colon + 1, &percent))
        return attn_fail(err, ATTN_EINVAL, "--inject %s: not an arm and a percentage, such as 2:5 for 5%% more work of the second arm", text);
    if (arm < 1 || arm > r->arms)
        return attn_fail(err, ATTN_EINVAL, "--inject %s: there is no arm %zu, only 1 to %zu", text, arm, r->arms);
    if (percent > 100)
        return attn_fail(err, ATTN_EINVAL, "--inject %s is outside its range, above 0 to 100 per cent", text);
    if (r->inject[arm - 1] > 0)
        return attn_fail(err, ATTN_EINVAL, "--inject %s: arm %zu has %g%% already", text, arm, 100 * r->inject[arm - 1]);
    if (ext_is_name(r->kernels[arm - 1]))
        return attn_fail(err, ATTN_EINVAL, "--inject %s: --kernel %s is not attnlab's work to repeat", text, r->kernels[arm - 1]);
    r->inject[arm - 1] = percent / 100;
    return ATTN_OK;
}

static attn_status label_arm(live *l, size_t i, const char *prefix, const char *name, size_t twin, attn_error *err)
{
    char again[32] = "", dearer[32] = "";
    if (twin)
        snprintf(again, sizeof again, " (%zu)", twin + 1);
    if (l->request.inject[i] > 0)
        snprintf(dearer, sizeof dearer, " +%g%%", 100 * l->request.inject[i]);
    if (asprintf(&l->labels[i], "%s %s%s%s", prefix, name, again, dearer) < 0) {
        l->labels[i] = NULL;
        return attn_fail(err, ATTN_ENOMEM, "out of memory");
    }
    l->request.labels[i] = l->labels[i];
    return ATTN_OK;
}

static void label_prefix(char prefix[96], const args *a)
{
    char now[STORE_TIME_LENGTH + 1];
    store_now(now);
    if (cli_given(a, "label"))
        snprintf(prefix, 96, "%s", cli_text(a, "label"));
    else
        snprintf(prefix, 96, "compare %.19s", now);
}

static attn_status live_arms(live *l, const args *a, attn_error *err)
{
    static const char *const one[] = {"dense"};
    const char *const *kernels, *const *specs;
    const size_t kernel_count = cli_texts(a, "kernel", &kernels), spec_count = cli_texts(a, "p", &specs);
    blocks_request *r = &l->request;
    const bool by_kernel = kernel_count >= 2;
    char prefix[96];
    r->arms = by_kernel ? kernel_count : spec_count;
    if (r->arms < 2)
        return attn_fail(err, ATTN_EINVAL, "compare needs two arms: names of stored runs (labels, run ids, commits), or two of "
                                           "--kernel, -p or --binary to measure now");
    if (r->arms > BLOCKS_MOST_ARMS)
        return attn_fail(err, ATTN_EINVAL, "%zu arms are more than %d", r->arms, BLOCKS_MOST_ARMS);
    r->base.specs = spec_count ? specs : one;
    r->base.spec_count = spec_count ? spec_count : 1;
    label_prefix(prefix, a);
    for (size_t i = 0; i < r->arms; i++) {
        r->kernels[i] = by_kernel ? kernels[i] : kernel_count ? kernels[0] : "auto";
        r->specs[i] = by_kernel ? NULL : specs[i];
    }
    const char *const *injections;
    const size_t injected = cli_texts(a, "inject", &injections);
    attn_status status = ATTN_OK;
    for (size_t i = 0; i < injected && !status; i++)
        status = inject(r, injections[i], err);
    for (size_t i = 0; i < r->arms && !status; i++) {
        size_t twin = 0; /* the same arm again: a null comparison */
        for (size_t j = 0; j < i; j++)
            twin += strcmp(by_kernel ? kernels[i] : specs[i], by_kernel ? kernels[j] : specs[j]) == 0;
        status = label_arm(l, i, prefix, by_kernel ? kernels[i] : specs[i], twin, err);
    }
    return status;
}

static void tell_failure(const char *name, const char *why)
{
    cli_complain(EXIT_INPUT, "%s failed: %s", name, why);
}

/* What all ways of measuring share. */
static attn_status base_request(run_request *out, const args *a, attn_error *err)
{
    run_request r = {
        .batch = cli_size(a, "batch"), .heads = cli_size(a, "heads"), .dtype = (attn_dtype)cli_choice(a, "dtype"),
        .direction = FORWARD, .kernel = "auto", .plan = ATTN_PLAN_ESTIMATE, .threads = (int)cli_size(a, "threads"),
        .input = cli_text(a, "input"), .seed = cli_seed(a, "seed"), .seconds = cli_seconds(a, "max-time")};
    r.n_count = cli_axis(a, "n", &r.ns);
    r.dim_count = cli_axis(a, "d", &r.dims);
    r.kv_heads = cli_given(a, "kv-heads") ? cli_size(a, "kv-heads") : r.heads;
    r.plugin_count = cli_texts(a, "plugin", &r.plugins);
    r.ext_count = cli_texts(a, "ext", &r.exts);
    r.ext_timeout = cli_seconds(a, "ext-timeout");
    r.lane = (lane)cli_choice(a, "lane");
    attn_status status = ext_check_given(r.exts, r.ext_count, err);
    if (!status && r.lane == LANE_CALLGRIND)
        status = callgrind_adapt(&r, err);
    if (!status)
        status = metric_set_parse(&r.metrics, r.lane == LANE_CALLGRIND ? "instructions" : "time", r.lane, err);
    *out = r;
    return status;
}

static size_t blocks_of(const args *a)
{
    return cli_given(a, "blocks") ? cli_size(a, "blocks") : cli_choice(a, "lane") == LANE_CALLGRIND ? COUNT_BLOCKS : TIME_BLOCKS;
}

static attn_status live_request(live *l, const args *a, attn_error *err)
{
    run_request r;
    attn_status status = base_request(&r, a, err);
    l->request = (blocks_request){.base = r, .blocks = blocks_of(a), .seed = r.seed, .failed = tell_failure};
    if (!status)
        status = live_arms(l, a, err);
    for (size_t i = 0; i < l->request.arms && !status; i++) {
        r.kernel = l->request.kernels[i];
        status = r.lane == LANE_CALLGRIND ? callgrind_check_kernel(r.kernel, err) : run_check_external(&r, err);
    }
    return status;
}

/* ---- programs measured now ---- */

/* An arm is a program: what says otherwise is refused. */
static attn_status programs_request_of(programs_request *out, const args *a, attn_error *err)
{
    static const char *const one[] = {"dense"}, *const idle[] = {"inject", "ext", "anyway", "keep-noisy"};
    const char *const *programs, *const *kernels, *const *specs, *const *names;
    const size_t count = cli_texts(a, "binary", &programs), kernel_count = cli_texts(a, "kernel", &kernels), spec_count = cli_texts(a, "p", &specs);
    if (count != 2)
        return attn_fail(err, ATTN_EINVAL, "--binary %s: two programs are compared, not %zu", programs[0], count);
    if (cli_operands(a, &names))
        return attn_fail(err, ATTN_EINVAL, "\"%s\" names stored runs, --binary measures now: give one or the other", names[0]);
    if (kernel_count > 1)
        return attn_fail(err, ATTN_EINVAL, "--kernel %s: with --binary the programs are what differs; give one kernel at most", kernels[1]);
    for (size_t i = 0; i < sizeof idle / sizeof idle[0]; i++)
        if (cli_given(a, idle[i]))
            return attn_fail(err, ATTN_EINVAL, "--%s has no meaning with --binary: each program measures by itself", idle[i]);
    attn_status status = base_request(&out->base, a, err);
    out->base.kernel = kernel_count ? kernels[0] : "auto";
    out->base.specs = spec_count ? specs : one;
    out->base.spec_count = spec_count ? spec_count : 1;
    out->programs[0] = programs[0];
    out->programs[1] = programs[1];
    out->blocks = blocks_of(a);
    out->threshold = cli_percent(a, out->base.lane == LANE_CALLGRIND ? "count-threshold" : "threshold");
    if (!status && out->base.lane == LANE_CALLGRIND)
        status = callgrind_check_kernel(out->base.kernel, err);
    return status;
}

static int compare_binaries(const args *a)
{
    attn_error err;
    char prefix[96], labels[3][400];
    programs_request r = {.db = store_path(cli_text(a, "db"))};
    bool written = true;
    attn_status status = programs_request_of(&r, a, &err);
    label_prefix(prefix, a);
    for (size_t i = 0; i < 3 && !status; i++) {
        const bool twin = i == 1 && strcmp(r.programs[0], r.programs[1]) == 0;
        snprintf(labels[i], sizeof labels[i], "%s %.280s%s", prefix, r.programs[i % 2], twin ? " (2)" : i == 2 ? " again" : "");
        r.labels[i] = labels[i];
    }
    if (!status)
        status = compare_programs(&r, (emit_format)cli_choice(a, "o"), &written, &err);
    if (status && run_signals_look())
        return cli_complain(EXIT_INTERRUPTED, "interrupted; finished blocks are in %s: attnlab compare '%s' '%s'", r.db, labels[0], labels[1]);
    if (status)
        return cli_fail(status, &err);
    return written ? EXIT_FINE : cli_complain(EXIT_MACHINE, "standard output could not be written");
}

/* ---- the command ---- */

static int compare(const args *a)
{
    if (cli_given(a, "binary"))
        return compare_binaries(a);
    attn_error err;
    store *s = NULL;
    live l = {0};
    const char *const *names;
    const size_t operands = cli_operands(a, &names);
    const char *const *given;
    const bool now = cli_texts(a, "kernel", &given) + cli_texts(a, "p", &given) > 0;
    bool incomparable = false, written = true;
    attn_status status = ATTN_OK, lost = ATTN_OK;
    compare_request r = {.threshold = cli_percent(a, "threshold"), .count_threshold = cli_percent(a, "count-threshold"), .confidence = COMPARE_CONFIDENCE,
                         .anyway = cli_flag(a, "anyway"), .keep_noisy = cli_flag(a, "keep-noisy")};
    if (now && operands)
        status = attn_fail(&err, ATTN_EINVAL, "\"%s\" names stored runs, --kernel and -p measure now: give one or the other", names[0]);
    else if (!now && operands != 2)
        status = attn_fail(&err, ATTN_EINVAL, "compare needs two arms: names of stored runs (labels, run ids, commits), or two of "
                                              "--kernel, -p or --binary to measure now");
    if (!status && now)
        status = live_request(&l, a, &err);
    if (!status && now)
        status = store_wisdom_recall_from(store_path(cli_text(a, "db")), &err);
    if (!status)
        status = store_open(&s, store_path(cli_text(a, "db")), now ? STORE_WRITE : STORE_READ, &err);
    if (!status && now) {
        progress bar = progress_start(stderr, 0);
        status = blocks_measure(&l.request, s, &bar, &lost, &err);
        if (status && run_signals_look()) {
            const int code = cli_complain(EXIT_INTERRUPTED, "interrupted; finished blocks are in %s: attnlab compare '%s' '%s'",
                                          store_file(s), l.request.labels[0], l.request.labels[1]);
            store_close(s);
            live_free(&l);
            return code;
        }
    }
    if (!status)
        status = compare_all(a, s, r, now ? l.request.labels : names, now ? l.request.arms : 2, lost != ATTN_OK, &incomparable,
                             &written, &err);
    store_close(s);
    live_free(&l);
    if (status)
        return cli_fail(status, &err);
    if (!written)
        return cli_complain(EXIT_MACHINE, "standard output could not be written");
    return lost ? cli_exit_code(lost) : incomparable ? EXIT_INCOMPARABLE : EXIT_FINE;
}

const command cmd_compare = {
    .name = "compare",
    .operands = "[A B]",
    .max_operands = 2,
    .summary = "the ratio of two arms, with an interval and a verdict",
    .details =
        "Compares stored runs A and B (labels, run ids, or at least seven digits of commits), or measures arms now:\n"
        "\n"
        "  attnlab compare before after\n"
        "  attnlab compare --kernel avx512 --kernel avx2 -p dense -p local:k=255 -n 1k,4k\n"
        "  attnlab compare -p strided:l=128 -p fixed:l=128,c=8 -n 4k\n"
        "  attnlab compare --kernel auto --kernel ext:torch-sdpa -p dense -n 4k\n"
        "  attnlab compare -p dense -p dense --inject 2:5 --lane callgrind -n 512\n"
        "  attnlab compare --binary old/attnlab --binary build/attnlab -p dense -n 512\n"
        "\n"
        "What is measured now is measured in blocks: each arm once, in a fresh process with an environment of random "
        "size, the same inputs and number of runs; it tells the lower quartile of its runs, since what disturbs only adds. Arms come "
        "in turn (A B, B A; more arms in the rows of a Williams design, so that each follows each other equally often), cells in random "
        "order. It is stored under labels, so "
        "that more blocks can be added. Of stored runs, the k-th measurement of a cell in A and the k-th in B are a block; "
        "`attnlab run --processes 12 --label before` makes them.\n"
        "\n"
        "regressed: the 95% interval of the median ratio lies above 1 and the median beyond the threshold; improved: the mirror "
        "image; pass: the interval within the threshold on both sides; else inconclusive, with the number of blocks that would "
        "decide it. Blocks in which the multiply-adds timed beside a measurement fell below 85% of their median were "
        "disturbed by others and are dropped, whichever arm it was.\n"
        "\n"
        "Arms measured with --lane callgrind, here or by `run`, are compared by their instructions (see 'attnlab run --help'): the range over the "
        "blocks instead of an interval, one block is enough, and --count-threshold holds.\n"
        "\n"
        "--inject 2:5 makes the second arm compute 5% of its work twice, to try whether a comparison notices; it may be given for several arms. Such "
        "measurements are marked, and so are their rows here.\n"
        "\n"
        "--binary, twice, compares two builds of attnlab. Each measures with its own command line, planner and kernels, in blocks of A, B and A "
        "again, as 'attnlab gate' has it; the last column holds A against itself. What they were built from goes to standard error, or "
        "into build_a and build_b. It is stored, under labels that end with the programs and, for A again, \"again\".\n"
        "\n"
        "An external kernel (see 'attnlab help run') that fails or is wrong costs its cells; the exit code is then 2 or 14.\n"
        "\n"
        "Arms of different hosts, compilers, flags, inputs or seeds are incomparable (exit 12) unless --anyway is given.",
    .options = options,
    .run = compare,
};
