/* attnlab plot: every pair draws, on full, small and hostile stores. */
#include <criterion/criterion.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness/plot.h"
#include "support/program.h"
#include "support/synthetic.h"

static const char *const specs[] = {"dense", "local:k=128", "strided:l=sqrt(n)", "fixed:l=sqrt(n),c=8"};
enum { SPECS = 4 };

#define NEEDS_GNUPLOT()                                                                                      \
    if (plot_unavailable())                                                                                  \
    cr_skip_test("%s", plot_unavailable())

static void fill(synthetic *s, size_t n_max)
{
    for (size_t i = 0; i < SPECS; i++)
        for (size_t n = 1024; n <= n_max; n *= 2)
            synthetic_cell(s, specs[i], n);
}

/* Two labels of four runs each, in turn, of two commits in turn: something to compare, and a history. */
static void add_labels(const char *path)
{
    static build_info builds[2];
    for (int k = 0; k < 8; k++) {
        static const char *const commits[] = {"00000000000000000000000000000000000000aa", "00000000000000000000000000000000000000bb"};
        synthetic s = {0};
        builds[k % 2] = (build_info){.version = "0.1.0", .commit = commits[k % 2], .compiler = "gcc", .flags = "-O3", .mode = "release", .binary = ""};
        synthetic_open(&s, path, "made-up CPU", k % 2 ? "after" : "before");
        s.about.build = &builds[k % 2];
        for (size_t i = 0; i < SPECS; i++)
            synthetic_cell(&s, specs[i], 1024);
        synthetic_close(&s);
    }
}

static const char *filled_store(const char *name, size_t n_max)
{
    static char path[512];
    snprintf(path, sizeof path, "%s", scratch_path(name));
    add_labels(path);
    synthetic s = {0};
    synthetic_open(&s, path, "made-up CPU", "");
    fill(&s, n_max);
    synthetic_peaks(&s);
    s.kernel = "portable";
    synthetic_cell(&s, "dense", 1024);
    synthetic_close(&s);
    return path;
}

/* Enough of XML to see a cut or broken file: one root, elements nested, attributes quoted, no stray < or &. */
static const char *xml_fault(const char *text)
{
    static char open[64][64];
    size_t depth = 0, roots = 0;
    for (const char *at = text; *at;) {
        if (*at == '&' && !strchr(at + 1, ';'))
            return "a stray &";
        if (*at != '<') {
            if (depth == 0 && !isspace((unsigned char)*at))
                return "text outside the root";
            at++;
            continue;
        }
        static const struct {
            const char *begin, *end;
        } skipped[] = {{"<?", "?>"}, {"<!--", "-->"}, {"<![CDATA[", "]]>"}, {"<!", ">"}};
        const char *after = NULL;
        for (size_t i = 0; i < 4 && !after; i++)
            if (strncmp(at, skipped[i].begin, strlen(skipped[i].begin)) == 0) {
                after = strstr(at, skipped[i].end);
                if (!after)
                    return "an open comment";
                after += strlen(skipped[i].end);
            }
        if (after) {
            at = after;
            continue;
        }
        const bool closing = at[1] == '/';
        const char *name = at + 1 + closing;
        const size_t length = strcspn(name, " \t\r\n/>");
        char quote = 0;
        const char *end = name + length;
        for (; *end && (quote || *end != '>'); end++) {
            if (quote ? *end == quote : *end == '"' || *end == '\'')
                quote = quote ? 0 : *end;
            else if (*end == '<')
                return "a < in a tag";
        }
        if (!*end || length == 0 || length >= sizeof open[0])
            return "a broken tag";
        if (closing) {
            if (depth == 0 || strncmp(open[depth - 1], name, length) != 0 || open[depth - 1][length])
                return "tags that do not nest";
            depth--;
        } else if (end[-1] != '/') {
            if (depth == 64)
                return "too deep";
            roots += depth == 0;
            snprintf(open[depth++], sizeof open[0], "%.*s", (int)length, name);
        }
        at = end + 1;
    }
    return depth ? "an open element" : roots == 1 ? NULL : "not one root";
}

