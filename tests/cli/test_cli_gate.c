/* attnlab gate on small repositories, whose programs print made-up rows. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/lane_callgrind.h"
#include "support/program.h"

/* A repository with a commit for each factor: its Makefile makes a program that prints a row of dense, which takes
 * 1 ms times the factor, give or take 0.1%, and one of local, 1 ms in all. A factor of "broken" does not build; "swing" is 1.05 and
 * 0.95 in turn. */
static const char *repository(const char *const *factors, size_t count)
{
    static char repo[256];
    snprintf(repo, sizeof repo, "%s", scratch_path("repo"));
    outcome o = shell("git init -q -b main %s && cd %s && git config user.email a@b && git config user.name a", repo, repo);
    cr_assert(o.exit_code == 0, "git init: %s", o.err);
    outcome_free(&o);
    for (size_t i = 0; i < count; i++) {
        o = shell("cd %s && cat >Makefile <<'END'\n"
                  "all:\n"
                  "\t@test '%s' != broken\n"
                  "\tmkdir -p build && cp program build/attnlab && chmod +x build/attnlab\n"
                  "END\n"
                  "cat >program <<'END'\n"
                  "#!/bin/sh\n"
                  "factor=%s\n"
                  "if test $factor = swing; then\n"
                  "  n=$(cat \"$0.n\" 2>/dev/null || echo 0); echo $((n + 1)) >\"$0.n\"\n"
                  "  test $((n %% 2)) = 0 && factor=1.05 || factor=0.95\n"
                  "fi\n"
                  "quartile=0; case $factor in */*) quartile=${factor#*/}; factor=${factor%%/*};; esac\n"
                  "row() {\n"
                  "awk -v f=$2 -v q=$3 -v r=$(($(od -An -N2 -tu2 /dev/urandom))) -v s=$1 'BEGIN { printf \"{\\\"spec\\\": \\\"%%s\\\", \\\"n\\\": 64, "
                  "\\\"dim\\\": 64, \\\"heads\\\": 1, \\\"dtype\\\": \\\"f32\\\", \\\"threads\\\": 1, \\\"time_ns\\\": {\\\"median\\\": %%.3f%%s}, "
                  "\\\"gflops\\\": 10, \\\"share_of_peak\\\": 0.5, \\\"instructions\\\": %%d}\\n\", s, 1e6 * f * (1 + 0.001 * (r / 65535 - 0.5)), "
                  "(q > 0 ? \", \\\"lower_quartile\\\": \" 1e6 * q * (1 + 0.001 * (r / 65535 - 0.5)) : \"\"), 1e6 * f }'\n"
                  "}\n"
                  "case \"$*\" in *refuse*) echo 'attnlab: no such pattern' >&2; exit 2;; esac\n"
                  "row dense $factor $quartile; row local 1 0\n"
                  "END\n"
                  "echo build >.gitignore; git add -A; git commit -qm %zu", repo, factors[i],
                  strcmp(factors[i], "broken") == 0 ? "1" : factors[i], i);
        cr_assert(o.exit_code == 0, "commit: %s", o.err);
        outcome_free(&o);
    }
    o = shell("printf '# both\\n-p dense -p local\\n' >%s/suite", repo);
    outcome_free(&o);
    return repo;
}

static bool file_has(const char *repo, const char *name, const char *text)
{
    char path[400];
    snprintf(path, sizeof path, "%s/build/gate/%s", repo, name);
    char *all = file_exists(path) ? read_whole_file(path, NULL) : NULL;
    const bool found = all && strstr(all, text);
    free(all);
    return found;
}

