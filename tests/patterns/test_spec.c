/* Specs: canonical text, resolved values, round trips, and one clear line for everything that is wrong. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "attn/layout.h"

static attn_spec *parse(const char *text)
{
    attn_error err;
    attn_spec *spec;
    cr_assert(attn_spec_parse(&spec, text, &err) == ATTN_OK, "%s: %s", text, err.message);
    return spec;
}

static attn_layout *at_n(const attn_spec *spec, size_t n)
{
    attn_error err;
    attn_layout *layout;
    cr_assert(attn_layout_create(&layout, spec, n, n, 1, &err) == ATTN_OK, "%s n=%zu: %s",
              attn_spec_text(spec), n, err.message);
    return layout;
}

Test(spec, canonical_text)
{
    static const struct {
        const char *text, *canonical;
    } cases[] = {
        {"dense", "dense"},
        {"  dense\t", "dense"},
        {"dense:causal=0", "dense:causal=0"},
        {"dense:causal=1", "dense"},
        {"local:k=0", "local:k=0"},
        {"local:k=4k", "local:k=4096"},
        {"local:k=2m", "local:k=2097152"},
        {"local:k=16m", "local:k=16777216"},
        {"local:k=0064", "local:k=64"},
        {"local:causal=0,k=1k", "local:k=1024,causal=0"},
        {"local:k=128", "local:k=128"},
        {"strided:head=local,l=sqrt(n)", "strided:l=sqrt(n),head=local"},
        {"strided:l=n/4k", "strided:l=n/4096"},
        {"strided:l=(n+01)/2", "strided:l=(n+1)/2"},
        {"strided:l=((n))", "strided:l=((n))"},
        {"strided:l=2*sqrt(n/3)-1+n*1k", "strided:l=2*sqrt(n/3)-1+n*1024"},
        {"fixed:sub=1,head=merged,c=8,l=64,causal=0", "fixed:l=64,c=8,head=merged,sub=1,causal=0"},
        {"fixed:sub=0,c=8", "fixed:c=8,sub=0"},
        {"fixed: l=64, c=8", "fixed:l=64,c=8"},
        {"fixed:c=900,l=8,head=block", "fixed:l=8,c=900,head=block"},
        {"expr", "expr"},
        {"expr:causal=0", "expr:causal=0"},
        {"expr:\"i-j<4k&&j%2==0\"", "expr:\"i - j < 4096 && j % 2 == 0\""},
        {"expr: \" i \", causal=0", "expr:\"i\",causal=0"},
    };
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
        attn_spec *spec = parse(cases[c].text), *again = parse(attn_spec_text(spec));
        cr_assert(strcmp(attn_spec_text(spec), cases[c].canonical) == 0, "'%s' becomes %s", cases[c].text,
                  attn_spec_text(spec));
        cr_assert(strcmp(attn_spec_text(again), cases[c].canonical) == 0, "%s becomes %s", cases[c].canonical,
                  attn_spec_text(again));
        attn_spec_destroy(spec);
        attn_spec_destroy(again);
    }
}

Test(spec, resolved_text)
{
    static const struct {
        const char *text;
        size_t n;
        const char *resolved;
    } cases[] = {
        {"dense", 5, "dense"},
        {"dense:causal=0", 5, "dense:causal=0"},
        {"local", 5, "local:k=128"},
        {"local:causal=0", 5, "local:k=128,causal=0"},
        {"strided", 1024, "strided:l=32,head=merged"},
        {"strided:head=column,causal=0", 1, "strided:l=1,head=column,causal=0"},
        {"fixed", 4096, "fixed:l=64,c=8,head=merged,sub=0"},
        {"fixed", 16, "fixed:l=4,c=4,head=merged,sub=0"}, /* c clamped to a default l */
        {"fixed:c=32", 100, "fixed:l=10,c=10,head=merged,sub=0"},
        {"fixed:l=3", 100, "fixed:l=3,c=3,head=merged,sub=0"}, /* c is a default */
        {"fixed:l=10,c=n", 100, "fixed:l=10,c=10,head=merged,sub=0"},
        {"fixed:l=n,c=200", 100, "fixed:l=100,c=100,head=merged,sub=0"},
        {"fixed:l=4,c=9,sub=3,head=block", 100, "fixed:l=4,c=9,head=block,sub=3"}, /* ignored */
        {"fixed:l=n/2,c=n/8,head=summary,sub=3", 64, "fixed:l=32,c=8,head=summary,sub=3"},
        {"strided:l=(0-n)*5", 9, "strided:l=1,head=merged"},
        {"strided:l=n*1m", 90, "strided:l=16777216,head=merged"},
    };
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
        attn_spec *spec = parse(cases[c].text);
        attn_layout *layout = at_n(spec, cases[c].n);
        cr_assert(strcmp(attn_layout_text(layout), cases[c].resolved) == 0, "%s at n=%zu is %s",
                  cases[c].text, cases[c].n, attn_layout_text(layout));
        attn_layout_destroy(layout);
        attn_spec_destroy(spec);
    }
}

