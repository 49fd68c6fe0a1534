/* Inside libattn: what a parsed spec consists of. */
#ifndef PATTERNS_SPEC_PARTS_H
#define PATTERNS_SPEC_PARTS_H

#include "attn/spec.h"
#include "patterns/compose.h"
#include "patterns/expr.h"
#include "patterns/mask.h"

/* The value of one parameter: a number or word, or an expression to be resolved at n. */
typedef struct spec_value {
    const char *expression; /* canonical text; NULL: `number` is the value */
    size_t number;          /* for a parameter with choices, the index of the word */
} spec_value;

struct attn_spec {
    const attn_pattern *pattern;
    bool causal;
    uint32_t literal;                  /* bit p: parameter p was written as a plain number or word */
    spec_value value[ATTN_MAX_PARAMS]; /* defaults where the user wrote nothing */
    expr *expression; /* of the pattern expr, else NULL */
    char *file;       /* of the pattern mask, else NULL */
    composition *composed; /* of attn_pattern_composed, else NULL */
    char *text;
    char *storage; /* the texts of expressions of n */
};

/* attn_spec_parse(), except that the name in `text` stands for `pattern`, registered or not. */
attn_status spec_parse_as(attn_spec **out, const attn_pattern *pattern, const char *text, attn_error *err);

/* A simple spec at *text, which is set behind it. With `nested`, a comma that no key= follows ends it too. */
attn_status spec_parse_simple(attn_spec **out, const attn_pattern *pattern, const char **text, bool nested, attn_error *err);

enum {
    SPEC_LONGEST = 4096, /* bytes of a spec */
    SPEC_QUOTED = 60     /* bytes of the user's text in a message */
};

/* Parses one value of `param`, not terminated, writing its canonical text (at most SPEC_GROWTH * length + 1
 * bytes) to `canonical`, which out->expression may point to. The message begins with `owner`, the pattern's
 * name. */
enum { SPEC_GROWTH = 4 };
attn_status spec_parse_value(const char *owner, const attn_param *param, const char *text, size_t length,
                             char *canonical, spec_value *out, bool *literal, bool *constant,
                             attn_error *err);

/* Number of parameters, and of words in "a|b|c". */
size_t spec_param_count(const attn_pattern *pattern);
size_t spec_choice_count(const char *choices);
/* The index-th word of "a|b|c"; sets its length. */
const char *spec_choice(const char *choices, size_t index, size_t *length);

#endif
