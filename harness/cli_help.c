/* Help, generated from the tables that parsing uses: for the terminal, and as a man page. */
#include "harness/cli.h"

#include <string.h>

#include "attn/version.h"

static const struct {
    int code;
    const char *meaning;
} exits[] = {
    {EXIT_FINE, "fine"},
    {EXIT_INPUT, "bad input: arguments, specs, or files, databases, plugins and external kernels that cannot be used"},
    {EXIT_REGRESSED, "regressed"},
    {EXIT_INCONCLUSIVE, "inconclusive"},
    {EXIT_INCOMPARABLE, "incomparable"},
    {EXIT_NO_BASELINE, "no baseline"},
    {EXIT_WRONG, "wrong numbers: a kernel or a plugin disagrees with its definition"},
    {EXIT_INTERNAL, "internal error"},
    {EXIT_MACHINE, "the machine failed: disk full, out of memory, database locked past its timeout"},
    {EXIT_INTERRUPTED, "interrupted; what was finished is kept"},
};

static const struct {
    const char *name, *meaning;
} variables[] = {
    {"ATTNLAB_DB", "the database, where --db is not given (default results/attnlab.db)"},
    {"ATTNLAB_DB_WAIT", "seconds to wait for a database that others write to (default 10)"},
    {"ATTNLAB_PLUGINS", "plugins to load, colon-separated"},
    {"PYTHON", "command that runs Python where PyTorch and ONNX Runtime are, for external kernels (default python3)"},
    {"TMPDIR", "folder for the operands of external kernels, which both sides must see (default /dev/shm)"},
    {"ATTN_DISABLE_CPU", "CPU features not to use, comma-separated: amx,avx512,avx2"},
    {"NO_COLOR", "no colours when set"},
};

static const struct {
    const char *name, *title, *text;
} topics[] = {
    {"specs", "how patterns are written",
     "A spec is name:key=value,key=value; `attnlab list patterns` shows names, keys and defaults. Values are integers (64, 4k), words, or "
     "expressions of n (sqrt(n), n/16), rounded. causal=0 makes any pattern bidirectional.\n"
     "\n"
     "  fixed:l=sqrt(n),c=8      local:k=64,causal=0      documents:l1=512,l2=128\n"
     "\n"
     "expr takes a condition in double quotes over i (query), j (key), n (keys) and h (head, from 0): C's operators and precedence over "
     "integers, ? :, min, max, abs. / and // are floor division, % takes the divisor's sign, x/0 is 0 and x%0 is x. What intervals "
     "and remainders settle costs like a built-in pattern; where they do not, rows are had by testing pairs, and that is said.\n"
     "\n"
     "  expr:\"i-j < 64 || j % 128 >= 120\"\n"
     "\n"
     "mask takes a file in double quotes: NPY, PBM, PNG, CSR, BSR or a block mask (`attnlab show --help` names them).\n"
     "\n"
     "Specs compose, with a space on both sides of an operator; ~ binds tightest, then &, then | and - left to right:\n"
     "\n"
     "  A | B, A & B, A - B   union, intersection, difference\n"
     "  ~A                    complement of the causal triangle; of the square where a\n"
     "                        part has causal=0 or is transposed\n"
     "  heads(A, B, ...)      head g has operand g modulo their number\n"
     "  layers(A, 3*B, ...)   a stack, the first layer applied first; for analyze\n"
     "  blocks(A, 64)         A over blocks of 64 queries and keys\n"
     "  shift(A, 16)          keys 16 earlier\n"
     "  transpose(A)          queries and keys exchanged\n"
     "  hops(A, 2)            what two steps of A reach; A may be layers(...)\n"},
};
enum { TOPICS = sizeof topics / sizeof *topics };

static const char tagline[] = "benchmarks and explores attention patterns";

enum { WIDTH = 79, INDENT = 26 };

/* Prints words wrapped to WIDTH; the cursor stands at `column`, later lines start at `indent`. */
static void wrap(FILE *out, const char *text, int column, int indent)
{
    bool first = true;
    while (*text) {
        while (*text == ' ')
            text++;
        int length = (int)strcspn(text, " ");
        if (length == 0)
            break;
        if (!first && column + 1 + length > WIDTH) {
            fprintf(out, "\n%*s", indent, "");
            column = indent;
            first = true;
        }
        column += fprintf(out, "%s%.*s", first ? "" : " ", length, text);
        text += length;
        first = false;
    }
    fputc('\n', out);
}

/* Paragraphs are separated by empty lines; a line that starts with two spaces is kept as it is. */
static void paragraphs(FILE *out, const char *text)
{
    char paragraph[2048] = "";
    for (;;) {
        int length = (int)strcspn(text, "\n");
        bool verbatim = strncmp(text, "  ", 2) == 0, blank = length == 0;
        if ((verbatim || blank) && *paragraph) {
            wrap(out, paragraph, 0, 0);
            *paragraph = '\0';
        }
        if (verbatim)
            fprintf(out, "%.*s\n", length, text);
        else if (blank && *text)
            fputc('\n', out);
        else if (!blank)
            snprintf(paragraph + strlen(paragraph), sizeof paragraph - strlen(paragraph), "%s%.*s",
                     *paragraph ? " " : "", length, text);
        if (!text[length])
            break;
        text += length + 1;
    }
    if (*paragraph)
        wrap(out, paragraph, 0, 0);
}

static int option_term(char *term, size_t size, const option *o)
{
    return snprintf(term, size, "%s%s%s%s", o->name[1] ? "--" : "-", o->name, o->value ? " " : "",
                    o->value ? o->value : "");
}

