/* Numeric parameter values:  64   4k   sqrt(n)   n/16   (n+1)/2   2*sqrt(n/3)
 *
 *   sum     = product { ("+" | "-") product }
 *   product = factor { ("*" | "/") factor }
 *   factor  = integer [ "k" | "m" ] | "n" | "sqrt(" sum ")" | "(" sum ")"
 *
 * One recursive descent parses, writes the canonical text and evaluates. Numbers are exact fractions as long
 * as they fit into 62 bits, so that .5 is decided exactly. Roots and longer fractions are doubles, where a
 * result within a few roundings of .5 counts as .5, as sqrt(n)*sqrt(n)/2 should. */
#include "patterns/value.h"

#include <math.h>
#include <float.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { DEEPEST = 32 };

__extension__ typedef __int128 wide;

typedef struct number {
    bool exact, constant;
    int64_t num, den; /* when exact: lowest terms, den > 0, both below 2^62 */
    double real;      /* always */
} number;

typedef struct reader {
    const char *at, *end;
    char *out; /* where the canonical text goes on, or NULL */
    size_t n;  /* 0: n is not known yet */
    int depth;
    bool failed;
    attn_error *err;
} reader;

/* The first failure counts; what is computed after it is never seen. */
static number fail(reader *r, const char *what, const char *token, size_t length)
{
    if (!r->failed)
        (void)attn_fail(r->err, ATTN_EINVAL, "%s%.*s%s", what, (int)(length < 40 ? length : 40), token,
                        length ? "'" : "");
    r->failed = true;
    return (number){.exact = true, .den = 1};
}

/* ---- numbers ---- */

static number fraction(wide num, wide den, double real, bool constant)
{
    const wide limit = (wide)1 << 62;
    wide a = num < 0 ? -num : num, b = den;
    while (b) {
        wide t = a % b;
        a = b;
        b = t;
    }
    num /= a;
    den /= a;
    if (num <= -limit || num >= limit || den >= limit)
        return (number){.constant = constant, .real = real};
    return (number){true, constant, (int64_t)num, (int64_t)den, (double)num / (double)den};
}

static number add(number a, number b, int sign)
{
    bool constant = a.constant && b.constant;
    double real = a.real + sign * b.real;
    if (!a.exact || !b.exact)
        return (number){.constant = constant, .real = real};
    return fraction((wide)a.num * b.den + sign * ((wide)b.num * a.den), (wide)a.den * b.den, real, constant);
}

static number multiply(number a, number b)
{
    bool constant = a.constant && b.constant;
    if (!a.exact || !b.exact)
        return (number){.constant = constant, .real = a.real * b.real};
    return fraction((wide)a.num * b.num, (wide)a.den * b.den, a.real * b.real, constant);
}

static number divide(reader *r, number a, number b)
{
    bool constant = a.constant && b.constant;
    if (b.exact ? b.num == 0 : !(fabs(b.real) > 0)) {
        if (r->n > 0 || b.constant)
            return fail(r, "division by zero", "", 0);
        return (number){true, constant, 1, 1, 1}; /* another n may do better */
    }
    if (!a.exact || !b.exact)
        return (number){.constant = constant, .real = a.real / b.real};
    int sign = b.num < 0 ? -1 : 1;
    return fraction(sign * ((wide)a.num * b.den), sign * ((wide)a.den * b.num), a.real / b.real, constant);
}

static number root(reader *r, number a)
{
    if (a.real < 0) {
        if (r->n > 0 || a.constant)
            return fail(r, "square root of a negative number", "", 0);
        return (number){true, a.constant, 0, 1, 0};
    }
    return (number){.constant = a.constant, .real = sqrt(a.real)};
}

/* ---- grammar ---- */

static bool digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool more(const reader *r)
{
    return !r->failed && r->at < r->end;
}

static bool take(reader *r, char c)
{
    if (!more(r) || *r->at != c)
        return false;
    r->at++;
    if (r->out)
        *r->out++ = c;
    return true;
}

/* The length of the word, or of the single character, at the reader: what a message quotes. */
static size_t token(const reader *r)
{
    const char *end = r->at;
    while (end < r->end && letter(*end))
        end++;
    while (end == r->at || (end < r->end && ((unsigned char)*end & 0xc0) == 0x80)) /* a character of UTF-8 */
        end++;
    return (size_t)(end - r->at);
}

static number unexpected(reader *r)
{
    if (r->at == r->end)
        return fail(r, "ends too early", "", 0);
    return fail(r, letter(*r->at) ? "unknown word '" : "unexpected '", r->at, token(r));
}

