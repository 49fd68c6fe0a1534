/* Parsing a command line against a command's table, and running it. */
#include "harness/cli.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "attn/pattern.h"
#include "attn/version.h"
#include "base/suggest.h"
#include "harness/emit.h"
#include "harness/mask_png.h"

enum { MOST_OPTIONS = 48 };

typedef struct setting { /* what an option came to */
    const option *option;
    bool given;
    const char **texts; /* every TEXT given, or the default */
    size_t count;
    size_t number; /* SIZE, or index of a CHOICE */
    size_t *axis;
    size_t axis_count;
    double real; /* of seconds and percentages */
    uint64_t seed;
} setting;

struct args {
    const command *command;
    setting settings[MOST_OPTIONS];
    size_t count;
    const char **operands;
    size_t operand_count;
};

const option cli_common_options[] = {
    {"plugin", OPTION_TEXT, "FILE.so", "load patterns from a plugin (also: ATTNLAB_PLUGINS, colon-separated)",
     NULL, 0, 0, NULL, true},
    {"help", OPTION_FLAG, NULL, "this help", NULL, 0, 0, NULL, false},
    {0},
};

/* ---- reading what was parsed ---- */

static const setting *find(const args *a, const char *name)
{
    for (size_t i = 0; i < a->count; i++)
        if (strcmp(a->settings[i].option->name, name) == 0)
            return &a->settings[i];
    return NULL;
}

static const setting *get(const args *a, const char *name, option_kind kind)
{
    const setting *s = find(a, name);
    assert(s && s->option->kind == kind);
    (void)kind;
    return s;
}

bool cli_given(const args *a, const char *name)
{
    const setting *s = find(a, name);
    assert(s);
    return s->given;
}

bool cli_flag(const args *a, const char *name) { return get(a, name, OPTION_FLAG)->given; }

const char *cli_text(const args *a, const char *name)
{
    const setting *s = get(a, name, OPTION_TEXT);
    return s->count ? s->texts[s->count - 1] : NULL;
}

size_t cli_texts(const args *a, const char *name, const char *const **out)
{
    const setting *s = get(a, name, OPTION_TEXT);
    *out = s->texts;
    return s->count;
}

size_t cli_size(const args *a, const char *name) { return get(a, name, OPTION_SIZE)->number; }

size_t cli_axis(const args *a, const char *name, const size_t **out)
{
    const setting *s = get(a, name, OPTION_AXIS);
    *out = s->axis;
    return s->axis_count;
}

double cli_seconds(const args *a, const char *name) { return get(a, name, OPTION_SECONDS)->real; }
double cli_percent(const args *a, const char *name) { return get(a, name, OPTION_PERCENT)->real / 100; }
uint64_t cli_seed(const args *a, const char *name) { return get(a, name, OPTION_SEED)->seed; }
size_t cli_choice(const args *a, const char *name) { return get(a, name, OPTION_CHOICE)->number; }

size_t cli_operands(const args *a, const char *const **out)
{
    *out = a->operands;
    return a->operand_count;
}

/* ---- messages ---- */

int cli_complain(int exit_code, const char *format, ...)
{
    char message[ATTN_ERROR_LENGTH * 2];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    attn_error line;
    attn_fail(&line, ATTN_EINVAL, "%s", message); /* one line, no control characters */
    fflush(stdout);
    fprintf(stderr, "attnlab: %s\n", line.message);
    return exit_code;
}

int cli_exit_code(attn_status status)
{
    static const int codes[] = {
        [ATTN_OK] = EXIT_FINE,          [ATTN_EINVAL] = EXIT_INPUT,  [ATTN_EUNAVAILABLE] = EXIT_INPUT,
        [ATTN_ENOMEM] = EXIT_MACHINE,   [ATTN_EIO] = EXIT_MACHINE,   [ATTN_EINTERNAL] = EXIT_INTERNAL,
        [ATTN_EWRONG] = EXIT_WRONG,
    };
    return codes[status];
}

