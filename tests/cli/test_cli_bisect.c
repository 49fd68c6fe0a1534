/* attnlab bisect on small repositories, whose programs print made-up rows. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/program.h"

/* A repository of one commit for each word, tagged 0, 1, ...: microseconds, whose program takes that and up to six times
 * `noise_ns` more; "broken", which does not build; or "lost", whose program knows no pattern. */
static const char *repository(const char *const *words, size_t count, int noise_ns)
{
    static char repo[256];
    snprintf(repo, sizeof repo, "%s", scratch_path("repo"));
    outcome o = shell("git init -q -b main %s && cd %s && git config user.email a@b && git config user.name a && echo build >.gitignore",
                      repo, repo);
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
                  "test '%s' != lost || { echo 'attnlab: no such pattern' >&2; exit 2; }\n"
                  "r=$(($(od -An -N2 -tu2 /dev/urandom) %% 7 * %d))\n"
                  "printf '{\"spec\": \"dense\", \"n\": 64, \"dim\": 64, \"heads\": 1, \"dtype\": \"f32\", \"threads\": 1, \"time_ns\": {\"median\": "
                  "%%d}, \"gflops\": 10, \"share_of_peak\": 0.5}\\n' $((%s * 1000 + r))\n"
                  "END\n"
                  "git add -A && git commit -qm 'number %zu' --allow-empty && git tag %zu",
                  repo, words[i], words[i], noise_ns, atoi(words[i]) > 0 ? words[i] : "1000", i, i);
        cr_assert(o.exit_code == 0, "commit %zu: %s", i, o.err);
        outcome_free(&o);
    }
    return repo;
}

static void finds(const char *const *words, size_t count, int noise_ns, const char *subject)
{
    const char *repo = repository(words, count, noise_ns);
    outcome o = attnlab("bisect --good 0 --run '-p dense' --repo %s -o jsonl", repo);
    cr_assert(o.exit_code == 0 && strstr(o.out, subject) && strchr(o.out, '\n')[1] == '\0', "%s expected; exit %d: %s%s", subject,
              o.exit_code, o.out, o.err);
    outcome_free(&o);
}

Test(cli_bisect, finds_the_slower_commit, .timeout = 120)
{
    static const char *const words[] = {"1000", "1000", "1000", "1000", "1020", "1020", "1020"};
    finds(words, 7, 500, "\"number 4\"");
}

Test(cli_bisect, finds_the_faster_commit, .timeout = 120)
{
    static const char *const words[] = {"1000", "980", "980", "980"};
    finds(words, 4, 500, "\"number 1\"");
}

/* Programs vary by up to 6 us, which is the whole step. */
Test(cli_bisect, tolerates_noise_as_large_as_the_step, .timeout = 240)
{
    static const char *const words[] = {"1000", "1000", "1006"};
    finds(words, 3, 1000, "\"number 2\"");
}

Test(cli_bisect, passes_over_what_cannot_be_measured, .timeout = 120)
{
    static const char *const words[] = {"1000", "1000", "broken", "lost", "1000", "1030", "broken", "1030"};
    finds(words, 8, 500, "\"number 5\"");
}

Test(cli_bisect, names_all_candidates_where_they_cannot_be_told_apart, .timeout = 120)
{
    static const char *const words[] = {"1000", "1000", "broken", "lost", "1030", "1030"};
    const char *repo = repository(words, 6, 500);
    outcome o = attnlab("bisect --good 0 --run '-p dense' --repo %s -o jsonl", repo);
    cr_assert(o.exit_code == 11 && strstr(o.out, "number 2") && strstr(o.out, "number 3") && strstr(o.out, "number 4") &&
                  !strstr(o.out, "number 1") && !strstr(o.out, "number 5"), "exit %d: %s%s", o.exit_code, o.out, o.err);
    cr_assert(strstr(o.err, "does not build") && strstr(o.err, "no such pattern"), "%s", o.err);
    outcome_free(&o);
}

Test(cli_bisect, complaints, .timeout = 240)
{
    static const char *const words[] = {"1000", "1000", "broken"};
    const char *repo = repository(words, 3, 0);
    static const struct { const char *options; int code; const char *word; } cases[] = {
        {"--run '-p dense'", 13, "--good"},
        {"--good 0", 2, "--run"},
        {"--good nowhere --run '-p dense'", 2, "nowhere"},
        {"--good 0 --bad 0 --run '-p dense'", 2, "same commit"},
        {"--good 1 --bad 0 --run '-p dense'", 2, "no ancestor"},
        {"--good 0 --bad 2 --run '-p dense'", 2, "does not build"},
        {"--good 0 --bad 1 --run '-p dense'", 11, "no difference"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        outcome o = attnlab("bisect --repo %s %s", repo, cases[i].options);
        cr_assert(o.exit_code == cases[i].code && one_complaint(&o, cases[i].word, NULL), "%s: exit %d: %s%s", cases[i].options,
                  o.exit_code, o.out, o.err);
        outcome_free(&o);
    }
}

/* Programs of other flags are other programs, and what an attempt left half done is put right. */
Test(cli_bisect, keeps_programs_by_commit_and_flags, .timeout = 120)
{
    static const char *const words[] = {"1000", "1050"};
    const char *repo = repository(words, 2, 500);
    outcome o = shell("cd %s && for f in '' -O1; do CFLAGS=$f \"$ATTNLAB\" bisect --good 0 --run '-p dense' || exit; done; "
                      "ls -d build/gate/*[0-9a-f]", repo);
    size_t folders = 0;
    for (const char *at = o.out; (at = strstr(at, "build/gate/")); at++)
        folders++;
    cr_assert(o.exit_code == 0 && folders == 4, "%zu folders: %s%s", folders, o.out, o.err);
    outcome_free(&o);
    o = shell("cd %s && rm -r build/gate/$(git rev-parse 1)*/[Mbp]* && \"$ATTNLAB\" bisect --good 0 --run '-p dense'", repo);
    cr_assert(o.exit_code == 0 && strstr(o.out, "number 1"), "exit %d: %s%s", o.exit_code, o.out, o.err);
    outcome_free(&o);
}
