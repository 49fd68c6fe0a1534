/* attnlab gate: has a revision become slower than another? For CI. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness/cli.h"
#include "harness/gate.h"
#include "harness/lane_callgrind.h"

static const option options[] = {
    {"base", OPTION_TEXT, "REV", "the revision to be compared with, as git names it", NULL, 0, 0, NULL, false},
    {"head", OPTION_TEXT, "REV", "the revision to be judged", "HEAD", 0, 0, NULL, false},
    {"repo", OPTION_TEXT, "DIR", "the git repository", ".", 0, 0, NULL, false},
    {"suite", OPTION_TEXT, "FILE", "what to measure: lines of options of `run`", "suites/ci.suite", 0, 0, NULL, false},
    {"blocks", OPTION_SIZE, "B", "blocks of the screen", "20", 6, 10000, NULL, false},
    {"confirm", OPTION_SIZE, "B", "fresh blocks for cells that the screen finds slower", "60", 12, 10000, NULL, false},
    {"max-time", OPTION_SECONDS, "S", "seconds of timed runs in each process", "0.1", 0, 0, NULL, false},
    {"threshold", OPTION_PERCENT, "PERCENT", "differences of times up to this do not matter", "1", 0, 0, NULL, false},
    {"lane", OPTION_CHOICE, "LANE", "what is compared: times, instructions counted by valgrind, or both", "time", 0, 0,
     "time|callgrind|both", false},
    {"count-threshold", OPTION_PERCENT, "PERCENT", "differences of instructions up to this do not matter", "0.25", 0, 0, NULL, false},
    {"out", OPTION_TEXT, "DIR", "folder of gate.json, gate.md, gate.xml and verdict (default: DIR/build/gate of the repository)",
     NULL, 0, 0, NULL, false},
    {0},
};

static const double FAMILY_LEVEL = 0.001; /* chance of even one false alarm in a gate */

/* Whether any cell of an arm differs from the base at the family level, and beyond the threshold: which ones. */
static attn_status find_different(const gate_cells *c, bool null, double threshold, bool *different, attn_error *err)
{
    double *p = malloc((c->count + 1) * sizeof *p);
    if (!p)
        return attn_fail(err, ATTN_ENOMEM, "out of memory");
    for (size_t i = 0; i < c->count; i++)
        p[i] = null ? c->at[i].null.p : c->at[i].head.p;
    verdict_holm(p, c->count, FAMILY_LEVEL, different);
    for (size_t i = 0; i < c->count; i++) {
        const verdict *v = null ? &c->at[i].null : &c->at[i].head;
        different[i] = different[i] && fabs(v->median) > log1p(threshold);
    }
    free(p);
    return ATTN_OK;
}

static gate_cell *same_cell(const gate_cells *c, const gate_cell *as)
{
    for (size_t i = 0; i < c->count; i++)
        if (c->at[i].line == as->line && strcmp(c->at[i].name, as->name) == 0)
            return &c->at[i];
    return NULL;
}

/* Cells that the screen calls slower are judged on fresh blocks alone, in a family of all cells: slower only where Holm's
 * procedure rejects, else inconclusive. The rest keep the screen's word. */
static attn_status confirm(gate_cells *c, const gate_suite *suite, const char *const programs[GATE_ARMS], size_t blocks, double seconds,
                           double threshold, bool *null_fired, attn_error *err)
{
    bool *wanted = calloc(suite->count, sizeof *wanted), any = false;
    bool *different = calloc(c->count + 1, sizeof *different);
    double *p = calloc(c->count + 1, sizeof *p);
    gate_cells fresh = {0};
    attn_status status = wanted && different && p ? ATTN_OK : attn_fail(err, ATTN_ENOMEM, "out of memory");
    for (size_t i = 0; i < c->count && !status; i++)
        if (c->at[i].head.kind == VERDICT_REGRESSED)
            any = wanted[c->at[i].line] = true;
    if (status || !any)
        goto cleanup;
    fprintf(stderr, "attnlab: some cells look slower; measuring them again\n");
    status = gate_measure(&fresh, suite, wanted, programs, blocks, seconds, LANE_TIME, NULL, err);
    if (!status)
        status = gate_judge(&fresh, threshold, err);
    if (status)
        goto cleanup;
    for (size_t i = 0; i < c->count; i++) {
        const gate_cell *again = same_cell(&fresh, &c->at[i]);
        p[i] = c->at[i].head.kind == VERDICT_REGRESSED && again ? again->head.p : 1;
    }
    verdict_holm(p, c->count, FAMILY_LEVEL, different);
    for (size_t i = 0; i < c->count; i++) {
        const gate_cell *again = same_cell(&fresh, &c->at[i]);
        if (c->at[i].head.kind != VERDICT_REGRESSED || !again)
            continue;
        c->at[i].head = again->head;
        c->at[i].dropped = again->dropped;
        c->at[i].confirmed = true;
        if (c->at[i].head.kind == VERDICT_REGRESSED && !different[i])
            c->at[i].head.kind = VERDICT_INCONCLUSIVE;
    }
    bool *null = calloc(fresh.count + 1, sizeof *null);
    status = null ? find_different(&fresh, true, threshold, null, err) : attn_fail(err, ATTN_ENOMEM, "out of memory");
    for (size_t i = 0; i < fresh.count && !status; i++)
        *null_fired |= null[i];
    free(null);
cleanup:
    gate_cells_free(&fresh);
    free(p);
    free(different);
    free(wanted);
    return status;
}

