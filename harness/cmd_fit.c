/* attnlab fit: exponents of scaling curves, from the store or from exact pair counts alone. */
#include "harness/cli.h"
#include "harness/emit.h"
#include "harness/fit.h"
#include "harness/fit_curves.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "attn/layout.h"

enum column {
    SPEC, METRIC, EXPONENT, CI_LO, CI_HI, CLASS, POINTS, N_MIN, N_MAX, HEADS, KV_HEADS, DIM, BATCH, DTYPE,
    DIRECTION, KERNEL, THREADS, INPUT, SEED, NOTE, COLUMNS
};

static const emit_column columns[COLUMNS] = {
    [SPEC] = {"spec", "pattern", EMIT_PLAIN},
    [METRIC] = {"metric", "metric", EMIT_PLAIN},
    [EXPONENT] = {"exponent", "exponent", EMIT_FIXED3},
    [CI_LO] = {"ci_lo", "95% from", EMIT_FIXED3},
    [CI_HI] = {"ci_hi", "to", EMIT_FIXED3},
    [CLASS] = {"class", "class", EMIT_PLAIN},
    [POINTS] = {"points", "points", EMIT_PLAIN},
    [N_MIN] = {"n_min", "n from", EMIT_PLAIN},
    [N_MAX] = {"n_max", "to", EMIT_PLAIN},
    [HEADS] = {"heads", NULL, EMIT_PLAIN},
    [KV_HEADS] = {"kv_heads", NULL, EMIT_PLAIN},
    [DIM] = {"dim", NULL, EMIT_PLAIN},
    [BATCH] = {"batch", NULL, EMIT_PLAIN},
    [DTYPE] = {"dtype", NULL, EMIT_PLAIN},
    [DIRECTION] = {"direction", NULL, EMIT_PLAIN},
    [KERNEL] = {"kernel", NULL, EMIT_PLAIN},
    [THREADS] = {"threads", NULL, EMIT_PLAIN},
    [INPUT] = {"input", NULL, EMIT_PLAIN},
    [SEED] = {"seed", NULL, EMIT_PLAIN},
    [NOTE] = {"note", "note", EMIT_PLAIN},
};

typedef struct printer {
    emitter *out;
    bool rounded; /* for people: exponents to three places, that of the rate the difference of the others */
} printer;

/* One row about one metric of a curve. */
static void print(const printer *p, const emit_value *setting, const char *metric, const fit_line *line,
                  const double *n, const double *y, size_t count, const char *class, const char *note)
{
    emit_value row[COLUMNS];
    memcpy(row, setting, sizeof row);
    double least = HUGE_VAL, most = 0;
    for (size_t i = 0; i < count; i++)
        if (isfinite(y[i]) && y[i] > 0) {
            least = fmin(least, n[i]);
            most = fmax(most, n[i]);
        }
    row[METRIC] = emit_text(metric);
    row[EXPONENT] = emit_real(line->slope);
    row[CI_LO] = emit_real(line->lo);
    row[CI_HI] = emit_real(line->hi);
    row[CLASS] = emit_text(class);
    row[POINTS] = emit_int((int64_t)line->points);
    row[N_MIN] = line->points ? emit_int((int64_t)least) : emit_null();
    row[N_MAX] = line->points ? emit_int((int64_t)most) : emit_null();
    row[NOTE] = emit_text(note);
    emit_row(p->out, row);
}

/* Why there is no interval, or no slope; false when there is nothing to say. */
static bool explain_points(const fit_line *line, char *note, size_t size)
{
    if (isnan(line->slope))
        snprintf(note, size, "only %zu %s: a slope needs two sizes, an interval three", line->points,
                 line->points == 1 ? "point" : "points");
    else if (isnan(line->lo))
        snprintf(note, size, "only %zu points: an interval needs three sizes", line->points);
    return isnan(line->lo);
}

/* ---- FLOPs: exact counts ---- */

static attn_status print_flops(const printer *p, const emit_value *setting, const char *spec, size_t heads,
                               const fit_line *line, const double *n, const double *flops, const double *keys,
                               size_t count, attn_error *err)
{
    char note[1024];
    fit_growth growth = {.name = ""};
    attn_error reason;
    attn_status status = fit_class(&growth, spec, heads, &reason);
    if (status == ATTN_ENOMEM)
        return attn_fail(err, status, "%s", reason.message);
    if (!explain_points(line, note, sizeof note))
        snprintf(note, sizeof note, "from %.1f to %.1f keys a query", keys[0], keys[count - 1]);
    size_t used = strlen(note);
    if (status != ATTN_OK)
        snprintf(note + used, sizeof note - used, "; no class: %s", reason.message);
    else if (growth.why[0])
        snprintf(note + used, sizeof note - used, "; no class: %s", growth.why);
    else
        snprintf(note + used, sizeof note - used, "; class: exact counts to n = %zu%s%s", growth.largest,
                 growth.scaled[0] ? ", as " : "", growth.scaled);
    print(p, setting, "flops", line, n, flops, count, growth.name[0] ? growth.name : NULL, note);
    return ATTN_OK;
}

