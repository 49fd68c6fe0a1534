/* What every command line has in common: help, unknown words, leftover options, plugins that fail. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "harness/cli.h"
#include "support/program.h"

Test(cli_general, help_lists_every_command_and_exit_code)
{
    outcome o = attnlab("help");
    cr_assert(o.exit_code == 0 && !*o.err, "exit %d", o.exit_code);
    for (size_t i = 0; commands[i]; i++)
        if (!commands[i]->hidden)
            cr_assert(strstr(o.out, commands[i]->name) != NULL, "help misses %s", commands[i]->name);
    cr_assert(strstr(o.out, "130") && strstr(o.out, "ATTN_DISABLE_CPU") && strstr(o.out, "NO_COLOR"), "%s", o.out);
    outcome_free(&o);
}

Test(cli_general, every_command_explains_itself_within_80_columns)
{
    for (size_t i = 0; commands[i]; i++) {
        outcome o = attnlab("%s --help", commands[i]->name), same = attnlab("help %s", commands[i]->name);
        cr_assert(o.exit_code == 0 && strcmp(o.out, same.out) == 0, "%s --help", commands[i]->name);
        for (const option *each = commands[i]->options; each && each->name; each++)
            cr_assert(strstr(o.out, each->name) != NULL, "%s --help misses %s", commands[i]->name, each->name);
        for (char *line = strtok(o.out, "\n"); line; line = strtok(NULL, "\n"))
            cr_assert(strlen(line) <= 80, "%s: '%s'", commands[i]->name, line);
        outcome_free(&o);
        outcome_free(&same);
    }
}

/* "--kv-heads" as troff writes it, "\\-\\-kv\\-heads". */
static void escape_dashes(char *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '-')
            *out++ = '\\';
        *out++ = *text;
    }
    *out = '\0';
}

Test(cli_general, man_page_carries_every_option)
{
    outcome o = attnlab("help --man");
    cr_assert(o.exit_code == 0 && strncmp(o.out, ".TH ATTNLAB 1", 13) == 0, "exit %d", o.exit_code);
    for (size_t i = 0; commands[i]; i++)
        for (const option *each = commands[i]->options; !commands[i]->hidden && each && each->name; each++) {
            char name[128] = ".B \\-\\-";
            size_t dashes = strlen(name) - (each->name[1] ? 0 : 2);
            escape_dashes(name + dashes, each->name);
            cr_assert(strstr(o.out, name) != NULL, "%s misses %s", commands[i]->name, name);
        }
    outcome_free(&o);
}

static bool registered(const char *name)
{
    for (size_t i = 0; commands[i]; i++)
        if (strcmp(commands[i]->name, name) == 0)
            return true;
    return false;
}

Test(cli_general, unknown_words_get_one_line_and_a_suggestion)
{
    static const struct {
        const char *line, *word, *hint;
    } cases[] = {
        {"shwo dense", "shwo", "show"},
        {"frobnicate", "frobnicate", "help"},
        {"show dense --hepl", "--hepl", "--help"},
        {"show dense --xyzzy-nothing", "--xyzzy-nothing", "--help"},
        {"show dense -Q 3", "-Q", "--help"},
        {"show", "SPEC", "usage"},
        {"show dense local fixed", "fixed", "too many"},
        {"--db x run", "--db", "command comes first"},
        {"help nothing", "nothing", "help"},
        {"show dense --png", "--png", "needs a value"},
        {"show dense --png ''", "--png", "empty"},
        {"show dense -n 8 -n 16", "-n", "twice"},
        {"show dense --help=yes", "--help=yes", "no value"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (cases[i].line[0] == 's' && !registered("show"))
            continue;
        outcome o = attnlab("%s", cases[i].line);
        cr_assert(o.exit_code == EXIT_INPUT && one_complaint(&o, cases[i].word, cases[i].hint, NULL),
                  "%s: exit %d: %s", cases[i].line, o.exit_code, o.err);
        outcome_free(&o);
    }
}

/* Percentages and times that are none: one line with the option, the value, and what it should have been; in every command that has such. */
Test(cli_general, bad_percentages_and_times)
{
    static const char *const bad[] = {"0", "-1", "five", "1%", "1,5", "nan", "inf", "0x10", "1e9"};
    size_t tried = 0;
    for (size_t c = 0; commands[c]; c++)
        for (const option *o = commands[c]->options; o && o->name && !commands[c]->hidden; o++) {
            if (o->kind != OPTION_PERCENT && o->kind != OPTION_SECONDS)
                continue;
            for (size_t b = 0; b < sizeof bad / sizeof *bad; b++) {
                char said[100];
                snprintf(said, sizeof said, "--%s %s: not a %s above 0, such as 2.5", o->name, bad[b],
                         o->kind == OPTION_PERCENT ? "percentage; write a number" : "time; write seconds");
                outcome out = attnlab("%s --%s=%s", commands[c]->name, o->name, bad[b]);
                cr_assert(out.exit_code == EXIT_INPUT && one_complaint(&out, said, NULL), "%s --%s=%s: exit %d: %s", commands[c]->name, o->name,
                          bad[b], out.exit_code, out.err);
                outcome_free(&out);
            }
            tried += o->kind == OPTION_PERCENT;
        }
    cr_assert(tried >= 5, "%zu options are percentages", tried);
}

Test(cli_general, no_arguments_print_usage_and_fail)
{
    outcome o = attnlab(" ");
    cr_assert(o.exit_code == EXIT_INPUT && !o.out_size && strstr(o.err, "usage: attnlab COMMAND"), "%s", o.err);
    outcome_free(&o);
}

Test(cli_general, a_plugin_that_fails_is_an_error_everywhere)
{
    for (size_t i = 0; commands[i]; i++) {
        if (commands[i]->hidden)
            continue;
        outcome o = attnlab("%s %s --plugin /nonexistent/p.so", commands[i]->name,
                            commands[i]->min_operands ? "dense" : "");
        cr_assert(o.exit_code == EXIT_INPUT && strstr(o.err, "/nonexistent/p.so"), "%s: exit %d: %s",
                  commands[i]->name, o.exit_code, o.err);
        outcome_free(&o);
        o = shell("ATTNLAB_PLUGINS=:/nonexistent/q.so exec \"$ATTNLAB\" %s %s", commands[i]->name,
                  commands[i]->min_operands ? "dense" : "");
        cr_assert(o.exit_code == EXIT_INPUT && one_complaint(&o, "/nonexistent/q.so", NULL), "%s: exit %d: %s",
                  commands[i]->name, o.exit_code, o.err);
        outcome_free(&o);
    }
}

Test(cli_general, a_full_disk_is_noticed)
{
    outcome o = shell("exec \"$ATTNLAB\" help >/dev/full");
    cr_assert(o.exit_code == EXIT_MACHINE && strstr(o.err, "standard output"), "exit %d: %s", o.exit_code, o.err);
    outcome_free(&o);
}
