/* Expressions: text to nodes.
 *
 * Precedence climbing over a table of C's binary operators; calls, parentheses, signs and ?: recurse, to
 * EXPR_DEPTH. Nodes are made bottom up and equal ones found again, so `i - j` written twice is computed once.
 * The canonical text is written on the way, token by token. */
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/suggest.h"
#include "patterns/expr_parts.h"

enum { QUOTED = 24 }; /* bytes of the user's text in a message */

typedef struct parser {
    const char *text, *at, *end;
    expr *e;
    size_t used; /* bytes of canonical text */
    int depth;
    attn_error *err;
    attn_status status; /* of the first failure; later ones change nothing */
} parser;

static const struct binary {
    const char *sign;
    unsigned precedence; /* of C, higher binds tighter */
    expr_op op;
    bool swap;        /* operands change places */
    const char *text; /* canonical */
} binaries[] = {
    /* a sign that begins another stands after it */
    {"||", 1, EXPR_ANY, false, " || "}, {"&&", 2, EXPR_ALL, false, " && "},
    {"|", 3, EXPR_OR, false, " | "},    {"^", 4, EXPR_XOR, false, " ^ "},
    {"&", 5, EXPR_AND, false, " & "},   {"==", 6, EXPR_EQ, false, " == "},
    {"!=", 6, EXPR_NE, false, " != "},  {"<<", 8, EXPR_SHL, false, " << "},
    {">>", 8, EXPR_SHR, false, " >> "}, {"<=", 7, EXPR_LE, false, " <= "},
    {">=", 7, EXPR_LE, true, " >= "},   {"<", 7, EXPR_LT, false, " < "},
    {">", 7, EXPR_LT, true, " > "},     {"+", 9, EXPR_ADD, false, " + "},
    {"-", 9, EXPR_SUB, false, " - "},   {"*", 10, EXPR_MUL, false, " * "},
    {"//", 10, EXPR_DIV, false, " / "}, {"/", 10, EXPR_DIV, false, " / "},
    {"%", 10, EXPR_MOD, false, " % "},
};

static const struct function {
    const char *name;
    expr_op op;
    bool fold; /* takes two or more: f(f(a, b), c) */
} functions[] = {{"min", EXPR_MIN, true}, {"max", EXPR_MAX, true}, {"abs", EXPR_ABS, false}};

static const struct variable {
    char name;
    expr_op op;
    uint8_t uses;
} variables[] = {{'i', EXPR_I, EXPR_USES_I},
                 {'j', EXPR_J, EXPR_USES_J},
                 {'n', EXPR_N, EXPR_USES_N},
                 {'h', EXPR_H, EXPR_USES_H}};

#define COUNT(table) (sizeof table / sizeof *table)

/* ---- messages ---- */

/* "expr: column 7: ..." */
static uint16_t fail(parser *p, const char *where, const char *format, ...) ATTN_PRINTF(3, 4);
static uint16_t fail(parser *p, const char *where, const char *format, ...)
{
    if (p->status != ATTN_OK)
        return 0;
    char what[300];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    p->status = attn_fail(p->err, ATTN_EINVAL, "expr: column %zu: %s", (size_t)(where - p->text) + 1, what);
    return 0;
}

/* What stands at p->at, quoted for a message. */
static const char *here(const parser *p, char out[QUOTED + 16])
{
    size_t left = (size_t)(p->end - p->at), length = 0;
    if (left == 0)
        return strcpy(out, "the end");
    unsigned char first = (unsigned char)*p->at;
    if (first < ' ' || first > '~') {
        snprintf(out, QUOTED + 16, "byte 0x%02x", first);
        return out;
    }
    if (isalnum(first) || first == '_')
        while (length < left && length < QUOTED &&
               (isalnum((unsigned char)p->at[length]) || p->at[length] == '_'))
            length++;
    else
        length = 1;
    snprintf(out, QUOTED + 16, "'%.*s'", (int)length, p->at);
    return out;
}

/* ---- canonical text ---- */

/* Every token's canonical text is at most four times as long as what was written: "m" is six digits more than
 * the one it follows at least, and binary signs gain two spaces. */
static void put(parser *p, const char *text)
{
    size_t length = strlen(text);
    memcpy(p->e->text + p->used, text, length + 1);
    p->used += length;
}

/* ---- nodes ---- */

static unsigned operands_of(expr_op op)
{
    return op <= EXPR_H ? 0 : op <= EXPR_ABS ? 1 : op == EXPR_COND ? 3 : 2;
}