static void check_pictures(const char *folder, const char *name)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s.svg", folder, name);
    char *svg = read_whole_file(path, NULL);
    const char *fault = xml_fault(svg);
    cr_assert(fault == NULL, "%s: %s", path, fault);
    cr_assert(strstr(svg, "<svg") && strstr(svg, "attnlab_"), "%s has no name of its own", path);
    free(svg);
    size_t size;
    snprintf(path, sizeof path, "%s/%s.png", folder, name);
    char *png = read_whole_file(path, &size);
    cr_assert(size > 2000 && memcmp(png, "\x89PNG\r\n\x1a\n", 8) == 0 &&
                  memcmp(png + size - 8, "IEND", 4) == 0,
              "%s: %zu bytes", path, size);
    free(png);
    snprintf(path, sizeof path, "%s/%s.pdf", folder, name);
    char *pdf = read_whole_file(path, &size);
    cr_assert(size > 2000 && memcmp(pdf, "%PDF-", 5) == 0, "%s: %zu bytes", path, size);
    free(pdf);
    static const char *const beside[] = {"tsv", "gp"};
    for (size_t i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/%s.%s", folder, name, beside[i]);
        cr_assert(file_exists(path), "no %s", path);
    }
}

static void check_all(const char *folder)
{
    plot_list list;
    attn_error err;
    cr_assert(plot_list_read(&list, NULL, &err) == ATTN_OK, "%s", err.message);
    for (size_t i = 0; i < list.count; i++)
        check_pictures(folder, list.at[i].name);
    plot_list_free(&list);
}

Test(cli_plot, every_plot_draws, .timeout = 120)
{
    NEEDS_GNUPLOT();
    const char *out = scratch_path("pictures");
    const char *db = filled_store("full.db", 8192);
    outcome o = attnlab("plot all --db %s --out %s", db, out);
    cr_assert(o.exit_code == 0 && !*o.err, "exit %d: %s", o.exit_code, o.err);
    check_all(out);
    outcome_free(&o);
    o = shell("ls %s | grep -v -E '^[a-z]+[.](svg|png|pdf|gp|tsv)$'", out);
    cr_assert(o.out_size == 0, "left over: %s", o.out);
    outcome_free(&o);
    /* The script can be run again by hand. */
    o = shell("cd %s && LC_ALL=C gnuplot time.gp 2>&1 >/dev/null | grep -v warning", out);
    cr_assert(o.out_size == 0, "%s", o.out);
    outcome_free(&o);
}

/* A column and a slide are other pages, drawn from the same data. */
Test(cli_plot, sizes, .timeout = 120)
{
    NEEDS_GNUPLOT();
    const char *db = filled_store("sizes.db", 8192);
    static const struct { const char *name, *page; } sizes[] = {{"wide", "504"}, {"column", "241"}, {"slide", "720"}};
    for (size_t i = 0; i < 3; i++) {
        char out[300], path[400];
        snprintf(out, sizeof out, "%s", scratch_path(sizes[i].name));
        outcome o = attnlab("plot all --db %s --out %s --size %s", db, out, sizes[i].name);
        cr_assert(o.exit_code == 0 && !*o.err, "%s: exit %d: %s", sizes[i].name, o.exit_code, o.err);
        outcome_free(&o);
        check_all(out);
        snprintf(path, sizeof path, "grep -a -o 'MediaBox *\\[[^]]*' %s/time.pdf", out);
        o = shell("%s", path);
        cr_assert(strstr(o.out, sizes[i].page), "%s: page %s", sizes[i].name, o.out);
        outcome_free(&o);
    }
    outcome o = attnlab("plot time --db %s --size poster", db);
    cr_assert(o.exit_code == 2 && one_complaint(&o, "--size poster", "column", NULL), "%d %s", o.exit_code, o.err);
    outcome_free(&o);
}

