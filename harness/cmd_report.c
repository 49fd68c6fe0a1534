/* attnlab report: one HTML file with what a store holds. */
#include <string.h>
#include <unistd.h>

#include "base/outfile.h"
#include "harness/cli.h"
#include "harness/report.h"

static const option options[] = {
    {"db", OPTION_TEXT, "FILE", "the database (default: $ATTNLAB_DB, else results/attnlab.db)", NULL, 0, 0, NULL, false},
    {"out", OPTION_TEXT, "FILE", "the page (- is standard output)", "report.html", 0, 0, NULL, false},
    {"label", OPTION_TEXT, "TEXT", "only runs with this label", NULL, 0, 0, NULL, false},
    {"runs", OPTION_TEXT, "ID", "only runs whose id begins so", NULL, 0, 0, NULL, false},
    {"base", OPTION_TEXT, "NAME", "what others are compared with: a label, commit or kernel (default: the one measured first)", NULL, 0, 0, NULL, false},
    {0},
};

static int run(const args *a)
{
    attn_error err;
    store *s = NULL;
    outfile file = {0};
    const char *path = cli_text(a, "out");
    const report_filter filter = {cli_text(a, "label"), cli_text(a, "runs"), cli_text(a, "base")};
    attn_status status = store_open(&s, store_path(cli_text(a, "db")), STORE_READ, &err);
    if (!status)
        status = outfile_open(&file, path, &err);
    if (!status)
        status = report_write(file.stream, s, &filter, &err);
    if (!status)
        status = outfile_commit(&file, &err);
    outfile_discard(&file);
    store_close(s);
    if (status)
        return cli_fail(status, &err);
    if (strcmp(path, "-") != 0)
        fprintf(stderr, "attnlab: %s\n", path);
    return EXIT_FINE;
}

const command cmd_report = {
    .name = "report",
    .operands = "",
    .summary = "one HTML file with all results: summary, charts, comparisons, tables",
    .details =
        "Writes one self-contained page: a summary in words, scaling with exponents, patterns side by side, comparisons with verdicts, speed, memory, accuracy, counters, "
        "runs and method, and all measurements as a table to sort, filter and download. Nothing is fetched from anywhere; it prints, and "
        "reads on a phone.\n"
        "\n"
        "  attnlab report --out report.html\n"
        "  attnlab report --label nightly --out nightly.html\n"
        "  attnlab report --base before\n"
        "\n"
        "Charts show the newest measurement of each cell on the machine that was measured last; the table has them all.\n"
        "\n"
        "Where the runs carry two labels or more, each is compared with the base, cell by cell, as `attnlab compare` compares them: ratio, "
        "interval, verdict and blocks, as a table and a forest of intervals. Of runs with one label commits are compared instead, and else kernels. "
        "What cannot be compared is named with the reason.",
    .options = options,
    .run = run,
};