static attn_status judge(gate_cells *c, const gate_suite *suite, const char *const programs[GATE_ARMS], const args *a,
                         bool *null_fired, attn_error *err)
{
    const double threshold = cli_percent(a, "threshold");
    bool *null = calloc(c->count + 1, sizeof *null);
    attn_status status = null ? gate_judge(c, threshold, err) : attn_fail(err, ATTN_ENOMEM, "out of memory");
    if (!status)
        status = find_different(c, true, threshold, null, err);
    for (size_t i = 0; i < c->count && !status; i++)
        *null_fired |= null[i];
    free(null);
    if (!status && !*null_fired)
        status = confirm(c, suite, programs, cli_size(a, "confirm"), cli_seconds(a, "max-time"), threshold, null_fired, err);
    for (size_t i = 0; i < c->count && *null_fired; i++) /* void: nothing can be told */
        c->at[i].head.kind = VERDICT_INCONCLUSIVE;
    return status;
}

enum { TIMES, COUNTS, BOTH }; /* in the order of --lane */

static attn_status gate_times(gate_cells *cells, const gate_suite *suite, const char *const programs[GATE_ARMS], const args *a,
                              bool *null_fired, attn_error *err)
{
    attn_status status = gate_measure(cells, suite, NULL, programs, cli_size(a, "blocks"), cli_seconds(a, "max-time"), LANE_TIME, NULL, err);
    return status ? status : judge(cells, suite, programs, a, null_fired, err);
}

/* Counts join the cells. */
static attn_status gate_counts(gate_cells *cells, const gate_suite *suite, const char *const programs[GATE_ARMS], const args *a,
                               attn_error *err)
{
    gate_cells counted = {0};
    attn_status status = gate_measure(&counted, suite, NULL, programs, GATE_EXACT_BLOCKS, 0, LANE_CALLGRIND, NULL, err);
    if (!status && !gate_judge_counts(&counted, cli_percent(a, "count-threshold")))
        fprintf(stderr, "attnlab: some counts differ by more than %g%% between runs of one program\n", 100 * VERDICT_EXACT);
    if (!status)
        status = gate_cells_append(cells, &counted, err);
    gate_cells_free(&counted);
    return status;
}

/* The gate's word in one, and its exit code. */
static int conclude(const gate_cells *c, const char **word)
{
    verdict_kind *kinds = malloc((c->count + 1) * sizeof *kinds);
    if (!kinds)
        return EXIT_MACHINE;
    for (size_t i = 0; i < c->count; i++)
        kinds[i] = c->at[i].head.kind;
    const int code = verdict_exit(kinds, c->count);
    *word = code == EXIT_FINE ? "pass" : code == EXIT_REGRESSED ? "regressed" : "inconclusive";
    free(kinds);
    return code;
}

static bool is_checked_out(const gate_revision *r, const char *repo)
{
    char commit[GATE_COMMIT];
    attn_error ignored;
    return gate_resolve(commit, repo, "HEAD", &ignored) == ATTN_OK && strcmp(commit, r->commit) == 0;
}

