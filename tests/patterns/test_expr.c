/* Expressions: what they mean, where they are refused, and rows against the definition. The meaning is
 * written down a second time here: random trees are evaluated while they are written as text. */
#include <criterion/criterion.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "attn/layout.h"
#include "patterns/expr.h"

enum { NK = 320 };

static expr *parse(const char *text)
{
    attn_error err;
    expr *e;
    cr_assert(expr_parse(&e, text, strlen(text), &err) == ATTN_OK, "%s: %s", text, err.message);
    return e;
}

static expr_bound *at_sizes(const char *text, size_t nk, size_t heads, bool causal)
{
    attn_error err;
    expr *e = parse(text);
    expr_bound *b;
    cr_assert(expr_bind(&b, e, nk, heads, causal, &err) == ATTN_OK, "%s: %s", text, err.message);
    expr_destroy(e);
    return b;
}

/* ---- text ---- */

Test(expr, canonical_text)
{
    static const struct {
        const char *text, *canonical;
    } cases[] = {
        {"1", "1"},
        {" i-j<64||j%128>=120 ", "i - j < 64 || j % 128 >= 120"},
        {"4k+1m", "4096 + 1048576"},
        {"0x10", "16"},
        {"i//2", "i / 2"},
        {"min( i,j ,3 )", "min(i, j, 3)"},
        {"-  -i", "--i"},
        {"!i?~j:+n", "!i ? ~j : +n"},
        {"(((i)))", "(((i)))"},
        {"i<<1>>2&3|4^5", "i << 1 >> 2 & 3 | 4 ^ 5"},
        {"abs(h)!=1&&i==j", "abs(h) != 1 && i == j"},
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        expr *e = parse(cases[c].text), *again = parse(expr_text(e));
        cr_assert(strcmp(expr_text(e), cases[c].canonical) == 0, "'%s' becomes '%s'", cases[c].text,
                  expr_text(e));
        cr_assert(strcmp(expr_text(again), cases[c].canonical) == 0, "'%s' becomes '%s'", cases[c].canonical,
                  expr_text(again));
        expr_destroy(e);
        expr_destroy(again);
    }
}

Test(expr, heads_matter_only_where_they_are_named)
{
    static const struct {
        const char *text;
        bool heads;
    } cases[] = {
        {"i - j < 64", false}, {"(i - j) % (h + 1) == 0", true}, {"h & 1 ? 1 : 0", true}, {"n > 3", false}};
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        expr *e = parse(cases[c].text);
        cr_assert(expr_per_head(e) == cases[c].heads, "%s", cases[c].text);
        expr_destroy(e);
    }
}

Test(expr, mistakes_are_named_with_their_column)
{
    static const struct {
        const char *text, *words;
    } cases[] = {
        {"", "column 1: the expression is empty"},
        {"  ", "column 3: the expression is empty"},
        {"i -", "column 4: the end where a value should stand"},
        {"i - * j", "column 5: '*' where a value should stand"},
        {"(i - j", "column 7: the end where the ')' of column 1 should stand"},
        {"i - j)", "column 6: ')' where an operator should stand"},
        {"i = j", "column 3: '=' where an operator should stand; equality is =="},
        {"i j", "column 3: 'j' where an operator should stand"},
        {"mim(i, j)", "column 1: unknown name 'mim'; did you mean 'min'?"},
        {"i - q < 3", "column 5: unknown name 'q'; known are i, j, n, h, min, max and abs"},
        {"min(i)", "column 1: min takes two values or more, here are 1"},
        {"abs(i, j)", "column 1: abs takes one value, here are 2"},
        {"max i", "column 5: '(' should follow max"},
        {"max(i, j", "column 9: the end where ',' or the ')' of max should stand"},
        {"i < 012", "column 5: a number begins with 0"},
        {"i < 12q", "column 5: '12q' is not an integer"},
        {"i < 0x", "column 5: '0x' is not an integer"},
        {"i < 9223372036854775807", "column 5: '9223372036854775807' is larger than 2^62"},
        {"i < 99999999999999999999", "is larger than 2^62"},
        {"i < 4611686018427387904k", "is larger than 2^62"},
        {"i ? j", "column 6: the end where the ':' of the '?' of column 3 should stand"},
        {"i @ j", "column 3: '@' where an operator should stand"},
        {"i < \x01", "column 5: byte 0x01 where a value should stand"},
        {"i < \xc3\xa4", "column 5: byte 0xc3 where a value should stand"},
        {"i; system", "column 2: ';' where an operator should stand"},
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        attn_error err = {""};
        expr *e = (expr *)&err;
        attn_status status = expr_parse(&e, cases[c].text, strlen(cases[c].text), &err);
        cr_assert(status == ATTN_EINVAL && !e && strstr(err.message, cases[c].words), "case %zu: %s", c,
                  err.message);
        cr_assert(strncmp(err.message, "expr: column ", 13) == 0 && !strchr(err.message, '\n'), "%s",
                  err.message);
    }
}

