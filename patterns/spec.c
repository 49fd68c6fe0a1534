/* Simple specs: name[:key=value,...], parsed against the registry.
 *
 * A simple spec is parsed by simple(), which stops where the spec does; whoever calls it decides what may
 * follow (compose_parse.c). A value ends at a comma, a space or a parenthesis that it did not open: arithmetic holds no
 * spaces, so that set operators between patterns, which have them on both sides, stay apart from it.
 *
 * What does not depend on n is checked here, so that it is refused before anything is measured; layout.c
 * checks the rest. */
#include "patterns/spec_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/suggest.h"
#include "patterns/value.h"

enum { QUOTED = SPEC_QUOTED };

static const attn_param causal_param = {
    .key = "causal", .min = 0, .max = 1, .fallback = "1", .help = "1: only keys up to the query's position"};

/* A piece of the user's text. */
typedef struct piece {
    const char *at;
    size_t length;
} piece;

#define QUOTE(p) (int)((p).length < QUOTED ? (p).length : QUOTED), (p).at

typedef struct parser {
    const char *text, *at;
    const attn_pattern *as; /* what the name stands for; NULL: look it up */
    attn_spec *spec;
    char *room;                             /* where the next canonical value goes */
    const char *canonical[ATTN_MAX_PARAMS]; /* of values the user wrote */
    bool causal_given, expression_given, nested;
    attn_error *err;
} parser;

/* ---- parameters and words ---- */

size_t spec_param_count(const attn_pattern *pattern)
{
    size_t count = 0;
    while (pattern->params && count < ATTN_MAX_PARAMS && pattern->params[count].key)
        count++;
    return count;
}

const char *spec_choice(const char *choices, size_t index, size_t *length)
{
    for (; index > 0; index--)
        choices += strcspn(choices, "|") + 1;
    *length = strcspn(choices, "|");
    return choices;
}

size_t spec_choice_count(const char *choices)
{
    size_t count = 1;
    for (const char *c = choices; *c; c++)
        count += *c == '|';
    return count;
}

static bool same(piece p, const char *word, size_t length)
{
    return p.length == length && memcmp(p.at, word, length) == 0;
}

/* Copies a piece so that it can be compared for suggestions; long ones are nothing we know. */
static const char *terminated(piece p, char buffer[QUOTED + 1])
{
    size_t length = p.length <= QUOTED ? p.length : 0;
    memcpy(buffer, p.at, length);
    buffer[length] = '\0';
    return buffer;
}

/* ---- values ---- */

static attn_status parse_word(const char *owner, const attn_param *param, piece text, char *canonical,
                              spec_value *out, attn_error *err)
{
    char given[QUOTED + 1], words[8][QUOTED + 1];
    suggestion nearest = {.word = terminated(text, given)};
    size_t count = spec_choice_count(param->choices);
    for (size_t w = 0; w < count; w++) {
        size_t length;
        const char *word = spec_choice(param->choices, w, &length);
        if (same(text, word, length)) {
            memcpy(canonical, word, length);
            canonical[length] = '\0';
            *out = (spec_value){.number = w};
            return ATTN_OK;
        }
        if (w < 8)
            suggest_offer(&nearest, terminated((piece){word, length}, words[w]));
    }
    return attn_fail(err, ATTN_EINVAL, "%s: %s=%.*s is not one of %s%s%s%s", owner, param->key, QUOTE(text),
                     param->choices, nearest.best ? "; did you mean '" : "", nearest.best ? nearest.best : "",
                     nearest.best ? "'?" : "");
}

attn_status spec_parse_value(const char *owner, const attn_param *param, const char *text, size_t length,
                             char *canonical, spec_value *out, bool *literal, bool *constant, attn_error *err)
{
    piece value = {text, length};
    if (length == 0)
        return attn_fail(err, ATTN_EINVAL, "%s: %s= has no value; %s: %s", owner, param->key, param->key,
                         param->help);
    if (param->choices) {
        *literal = *constant = true;
        return parse_word(owner, param, value, canonical, out, err);
    }
    value_kind kind;
    attn_error why;
    if (value_parse(text, length, canonical, &kind, &why) != ATTN_OK)
        return attn_fail(err, ATTN_EINVAL,
                         "%s: %s=%.*s: %s; %s is an integer from %zu to %zu or an expression of n", owner,
                         param->key, QUOTE(value), why.message, param->key, param->min, param->max);
    *literal = kind.literal;
    *constant = kind.constant;
    if (!kind.literal) {
        *out = (spec_value){.expression = canonical};
        return ATTN_OK;
    }
    if (kind.number < param->min || kind.number > param->max)
        return attn_fail(err, ATTN_EINVAL, "%s: %s=%.*s is outside its range, %zu to %zu", owner, param->key,
                         QUOTE(value), param->min, param->max);
    *out = (spec_value){.number = kind.number};
    return ATTN_OK;
}