/* ---- values ---- */

static size_t value(const char *expression, size_t n)
{
    char text[300];
    snprintf(text, sizeof text, "local:k=%s", expression);
    attn_spec *spec = parse(text);
    attn_layout *layout = at_n(spec, n);
    size_t k = strtoul(attn_layout_text(layout) + strlen("local:k="), NULL, 10);
    attn_layout_destroy(layout);
    attn_spec_destroy(spec);
    return k;
}

Test(spec, expressions)
{
    static const struct {
        const char *expression;
        size_t n, value;
    } cases[] = {
        {"sqrt(n)", 12, 3},
        {"sqrt(n)", 13, 4},
        {"sqrt(n)", 16777216, 4096},
        {"sqrt(n)/2", 9, 2},
        {"sqrt(n)/2", 25, 3},
        {"sqrt(n)/2", 24, 2},
        {"n/16", 7, 0},
        {"n/16", 8, 1},
        {"n/16", 24, 2},
        {"n/16", 23, 1},
        {"n/6*3", 7, 4},
        {"n/3*3", 7, 7},
        {"3*n/4", 10, 8},
        {"n-n/4", 10, 8},
        {"n-1/2", 5, 5},
        {"2*sqrt(n)", 10, 6},
        {"sqrt(n)*sqrt(n)/2", 7, 4},
        {"sqrt(n/4)", 9, 2},
        {"sqrt(sqrt(n))", 81, 3},
        {"n/sqrt(n)", 64, 8},
        {"n/sqrt(n)", 7, 3},
        {"(n-1)/2", 8, 4},
        {"(2*n+1)/4", 3, 2},
        {"n-100", 10, 0},
        {"(n-6)/4", 4, 0},
        {"(n-7)/4", 4, 0},
        {"0-n", 4, 0},
        {"n-(n-3)", 9, 3},
        {"n-3-2", 9, 4},
        {"n/1k", 1536, 2},
        {"1/3+1/6", 1, 1},
        {"1/2-1/1m", 1, 0},
        {"8*8", 3, 64},
        {"(7)", 3, 7},
        {"100m*n", 5, 16777216},
        {"n*n*n/n/n", 16777216, 16777216},
        {"n*n*n*n*n/(n*n*n*n*n)*5/2", 1000003, 3},
        {"sqrt(n*n+n)", 1000000, 1000000},
        {"sqrt(n*n+n+1)", 1000000, 1000001},
        {"((((((((((((((((((((((((((((n))))))))))))))))))))))))))))", 6, 6},
    };
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
        size_t k = value(cases[c].expression, cases[c].n);
        cr_assert(k == cases[c].value, "%s at n=%zu is %zu, not %zu", cases[c].expression, cases[c].n, k,
                  cases[c].value);
    }
}