int cli_fail(attn_status status, const attn_error *err)
{
    return cli_complain(cli_exit_code(status), "%s", err->message);
}

bool cli_colour(FILE *stream)
{
    const char *no = getenv("NO_COLOR");
    const char *terminal = getenv("TERM");
    return isatty(fileno(stream)) && !(no && *no) && !(terminal && strcmp(terminal, "dumb") == 0);
}

/* ---- parsing ---- */

static const char *dashes(const option *o)
{
    return o->name[1] ? "--" : "-";
}

static attn_status choose(const option *o, const char *text, size_t *out, attn_error *err)
{
    size_t index = 0, length = strlen(text);
    for (const char *word = o->choices; word; index++) {
        const char *end = strchr(word, '|');
        size_t n = end ? (size_t)(end - word) : strlen(word);
        if (n == length && strncmp(word, text, n) == 0) {
            *out = index;
            return ATTN_OK;
        }
        word = end ? end + 1 : NULL;
    }
    return attn_fail(err, ATTN_EINVAL, "%s%s %s: not one of %s", dashes(o), o->name, text, o->choices);
}

static attn_status parse_real(const option *o, const char *text, double *out, attn_error *err)
{
    if (!cli_parse_positive(text, out))
        return attn_fail(err, ATTN_EINVAL, "%s%s %s: not a %s above 0, such as 2.5", dashes(o), o->name, text,
                         o->kind == OPTION_PERCENT ? "percentage; write a number" : "time; write seconds");
    return ATTN_OK;
}

static attn_status parse_seed(const option *o, const char *text, uint64_t *out, attn_error *err)
{
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (*text < '0' || *text > '9' || *end || errno)
        return attn_fail(err, ATTN_EINVAL, "%s%s %s: not a whole number from 0 to 2^64-1", dashes(o), o->name, text);
    *out = value;
    return ATTN_OK;
}

static attn_status assign(setting *s, const char *text, attn_error *err)
{
    const option *o = s->option;
    switch (o->kind) {
    case OPTION_FLAG:
        return ATTN_OK;
    case OPTION_TEXT: {
        const char **texts = realloc(s->texts, (s->count + 1) * sizeof *texts);
        if (!texts)
            return attn_fail(err, ATTN_ENOMEM, "out of memory");
        s->texts = texts;
        s->texts[s->count++] = text;
        return ATTN_OK;
    }
    case OPTION_SIZE:
        if (!cli_parse_size(text, &s->number) || s->number < o->min || s->number > o->max)
            return attn_fail(err, ATTN_EINVAL, "%s%s %s: not a whole number from %zu to %zu (4k = 4096)", dashes(o),
                             o->name, text, o->min, o->max);
        return ATTN_OK;
    case OPTION_AXIS: {
        free(s->axis);
        s->axis = NULL;
        attn_error reason;
        attn_status status = cli_parse_axis(text, o->min, o->max, &s->axis, &s->axis_count, &reason);
        return status == ATTN_OK ? ATTN_OK : attn_fail(err, status, "%s%s %s", dashes(o), o->name, reason.message);
    }
    case OPTION_SECONDS:
    case OPTION_PERCENT:
        return parse_real(o, text, &s->real, err);
    case OPTION_SEED:
        return parse_seed(o, text, &s->seed, err);
    case OPTION_CHOICE:
        return choose(o, text, &s->number, err);
    }
    return attn_fail(err, ATTN_EINTERNAL, "option %s of unknown kind", o->name);
}

static attn_status declare(args *a, const option *options, attn_error *err)
{
    for (const option *o = options; o && o->name; o++) {
        assert(a->count < MOST_OPTIONS);
        setting *s = &a->settings[a->count++];
        *s = (setting){.option = o};
        if (o->fallback) {
            attn_status status = assign(s, o->fallback, err);
            if (status != ATTN_OK)
                return status;
        }
    }
    return ATTN_OK;
}

