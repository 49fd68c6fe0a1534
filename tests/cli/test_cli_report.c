/* attnlab report. What a browser makes of it is tested by `make browser`. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/program.h"

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
