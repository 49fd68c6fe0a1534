/* check: every kernel on every pattern, on every level of CPU features, against the oracle.
 *
 * For each level the program runs itself again with ATTN_DISABLE_CPU set, since what a process once found out
 * about its CPU it may keep; and with threads that sleep while they wait, since short parallel regions follow
 * each other here and nothing is timed. A child hands its rows back through a pipe, a line each, and takes a
 * crash upon itself. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cpu.h"
#include "base/suggest.h"
#include "harness/check.h"
#include "harness/cli.h"
#include "harness/emit.h"

#define CHILD_VARIABLE "ATTNLAB_CHECK_ROWS"          /* the descriptor a child writes its rows to */
#define CALLBACKS_VARIABLE                                                                                   \
    "ATTNLAB_CHECK_CALLBACKS" /* set: this child also compares the patterns' callbacks */

static const option options[] = {
    {"p", OPTION_TEXT, "SPEC", "only this pattern; repeatable (default: variants of all)", NULL, 0, 0, NULL,
     true},
    {"kernel", OPTION_TEXT, "NAME", "only this kernel", NULL, 0, 0, NULL, false},
    {"level", OPTION_CHOICE, "LEVEL", "CPU features: all levels this machine has, or one", "all", 0, 0,
     "all|portable|avx2|avx512|amx", false},
    {"n", OPTION_AXIS, "AXIS", "sequence lengths", NULL, 1, 65536, NULL, false},
    {"nq", OPTION_SIZE, "NQ", "query rows", NULL, 1, 65536, NULL, false},
    {"d", OPTION_AXIS, "AXIS", "head dimensions", NULL, ATTN_MIN_DIM, ATTN_MAX_DIM, NULL, false},
    {"heads", OPTION_SIZE, "H", "query heads", NULL, 1, 1024, NULL, false},
    {"kv-heads", OPTION_SIZE, "HKV", "key/value heads", NULL, 1, 1024, NULL, false},
    {"batch", OPTION_SIZE, "B", "batch", NULL, 1, 1024, NULL, false},
    {"fill", OPTION_CHOICE, "FILL", "what the operands hold", NULL, 0, 0, CHECK_FILL_CHOICES, false},
    {"dtype", OPTION_CHOICE, "DTYPE", "type of the operands", NULL, 0, 0, "f32|bf16|f16", false},
    {"seed", OPTION_SEED, "S", "seed of the operands", "1", 0, 0, NULL, false},
    {"quick", OPTION_FLAG, NULL, "fewer shapes and variants", NULL, 0, 0, NULL, false},
    CLI_OPTION_FORMAT,
    {0},
};

enum {
    LEVEL,
    KERNEL,
    ISA,
    PATTERN,
    CASES,
    FAILURES,
    WORST_ABS,
    WORST_RATIO,
    STATUS,
    REASON,
    REPLAY,
    COLUMNS
};
static const emit_column columns[COLUMNS] = {
    [LEVEL] = {"level", "level", EMIT_PLAIN},
    [KERNEL] = {"kernel", "kernel", EMIT_PLAIN},
    [ISA] = {"isa", NULL, EMIT_PLAIN},
    [PATTERN] = {"pattern", "pattern", EMIT_PLAIN},
    [CASES] = {"cases", "cases", EMIT_PLAIN},
    [FAILURES] = {"failures", "wrong", EMIT_PLAIN},
    [WORST_ABS] = {"max_abs_err", "worst error", EMIT_SCI},
    [WORST_RATIO] = {"err_of_limit", "of the limit", EMIT_PERCENT},
    [STATUS] = {"status", "verdict", EMIT_PLAIN},
    [REASON] = {"reason", "because", EMIT_PLAIN},
    [REPLAY] = {"replay", NULL, EMIT_PLAIN},
};

/* The ladder, lowest first. A level is had by switching off the feature above it. */
static const struct {
    const char *name;
    uint32_t needs;
    const char *disable;
} ladder[] = {{"portable", 0, "avx2"},
              {"avx2", CPU_AVX2, "avx512"},
              {"avx512", CPU_AVX512, "amx"},
              {"amx", CPU_AMX, NULL}};
enum { LEVELS = sizeof ladder / sizeof *ladder };

/* ---- rows, in this process or from a child ---- */

