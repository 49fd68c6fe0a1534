/* The grammar of composed specs (attn/spec.h), by recursive descent, bounded in depth and size.
 *
 *   sum     = product { (" | " | " - ") product }
 *   product = unary { " & " unary }
 *   unary   = "~" unary | "(" sum ")" | function "(" argument { "," argument } ")" | simple
 *
 * Operators have a space on both sides, so that they stay apart from arithmetic in values, which has none. */
#include <stdlib.h>
#include <string.h>

#include "base/suggest.h"
#include "patterns/spec_parts.h"

typedef struct parser {
    const char *text, *at;
    size_t depth, leaves;
    size_t inside; /* parentheses open */
    attn_error *err;
} parser;

#define QUOTE(at) (int)strnlen(at, SPEC_QUOTED), (at)
static size_t column(const parser *p) { return (size_t)(p->at - p->text) + 1; }
static void skip_spaces(parser *p) { p->at += strspn(p->at, " \t"); }

static attn_status no_memory(const parser *p) { return attn_fail(p->err, ATTN_ENOMEM, "out of memory"); }

/* ---- nodes ---- */

void compose_destroy(composition *c)
{
    if (!c)
        return;
    for (size_t k = 0; k < c->count; k++)
        attn_spec_destroy(c->of[k]);
    free(c->of);
    free(c->times);
    free(c);
}

/* A composition without parts, with room for some. */
static composition *new_composition(compose_kind kind, size_t room)
{
    composition *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    *c = (composition){.kind = kind, .of = calloc(room, sizeof *c->of), .times = calloc(room, sizeof *c->times)};
    if (!c->of || !c->times) {
        compose_destroy(c);
        return NULL;
    }
    return c;
}

static void add_part(composition *c, attn_spec *part, size_t times)
{
    c->of[c->count] = part;
    c->times[c->count++] = times;
}

/* Takes c over, also when it fails. */
static attn_status as_spec(attn_spec **out, const parser *p, composition *c)
{
    const char *texts[COMPOSE_PARTS];
    const composition *as[COMPOSE_PARTS];
    for (size_t k = 0; k < c->count; k++) {
        texts[k] = c->of[k]->text;
        as[k] = c->of[k]->composed;
        if (as[k] && as[k]->kind == COMPOSE_LAYERS_OF && c->kind != COMPOSE_HOPS) {
            compose_destroy(c);
            return attn_fail(p->err, ATTN_EINVAL, "column %zu: layers(...) is part of another spec; it has to be the outermost, or within hops(...)", column(p));
        }
    }
    c->depth = 1;
    for (size_t k = 0; k < c->count; k++)
        if (as[k] && as[k]->depth >= c->depth)
            c->depth = as[k]->depth + 1;
    if (c->depth > COMPOSE_DEPTH) {
        compose_destroy(c);
        return attn_fail(p->err, ATTN_EINVAL, "column %zu: more than %d operators are within each other or in a row", column(p), COMPOSE_DEPTH);
    }
    attn_spec *spec = calloc(1, sizeof *spec);
    if (spec)
        *spec = (attn_spec){.pattern = &attn_pattern_composed, .composed = c, .causal = compose_causal(c),
                            .text = compose_write(c, texts, as)};
    else
        compose_destroy(c);
    if (!spec || !spec->text) {
        attn_spec_destroy(spec);
        return no_memory(p);
    }
    *out = spec;
    return ATTN_OK;
}

/* Two operands, taken over, as one. */
static attn_status join(attn_spec **left, const parser *p, compose_kind kind, attn_spec *right)
{
    composition *c = new_composition(kind, 2);
    if (!c) {
        attn_spec_destroy(right);
        return no_memory(p);
    }
    add_part(c, *left, 1);
    add_part(c, right, 1);
    *left = NULL;
    return as_spec(left, p, c);
}

/* ---- functions ---- */