/* ---- the grammar ---- */

static attn_status unknown_name(parser *p, piece name)
{
    char given[QUOTED + 1], known[200] = "";
    suggestion nearest = {.word = terminated(name, given)};
    for (size_t i = 0; i < attn_pattern_count(); i++) {
        const char *word = attn_pattern_at(i)->name;
        suggest_offer(&nearest, word);
        size_t used = strlen(known);
        snprintf(known + used, sizeof known - used, "%s%s", i ? ", " : "", word);
    }
    if (nearest.best)
        return attn_fail(p->err, ATTN_EINVAL, "'%.*s' is not a known pattern; did you mean '%s'?",
                         QUOTE(name), nearest.best);
    return attn_fail(p->err, ATTN_EINVAL, "'%.*s' is not a known pattern; known: %s", QUOTE(name), known);
}

static attn_status unknown_key(parser *p, piece key)
{
    const attn_pattern *pattern = p->spec->pattern;
    char given[QUOTED + 1], known[240] = "";
    suggestion nearest = {.word = terminated(key, given)};
    for (size_t i = 0; i < spec_param_count(pattern); i++) {
        suggest_offer(&nearest, pattern->params[i].key);
        size_t used = strlen(known);
        snprintf(known + used, sizeof known - used, "%s, ", pattern->params[i].key);
    }
    suggest_offer(&nearest, causal_param.key);
    const bool numbered = nearest.best && strspn(nearest.best + 1, "0123456789") == strlen(nearest.best) - 1;
    if (nearest.best && !numbered) /* one letter is like any other, and l13 like no l1 */
        return attn_fail(p->err, ATTN_EINVAL, "%s: unknown key '%.*s'; did you mean '%s'?", pattern->name,
                         QUOTE(key), nearest.best);
    return attn_fail(p->err, ATTN_EINVAL, "%s: unknown key '%.*s'; its keys: %s%s", pattern->name, QUOTE(key),
                     known, causal_param.key);
}

static piece until(parser *p, const char *stops)
{
    piece found = {p->at, strcspn(p->at, stops)};
    p->at += found.length;
    return found;
}

/* A value: up to a comma, a space, or a parenthesis that it did not open. */
static piece value_text(parser *p)
{
    const char *begin = p->at;
    size_t depth = 0;
    for (; *p->at && !strchr(", \t", *p->at); p->at++) {
        if (*p->at == ')' && depth == 0)
            break;
        depth += *p->at == '(';
        depth -= *p->at == ')';
    }
    return (piece){begin, (size_t)(p->at - begin)};
}

static void skip_spaces(parser *p)
{
    p->at += strspn(p->at, " \t");
}

/* key=value, stored into the spec; values that depend on n are noted in *varies. */
static attn_status pair(parser *p, bool *varies)
{
    attn_spec *spec = p->spec;
    const char *name = spec->pattern->name;
    piece key = until(p, "=, \t()");
    if (*p->at != '=')
        return attn_fail(p->err, ATTN_EINVAL, "%s: '%.*s' where key=value should stand", name, QUOTE(key));
    p->at++;

    size_t index = 0, count = spec_param_count(spec->pattern);
    while (index < count &&
           !same(key, spec->pattern->params[index].key, strlen(spec->pattern->params[index].key)))
        index++;
    bool causal = index == count;
    if (causal && !same(key, causal_param.key, strlen(causal_param.key)))
        return unknown_key(p, key);
    if (causal ? p->causal_given : p->canonical[index] != NULL)
        return attn_fail(p->err, ATTN_EINVAL, "%s: %.*s is given twice", name, QUOTE(key));

    piece text = value_text(p);
    spec_value value;
    bool literal, constant;
    attn_status status = spec_parse_value(name, causal ? &causal_param : &spec->pattern->params[index],
                                          text.at, text.length, p->room, &value, &literal, &constant, p->err);
    if (status != ATTN_OK)
        return status;
    if (causal && !literal)
        return attn_fail(p->err, ATTN_EINVAL, "%s: causal=%.*s is neither 0 nor 1", name, QUOTE(text));
    if (causal) {
        p->causal_given = true;
        spec->causal = value.number == 1;
        return ATTN_OK;
    }
    spec->value[index] = value;
    spec->literal |= (uint32_t)literal << index;
    p->canonical[index] = p->room;
    p->room += strlen(p->room) + 1;
    *varies = *varies || !constant;
    return ATTN_OK;
}

