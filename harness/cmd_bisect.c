/* attnlab bisect: the commit that made a cell slower (or faster).
 *
 * Whatever happened between two revisions, somewhere two neighbours lie on different sides of the middle between the times of
 * both ends (their geometric mean). Every revision tried is measured in blocks beside both ends, so that what drifts divides
 * out; a block says on which side it lies, and the sign test over the blocks decides, or asks for more of them. A revision that
 * cannot be built or does not run the cell is passed over. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness/cli.h"
#include "harness/emit.h"
#include "harness/gate.h"
#include "harness/stats.h"

static const option options[] = {
    {"good", OPTION_TEXT, "REV", "a revision before the change, an ancestor of the other", NULL, 0, 0, NULL, false},
    {"bad", OPTION_TEXT, "REV", "a revision after it", "HEAD", 0, 0, NULL, false},
    {"run", OPTION_TEXT, "OPTIONS", "the cell, as options of `run`: \"-p local -n 2k --threads 1\"", NULL, 0, 0, NULL, false},
    {"repo", OPTION_TEXT, "DIR", "the git repository", ".", 0, 0, NULL, false},
    {"max-time", OPTION_SECONDS, "S", "seconds of timed runs in each process", "0.1", 0, 0, NULL, false},
    CLI_OPTION_FORMAT,
    {0},
};

/* Blocks after which the side of a revision is looked at. Each look errs in 1 of 1000 where there is nothing but noise; twelve
 * blocks on one side are the least that decide (2^-11). */
static const size_t looks[] = {12, 24, 48, 96};
static const double CONFIDENCE = 0.999;
enum { LOOKS = sizeof looks / sizeof looks[0], MOST_BLOCKS = 96 };

typedef enum side { UNKNOWN, GOOD, BAD, UNBUILDABLE, UNDECIDED } side;

static const char *const side_names[] = {
    [UNKNOWN] = "not tried", [GOOD] = "as good", [BAD] = "as bad", [UNBUILDABLE] = "cannot be measured", [UNDECIDED] = "undecided"};

/* The revisions from good to bad along first parents, both included. */
typedef struct search {
    const args *a;
    const char *repo;
    gate_suite suite;        /* one line */
    char (*commits)[GATE_COMMIT];
    side *sides;
    size_t count;
    gate_revision good, bad;
    emitter *out;
} search;

/* ---- the revisions ---- */

static attn_status list_commits(search *x, attn_error *err)
{
    char range[2 * GATE_COMMIT + 4], *text = NULL;
    const char *good = x->good.commit, *bad = x->bad.commit;
    if (!gate_command((const char *const[]){"git", "-C", x->repo, "merge-base", "--is-ancestor", good, bad, NULL}, NULL, NULL))
        return attn_fail(err, ATTN_EINVAL, "--good %s is no ancestor of --bad %s; git merge-base names a common one",
                         cli_text(x->a, "good"), cli_text(x->a, "bad"));
    snprintf(range, sizeof range, "%s..%s", good, bad);
    if (!gate_command((const char *const[]){"git", "-C", x->repo, "rev-list", "--reverse", "--first-parent", range, NULL}, NULL, &text))
        return attn_fail(err, ATTN_EINVAL, "git cannot list %s in %s", range, x->repo);
    const size_t lines = strlen(text) / GATE_COMMIT; /* a line is a commit and a newline */
    x->commits = malloc((lines + 1) * sizeof *x->commits);
    x->sides = calloc(lines + 1, sizeof *x->sides);
    attn_status status = x->commits && x->sides ? ATTN_OK : attn_fail(err, ATTN_ENOMEM, "out of memory");
    if (!status && !lines)
        status = attn_fail(err, ATTN_EINVAL, "--good %s and --bad %s are the same commit", cli_text(x->a, "good"),
                           cli_text(x->a, "bad"));
    if (!status) {
        memcpy(x->commits[0], good, GATE_COMMIT);
        for (size_t i = 0; i < lines; i++) {
            memcpy(x->commits[i + 1], text + i * GATE_COMMIT, GATE_COMMIT - 1);
            x->commits[i + 1][GATE_COMMIT - 1] = '\0';
        }
        x->count = lines + 1;
        x->sides[0] = GOOD;
        x->sides[lines] = BAD;
    }
    free(text);
    return status;
}

/* ---- one of them ---- */

/* Measures `blocks` more blocks of good, tried and bad, and appends log(tried / sqrt(good bad)) to `places` and
 * log(bad / good) to `gaps`. EINVAL: something does not run. */