static const struct function {
    const char *name;
    compose_kind kind;
    bool many;         /* any number of operands, else one */
    const char *number, *takes; /* what a number behind it says; how it is written */
} functions[] = {
    {"heads", COMPOSE_HEADS, true, NULL, "heads(A, B, ...)"},
    {"layers", COMPOSE_LAYERS_OF, true, NULL, "layers(A, 3*B, ...)"},
    {"blocks", COMPOSE_BLOCKS, false, "rows and keys of a block", "blocks(A, 64)"},
    {"shift", COMPOSE_SHIFT, false, "how many keys earlier", "shift(A, 16)"},
    {"transpose", COMPOSE_TRANSPOSE, false, NULL, "transpose(A)"},
    {"hops", COMPOSE_HOPS, false, "how many steps", "hops(A, 2)"},
};
enum { FUNCTIONS = sizeof functions / sizeof functions[0] };

static attn_status sum(parser *p, attn_spec **out);

/* An integer, with k or m behind it. */
static attn_status number(parser *p, const char *what, size_t *out)
{
    const char *begin = p->at;
    size_t value = 0;
    for (; *p->at >= '0' && *p->at <= '9' && value <= ATTN_MAX_N; p->at++)
        value = value * 10 + (size_t)(*p->at - '0');
    const size_t unit = *p->at == 'k' ? 1024 : *p->at == 'm' ? 1048576 : 1;
    p->at += unit > 1;
    if (begin == p->at || value == 0 || value > ATTN_MAX_N / unit)
        return attn_fail(p->err, ATTN_EINVAL, "column %zu: '%.*s' where a number should stand, %s: 1 to %zu",
                         (size_t)(begin - p->text) + 1, QUOTE(begin), what, ATTN_MAX_N);
    *out = value * unit;
    return ATTN_OK;
}

static attn_status expect(parser *p, char c, const char *after)
{
    skip_spaces(p);
    if (*p->at != c)
        return attn_fail(p->err, ATTN_EINVAL, "column %zu: '%c' should stand after %s%s%.*s%s", column(p), c, after,
                         *p->at ? ", not '" : "", QUOTE(p->at), *p->at ? "'" : "");
    p->at++;
    return ATTN_OK;
}

/* 3*A, or A. */
static attn_status operand(parser *p, const struct function *f, composition *c)
{
    size_t times = 1;
    attn_spec *part = NULL;
    attn_status status = ATTN_OK;
    skip_spaces(p);
    if (f->kind == COMPOSE_LAYERS_OF && *p->at >= '0' && *p->at <= '9') {
        status = number(p, "layers in a row", &times);
        if (status == ATTN_OK && times > COMPOSE_LAYERS)
            status = attn_fail(p->err, ATTN_EINVAL, "%zu layers in a row are more than %d", times, COMPOSE_LAYERS);
        if (status == ATTN_OK)
            status = expect(p, '*', "the number of layers");
    }
    if (status == ATTN_OK)
        status = sum(p, &part);
    if (status == ATTN_OK)
        add_part(c, part, times);
    return status;
}

static attn_status call(parser *p, const struct function *f, attn_spec **out)
{
    composition *c = new_composition(f->kind, COMPOSE_PARTS);
    attn_status status = c ? ATTN_OK : no_memory(p);
    p->at++;
    p->inside++;
    for (bool more = true; more && status == ATTN_OK;) {
        if (c->count == COMPOSE_PARTS)
            status = attn_fail(p->err, ATTN_EINVAL, "%s(...) has more than %d operands", f->name, COMPOSE_PARTS);
        else
            status = operand(p, f, c);
        skip_spaces(p);
        more = status == ATTN_OK && f->many && *p->at == ',';
        p->at += more;
    }
    if (status == ATTN_OK && f->number) {
        status = *p->at == ',' ? ATTN_OK : attn_fail(p->err, ATTN_EINVAL, "%s(...) lacks a number, %s: it should be %s", f->name,
                                                     f->number, f->takes);
        p->at += status == ATTN_OK;
        skip_spaces(p);
        if (status == ATTN_OK)
            status = number(p, f->number, &c->number);
    }
    if (status == ATTN_OK && f->kind == COMPOSE_HOPS && c->number > COMPOSE_LAYERS)
        status = attn_fail(p->err, ATTN_EINVAL, "%zu hops are more than %d", c->number, COMPOSE_LAYERS);
    if (status == ATTN_OK)
        status = expect(p, ')', f->takes);
    p->inside--;
    if (status != ATTN_OK) {
        compose_destroy(c);
        return status;
    }
    return as_spec(out, p, c);
}