static bool always_boolean(const expr *e, const expr_node *node)
{
    switch (node->op) {
    case EXPR_CONST: return node->value == 0 || node->value == 1;
    case EXPR_LT:
    case EXPR_LE:
    case EXPR_EQ:
    case EXPR_NE:
    case EXPR_ALL:
    case EXPR_ANY: return true;
    case EXPR_AND:
    case EXPR_XOR:
    case EXPR_OR:
    case EXPR_MIN:
    case EXPR_MAX: return e->node[node->a].boolean && e->node[node->b].boolean;
    case EXPR_COND: return e->node[node->b].boolean && e->node[node->c].boolean;
    default: return false;
    }
}

static uint16_t add(parser *p, expr_node node, const char *where)
{
    expr *e = p->e;
    if (p->status != ATTN_OK)
        return 0;
    const uint16_t operand[3] = {node.a, node.b, node.c};
    for (unsigned k = 0; k < operands_of(node.op); k++)
        node.uses |= e->node[operand[k]].uses;
    node.boolean = always_boolean(e, &node);
    node.column = (uint32_t)(where - p->text) + 1;
    for (size_t k = 0; k < e->count; k++) {
        const expr_node *known = &e->node[k];
        if (known->op == node.op && known->a == node.a && known->b == node.b && known->c == node.c &&
            known->value == node.value)
            return (uint16_t)k;
    }
    if (e->count == EXPR_NODES)
        return fail(p, where, "more than %d different operations and operands", EXPR_NODES);
    e->node[e->count] = node;
    return (uint16_t)e->count++;
}

static uint16_t constant(parser *p, int64_t value, const char *where)
{
    return add(p, (expr_node){.op = EXPR_CONST, .value = value}, where);
}

static uint16_t operation(parser *p, expr_op op, uint16_t a, uint16_t b, const char *where)
{
    const expr_node *x = &p->e->node[a], *y = &p->e->node[b];
    bool bits = x->op == EXPR_AND || x->op == EXPR_XOR || x->op == EXPR_OR;
    if (op == EXPR_AND && bits && y->op == EXPR_CONST &&
        p->status == ATTN_OK) { /* (i ^ j) & 4: few bits of j */
        expr_op outer = x->op;
        uint16_t left = x->a, right = x->b;
        left = operation(p, EXPR_AND, left, b, where);
        return operation(p, outer, left, operation(p, EXPR_AND, right, b, where), where);
    }
    return add(p, (expr_node){.op = (uint8_t)op, .a = a, .b = b}, where);
}

/* As a condition: 0 or 1. */
static uint16_t truth(parser *p, uint16_t a, const char *where)
{
    if (p->status != ATTN_OK || p->e->node[a].boolean)
        return a;
    return operation(p, EXPR_NE, a, constant(p, 0, where), where);
}

/* ---- the grammar ---- */

static uint16_t parse_whole(parser *p);
static uint16_t parse_unary(parser *p);

static void skip_spaces(parser *p)
{
    while (p->at < p->end && (*p->at == ' ' || *p->at == '\t' || *p->at == '\n'))
        p->at++;
}

static bool take(parser *p, char c)
{
    skip_spaces(p);
    if (p->status != ATTN_OK || p->at == p->end || *p->at != c)
        return false;
    p->at++;
    return true;
}

static bool enter(parser *p, const char *where)
{
    if (++p->depth <= EXPR_DEPTH)
        return p->status == ATTN_OK;
    fail(p, where, "nested more than %d deep", EXPR_DEPTH);
    return false;
}

/* 12, 4k, 1m, 0x7f */
static uint16_t parse_number(parser *p)
{
    const char *where = p->at;
    bool hex = p->end - p->at > 2 && p->at[0] == '0' && (p->at[1] == 'x' || p->at[1] == 'X');
    unsigned base = hex ? 16 : 10;
    p->at += hex ? 2 : 0;
    const char *digits = p->at;
    int64_t value = 0;
    bool large = false;
    for (; p->at < p->end && (hex ? isxdigit((unsigned char)*p->at) : isdigit((unsigned char)*p->at));
         p->at++) {
        int digit =
            isdigit((unsigned char)*p->at) ? *p->at - '0' : (tolower((unsigned char)*p->at) - 'a') + 10;
        large = large || __builtin_mul_overflow(value, (int64_t)base, &value) ||
                __builtin_add_overflow(value, (int64_t)digit, &value) || value > EXPR_LIMIT;
    }
    if (!hex && p->at - digits > 1 && *digits == '0')
        return fail(p, where, "a number begins with 0; write it without, or in hexadecimal as 0x...");
    if (!hex && p->at < p->end && (*p->at == 'k' || *p->at == 'm'))
        large = large || __builtin_mul_overflow(value, INT64_C(1) << (*p->at++ == 'k' ? 10 : 20), &value) ||
                value > EXPR_LIMIT;
    if (p->at == digits || (p->at < p->end && (isalnum((unsigned char)*p->at) || *p->at == '_'))) {
        char found[QUOTED + 16];
        p->at = where;
        return fail(p, where, "%s is not an integer", here(p, found));
    }
    if (large) {
        char found[QUOTED + 16];
        p->at = where;
        return fail(p, where, "%s is larger than 2^62", here(p, found));
    }
    char text[24];
    snprintf(text, sizeof text, "%lld", (long long)value);
    put(p, text);
    return constant(p, value, where);
}