/* floor(x + 1/2) in integers: of a n / b, and of sqrt(n) / b as the largest m with (2m-1) b <= 2 sqrt(n). */
Test(spec, expressions_round_half_up)
{
    char text[60];
    for (size_t n = 1; n < 200; n += 1 + n / 40)
        for (size_t b = 1; b < 40; b += 1 + b / 6) {
            for (size_t a = 1; a < 12; a += 3) {
                size_t right = (2 * a * n + b) / (2 * b);
                snprintf(text, sizeof text, "%zu*n/%zu", a, b);
                cr_assert(value(text, n) == right, "%s at n=%zu is not %zu", text, n, right);
                snprintf(text, sizeof text, "n/%zu*%zu", b, a);
                cr_assert(value(text, n) == right, "%s at n=%zu is not %zu", text, n, right);
            }
            size_t m = 0;
            while ((2 * m + 1) * (2 * m + 1) * b * b <= 4 * n)
                m++;
            snprintf(text, sizeof text, "sqrt(n)/%zu", b);
            cr_assert(value(text, n) == m, "%s at n=%zu is not %zu", text, n, m);
        }
}

/* What doubles compute a rounding or two below .5 is .5 nonetheless. */
Test(spec, expressions_forgive_roundings)
{
    for (size_t n = 1; n < 2000; n += 2) {
        cr_assert(value("sqrt(n)*sqrt(n)/2", n) == (n + 1) / 2, "sqrt(n)*sqrt(n)/2 at n=%zu", n);
        cr_assert(value("sqrt(n*n)/6*3", n) == (n + 1) / 2, "sqrt(n*n)/6*3 at n=%zu", n);
        cr_assert(value("n/(sqrt(n)/sqrt(n/4))", n) == (n + 1) / 2, "n/(sqrt(n)/sqrt(n/4)) at n=%zu", n);
    }
}

/* ---- round trips over generated specs ---- */

static uint64_t state = 1;
static size_t draw(size_t bound)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (size_t)((state >> 33) % bound);
}

static size_t random_expression(char *out, size_t depth)
{
    static const char *const leaves[] = {"n", "n", "7", "2k", "16", "sqrt(n)"};
    static const char operators[] = "+-*/";
    size_t used = 0;
    switch (depth ? draw(4) : 0) {
    case 0:
        return (size_t)sprintf(out, "%s", leaves[draw(6)]);
    case 1:
        used = (size_t)sprintf(out, draw(2) ? "(" : "sqrt(");
        break;
    default:
        used = random_expression(out, depth - 1);
        out[used++] = operators[draw(4)];
        return used + random_expression(out + used, depth - 1);
    }
    used += random_expression(out + used, depth - 1);
    out[used] = ')';
    out[used + 1] = '\0';
    return used + 1;
}

static void random_spec(char *out)
{
    const attn_pattern *pattern = attn_pattern_at(draw(attn_pattern_count()));
    size_t keys[ATTN_MAX_PARAMS + 1], count = 0;
    for (; pattern->params && pattern->params[count].key; count++)
        keys[count] = count;
    keys[count] = count; /* causal */
    out += sprintf(out, "%s", pattern->name);
    char separator = ':';
    for (size_t left = count + 1; left > 0; left--) {
        size_t pick = draw(left), key = keys[pick];
        keys[pick] = keys[left - 1];
        if (draw(3) == 0)
            continue;
        const attn_param *param = key < count ? &pattern->params[key] : NULL;
        out += sprintf(out, "%c%s=", separator, param ? param->key : "causal");
        separator = ',';
        if (!param) {
            out += sprintf(out, "%zu", draw(2));
        } else if (param->choices) {
            char words[100], *rest = words, *word;
            snprintf(words, sizeof words, "%s", param->choices);
            size_t skip = draw(3);
            do
                word = strsep(&rest, "|");
            while (skip-- && rest);
            out += sprintf(out, "%s", word);
        } else if (draw(2)) {
            out += sprintf(out, "%zu%s", 1 + draw(30), draw(4) ? "" : draw(2) ? "k" : "m");
        } else {
            out += random_expression(out, 3);
        }
    }
}

