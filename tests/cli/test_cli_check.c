/* attnlab check: passes on what is right, catches what is wrong, and its replay lines replay. */
#include <criterion/criterion.h>

#include <stdlib.h>
#include <string.h>

#include "attn/plan.h"
#include "harness/cli.h"
#include "support/program.h"

static size_t count_of(const char *text, const char *part)
{
    size_t count = 0;
    for (const char *at = text; (at = strstr(at, part)); at += strlen(part))
        count++;
    return count;
}

/* Every kernel that can run, every pattern, every level; nothing else is on stderr. */
Test(cli_check, quick_passes_and_covers, .timeout = 300)
{
    outcome o = attnlab("check --quick -o jsonl");
    cr_assert(o.exit_code == 0 && !*o.err, "exit %d: %s", o.exit_code, o.err);
    for (size_t p = 0; p < attn_pattern_count(); p++) {
        char part[128];
        snprintf(part, sizeof part, "\"(its callbacks)\", \"isa\": null, \"pattern\": \"%s\"",
                 attn_pattern_at(p)->name);
        cr_assert(count_of(o.out, part) == 1, "no line for the callbacks of %s: %s", attn_pattern_at(p)->name,
                  o.out);
        for (size_t k = 0; k < attn_kernel_count(); k++) {
            attn_kernel_info info = attn_kernel_at(k);
            snprintf(part, sizeof part, "\"kernel\": \"%s\", \"isa\": \"%s\", \"pattern\": \"%s\"", info.name,
                     info.isa, attn_pattern_at(p)->name);
            cr_assert(count_of(o.out, part) >= 1, "no line for %s on %s", info.name,
                      attn_pattern_at(p)->name);
        }
    }
    cr_assert(!strstr(o.out, "WRONG") && strstr(o.out, "\"level\": \"portable\""), "%s", o.out);
    outcome_free(&o);
}

Test(cli_check, options_narrow, .timeout = 60)
{
    outcome o =
        attnlab("check --kernel portable -p local:k=3 -n 20,21 -d 9 --level portable --fill huge -o csv");
    cr_assert(o.exit_code == 0, "exit %d: %s", o.exit_code, o.err);
    cr_assert(count_of(o.out, "\n") == 2 && strstr(o.out, "portable,portable,portable,local:k=3,"), "%s",
              o.out);
    outcome_free(&o);
}

/* A level that this process does not have is not pretended; those below do run with features switched off. */
Test(cli_check, levels, .timeout = 120)
{
    outcome o = shell("ATTN_DISABLE_CPU=avx2 $ATTNLAB check --level avx2");
    cr_assert(o.exit_code == EXIT_INPUT && one_complaint(&o, "--level avx2", "portable", NULL), "exit %d: %s",
              o.exit_code, o.err);
    outcome_free(&o);
    o = shell("ATTN_DISABLE_CPU=avx2 $ATTNLAB check --quick -p dense -n 9 -d 8 -o jsonl");
    cr_assert(o.exit_code == 0, "exit %d: %s", o.exit_code, o.err);
    for (size_t k = 0; k < attn_kernel_count(); k++) {
        attn_kernel_info info = attn_kernel_at(k);
        if (strcmp(info.isa, "avx2") != 0 && strcmp(info.isa, "avx512") != 0)
            continue;
        char part[128];
        snprintf(part, sizeof part, "\"kernel\": \"%s\"", info.name);
        const char *line = strstr(o.out, part);
        cr_assert(line && strstr(line, "\"status\": \"skipped\", \"reason\": \""), "%s is not skipped: %s",
                  info.name, o.out);
    }
    cr_assert(!strstr(o.out, "\"level\": \"avx"), "%s", o.out);
    outcome_free(&o);
}

Test(cli_check, a_good_plugin_passes, .timeout = 120)
{
    outcome o = attnlab("check --quick --plugin %s/tests/plugins/good.so -o csv", getenv("ATTN_BUILD"));
    cr_assert(o.exit_code == 0 && !*o.err, "exit %d: %s", o.exit_code, o.err);
    cr_assert(strstr(o.out, ",bands,") && strstr(o.out, ",coprime,") && !strstr(o.out, ",dense,"), "%s",
              o.out);
    outcome_free(&o);
}