/* What would cost memory, stack or time is refused before it does. */
Test(expr, hostile_texts)
{
    size_t length = 10u << 20;
    char *text = malloc(length + 1);
    attn_error err;
    expr *e;
    memset(text, '(', length);
    cr_assert(expr_parse(&e, text, length, &err) == ATTN_EINVAL && strstr(err.message, "longer than 4096"),
              "%s", err.message);
    static const char *const units[] = {"(", "-", "!", "i?", "min(", "1?1:", "abs(-(", "~("};
    for (size_t u = 0; u < sizeof units / sizeof *units; u++) {
        size_t unit = strlen(units[u]), used = 0;
        for (; used + unit < EXPR_LONGEST; used += unit)
            memcpy(text + used, units[u], unit);
        cr_assert(expr_parse(&e, text, used, &err) == ATTN_EINVAL &&
                      strstr(err.message, "nested more than 64"),
                  "%s: %s", units[u], err.message);
    }
    size_t used = 1; /* more different operations than there is room for */
    text[0] = 'i';
    for (unsigned k = 2; used + 12 < EXPR_LONGEST; k++)
        used += (size_t)sprintf(text + used, "*%u-j", k);
    cr_assert(expr_parse(&e, text, used, &err) == ATTN_EINVAL && strstr(err.message, "more than 512"), "%s",
              err.message);
    used = 1; /* long, but within bounds */
    for (int k = 0; k < 400; k++)
        used += (size_t)sprintf(text + used, " | (i-j)");
    cr_assert(expr_parse(&e, text, used, &err) == ATTN_OK, "%s", err.message);
    expr_destroy(e);
    free(text);
}

Test(expr, values_that_could_overflow_are_refused_when_planned)
{
    static const struct {
        const char *text, *words; /* NULL: fine */
    } cases[] = {
        {"j % 0", "column 3: the divisor is always 0"},
        {"1 + i / (3 - 3)", "column 7: the divisor is always 0"},
        {"i // (n - n)", "column 3: the divisor is always 0"},
        {"i % (n - 1000)", "column 3: the divisor is always 0, at n=1000"},
        {"i % (n - 1001)", NULL},
        {"i / j", NULL},
        {"i % (j - j / 2 * 2)", NULL},
        {"1 << 62", NULL},
        {"1 << 63", "column 3: the shift could be by less than 0 or more than 62"},
        {"1 << (i - j)", "column 3: the shift could be by less than 0"},
        {"i >> (j % 7)", NULL},
        {"2 << 62", "column 3: the value could pass 2^62"},
        {"4611686018427387904 + 1", "column 21: the value could pass 2^62"},
        {"-4611686018427387904 - j", "column 22: the value could pass 2^62"},
        {"4611686018427387904 - j", NULL},
        {"i * j * i * j * i * j", NULL},
        {"i * j * i * j * i * j * 1024", "column 23: the value could pass 2^62"},
        {"abs(i * 1m) * 1m * 1m", "column 18: the value could pass 2^62"},
        {"h << 60", "column 3: the value could pass 2^62"},
        {"1 ? i : 1m * 1m * 1m * 1m", "column 22: the value could pass 2^62"},
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        attn_error err = {""};
        expr *e = parse(cases[c].text);
        expr_bound *b = NULL;
        attn_status status = expr_bind(&b, e, 1000, 8, true, &err);
        if (cases[c].words)
            cr_assert(status == ATTN_EINVAL && !b && strstr(err.message, cases[c].words), "%s: %s",
                      cases[c].text, err.message);
        else
            cr_assert(status == ATTN_OK, "%s: %s", cases[c].text, err.message);
        expr_unbind(b);
        expr_destroy(e);
    }
}