/* ---- measured curves ---- */

static void print_measured(const printer *p, const emit_value *setting, const char *metric,
                           const fit_line *line, const double *n, const double *y, size_t count,
                           const char *remark)
{
    char note[256] = "";
    if (!explain_points(line, note, sizeof note))
        snprintf(note, sizeof note, "%s%s", remark,
                 fit_unsettled(line) ? *remark ? "; class not settled" : "class not settled" : "");
    print(p, setting, metric, line, n, y, count, fit_nearest(line->slope), note);
}

/* The lines of time, FLOPs and rate through the same points, so that their slopes add up. */
static attn_status print_speed(const printer *p, const emit_value *setting, const curve *c, const double *n,
                               double *y, attn_error *err)
{
    const size_t count = c->count;
    double *time = y, *flops = y + count, *rate = y + 2 * count, *keys = y + 3 * count;
    bool timed = false;
    for (size_t i = 0; i < count; i++)
        timed = timed || c->at[i].time_ns > 0;
    for (size_t i = 0; i < count; i++) {
        time[i] = flops[i] = rate[i] = (double)NAN;
        if (c->at[i].time_ns > 0)
            time[i] = c->at[i].time_ns;
        if (c->at[i].time_ns > 0 || !timed)
            flops[i] = c->at[i].flops;
        rate[i] = flops[i] / time[i];
    }
    /* Keys per query at both ends of what is fitted. */
    size_t used = 0;
    const double per_query =
        (strcmp(c->direction, "bwd") == 0 ? 10.0 : 4.0) * (double)(c->dim * c->heads * c->batch);
    for (size_t i = 0; i < count; i++)
        if (flops[i] > 0)
            keys[used++] = flops[i] / per_query / n[i];

    fit_line of_time = fit_power(n, time, count, FIT_MEASURED),
             of_flops = fit_power(n, flops, count, FIT_EXACT),
             of_rate = fit_power(n, rate, count, FIT_MEASURED);
    if (p->rounded) {
        of_time.slope = round(of_time.slope * 1e3) / 1e3;
        of_flops.slope = round(of_flops.slope * 1e3) / 1e3;
    }
    char identity[96] = "not measured";
    if (timed) {
        of_rate.slope = of_flops.slope - of_time.slope;
        snprintf(identity, sizeof identity, "= %.3f (flops) %c %.3f (rate)", of_flops.slope,
                 of_rate.slope < 0 ? '+' : '-', fabs(of_rate.slope));
    }
    print_measured(p, setting, "time", &of_time, n, time, count, identity);
    attn_status status =
        print_flops(p, setting, c->spec, (size_t)c->heads, &of_flops, n, flops, keys, used, err);
    print_measured(p, setting, "rate", &of_rate, n, rate, count, "useful FLOP/s");
    return status;
}

/* Peak memory less its fixed part: program, libraries and stacks, taken as what tensors and workspace do not
 * explain, on average. */
static void print_resident(const printer *p, const emit_value *setting, const curve *c, const double *n,
                           double *y)
{
    double fixed = 0;
    size_t known = 0;
    for (size_t i = 0; i < c->count; i++) {
        double rest = c->at[i].rss - c->at[i].tensors - c->at[i].workspace;
        if (isfinite(rest)) {
            fixed += rest;
            known++;
        }
    }
    fixed = known && fixed > 0 ? fixed / (double)known : 0;
    for (size_t i = 0; i < c->count; i++)
        y[i] = c->at[i].rss - fixed;
    fit_line line = fit_power(n, y, c->count, FIT_MEASURED);
    char less[48], remark[96];
    emit_format_number(less, sizeof less, EMIT_BYTES, fixed);
    snprintf(remark, sizeof remark, "bytes, less %s of program and libraries", less);
    print_measured(p, setting, "peak_rss", &line, n, y, c->count,
                   fixed > 0 ? remark : "bytes, fixed part included");
}