static int gate(const args *a)
{
    attn_error err;
    gate_revision base = {{0}, {0}}, head = base;
    gate_suite suite = {0};
    gate_cells cells = {0};
    char folder[GATE_PATH];
    const char *repo = cli_text(a, "repo"), *base_name = cli_text(a, "base"), *head_name = cli_text(a, "head");
    bool null_fired = false;
    int code = EXIT_FINE;
    if (!base_name)
        return cli_complain(EXIT_NO_BASELINE, "gate needs a baseline: --base REV, say --base origin/main");
    const char *why = cli_choice(a, "lane") == TIMES ? NULL : callgrind_unavailable();
    if (why)
        return cli_complain(EXIT_INPUT, "--lane %s: %s", cli_choice(a, "lane") == BOTH ? "both" : "callgrind", why);
    if (cli_given(a, "out"))
        snprintf(folder, sizeof folder, "%s", cli_text(a, "out"));
    else
        snprintf(folder, sizeof folder, "%s/build/gate", repo);
    if (cli_given(a, "out") && access(folder, W_OK | X_OK) != 0)
        return cli_complain(EXIT_INPUT, "--out %s: %s; reports go to a folder that exists", folder, strerror(errno));
    attn_status status = gate_suite_read(&suite, cli_text(a, "suite"), &err);
    if (!status)
        status = gate_build(&base, repo, base_name, &err);
    if (!status)
        status = gate_build(&head, repo, head_name, &err);
    if (!status && is_checked_out(&head, repo) && gate_dirty(repo))
        fprintf(stderr, "attnlab: the working tree has changes that %s (%.12s) has not; measured is the commit\n", head_name, head.commit);
    const char *const programs[GATE_ARMS] = {base.program, head.program, base.program};
    const size_t compared = cli_choice(a, "lane");
    if (!status && compared != COUNTS)
        status = gate_times(&cells, &suite, programs, a, &null_fired, &err);
    if (!status && compared != TIMES)
        status = gate_counts(&cells, &suite, programs, a, &err);
    if (!status) {
        gate_result r = {.base = base_name, .head = head_name, .base_at = &base, .head_at = &head, .suite = cli_text(a, "suite"),
                         .threshold = cli_percent(a, "threshold"),
                         .count_threshold = cli_percent(a, "count-threshold"), .cells = &cells, .void_run = null_fired, .verdict = ""};
        code = conclude(&cells, &r.verdict);
        status = gate_write_reports(folder, &r, &err);
        gate_print_table(stdout, &r, false);
        if (getenv("GITHUB_ACTIONS"))
            gate_annotate(stdout, &r);
    }
    gate_cells_free(&cells);
    gate_suite_free(&suite);
    if (status)
        return cli_fail(status, &err);
    return fflush(stdout) == 0 ? code : cli_complain(EXIT_MACHINE, "standard output could not be written");
}

const command cmd_gate = {
    .name = "gate",
    .operands = "",
    .summary = "whether a revision is slower than another: a verdict for CI",
    .details =
        "Builds both revisions in worktrees (build/gate/COMMIT in the repository; kept), and measures a suite with their programs "
        "in turn, the base a second time beside them:\n"
        "\n"
        "  attnlab gate --base origin/main\n"
        "  attnlab gate --base v0.1.0 --head HEAD --suite mine.suite --threshold 2\n"
        "\n"
        "A block is one pass over the suite with each program, every cell in a fresh process. Verdicts are those of 'attnlab "
        "compare'. Cells that a screen of 20 blocks finds slower are measured again in 60 fresh blocks, which alone decide: slower "
        "is what Holm's procedure rejects over all cells at 0.1% (the chance of even one false alarm) with an interval above "
        "0 and a median beyond the threshold. When the base differs from itself by the same rule the run is void.\n"
        "\n"
        "--lane callgrind compares the instructions of one run instead, which valgrind counts exactly (see 'attnlab run --help'): "
        "two blocks, no statistics, and nothing that the machine does matters. It cannot see what costs time without costing "
        "instructions, nor AVX-512 and AMX kernels. --lane both wants neither to regress.\n"
        "\n"
        "Prints a table, writes gate.json, gate.md (for a pull request's comment), gate.xml (JUnit) and verdict, and, in GitHub "
        "Actions, annotations. Exit codes: 0 no cell slower, 10 regressed, 11 inconclusive or void, 13 no --base, 2 a revision that "
        "does not build or a suite that does not run. make hides exit codes: `make gate` leaves its word in build/gate/verdict.",
    .options = options,
    .run = gate,
};