/* What the user left out. */
static attn_status defaults(parser *p, bool *varies)
{
    attn_spec *spec = p->spec;
    for (size_t i = 0; i < spec_param_count(spec->pattern); i++) {
        const attn_param *param = &spec->pattern->params[i];
        if (p->canonical[i])
            continue;
        bool literal, constant;
        attn_status status =
            spec_parse_value(spec->pattern->name, param, param->fallback, strlen(param->fallback), p->room,
                             &spec->value[i], &literal, &constant, p->err);
        if (status != ATTN_OK)
            return status;
        p->room += strlen(p->room) + 1;
        *varies = *varies || !constant;
    }
    return ATTN_OK;
}

/* Asks the pattern about values that are the same for every n. */
static attn_status check(const parser *p)
{
    const attn_spec *spec = p->spec;
    size_t v[ATTN_MAX_PARAMS] = {0};
    for (size_t i = 0; i < spec_param_count(spec->pattern); i++) {
        const attn_param *param = &spec->pattern->params[i];
        v[i] = spec->value[i].number;
        attn_error why;
        if (spec->value[i].expression &&
            value_resolve(spec->value[i].expression, 1, param->min, param->max, &v[i], &why) != ATTN_OK)
            return attn_fail(p->err, ATTN_EINVAL, "%s: %s=%.60s: %s", spec->pattern->name, param->key,
                             spec->value[i].expression, why.message);
    }
    return spec->pattern->check(v, spec->literal, p->err);
}

/* :"...", which may be left out, as may all that follows. */
static attn_status expression(parser *p, char *separator)
{
    const char *text = EXPR_EXAMPLE;
    size_t length = strlen(text);
    if (*p->at == ':') {
        const char *colon = p->at++;
        skip_spaces(p);
        p->expression_given = *p->at == '"';
        if (p->expression_given) {
            text = p->at + 1;
            length = strcspn(text, "\"");
            if (!text[length])
                return attn_fail(p->err, ATTN_EINVAL, "expr: the quotes are not closed; it should be expr:\"...\"");
            p->at = text + length + 1;
            *separator = ',';
        } else if (strncmp(p->at, "causal=", 7) == 0) {
            p->at = colon;
        } else {
            piece rest = {p->at, strlen(p->at)};
            return attn_fail(p->err, ATTN_EINVAL, "expr: '%.*s' is not in quotes; it should be expr:\"i-j < 64\"",
                             QUOTE(rest));
        }
    }
    return expr_parse(&p->spec->expression, text, length, p->err);
}

/* :"FILE", which may not be left out. */
static attn_status file(parser *p, char *separator)
{
    const char *text = p->at + 1;
    size_t length = *p->at == ':' && *text == '"' ? strcspn(++text, "\"") : 0;
    if (!length || !text[length])
        return attn_fail(p->err, ATTN_EINVAL, "mask: a file in quotes is missing; it should be mask:\"FILE.npy\"");
    p->spec->file = strndup(text, length);
    p->at = text + length + 1;
    *separator = ',';
    return p->spec->file ? ATTN_OK : attn_fail(p->err, ATTN_ENOMEM, "out of memory");
}

static size_t characters_of_a_name(const char *text)
{
    return strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");
}

/* Whether a comma is followed by key=, rather than by another operand. */
static bool continues(const parser *p)
{
    const char *at = p->at + 1 + strspn(p->at + 1, " \t");
    const size_t name = characters_of_a_name(at);
    return !p->nested || *p->at != ',' || (name && at[name] == '=');
}