static attn_status unknown(const args *a, const char *text, size_t length, attn_error *err)
{
    char name[72];
    snprintf(name, sizeof name, "%.*s", length > 70 ? 70 : (int)length, text);
    const char *bare = name;
    while (*bare == '-')
        bare++;
    suggestion near = {.word = bare};
    for (size_t i = 0; i < a->count; i++)
        suggest_offer(&near, a->settings[i].option->name);
    if (near.best)
        return attn_fail(err, ATTN_EINVAL, "%s: unknown option of '%s'; did you mean %s%s?", name, a->command->name,
                         near.best[1] ? "--" : "-", near.best);
    return attn_fail(err, ATTN_EINVAL, "%s: unknown option of '%s'; 'attnlab %s --help' lists them", name,
                     a->command->name, a->command->name);
}

/* The option named at `text` ("--name", "--name=value", "-n", "-nvalue"), and where its value starts. */
static setting *match(args *a, const char *text, size_t *length, const char **value)
{
    bool two = text[1] == '-';
    const char *name = text + (two ? 2 : 1);
    *length = two ? strcspn(name, "=") : 1;
    *value = two ? (name[*length] == '=' ? name + *length + 1 : NULL) : (name[1] ? name + 1 : NULL);
    for (size_t i = 0; i < a->count; i++) {
        const char *known = a->settings[i].option->name;
        if (strlen(known) == *length && strncmp(known, name, *length) == 0 && (two || known[1] == '\0'))
            return &a->settings[i];
    }
    return NULL;
}

static attn_status parse(args *a, int argc, char **argv, attn_error *err)
{
    bool options_over = false;
    for (int i = 0; i < argc; i++) {
        const char *text = argv[i];
        if (options_over || text[0] != '-' || text[1] == '\0') {
            a->operands[a->operand_count++] = text;
            continue;
        }
        if (strcmp(text, "--") == 0) {
            options_over = true;
            continue;
        }
        size_t length;
        const char *value;
        setting *s = match(a, text, &length, &value);
        if (!s)
            return unknown(a, text, strcspn(text, "="), err);
        const option *o = s->option;
        if (o->kind == OPTION_FLAG && value)
            return attn_fail(err, ATTN_EINVAL, "%s: %s%s takes no value", text, dashes(o), o->name);
        if (o->kind != OPTION_FLAG && !value) {
            if (++i == argc)
                return attn_fail(err, ATTN_EINVAL, "%s needs a value: %s%s %s", text, dashes(o), o->name, o->value);
            value = argv[i];
        }
        if (o->kind != OPTION_FLAG && !*value)
            return attn_fail(err, ATTN_EINVAL, "%s%s: the value is empty; write %s%s %s", dashes(o), o->name,
                             dashes(o), o->name, o->value);
        if (s->given && !o->repeat && o->kind != OPTION_FLAG)
            return attn_fail(err, ATTN_EINVAL, "%s%s is given twice", dashes(o), o->name);
        if (!s->given)
            s->count = 0; /* a default makes way */
        s->given = true;
        attn_status status = assign(s, value, err);
        if (status != ATTN_OK)
            return status;
    }
    const command *c = a->command;
    if (cli_flag(a, "help"))
        return ATTN_OK;
    if (a->operand_count > c->max_operands)
        return attn_fail(err, ATTN_EINVAL, "'%s' is one argument too many for '%s'; usage: attnlab %s%s%s [options]",
                         a->operands[c->max_operands], c->name, c->name, *c->operands ? " " : "", c->operands);
    if (a->operand_count < c->min_operands)
        return attn_fail(err, ATTN_EINVAL, "'%s' needs %s; usage: attnlab %s %s [options]", c->name, c->operands,
                         c->name, c->operands);
    return ATTN_OK;
}

static void release(args *a)
{
    for (size_t i = 0; i < a->count; i++) {
        free(a->settings[i].texts);
        free(a->settings[i].axis);
    }
    free(a->operands);
}

