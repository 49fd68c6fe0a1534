/* Running cases: every kernel on every spec, each twice.
 *
 *   first    one thread, buffers that end at guard pages, with lse: compared with the oracle
 *   second   three threads, buffers that begin at guard pages, without lse: the same bits as the first
 *
 * Output buffers are filled with NaN beforehand, so that what is not written shows. After each run the
 * floating-point environment must round to nearest and keep subnormals. A crash is told, with the case that
 * caused it, by a signal handler. */
#include "harness/check.h"

#include <fenv.h>
#include <float.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "attn/plan.h"
#include "harness/cli.h"
#include "patterns/conformance.h"

enum { MOST_KERNELS = 32, TEXT = 1024 };

/* ---- replaying ---- */

/* The command line that runs one case alone. */
static void write_replay(char *out, size_t size, const check_job *job, const char *kernel,
                         const attn_pattern *pattern, const char *spec, const check_case *c)
{
    const char *origin = attn_pattern_origin(pattern);
    bool plugin = strcmp(origin, "built-in") != 0;
    snprintf(
        out, size,
        "attnlab check%s%s --level %s --kernel %s -p '%s' -n %zu --nq %zu -d %zu --heads %zu --kv-heads %zu "
        "--batch %zu --fill %s --dtype %s --seed %llu",
        plugin ? " --plugin " : "", plugin ? origin : "", job->level, kernel, spec, c->nk, c->nq, c->dim,
        c->heads, c->kv_heads, c->batch, check_fill_names[c->fill], attn_dtype_name(c->dtype),
        (unsigned long long)job->seed);
}

/* What the signal handler says. */
static char crash_text[TEXT + 64];

static void on_crash(int signal)
{
    (void)signal;
    size_t length = strlen(crash_text);
    (void)!write(STDERR_FILENO, crash_text, length);
    _exit(EXIT_WRONG);
}

static void catch_crashes(void)
{
    static const int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE};
    static char stack[1 << 16];
    stack_t alternate = {.ss_sp = stack, .ss_size = sizeof stack};
    sigaltstack(&alternate, NULL);
    struct sigaction action = {.sa_handler = on_crash, .sa_flags = SA_ONSTACK};
    for (size_t s = 0; s < sizeof signals / sizeof *signals; s++)
        sigaction(signals[s], &action, NULL);
}

/* ---- one kernel on one case ---- */

static const char *environment_fault(void)
{
    volatile float tiny = FLT_MIN;
    tiny = tiny / 2;
    if (fegetround() != FE_TONEAREST)
        return "the rounding mode was not restored";
    return tiny > 0 ? NULL : "flushing of subnormals was not switched off again";
}

static void complain(check_verdict *verdict, const char *fault)
{
    if (fault && !*verdict->fault)
        snprintf(verdict->fault, sizeof verdict->fault, "%s", fault);
}

typedef struct output {
    guarded o, lse;
} output;

/* Plans, runs, and looks at what no reference is needed for. */
static attn_status run_once(const check_reference *r, const char *kernel, int copy, output *out,
                            check_verdict *verdict, attn_error *err)
{
    const check_case *c = &r->c;
    size_t rows = c->batch * c->heads * c->nq;
    if (!guard_create(&out->o, rows * c->dim * attn_dtype_size(c->dtype), copy == 0) ||
        !guard_create(&out->lse, rows * sizeof(float), copy == 0))
        return attn_fail(err, ATTN_ENOMEM, "out of memory for a case of n=%zu, d=%zu", c->nk, c->dim);
    memset(out->o.at, 0xff, out->o.bytes);
    memset(out->lse.at, 0xff, out->lse.bytes);
    attn_problem problem = {.layout = r->layout, .batch = c->batch, .kv_heads = c->kv_heads, .dim = c->dim,
                            .dtype = c->dtype, .threads = copy == 0 ? 1 : 3, .kernel = kernel};
    attn_plan *plan;
    attn_status status = attn_plan_create(&plan, &problem, err);
    if (status == ATTN_ENOMEM)
        return status;
    if (status != ATTN_OK) {
        char fault[sizeof verdict->fault];
        snprintf(fault, sizeof fault, "it does not plan: %.160s", err->message);
        complain(verdict, fault);
        return ATTN_OK;
    }
    attn_plan_run(plan, r->q[copy].at, r->k[copy].at, r->v[copy].at, out->o.at,
                  copy == 0 ? out->lse.at : NULL);
    attn_plan_destroy(plan);
    complain(verdict, environment_fault());
    if (!guard_intact(&out->o) || !guard_intact(&out->lse))
        complain(verdict, "it wrote outside o or lse");
    return ATTN_OK;
}

