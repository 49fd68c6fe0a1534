/* attnlab completion, in a real shell. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "support/program.h"

/* What bash offers at the end of a line, in one line. */
static outcome offered(const char *line)
{
    char script[800];
    snprintf(script, sizeof script,
             "source <(\"$ATTNLAB\" completion bash); l='%s'; COMP_LINE=$l; COMP_POINT=${#l}; read -ra COMP_WORDS <<<\"$l\"; [[ $l == *\" \" ]] && COMP_WORDS+=(\"\");"
             " COMP_CWORD=$((${#COMP_WORDS[@]}-1)); _attnlab; echo \"${COMPREPLY[*]}\"", line);
    write_whole_file(scratch_path("try.sh"), script, strlen(script));
    return shell("bash %s", scratch_path("try.sh"));
}

Test(cli_completion, bash_offers_what_there_is, .timeout = 60)
{
    static const struct { const char *line, *offers; } tries[] = {
        {"attnlab sh", "show\n"}, {"attnlab run --dt", "--dtype\n"}, {"attnlab run --dtype ", "f32 bf16 f16\n"}, {"attnlab show fixed:he", "head= head=merged"},
        {"attnlab run -p natten3", "natten3d"}, {"attnlab plot ti", "time\n"}, {"attnlab db mer", "merge\n"}, {"attnlab run --kernel por", "portable\n"},
        {"attnlab run --cache ", "hot cold\n"}, {"attnlab compare --inj", "--inject\n"}, {"attnlab compare --lane ", "time callgrind\n"}, {"attnlab run --metrics mem", "memory\n"}, {"attnlab completion z", "zsh\n"}, {"attnlab analyze loc", "local"},
    };
    outcome o = shell("command -v bash");
    const bool bash = o.exit_code == 0;
    outcome_free(&o);
    if (!bash)
        cr_skip_test("bash is not installed");
    for (size_t i = 0; i < sizeof tries / sizeof *tries; i++) {
        o = offered(tries[i].line);
        cr_assert(o.exit_code == 0 && !*o.err && strncmp(o.out, tries[i].offers, strlen(tries[i].offers)) == 0, "%s: '%s' %s", tries[i].line, o.out, o.err);
        outcome_free(&o);
    }
}

Test(cli_completion, zsh_and_complaints, .timeout = 60)
{
    outcome o = attnlab("completion zsh");
    cr_assert(o.exit_code == 0 && strncmp(o.out, "#compdef attnlab\n", 17) == 0 && strstr(o.out, "bashcompinit"), "%s", o.out);
    outcome_free(&o);
    o = shell("command -v zsh >/dev/null || exit 9; \"$ATTNLAB\" completion zsh >%s && zsh -n %s", scratch_path("z"), scratch_path("z"));
    cr_assert(o.exit_code == 0 || o.exit_code == 9, "zsh: %s", o.err);
    outcome_free(&o);
    o = attnlab("completion fish");
    cr_assert(o.exit_code == 2 && one_complaint(&o, "completion fish", "bash, zsh", NULL), "%d %s", o.exit_code, o.err);
    outcome_free(&o);
}