/* ---- operators ---- */

static attn_status simple(parser *p, attn_spec **out)
{
    if (++p->leaves > COMPOSE_LEAVES)
        return attn_fail(p->err, ATTN_EINVAL, "the spec has more than %d patterns", COMPOSE_LEAVES);
    return spec_parse_simple(out, NULL, &p->at, p->inside > 0, p->err);
}

static attn_status unary(parser *p, attn_spec **out)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz";
    attn_status status;
    skip_spaces(p);
    if (++p->depth > COMPOSE_DEPTH)
        return attn_fail(p->err, ATTN_EINVAL, "column %zu: operators and parentheses are nested more than %d deep", column(p), COMPOSE_DEPTH);
    const size_t word = strspn(p->at, letters);
    if (!*p->at || *p->at == ')' || *p->at == ',') {
        status = attn_fail(p->err, ATTN_EINVAL, "column %zu: a pattern is missing%s%.1s%s", column(p), *p->at ? " before '" : " at the end",
                           p->at, *p->at ? "'" : "");
    } else if (*p->at == '~') {
        attn_spec *part = NULL;
        p->at++;
        status = unary(p, &part);
        composition *c = status == ATTN_OK ? new_composition(COMPOSE_NOT, 1) : NULL;
        if (c) {
            add_part(c, part, 1);
            status = as_spec(out, p, c);
        } else if (status == ATTN_OK) {
            attn_spec_destroy(part);
            status = no_memory(p);
        }
    } else if (*p->at == '(') {
        p->at++;
        p->inside++;
        status = sum(p, out);
        if (status == ATTN_OK)
            status = expect(p, ')', "the pattern in parentheses");
        p->inside--;
        if (status != ATTN_OK) {
            attn_spec_destroy(*out);
            *out = NULL;
        }
    } else if (word && p->at[word] == '(') {
        suggestion nearest = {.word = ""};
        char given[SPEC_QUOTED + 1] = "";
        memcpy(given, p->at, word < SPEC_QUOTED ? word : 0);
        nearest.word = given;
        for (size_t f = 0; f < FUNCTIONS; f++) {
            if (strcmp(functions[f].name, given) == 0) {
                p->at += word;
                status = call(p, &functions[f], out);
                p->depth--;
                return status;
            }
            suggest_offer(&nearest, functions[f].name);
        }
        status = attn_fail(p->err, ATTN_EINVAL, "column %zu: '%s(' is no function of patterns; %s%s%s", column(p), given,
                           nearest.best ? "did you mean '" : "known: heads, layers, blocks, shift, transpose, hops",
                           nearest.best ? nearest.best : "", nearest.best ? "'?" : "");
    } else {
        status = simple(p, out);
    }
    p->depth--;
    return status;
}

/* The operator that comes next, if it is one of `wanted`; spaces on both sides are part of it. '\0': none. */
static attn_status operator_ahead(parser *p, const char *wanted, char *found)
{
    const bool space_before = *p->at == ' ' || *p->at == '\t';
    *found = '\0';
    const char *at = p->at + strspn(p->at, " \t");
    if (!*at || !strchr(wanted, *at))
        return ATTN_OK;
    if (!space_before || (at[1] && at[1] != ' ' && at[1] != '\t'))
        return attn_fail(p->err, ATTN_EINVAL, "column %zu: set operators have a space on both sides: A %c B", (size_t)(at - p->text) + 1, *at);
    *found = *at;
    p->at = at + 1;
    return ATTN_OK;
}

