/* attnlab analyze: the paper's table of reachability, JSON, complaints. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/program.h"

/* Number `at` of an array in JSON. */
static double element(const char *json, const char *key, int at)
{
    char quoted[64];
    snprintf(quoted, sizeof quoted, "\"%s\": [", key);
    const char *from = strstr(json, quoted);
    cr_assert(from, "no %s in %s", key, json);
    from += strlen(quoted);
    for (; at > 0; at--)
        from = strchr(from, ',') + 1;
    return atof(from);
}

/* Two hops, n = 192, l = 16, c = 4: the table of the project's notes on [child2019]. */
Test(cli_analyze, reach_of_the_papers_patterns)
{
    static const struct { const char *first, *second; double plain, residual; } table[] = {
        {"strided:l=16,head=local", "strided:l=16,head=column", 1, 1},
        {"strided:l=16,head=column", "strided:l=16,head=local", 1, 1},
        {"fixed:l=16,c=4,head=block", "fixed:l=16,c=4,head=summary", 0.949, 1},
        {"fixed:l=16,c=4,head=summary", "fixed:l=16,c=4,head=block", 0.234, 0.316}};
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        outcome o = attnlab("analyze --layers %s %s -n 192 --hops 2 --sections reach -o json", table[i].first, table[i].second);
        cr_assert(o.exit_code == 0, "exit %d: %s", o.exit_code, o.err);
        const double plain = element(o.out, "reach", 1), residual = element(o.out, "reach_residual", 1);
        cr_assert(fabs(plain - table[i].plain) < 5e-4 && fabs(residual - table[i].residual) < 5e-4, "%s: %.4f, %.4f", table[i].first,
                  plain, residual);
        outcome_free(&o);
    }
}

Test(cli_analyze, witness_of_an_invalid_pattern)
{
    outcome o = attnlab("analyze local:k=3 -n 64 --sections reach");
    cr_assert(o.exit_code == 0 && strstr(o.out, "not in 2"), "exit %d: %s", o.exit_code, o.out);
    cr_assert(strstr(o.out, "7 misses 0"), "the first pair that two steps of three keys miss: %s", o.out);
    outcome_free(&o);
}

Test(cli_analyze, formats_and_sections)
{
    outcome o = attnlab("analyze dense local:k=8 'expr:\"i-j < 9\"' -n 128 -o jsonl");
    cr_assert(o.exit_code == 0, "exit %d: %s", o.exit_code, o.err);
    size_t rows = 0;
    for (const char *at = o.out; (at = strchr(at, '\n')); at++)
        rows++;
    cr_assert(rows == 3, "%zu rows of three patterns", rows);
    outcome_free(&o);
    o = attnlab("analyze strided:l=8 -n 256 --sections pairs -o md");
    cr_assert(o.exit_code == 0 && strstr(o.out, "|") && strstr(o.out, "pairs") && !strstr(o.out, "spectral"), "%s", o.out);
    outcome_free(&o);
    o = attnlab("analyze strided:l=1024 -n 65536 --sections pairs,tiles --heads 1");
    cr_assert(o.exit_code == 0, "long: %s", o.err);
    outcome_free(&o);
}

Test(cli_analyze, complaints)
{
    outcome o = attnlab("analyze nonsense");
    cr_assert(o.exit_code == 2 && one_complaint(&o, "nonsense", NULL), "%s", o.err);
    outcome_free(&o);
    o = attnlab("analyze dense --sections pears");
    cr_assert(o.exit_code == 2 && one_complaint(&o, "pears", NULL), "%s", o.err);
    outcome_free(&o);
    o = attnlab("analyze");
    cr_assert(o.exit_code == 2, "no pattern: exit %d", o.exit_code);
    outcome_free(&o);
}