Test(spec, round_trips)
{
    static const size_t sizes[] = {1, 2, 3, 17, 64, 1000, 65536};
    size_t parsed = 0, resolved = 0;
    for (int k = 0; k < 20000; k++) {
        char text[1000];
        random_spec(text);
        attn_error err;
        attn_spec *spec;
        attn_status status = attn_spec_parse(&spec, text, &err);
        if (status != ATTN_OK) { /* values that cannot go together, or 1/0: then one line, and nothing else */
            cr_assert(status == ATTN_EINVAL && !spec && err.message[0], "%s: status %d", text, status);
            continue;
        }
        parsed++;
        attn_spec *again = parse(attn_spec_text(spec));
        cr_assert(strcmp(attn_spec_text(spec), attn_spec_text(again)) == 0, "%s: %s becomes %s", text,
                  attn_spec_text(spec), attn_spec_text(again));
        cr_assert(!strchr(attn_spec_text(spec), ' '), "%s: %s", text, attn_spec_text(spec));
        for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
            attn_layout *layout, *twin;
            status = attn_layout_create(&layout, spec, sizes[s], sizes[s], 1, &err);
            cr_assert(status == attn_layout_create(&twin, again, sizes[s], sizes[s], 1, &err), "%s n=%zu",
                      text, sizes[s]);
            if (status != ATTN_OK)
                continue;
            resolved++;
            cr_assert(strcmp(attn_layout_text(layout), attn_layout_text(twin)) == 0, "%s n=%zu: %s and %s",
                      text, sizes[s], attn_layout_text(layout), attn_layout_text(twin));
            attn_layout_destroy(twin);
            attn_spec *numbers = parse(attn_layout_text(layout)); /* the same set, whatever n */
            twin = at_n(numbers, sizes[s]);
            cr_assert(strcmp(attn_layout_text(layout), attn_layout_text(twin)) == 0,
                      "%s n=%zu: %s becomes %s", text, sizes[s], attn_layout_text(layout),
                      attn_layout_text(twin));
            attn_layout_destroy(twin);
            attn_layout_destroy(layout);
            attn_spec_destroy(numbers);
        }
        attn_spec_destroy(again);
        attn_spec_destroy(spec);
    }
    cr_assert(parsed > 10000 && resolved > 50000, "only %zu parsed, %zu resolved", parsed, resolved);
}

/* Bytes at random, near to specs: an answer, never a crash. */
Test(spec, noise)
{
    static const char alphabet[] = "nnkm0123456789+-*/()()sqrt:=,,| &~\"\x01\x7f\xc3\xa9xdenslocafgb";
    for (int k = 0; k < 100000; k++) {
        char text[48];
        static const char *const starts[] = {"local:k=", "fixed:l=", "strided:", "", "dense:causal="};
        size_t used = (size_t)sprintf(text, "%s", starts[draw(5)]), more = draw(32);
        while (more-- && used < sizeof text - 1)
            text[used++] = alphabet[draw(sizeof alphabet - 1)];
        text[used] = '\0';
        attn_error err = {""};
        attn_spec *spec;
        attn_status status = attn_spec_parse(&spec, text, &err);
        cr_assert(status == ATTN_OK ? spec != NULL : !spec && err.message[0], "status %d at %d", status, k);
        for (const char *c = err.message; *c; c++)
            cr_assert((unsigned char)*c >= 0x20 && *c != 0x7f, "control character at %d", k);
        attn_spec_destroy(spec);
    }
}

/* ---- what is wrong ---- */

static void refused(const char *text, const char *words, attn_status status, const attn_error *err)
{
    cr_assert(status == ATTN_EINVAL, "%s: status %d", text, status);
    char word[100];
    for (size_t length; *words; words += length + (words[length] == '|')) {
        length = strcspn(words, "|");
        snprintf(word, sizeof word, "%.*s", (int)length, words);
        cr_assert(strstr(err->message, word) != NULL, "%s: '%s' is not in: %s", text, word, err->message);
    }
}