/* Bars of all dtypes, named where there are several. */
Test(cli_plot, rates_by_dtype, .timeout = 120)
{
    NEEDS_GNUPLOT();
    const char *db = scratch_path("dtypes.db");
    static const char *const types[] = {"f32", "bf16"};
    for (size_t k = 0; k < 2; k++) {
        outcome o = attnlab("run --db %s -p local:k=4 -n 32 --heads 1 --threads 1 --kernel portable --dtype %s --metrics time --max-time 0.002 -o jsonl", db, types[k]);
        cr_assert(o.exit_code == 0, "%s", o.err);
        outcome_free(&o);
    }
    outcome o = attnlab("plot rate --db %s --out %s", db, scratch_path("dtypes"));
    cr_assert(o.exit_code == 0 && !*o.err, "%s", o.err);
    outcome_free(&o);
    o = shell("grep -c 'portable bf16, n = 32' %s/rate.tsv; grep -c 'portable f32, n = 32' %s/rate.tsv; grep -c 'bf16 and f32' %s/rate.svg", scratch_path("dtypes"),
              scratch_path("dtypes"), scratch_path("dtypes"));
    cr_assert(strcmp(o.out, "1\n1\n1\n") == 0, "%s", o.out);
    outcome_free(&o);
}

/* One size, one pattern: all ranges are a point. */
Test(cli_plot, equal_values_draw, .timeout = 120)
{
    NEEDS_GNUPLOT();
    const char *path = scratch_path("one.db"), *out = scratch_path("one");
    add_labels(path);
    synthetic s = {0};
    synthetic_open(&s, path, "made-up CPU", "");
    synthetic_cell(&s, "dense", 1024);
    synthetic_close(&s);
    outcome o = attnlab("plot all --db %s --out %s", path, out);
    cr_assert(o.exit_code == 0 && !*o.err, "exit %d: %s", o.exit_code, o.err);
    check_all(out);
    outcome_free(&o);
}

Test(cli_plot, what_was_not_measured_is_skipped_with_a_reason, .timeout = 120)
{
    NEEDS_GNUPLOT();
    const char *path = scratch_path("bare.db"), *out = scratch_path("bare");
    synthetic s = {0};
    synthetic_open(&s, path, "made-up CPU", "");
    synthetic_begin(&s, "dense", 64);
    record_absent(&s.to, "time_ns", "ns", "not today");
    synthetic_end(&s);
    synthetic_close(&s);
    outcome o = attnlab("plot all --db %s --out %s", path, out);
    cr_assert(o.exit_code == 0, "exit %d: %s", o.exit_code, o.err);
    static const char *const skipped[] = {"time", "memory", "workspace", "rate", "error", "counters", "share",
                                          "roofline"};
    for (size_t i = 0; i < sizeof skipped / sizeof skipped[0]; i++) {
        char line[64], picture[512];
        snprintf(line, sizeof line, "%s: skipped", skipped[i]);
        snprintf(picture, sizeof picture, "%s/%s.svg", out, skipped[i]);
        cr_assert(strstr(o.err, line) && !file_exists(picture), "%s: %s", skipped[i], o.err);
    }
    cr_assert(strstr(o.err, "attnlab run"), "%s", o.err);
    check_pictures(out, "masks");
    check_pictures(out, "flops"); /* exact, without any measurement */
    outcome_free(&o);
}

/* ---- share and roofline: what they draw, from a store that is known ---- */

/* The line of a file that begins with `what`; "" when there is none. */
static const char *line_of(const char *folder, const char *name, const char *what)
{
    static char line[8][512];
    static size_t next;
    char path[512], *found = line[next++ % 8];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    char *text = read_whole_file(path, NULL);
    *found = '\0';
    for (char *rest = text, *at; (at = strsep(&rest, "\n"));)
        if (strncmp(at, what, strlen(what)) == 0) {
            snprintf(found, sizeof line[0], "%s", at);
            break;
        }
    free(text);
    return found;
}