/* name[:key=value,...], name:"expression"[,key=value...] */
static attn_status simple(parser *p)
{
    attn_spec *spec = p->spec;
    piece name = {p->at, characters_of_a_name(p->at)};
    p->at += name.length;
    if (*p->at && !strchr(p->nested ? ":,) \t" : ": \t", *p->at)) {
        piece all = {p->text, strlen(p->text)};
        return attn_fail(p->err, ATTN_EINVAL,
                         memchr(all.at, '|', all.length) || memchr(all.at, '&', all.length)
                             ? "'%.*s' is not a known pattern; operators have a spec and a space on both sides: A | B"
                             : "'%.*s' is not a known pattern; a spec is name or name:key=value,...", QUOTE(all));
    }
    char buffer[QUOTED + 1];
    spec->pattern = p->as ? p->as : attn_pattern_find(terminated(name, buffer));
    if (!spec->pattern && same(name, attn_pattern_mask.name, strlen(attn_pattern_mask.name)))
        spec->pattern = &attn_pattern_mask; /* not registered: it says nothing without a file */
    if (!spec->pattern)
        return unknown_name(p, name);

    bool varies = false;
    char separator = ':';
    attn_status status = spec->pattern == &attn_pattern_expr   ? expression(p, &separator)
                         : spec->pattern == &attn_pattern_mask ? file(p, &separator)
                                                               : ATTN_OK;
    for (; status == ATTN_OK && *p->at == separator && continues(p); separator = ',') {
        p->at++;
        skip_spaces(p);
        status = pair(p, &varies);
    }
    if (status == ATTN_OK)
        status = defaults(p, &varies);
    return status == ATTN_OK && spec->pattern->check && !varies ? check(p) : status;
}

/* Canonical text: the keys the user wrote, in the descriptor's order. Causal is what a spec is anyway. */
static void write_text(const parser *p)
{
    const attn_spec *spec = p->spec;
    char *at = spec->text, separator = ':';
    at = stpcpy(at, spec->pattern->name);
    if (p->expression_given) {
        at = stpcpy(stpcpy(stpcpy(at, ":\""), expr_text(spec->expression)), "\"");
        separator = ',';
    }
    if (spec->file) {
        at = stpcpy(stpcpy(stpcpy(at, ":\""), spec->file), "\"");
        separator = ',';
    }
    for (size_t i = 0; i < spec_param_count(spec->pattern); i++) {
        if (!p->canonical[i])
            continue;
        *at++ = separator;
        at = stpcpy(stpcpy(stpcpy(at, spec->pattern->params[i].key), "="), p->canonical[i]);
        separator = ',';
    }
    if (!spec->causal) {
        *at++ = separator;
        stpcpy(at, "causal=0");
    }
}

attn_status spec_parse_simple(attn_spec **out, const attn_pattern *pattern, const char **text, bool nested, attn_error *err)
{
    *out = NULL;
    attn_spec *spec = calloc(1, sizeof *spec);
    if (!spec)
        return attn_fail(err, ATTN_ENOMEM, "out of memory");
    parser p = {.text = *text, .at = *text, .as = pattern, .spec = spec, .nested = nested, .err = err};
    attn_status status;
    *spec = (attn_spec){.causal = true};
    /* Values and defaults, with a terminator each; a default is not part of the text, hence its bound. */
    const size_t length = strlen(*text), room = SPEC_GROWTH * (length + ATTN_MAX_PARAMS * 128) + 2 * ATTN_MAX_PARAMS;
    spec->storage = malloc(room);
    spec->text = malloc(room + length);
    if (!spec->storage || !spec->text) {
        status = attn_fail(err, ATTN_ENOMEM, "out of memory");
        goto cleanup;
    }
    p.room = spec->storage;
    status = simple(&p);
    if (status != ATTN_OK)
        goto cleanup;
    write_text(&p);
    *text = p.at;
    *out = spec;
    spec = NULL;

cleanup:
    attn_spec_destroy(spec);
    return status;
}

void attn_spec_destroy(attn_spec *spec)
{
    if (!spec)
        return;
    expr_destroy(spec->expression);
    free(spec->file);
    compose_destroy(spec->composed);
    free(spec->text);
    free(spec->storage);
    free(spec);
}

const char *attn_spec_text(const attn_spec *spec)
{
    return spec->text;
}

const attn_pattern *attn_spec_pattern(const attn_spec *spec)
{
    return spec->pattern;
}