static attn_status measure(const search *x, const char *tried, size_t blocks, double *places, double *gaps, size_t *count,
                           attn_error *err)
{
    gate_cells cells;
    const char *const programs[GATE_ARMS] = {x->good.program, tried, x->bad.program};
    attn_status status = gate_measure(&cells, &x->suite, NULL, programs, blocks, cli_seconds(x->a, "max-time"), LANE_TIME, NULL, err);
    if (status)
        return status;
    if (cells.count > 1)
        status = attn_fail(err, ATTN_EINVAL, "--run \"%.60s\" is several cells (%.60s, %.60s, ...); bisect takes one",
                           x->suite.lines[0], cells.at[0].name, cells.at[1].name);
    for (size_t b = 0; b < blocks && !status; b++) {
        const gate_cell *c = &cells.at[0];
        const double good = log(c->cost[GATE_BASE][b]), bad = log(c->cost[GATE_NULL][b]);
        places[*count] = log(c->cost[GATE_HEAD][b]) - (good + bad) / 2;
        gaps[*count] = bad - good;
        if (isfinite(places[*count]) && isfinite(gaps[*count]))
            ++*count;
    }
    gate_cells_free(&cells);
    return status;
}

/* On which side of 0 the median of the numbers lies: -1, 1, or 0 where that cannot be told. Sorts them. */
static int sign_of(double *numbers, size_t count)
{
    const verdict v = verdict_of(numbers, count, 1e-9, CONFIDENCE);
    return v.lo > 0 ? 1 : v.hi < 0 ? -1 : 0;
}

/* Adds blocks until the sign of the place (or, with `ends`, of the gap between good and bad) is known, or they are used up. */
static attn_status look(const search *x, const char *tried, bool ends, int *sign, double *median, attn_error *err)
{
    double places[MOST_BLOCKS], gaps[MOST_BLOCKS], sorted[MOST_BLOCKS];
    size_t count = 0;
    *sign = 0;
    for (size_t k = 0; k < LOOKS && !*sign; k++) {
        attn_status status = measure(x, tried, looks[k] - (k ? looks[k - 1] : 0), places, gaps, &count, err);
        if (status)
            return status;
        memcpy(sorted, ends ? gaps : places, count * sizeof *sorted);
        *sign = sign_of(sorted, count);
        *median = stats_median(sorted, count, CONFIDENCE).median;
    }
    return ATTN_OK;
}

/* Fills in the side of one revision. Builds that fail and programs that do not run the cell are no errors. */
static attn_status try(search *x, size_t i, int direction, attn_error *err)
{
    gate_revision r;
    int sign = 0;
    double place = 0;
    attn_error why = {{0}};
    attn_status status = gate_build(&r, x->repo, x->commits[i], &why);
    if (!status)
        status = look(x, r.program, false, &sign, &place, &why);
    if (status && status != ATTN_EINVAL)
        return attn_fail(err, status, "%s", why.message);
    x->sides[i] = status ? UNBUILDABLE : sign == 0 ? UNDECIDED : sign == direction ? BAD : GOOD;
    fprintf(stderr, "%.12s %s%s%s\n", x->commits[i], side_names[x->sides[i]], status ? ": " : "", status ? why.message : "");
    return ATTN_OK;
}

/* ---- all of them ---- */

/* The untried revision nearest to the middle of (good, bad); 0: none. */
static size_t next_to_try(const search *x, size_t good, size_t bad)
{
    const size_t middle = good + (bad - good) / 2;
    for (size_t away = 0; away < bad - good; away++) {
        if (middle + away < bad && middle + away > good && x->sides[middle + away] == UNKNOWN)
            return middle + away;
        if (middle > good + away && x->sides[middle - away] == UNKNOWN)
            return middle - away;
    }
    return 0;
}

static attn_status narrow(search *x, int direction, size_t *good, size_t *bad, attn_error *err)
{
    *good = 0;
    *bad = x->count - 1;
    for (size_t i; (i = next_to_try(x, *good, *bad)) != 0;) {
        attn_status status = try(x, i, direction, err);
        if (status)
            return status;
        if (x->sides[i] == GOOD)
            *good = i;
        if (x->sides[i] == BAD)
            *bad = i;
    }
    return ATTN_OK;
}

enum { COMMIT, SIDE, SUBJECT, COLUMNS };