/* ---- meaning ---- */

Test(expr, operators_are_those_of_c_but_for_division)
{
    static const char *const truths[] = {
        "7 / 2 == 3 && -7 / 2 == -4 && 7 / -2 == -4 && -7 // -2 == 3",
        "7 % 3 == 1 && -7 % 3 == 2 && 7 % -3 == -2 && -7 % -3 == -1",
        "i / (j - j % 100) == 0 && i % (j - j % 100) == i || j >= 100",
        "(1 | 2 == 2) == 1",
        "(1 & 3 == 3) == 1 && (5 ^ 1 == 1) == 4",
        "1 + 2 * 3 == 7 && (1 + 2) * 3 == 9 && 10 - 4 - 3 == 3 && 64 / 4 / 2 == 8",
        "1 << 2 + 1 == 8 && (1 << 2) + 1 == 5 && -8 >> 1 == -4 && -1 >> 5 == -1",
        "1 < 2 == 1 && 3 > 2 > 0",
        "!0 == 1 && !7 == 0 && !!7 == 1 && ~0 == -1 && ~5 == -6 && - -3 == 3",
        "(1 ? 2 : 3) == 2 && (0 ? 2 : 3) == 3 && (0 ? 1 : 0 ? 2 : 3) == 3",
        "min(3, 1, 2) == 1 && max(3, 1, 2) == 3 && abs(-4) == 4 && abs(4) == 4",
        "(2 && 4) == 1 && (0 || 9) == 1 && (0 && 1 || 1) == 1 && (1 || 1 && 0) == 1",
        "(-1 & 255) == 255 && (-256 | 3) == -253 && (-1 ^ 1) == -2 && (12 & -4) == 12",
        "0x1F == 31 && 2k == 2048 && 1m == 1048576",
        "n == 64 && h == 2 && i == 40 && j == 7",
    };
    for (size_t c = 0; c < sizeof truths / sizeof *truths; c++) {
        expr_bound *b = at_sizes(truths[c], 64, 3, false);
        cr_assert(expr_allows(b, 2, 40, 7), "%s", truths[c]);
        expr_unbind(b);
    }
    expr_bound *b = at_sizes("1", 64, 1, true);
    cr_assert(expr_allows(b, 0, 40, 40) && !expr_allows(b, 0, 40, 41), "causal");
    expr_unbind(b);
}

/* ---- random expressions ---- */

static uint64_t state;
static unsigned draw(unsigned bound)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)((state >> 33) % bound);
}

typedef struct tree tree;
struct tree {
    const char *op; /* NULL: a leaf */
    int64_t leaf;
    char variable;
    tree *part[3];
};

static tree pool[4000];
static size_t pooled;

static const char *const operators[] = {"+",  "-",  "-", "*", "/", "%",  "%",  "//", "<",  "<=", ">", ">=",
                                        "==", "!=", "&", "|", "^", "&&", "||", "&&", "||", ">>", "<<"};

static tree *grow(unsigned depth)
{
    tree *t = &pool[pooled++];
    *t = (tree){0};
    if (depth == 0) {
        t->variable = "iijjjjnh########"[draw(16)];
        t->leaf = draw(draw(2) ? 5 : 40);
        return t;
    }
    unsigned kind = draw(12);
    t->op = kind == 0   ? "?"
            : kind == 1 ? "min"
            : kind == 2 ? "max"
            : kind == 3 ? "abs"
            : kind == 4 ? "-1"
            : kind == 5 ? "!"
            : kind == 6 ? "~"
                        : operators[draw(sizeof operators / sizeof *operators)];
    unsigned parts = kind == 0 ? 3 : kind >= 3 && kind <= 6 ? 1 : 2;
    bool shift = t->op[0] == t->op[1] && (t->op[0] == '<' || t->op[0] == '>');
    for (unsigned k = 0; k < parts; k++)
        t->part[k] = grow(shift && k == 1 ? 0 : draw(depth));
    if (shift)
        *t->part[1] = (tree){.variable = '#', .leaf = draw(4)};
    return t;
}