Test(spec, refused_when_parsed)
{
    static const struct {
        const char *text, *words;
    } cases[] = {
        {"", "empty"},
        {"   ", "empty"},
        {"strded", "'strded'|did you mean 'strided'"},
        {"Dense", "'Dense'|did you mean 'dense'"},
        {"xyzzyxyzzy", "'xyzzyxyzzy'|known: dense, local, strided, fixed"},
        {":k=4", "not a known pattern"},
        {"strided:len=4", "'len'|l, head, causal"},
        {"strided:haed=local", "'haed'|did you mean 'head'"},
        {"local:casual=0", "'casual'|did you mean 'causal'"},
        {"dense:k=4", "'k'|causal"},
        {"local:k=4,k=4", "local: k|twice"},
        {"dense:causal=0,causal=0", "causal|twice"},
        {"fixed:l=64,c=8,l=n", "l|twice"},
        {"dense:", "key=value"},
        {"local:k", "'k'|key=value"},
        {"local:=4", "''|unknown key"},
        {"local:k=", "k= has no value"},
        {"local:k=4,", "key=value"},
        {"local:k=,causal=0", "k= has no value"},
        {"local:k=4;causal=0", "k=4;causal=0|unexpected ';'"},
        {"local:k=4 causal=0", "unexpected 'causal=0'"},
        {"local k=4", "unexpected 'k=4'"},
        {"local:k =4", "'k'|key=value"},
        {"local:k= 4", "k= has no value"},
        {"local:k=n / 2", "unexpected '/ 2'"},
        {"local:k=n)", "unexpected ')'"},
        {"local:k=-1", "k=-1|unexpected '-'|0 to 16777216"},
        {"local:k=+1", "k=+1|unexpected '+'"},
        {"local:k=1.5", "k=1.5|unexpected '.'"},
        {"local:k=1e3", "k=1e3|suffix 'e'"},
        {"local:k=0x10", "k=0x10|suffix 'x'"},
        {"local:k=4K", "k=4K|suffix 'K'"},
        {"local:k=4kk", "k=4kk|suffix 'kk'"},
        {"local:k=4n", "k=4n|suffix 'n'"},
        {"local:k=nan", "k=nan|unknown word 'nan'"},
        {"local:k=inf", "k=inf|unknown word 'inf'"},
        {"local:k=n n", "unexpected 'n'"},
        {"local:k=nn", "unknown word 'nn'"},
        {"local:k=sqrt", "unknown word 'sqrt'"},
        {"local:k=sqrt()", "unexpected ')'"},
        {"local:k=sqr(n)", "unknown word 'sqr'"},
        {"local:k=sqrt(n", "not closed"},
        {"local:k=(n", "not closed"},
        {"local:k=n+", "ends too early"},
        {"local:k=n*/2", "unexpected '/'"},
        {"local:k=n//2", "unexpected '/'"},
        {"local:k=n**2", "unexpected '*'"},
        {"local:k=n%2", "unexpected '%'"},
        {"local:k=n/0", "k=n/0|division by zero"},
        {"local:k=n/(4-2*2)", "division by zero"},
        {"local:k=sqrt(3-4)", "negative"},
        {"local:k=99999999999999999999", "k=99999999999999999999|0 to 16777216"},
        {"local:k=18446744073709551616", "k=18446744073709551616|0 to 16777216"},
        {"local:k=16777217", "k=16777217|0 to 16777216"},
        {"local:k=17m", "k=17m|0 to 16777216"},
        {"local:k=9007199254740993m", "k=9007199254740993m|0 to 16777216"},
        {"local:k=n/99999999999999999999", "too large"},
        {"local:k=n/9007199254740993k", "too large"},
        {"local:k=\xc3\xa9", "unexpected '\xc3\xa9'"},
        {"loc\xc3\xa1l", "not a known pattern"},
        {"local:\xc3\xa9=4", "unknown key"},
        {"strided:l=0", "l=0|1 to 16777216"},
        {"strided:head=both", "head=both|merged|local|column"},
        {"strided:head=colunm", "head=colunm|did you mean 'column'"},
        {"strided:head=1", "head=1|merged"},
        {"strided:head=", "head= has no value"},
        {"strided:head=merge", "head=merge|did you mean 'merged'"},
        {"dense:causal=2", "causal=2|0 to 1"},
        {"dense:causal=yes", "causal=yes"},
        {"dense:causal=n", "causal=n|0 nor 1"},
        {"dense:causal=1/1", "causal=1/1|0 nor 1"},
        {"fixed:c=0", "c=0|1 to"},
        {"fixed:l=4,c=8", "c=8|l=4"},
        {"fixed:c=8,l=4,sub=0,head=summary", "c=8|l=4"},
        {"fixed:l=64,c=8,sub=8", "sub=8|l=64|c=8|at most 7"},
        {"fixed:l=64,sub=8", "sub=8|at most 7"},
        {"fixed:l=64,c=16m,sub=16777216", "c=16777216|l=64"},
        {"fixed:l=8*8,c=8,sub=16777216", "sub=16777216|at most 7"},
        {"head(local, dense)", "'head(' is no function of patterns|did you mean 'heads'?"},
        {"expr:i-j<64", "'i-j<64' is not in quotes"},
        {"expr:\"i-j<64", "quotes are not closed"},
        {"expr:\"i-j<\"", "column 5|a value should stand"},
        {"expr:\"i\",\"j\"", "key=value should stand"},
        {"expr:\"i\" \"j\"", "unexpected '\"j\"'"},
        {"expr:\"i\",k=1", "unknown key 'k'"},
        {"expr:\"i\",causal=0,causal=0", "causal is given twice"},
    };
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
        attn_error err = {""};
        attn_spec *spec = (attn_spec *)&err;
        refused(cases[c].text, cases[c].words, attn_spec_parse(&spec, cases[c].text, &err), &err);
        cr_assert(!spec, "%s: a spec", cases[c].text);
        cr_assert(attn_spec_parse(&spec, cases[c].text, NULL) == ATTN_EINVAL, "%s without err",
                  cases[c].text);
    }
}

