/* attnlab report. What a browser makes of it is tested by `make browser`. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/program.h"
#include "support/synthetic.h"

static char *report_of(const char *options)
{
    char path[300];
    snprintf(path, sizeof path, "%s", scratch_path("report.html"));
    outcome o = attnlab("report --db %s --out %s %s", scratch_path("r.db"), path, options);
    cr_assert(o.exit_code == 0 && !*o.out, "exit %d: %s%s", o.exit_code, o.out, o.err);
    outcome_free(&o);
    return read_whole_file(path, NULL);
}

static void measure(const char *label)
{
    outcome o = shell("\"$ATTNLAB\" run --db %s -p dense -p local:k=4 -n 16,32,64 --heads 1 -d 16 --max-time 0.01 --label '%s' >/dev/null", scratch_path("r.db"), label);
    cr_assert(o.exit_code == 0, "%s", o.err);
    outcome_free(&o);
}

static size_t count(const char *text, const char *word)
{
    size_t found = 0;
    for (; (text = strstr(text, word)); text++)
        found++;
    return found;
}

Test(cli_report, holds_everything_in_one_file, .timeout = 60)
{
    static const char *const words[] = {"6 measurements of 2 patterns in 1 run, n = 16 to 64", "id=\"time\"", "id=\"rate\"", "id=\"memory\"", "id=\"error\"",
                                        "<td>dense</td>", "exponent", "&lt;/script&gt;&lt;b&gt;", "\"count\": 6", "</html>"};
    measure("</script><b>");
    char *page = report_of("");
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        cr_assert(strstr(page, words[i]), "no %s", words[i]);
    cr_assert(count(page, "<script") == 2 && count(page, "</script") == 2, "a label closes a script");
    cr_assert(!strstr(page, "src=") && !strstr(page, "http"), "something is fetched");
    cr_assert(count(page, "<h1") == 1 && count(page, "<section") == count(page, "</section>") && count(page, "<table") == count(page, "</table>"), "structure");
    free(page);
}

Test(cli_report, takes_some_runs, .timeout = 60)
{
    measure("one");
    measure("two");
    char *page = report_of("");
    cr_assert(strstr(page, "\"count\": 12") && strstr(page, "in 2 runs"), "all");
    free(page);
    page = report_of("--label two");
    cr_assert(strstr(page, "\"count\": 6") && strstr(page, "in 1 run,") && !strstr(page, "<td>one</td>"), "one label");
    free(page);
}

/* ---- comparisons ---- */

static void one(synthetic *s, const char *spec, size_t n, double time_ns)
{
    synthetic_begin(s, spec, n);
    record_real(&s->to, "time_ns", "ns", time_ns);
    synthetic_end(s);
}

/* Eight runs "before" and "after" in turn, dense a twentieth slower after; "moved" is of another machine, "apart" has other cells. */
static void fill_labels(void)
{
    synthetic s = {0};
    synthetic_open(&s, scratch_path("r.db"), "made-up CPU", "before");
    for (size_t b = 0; b < 8; b++) {
        const double wobble = 1 + 0.001 * (double)(b % 3);
        if (b)
            synthetic_run(&s, "made-up CPU", "before");
        one(&s, "dense", 1024, 1e6);
        one(&s, "local:k=128", 1024, 2e5);
        one(&s, "local:k=128", 2048, 4e5);
        synthetic_run(&s, "made-up CPU", "after");
        one(&s, "local:k=128", 1024, 2e5 * wobble);
        one(&s, "dense", 1024, 1.05e6 * wobble);
    }
    synthetic_run(&s, "another CPU, made up", "moved");
    one(&s, "dense", 1024, 3e6);
    synthetic_run(&s, "made-up CPU", "apart");
    one(&s, "dense", 64, 5e3);
    synthetic_run(&s, "made-up CPU", "");
    one(&s, "dense", 64, 5e3);
    synthetic_close(&s);
}

/* Whether `page` has the rows of a Markdown table as rows of HTML, in order; the texts hold nothing that either would escape. */
static bool has_rows(const char *page, const char *markdown, size_t *rows)
{
    char *lines = strdup(markdown);
    size_t number = 0;
    bool all = true;
    *rows = 0;
    for (char *rest = lines, *line; all && (line = strsep(&rest, "\n")) && *line == '|'; number++) {
        if (number < 2) /* headings */
            continue;
        char cells[2048] = "";
        for (char *text; (text = strsep(&line, "|"));) {
            text += strspn(text, " ");
            for (size_t end = strlen(text); end && text[end - 1] == ' ';)
                text[--end] = '\0';
            if (*text)
                snprintf(cells + strlen(cells), sizeof cells - strlen(cells), ">%s</td>", text);
        }
        /* Cells of the page, without what stands between them. */
        const char *from = strstr(page, "id=\"h-compare\"");
        bool found = false;
        for (; from && !found && (from = strstr(from, "<tr><td"));) {
            char row[2048] = "";
            const char *end = strstr(from, "</tr>");
            for (const char *at = strstr(from, "<td"); at && at < end; at = strstr(at + 1, "<td")) {
                const char *text = strchr(at, '>'), *close = strstr(text, "</td>");
                snprintf(row + strlen(row), sizeof row - strlen(row), "%.*s", (int)(close + 5 - text), text);
            }
            found = strcmp(row, cells) == 0;
            from = end;
        }
        all = found;
        ++*rows;
    }
    free(lines);
    return all;
}