static size_t put(char *out, size_t used, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(out + used, EXPR_LONGEST - used, format, arguments);
    va_end(arguments);
    cr_assert(length >= 0 && used + (size_t)length < EXPR_LONGEST, "the generator's text is too long");
    return used + (size_t)length;
}

static size_t write_tree(const tree *t, char *out, size_t used)
{
    if (!t->op)
        return t->variable == '#' ? put(out, used, "%d", (int)t->leaf) : put(out, used, "%c", t->variable);
    if (t->part[2]) {
        used = write_tree(t->part[0], out, put(out, used, "("));
        used = write_tree(t->part[1], out, put(out, used, " ? "));
        used = write_tree(t->part[2], out, put(out, used, " : "));
    } else if (!t->part[1]) {
        used = write_tree(t->part[0], out, put(out, used, strcmp(t->op, "-1") == 0 ? "-(" : "%s(", t->op));
    } else if (t->op[0] == 'm') {
        used = write_tree(t->part[0], out, put(out, used, "%s(", t->op));
        used = write_tree(t->part[1], out, put(out, used, ", "));
    } else {
        used = write_tree(t->part[0], out, put(out, used, "("));
        used = write_tree(t->part[1], out, put(out, used, " %s ", t->op));
    }
    return put(out, used, ")");
}

typedef struct scene {
    int64_t i, j, n, h;
    bool wild; /* beyond what the engine may be asked */
} scene;

static int64_t floor_div(int64_t x, int64_t y)
{
    return y == 0 ? 0 : (x - (x % y + y) % y) / y;
}

static int64_t value_of(const tree *t, scene *s)
{
    if (!t->op)
        return t->variable == 'i'   ? s->i
               : t->variable == 'j' ? s->j
               : t->variable == 'n' ? s->n
               : t->variable == 'h' ? s->h
                                    : t->leaf;
    int64_t x = value_of(t->part[0], s), y = t->part[1] ? value_of(t->part[1], s) : 0;
    const char *op = t->op;
    if (llabs(x) > 1 << 30 || llabs(y) > 1 << 30) {
        s->wild = true;
        return 0;
    }
    if (t->part[2])
        return x != 0 ? y : value_of(t->part[2], s);
#define IS(text, result)                                                                                     \
    if (strcmp(op, text) == 0)                                                                               \
        return result;
    IS("min", x < y ? x : y)
    IS("max", x < y ? y : x)
    IS("abs", x < 0 ? -x : x) IS("-1", -x) IS("!", x == 0) IS("~", -x - 1) IS("+", x + y) IS("-", x - y)
        IS("*", x * y) IS("/", floor_div(x, y)) IS("//", floor_div(x, y))
            IS("%", y == 0 ? x : x - y * floor_div(x, y)) IS("<", x < y) IS("<=", x <= y) IS(">", x > y)
                IS(">=", x >= y) IS("==", x == y) IS("!=", x != y) IS("&", x & y) IS("|", x | y)
                    IS("^", x ^ y) IS("&&", x != 0 && y != 0) IS("||", x != 0 || y != 0)
                        IS("<<", x * (1 << y)) IS(">>", floor_div(x, 1 << y))
#undef IS
                            cr_assert(false, "no such operator: %s", op);
    return 0;
}

/* A random expression at random sizes; NULL: it was refused. */
static expr_bound *random_expression(char *text, tree **root, size_t *n, bool *causal)
{
    attn_error err;
    pooled = 0;
    *root = grow(1 + draw(5));
    size_t used = write_tree(*root, text, 0);
    *n = 1 + draw(draw(4) ? 40 : NK);
    *causal = draw(2);
    expr *e;
    expr_bound *b;
    cr_assert(expr_parse(&e, text, used, &err) == ATTN_OK, "%s: %s", text, err.message);
    attn_status status = expr_bind(&b, e, *n, 3, *causal, &err);
    cr_assert(status == ATTN_OK || status == ATTN_EINVAL, "%s: %s", text, err.message);
    expr_destroy(e);
    return b;
}

