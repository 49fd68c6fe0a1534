/* attnlab selftest: the statistics of verdicts tried, by simulation and on this machine. */
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness/blocks.h"
#include "harness/cli.h"
#include "harness/compare.h"
#include "harness/selftest.h"
#include "harness/stats.h"

static const option options[] = {
    {"quick", OPTION_FLAG, NULL, "all rows, fewer trials, one small gate", NULL, 0, 0, NULL, false},
    {"gates", OPTION_SIZE, "G", "gates measured of the program against itself (default: 10, and 1 with --quick)", NULL, 1, 1000,
     NULL, false},
    {"seed", OPTION_SEED, "SEED", "seed of what is drawn", "1", 0, 0, NULL, false},
    CLI_OPTION_FORMAT,
    {0},
};

enum { ROW, SOURCE, BAR, GATES, TRIALS, HITS, RATE, RATE_LO, RATE_HI, WRONG, PASSED, INCONCLUSIVE, HOLDS, COLUMNS };

static const emit_column columns[COLUMNS] = {
    [ROW] = {"row", "tried", EMIT_PLAIN},
    [SOURCE] = {"source", "on", EMIT_PLAIN},
    [BAR] = {"bar", "bar", EMIT_PLAIN},
    [GATES] = {"gates", "gates", EMIT_PLAIN},
    [TRIALS] = {"trials", "trials", EMIT_PLAIN},
    [HITS] = {"hits", NULL, EMIT_PLAIN},
    [RATE] = {"rate", "found", EMIT_PERCENT},
    [RATE_LO] = {"rate_lo", "95% from", EMIT_PERCENT},
    [RATE_HI] = {"rate_hi", "to", EMIT_PERCENT},
    [WRONG] = {"wrong_direction", "wrong way", EMIT_PLAIN},
    [PASSED] = {"passed", NULL, EMIT_PLAIN},
    [INCONCLUSIVE] = {"inconclusive", "inconclusive", EMIT_PLAIN},
    [HOLDS] = {"holds", "holds", EMIT_PLAIN},
};

typedef struct session {
    emitter *out;
    bool quick;
    size_t gates;
    uint64_t seed;
    int code; /* of the rows so far */
} session;

static void put(session *x, emit_value *row, size_t hits, size_t trials, bool holds, int failure)
{
    double lo, hi;
    selftest_rate(hits, trials, &lo, &hi);
    row[TRIALS] = emit_int((int64_t)trials);
    row[HITS] = emit_int((int64_t)hits);
    row[RATE] = emit_real((double)hits / (double)trials);
    row[RATE_LO] = emit_real(lo);
    row[RATE_HI] = emit_real(hi);
    row[HOLDS] = emit_bool(holds);
    emit_row(x->out, row);
    if (!holds && x->code != EXIT_INTERNAL)
        x->code = failure;
}

/* ---- coverage ---- */

static void cover(session *x)
{
    enum { BLOCKS = 20 };
    static const double NOMINAL = 0.95, WITHIN = 0.01;
    const size_t trials = x->quick ? 8000 : 80000;
    const double exact = stats_median_coverage(BLOCKS, NOMINAL);
    char bar[64];
    snprintf(bar, sizeof bar, "95%% or more, %.1f%% +- 1", 100 * exact);
    for (selftest_noise noise = 0; noise < SELFTEST_NOISES && !run_signals_look(); noise++) {
        char name[64];
        snprintf(name, sizeof name, "interval covers: %s", selftest_noise_name(noise));
        const size_t covered = selftest_covered(BLOCKS, noise, trials, x->seed);
        const double rate = (double)covered / (double)trials;
        put(x, (emit_value[COLUMNS]){[ROW] = emit_text(name), [SOURCE] = emit_text("simulation"), [BAR] = emit_text(bar)}, covered,
            trials, rate >= NOMINAL && fabs(rate - exact) <= WITHIN, EXIT_INTERNAL);
    }
}

/* ---- gates ---- */

/* What a row of gates has to show, cases being the trials. */
typedef struct claim {
    const char *row, *bar;
    double truth;
    double least_flagged; /* share of the cases that must be told regressed */
    bool may_pass;
} claim;

static const claim same = {"no difference", "0 flagged", 0, 0, true},
                   same_busy = {"no difference, a core kept busy", "0 flagged", 0, 0, true},
                   five = {"5% slower", "99% or more flagged", 0.05, 0.99, false},
                   two = {"2% slower", "flagged or inconclusive, never pass", 0.02, 0, false};

static void judge(session *x, const claim *c, const char *source, const selftest_tally *t, int failure)
{
    const bool null = !(c->truth > 0);
    const size_t hits = null ? t->flagged_gates : t->regressed, trials = null ? t->gates : t->cases;
    const bool holds = null ? hits == 0
                            : t->improved == 0 && (c->may_pass || t->pass == 0) &&
                                  (double)hits >= c->least_flagged * (double)trials;
    put(x, (emit_value[COLUMNS]){[ROW] = emit_text(c->row), [SOURCE] = emit_text(source), [BAR] = emit_text(c->bar),
                                 [GATES] = emit_int((int64_t)t->gates), [WRONG] = null ? emit_null() : emit_int((int64_t)t->improved),
                                 [PASSED] = emit_int((int64_t)t->pass), [INCONCLUSIVE] = emit_int((int64_t)t->inconclusive)},
        hits, trials, holds, failure);
}