static attn_status load_plugins(const args *a, attn_error *err)
{
    const char *environment = getenv("ATTNLAB_PLUGINS");
    attn_status status = ATTN_OK;
    if (environment) {
        char *list = strdup(environment), *rest = list, *path;
        if (!list)
            return attn_fail(err, ATTN_ENOMEM, "out of memory");
        while (status == ATTN_OK && (path = strsep(&rest, ":")))
            if (*path)
                status = attn_plugin_load(path, err);
        free(list);
    }
    const char *const *paths;
    size_t count = cli_texts(a, "plugin", &paths);
    for (size_t i = 0; status == ATTN_OK && i < count; i++)
        status = attn_plugin_load(paths[i], err);
    return status;
}

static int run_command(const command *c, int argc, char **argv)
{
    args a = {.command = c, .operands = calloc((size_t)argc + 1, sizeof *a.operands)};
    attn_error err;
    attn_status status = a.operands ? ATTN_OK : attn_fail(&err, ATTN_ENOMEM, "out of memory");
    if (status == ATTN_OK)
        status = declare(&a, c->options, &err);
    if (status == ATTN_OK)
        status = declare(&a, cli_common_options, &err);
    if (status == ATTN_OK)
        status = parse(&a, argc, argv, &err);
    int code;
    if (status == ATTN_OK && cli_flag(&a, "help")) {
        cli_help_command(stdout, c);
        code = EXIT_FINE;
    } else {
        if (status == ATTN_OK)
            status = load_plugins(&a, &err);
        code = status == ATTN_OK ? c->run(&a) : cli_fail(status, &err);
    }
    release(&a);
    return code;
}

static const command *find_command(const char *name)
{
    for (size_t i = 0; commands[i]; i++)
        if (strcmp(commands[i]->name, name) == 0)
            return commands[i];
    return NULL;
}

static int unknown_command(const char *name)
{
    suggestion near = {.word = name};
    for (size_t i = 0; commands[i]; i++)
        if (!commands[i]->hidden)
            suggest_offer(&near, commands[i]->name);
    return near.best ? cli_complain(EXIT_INPUT, "'%.80s' is not a command; did you mean '%s'?", name, near.best)
                     : cli_complain(EXIT_INPUT, "'%.80s' is not a command; 'attnlab help' lists them", name);
}

static int help(int argc, char **argv)
{
    if (argc == 0) {
        cli_help(stdout);
        return EXIT_FINE;
    }
    if (argc == 1 && strcmp(argv[0], "--man") == 0) {
        cli_man(stdout);
        return EXIT_FINE;
    }
    const command *c = find_command(argv[0]);
    if (argc > 1)
        return cli_complain(EXIT_INPUT, "'%s' is one argument too many; usage: attnlab help [COMMAND]", argv[1]);
    if (c)
        cli_help_command(stdout, c);
    return c || cli_help_topic(stdout, argv[0]) ? EXIT_FINE : unknown_command(argv[0]);
}

static int dispatch(int argc, char **argv)
{
    if (argc < 2) {
        cli_help(stderr);
        return EXIT_INPUT;
    }
    const char *name = argv[1];
    if (strcmp(name, "help") == 0 || strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
        return help(argc - 2, argv + 2);
    if (strcmp(name, "--version") == 0) {
        printf("attnlab %s\n", attn_version());
        return EXIT_FINE;
    }
    if (name[0] == '-')
        return cli_complain(EXIT_INPUT, "%.80s: the command comes first: attnlab COMMAND [options]", name);
    const command *c = find_command(name);
    return c ? run_command(c, argc - 2, argv + 2) : unknown_command(name);
}

int cli_main(int argc, char **argv)
{
    mask_read_pictures_with(mask_png_decode);
    int code = dispatch(argc, argv);
    if ((fflush(stdout) != 0 || ferror(stdout)) && (code == EXIT_FINE || code == EXIT_INPUT))
        code = cli_complain(EXIT_MACHINE, "standard output could not be written: %s", strerror(errno));
    return code;
}