typedef struct sink {
    emitter *table;    /* NULL: this is a child */
    FILE *pipe;
    const char *level;
    size_t wrong_patterns;
} sink;

static const char *or_dash(const char *text)
{
    return text ? text : "-";
}

static void put_row(void *context, const check_row *r)
{
    sink *to = context;
    if (!to->table) {
        fprintf(to->pipe, "%s\t%s\t%s\t%zu\t%zu\t%a\t%a\t%s\t%s\n", r->kernel, r->isa, r->pattern, r->cases,
                r->failures, r->worst_abs, r->worst_ratio, or_dash(r->skipped), or_dash(r->replay));
        return;
    }
    bool callbacks = strcmp(r->kernel, "-") == 0;
    to->wrong_patterns += callbacks && r->failures;
    emit_value row[COLUMNS] = {
        [LEVEL] = emit_text(to->level),
        [KERNEL] = emit_text(callbacks ? "(its callbacks)" : r->kernel),
        [ISA] = emit_text(callbacks ? NULL : r->isa),
        [PATTERN] = emit_text(r->pattern),
        [CASES] = r->skipped ? emit_null() : emit_int((int64_t)r->cases),
        [FAILURES] = r->skipped ? emit_null() : emit_int((int64_t)r->failures),
        [WORST_ABS] = r->skipped || callbacks ? emit_null() : emit_real(r->worst_abs),
        [WORST_RATIO] = r->skipped || callbacks ? emit_null() : emit_real(r->worst_ratio),
        [STATUS] = emit_text(r->skipped ? "skipped" : r->failures ? "WRONG" : "ok"),
        [REASON] = emit_text(r->skipped),
        [REPLAY] = emit_text(r->replay),
    };
    emit_row(to->table, row);
}

/* A line of put_row(), as a row again; false when it is not one. */
static bool read_row(char *line, check_row *out)
{
    char *fields[9], *rest = line;
    line[strcspn(line, "\n")] = '\0';
    for (size_t f = 0; f < 9; f++)
        if (!(fields[f] = strsep(&rest, "\t")))
            return false;
    *out = (check_row){.kernel = fields[0], .isa = fields[1], .pattern = fields[2],
                       .cases = strtoul(fields[3], NULL, 10), .failures = strtoul(fields[4], NULL, 10),
                       .worst_abs = strtod(fields[5], NULL), .worst_ratio = strtod(fields[6], NULL),
                       .skipped = strcmp(fields[7], "-") == 0 ? NULL : fields[7],
                       .replay = strcmp(fields[8], "-") == 0 ? NULL : fields[8]};
    return true;
}

/* ---- running this program again ---- */

/* The arguments of this process, as they were given; the buffer and the array are malloc'ed. */
static char **own_arguments(char **buffer)
{
    FILE *f = fopen("/proc/self/cmdline", "rbe");
    size_t size = 0, used = 0, count = 0;
    char *text = NULL;
    for (int c; f && (c = fgetc(f)) != EOF;) {
        if (used + 1 >= size) {
            char *more = realloc(text, size = size ? 2 * size : 256);
            if (!more)
                break;
            text = more;
        }
        text[used++] = (char)c;
        count += c == '\0';
    }
    if (f)
        fclose(f);
    char **argv = count ? calloc(count + 1, sizeof *argv) : NULL;
    for (size_t a = 0, at = 0; argv && a < count; at += strlen(text + at) + 1)
        argv[a++] = text + at;
    *buffer = text;
    return argv;
}

static pid_t start_child(const char *path, char *const *argv, const char *disable, bool callbacks, int rows)
{
    pid_t child = fork();
    if (child != 0)
        return child;
    char number[16];
    snprintf(number, sizeof number, "%d", rows);
    setenv(CHILD_VARIABLE, number, 1);
    if (callbacks)
        setenv(CALLBACKS_VARIABLE, "1", 1);
    if (disable)
        setenv("ATTN_DISABLE_CPU", disable, 1);
    setenv("OMP_WAIT_POLICY", "passive", 0);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    execv(path, argv);
    _exit(EXIT_MACHINE);
}

/* Runs the program with features switched off (NULL: as it is); its rows go to the sink. Returns its exit
 * code. */