static void simulate(session *x)
{
    static const claim *const claims[] = {&same, &five, &two};
    const size_t gates = x->quick ? 500 : 5000;
    for (size_t i = 0; i < sizeof claims / sizeof claims[0] && !run_signals_look(); i++) {
        const selftest_tally t = selftest_simulated(log1p(claims[i]->truth), gates, x->seed + i);
        judge(x, claims[i], "simulation", &t, EXIT_INTERNAL);
    }
}

/* ---- this machine ---- */

/* A store for as long as the command runs. */
typedef struct scratch {
    char folder[256], file[300];
    store *s;
} scratch;

/* Gates of the program against itself, measured now. */
typedef struct live {
    const char *name;
    selftest_tally tally;
    double *log_ratios[SELFTEST_CASES]; /* of all its gates */
    size_t blocks[SELFTEST_CASES];
} live;

static attn_status scratch_open(scratch *l, attn_error *err)
{
    const char *where = getenv("TMPDIR");
    const int length = snprintf(l->folder, sizeof l->folder, "%s/attnlab-selftest-XXXXXX", where && *where ? where : "/tmp");
    if (length >= (int)sizeof l->folder || !mkdtemp(l->folder)) {
        l->folder[0] = '\0';
        return attn_fail(err, ATTN_EIO, "cannot make a folder in %s ($TMPDIR): %s", where && *where ? where : "/tmp",
                         strerror(errno));
    }
    snprintf(l->file, sizeof l->file, "%s/blocks.db", l->folder);
    return store_open(&l->s, l->file, STORE_WRITE, err);
}

static void scratch_close(scratch *l)
{
    static const char *const ends[] = {"", "-wal", "-shm"};
    store_close(l->s);
    for (size_t i = 0; i < sizeof ends / sizeof ends[0] && *l->file; i++) {
        char path[320];
        snprintf(path, sizeof path, "%s%s", l->file, ends[i]);
        unlink(path);
    }
    if (*l->folder)
        rmdir(l->folder);
}

static void live_free(live *l)
{
    for (size_t i = 0; i < SELFTEST_CASES; i++)
        free(l->log_ratios[i]);
}

/* Keeps the blocks for replay, then judges. The order of compare_read() is the same each time. */
static attn_status live_judge(live *l, const comparisons *c, attn_error *err)
{
    double *at[SELFTEST_CASES];
    size_t blocks[SELFTEST_CASES];
    for (size_t i = 0; i < c->count && i < SELFTEST_CASES; i++) {
        const size_t more = blocks[i] = c->at[i].verdict.blocks;
        at[i] = c->at[i].log_ratios;
        double *larger = realloc(l->log_ratios[i], (l->blocks[i] + more + 1) * sizeof *larger);
        if (!larger)
            return attn_fail(err, ATTN_ENOMEM, "out of memory");
        l->log_ratios[i] = larger;
        if (more)
            memcpy(larger + l->blocks[i], at[i], more * sizeof *larger);
        l->blocks[i] += more;
    }
    selftest_gate(&l->tally, at, blocks, c->count);
    return ATTN_OK;
}

static attn_status live_gate(live *l, store *s, size_t cases, size_t blocks, double seconds, uint64_t seed, progress *bar, attn_error *err)
{
    static const char *const specs[] = {"dense", "local:k=32", "strided:l=16", "fixed:l=16,c=4"};
    static const size_t ns[] = {256, 384, 512}, dims[] = {64};
    enum { SPECS = sizeof specs / sizeof specs[0] };
    char a[64], b[64];
    comparisons c = {0};
    snprintf(a, sizeof a, "%s: first arm, gate %zu", l->name, l->tally.gates);
    snprintf(b, sizeof b, "%s: second arm, gate %zu", l->name, l->tally.gates);
    blocks_request r = {
        .base = {.specs = specs, .spec_count = cases < SPECS ? cases : SPECS, .ns = ns,
                 .n_count = cases < SPECS ? 1 : cases / SPECS, .dims = dims, .dim_count = 1, .batch = 1, .heads = 4, .kv_heads = 4,
                 .dtype = ATTN_F32, .direction = FORWARD, .plan = ATTN_PLAN_ESTIMATE, .threads = 1, .input = "gauss", .seed = 1,
                 .ext_timeout = 600,
                 .seconds = seconds},
        .arms = 2, .kernels = {"auto", "auto"}, .labels = {a, b}, .blocks = blocks, .seed = seed};
    attn_status lost, status = metric_set_parse(&r.base.metrics, "time", LANE_TIME, err);
    if (!status)
        status = blocks_measure(&r, s, bar, &lost, err); /* nothing can be lost: no arm is external */
    if (!status)
        status = compare_read(&c, s, &(compare_request){.a = a, .b = b, .threshold = 0.01, .confidence = 0.95}, err);
    if (!status)
        status = live_judge(l, &c, err);
    compare_free(&c);
    return status;
}