Test(expr, random_expressions_mean_what_they_say)
{
    static char text[EXPR_LONGEST];
    size_t compared = 0;
    state = 1;
    for (int k = 0; k < 6000; k++) {
        tree *root;
        size_t n;
        bool causal;
        expr_bound *b = random_expression(text, &root, &n, &causal);
        for (int pair = 0; b && pair < 30; pair++) {
            scene s = {draw((unsigned)n), draw((unsigned)n), (int64_t)n, draw(3), false};
            bool truth = value_of(root, &s) != 0 && (!causal || s.j <= s.i);
            if (s.wild)
                continue;
            bool said = expr_allows(b, (size_t)s.h, (size_t)s.i, (size_t)s.j);
            cr_assert(said == truth, "%s: n=%zu i=%d j=%d h=%d causal=%d: %d", text, n, (int)s.i, (int)s.j,
                      (int)s.h, causal, said);
            compared++;
        }
        expr_unbind(b);
    }
    cr_assert(compared > 100000, "only %zu pairs were compared", compared);
}

/* Ordered, disjoint, and the definition. */
static void row_agrees(const expr_bound *b, const char *text, size_t n, size_t h, size_t i, uint64_t *tests)
{
    attn_comb at[NK], few[2];
    attn_combs combs = {at, NK, 0}, fewer = {few, 2, 0};
    bool listed[NK] = {false};
    expr_row(b, h, i, &combs, tests);
    expr_row(b, h, i, &fewer, &(uint64_t){0});
    cr_assert(combs.count <= n && fewer.count == combs.count, "%s n=%zu i=%zu: %zu combs, %zu", text, n, i,
              combs.count, fewer.count);
    for (size_t c = 0; c < combs.count; c++) {
        cr_assert(c == 0 || at[c].begin > at[c - 1].begin, "%s n=%zu i=%zu: order", text, n, i);
        cr_assert(at[c].count == 1 || at[c].width < at[c].step, "%s n=%zu i=%zu: teeth", text, n, i);
        for (size_t s = 0; s < at[c].count; s++)
            for (size_t t = 0; t < at[c].width; t++) {
                size_t key = at[c].begin + s * at[c].step + t;
                cr_assert(key < n && !listed[key], "%s n=%zu i=%zu: key %zu", text, n, i, key);
                listed[key] = true;
            }
    }
    for (size_t j = 0; j < n; j++)
        cr_assert(listed[j] == expr_allows(b, h, i, j), "%s n=%zu h=%zu i=%zu j=%zu: row says %d", text, n, h,
                  i, j, listed[j]);
}

Test(expr, random_rows_are_the_definition)
{
    static char text[EXPR_LONGEST];
    size_t bound = 0, settled = 0;
    state = 2;
    for (int k = 0; k < 2500; k++) {
        tree *root;
        size_t n;
        bool causal;
        expr_bound *b = random_expression(text, &root, &n, &causal);
        if (!b)
            continue;
        uint64_t tests = 0;
        for (size_t i = 0; i < n; i += 1 + draw(3))
            row_agrees(b, text, n, draw(3), i, &tests);
        bound++;
        settled += tests == 0;
        expr_unbind(b);
    }
    cr_assert(bound > 2000 && settled > bound / 2, "%zu bound, %zu settled without tests", bound, settled);
}