static int run_child(const char *disable, bool callbacks, sink *to)
{
    char path[PATH_MAX], *buffer = NULL;
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
    int ends[2] = {-1, -1};
    char **argv = own_arguments(&buffer);
    pid_t child = -1;
    if (length > 0 && argv && pipe2(ends, O_CLOEXEC) == 0) {
        path[length] = '\0';
        int rows = fcntl(ends[1], F_DUPFD, 3); /* without close-on-exec */
        fflush(stdout);
        child = rows < 0 ? -1 : start_child(path, argv, disable, callbacks, rows);
        close(rows);
        close(ends[1]);
    }
    free(argv);
    free(buffer);
    if (child < 0)
        return cli_complain(EXIT_MACHINE, "cannot run this program again for level %s: %s", to->level,
                            strerror(errno));
    FILE *rows = fdopen(ends[0], "r");
    char *line = NULL;
    size_t size = 0;
    check_row row;
    while (rows && getline(&line, &size, rows) > 0)
        if (read_row(line, &row))
            put_row(to, &row);
    free(line);
    if (rows)
        fclose(rows);
    int status;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    return WIFEXITED(status)
               ? WEXITSTATUS(status)
               : cli_complain(EXIT_WRONG, "level %s was ended by signal %d", to->level, WTERMSIG(status));
}

/* ---- the command ---- */

static attn_status check_kernel(const char *name, attn_error *err)
{
    suggestion near = {.word = name};
    for (size_t k = 0; k < attn_kernel_count(); k++) {
        attn_kernel_info info = attn_kernel_at(k);
        if (strcmp(info.name, name) == 0)
            return info.unavailable
                       ? attn_fail(err, ATTN_EUNAVAILABLE, "kernel %s cannot run: %s", name, info.unavailable)
                       : ATTN_OK;
        suggest_offer(&near, info.name);
    }
    return attn_fail(err, ATTN_EINVAL, "--kernel %s: not known%s%s; 'attnlab list' shows them", name,
                     near.best ? "; did you mean " : "", near.best ? near.best : "");
}

/* Whether a kernel can run with features switched off, asked in this process. */
static bool kernel_at_level(const char *name, const char *disable)
{
    const char *before = getenv("ATTN_DISABLE_CPU");
    char *kept = before ? strdup(before) : NULL;
    setenv("ATTN_DISABLE_CPU", disable, 1);
    attn_error err;
    bool can = check_kernel(name, &err) == ATTN_OK;
    if (kept)
        setenv("ATTN_DISABLE_CPU", kept, 1);
    else
        unsetenv("ATTN_DISABLE_CPU");
    free(kept);
    return can;
}

static check_choice choice_of(const args *a)
{
    check_choice c = {.nq = cli_size(a, "nq"),
                      .heads = cli_size(a, "heads"),
                      .kv_heads = cli_size(a, "kv-heads"),
                      .batch = cli_size(a, "batch"),
                      .quick = cli_flag(a, "quick"),
                      .fill = -1,
                      .dtype = -1};
    c.n_count = cli_axis(a, "n", &c.n);
    c.dim_count = cli_axis(a, "d", &c.dims);
    if (cli_given(a, "fill"))
        c.fill = (int)cli_choice(a, "fill");
    if (cli_given(a, "dtype"))
        c.dtype = (int)cli_choice(a, "dtype");
    return c;
}

/* Refuses, before anything runs, a spec that cannot be had at some size asked for. */
static attn_status check_users_specs(const args *a, attn_error *err)
{
    const char *const *specs;
    size_t spec_count = cli_texts(a, "p", &specs), case_count;
    check_choice choice = choice_of(a);
    check_case *cases = check_cases(&choice, &case_count);
    attn_status status = cases ? ATTN_OK : attn_fail(err, ATTN_ENOMEM, "out of memory");
    for (size_t k = 0; k < spec_count && status == ATTN_OK; k++) {
        attn_spec *spec = NULL;
        status = attn_spec_parse(&spec, specs[k], err);
        for (size_t c = 0; c < case_count && status == ATTN_OK; c++) {
            attn_layout *layout = NULL;
            status = attn_layout_create(&layout, spec, cases[c].nq, cases[c].nk, cases[c].heads, err);
            attn_layout_destroy(layout);
        }
        attn_spec_destroy(spec);
    }
    free(cases);
    return status;
}