Test(cli_plot, ceilings_are_those_of_the_host_and_its_threads, .timeout = 120)
{
    NEEDS_GNUPLOT();
    const char *out = scratch_path("roof");
    outcome o = attnlab("plot roofline share --db %s --out %s", filled_store("roof.db", 4096), out);
    cr_assert(o.exit_code == 0 && !*o.err, "exit %d: %s", o.exit_code, o.err);
    const char *roofs = line_of(out, "roofline.gp", "array roof_value"), *bands = line_of(out, "roofline.gp", "array band_value"),
               *names = line_of(out, "roofline.gp", "array roof_name");
    cr_assert(strcmp(roofs, "array roof_value[1] = [100]") == 0, "'%s'", roofs);
    cr_assert(strcmp(names, "array roof_name[1] = ['fp32 avx2']") == 0, "'%s'", names);
    cr_assert(strcmp(bands, "array band_value[4] = [40, 130, 180, 320]") == 0, "'%s'", bands);
    /* local at 1024: 4 d FLOPs a pair, over 4 (4 d + 1) bytes a position, at 30 * 0.8 less a little */
    double n, x, y, style;
    const char *local = line_of(out, "roofline.tsv", "local:k=128");
    const double pairs = 1024 * 129 - 128 * 129 / 2, intensity = 4 * 64 * pairs / (1024 * (4 * 64 + 1) * 4.0);
    cr_assert(sscanf(local, "local:k=128\t%lf\t%lf\t%lf\t%lf", &n, &x, &y, &style) == 4 && n == 1024, "'%s'", local);
    cr_assert(x > intensity * 0.999 && x < intensity * 1.001 && y > 15 && y < 24, "x %g, not %g; y %g", x, intensity, y);
    /* the best of three peaks is 50 a thread, so the share is the rate over 100 */
    double share;
    const char *same = line_of(out, "share.tsv", "local:k=128");
    cr_assert(sscanf(same, "local:k=128\t%lf\t%lf", &n, &share) == 2 && share > y * 0.999 && share < y * 1.001,
              "share %g%% of 100 GFLOP/s at %g", share, y);
    /* dense was measured with two kernels, the others with one */
    cr_assert(*line_of(out, "share.tsv", "dense, portable\t") && *line_of(out, "share.tsv", "dense, tiles-avx2\t") &&
                  !*line_of(out, "share.tsv", "dense\t"),
              "names of curves");
    outcome_free(&o);
}

/* `count` samples of local:k=128 around `ns`, one per cent apart. */
static void timed(synthetic *s, const char *kernel, size_t n, double ns, size_t count)
{
    s->kernel = kernel;
    synthetic_begin(s, "local:k=128", n);
    for (size_t rep = 0; rep < count; rep++)
        record_real(&s->to, "time_ns", "ns", ns * (1 + 0.01 * ((double)rep - (double)(count / 2))));
    synthetic_end(s);
}

Test(cli_plot, the_best_kernel_and_whether_that_is_certain, .timeout = 120)
{
    NEEDS_GNUPLOT();
    const char *path = scratch_path("best.db"), *out = scratch_path("best");
    synthetic s = {.heads = 1, .threads = 1};
    synthetic_open(&s, path, "made-up CPU", "");
    timed(&s, "one", 1024, 2e6, 9);
    timed(&s, "two", 1024, 1e6, 9);    /* twice as fast */
    timed(&s, "one", 2048, 2e6, 9);
    timed(&s, "two", 2048, 2.02e6, 9); /* intervals overlap */
    timed(&s, "one", 4096, 2e6, 3);    /* three samples have no interval */
    timed(&s, "two", 4096, 4e6, 3);
    timed(&s, "two", 8192, 8e6, 9);
    synthetic_close(&s);
    outcome o = attnlab("plot best samples --db %s --out %s", path, out);
    cr_assert(o.exit_code == 0 && !*o.err, "exit %d: %s", o.exit_code, o.err);
    static const struct {
        const char *begin, *kernel, *lead;
    } tiles[] = {{"1\t-1\t", "\ttwo\t", "\t2.00× the next"},
                 {"2\t-1\t", "\tone\t", "\t1.01× the next?"},
                 {"3\t-1\t", "\tone\t", "\t2.00× the next?"},
                 {"4\t-1\t", "\ttwo\t", "\tno rival"}};
    for (size_t i = 0; i < 4; i++) {
        const char *line = line_of(out, "best.tsv", tiles[i].begin), *lead = strstr(line, tiles[i].lead);
        cr_assert(strstr(line, tiles[i].kernel) && lead && strcmp(lead, tiles[i].lead) == 0, "tile %zu: '%s'", i, line);
    }
    /* Strips are those of the largest n alone, where "two" had no rival: nine samples, the fifth the median. */
    cr_assert(strcmp(line_of(out, "samples.gp", "array strip_kernel"), "array strip_kernel[1] = ['two']") == 0, "'%s'",
              line_of(out, "samples.gp", "array strip_kernel"));
    cr_assert(strncmp(line_of(out, "samples.gp", "array strip_time"), "array strip_time[1] = ['8 ms']", 30) == 0, "time");
    double ratio;
    const char *first = line_of(out, "samples.tsv", "local:k=128 two\t");
    cr_assert(sscanf(first, "local:k=128 two\t%lf", &ratio) == 1 && ratio > 0.959 && ratio < 0.961, "'%s'", first);
    check_pictures(out, "best");
    check_pictures(out, "samples");
    outcome_free(&o);
}

