/* Formulas over counts: numbers, names, + - * /, a leading minus, parentheses.
 *
 *   sum      = product { ("+" | "-") product }
 *   product  = factor { ("*" | "/") factor }
 *   factor   = "-" factor | "(" sum ")" | NUMBER | NAME
 *   NUMBER   = digits [ "." digits ] [ "e" ["+" | "-"] digits ]
 *   NAME     = a lower-case letter, then letters of that kind, digits and "_"
 *
 * Kept in postfix order, of bounded size, without pointers: a formula may be copied. */
#ifndef HARNESS_PERF_FORMULA_H
#define HARNESS_PERF_FORMULA_H

#include <stdbool.h>
#include <stddef.h>

#include "attn/status.h"

enum {
    PERF_NAME_LENGTH = 40,     /* of events, sets and what is derived, with the final NUL */
    PERF_FORMULA_STEPS = 64,   /* numbers, names and operators */
    PERF_FORMULA_NAMES = 16,   /* different ones */
    PERF_FORMULA_DEPTH = 16    /* of parentheses and leading minuses */
};

typedef struct perf_formula {
    struct perf_step {
        char kind; /* '#' a number, 'n' a name, '~' the leading minus, '+', '-', '*', '/' */
        unsigned char name;
        double number;
    } steps[PERF_FORMULA_STEPS];
    char names[PERF_FORMULA_NAMES][PERF_NAME_LENGTH];
    size_t step_count, name_count;
} perf_formula;

/* EINVAL says what is wrong with the text. */
ATTN_MUST_CHECK attn_status perf_formula_parse(perf_formula *out, const char *text, attn_error *err);

/* The value with one operand for each of the names, all finite. NULL and *out is set; else why there is none. */
const char *perf_formula_value(const perf_formula *f, const double *operands, double *out);

/* The length of the NAME that `text` begins with; 0: it begins with none. */
size_t perf_name_span(const char *text);

#endif