static attn_status print_curve(const printer *p, const curve *c, attn_error *err)
{
    const size_t count = c->count;
    double *n = malloc(5 * count * sizeof *n);
    if (!n)
        return attn_fail(err, ATTN_ENOMEM, "out of memory");
    double *y = n + count;
    for (size_t i = 0; i < count; i++)
        n[i] = c->at[i].n;
    emit_value setting[COLUMNS] = {
        [SPEC] = emit_text(c->spec),
        [HEADS] = emit_int(c->heads),
        [KV_HEADS] = emit_int(c->kv_heads),
        [DIM] = emit_int(c->dim),
        [BATCH] = emit_int(c->batch),
        [DTYPE] = emit_text(c->dtype),
        [DIRECTION] = emit_text(c->direction),
        [KERNEL] = emit_text(c->kernel),
        [THREADS] = emit_int(c->threads),
        [INPUT] = emit_text(c->input),
        [SEED] = emit_int(c->seed),
    };
    attn_status status = print_speed(p, setting, c, n, y, err);
    for (size_t i = 0; i < count; i++)
        y[i] = c->at[i].workspace;
    fit_line line = fit_power(n, y, count, FIT_EXACT);
    print_measured(p, setting, "workspace", &line, n, y, count, "bytes, exact");
    print_resident(p, setting, c, n, y);
    free(n);
    return status;
}

/* The spec as the store has it. */
static attn_status canonical(const char *text, char **out, attn_error *err)
{
    attn_spec *spec;
    attn_status status = attn_spec_parse(&spec, text, err);
    if (status != ATTN_OK)
        return status;
    *out = strdup(attn_spec_text(spec));
    attn_spec_destroy(spec);
    return *out ? ATTN_OK : attn_fail(err, ATTN_ENOMEM, "out of memory");
}

static attn_status nothing(const store *s, const args *a, attn_error *err)
{
    bool filtered =
        cli_given(a, "p") || cli_given(a, "label") || cli_given(a, "run") || cli_given(a, "n-min");
    return attn_fail(err, ATTN_EINVAL,
                     filtered ? "%s: no measurement passes the filters; leave them out to see what there is"
                              : "%s: nothing measured yet; `attnlab run -n 1k:16k*2` does",
                     store_file(s));
}

static attn_status read_store(const args *a, char *const *specs, size_t spec_count, curve **curves,
                              size_t *count, attn_error *err)
{
    store *s = NULL;
    bool others = false;
    attn_status status = store_open(&s, store_path(cli_text(a, "db")), STORE_READ, err);
    if (status != ATTN_OK)
        return status;
    curve_filter filter = {.specs = (const char *const *)specs,
                           .spec_count = spec_count,
                           .label = cli_text(a, "label"),
                           .run_id = cli_text(a, "run"),
                           .n_min = cli_size(a, "n-min")};
    status = curves_read(s, &filter, curves, count, &others, err);
    if (status == ATTN_OK && *count == 0)
        status = nothing(s, a, err);
    if (status == ATTN_OK && others)
        fprintf(stderr, "%s holds several machines; fitted are the curves of the one measured last\n",
                store_file(s));
    store_close(s);
    return status;
}

/* ---- without a store ---- */

static attn_status count_curve(curve *c, const char *text, const size_t *axis, size_t count, size_t heads,
                               attn_error *err)
{
    attn_spec *spec;
    attn_status status = attn_spec_parse(&spec, text, err);
    if (status != ATTN_OK)
        return status;
    *c = (curve){.spec = strdup(text), .heads = (long long)heads, .at = calloc(count, sizeof *c->at)};
    if (!c->spec || !c->at)
        status = attn_fail(err, ATTN_ENOMEM, "out of memory");
    for (; status == ATTN_OK && c->count < count; c->count++) {
        const size_t n = axis[c->count];
        attn_layout *layout;
        status = attn_layout_create(&layout, spec, n, n, heads, err);
        if (status != ATTN_OK)
            break;
        c->at[c->count] = (curve_point){.n = (double)n, .flops = (double)attn_layout_pairs_all_heads(layout)};
        attn_layout_destroy(layout);
    }
    attn_spec_destroy(spec);
    return status;
}

static attn_status count_curves(const args *a, char *const *specs, size_t count, curve **curves,
                                attn_error *err)
{
    const size_t *axis, sizes = cli_axis(a, "n", &axis);
    attn_status status = ATTN_OK;
    *curves = calloc(count, sizeof **curves);
    if (!*curves)
        return attn_fail(err, ATTN_ENOMEM, "out of memory");
    for (size_t i = 0; i < count && status == ATTN_OK; i++)
        status = count_curve(&(*curves)[i], specs[i], axis, sizes, cli_size(a, "heads"), err);
    return status;
}

/* The pairs of a curve counted by count_curve(); FLOPs are proportional. */
static attn_status print_counts(const printer *p, const curve *c, attn_error *err)
{
    double *n = malloc(3 * c->count * sizeof *n);
    if (!n)
        return attn_fail(err, ATTN_ENOMEM, "out of memory");
    double *pairs = n + c->count, *keys = pairs + c->count;
    for (size_t i = 0; i < c->count; i++) {
        n[i] = c->at[i].n;
        pairs[i] = c->at[i].flops;
        keys[i] = pairs[i] / (double)c->heads / n[i];
    }
    fit_line line = fit_power(n, pairs, c->count, FIT_EXACT);
    emit_value setting[COLUMNS] = {[SPEC] = emit_text(c->spec), [HEADS] = emit_int(c->heads)};
    attn_status status =
        print_flops(p, setting, c->spec, (size_t)c->heads, &line, n, pairs, keys, c->count, err);
    free(n);
    return status;
}