static attn_status run_case(const check_reference *r, const attn_kernel_info *kernel, check_verdict *verdict,
                            attn_error *err)
{
    output first = {.o = {0}, .lse = {0}}, second = first;
    attn_status status = run_once(r, kernel->name, 0, &first, verdict, err);
    if (status == ATTN_OK && !*verdict->fault)
        check_compare(r, kernel->weight_bits, first.o.at, first.lse.at, verdict);
    if (status == ATTN_OK && !*verdict->fault)
        status = run_once(r, kernel->name, 1, &second, verdict, err);
    if (status == ATTN_OK && !*verdict->fault && memcmp(first.o.at, second.o.at, first.o.bytes) != 0)
        complain(verdict, "one thread with lse and three without do not give the same bits");
    guard_destroy(&first.o);
    guard_destroy(&first.lse);
    guard_destroy(&second.o);
    guard_destroy(&second.lse);
    return status;
}

/* ---- one pattern ---- */

typedef struct state {
    const check_job *job;
    const check_case *cases;
    size_t case_count;
    attn_kernel_info kernels[MOST_KERNELS];
    check_row rows[MOST_KERNELS];
    char replays[MOST_KERNELS][TEXT];
    size_t kernel_count;
    check_result result;
} state;

static attn_status run_kernels(state *s, const check_reference *r, const attn_pattern *pattern,
                               const char *spec, attn_error *err)
{
    for (size_t k = 0; k < s->kernel_count; k++) {
        check_row *row = &s->rows[k];
        if (row->skipped || !(s->kernels[k].dtypes >> r->c.dtype & 1))
            continue;
        char replay[TEXT];
        write_replay(replay, sizeof replay, s->job, row->kernel, pattern, spec, &r->c);
        snprintf(crash_text, sizeof crash_text, "attnlab: crashed; replay: %s\n", replay);
        check_verdict verdict = {0};
        attn_status status = run_case(r, &s->kernels[k], &verdict, err);
        if (status != ATTN_OK)
            return status;
        row->cases++;
        bool plain = r->c.dtype == ATTN_F32 && (r->c.fill == FILL_NORMAL || r->c.fill == FILL_CONSTANT);
        if (plain)
            row->worst_abs = fmax(row->worst_abs, verdict.worst_abs); /* NaN: none before */
        row->worst_ratio = fmax(row->worst_ratio, verdict.worst_ratio);
        if (!*verdict.fault)
            continue;
        if (row->failures++ == 0) {
            memcpy(s->replays[k], replay, sizeof replay);
            row->replay = s->replays[k];
            cli_complain(EXIT_WRONG, "WRONG: %s on %s: %s; replay: %s", row->kernel, spec, verdict.fault,
                         replay);
        }
        s->result.wrong_cases++;
    }
    return ATTN_OK;
}

/* All cases of one spec. A spec of ours that a pattern refuses is passed over. */
static attn_status run_spec(state *s, const char *text, bool ours, attn_error *err)
{
    attn_spec *spec;
    attn_status status = attn_spec_parse(&spec, text, err);
    if (status != ATTN_OK)
        return ours && status == ATTN_EINVAL ? ATTN_OK : status;
    for (size_t c = 0; c < s->case_count && status == ATTN_OK; c++) {
        const check_case *sizes = &s->cases[c];
        attn_layout *layout;
        status = attn_layout_create(&layout, spec, sizes->nq, sizes->nk, sizes->heads, err);
        if (ours && status == ATTN_EINVAL) {
            status = ATTN_OK;
            continue;
        }
        check_reference r = {0};
        if (status == ATTN_OK)
            status = check_reference_create(&r, sizes, layout, s->job->seed, err);
        if (status == ATTN_OK)
            status = run_kernels(s, &r, attn_spec_pattern(spec), text, err);
        check_reference_destroy(&r);
        attn_layout_destroy(layout);
    }
    attn_spec_destroy(spec);
    return status;
}

/* Compares the pattern's callbacks, or the rows of a composed spec with its definition; *conforms says how it came out. */
static attn_status run_conformance(state *s, const attn_pattern *pattern, const char *spec, bool *conforms, attn_error *err)
{
    const bool composed = spec && strcmp(pattern->name, "composed") == 0;
    check_row row = {.kernel = "-", .isa = "-", .pattern = composed ? spec : pattern->name};
    char replay[TEXT];
    const char *origin = attn_pattern_origin(pattern);
    bool plugin = !composed && strcmp(origin, "built-in") != 0;
    snprintf(replay, sizeof replay, "attnlab check%s%s -p %s%s%s --seed %llu", plugin ? " --plugin " : "",
             plugin ? origin : "", composed ? "'" : "", row.pattern, composed ? "'" : "", (unsigned long long)s->job->seed);
    snprintf(crash_text, sizeof crash_text,
             "attnlab: crashed while comparing the callbacks of %s; replay: %s\n", row.pattern, replay);
    attn_error why;
    attn_status status = composed ? spec_conform(spec, &row.cases, &why) : pattern_conform(pattern, s->job->seed, &row.cases, &why);
    if (status != ATTN_OK && status != ATTN_EINVAL)
        return attn_fail(err, status, "%s", why.message);
    *conforms = status == ATTN_OK;
    if (!*conforms) {
        row.failures = 1;
        row.replay = replay;
        s->result.wrong_patterns++;
        cli_complain(EXIT_WRONG, "WRONG: the callbacks of %s disagree: %s; replay: %s", row.pattern,
                     why.message, replay);
    }
    s->job->report(s->job->context, &row);
    return ATTN_OK;
}