static int run_as_child(const args *a, const char *level)
{
    sink to = {.pipe = fdopen(atoi(getenv(CHILD_VARIABLE)), "w"), .level = level};
    if (!to.pipe)
        return cli_complain(EXIT_INTERNAL, CHILD_VARIABLE " is not a descriptor");
    setvbuf(to.pipe, NULL, _IOLBF, 0);
    check_job job = {.kernel = cli_text(a, "kernel"),
                     .choice = choice_of(a),
                     .seed = cli_seed(a, "seed"),
                     .level = level,
                     .conformance = getenv(CALLBACKS_VARIABLE),
                     .plugins_only = cli_given(a, "plugin"),
                     .report = put_row,
                     .context = &to};
    job.spec_count = cli_texts(a, "p", &job.specs);
    check_result result = {0};
    attn_error err;
    attn_status status = check_run(&job, &result, &err);
    int code = status != ATTN_OK                                    ? cli_fail(status, &err)
               : result.wrong_cases || result.wrong_patterns ? EXIT_WRONG
                                                                    : EXIT_FINE;
    return fclose(to.pipe) == 0 ? code : EXIT_MACHINE;
}

/* Goes down the ladder from `top`. The worst code is the result: input errors and failures of the machine end
 * it, wrong numbers do not, but patterns that contradict themselves do. */
static int run_levels(const args *a, size_t top, emitter *table)
{
    size_t only = cli_choice(a, "level"); /* 0: all, else 1 + index of the ladder */
    const char *kernel = cli_text(a, "kernel");
    int worst = EXIT_FINE;
    sink to = {.table = table};
    for (size_t level = top + 1; level-- > 0 && !to.wrong_patterns;) {
        const char *disable = level == top ? NULL : ladder[level].disable;
        to.level = ladder[level].name;
        if ((only && level != only - 1) || (kernel && disable && !kernel_at_level(kernel, disable)))
            continue;
        int code = run_child(disable, level == top && !kernel, &to);
        if (code != EXIT_FINE && code != EXIT_WRONG)
            return code;
        if (code == EXIT_WRONG)
            worst = code;
    }
    return worst;
}

static int run(const args *a)
{
    uint32_t off;
    attn_error err;
    attn_status status = cpu_disabled(&off, &err);
    if (status == ATTN_OK && cli_given(a, "kernel"))
        status = check_kernel(cli_text(a, "kernel"), &err);
    if (status == ATTN_OK)
        status = check_users_specs(a, &err);
    if (status != ATTN_OK)
        return cli_fail(status, &err);
    size_t heads = cli_size(a, "heads"), kv_heads = cli_size(a, "kv-heads");
    if (heads && kv_heads && heads % kv_heads != 0)
        return cli_complain(EXIT_INPUT, "--kv-heads %zu does not divide --heads %zu", kv_heads, heads);

    uint32_t have = cpu_detect() & ~off;
    size_t top = 0, only = cli_choice(a, "level");
    for (size_t level = 0; level < LEVELS; level++)
        if ((have & ladder[level].needs) == ladder[level].needs)
            top = level;
    if (getenv(CHILD_VARIABLE))
        return run_as_child(a, ladder[top].name);
    if (only && only - 1 > top)
        return cli_complain(EXIT_INPUT, "--level %s: this machine has %s and what is below it%s",
                            ladder[only - 1].name, ladder[top].name, off ? " (ATTN_DISABLE_CPU is set)" : "");

    emitter *table = emit_open(stdout, (emit_format)cli_choice(a, "o"), columns, COLUMNS);
    if (!table)
        return cli_complain(EXIT_MACHINE, "out of memory");
    int code = run_levels(a, top, table);
    if (!emit_close(table) && (code == EXIT_FINE || code == EXIT_WRONG))
        code = cli_complain(EXIT_MACHINE, "standard output could not be written");
    return code;
}

const command cmd_check = {
    .name = "check",
    .operands = "",
    .summary = "kernels and patterns against the oracle, on every level of CPU features",
    .details =
        "Every kernel that can run here computes every pattern at many shapes and contents, between guard "
        "pages, with one thread and with three; the oracle computes the same in fp64 from the pattern's "
        "definition. The limit of an error is derived from fp32 rounding. Rows, pair counts and causality "
        "of patterns are compared with their definition first (not with --kernel); with --plugin only the "
        "plugins' patterns are checked. Wrong numbers give exit code 14, and a line that replays the case.",
    .options = options,
    .run = run,
};