/* Counts need no statistics: two blocks, and a quarter of a per cent is told from a half. */
static void expect_counts(const char *factor, const char *in, int code, const char *word)
{
    const char *factors[] = {"1", factor};
    if (callgrind_unavailable())
        cr_skip_test("%s", callgrind_unavailable());
    const char *repo = repository(factors, 2);
    outcome o = attnlab("gate --base HEAD~1 --repo %s --suite %s/suite --blocks 8 --confirm 20 --lane %s", repo, repo, in);
    cr_assert(o.exit_code == code, "factor %s: exit %d, expected %d: %s%s", factor, o.exit_code, code, o.out, o.err);
    cr_assert(file_has(repo, "verdict", word), "verdict of factor %s", factor);
    cr_assert(file_has(repo, "gate.json", "\"lane\": \"callgrind\""), "JSON");
    cr_assert(file_has(repo, "gate.json", "\"lane\": \"time\"") == (strcmp(in, "both") == 0), "JSON of times");
    cr_assert(file_has(repo, "gate.xml", "attnlab.gate.callgrind"), "JUnit");
    outcome_free(&o);
}
Test(cli_gate, needs_valgrind_to_count)
{
    outcome o = shell("PATH=/nowhere \"$ATTNLAB\" gate --base HEAD --lane both");
    if (callgrind_unavailable() && strstr(callgrind_unavailable(), "sanitizer"))
        cr_skip_test("a sanitizer");
    cr_assert(o.exit_code == 2 && one_complaint(&o, "--lane both", "valgrind", NULL), "%d %s", o.exit_code, o.err);
    outcome_free(&o);
}
Test(cli_gate, counts_more, .timeout = 120) { expect_counts("1.005", "callgrind", 10, "regressed"); }
Test(cli_gate, counts_as_many, .timeout = 120) { expect_counts("1.002", "callgrind", 0, "pass"); }
Test(cli_gate, counts_fewer, .timeout = 120) { expect_counts("0.9", "callgrind", 0, "pass"); }
Test(cli_gate, counts_differently, .timeout = 120) { expect_counts("swing", "callgrind", 11, "inconclusive"); }
Test(cli_gate, counts_and_times, .timeout = 120) { expect_counts("1.005", "both", 10, "regressed"); }

static void expect(const char *factor, int code, const char *word)
{
    const char *factors[] = {"1", factor};
    const char *repo = repository(factors, 2);
    outcome o = attnlab("gate --base HEAD~1 --repo %s --suite %s/suite --blocks 8 --confirm 20", repo, repo);
    cr_assert(o.exit_code == code, "factor %s: exit %d, expected %d: %s%s", factor, o.exit_code, code, o.out, o.err);
    cr_assert(file_has(repo, "verdict", word), "verdict of factor %s", factor);
    cr_assert(file_has(repo, "gate.json", "\"cell\": \"dense n=64 d=64 heads=1 f32 threads=1\""), "JSON");
    cr_assert(file_has(repo, "gate.md", "| dense n=64"), "Markdown");
    cr_assert(file_has(repo, "gate.xml", code == 10 ? "failures=\"1\"" : "failures=\"0\""), "JUnit");
    outcome_free(&o);
}

Test(cli_gate, slower, .timeout = 120) { expect("1.05", 10, "regressed"); }
Test(cli_gate, faster, .timeout = 120) { expect("0.95", 0, "pass"); }
Test(cli_gate, same, .timeout = 120) { expect("1.0", 0, "pass"); }

/* Times are lower quartiles of the runs ("median/quartile") where both revisions tell them, else medians. */
static void expect_of_two(const char *base, const char *head, int code)
{
    const char *factors[] = {base, head};
    const char *repo = repository(factors, 2);
    outcome o = attnlab("gate --base HEAD~1 --repo %s --suite %s/suite --blocks 8 --confirm 20", repo, repo);
    cr_assert(o.exit_code == code, "%s, then %s: exit %d, expected %d: %s%s", base, head, o.exit_code, code, o.out, o.err);
    outcome_free(&o);
}

Test(cli_gate, quartiles_of_both, .timeout = 120) { expect_of_two("2/1", "1/1.05", 10); }
Test(cli_gate, medians_where_the_base_is_old, .timeout = 120) { expect_of_two("1", "1/1.5", 0); }
Test(cli_gate, medians_where_the_head_is_old, .timeout = 120) { expect_of_two("1/0.5", "1", 0); }

/* So near the threshold that "inconclusive" is right too; only to pass is wrong. Exactly at it, the interval of 20 blocks would lie
 * below it once in fifty tries; a little above, the chance is 1 in 60000. */
Test(cli_gate, borderline, .timeout = 120)
{
    const char *factors[] = {"1", "1.0103"};
    const char *repo = repository(factors, 2);
    outcome o = attnlab("gate --base HEAD~1 --repo %s --suite %s/suite --blocks 8 --confirm 20", repo, repo);
    const char *word = o.exit_code == 10 ? "regressed" : "inconclusive";
    cr_assert(o.exit_code == 10 || o.exit_code == 11, "exit %d: %s%s", o.exit_code, o.out, o.err);
    cr_assert(file_has(repo, "verdict", word), "verdict is not %s", word);
    outcome_free(&o);
}
/* Slower in every other block and faster between: nothing can be told. */
Test(cli_gate, unsteady, .timeout = 120) { expect("swing", 11, "inconclusive"); }