static void begin_rows(state *s, const char *label, const char *skip)
{
    for (size_t k = 0; k < s->kernel_count; k++)
        s->rows[k] = (check_row){.kernel = s->kernels[k].name, .isa = s->kernels[k].isa, .pattern = label,
                                 .worst_abs = (double)NAN,
                                 .skipped = s->kernels[k].unavailable ? s->kernels[k].unavailable : skip};
}

static void end_rows(state *s)
{
    for (size_t k = 0; k < s->kernel_count; k++) {
        check_row *row = &s->rows[k];
        if (row->cases == 0 && !row->skipped)
            row->skipped = "no case that it computes";
        s->job->report(s->job->context, row);
    }
}

static void progress(const check_job *job, const char *label)
{
    if (isatty(STDERR_FILENO))
        fprintf(stderr, label ? "\r\033[Kcheck: %s: %s ..." : "\r\033[K", job->level, label);
}

/* One pattern with the specs we make for it. */
static attn_status run_pattern(state *s, const attn_pattern *pattern, attn_error *err)
{
    size_t count;
    bool conforms = true;
    attn_status status = s->job->conformance ? run_conformance(s, pattern, NULL, &conforms, err) : ATTN_OK;
    if (status != ATTN_OK)
        return status;
    begin_rows(s, pattern->name, conforms ? NULL : "its callbacks disagree");
    char **specs = check_specs(pattern, s->job->choice.quick, &count);
    if (!specs)
        return attn_fail(err, ATTN_ENOMEM, "out of memory");
    for (size_t k = 0; k < count; k++) {
        if (status == ATTN_OK && conforms)
            status = run_spec(s, specs[k], true, err);
        free(specs[k]);
    }
    free(specs);
    if (status == ATTN_OK)
        end_rows(s);
    return status;
}

/* One spec of the user's. */
static attn_status run_users(state *s, const char *text, attn_error *err)
{
    attn_spec *spec;
    bool conforms = true;
    attn_status status = attn_spec_parse(&spec, text, err);
    if (status == ATTN_OK && s->job->conformance)
        status = run_conformance(s, attn_spec_pattern(spec), text, &conforms, err);
    attn_spec_destroy(spec);
    if (status != ATTN_OK)
        return status;
    begin_rows(s, text, conforms ? NULL : "its callbacks disagree");
    if (conforms)
        status = run_spec(s, text, false, err);
    if (status == ATTN_OK)
        end_rows(s);
    return status;
}

attn_status check_run(const check_job *job, check_result *out, attn_error *err)
{
    state *s = calloc(1, sizeof *s);
    check_case *cases = s ? check_cases(&job->choice, &s->case_count) : NULL;
    attn_status status = cases ? ATTN_OK : attn_fail(err, ATTN_ENOMEM, "out of memory");
    if (status != ATTN_OK)
        goto cleanup;
    s->job = job;
    s->cases = cases;
    for (size_t k = 0; k < attn_kernel_count() && s->kernel_count < MOST_KERNELS; k++) {
        attn_kernel_info info = attn_kernel_at(k);
        if (!job->kernel || strcmp(job->kernel, info.name) == 0)
            s->kernels[s->kernel_count++] = info;
    }
    catch_crashes();
    for (size_t k = 0; k < job->spec_count && status == ATTN_OK; k++) {
        progress(job, job->specs[k]);
        status = run_users(s, job->specs[k], err);
    }
    for (size_t p = 0; p < attn_pattern_count() && !job->spec_count && status == ATTN_OK; p++) {
        const attn_pattern *pattern = attn_pattern_at(p);
        if (job->plugins_only && strcmp(attn_pattern_origin(pattern), "built-in") == 0)
            continue;
        progress(job, pattern->name);
        status = run_pattern(s, pattern, err);
    }
    progress(job, NULL);
    *out = s->result;

cleanup:
    free(cases);
    free(s);
    return status;
}
