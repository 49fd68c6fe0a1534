/* Expressions on the command line: drawn, run, explained like the patterns they describe, and refused in one line. */
#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/cli.h"
#include "support/program.h"

Test(cli_expr, draws_what_it_says)
{
    outcome o = shell("LC_ALL=C $ATTNLAB show 'expr:\"i-j<2 || j%%4>=3\"' -n 6");
    cr_assert(o.exit_code == 0 && !*o.err, "exit %d: %s", o.exit_code, o.err);
    cr_assert(strncmp(o.out, "#.....\n##....\n.##...\n..##..\n...##.\n...###\n", 42) == 0, "%s", o.out);
    cr_assert(strstr(o.out, "expr:\"i - j < 2 || j % 4 >= 3\", n=6: 12 pairs"), "%s", o.out);
    outcome_free(&o);
}

/* The line after the head of an explanation and all that follow: kernel, lowering, parts. */
static char *explained(const char *spec)
{
    outcome o = shell("$ATTNLAB run --explain -p '%s' -n 5000 -d 64 --heads 2 --threads 2 -o jsonl | "
                      "sed -E 's/.*\"kernel\": ([^,]*),.*\"lowering\": ([^,]*),.*\"tiles\": ([0-9]*), "
                      "\"granules\": ([0-9]*), \"pairs_total\": ([0-9]*), \"pairs_tested\": ([0-9]*), .*"
                      "\"flops_executed\": ([0-9]*).*/\\1 \\2 \\3 \\4 \\5 \\6 \\7/'",
                      spec);
    cr_assert(o.exit_code == 0 && *o.out == '"', "%s: exit %d: %s%s", spec, o.exit_code, o.out, o.err);
    char *text = strdup(o.out);
    outcome_free(&o);
    return text;
}

Test(cli_expr, the_papers_patterns_are_lowered_like_the_built_in_ones)
{
    static const char *const twins[][2] = {
        {"dense", "expr:\"1\""},
        {"local:k=128", "expr:\"i-j <= 128\""},
        {"strided:l=71", "expr:\"i-j <= 71 || (i-j) % 71 == 0\""},
        {"strided:l=64,head=column", "expr:\"(i-j) % 64 == 0\""},
        {"fixed:l=64,c=8", "expr:\"j/64 == i/64 || j % 64 >= 56\""},
        {"fixed:l=64,c=8,head=summary,causal=0", "expr:\"j % 64 >= 56\",causal=0"},
    };
    for (size_t t = 0; t < sizeof twins / sizeof *twins; t++) {
        char *built_in = explained(twins[t][0]), *mine = explained(twins[t][1]);
        cr_assert(strcmp(built_in, mine) == 0, "%s: %s%s: %s", twins[t][0], built_in, twins[t][1], mine);
        free(built_in);
        free(mine);
    }
}

Test(cli_expr, says_what_testing_costs)
{
    outcome o = shell("$ATTNLAB run --explain -p 'expr:\"j*j %% 1009 < 3\"' -n 2000");
    cr_assert(o.exit_code == 0 && strstr(o.out, "single pairs are tested"), "exit %d: %s%s", o.exit_code, o.out, o.err);
    outcome_free(&o);
    o = shell("$ATTNLAB run --explain -p expr -n 2000");
    cr_assert(o.exit_code == 0 && !strstr(o.out, "single pairs are tested"), "exit %d: %s%s", o.exit_code, o.out, o.err);
    outcome_free(&o);
}

Test(cli_expr, is_checked_and_measured_like_any_pattern)
{
    outcome o = shell("$ATTNLAB check --quick -p 'expr:\"(i-j) %% (h+2) == 0 || i %% 3 == j %% 5\"'");
    cr_assert(o.exit_code == 0, "exit %d: %s%s", o.exit_code, o.out, o.err);
    outcome_free(&o);
    o = shell("$ATTNLAB run -p 'expr:\"i-j < 9\",causal=0' -n 100 --heads 2 --metrics time,accuracy --max-time 0.1 "
              "--db %s -o jsonl",
              scratch_path("x.db"));
    cr_assert(o.exit_code == 0 && strstr(o.out, "\"spec\": \"expr:\\\"i - j < 9\\\",causal=0\""), "exit %d: %s%s",
              o.exit_code, o.out, o.err);
    outcome_free(&o);
}

Test(cli_expr, refusals)
{
    static const struct {
        const char *spec, *word, *hint;
    } cases[] = {
        {"expr:\"i - < 3\"", "column 5", "value"},
        {"expr:\"j % 0\"", "column 3", "always 0"},
        {"expr:\"j % (n - 64)\"", "column 3", "n=64"},
        {"expr:\"1 << 64\"", "column 3", "62"},
        {"expr:\"i * 4611686018427387904\"", "column 3", "2^62"},
        {"expr:i-j<64", "i-j<64", "quotes"},
        {"expr:\"i-j<64", "not closed", "expr:"},
        {"expr:\"system(1)\"", "column 1", "min"},
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        outcome o = shell("$ATTNLAB show '%s' -n 64", cases[c].spec);
        cr_assert(o.exit_code == EXIT_INPUT && one_complaint(&o, cases[c].word, cases[c].hint, NULL), "%s: exit %d: %s",
                  cases[c].spec, o.exit_code, o.err);
        outcome_free(&o);
    }
}

/* 100 kB of parentheses, and as many as fit: refused before they cost anything. */
Test(cli_expr, hostile_length)
{
    outcome o = shell("$ATTNLAB show \"expr:\\\"$(printf '(%%.0s' $(seq 100000))\\\"\"");
    cr_assert(o.exit_code == EXIT_INPUT && one_complaint(&o, "longer than", NULL), "exit %d: %.200s", o.exit_code, o.err);
    outcome_free(&o);
    o = shell("$ATTNLAB show \"expr:\\\"$(printf '(%%.0s' $(seq 4000))\\\"\"");
    cr_assert(o.exit_code == EXIT_INPUT && one_complaint(&o, "nested more than 64", NULL), "exit %d: %.200s", o.exit_code,
              o.err);
    outcome_free(&o);
}
