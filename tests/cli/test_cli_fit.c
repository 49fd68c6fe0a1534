/* attnlab fit, from a store of made-up measurements and from exact counts. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/program.h"
#include "support/synthetic.h"

static const char *const specs[] = {"dense", "local:k=128", "strided:l=sqrt(n)", "fixed:l=sqrt(n),c=8"};
static const char *const classes[] = {"n²", "n", "n√n", "n√n"};
enum { SPECS = 4 };

static const char *filled_store(size_t n_min, size_t n_max)
{
    const char *path = scratch_path("fit.db");
    synthetic s = {0};
    synthetic_open(&s, path, "made-up CPU", "first");
    for (size_t i = 0; i < SPECS; i++)
        for (size_t n = n_min; n <= n_max; n *= 2)
            synthetic_cell(&s, specs[i], n);
    synthetic_close(&s);
    return path;
}

/* A cell of dense with one time; NaN: not measured. */
static void one_time(synthetic *s, size_t n, double time_ns)
{
    synthetic_begin(s, "dense", n);
    record_real(&s->to, "time_ns", "ns", time_ns);
    synthetic_end(s);
}

/* The value of a key in a JSON line, NULL when the key is missing; in a static buffer. */
static const char *field(const char *line, const char *key)
{
    static char value[512];
    char quoted[64];
    snprintf(quoted, sizeof quoted, "\"%s\": ", key);
    size_t length = strcspn(line, "\n");
    const char *at = memmem(line, length, quoted, strlen(quoted));
    if (!at)
        return NULL;
    at += strlen(quoted);
    bool text = *at == '"';
    snprintf(value, sizeof value, "%.*s", (int)strcspn(at + text, text ? "\"" : ",}"), at + text);
    return value;
}

/* The line of a spec and metric. */
static const char *row_of(const char *out, const char *spec, const char *metric)
{
    for (const char *line = out; line && *line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
        char is[128];
        const char *s = field(line, "spec");
        snprintf(is, sizeof is, "%s", s ? s : "");
        const char *m = field(line, "metric");
        if (m && strcmp(is, spec) == 0 && strcmp(m, metric) == 0)
            return line;
    }
    cr_assert(false, "no row of %s, %s", spec, metric);
    return NULL;
}

static double real(const char *line, const char *key)
{
    const char *value = field(line, key);
    cr_assert(value != NULL, "no %s", key);
    return strcmp(value, "null") == 0 ? (double)NAN : atof(value);
}

Test(cli_fit, classes_and_slopes_of_every_pattern)
{
    const char *path = filled_store(1024, 16384);
    outcome o = attnlab("fit --db %s -o jsonl", path);
    cr_assert(o.exit_code == 0 && !*o.err, "exit %d: %s", o.exit_code, o.err);
    for (size_t i = 0; i < SPECS; i++) {
        const char *time = row_of(o.out, specs[i], "time"), *flops = row_of(o.out, specs[i], "flops"),
                   *rate = row_of(o.out, specs[i], "rate");
        cr_assert(strcmp(field(flops, "class"), classes[i]) == 0, "%s: %s", specs[i], field(flops, "class"));
        cr_assert(real(flops, "ci_lo") == real(flops, "exponent") &&
                      real(flops, "ci_hi") == real(flops, "exponent"),
                  "%s: exact FLOPs with an interval", specs[i]);
        cr_assert(fabs(real(time, "exponent") - (real(flops, "exponent") - real(rate, "exponent"))) < 1e-12,
                  "%s: slopes do not add up", specs[i]);
        cr_assert(real(time, "ci_lo") < real(time, "exponent") &&
                      real(time, "exponent") < real(time, "ci_hi"),
                  "%s: no interval of time", specs[i]);
        cr_assert(real(time, "points") == 5 && real(time, "n_min") == 1024 && real(time, "n_max") == 16384,
                  "%s: points", specs[i]);
        const char *rss = row_of(o.out, specs[i], "peak_rss"),
                   *workspace = row_of(o.out, specs[i], "workspace");
        cr_assert(fabs(real(rss, "exponent") - 1) < 0.01 && strcmp(field(rss, "class"), "n") == 0,
                  "%s: peak RSS less its fixed part: %g", specs[i], real(rss, "exponent"));
        cr_assert(real(workspace, "ci_lo") == real(workspace, "ci_hi"), "%s: workspace is exact", specs[i]);
    }
    cr_assert(fabs(real(row_of(o.out, "dense", "flops"), "exponent") - 2) < 1e-3, "dense FLOPs");
    outcome_free(&o);
}