static uint16_t parse_call(parser *p, const struct function *f, const char *where)
{
    put(p, f->name);
    if (!take(p, '('))
        return fail(p, p->at, "'(' should follow %s", f->name);
    put(p, "(");
    if (!enter(p, where))
        return 0;
    uint16_t result = parse_whole(p);
    size_t count = 1;
    while (take(p, ',')) {
        put(p, ", ");
        uint16_t next = parse_whole(p);
        result = f->fold ? operation(p, f->op, result, next, where) : result;
        count++;
    }
    char found[QUOTED + 16];
    skip_spaces(p);
    if (!take(p, ')'))
        return fail(p, p->at, "%s where ',' or the ')' of %s should stand", here(p, found), f->name);
    put(p, ")");
    p->depth--;
    if (f->fold ? count < 2 : count != 1)
        return fail(p, where, "%s takes %s, here are %zu", f->name,
                    f->fold ? "two values or more" : "one value", count);
    return f->fold ? result : operation(p, f->op, result, 0, where);
}

static uint16_t parse_name(parser *p)
{
    const char *where = p->at;
    size_t length = 0;
    while (p->at + length < p->end && (isalnum((unsigned char)where[length]) || where[length] == '_'))
        length++;
    for (size_t v = 0; v < COUNT(variables); v++)
        if (length == 1 && *where == variables[v].name) {
            p->at++;
            put(p, (char[]){variables[v].name, '\0'});
            return add(p, (expr_node){.op = (uint8_t)variables[v].op, .uses = variables[v].uses}, where);
        }
    char given[QUOTED + 1] = "";
    if (length <= QUOTED)
        memcpy(given, where, length);
    suggestion nearest = {.word = given};
    for (size_t f = 0; f < COUNT(functions); f++) {
        if (strcmp(given, functions[f].name) == 0) {
            p->at += length;
            return parse_call(p, &functions[f], where);
        }
        suggest_offer(&nearest, functions[f].name);
    }
    char found[QUOTED + 16];
    if (nearest.best)
        return fail(p, where, "unknown name %s; did you mean '%s'?", here(p, found), nearest.best);
    return fail(p, where, "unknown name %s; known are i, j, n, h, min, max and abs", here(p, found));
}

static uint16_t parse_operand(parser *p)
{
    skip_spaces(p);
    const char *where = p->at;
    char found[QUOTED + 16];
    if (take(p, '(')) {
        put(p, "(");
        if (!enter(p, where))
            return 0;
        uint16_t inner = parse_whole(p);
        skip_spaces(p);
        if (!take(p, ')'))
            return fail(p, p->at, "%s where the ')' of column %zu should stand", here(p, found),
                        (size_t)(where - p->text) + 1);
        put(p, ")");
        p->depth--;
        return inner;
    }
    if (p->at < p->end && isdigit((unsigned char)*p->at))
        return parse_number(p);
    if (p->at < p->end && (isalpha((unsigned char)*p->at) || *p->at == '_'))
        return parse_name(p);
    return fail(p, p->at, "%s where a value should stand", here(p, found));
}

static uint16_t parse_unary(parser *p)
{
    skip_spaces(p);
    const char *where = p->at;
    const char sign[2] = {p->at < p->end && strchr("-+!~", *p->at) ? *p->at : '\0', '\0'};
    if (p->status != ATTN_OK || !sign[0])
        return parse_operand(p);
    p->at++;
    put(p, sign);
    if (!enter(p, where))
        return 0;
    uint16_t a = parse_unary(p);
    p->depth--;
    switch (sign[0]) {
    case '-': return operation(p, EXPR_NEGATE, a, 0, where);
    case '~': return operation(p, EXPR_FLIP, a, 0, where);
    case '!': return operation(p, EXPR_EQ, truth(p, a, where), constant(p, 0, where), where);
    default: return a;
    }
}