/* Digits with their suffix; UINT64_MAX when larger than 2^53. */
static uint64_t integer(reader *r)
{
    const uint64_t limit = (uint64_t)1 << 53;
    uint64_t value = 0;
    for (; more(r) && digit(*r->at); r->at++)
        value = value > limit ? limit + 1 : value * 10 + (uint64_t)(*r->at - '0');
    if (more(r) && letter(*r->at)) {
        uint64_t unit = token(r) > 1 ? 0 : *r->at == 'k' ? 1024 : *r->at == 'm' ? 1048576 : 0;
        if (unit == 0)
            (void)fail(r, "unknown suffix '", r->at, token(r));
        else
            value = value > limit / unit ? limit + 1 : value * unit;
        r->at++;
    }
    return value > limit ? UINT64_MAX : value;
}

static number sum(reader *r);

static number parenthesis(reader *r)
{
    if (++r->depth > DEEPEST)
        return fail(r, "parentheses nested too deeply", "", 0);
    number inner = sum(r);
    r->depth--;
    if (!r->failed && !take(r, ')'))
        return r->at == r->end ? fail(r, "a parenthesis is not closed", "", 0) : unexpected(r);
    return inner;
}

static number factor(reader *r)
{
    if (!more(r))
        return unexpected(r);
    if (digit(*r->at)) {
        uint64_t value = integer(r);
        if (value == UINT64_MAX)
            return fail(r, "holds a number that is too large", "", 0);
        if (r->out)
            r->out += sprintf(r->out, "%llu", (unsigned long long)value);
        return (number){true, true, (int64_t)value, 1, (double)value};
    }
    if (token(r) == 1 && take(r, 'n')) {
        size_t n = r->n ? r->n : 1;
        return (number){true, false, (int64_t)n, 1, (double)n};
    }
    if (token(r) == 4 && r->end - r->at > 4 && memcmp(r->at, "sqrt(", 5) == 0) {
        for (const char *c = "sqrt("; *c; c++)
            (void)take(r, *c);
        return root(r, parenthesis(r));
    }
    return take(r, '(') ? parenthesis(r) : unexpected(r);
}

static number product(reader *r)
{
    number left = factor(r);
    while (more(r)) {
        if (take(r, '*'))
            left = multiply(left, factor(r));
        else if (take(r, '/'))
            left = divide(r, left, factor(r));
        else
            break;
    }
    return left;
}

static number sum(reader *r)
{
    number left = product(r);
    while (more(r)) {
        if (take(r, '+'))
            left = add(left, product(r), 1);
        else if (take(r, '-'))
            left = add(left, product(r), -1);
        else
            break;
    }
    return left;
}

attn_status value_parse(const char *text, size_t length, char *canonical, value_kind *kind, attn_error *err)
{
    reader r = {.at = text, .end = text + length, .err = err};
    if (length > 0 && digit(*text)) {
        uint64_t value = integer(&r);
        if (r.at == r.end && !r.failed) {
            *kind = (value_kind){true, true, value > SIZE_MAX ? SIZE_MAX : (size_t)value};
            sprintf(canonical, "%llu", (unsigned long long)value);
            return ATTN_OK;
        }
        r.at = text;
    }
    r.out = canonical;
    number value = sum(&r);
    if (more(&r))
        (void)unexpected(&r);
    if (r.failed)
        return ATTN_EINVAL;
    *r.out = '\0';
    *kind = (value_kind){.constant = value.constant};
    return ATTN_OK;
}

/* floor(x + 1/2) for x >= 0; a double within a few of its roundings of the next integer is that integer. */
static double nearest(number x)
{
    if (x.exact) {
        const wide whole = (2 * (wide)x.num + x.den) / (2 * (wide)x.den); /* rounds down */
        return (double)whole;
    }
    double y = x.real + 0.5, up = ceil(y);
    return up - y <= 4 * DBL_EPSILON * fabs(y) ? up : floor(y);
}

attn_status value_resolve(const char *canonical, size_t n, size_t min, size_t max, size_t *out,
                          attn_error *err)
{
    reader r = {.at = canonical, .end = canonical + strlen(canonical), .n = n, .err = err};
    number value = sum(&r);
    if (r.failed)
        return ATTN_EINVAL;
    if (!value.exact && !isfinite(value.real))
        return attn_fail(err, ATTN_EINVAL, "too large to compute");
    double x = value.real < 0 ? 0 : nearest(value);
    *out = x <= (double)min ? min : x >= (double)max ? max : (size_t)x;
    return ATTN_OK;
}