/* The first bad revision, and those before it that could not be told. */
static attn_status print(search *x, size_t good, size_t bad, attn_error *err)
{
    static const emit_column columns[COLUMNS] = {
        [COMMIT] = {"commit", "commit", EMIT_PLAIN}, [SIDE] = {"is", "is", EMIT_PLAIN}, [SUBJECT] = {"subject", "subject", EMIT_PLAIN}};
    emitter *e = emit_open(stdout, (emit_format)cli_choice(x->a, "o"), columns, COLUMNS);
    if (!e)
        return attn_fail(err, ATTN_ENOMEM, "out of memory");
    for (size_t i = good + 1; i <= bad; i++) {
        char *subject = NULL;
        if (gate_command((const char *const[]){"git", "-C", x->repo, "log", "-1", "--format=%s", x->commits[i], NULL}, NULL, &subject))
            subject[strcspn(subject, "\n")] = '\0';
        emit_row(e, (emit_value[COLUMNS]){[COMMIT] = emit_text(x->commits[i]), [SIDE] = emit_text(side_names[x->sides[i]]),
                                         [SUBJECT] = emit_text(subject)});
        free(subject);
    }
    emit_close(e); /* a failing stream is reported by the caller, from its error flag */
    return ATTN_OK;
}

static attn_status prepare(search *x, attn_error *err)
{
    x->suite.lines = calloc(1, sizeof *x->suite.lines);
    if (!x->suite.lines || !(x->suite.lines[0] = strdup(cli_text(x->a, "run"))))
        return attn_fail(err, ATTN_ENOMEM, "out of memory");
    x->suite.count = 1;
    attn_status status = gate_resolve(x->good.commit, x->repo, cli_text(x->a, "good"), err);
    if (!status)
        status = gate_resolve(x->bad.commit, x->repo, cli_text(x->a, "bad"), err);
    if (!status)
        status = list_commits(x, err);
    if (!status)
        status = gate_build(&x->good, x->repo, cli_text(x->a, "good"), err);
    return status ? status : gate_build(&x->bad, x->repo, cli_text(x->a, "bad"), err);
}

static int bisect(const args *a)
{
    attn_error err;
    int direction = 0, code = EXIT_FINE;
    double gap = 0;
    size_t good = 0, bad = 0;
    search x = {.a = a, .repo = cli_text(a, "repo")};
    if (!cli_given(a, "good"))
        return cli_complain(EXIT_NO_BASELINE, "bisect needs a revision from before the change: --good REV");
    if (!cli_given(a, "run"))
        return cli_complain(EXIT_INPUT, "bisect needs a cell: --run \"-p local:k=127 -n 2k --heads 2 --threads 1\"");
    attn_status status = prepare(&x, &err);
    if (!status)
        status = look(&x, x.good.program, true, &direction, &gap, &err);
    if (!status && !direction)
        code = cli_complain(EXIT_INCONCLUSIVE, "%d blocks show no difference between %.12s and %.12s (median %+.1f%%)", MOST_BLOCKS,
                            x.good.commit, x.bad.commit, 100 * expm1(gap));
    if (!status && direction) {
        fprintf(stderr, "%.12s takes %+.1f%% against %.12s; %zu commits\n", x.bad.commit, 100 * expm1(gap), x.good.commit, x.count - 1);
        status = narrow(&x, direction, &good, &bad, &err);
        if (!status)
            status = print(&x, good, bad, &err);
        if (!status && bad - good > 1) {
            fprintf(stderr, "it is one of these: those before the last could not be told\n");
            code = EXIT_INCONCLUSIVE;
        }
    }
    free(x.commits);
    free(x.sides);
    gate_suite_free(&x.suite);
    return status ? cli_fail(status, &err) : code;
}

const command cmd_bisect = {
    .name = "bisect",
    .operands = "",
    .summary = "the commit that changed the speed of a cell",
    .details =
        "Builds revisions between two and measures one cell with each, in blocks beside both ends, until two neighbours lie on "
        "different sides of the middle between the ends:\n"
        "\n"
        "  attnlab bisect --good v0.1.0 --run \"-p local:k=127 -n 2k --threads 1\"\n"
        "\n"
        "Prints the first commit on the side of --bad. The sign test over 12 blocks decides, or 24, 48, 96 where noise asks for "
        "more (each look at 99.9%). Commits that do not build or do not run the cell are passed over; where they lie just before "
        "the first bad one, all candidates are printed and the exit code is 11. Merges count as one commit (first parents). "
        "Programs are kept in build/gate of the repository, as those of 'attnlab gate'.\n"
        "\n"
        "Where several commits changed the speed, one of those that crosses the middle is found.\n"
        "\n"
        "Exit codes: 0 found, 11 candidates left or no difference between the ends, 13 no --good.",
    .options = options,
    .run = bisect,
};