Test(cli_plot, roofline_without_ceilings_says_so, .timeout = 120)
{
    NEEDS_GNUPLOT();
    const char *path = scratch_path("flat.db"), *out = scratch_path("flat");
    synthetic s = {0};
    synthetic_open(&s, path, "made-up CPU", "");
    fill(&s, 2048);
    s.threads = 7;
    synthetic_peaks(&s); /* of 1 and 2 threads */
    fill(&s, 2048);
    synthetic_close(&s);
    outcome o = attnlab("plot roofline --db %s --out %s", path, out);
    cr_assert(o.exit_code == 0 && !*o.err, "exit %d: %s", o.exit_code, o.err);
    cr_assert(!*line_of(out, "roofline.gp", "array roof_value") && !*line_of(out, "roofline.gp", "array band_value"),
              "ceilings of other threads");
    check_pictures(out, "roofline");
    char svg[512];
    snprintf(svg, sizeof svg, "%s/roofline.svg", out);
    char *text = read_whole_file(svg, NULL);
    cr_assert(strstr(text, "no ceilings stored") && strstr(text, "doctor --peaks"), "no note");
    free(text);
    outcome_free(&o);
}

Test(cli_plot, ten_curves_draw, .timeout = 120)
{
    NEEDS_GNUPLOT();
    const char *path = scratch_path("ten.db"), *out = scratch_path("ten");
    static const char *const more[] = {"local:k=16",           "local:k=256",         "strided:l=64",
                                       "strided:l=32,head=column", "fixed:l=64,c=8,head=block", "fixed:l=128,c=16,head=summary"};
    add_labels(path);
    synthetic s = {0};
    synthetic_open(&s, path, "made-up CPU", "");
    synthetic_peaks(&s);
    fill(&s, 8192);
    for (size_t i = 0; i < 6; i++)
        for (size_t n = 1024; n <= 8192; n *= 2)
            synthetic_cell(&s, more[i], n);
    synthetic_close(&s);
    outcome o = attnlab("plot all --db %s --out %s", path, out);
    cr_assert(o.exit_code == 0 && !*o.err, "exit %d: %s", o.exit_code, o.err);
    check_all(out);
    outcome_free(&o);
}

Test(cli_plot, masks_need_no_store)
{
    NEEDS_GNUPLOT();
    const char *out = scratch_path("pictures");
    outcome o = shell("cd %s && unset ATTNLAB_DB && $ATTNLAB plot masks --out pictures", scratch_folder());
    cr_assert(o.exit_code == 0 && !*o.err, "exit %d: %s", o.exit_code, o.err);
    check_pictures(out, "masks");
    outcome_free(&o);
}