Test(cli_report, compares_labels_as_compare_does, .timeout = 60)
{
    static const char *const said[] = {"4 labels; the base is <strong>before</strong>", "1 measurement without a label", "Of 2 cells: 1 regressed, 1 pass. Each rests on 8 blocks",
                                       "Left out: 1 cell that only before has", "after over before, cell by cell: 1 regressed, 1 pass", "has a different host (",
                                       "&quot;before&quot; and &quot;apart&quot; have no cell in common", "] regressed, 8 blocks</title>"};
    static const struct { const char *base, *other; size_t rows; } pairs[] = {{"before", "after", 2}, {"before", "moved", 1}, {"after", "before", 2}, {"after", "moved", 1}};
    fill_labels();
    char *page = report_of("");
    for (size_t i = 0; i < sizeof said / sizeof *said; i++)
        cr_assert(strstr(page, said[i]), "no %s", said[i]);
    cr_assert(count(page, "<figure class=\"forest\"") == 1 && count(page, "class=\"row\"") == 4, "pictures, for a desk and for a phone");
    free(page);
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        char option[64];
        size_t rows;
        snprintf(option, sizeof option, "--base %s", pairs[i].base);
        page = report_of(option);
        outcome o = attnlab("compare %s %s -o md --db %s", pairs[i].base, pairs[i].other, scratch_path("r.db"));
        cr_assert(has_rows(page, o.out, &rows) && rows == pairs[i].rows, "%s, %s: %zu rows; %s", pairs[i].base, pairs[i].other, rows, o.out);
        outcome_free(&o);
        free(page);
    }
}

/* With one label, commits; the base by as few digits as seven. */
Test(cli_report, compares_commits_where_there_is_one_label, .timeout = 60)
{
    synthetic s = {0};
    synthetic_open(&s, scratch_path("r.db"), "made-up CPU", "");
    for (size_t b = 0; b < 12; b++) {
        if (b)
            synthetic_run(&s, "made-up CPU", "");
        one(&s, "dense", 1024, b % 2 ? 1.1e6 : 1e6);
    }
    const int rc = sqlite3_exec(store_handle(s.store),
                                "INSERT INTO builds (version, revision, dirty, compiler, flags, mode, binary_hash)"
                                " SELECT version, 'fedcba9876543210fedcba9876543210fedcba98', dirty, compiler, flags, mode, 'other' FROM builds;"
                                "UPDATE runs SET build = (SELECT max(id) FROM builds) WHERE id % 2 = 0", NULL, NULL, NULL);
    cr_assert(rc == SQLITE_OK, "%s", sqlite3_errmsg(store_handle(s.store)));
    synthetic_close(&s);
    char *page = report_of("");
    cr_assert(strstr(page, "2 commits; the base is <strong>0123456789ab</strong>") && strstr(page, "fedcba987654 over 0123456789ab, cell by cell: 1 regressed; ratio 1.100"), "commits");
    free(page);
    page = report_of("--base fedcba9");
    cr_assert(strstr(page, "0123456789ab over fedcba987654, cell by cell: 1 improved; ratio 0.909"), "the other way");
    free(page);
}

/* With one label, kernels of the same cells; a base that is nothing of the runs is an error. */
Test(cli_report, compares_kernels_where_there_is_one_label, .timeout = 60)
{
    synthetic s = {0};
    synthetic_open(&s, scratch_path("r.db"), "made-up CPU", "one");
    for (size_t b = 0; b < 6; b++) {
        if (b)
            synthetic_run(&s, "made-up CPU", "one");
        s.kernel = "slow";
        one(&s, "dense", 1024, 3e6);
        s.kernel = "fast";
        one(&s, "dense", 1024, 1.5e6 + (double)b);
        one(&s, "local:k=128", 1024, 1e5);
    }
    synthetic_close(&s);
    char *page = report_of("--label one");
    cr_assert(strstr(page, "2 kernels; the base is <strong>slow</strong>") && strstr(page, "6 measurements of cells with a single kernel") &&
                  strstr(page, "fast over slow, cell by cell: 1 improved; ratio 0.500"), "kernels");
    free(page);
    page = report_of("--base fast");
    cr_assert(strstr(page, "slow over fast, cell by cell: 1 regressed; ratio 2.000"), "the other way");
    free(page);
    page = report_of("--base one");
    cr_assert(strstr(page, "Nothing to compare: one is all there is of the labels"), "one label");
    free(page);
    outcome o = attnlab("report --base two --db %s --out %s", scratch_path("r.db"), scratch_path("x.html"));
    cr_assert(o.exit_code == 2 && one_complaint(&o, "--base", "two", NULL) && !file_exists(scratch_path("x.html")), "%d %s", o.exit_code, o.err);
    outcome_free(&o);
}

Test(cli_report, complaints, .timeout = 60)
{
    outcome o = attnlab("report --db %s --out %s", scratch_path("none.db"), scratch_path("x.html"));
    cr_assert(o.exit_code == 2 && one_complaint(&o, "none.db", NULL) && !file_exists(scratch_path("x.html")), "%d %s", o.exit_code, o.err);
    outcome_free(&o);
    measure("one");
    o = attnlab("report --db %s --out %s --label other", scratch_path("r.db"), scratch_path("x.html"));
    cr_assert(o.exit_code == 2 && one_complaint(&o, "label other", "attnlab run", NULL) && !file_exists(scratch_path("x.html")), "%d %s", o.exit_code, o.err);
    outcome_free(&o);
    o = attnlab("report --db %s --out %s/no/x.html", scratch_path("r.db"), scratch_folder());
    cr_assert(o.exit_code == 2 && one_complaint(&o, "no/x.html", NULL), "%d %s", o.exit_code, o.err);
    outcome_free(&o);
}
