/* Command lines: one descriptor per subcommand, one table of options, and help text generated from both.
 *
 * A leftover or unknown option is an error with the nearest known one; every value is checked while parsing,
 * so a command only sees well-formed arguments. Commands return an exit code; only main.c exits. */
#ifndef HARNESS_CLI_H
#define HARNESS_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "attn/status.h"

/* Exit codes, documented in README and the man page. */
enum {
    EXIT_FINE = 0,
    EXIT_INPUT = 2,          /* bad arguments, specs, files, databases or plugins named by the user */
    EXIT_REGRESSED = 10,
    EXIT_INCONCLUSIVE = 11,
    EXIT_INCOMPARABLE = 12,
    EXIT_NO_BASELINE = 13,
    EXIT_WRONG = 14,         /* wrong numbers */
    EXIT_INTERNAL = 70,
    EXIT_MACHINE = 74,       /* disk full, out of memory, database locked past its timeout */
    EXIT_INTERRUPTED = 130
};

typedef enum option_kind {
    OPTION_FLAG,    /* no value */
    OPTION_TEXT,    /* any text; repeatable ones keep all */
    OPTION_SIZE,    /* integer with k or m suffix, in [min, max] */
    OPTION_AXIS,    /* list of sizes: 1k:64k*2 (geometric), 100:500:100 (arithmetic), 64,128; each in [min, max] */
    OPTION_SECONDS, /* positive decimal number */
    OPTION_PERCENT, /* the same, of a hundred */
    OPTION_SEED,    /* unsigned 64-bit integer */
    OPTION_CHOICE   /* one of choices "a|b|c" */
} option_kind;

typedef struct option {
    const char *name;  /* without the dashes; a one-letter name is written -n or --n, others --name */
    option_kind kind;
    const char *value; /* what help calls the value: "FILE" */
    const char *help;
    const char *fallback; /* default as text, NULL: none */
    size_t min, max;      /* SIZE, AXIS */
    const char *choices;  /* CHOICE */
    bool repeat;          /* TEXT: may be given more than once */
} option;

typedef struct args args;

typedef struct command {
    const char *name;
    const char *operands;   /* "SPEC", "[PLOT...]" or "" */
    size_t min_operands, max_operands;
    const char *summary;    /* one line */
    const char *details;    /* further help, paragraphs separated by empty lines */
    const option *options;  /* ends with a zeroed entry; common options are added to all */
    int (*run)(const args *a);
    bool hidden;            /* internal, not in help */
} command;

/* Values; asking for an option the command did not declare is a broken invariant (assert).
 * Absent without default: NULL, 0 or false; cli_given() tells. */
bool cli_given(const args *a, const char *name);
bool cli_flag(const args *a, const char *name);
const char *cli_text(const args *a, const char *name);
size_t cli_texts(const args *a, const char *name, const char *const **out);   /* repeated TEXT */
size_t cli_size(const args *a, const char *name);
size_t cli_axis(const args *a, const char *name, const size_t **out);
double cli_seconds(const args *a, const char *name);
double cli_percent(const args *a, const char *name); /* as a fraction: 0.01 for 1 */
uint64_t cli_seed(const args *a, const char *name);
size_t cli_choice(const args *a, const char *name);                            /* index into choices */
size_t cli_operands(const args *a, const char *const **out);

/* Text to values, as options do it. SIZE: decimal digits and at most one suffix k (1024) or m (1048576). */
bool cli_parse_size(const char *text, size_t *out);
/* SECONDS, PERCENT: a decimal number above 0, at most 1e7. */
bool cli_parse_positive(const char *text, double *out);
/* An axis within [min, max], at most CLI_AXIS_LENGTH values, duplicates dropped; *out is malloc'ed. */
enum { CLI_AXIS_LENGTH = 4096 };
attn_status cli_parse_axis(const char *text, size_t min, size_t max, size_t **out, size_t *count, attn_error *err);

/* The exit code that belongs to a status; and the same after printing "attnlab: MESSAGE" on stderr. */
int cli_exit_code(attn_status status);
int cli_fail(attn_status status, const attn_error *err);
int cli_complain(int exit_code, const char *format, ...) ATTN_PRINTF(2, 3);

/* Whether prose may use colour: a terminal, and NO_COLOR unset or empty. */
bool cli_colour(FILE *stream);

/* The option every command that prints rows declares: cli_choice(a, "o") is an emit_format. */
#define CLI_OPTION_FORMAT                                                                           \
    {"o", OPTION_CHOICE, "FORMAT", "table, json, jsonl, csv or md", "table", 0, 0, EMIT_CHOICES, false}

/* Options of every command, ends with a zeroed entry. */
extern const option cli_common_options[];

/* Help: the program's, one command's, and both as a man page (troff). */
void cli_help(FILE *out);
void cli_help_command(FILE *out, const command *c);
/* Help that is of no command: "specs". False: no such topic. */
bool cli_help_topic(FILE *out, const char *name);
void cli_man(FILE *out);

/* The table of subcommands, in the order of help; ends with NULL. */
extern const command *const commands[];

/* Parses and runs; the whole program but for main(). */
int cli_main(int argc, char **argv);

#endif