/* What is remembered of the rows before makes no difference, in whatever order rows are asked for. */
Test(expr, rows_do_not_depend_on_what_was_asked_before)
{
    static char text[EXPR_LONGEST];
    size_t compared = 0;
    state = 3;
    for (int k = 0; k < 400; k++) {
        attn_error err;
        pooled = 0;
        size_t used = write_tree(grow(1 + draw(4)), text, 0), n = 1 + draw(NK),
               step = 1 + draw(draw(2) ? 2 : 20);
        expr *e;
        expr_bound *warm;
        cr_assert(expr_parse(&e, text, used, &err) == ATTN_OK, "%s: %s", text, err.message);
        bool causal = draw(2);
        if (expr_bind(&warm, e, n, 2, causal, &err) != ATTN_OK) {
            expr_destroy(e);
            continue;
        }
        for (size_t class = 0; class < step; class ++)
            for (size_t i = class; i < n; i += step) {
                attn_comb a[NK], b[NK];
                attn_combs x = {a, NK, 0}, y = {b, NK, 0};
                uint64_t tests = 0, again = 0;
                expr_row(warm, i % 2, i, &x, &tests);
                if (draw(8))
                    continue;
                expr_bound *cold;
                cr_assert(expr_bind(&cold, e, n, 2, causal, &err) == ATTN_OK, "%s", err.message);
                expr_row(cold, i % 2, i, &y, &again);
                cr_assert(x.count == y.count && memcmp(a, b, x.count * sizeof *a) == 0 && tests == again,
                          "%s n=%zu causal=%d row %zu: %zu combs, %zu anew", text, n, causal, i, x.count,
                          y.count);
                expr_unbind(cold);
                compared++;
            }
        expr_unbind(warm);
        expr_destroy(e);
    }
    cr_assert(compared > 3000, "only %zu rows were compared", compared);
}

/* Shapes that people write, at lengths and phases where steps do not fit. */
Test(expr, rows_of_likely_patterns)
{
    static const char *const texts[] = {
        "i - j < 64 || j % 128 >= 120",
        "j < 4 || i - j < 16",
        "(i - j) % 12 == 0 && i - j < 100",
        "i / 16 == j / 16 || i % 16 == j % 16",
        "(i - j) % 7 < 3 || (i + j) % 5 == 0",
        "abs(i / 24 - j / 24) <= 1 && abs(i % 24 - j % 24) <= 2",
        "j % 32 >= 24 - i % 8",
        "((i - j) & (i - j - 1)) == 0",
        "(i ^ j) & 12 ? 0 : j % 3 == 1",
        "h ? (i - j) % (h + 3) == 0 : i - j < 9",
        "i - j < min(i, 37) / 2 + 1",
        "i * i + j * j < 20000",
        "j * j % 16 < 3",
        "j % 6 % 4 % 3 == 1",
        "(j / 8) % 2 == (i / 8) % 2",
        "j - i < 8 && i - j < n / 5",
        "i % 100 >= j % 50",
        "(7 * i + 13 * j) % 31 < 4",
        "j >> 4 == i >> 4 || (j & 15) == 15",
        "j / 100000 == 0 && j % 1m == j && i - j << 3 < 200",
    };
    for (size_t c = 0; c < sizeof texts / sizeof *texts; c++)
        for (size_t n = 1; n <= NK; n += n < 40 ? 3 : 70)
            for (int causal = 0; causal < 2; causal++) {
                expr_bound *b = at_sizes(texts[c], n, 3, causal);
                for (size_t i = 0; i < n; i++)
                    row_agrees(b, texts[c], n, i % 3, i, &(uint64_t){0});
                expr_unbind(b);
            }
}

/* ---- the paper's patterns ---- */

static const struct twin {
    const char *spec, *text;
} twins[] = {
    {"dense", "1"},
    {"local:k=%zu", "abs(i-j) <= %zu"},
    {"strided:l=%zu,head=column", "(i-j) %% %zu == 0"},
    {"strided:l=%zu", "abs(i-j) <= %zu || (i-j) %% %zu == 0"},
    {"fixed:l=%zu,head=block", "i/%zu == j/%zu"},
    {"fixed:l=%zu,c=3,head=summary", "j %% %zu >= %zu-3"},
    {"fixed:l=%zu,c=3", "j/%zu == i/%zu || j %% %zu >= %zu-3"},
    {"fixed:l=%zu,c=2,sub=1,head=summary", "j %% %zu >= %zu-4 && j %% %zu < %zu-2"},
};

#pragma GCC diagnostic ignored "-Wformat-nonliteral"