static attn_status product(parser *p, attn_spec **out)
{
    char found = '\0';
    attn_status status = unary(p, out);
    if (status == ATTN_OK)
        status = operator_ahead(p, "&", &found);
    while (status == ATTN_OK && found) {
        attn_spec *right = NULL;
        status = unary(p, &right);
        if (status == ATTN_OK)
            status = join(out, p, COMPOSE_AND, right);
        if (status == ATTN_OK)
            status = operator_ahead(p, "&", &found);
    }
    if (status != ATTN_OK) {
        attn_spec_destroy(*out);
        *out = NULL;
    }
    return status;
}

static attn_status sum(parser *p, attn_spec **out)
{
    char found = '\0';
    *out = NULL;
    attn_status status = product(p, out);
    if (status == ATTN_OK)
        status = operator_ahead(p, "|-", &found);
    while (status == ATTN_OK && found) {
        attn_spec *right = NULL;
        const compose_kind kind = found == '|' ? COMPOSE_OR : COMPOSE_MINUS;
        status = product(p, &right);
        if (status == ATTN_OK)
            status = join(out, p, kind, right);
        if (status == ATTN_OK)
            status = operator_ahead(p, "|-", &found);
    }
    if (status != ATTN_OK) {
        attn_spec_destroy(*out);
        *out = NULL;
    }
    return status;
}

/* ---- specs ---- */

static attn_status refuse_rest(const parser *p)
{
    return attn_fail(p->err, ATTN_EINVAL, "'%.*s' is not a known pattern: unexpected '%.*s' at column %zu", QUOTE(p->text), QUOTE(p->at),
                     column(p));
}

static attn_status check_text(const char *text, attn_error *err)
{
    if (strnlen(text, SPEC_LONGEST + 1) > SPEC_LONGEST)
        return attn_fail(err, ATTN_EINVAL, "spec '%.40s...' is longer than %d bytes", text, SPEC_LONGEST);
    if (!text[strspn(text, " \t")])
        return attn_fail(err, ATTN_EINVAL, "the spec is empty; it should be a pattern's name, such as dense");
    return ATTN_OK;
}

static attn_status finish(const parser *p, attn_spec **out, attn_status status)
{
    if (status == ATTN_OK && p->at[strspn(p->at, " \t")])
        status = refuse_rest(p);
    if (status != ATTN_OK) {
        attn_spec_destroy(*out);
        *out = NULL;
    }
    return status;
}

attn_status attn_spec_parse(attn_spec **out, const char *text, attn_error *err)
{
    parser p = {.text = text, .at = text, .err = err};
    *out = NULL;
    attn_status status = check_text(text, err);
    if (status != ATTN_OK)
        return status;
    status = sum(&p, out);
    skip_spaces(&p);
    return finish(&p, out, status);
}

attn_status spec_parse_as(attn_spec **out, const attn_pattern *pattern, const char *text, attn_error *err)
{
    parser p = {.text = text, .at = text, .err = err};
    *out = NULL;
    attn_status status = check_text(text, err);
    if (status != ATTN_OK)
        return status;
    skip_spaces(&p);
    status = spec_parse_simple(out, pattern, &p.at, false, err);
    skip_spaces(&p);
    return finish(&p, out, status);
}

size_t attn_spec_layers(const attn_spec *spec)
{
    size_t layers = 0;
    if (!spec->composed || spec->composed->kind != COMPOSE_LAYERS_OF)
        return 1;
    for (size_t k = 0; k < spec->composed->count; k++)
        layers += spec->composed->times[k];
    return layers;
}

const attn_spec *attn_spec_layer(const attn_spec *spec, size_t layer)
{
    const composition *c = spec->composed;
    if (!c || c->kind != COMPOSE_LAYERS_OF)
        return layer == 0 ? spec : NULL;
    for (size_t k = 0; k < c->count; k++) {
        if (layer < c->times[k])
            return c->of[k];
        layer -= c->times[k];
    }
    return NULL;
}