static void option_meaning(char *text, size_t size, const option *o)
{
    snprintf(text, size, "%s%s%s%s%s%s%s", o->help, o->choices ? " [" : "", o->choices ? o->choices : "",
             o->choices ? "]" : "", o->repeat ? "; may be repeated" : "", o->fallback ? " (default " : "",
             o->fallback ? o->fallback : "");
    size_t used = strlen(text);
    if (o->fallback && used + 1 < size)
        memcpy(text + used, ")", 2);
}

static void print_options(FILE *out, const option *options)
{
    for (const option *o = options; o && o->name; o++) {
        char term[64], meaning[512];
        int length = option_term(term, sizeof term, o);
        option_meaning(meaning, sizeof meaning, o);
        fprintf(out, "  %-*s", INDENT - 2, term);
        if (length > INDENT - 4)
            fprintf(out, "\n%*s", INDENT, "");
        wrap(out, meaning, INDENT, INDENT);
    }
}

void cli_help_command(FILE *out, const command *c)
{
    fprintf(out, "usage: attnlab %s%s%s [options]\n\n", c->name, *c->operands ? " " : "", c->operands);
    paragraphs(out, c->summary);
    if (c->details) {
        fputc('\n', out);
        paragraphs(out, c->details);
    }
    fputs("\noptions:\n", out);
    print_options(out, c->options);
    print_options(out, cli_common_options);
}

bool cli_help_topic(FILE *out, const char *name)
{
    for (size_t t = 0; t < TOPICS; t++)
        if (strcmp(topics[t].name, name) == 0) {
            fprintf(out, "%s: %s\n\n", topics[t].name, topics[t].title);
            paragraphs(out, topics[t].text);
            return true;
        }
    return false;
}

void cli_help(FILE *out)
{
    fprintf(out, "attnlab %s: %s\n\nusage: attnlab COMMAND [options]\n\ncommands:\n", attn_version(), tagline);
    for (size_t i = 0; commands[i]; i++)
        if (!commands[i]->hidden) {
            fprintf(out, "  %-13s", commands[i]->name);
            wrap(out, commands[i]->summary, 15, 15);
        }
    fputs("\n'attnlab COMMAND --help' describes one; 'attnlab help specs' tells how patterns are written; 'attnlab --version'\n"
          "prints the version.\n\nexit codes:\n", out);
    for (size_t i = 0; i < sizeof exits / sizeof *exits; i++) {
        fprintf(out, "  %3d  ", exits[i].code);
        wrap(out, exits[i].meaning, 7, 7);
    }
    fputs("\nenvironment:\n", out);
    for (size_t i = 0; i < sizeof variables / sizeof *variables; i++) {
        fprintf(out, "  %-18s", variables[i].name);
        wrap(out, variables[i].meaning, 20, 20);
    }
}

/* ---- man page ---- */

/* Escapes what troff would read: backslashes, hyphens that must stay ASCII, a leading dot or quote. */
static void troff(FILE *out, const char *text)
{
    if (*text == '.' || *text == '\'')
        fputs("\\&", out);
    for (; *text; text++)
        switch (*text) {
        case '\\': fputs("\\e", out); break;
        case '-': fputs("\\-", out); break;
        case '\n': fputs(text[1] == '\n' ? "\n.PP" : text[1] == ' ' ? "\n.br" : "", out); fputc('\n', out); break;
        default: fputc(*text, out);
        }
}

static void man_options(FILE *out, const option *options)
{
    for (const option *o = options; o && o->name; o++) {
        char term[64], meaning[512];
        option_term(term, sizeof term, o);
        option_meaning(meaning, sizeof meaning, o);
        fputs(".TP\n.B ", out);
        troff(out, term);
        fputc('\n', out);
        troff(out, meaning);
        fputc('\n', out);
    }
}

void cli_man(FILE *out)
{
    fprintf(out, ".TH ATTNLAB 1 \"\" \"attnlab %s\" \"User Commands\"\n.SH NAME\nattnlab \\- %s\n", attn_version(),
            tagline);
    fputs(".SH SYNOPSIS\n.B attnlab\n.I COMMAND\n[options]\n.SH COMMANDS\n", out);
    for (size_t i = 0; commands[i]; i++) {
        const command *c = commands[i];
        if (c->hidden)
            continue;
        fputs(".SS attnlab ", out);
        troff(out, c->name);
        fputc(' ', out);
        troff(out, c->operands);
        fputc('\n', out);
        troff(out, c->summary);
        fputc('\n', out);
        if (c->details) {
            fputs(".PP\n", out);
            troff(out, c->details);
            fputc('\n', out);
        }
        man_options(out, c->options);
    }
    for (size_t t = 0; t < TOPICS; t++) {
        fprintf(out, ".SH %s\n", topics[t].title);
        troff(out, topics[t].text);
        fputc('\n', out);
    }
    fputs(".SH COMMON OPTIONS\n", out);
    man_options(out, cli_common_options);
    fputs(".SH EXIT STATUS\n", out);
    for (size_t i = 0; i < sizeof exits / sizeof *exits; i++) {
        fprintf(out, ".TP\n.B %d\n", exits[i].code);
        troff(out, exits[i].meaning);
        fputc('\n', out);
    }
    fputs(".SH ENVIRONMENT\n", out);
    for (size_t i = 0; i < sizeof variables / sizeof *variables; i++) {
        fprintf(out, ".TP\n.B %s\n", variables[i].name);
        troff(out, variables[i].meaning);
        fputc('\n', out);
    }
}