/* The binary operator here, or NULL. */
static const struct binary *binary_here(parser *p)
{
    skip_spaces(p);
    for (size_t k = 0; k < COUNT(binaries); k++) {
        size_t length = strlen(binaries[k].sign);
        if ((size_t)(p->end - p->at) >= length && memcmp(p->at, binaries[k].sign, length) == 0)
            return &binaries[k];
    }
    return NULL;
}

static uint16_t parse_binary(parser *p, unsigned lowest)
{
    uint16_t left = parse_unary(p);
    const struct binary *binary;
    while (p->status == ATTN_OK && (binary = binary_here(p)) != NULL && binary->precedence >= lowest) {
        const char *where = p->at;
        p->at += strlen(binary->sign);
        put(p, binary->text);
        uint16_t right = parse_binary(p, binary->precedence + 1);
        if (binary->op == EXPR_ALL || binary->op == EXPR_ANY) {
            left = truth(p, left, where);
            right = truth(p, right, where);
        }
        left = operation(p, binary->op, binary->swap ? right : left, binary->swap ? left : right, where);
    }
    return left;
}

static uint16_t parse_whole(parser *p)
{
    uint16_t condition = parse_binary(p, 1);
    const char *where = p->at;
    if (!take(p, '?'))
        return condition;
    put(p, " ? ");
    if (!enter(p, where))
        return 0;
    condition = truth(p, condition, where);
    uint16_t yes = parse_whole(p);
    char found[QUOTED + 16];
    skip_spaces(p);
    if (!take(p, ':'))
        return fail(p, p->at, "%s where the ':' of the '?' of column %zu should stand", here(p, found),
                    (size_t)(where - p->text) + 1);
    put(p, " : ");
    uint16_t no = parse_whole(p);
    p->depth--;
    return add(p, (expr_node){.op = EXPR_COND, .a = condition, .b = yes, .c = no}, where);
}

/* Leaves out the nodes that the whole does not need; it becomes the last. */
static void keep_needed(expr *e, uint16_t whole)
{
    bool needed[EXPR_NODES] = {false};
    uint16_t now[EXPR_NODES] = {0};
    needed[whole] = true;
    for (size_t k = (size_t)whole + 1; k-- > 0;) {
        const expr_node *node = &e->node[k];
        const uint16_t operand[3] = {node->a, node->b, node->c};
        for (unsigned o = 0; needed[k] && o < operands_of(node->op); o++)
            needed[operand[o]] = true;
    }
    e->count = 0;
    for (size_t k = 0; k <= whole; k++) {
        if (!needed[k])
            continue;
        expr_node node = e->node[k];
        node.a = now[node.a];
        node.b = now[node.b];
        node.c = now[node.c];
        now[k] = (uint16_t)e->count;
        e->node[e->count++] = node;
    }
}

attn_status expr_parse(expr **out, const char *text, size_t length, attn_error *err)
{
    *out = NULL;
    if (length > EXPR_LONGEST)
        return attn_fail(err, ATTN_EINVAL, "expr: the expression is longer than %d bytes", EXPR_LONGEST);
    expr *e = calloc(1, sizeof *e);
    if (e)
        e->text = calloc(4 * length + 1, 1);
    if (!e || !e->text) {
        expr_destroy(e);
        return attn_fail(err, ATTN_ENOMEM, "out of memory");
    }
    parser p = {.text = text, .at = text, .end = text + length, .e = e, .err = err, .status = ATTN_OK};
    skip_spaces(&p);
    if (p.at == p.end)
        fail(&p, p.at, "the expression is empty; it should be such as i - j < 64");
    uint16_t whole = parse_whole(&p);
    skip_spaces(&p);
    if (p.at < p.end) {
        char found[QUOTED + 16];
        bool assignment = *p.at == '=';
        fail(&p, p.at, "%s where an operator should stand%s", here(&p, found),
             assignment ? "; equality is ==" : "");
    }
    whole = truth(&p, whole, text);
    if (p.status != ATTN_OK) {
        expr_destroy(e);
        return p.status;
    }
    keep_needed(e, whole);
    *out = e;
    return ATTN_OK;
}

void expr_destroy(expr *e)
{
    if (!e)
        return;
    free(e->text);
    free(e);
}

const char *expr_text(const expr *e)
{
    return e->text;
}

bool expr_per_head(const expr *e)
{
    return e->node[e->count - 1].uses & EXPR_USES_H;
}