static pid_t keep_busy(void)
{
    const pid_t parent = getpid(), child = fork();
    if (child != 0)
        return child;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (volatile unsigned long spins = 0; getppid() == parent || spins == 0;)
        for (unsigned i = 0; i < 1u << 20; i++)
            spins++;
    _exit(0);
}

static attn_status try_here(session *x, store *s, attn_error *err)
{
    live quiet = {.name = "alone"}, busy = {.name = "busy"};
    progress bar = progress_start(stderr, 0);
    const size_t cases = x->quick ? 4 : SELFTEST_CASES, blocks = x->quick ? 16 : SELFTEST_BLOCKS;
    const double seconds = x->quick ? 0.02 : 0.04; /* of a process */
    attn_status status = ATTN_OK;
    for (size_t g = 0; g < x->gates && !status; g++)
        status = live_gate(&quiet, s, cases, blocks, seconds, x->seed + g, &bar, err);
    const pid_t hog = status ? -1 : keep_busy();
    if (!status && hog < 0)
        status = attn_fail(err, ATTN_EIO, "cannot start a process that keeps a core busy: %s", strerror(errno));
    for (size_t g = 0; g < (x->quick ? 1 : x->gates) && !status; g++)
        status = live_gate(&busy, s, x->quick ? 2 : cases, blocks, seconds, x->seed + g, &bar, err);
    if (hog > 0) {
        kill(hog, SIGKILL);
        waitpid(hog, NULL, 0);
    }
    if (!status) {
        static const claim *const claims[] = {&five, &two};
        selftest_record records[SELFTEST_CASES];
        size_t count = 0;
        judge(x, &same, "this machine", &quiet.tally, EXIT_INCONCLUSIVE);
        judge(x, &same_busy, "this machine", &busy.tally, EXIT_INCONCLUSIVE);
        for (size_t i = 0; i < cases; i++)
            if (quiet.blocks[i]) {
                const double median = stats_median(quiet.log_ratios[i], quiet.blocks[i], 0.95).median;
                records[count++] = (selftest_record){quiet.log_ratios[i], quiet.blocks[i], median};
            }
        for (size_t i = 0; i < sizeof claims / sizeof claims[0] && count; i++) {
            const selftest_tally t =
                selftest_replayed(records, count, log1p(claims[i]->truth), x->quick ? 500 : 5000, x->seed);
            judge(x, claims[i], "replay of its blocks", &t, EXIT_INCONCLUSIVE);
        }
    }
    live_free(&quiet);
    live_free(&busy);
    return status;
}

/* ---- the command ---- */

static int selftest(const args *a)
{
    attn_error err;
    scratch kept = {.s = NULL};
    bool written = true;
    session x = {.quick = cli_flag(a, "quick"), .seed = cli_seed(a, "seed")};
    x.gates = cli_given(a, "gates") ? cli_size(a, "gates") : x.quick ? 1 : 10;
    run_signals_catch();
    attn_status status = scratch_open(&kept, &err);
    if (!status && !(x.out = emit_open(stdout, (emit_format)cli_choice(a, "o"), columns, COLUMNS)))
        status = attn_fail(&err, ATTN_ENOMEM, "out of memory");
    if (!status) {
        cover(&x);
        simulate(&x);
        status = try_here(&x, kept.s, &err);
        written = emit_close(x.out);
    }
    scratch_close(&kept);
    if (status && run_signals_look())
        return cli_complain(EXIT_INTERRUPTED, "interrupted");
    if (status)
        return cli_fail(status, &err);
    return written ? x.code : cli_complain(EXIT_MACHINE, "standard output could not be written");
}

const command cmd_selftest = {
    .name = "selftest",
    .operands = "",
    .summary = "the statistics of verdicts, tried by simulation and on this machine",
    .details =
        "Tries what `compare` stands on, and prints a table: how often the 95% interval holds the truth when processes "
        "disturb their samples in known ways; and what gates of 12 cases find, each case told regressed or improved "
        "only where Holm's procedure at a family level of 0.1% agrees.\n"
        "\n"
        "  attnlab selftest --quick\n"
        "\n"
        "\"simulation\" draws its blocks. \"this machine\" measures this program against itself, in blocks of fresh processes "
        "on one thread, alone and beside a process that keeps a core busy. \"replay\" draws blocks from those just measured "
        "alone, less their median, and adds the difference to their log-ratios: it is not measured. Disturbed blocks are dropped as `compare` drops "
        "them. With --quick a gate measured has 4 cases of 16 blocks (2 beside the busy process), else 12 cases of 30.\n"
        "\n"
        "Exit code 0: every row holds. 70: a simulation does not, so the program is wrong. 11: a row of this machine does not.",
    .options = options,
    .run = selftest,
};