Test(cli_gate, annotates, .timeout = 120)
{
    const char *factors[] = {"1", "1.1"};
    const char *repo = repository(factors, 2);
    outcome o = shell("GITHUB_ACTIONS=true \"$ATTNLAB\" gate --base main~1 --head main --repo %s --suite %s/suite --blocks 6 --confirm 20",
                      repo, repo);
    cr_assert(o.exit_code == 10 && strstr(o.out, "::error title=attnlab gate::dense n=64"), "exit %d: %s", o.exit_code, o.out);
    outcome_free(&o);
}

Test(cli_gate, names_a_dirty_tree, .timeout = 120)
{
    static const char *const factors[] = {"1", "1.0"};
    const char *repo = repository(factors, 2);
    for (int dirty = 0; dirty < 2; dirty++) {
        outcome o = shell("cd %s && { test %d = 0 || echo '# more' >>program; } && "
                          "\"$ATTNLAB\" gate --base HEAD~1 --suite suite --blocks 6", repo, dirty);
        cr_assert((strstr(o.err, "has changes that HEAD") != NULL) == (dirty == 1), "dirty %d: %s", dirty, o.err);
        outcome_free(&o);
    }
}

Test(cli_gate, complaints, .timeout = 120)
{
    const char *factors[] = {"1", "broken"};
    const char *repo = repository(factors, 2);
    outcome o = attnlab("gate --repo %s", repo);
    cr_assert(o.exit_code == 13 && one_complaint(&o, "--base", NULL), "no base: %d %s", o.exit_code, o.err);
    outcome_free(&o);
    o = attnlab("gate --base nowhere --repo %s --suite %s/suite", repo, repo);
    cr_assert(o.exit_code == 2 && one_complaint(&o, "nowhere", "no revision", NULL), "%s", o.err);
    outcome_free(&o);
    o = attnlab("gate --base HEAD~1 --repo %s --suite %s/suite", repo, repo);
    cr_assert(o.exit_code == 2 && one_complaint(&o, "HEAD", "does not build", ".log", NULL), "%s", o.err);
    outcome_free(&o);
    o = attnlab("gate --base HEAD~1 --head HEAD~1 --repo %s --suite %s/none", repo, repo);
    cr_assert(o.exit_code == 2 && one_complaint(&o, "none", "cannot be read", NULL), "%s", o.err);
    outcome_free(&o);
    outcome w = shell("echo '-p refuse' >%s/bad; echo '# nothing' >%s/empty", repo, repo);
    outcome_free(&w);
    o = attnlab("gate --base HEAD~1 --head HEAD~1 --repo %s --suite %s/bad", repo, repo);
    cr_assert(o.exit_code == 2 && one_complaint(&o, "-p refuse", "no such pattern", NULL), "%s", o.err);
    outcome_free(&o);
    o = attnlab("gate --base HEAD~1 --head HEAD~1 --repo %s --suite %s/empty", repo, repo);
    cr_assert(o.exit_code == 2 && one_complaint(&o, "empty", "no lines", NULL), "%s", o.err);
    outcome_free(&o);
}

/* What the program itself prints is what the gate reads. */
Test(cli_gate, reads_real_rows, .timeout = 120)
{
    const char *factors[] = {"1"};
    const char *repo = repository(factors, 1);
    outcome o = shell("cd %s && printf 'all:\\n\\tmkdir -p build && ln -sf \"%%s\" build/attnlab\\n' \"$ATTNLAB\" >Makefile && git commit -qam real && "
                      "echo '-p local:k=3 -n 32 --heads 1 --threads 1 --kernel portable' >suite", repo);
    cr_assert(o.exit_code == 0, "%s", o.err);
    outcome_free(&o);
    o = attnlab("gate --base HEAD --repo %s --suite %s/suite --blocks 6 --max-time 0.002", repo, repo);
    cr_assert(o.exit_code == 0 || o.exit_code == 11, "the same against itself: exit %d: %s%s", o.exit_code, o.out, o.err);
    cr_assert(strstr(o.out, "local:k=3 n=32 d=64 heads=1 f32 threads=1"), "%s", o.out);
    outcome_free(&o);
}