/* Whatever texts a store holds (it may have been imported), gnuplot is not to obey them. */
Test(cli_plot, hostile_text_stays_text, .timeout = 120)
{
    NEEDS_GNUPLOT();
    char hostile[1280], trap[256];
    snprintf(trap, sizeof trap, "%s", scratch_path("trap"));
    snprintf(
        hostile, sizeof hostile,
        "'; !touch %s; \"`touch %s`\" @x $x {/Bold b} ^_\\\n!touch %s\nsystem('touch %s') <b>&amp; ]]> #",
        trap, trap, trap, trap);
    const char *path = scratch_path("hostile.db"), *out = scratch_path("hostile");
    add_labels(path);
    synthetic s = {.input = hostile, .kernel = hostile, .heads = 8, .threads = 2, .tick = 1};
    synthetic_open(&s, path, hostile, hostile);
    fill(&s, 4096);
    synthetic_begin(&s, "dense", 8192);
    record_absent(&s.to, "counter.instructions", "count", hostile);
    record_real(&s.to, "counter.task_clock_ns", "ns", 5e6);
    record_real(&s.to, "time_ns", "ns", 5e6);
    synthetic_end(&s);
    char *sql = sqlite3_mprintf(
        "UPDATE cells SET spec = %Q || spec, kernel = %Q || kernel, input = %Q, pattern = 'x' WHERE spec != 'dense';"
        "UPDATE builds SET revision = %Q || revision, version = %Q; UPDATE runs SET label = label || %Q WHERE label IN ('before', 'after')",
        hostile, hostile, hostile, hostile, hostile, hostile);
    cr_assert(sqlite3_exec(store_handle(s.store), sql, NULL, NULL, NULL) == SQLITE_OK, "%s",
              sqlite3_errmsg(store_handle(s.store)));
    sqlite3_free(sql);
    synthetic_close(&s);
    outcome o = attnlab("plot all --db %s --out %s", path, out);
    cr_assert(o.exit_code == 0 && !*o.err, "exit %d: %s", o.exit_code, o.err);
    check_all(out);
    cr_assert(!file_exists(trap), "a text of the store was run");
    outcome_free(&o);
}

Test(cli_plot, a_pair_of_ones_own)
{
    NEEDS_GNUPLOT();
    static const char sql[] =
        "-- mine\n-- needs: attnlab run\nSELECT n, time_ns_median AS y FROM curves ORDER BY n;\n"
        "SELECT DISTINCT spec FROM curves;\n",
                      gp[] = "eval canvas(400, 300)\nplot data using c_n:c_y title spec[1]\n";
    char mine[512], out[512]; /* scratch_path() forgets after eight */
    snprintf(mine, sizeof mine, "%s", scratch_path("mine"));
    snprintf(out, sizeof out, "%s", scratch_path("out"));
    cr_assert(mkdir(mine, 0777) == 0, "mkdir");
    write_whole_file(scratch_path("mine/my-plot_2.sql"), sql, sizeof sql - 1);
    write_whole_file(scratch_path("mine/my-plot_2.gp"), gp, sizeof gp - 1);
    const char *path = filled_store("own.db", 2048);
    outcome o = attnlab("plot my-plot_2 --plots %s --db %s --out %s", mine, path, out);
    cr_assert(o.exit_code == 0 && !*o.err && strstr(o.out, "my-plot_2.svg"), "exit %d: %s", o.exit_code,
              o.err);
    check_pictures(out, "my-plot_2");
    outcome_free(&o);
    static const char wrong[] = "plot data using nonsense here\n";
    write_whole_file(scratch_path("mine/my-plot_2.gp"), wrong, sizeof wrong - 1);
    o = attnlab("plot my-plot_2 --plots %s --db %s --out %s", mine, path, out);
    cr_assert(o.exit_code == 2 && one_complaint(&o, "my-plot_2.gp", "gnuplot", NULL), "exit %d: %s",
              o.exit_code, o.err);
    outcome_free(&o);
    static const char bad[] = "SELECT absent AS n FROM nowhere;\n";
    write_whole_file(scratch_path("mine/my-plot_2.sql"), bad, sizeof bad - 1);
    o = attnlab("plot my-plot_2 --plots %s --db %s --out %s", mine, path, out);
    cr_assert(o.exit_code == 2 && one_complaint(&o, "my-plot_2.sql", "nowhere", NULL), "exit %d: %s",
              o.exit_code, o.err);
    outcome_free(&o);
    static const char writing[] = "DELETE FROM samples; SELECT 1 AS n;\n"; /* the store is only read */
    write_whole_file(scratch_path("mine/my-plot_2.sql"), writing, sizeof writing - 1);
    o = attnlab("plot my-plot_2 --plots %s --db %s --out %s", mine, path, out);
    cr_assert(o.exit_code == 2 && one_complaint(&o, "my-plot_2.sql", "readonly", NULL), "exit %d: %s",
              o.exit_code, o.err);
    outcome_free(&o);
}