Test(expr, the_papers_patterns_have_the_same_combs_without_a_test)
{
    static const size_t lengths[] = {1, 5, 100, 1000, 1037, 65536};
    for (size_t t = 0; t < sizeof twins / sizeof *twins; t++)
        for (size_t k = 0; k < sizeof lengths / sizeof *lengths; k++)
            for (size_t l = 4; l < 300; l = 2 * l + 3)
                for (int causal = 0; causal < 2; causal++) {
                    char spec_text[100], text[200];
                    size_t n = lengths[k];
                    int used = snprintf(spec_text, sizeof spec_text, twins[t].spec, l);
                    snprintf(spec_text + used, sizeof spec_text - (size_t)used, "%s",
                             causal ? ""
                             : t    ? ",causal=0"
                                    : ":causal=0");
                    snprintf(text, sizeof text, twins[t].text, l, l, l, l);
                    attn_error err;
                    attn_spec *spec;
                    attn_layout *layout;
                    cr_assert(attn_spec_parse(&spec, spec_text, &err) == ATTN_OK, "%s", err.message);
                    cr_assert(attn_layout_create(&layout, spec, n, n, 1, &err) == ATTN_OK, "%s", err.message);
                    expr_bound *b = at_sizes(text, n, 1, causal);
                    uint64_t tests = 0;
                    for (size_t i = 0; i<n; i += n> 2000 ? 97 : 1) {
                        attn_comb mine[8] = {{0}}, built_in[8] = {{0}};
                        attn_combs x = {mine, 8, 0}, y = {built_in, 8, 0};
                        expr_row(b, 0, i, &x, &tests);
                        attn_layout_row(layout, 0, i, &y);
                        cr_assert(x.count == y.count && memcmp(mine, built_in, sizeof mine) == 0,
                                  "%s n=%zu i=%zu: %zu combs {%zu %zu %zu %zu}, %s has %zu {%zu %zu %zu %zu}",
                                  text, n, i, x.count, mine[0].begin, mine[0].width, mine[0].step,
                                  mine[0].count, spec_text, y.count, built_in[0].begin, built_in[0].width,
                                  built_in[0].step, built_in[0].count);
                    }
                    cr_assert(tests == 0 && expr_tests(b, 0) == 0, "%s took %llu tests", text,
                              (unsigned long long)tests);
                    expr_unbind(b);
                    attn_layout_destroy(layout);
                    attn_spec_destroy(spec);
                }
}

/* Rows of 2^24 keys in few combs, and where reasoning ends, an honest number of tests. */
Test(expr, longest_sequences)
{
    size_t n = ATTN_MAX_N;
    expr_bound *b = at_sizes("i - j < 64 || j % 128 >= 120", n, 1, true);
    attn_comb at[4];
    attn_combs combs = {at, 4, 0};
    uint64_t tests = 0;
    expr_row(b, 0, n - 1, &combs, &tests);
    cr_assert(combs.count == 2 && tests == 0 && at[0].step == 128 && at[0].width == 8,
              "%zu combs, %llu tests", combs.count, (unsigned long long)tests);
    cr_assert(at[0].count == n / 128 - 1 && at[1].begin == n - 64 && at[1].width == 64, "{%zu} {%zu %zu}",
              at[0].count, at[1].begin, at[1].width);
    expr_unbind(b);

    b = at_sizes("((i - j) & (i - j - 1)) == 0", n, 1, true); /* powers of two: tiles settle most of it */
    attn_comb many[64];
    combs = (attn_combs){many, 64, 0};
    expr_row(b, 0, n - 1, &combs, &tests);
    size_t keys = 0;
    for (size_t c = 0; c < combs.count; c++)
        keys += many[c].width * many[c].count;
    cr_assert(keys == 25 && tests < 2000, "%zu keys, %llu tests", keys, (unsigned long long)tests);
    expr_unbind(b);

    b = at_sizes("j * j % 1009 < 3", 4096, 1, true);
    double expected = expr_tests(b, 0);
    uint64_t counted = 0;
    for (size_t i = 0; i < 4096; i++) {
        combs.count = 0;
        expr_row(b, 0, i, &combs, &counted);
    }
    cr_assert(counted > 4096u * 4096 / 3, "%llu tests", (unsigned long long)counted);
    cr_assert(expected > 0.8 * (double)counted && expected < 1.3 * (double)counted, "%.0f expected of %llu",
              expected, (unsigned long long)counted);
    expr_unbind(b);
}