Test(spec, deep_and_long_texts_are_refused)
{
    static char text[100000];
    attn_error err;
    attn_spec *spec;
    memset(text, '(', sizeof text - 1);
    memcpy(text, "local:k=", 8);
    text[4000] = '\0';
    refused("(((...", "nested too deeply", attn_spec_parse(&spec, text, &err), &err);
    text[4000] = '(';
    refused("(((... at length", "longer than 4096", attn_spec_parse(&spec, text, &err), &err);
    memset(text, 'a', sizeof text - 1);
    text[3000] = '\0';
    refused("aaa...", "not a known pattern", attn_spec_parse(&spec, text, &err), &err);
    for (size_t k = 8; k + 2 < 4000; k += 2)
        memcpy(text + k, "n*", 3);
    memcpy(text, "local:k=", 8);
    text[4000] = '\0';
    text[strlen(text) - 1] = '\0';
    attn_spec *large;
    cr_assert(attn_spec_parse(&large, text, &err) == ATTN_OK, "%s", err.message);
    attn_layout *layout;
    refused("n*n*n...", "too large", attn_layout_create(&layout, large, 1 << 20, 1 << 20, 1, &err), &err);
    attn_spec_destroy(large);
}

Test(spec, refused_at_n)
{
    static const struct {
        const char *text;
        size_t n;
        const char *words;
    } cases[] = {
        {"local:k=8/(n-5)", 5, "k=8/(n-5)|n=5|division by zero"},
        {"local:k=sqrt(n-6)", 5, "k=sqrt(n-6)|n=5|negative"},
        {"fixed:sub=1", 16, "sub=1|l=4|at most 0"},
        {"fixed:l=n/4,c=8,sub=2,head=summary", 64, "sub=2|l=16|c=8|at most 1"},
        {"dense", 0, "nq=0|1 to 16777216"},
        {"dense", 16777217, "nq=16777217|1 to 16777216"},
        {"dense", SIZE_MAX, "1 to 16777216"},
    };
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
        attn_error err = {""};
        attn_spec *spec = parse(cases[c].text);
        attn_layout *layout = (attn_layout *)&err;
        refused(cases[c].text, cases[c].words,
                attn_layout_create(&layout, spec, cases[c].n, cases[c].n, 1, &err), &err);
        cr_assert(!layout, "%s: a layout", cases[c].text);
        attn_spec_destroy(spec);
    }
    attn_error err = {""};
    attn_layout *layout;
    attn_spec *spec = parse("dense");
    refused("nk=0", "nk=0|1 to 16777216", attn_layout_create(&layout, spec, 1, 0, 1, &err), &err);
    refused("heads=0", "heads=0|1 to 16777216", attn_layout_create(&layout, spec, 1, 1, 0, &err), &err);
    refused("2^64 pairs", "heads=65536",
            attn_layout_create(&layout, spec, ATTN_MAX_N, ATTN_MAX_N, 65536, &err), &err);
    attn_spec_destroy(spec);
}