/* Tables print three places; they must add up as printed. */
Test(cli_fit, table_adds_up_as_printed)
{
    outcome o = attnlab("fit --db %s", filled_store(1024, 16384));
    cr_assert(o.exit_code == 0, "exit %d: %s", o.exit_code, o.err);
    size_t seen = 0;
    double time, flops, rate;
    char sign;
    for (const char *at = o.out; (at = strstr(at, "= ")); at++)
        if (sscanf(at, "= %lf (flops) %c %lf (rate)", &flops, &sign, &rate) == 3) {
            rate = sign == '-' ? rate : -rate;
            const char *line = at;
            while (line > o.out && line[-1] != '\n')
                line--;
            cr_assert(sscanf(line, "%*s time %lf", &time) == 1, "%.60s", line);
            cr_assert(lround(time * 1000) == lround(flops * 1000) - lround(rate * 1000), "%g = %g - %g", time,
                      flops, rate);
            seen++;
        }
    cr_assert(seen == SPECS, "%zu identities", seen);
    outcome_free(&o);
}

Test(cli_fit, same_output_every_time)
{
    const char *path = filled_store(1024, 8192);
    outcome a = attnlab("fit --db %s -o csv", path), b = attnlab("fit --db %s -o csv", path);
    cr_assert(a.exit_code == 0 && strcmp(a.out, b.out) == 0, "two runs differ");
    outcome_free(&a);
    outcome_free(&b);
}

Test(cli_fit, filters)
{
    const char *path = filled_store(1024, 16384);
    outcome o = attnlab("fit --db %s -o jsonl -p 'local:k=128' -p dense --n-min 2k", path);
    cr_assert(o.exit_code == 0 && !strstr(o.out, "strided") && !strstr(o.out, "fixed"), "%s", o.out);
    cr_assert(real(row_of(o.out, "dense", "time"), "n_min") == 2048, "n-min");
    row_of(o.out, "local:k=128", "time");
    outcome_free(&o);
    o = attnlab("fit --db %s --label first -o jsonl -p dense", path);
    cr_assert(o.exit_code == 0, "label: %s", o.err);
    outcome_free(&o);
    o = attnlab("fit --db %s --label other", path);
    cr_assert(o.exit_code == 2 && one_complaint(&o, "filters", NULL), "%s", o.err);
    outcome_free(&o);
    o = attnlab("fit --db %s --run fff", path);
    cr_assert(o.exit_code == 2 && one_complaint(&o, "filters", NULL), "%s", o.err);
    outcome_free(&o);
}

Test(cli_fit, few_points_are_said)
{
    const char *path = filled_store(1024, 2048);
    outcome o = attnlab("fit --db %s -o jsonl -p dense", path);
    const char *time = row_of(o.out, "dense", "time");
    cr_assert(real(time, "points") == 2 && isfinite(real(time, "exponent")) && isnan(real(time, "ci_lo")),
              "%s", time);
    cr_assert(strstr(field(time, "note"), "three") != NULL, "%s", time);
    cr_assert(strcmp(field(row_of(o.out, "dense", "flops"), "class"), "n²") == 0, "class of two points");
    outcome_free(&o);
}

Test(cli_fit, newest_measurement_counts_and_one_machine)
{
    const char *path = filled_store(1024, 8192);
    synthetic s = {.input = "text:/usr/share/common-licenses",
                   .kernel = "tiles-avx2",
                   .heads = 8,
                   .threads = 2,
                   .tick = 500};
    synthetic_open(&s, path, "made-up CPU", "second");
    for (size_t n = 1024; n <= 8192; n *= 2) /* now linear */
        one_time(&s, n, 3.0 * (double)n);
    outcome o = attnlab("fit --db %s -o jsonl -p dense", path);
    cr_assert(fabs(real(row_of(o.out, "dense", "time"), "exponent") - 1) < 1e-9 && !*o.err, "%s", o.out);
    outcome_free(&o);
    synthetic_run(&s, "another CPU", "third");
    for (size_t n = 1024; n <= 8192; n *= 2)
        one_time(&s, n, 3.0 * (double)n * (double)n);
    synthetic_close(&s);
    o = attnlab("fit --db %s -o jsonl", path);
    cr_assert(o.exit_code == 0 && strstr(o.err, "several machines"), "%s", o.err);
    cr_assert(fabs(real(row_of(o.out, "dense", "time"), "exponent") - 2) < 1e-9, "%s", o.out);
    cr_assert(!strstr(o.out, "local"), "%s", o.out);
    outcome_free(&o);
}

