/* Text to values: sizes, numbers and axes. */
#include "harness/cli.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Digits and an optional suffix at *text, advancing it. */
static bool take_size(const char **text, size_t *out)
{
    const char *c = *text;
    size_t value = 0;
    if (*c < '0' || *c > '9')
        return false;
    for (; *c >= '0' && *c <= '9'; c++)
        if (__builtin_mul_overflow(value, (size_t)10, &value) ||
            __builtin_add_overflow(value, (size_t)(*c - '0'), &value))
            return false;
    size_t unit = *c == 'k' ? 1024 : *c == 'm' ? 1048576 : 1;
    if (unit > 1)
        c++;
    if (__builtin_mul_overflow(value, unit, &value))
        return false;
    *text = c;
    *out = value;
    return true;
}

bool cli_parse_size(const char *text, size_t *out)
{
    size_t value;
    if (!take_size(&text, &value) || *text)
        return false;
    *out = value;
    return true;
}

bool cli_parse_positive(const char *text, double *out)
{
    char *end;
    const bool plain = (*text >= '0' && *text <= '9') || *text == '.';
    const double value = strtod(text, &end);
    if (!plain || *end || end == text || !isfinite(value) || value <= 0 || value > 1e7 || strpbrk(text, "xX"))
        return false;
    *out = value;
    return true;
}

typedef struct axis {
    size_t *values, count;
    size_t min, max;
} axis;

static attn_status append(axis *a, const char *text, size_t value, attn_error *err)
{
    if (value < a->min || value > a->max)
        return attn_fail(err, ATTN_EINVAL, "'%.80s': %zu is outside %zu to %zu", text, value, a->min, a->max);
    for (size_t i = 0; i < a->count; i++)
        if (a->values[i] == value)
            return ATTN_OK;
    if (a->count == CLI_AXIS_LENGTH)
        return attn_fail(err, ATTN_EINVAL, "'%.80s': more than %d values", text, CLI_AXIS_LENGTH);
    a->values[a->count++] = value;
    return ATTN_OK;
}

/* One item: 4k, 1k:64k*2 or 100:500:100. */
static attn_status item(axis *a, const char *text, const char **rest, attn_error *err)
{
    const char *c = *rest;
    size_t first, last, step;
    if (!take_size(&c, &first))
        goto malformed;
    if (*c != ':') {
        *rest = c;
        return append(a, text, first, err);
    }
    c++;
    if (!take_size(&c, &last) || (*c != '*' && *c != ':'))
        goto malformed;
    bool geometric = *c++ == '*';
    if (!take_size(&c, &step))
        goto malformed;
    *rest = c;
    if (first > last)
        return attn_fail(err, ATTN_EINVAL, "'%.80s': the range runs backwards; write the smaller end first", text);
    if (step < (geometric ? 2u : 1u) || first == 0)
        return attn_fail(err, ATTN_EINVAL, "'%.80s': a range needs a first value of 1 or more and %s", text,
                         geometric ? "a factor of 2 or more" : "a step of 1 or more");
    for (size_t value = first; value <= last;) {
        attn_status status = append(a, text, value, err);
        if (status != ATTN_OK)
            return status;
        if (geometric ? __builtin_mul_overflow(value, step, &value) : __builtin_add_overflow(value, step, &value))
            break;
    }
    return ATTN_OK;
malformed:
    return attn_fail(err, ATTN_EINVAL,
                     "'%.80s' is not a list of sizes; write 4k, or 64,128, or 1k:64k*2 (factor), or 100:500:100 (step)",
                     text);
}

attn_status cli_parse_axis(const char *text, size_t min, size_t max, size_t **out, size_t *count, attn_error *err)
{
    axis a = {malloc(CLI_AXIS_LENGTH * sizeof(size_t)), 0, min, max};
    if (!a.values)
        return attn_fail(err, ATTN_ENOMEM, "out of memory");
    attn_status status;
    for (const char *rest = text;; rest++) {
        status = item(&a, text, &rest, err);
        if (status == ATTN_OK && *rest == ',')
            continue;
        if (status == ATTN_OK && *rest)
            status = attn_fail(err, ATTN_EINVAL, "'%.80s': unexpected '%.20s' after a size", text, rest);
        break;
    }
    if (status != ATTN_OK) {
        free(a.values);
        return status;
    }
    *out = a.values;
    *count = a.count;
    return ATTN_OK;
}
