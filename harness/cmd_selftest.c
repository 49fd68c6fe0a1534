/* attnlab selftest: what the statistics and the store promise, tried by simulation and on this machine. */
#include "harness/cli.h"
#include "harness/run.h"
#include "harness/selftest_parts.h"

static const option options[] = {
    {"quick", OPTION_FLAG, NULL, "all rows, fewer trials, one small gate: half a minute on a quiet machine", NULL, 0, 0, NULL, false},
    {"gates", OPTION_SIZE, "G", "gates measured of the program against itself (default: 30, and 1 with --quick)", NULL, 1, 1000,
     NULL, false},
    {"seed", OPTION_SEED, "SEED", "seed of what is drawn", "1", 0, 0, NULL, false},
    CLI_OPTION_FORMAT,
    {0},
};

static attn_status try_all(selftest_session *x, attn_error *err)
{
    selftest_simulations(x);
    attn_status status = run_signals_look() ? attn_fail(err, ATTN_EIO, "interrupted") : selftest_exponents(x, err);
    if (!status)
        status = selftest_stores(x, err);
    return status ? status : selftest_gates(x, err);
}

static int selftest(const args *a)
{
    attn_error err;
    bool written = true;
    selftest_session x = {.quick = cli_flag(a, "quick"), .seed = cli_seed(a, "seed"), .bar = progress_start(stderr, 0)};
    x.gates = cli_given(a, "gates") ? cli_size(a, "gates") : x.quick ? 1 : 30;
    run_signals_catch();
    attn_status status = folder_make(x.folder, "selftest", &err);
    if (!status && !(x.out = selftest_table(stdout, (emit_format)cli_choice(a, "o"))))
        status = attn_fail(&err, ATTN_ENOMEM, "out of memory");
    if (!status) {
        status = try_all(&x, &err);
        written = emit_close(x.out);
    }
    folder_remove(x.folder);
    if (status && run_signals_look())
        return cli_complain(EXIT_INTERRUPTED, "interrupted");
    if (status)
        return cli_fail(status, &err);
    return written ? x.code : cli_complain(EXIT_MACHINE, "standard output could not be written");
}

const command cmd_selftest = {
    .name = "selftest",
    .operands = "",
    .summary = "what the statistics and the store promise, tried by simulation and on this machine",
    .details =
        "Tries what verdicts, exponents, change points and the database promise, and prints a table: the bar, what was found with "
        "its 95% interval, and whether the bar holds.\n"
        "\n"
        "  attnlab selftest --quick\n"
        "\n"
        "\"simulation\": blocks and series are drawn, so that the truth is known. \"exact counts\": FLOPs of dense, local, strided and "
        "fixed from n = 4k on. The others are of this machine. Times (of a processor, on one thread; local: of a head, with as many rows in all at each length) give exponents, each from rounds of fresh processes. "
        "50 runs (8 with --quick) are killed with SIGKILL at random moments and resumed; eight processes write into one database.\n"
        "\n"
        "A gate measures this program against itself in blocks of fresh processes on one thread: as it is, and with 5% and 2% of its "
        "work repeated, as --inject of run does; a case is told regressed or improved only where Holm's procedure at a family level "
        "of 0.1% agrees. A third of the gates runs again beside a process that keeps a core busy, without the injected arms. With "
        "--quick a gate has 2 cases of 40 blocks, else 12 cases of 60, which take about a minute on a quiet machine. All arms of a gate share "
        "the one they are held against. \"replay\" draws blocks from those just measured without a difference, less their median, and "
        "adds the difference to their log-ratios: it is not measured. Disturbed blocks are dropped as `compare` drops them.\n"
        "\n"
        "Exit code 0: every row holds. 70: a simulation or a count does not, so the program is wrong. 11: a row of this machine does "
        "not; on a busy machine that may be the machine.",
    .options = options,
    .run = selftest,
};