Test(cli_fit, kernels_that_change_along_n_are_one_curve_others_two)
{
    const char *path = scratch_path("kernels.db");
    synthetic s = {0};
    synthetic_open(&s, path, "made-up CPU", "");
    for (size_t n = 1024; n <= 8192; n *= 2) {
        s.kernel = n < 4096 ? "small" : "large";
        synthetic_cell(&s, "dense", n);
    }
    outcome o = attnlab("fit --db %s -o jsonl", path);
    cr_assert(real(row_of(o.out, "dense", "time"), "points") == 4, "%s", o.out);
    cr_assert(strcmp(field(o.out, "kernel"), "small+large") == 0, "%s", field(o.out, "kernel"));
    outcome_free(&o);
    s.kernel = "large";
    synthetic_cell(&s, "dense", 1024);
    synthetic_close(&s);
    o = attnlab("fit --db %s -o csv", path);
    cr_assert(!strstr(o.out, "small+large") && strstr(o.out, ",small,") && strstr(o.out, ",large,"), "%s",
              o.out);
    outcome_free(&o);
}

Test(cli_fit, nothing_measured_is_null)
{
    const char *path = scratch_path("null.db");
    synthetic s = {0};
    synthetic_open(&s, path, "made-up CPU", "");
    for (size_t n = 64; n <= 512; n *= 2)
        one_time(&s, n, (double)NAN);
    synthetic_close(&s);
    outcome o = attnlab("fit --db %s -o jsonl", path);
    cr_assert(o.exit_code == 0, "%s", o.err);
    cr_assert(isnan(real(row_of(o.out, "dense", "time"), "exponent")), "%s", o.out);
    cr_assert(isnan(real(row_of(o.out, "dense", "peak_rss"), "exponent")), "%s", o.out);
    cr_assert(fabs(real(row_of(o.out, "dense", "flops"), "exponent") - 2) < 0.1, "%s", o.out);
    outcome_free(&o);
}

Test(cli_fit, exact_needs_no_store)
{
    outcome o = attnlab("fit --exact -p 'fixed:l=128' -p 'strided:l=sqrt(n)' -n 1k:64k*2 -o jsonl");
    cr_assert(o.exit_code == 0 && !*o.err, "%s", o.err);
    const char *fixed = row_of(o.out, "fixed:l=128", "flops"),
               *strided = row_of(o.out, "strided:l=sqrt(n)", "flops");
    cr_assert(strcmp(field(fixed, "class"), "n²") == 0, "%s", fixed);
    cr_assert(strcmp(field(strided, "class"), "n√n") == 0, "%s", strided);
    cr_assert(real(strided, "points") == 7 && fabs(real(strided, "exponent") - 1.504) < 1e-3, "%s", strided);
    cr_assert(real(strided, "ci_lo") == real(strided, "ci_hi"), "%s", strided);
    outcome_free(&o);
}

/* Without a closed form pairs are counted from rows, without rows from the definition: smaller n, same class. */
Test(cli_fit, patterns_of_plugins_have_a_class)
{
    outcome o = attnlab("fit --exact --plugin \"$ATTN_BUILD\"/tests/plugins/good.so -p bands -p coprime -n 32:128*2 "
                        "-o jsonl");
    cr_assert(o.exit_code == 0 && !*o.err, "exit %d: %s", o.exit_code, o.err);
    cr_assert(strcmp(field(row_of(o.out, "bands", "flops"), "class"), "n√n") == 0, "%s", o.out);
    cr_assert(strcmp(field(row_of(o.out, "coprime", "flops"), "class"), "n²") == 0, "%s", o.out);
    outcome_free(&o);
}

Test(cli_fit, bad_input_is_one_line)
{
    static const char *const bad[] = {
        "fit --exact",
        "fit -n 1k",
        "fit --exact -p nosuch",
        "fit --exact -p dense --label x",
        "fit -p 'local:k=-1'",
        "fit --heads 4",
        "fit stray",
        "fit --n-min 0",
        "fit --db /nowhere/x.db",
        "fit --exact -p dense -n 0",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        outcome o = attnlab("%s", bad[i]);
        cr_assert(o.exit_code == 2 && one_complaint(&o, "attnlab: ", NULL), "%s: exit %d, '%s'", bad[i],
                  o.exit_code, o.err);
        outcome_free(&o);
    }
    const char *empty = scratch_path("empty.db");
    synthetic s = {0};
    synthetic_open(&s, empty, "made-up CPU", "");
    synthetic_close(&s);
    outcome o = attnlab("fit --db %s", empty);
    cr_assert(o.exit_code == 2 && one_complaint(&o, "nothing measured", "attnlab run", NULL), "%s", o.err);
    outcome_free(&o);
}