Test(cli_check, a_wrong_plugin_is_caught, .timeout = 120)
{
    static const char *const wrong[] = {"disagree",     "wrong_pairs", "unsorted",  "overlapping",
                                        "out_of_range", "acausal",     "forgetful", "wild"};
    for (size_t w = 0; w < sizeof wrong / sizeof *wrong; w++) {
        outcome o = attnlab("check --quick --plugin %s/tests/plugins/%s.so", getenv("ATTN_BUILD"), wrong[w]);
        cr_assert(o.exit_code == EXIT_WRONG, "%s: exit %d", wrong[w], o.exit_code);
        cr_assert(count_of(o.err, "\n") == 1 && strstr(o.err, "callbacks of") &&
                      strstr(o.err, "replay: attnlab check"),
                  "%s: %s", wrong[w], o.err);
        cr_assert(strstr(o.out, "WRONG") && strstr(o.out, "skipped"), "%s: %s", wrong[w], o.out);
        outcome_free(&o);
    }
}

/* Kernels against the definition, without the comparison of callbacks: the replay line names one case, and
 * running it again fails the same way. */
Test(cli_check, a_replay_line_replays, .timeout = 120)
{
    outcome o =
        attnlab("check --quick --kernel portable --level portable --plugin %s/tests/plugins/disagree.so",
                getenv("ATTN_BUILD"));
    cr_assert(o.exit_code == EXIT_WRONG, "exit %d: %s", o.exit_code, o.err);
    char *replay = strstr(o.err, "replay: attnlab ");
    cr_assert(replay, "%s", o.err);
    char *end = strchr(replay, '\n');
    *end = '\0';
    outcome again = attnlab("%s", replay + strlen("replay: attnlab "));
    cr_assert(again.exit_code == EXIT_WRONG, "%s: exit %d: %s", replay, again.exit_code, again.err);
    cr_assert(strncmp(again.err, o.err, (size_t)(end - o.err)) == 0, "the first time: %s; again: %s", o.err,
              again.err);
    outcome_free(&o);
    outcome_free(&again);
}

Test(cli_check, a_crash_is_told_with_its_case, .timeout = 60)
{
    outcome o = attnlab("check --quick --plugin %s/tests/plugins/crash.so", getenv("ATTN_BUILD"));
    cr_assert(o.exit_code == EXIT_WRONG && strstr(o.err, "crashed") && strstr(o.err, "crash.so -p crash"),
              "exit %d: %s", o.exit_code, o.err);
    outcome_free(&o);
    o = attnlab("check --kernel portable --level portable --plugin %s/tests/plugins/crash.so -n 33 -d 8 "
                "--fill normal "
                "--dtype f32",
                getenv("ATTN_BUILD"));
    cr_assert(o.exit_code == EXIT_WRONG && strstr(o.err, "crashed; replay:") && strstr(o.err, "-n 33"),
              "exit %d: %s", o.exit_code, o.err);
    outcome_free(&o);
}

Test(cli_check, refusals)
{
    static const struct {
        const char *arguments, *word, *hint;
    } cases[] = {
        {"--kernel nothing", "nothing", "attnlab list"},
        {"--kernel portabel", "portabel", "did you mean portable"},
        {"-p densse", "densse", "dense"},
        {"-p fixed:l=4,c=9", "c=9", "l=4"},
        {"-n 0", "-n", "1"},
        {"-d 257", "-d", "256"},
        {"--heads 4 --kv-heads 3", "3", "4"},
        {"--fill zeros", "zeros", "normal"},
        {"--level sse", "sse", "portable"},
        {"dense", "dense", "too many"},
        {"--plugin /nowhere.so", "/nowhere.so", "plugin"},
    };
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        outcome o = attnlab("check %s", cases[k].arguments);
        cr_assert(o.exit_code == EXIT_INPUT && one_complaint(&o, cases[k].word, cases[k].hint, NULL),
                  "%s: exit %d: %s", cases[k].arguments, o.exit_code, o.err);
        outcome_free(&o);
    }
    for (size_t k = 0; k < attn_kernel_count(); k++) {
        attn_kernel_info info = attn_kernel_at(k);
        if (!info.unavailable)
            continue;
        outcome o = attnlab("check --kernel %s", info.name);
        cr_assert(o.exit_code == EXIT_INPUT && one_complaint(&o, info.name, "cannot run", NULL),
                  "%s: exit %d: %s", info.name, o.exit_code, o.err);
        outcome_free(&o);
    }
}
