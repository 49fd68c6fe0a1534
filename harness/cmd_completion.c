/* attnlab completion: what shells need to complete command lines, from the tables that help is made of. */
#include <stdlib.h>
#include <string.h>

#include "attn/attn.h"
#include "harness/cli.h"
#include "harness/metric.h"
#include "harness/plot.h"

static void words_of(const char *choices) /* "a|b|c" as words */
{
    for (const char *c = choices; *c; c++)
        putchar(*c == '|' ? ' ' : *c);
}

/* Whether operands are some of a few words: path|check|sql. */
static bool are_words(const char *operands)
{
    return strchr(operands, '|') && strspn(operands, "abcdefghijklmnopqrstuvwxyz|") == strlen(operands);
}

static void patterns(void)
{
    for (size_t p = 0; p < attn_pattern_count(); p++) {
        const attn_pattern *of = attn_pattern_at(p);
        printf("%s ", of->name);
        for (size_t k = 0; of->params && of->params[k].key; k++) {
            printf("%s:%s= ", of->name, of->params[k].key);
            for (const char *w = of->params[k].choices; w; w = strchr(w, '|') ? strchr(w, '|') + 1 : NULL)
                printf("%s:%s=%.*s ", of->name, of->params[k].key, (int)strcspn(w, "|"), w);
        }
        printf("%s:causal=0 ", of->name);
    }
}

static void kernels(void)
{
    fputs("auto", stdout);
    for (size_t k = 0; k < attn_kernel_count(); k++)
        printf(" %s", attn_kernel_at(k).name);
}

static void metric_names(void)
{
    fputs("all", stdout);
    for (size_t k = 0; metrics[k]; k++)
        printf(" %s", metrics[k]->name);
}

static void plots(void)
{
    plot_list list = {0};
    attn_error ignored;
    fputs("all", stdout);
    if (plot_list_read(&list, NULL, &ignored) == ATTN_OK)
        for (size_t k = 0; k < list.count; k++)
            printf(" %s", list.at[k].name);
    plot_list_free(&list);
}

/* The values of an option, where they are words. */
static void option_case(const command *c, const option *o)
{
    const char *dashes = o->name[1] ? "--" : "-";
    const bool spec = strcmp(o->name, "p") == 0 || strcmp(o->value ? o->value : "", "SPEC") == 0;
    if (!o->choices && !spec && strcmp(o->name, "kernel") != 0 && strcmp(o->name, "metrics") != 0)
        return;
    printf("    '%s %s%s') words='", c->name, dashes, o->name);
    if (o->choices)
        words_of(o->choices);
    else if (spec)
        patterns();
    else if (strcmp(o->name, "kernel") == 0)
        kernels();
    else
        metric_names();
    puts("' ;;");
}

static void command_case(const command *c)
{
    printf("    '%s'*) options='--help --plugin", c->name);
    for (const option *o = c->options; o && o->name; o++)
        printf(" %s%s", o->name[1] ? "--" : "-", o->name);
    fputs("' words='", stdout);
    if (strstr(c->operands, "SPEC"))
        patterns();
    else if (strcmp(c->name, "plot") == 0)
        plots();
    else if (are_words(c->operands))
        words_of(c->operands);
    puts("' ;;");
}

static void write_function(void)
{
    fputs("_attnlab()\n{\n  local typed=${COMP_LINE:0:COMP_POINT} word options= words= before=${COMP_WORDS[COMP_CWORD-1]} sub=${COMP_WORDS[1]}\n"
          "  word=${typed##* } word=${word#[\\'\\\"]} COMPREPLY=()\n"
          "  [[ $before == [:=] ]] && before=\n"
          "  if [[ $COMP_CWORD -le 1 ]]; then\n    words='", stdout);
    for (size_t c = 0; commands[c]; c++)
        if (!commands[c]->hidden)
            printf("%s ", commands[c]->name);
    fputs("help version'\n  else\n  case \"$sub $before\" in\n", stdout);
    for (size_t c = 0; commands[c]; c++)
        for (const option *o = commands[c]->options; o && o->name && !commands[c]->hidden; o++)
            option_case(commands[c], o);
    puts("    *) case \"$sub\" in");
    for (size_t c = 0; commands[c]; c++)
        if (!commands[c]->hidden)
            command_case(commands[c]);
    fputs("    esac ;;\n  esac\n  fi\n"
          "  [[ $word == -* ]] && words=$options\n"
          "  COMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n"
          "  [[ ${#COMPREPLY[@]} -gt 0 && ${COMPREPLY[0]} == *= ]] && compopt -o nospace 2>/dev/null\n"
          "  if [[ $word == *[:=]* ]]; then # the shell has cut the word there\n"
          "    local cut=${word%\"${word##*[:=]}\"} k\n"
          "    for k in \"${!COMPREPLY[@]}\"; do COMPREPLY[k]=${COMPREPLY[k]#\"$cut\"}; done\n"
          "  fi\n}\ncomplete -o default -F _attnlab attnlab\n", stdout);
}

static int run(const args *a)
{
    const char *const *operands;
    cli_operands(a, &operands);
    const bool zsh = strcmp(operands[0], "zsh") == 0;
    if (!zsh && strcmp(operands[0], "bash") != 0)
        return cli_complain(EXIT_INPUT, "completion %.60s: not one of bash, zsh", operands[0]);
    if (zsh)
        puts("#compdef attnlab\nautoload -U +X bashcompinit && bashcompinit");
    write_function();
    return fflush(stdout) == 0 ? EXIT_FINE : cli_complain(EXIT_MACHINE, "standard output could not be written");
}

const command cmd_completion = {
    .name = "completion",
    .operands = "bash|zsh",
    .min_operands = 1,
    .max_operands = 1,
    .summary = "completion of command lines, for a shell",
    .details =
        "  source <(attnlab completion bash)\n"
        "  attnlab completion zsh > ~/.zfunc/_attnlab\n"
        "\n"
        "Subcommands, options and their words, patterns with their parameters, kernels, metrics and plots, as this program has them.",
    .run = run,
};