/* ---- the command ---- */

static int fit(const args *a)
{
    attn_error err;
    attn_status status = ATTN_OK;
    const char *const *texts;
    const size_t count = cli_texts(a, "p", &texts);
    const bool exact = cli_flag(a, "exact");
    if (exact && count == 0)
        return cli_complain(EXIT_INPUT, "--exact needs patterns: attnlab fit --exact -p strided:l=sqrt(n)");
    if (!exact && (cli_given(a, "n") || cli_given(a, "heads")))
        return cli_complain(EXIT_INPUT, "%s goes with --exact; the sizes of a store are those measured",
                            cli_given(a, "n") ? "-n" : "--heads");
    static const char *const store_only[] = {"label", "run", "n-min", "db"};
    for (size_t i = 0; exact && i < sizeof store_only / sizeof store_only[0]; i++)
        if (cli_given(a, store_only[i]))
            return cli_complain(EXIT_INPUT, "--%s reads a store, which --exact does without", store_only[i]);

    char **specs = calloc(count + 1, sizeof *specs);
    if (!specs)
        return cli_complain(EXIT_MACHINE, "out of memory");
    for (size_t i = 0; i < count && status == ATTN_OK; i++)
        status = canonical(texts[i], &specs[i], &err);

    curve *curves = NULL;
    size_t found = exact ? count : 0;
    if (status == ATTN_OK)
        status = exact ? count_curves(a, specs, count, &curves, &err)
                       : read_store(a, specs, count, &curves, &found, &err);
    if (status == ATTN_OK) { /* nothing is printed before all is known to be well */
        const emit_format format = (emit_format)cli_choice(a, "o");
        printer p = {.rounded = format == EMIT_TABLE || format == EMIT_MD};
        if (!(p.out = emit_open(stdout, format, columns, COLUMNS)))
            status = attn_fail(&err, ATTN_ENOMEM, "out of memory");
        for (size_t i = 0; i < found && status == ATTN_OK; i++)
            status = exact ? print_counts(&p, &curves[i], &err) : print_curve(&p, &curves[i], &err);
        if (p.out)
            emit_close(p.out); /* a failing stream is reported by the caller, from its error flag */
    }
    if (curves)
        curves_free(curves, found);
    for (size_t i = 0; i < count; i++)
        free(specs[i]);
    free(specs);
    return status == ATTN_OK ? EXIT_FINE : cli_fail(status, &err);
}

static const option options[] = {
    {"p", OPTION_TEXT, "SPEC", "only this pattern", NULL, 0, 0, NULL, true},
    {"db", OPTION_TEXT, "FILE", "the store (else $ATTNLAB_DB, else results/attnlab.db)", NULL, 0, 0, NULL,
     false},
    {"label", OPTION_TEXT, "TEXT", "only runs with this label", NULL, 0, 0, NULL, false},
    {"run", OPTION_TEXT, "ID", "only the run whose id begins so", NULL, 0, 0, NULL, false},
    {"n-min", OPTION_SIZE, "N", "leave out smaller n, where overheads bend the curve", "1", 1, ATTN_MAX_N,
     NULL, false},
    {"exact", OPTION_FLAG, NULL, "no store: FLOPs of the given patterns from exact pair counts", NULL, 0, 0,
     NULL, false},
    {"n", OPTION_AXIS, "AXIS", "with --exact: the sizes", "1k:64k*2", 1, ATTN_MAX_N, NULL, false},
    {"heads", OPTION_SIZE, "H", "with --exact: query heads", "8", 1, 65536, NULL, false},
    CLI_OPTION_FORMAT,
    {0},
};

const command cmd_fit = {
    .name = "fit",
    .operands = "",
    .summary = "exponents of scaling curves, with 95% intervals",
    .details = "Fits n^p to time, FLOPs, rate and memory of each pattern by least squares of logarithms, over "
               "the newest measurement of each cell on the machine measured last.\n\n"
               "FLOPs are exact, so their slope has an interval of no width, and their class is not guessed "
               "from it: n, n log n, n sqrt(n) and n^2 are told apart by exact pair counts up to n = 2^24. "
               "The slope over a finite range differs from the class where lower-order terms matter.\n\n"
               "Over the same points slope(time) = slope(flops) - slope(rate). The intervals of measured "
               "slopes are a bootstrap over the points (smoothed bootstrap-t, 1999 draws, fixed seed); fewer "
               "than three sizes have none. The class of a measured curve is the nearest exponent, and the "
               "note says where the interval holds another one as well.",
    .options = options,
    .run = fit,
};
