/* Inside libattn: numeric parameter values, an integer or an expression of n. */
#ifndef PATTERNS_VALUE_H
#define PATTERNS_VALUE_H

#include <stdbool.h>
#include <stddef.h>

#include "attn/status.h"

typedef struct value_kind {
    bool literal;  /* a plain integer */
    bool constant; /* does not contain n */
    size_t number; /* of a literal; SIZE_MAX when it does not fit */
} value_kind;

/* Parses all `length` bytes of `text` and writes the canonical text, terminated, to `canonical`, at most
 * 4 * length + 1 bytes: integers without suffix or leading zeros. The message says what is wrong, not where:
 * callers put parameter and value before it. */
attn_status value_parse(const char *text, size_t length, char *canonical, value_kind *kind, attn_error *err);

/* The value at n of a canonical text: rounded to the nearest integer, .5 up, and clamped to [min, max].
 * Fails on a division by zero, the root of a negative number, and intermediates beyond double precision's
 * range. */
attn_status value_resolve(const char *canonical, size_t n, size_t min, size_t max, size_t *out,
                          attn_error *err);

#endif
