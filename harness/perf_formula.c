/* Formulas by recursive descent: each rule of the grammar a function that adds its steps in postfix order. */
#include "harness/perf_formula.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct reader {
    const char *at;
    size_t depth;
    perf_formula *out;
    attn_error *err;
} reader;

size_t perf_name_span(const char *text)
{
    static const char rest[] = "abcdefghijklmnopqrstuvwxyz0123456789_";
    return *text >= 'a' && *text <= 'z' ? strspn(text, rest) : 0;
}

static void skip_blanks(reader *r)
{
    r->at += strspn(r->at, " \t");
}

static attn_status step(reader *r, struct perf_step s)
{
    if (r->out->step_count == PERF_FORMULA_STEPS)
        return attn_fail(r->err, ATTN_EINVAL, "a formula of more than %d numbers, names and operators; derive a part of it "
                                              "before", (int)PERF_FORMULA_STEPS);
    r->out->steps[r->out->step_count++] = s;
    return ATTN_OK;
}

static attn_status read_name(reader *r)
{
    perf_formula *f = r->out;
    const size_t length = perf_name_span(r->at);
    if (length >= PERF_NAME_LENGTH)
        return attn_fail(r->err, ATTN_EINVAL, "'%.50s': a name has at most %d characters", r->at, (int)PERF_NAME_LENGTH - 1);
    size_t i = 0;
    while (i < f->name_count && (strncmp(f->names[i], r->at, length) != 0 || f->names[i][length]))
        i++;
    if (i == PERF_FORMULA_NAMES)
        return attn_fail(r->err, ATTN_EINVAL, "a formula of more than %d names; derive a part of it before",
                         (int)PERF_FORMULA_NAMES);
    if (i == f->name_count) {
        memcpy(f->names[i], r->at, length);
        f->name_count++;
    }
    r->at += length;
    return step(r, (struct perf_step){.kind = 'n', .name = (unsigned char)i});
}

static attn_status read_number(reader *r)
{
    static const char digits[] = "0123456789";
    size_t length = strspn(r->at, digits);
    if (r->at[length] == '.' && strspn(r->at + length + 1, digits))
        length += 1 + strspn(r->at + length + 1, digits);
    if (r->at[length] == 'e') {
        const size_t sign = r->at[length + 1] == '+' || r->at[length + 1] == '-';
        const size_t more = strspn(r->at + length + 1 + sign, digits);
        length += more ? 1 + sign + more : 0;
    }
    char text[32] = "";
    if (length < sizeof text)
        memcpy(text, r->at, length);
    const double value = strtod(text, NULL);
    if (length >= sizeof text || !isfinite(value))
        return attn_fail(r->err, ATTN_EINVAL, "'%.40s': a number beyond the range, or of too many digits", r->at);
    r->at += length;
    return step(r, (struct perf_step){.kind = '#', .number = value});
}

static attn_status read_sum(reader *r);

static attn_status read_factor(reader *r)
{
    skip_blanks(r);
    const char c = *r->at;
    if (c != '-' && c != '(') {
        if (c >= '0' && c <= '9')
            return read_number(r);
        if (perf_name_span(r->at))
            return read_name(r);
        return c ? attn_fail(r->err, ATTN_EINVAL, "'%.40s' where the formula needs a number, a name or '('", r->at)
                 : attn_fail(r->err, ATTN_EINVAL, "the formula ends where it needs a number, a name or '('");
    }
    if (r->depth == PERF_FORMULA_DEPTH)
        return attn_fail(r->err, ATTN_EINVAL, "a formula nested deeper than %d", (int)PERF_FORMULA_DEPTH);
    r->depth++;
    r->at++;
    attn_status status = c == '-' ? read_factor(r) : read_sum(r);
    r->depth--;
    if (status || c == '-')
        return status ? status : step(r, (struct perf_step){.kind = '~'});
    skip_blanks(r);
    if (*r->at != ')')
        return *r->at ? attn_fail(r->err, ATTN_EINVAL, "'%.40s' where the formula needs an operator or ')'", r->at)
                      : attn_fail(r->err, ATTN_EINVAL, "the formula ends where it needs ')'");
    r->at++;
    return ATTN_OK;
}

static attn_status read_chain(reader *r, const char *operators, attn_status (*part)(reader *))
{
    attn_status status = part(r);
    for (;;) {
        skip_blanks(r);
        const char c = *r->at;
        if (status || !c || !strchr(operators, c))
            return status;
        r->at++;
        status = part(r);
        if (!status)
            status = step(r, (struct perf_step){.kind = c});
    }
}

static attn_status read_product(reader *r)
{
    return read_chain(r, "*/", read_factor);
}

static attn_status read_sum(reader *r)
{
    return read_chain(r, "+-", read_product);
}

attn_status perf_formula_parse(perf_formula *out, const char *text, attn_error *err)
{
    reader r = {.at = text, .out = out, .err = err};
    *out = (perf_formula){0};
    attn_status status = read_sum(&r);
    if (!status && *r.at)
        status = attn_fail(err, ATTN_EINVAL, "'%.40s' where the formula needs + - * / or its end", r.at);
    if (status)
        *out = (perf_formula){0};
    return status;
}

const char *perf_formula_value(const perf_formula *f, const double *operands, double *out)
{
    double stack[PERF_FORMULA_STEPS] = {0};
    size_t n = 0;
    for (size_t i = 0; i < f->step_count; i++) {
        const struct perf_step *s = &f->steps[i];
        if (s->kind == '#' || s->kind == 'n') {
            stack[n++] = s->kind == '#' ? s->number : operands[s->name];
            continue;
        }
        if (s->kind == '~') {
            stack[n - 1] = -stack[n - 1];
            continue;
        }
        const double b = stack[--n], a = stack[n - 1];
        switch (s->kind) {
        case '+': stack[n - 1] = a + b; break;
        case '-': stack[n - 1] = a - b; break;
        case '*': stack[n - 1] = a * b; break;
        default:
            if (b == 0)
                return "its formula divides by a count of 0";
            stack[n - 1] = a / b;
        }
    }
    if (n != 1 || !isfinite(stack[0]))
        return "its formula leaves the range of numbers";
    *out = stack[0];
    return NULL;
}