Test(cli_plot, bad_input_is_one_line)
{
    NEEDS_GNUPLOT();
    static const char *const bad[] = {
        "plot",
        "plot nosuch",
        "plot mask",
        "plot all --db /nowhere/x.db",
        "plot masks --out /nowhere/at/all",
        "plot masks --out /dev/null",
        "plot masks --plots /nowhere",
        "plot ../masks",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        outcome o = attnlab("%s", bad[i]);
        cr_assert(o.exit_code == 2 && one_complaint(&o, "attnlab: ", NULL), "%s: exit %d, '%s'", bad[i],
                  o.exit_code, o.err);
        outcome_free(&o);
    }
    outcome o = attnlab("plot mask");
    cr_assert(strstr(o.err, "did you mean masks?"), "%s", o.err);
    outcome_free(&o);
}

Test(cli_plot, without_gnuplot_one_line_says_how_to_get_it)
{
    const char *out = scratch_path("none");
    outcome o = shell("PATH=/nowhere; exec $ATTNLAB plot masks --out %s", out);
    cr_assert(o.exit_code == 2 && one_complaint(&o, "apt-get install gnuplot-nox", NULL), "exit %d: %s",
              o.exit_code, o.err);
    cr_assert(!file_exists(out), "something was written");
    outcome_free(&o);
}

/* Eight runs labelled before and, 10% slower, eight labelled after, each of a commit of its own. */
Test(cli_plot, forest_and_history_say_what_compare_and_history_do, .timeout = 120)
{
    NEEDS_GNUPLOT();
    static const double noise[] = {0.001, -0.002, 0.0015, 0, -0.001, 0.002, -0.0005, 0.0012};
    static char commits[16][41];
    static build_info builds[16];
    const char *path = scratch_path("steps.db"), *out = scratch_path("steps");
    synthetic s = {0}; /* one for all, so that later runs finish later */
    for (size_t k = 0; k < 16; k++) {
        snprintf(commits[k], 41, "%040zx", 0xabc + k);
        builds[k] = (build_info){.version = "0.1.0", .commit = commits[k], .compiler = "gcc", .flags = "-O3", .mode = "release", .binary = ""};
        synthetic_open(&s, path, "made-up CPU", k < 8 ? "before" : "after");
        s.about.build = &builds[k];
        synthetic_begin(&s, "dense", 2048);
        record_real(&s.to, "time_ns", "ns", 1e6 * (k < 8 ? 1 : 1.1) * (1 + noise[k % 8]));
        synthetic_end(&s);
        synthetic_close(&s);
    }
    outcome o = attnlab("plot forest history --db %s --out %s", path, out);
    cr_assert(o.exit_code == 0 && !*o.err, "exit %d: %s", o.exit_code, o.err);
    outcome_free(&o);
    o = shell("cd %s && tail -n +2 forest.tsv && grep 'array line_said' forest.gp && grep 'array change_said' history.gp && wc -l <history.tsv", out);
    const double ratio = strtod(o.out, NULL);
    cr_assert(o.exit_code == 0 && ratio > 1.09 && ratio < 1.11 && strstr(o.out, "regressed"), "%s%s", o.out, o.err);
    cr_assert(strstr(o.out, "'+10") && strstr(o.out, "% at 0000000'"), "%s", o.out);
    outcome_free(&o);
}
