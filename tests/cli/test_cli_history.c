/* attnlab history and changepoints, on stores of made-up runs. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/program.h"
#include "support/synthetic.h"

enum { MOST_RUNS = 64 };

/* A run for each time, of a commit of its own: 0...0, 0...1, and so on. Measured by two runs each, a little apart. */
static void add_runs(synthetic *s, const char *path, size_t first, const double *times, size_t count)
{
    static char commits[MOST_RUNS][41];
    static build_info builds[MOST_RUNS];
    for (size_t i = 0; i < count; i++) {
        snprintf(commits[first + i], 41, "%040zx", first + i);
        builds[first + i] = (build_info){.version = "0.1.0", .commit = commits[first + i], .compiler = "gcc", .flags = "-O3",
                                         .mode = "release", .binary = ""};
        for (size_t k = 0; k < 2; k++) {
            synthetic_open(s, path, "made-up CPU", i % 2 ? "odd" : "even");
            s->about.build = &builds[first + i];
            synthetic_begin(s, "dense", 64);
            for (int rep = -1; rep <= 1; rep++)
                record_real(&s->to, "time_ns", "ns", times[i] * (1 + 0.001 * rep) + (k ? 10 : -10));
            record_int(&s->to, "empty_rows", "count", 0);
            synthetic_end(s);
            synthetic_close(s);
        }
    }
}

/* Times of about 1 ms, with 1% of noise from a fixed table, times a factor from `at` on. */
static void make_times(double *times, size_t count, size_t at, double factor)
{
    static const int noise[] = {3, -5, 8, -1, -9, 6, 0, 4, -7, 2, 9, -3, -6, 5, 1, -8, 7};
    for (size_t i = 0; i < count; i++)
        times[i] = 1e6 * (1 + 0.001 * noise[i % 17]) * (i >= at ? factor : 1);
}

static size_t lines(const char *text)
{
    size_t count = 0;
    for (; *text; text++)
        count += *text == '\n';
    return count;
}

Test(cli_history, a_step_is_found_and_stays)
{
    double times[40];
    synthetic s = {0};
    char path[256];
    snprintf(path, sizeof path, "%s", scratch_path("h.db"));
    make_times(times, 40, 20, 1.05);
    add_runs(&s, path, 0, times, 25);
    outcome o = attnlab("changepoints --db %s", path);
    cr_assert(o.exit_code == 0 && strstr(o.err, "no change"), "four visits and the open one behind the step: %s%s", o.out, o.err);
    outcome_free(&o);
    char *first = NULL;
    for (size_t have = 25; have < 40; have += 3) {
        add_runs(&s, path, have, times + have, 3);
        o = attnlab("changepoints --db %s -o jsonl", path);
        cr_assert(o.exit_code == 0 && lines(o.out) == 1, "%zu visits: %s%s", have + 3, o.out, o.err);
        cr_assert(strstr(o.out, "\"before_revision\": \"0000000000000000000000000000000000000013\"") &&
                      strstr(o.out, "\"revision\": \"0000000000000000000000000000000000000014\""), "%s", o.out);
        if (!first)
            first = strdup(o.out);
        cr_assert(strcmp(first, o.out) == 0, "changed when runs were added: %s then %s", first, o.out);
        outcome_free(&o);
    }
    free(first);
    o = attnlab("changepoints --db %s", path);
    cr_assert(strstr(o.out, "+5.") || strstr(o.out, "+4."), "%s", o.out);
    outcome_free(&o);
    o = attnlab("changepoints --db %s --threshold 20", path);
    cr_assert(o.exit_code == 0 && !strstr(o.out, "dense") && strstr(o.err, "20%"), "%s%s", o.out, o.err);
    outcome_free(&o);
    o = attnlab("history --db %s --last 0 -o jsonl", path);
    cr_assert(o.exit_code == 0 && lines(o.out) == 40, "a point for each commit: %zu", lines(o.out));
    cr_assert(strstr(o.out, "\"runs\": 2"), "%s", o.out);
    outcome_free(&o);
    o = attnlab("history --db %s --last 22", path);
    cr_assert(o.exit_code == 0 && lines(o.out) == 23 && strstr(o.out, "000000000000 ") && strstr(o.out, "%"), "%s", o.out);
    outcome_free(&o);
}

Test(cli_history, a_spike_is_no_change)
{
    double times[30];
    synthetic s = {0};
    char path[256];
    snprintf(path, sizeof path, "%s", scratch_path("spike.db"));
    make_times(times, 30, 30, 1);
    times[15] *= 3;
    add_runs(&s, path, 0, times, 30);
    outcome o = attnlab("changepoints --db %s", path);
    cr_assert(o.exit_code == 0 && !strstr(o.out, "dense") && strstr(o.err, "no change of 1% or more in 1 series"), "%s%s", o.out, o.err);
    outcome_free(&o);
}

Test(cli_history, filters_and_complaints)
{
    double times[4];
    synthetic s = {0};
    char path[256];
    snprintf(path, sizeof path, "%s", scratch_path("few.db"));
    make_times(times, 4, 4, 1);
    add_runs(&s, path, 0, times, 4);
    static const struct { const char *options; size_t rows; } cases[] = {
        {"", 4}, {"-p dense", 4}, {"-n 64", 4}, {"--label even", 2}, {"--kernel tiles-avx2", 4}, {"--last 3", 3}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        outcome o = attnlab("history --db %s -o jsonl %s", path, cases[i].options);
        cr_assert(o.exit_code == 0 && lines(o.out) == cases[i].rows, "%s: %zu rows", cases[i].options, lines(o.out));
        outcome_free(&o);
    }
    static const char *const none[] = {"-p local", "-n 65", "--label neither", "--kernel other", "--series nothing"};
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++) {
        outcome o = attnlab("history --db %s %s", path, none[i]);
        cr_assert(o.exit_code == 2 && one_complaint(&o, "few.db", "passes the filters", NULL), "%s: %d %s", none[i], o.exit_code, o.err);
        outcome_free(&o);
    }
    add_runs(&s, path, 3, times, 1); /* the newest commit again: the same visit */
    outcome o = attnlab("changepoints --db %s", path);
    cr_assert(o.exit_code == 0 && strstr(o.err, "the longest has 4"), "%s", o.err);
    outcome_free(&o);
    o = attnlab("history --db %s --series empty_rows", path);
    cr_assert(o.exit_code == 0 && strstr(o.err, "4 visits are left out"), "%s%s", o.out, o.err);
    outcome_free(&o);
    o = attnlab("history -p 'locl' --db %s", path);
    cr_assert(o.exit_code == 2 && one_complaint(&o, "locl", NULL), "%s", o.err);
    outcome_free(&o);
    o = attnlab("history --db %s", scratch_path("missing.db"));
    cr_assert(o.exit_code == 2 && one_complaint(&o, "missing.db", NULL), "%s", o.err);
    outcome_free(&o);
}
