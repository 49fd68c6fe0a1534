/* Conformance: allows() is the truth, everything else is compared with it, key by key. */
#include "patterns/conformance.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "attn/layout.h"
#include "patterns/spec_parts.h"

enum {
    EVERY_N = 64,  /* every n up to here */
    LARGEST = 257, /* of all sizes below */
    DRAWN = 12,    /* assignments of random values */
    HEADS = 3,     /* of patterns whose heads differ */
    SPEC_LENGTH = 2048,
    GUARD = 4      /* combs behind the buffer that must stay as they are */
};

static const struct {
    size_t nq, nk;
} sizes[] = {
    {65, 65}, {97, 97}, {128, 128}, {LARGEST, LARGEST},              /* beyond EVERY_N */
    {1, 64}, {64, 1}, {5, 37}, {37, 5}, {63, 64}, {64, 63}, {96, 33} /* nq != nk */
};

typedef struct trial {
    const attn_pattern *pattern;
    uint64_t random;
    size_t cases;
    attn_comb combs[LARGEST + GUARD], again[LARGEST + GUARD];
    bool allowed[LARGEST], listed[LARGEST];
    attn_error *err;
} trial;

/* splitmix64, below `bound` */
static size_t draw(trial *t, size_t bound)
{
    uint64_t z = t->random += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return (size_t)((z ^ z >> 31) % bound);
}

/* ---- one layout ---- */

/* A disagreement in one row, so that it can be asked about again. */
static attn_status differ(trial *t, const attn_layout *layout, size_t head, size_t r, const char *format, ...)
    ATTN_PRINTF(5, 6);
static attn_status differ(trial *t, const attn_layout *layout, size_t head, size_t r, const char *format, ...)
{
    char what[200];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    return attn_fail(t->err, ATTN_EINVAL, "%s: nq=%zu nk=%zu head=%zu row=%zu: %s", attn_layout_text(layout),
                     attn_layout_nq(layout), attn_layout_nk(layout), head, r, what);
}

/* row() into buffers of three capacities: the same count and the same combs, and nothing beyond. */
static attn_status ask_row(trial *t, const attn_layout *layout, size_t head, size_t r, attn_combs *combs)
{
    const attn_comb untouched = {SIZE_MAX, SIZE_MAX, SIZE_MAX, SIZE_MAX};
    size_t nk = attn_layout_nk(layout);
    for (size_t c = 0; c < nk + GUARD; c++)
        t->combs[c] = t->again[c] = untouched;

    *combs = (attn_combs){t->combs, nk, 0};
    attn_layout_row(layout, head, r, combs);
    if (combs->count > nk)
        return differ(t, layout, head, r, "row() gives %zu combs for %zu keys", combs->count, nk);
    size_t fewer = combs->count ? combs->count - 1 : 0;
    for (size_t capacity = 0;; capacity = fewer) {
        attn_combs again = {t->again, capacity, 0};
        attn_layout_row(layout, head, r, &again);
        if (again.count != combs->count)
            return differ(t, layout, head, r, "row() counts %zu combs, but %zu into a buffer of %zu",
                          combs->count, again.count, capacity);
        if (memcmp(t->again, t->combs, capacity * sizeof *t->again) != 0)
            return differ(t, layout, head, r, "row() asked twice gives different combs");
        if (memcmp(&t->again[capacity], &untouched, sizeof untouched) != 0)
            return differ(t, layout, head, r, "row() writes beyond a buffer of %zu combs", capacity);
        if (capacity == fewer)
            return ATTN_OK;
    }
}

/* Adds the row's pairs to *pairs. */
static attn_status compare_row(trial *t, const attn_layout *layout, size_t head, size_t r, uint64_t *pairs)
{
    size_t nq = attn_layout_nq(layout), nk = attn_layout_nk(layout);
    for (size_t j = 0; j < nk; j++) {
        t->allowed[j] = attn_layout_allows(layout, head, r, j);
        t->listed[j] = false;
        *pairs += t->allowed[j];
        if (t->allowed[j] && attn_layout_causal(layout) && j + nq > r + nk)
            return differ(t, layout, head, r, "causal, but allows() lets it see key %zu, after its own", j);
    }
    attn_combs combs;
    attn_status status = ask_row(t, layout, head, r, &combs);
    if (status != ATTN_OK)
        return status;
    attn_error why;
    status = attn_layout_check_row(layout, head, r, &combs, &why);
    if (status != ATTN_OK)
        return attn_fail(t->err, status, "nq=%zu nk=%zu: %s", nq, nk, why.message);
    for (size_t c = 0; c < combs.count; c++)
        for (size_t s = 0; s < combs.at[c].count; s++)
            memset(&t->listed[combs.at[c].begin + s * combs.at[c].step], true, combs.at[c].width);
    for (size_t j = 0; j < nk; j++)
        if (t->listed[j] != t->allowed[j])
            return differ(t, layout, head, r, "key %zu: allows() says %s, row() says %s", j,
                          t->allowed[j] ? "yes" : "no", t->listed[j] ? "yes" : "no");
    return ATTN_OK;
}

static attn_status compare_layout(trial *t, const attn_layout *layout)
{
    size_t nq = attn_layout_nq(layout), nk = attn_layout_nk(layout);
    for (size_t head = 0; head < attn_layout_distinct_heads(layout); head++) {
        uint64_t pairs = 0;
        for (size_t r = 0; r < nq; r++) {
            attn_status status = compare_row(t, layout, head, r, &pairs);
            if (status != ATTN_OK)
                return status;
        }
        uint64_t said = attn_layout_pairs(layout, head);
        if (said != pairs)
            return attn_fail(t->err, ATTN_EINVAL,
                             "%s: nq=%zu nk=%zu head=%zu: %s %llu, allows() makes it %llu",
                             attn_layout_text(layout), nq, nk, head,
                             nq == nk && t->pattern->pairs ? "pairs() is" : "the rows hold",
                             (unsigned long long)said, (unsigned long long)pairs);
    }
    t->cases++;
    return ATTN_OK;
}

/* ---- one spec ---- */

static attn_status compare_spec(trial *t, const char *text)
{
    attn_error why;
    attn_spec *spec;
    const bool composed = t->pattern == &attn_pattern_composed;
    attn_status status = composed ? attn_spec_parse(&spec, text, &why) : spec_parse_as(&spec, t->pattern, text, &why);
    if (status != ATTN_OK)
        return status == ATTN_EINVAL ? ATTN_OK : attn_fail(t->err, status, "%s", why.message);
    size_t heads = composed || t->pattern->flags & ATTN_PER_HEAD ? HEADS : 1;
    for (size_t c = 0; status == ATTN_OK && c < EVERY_N + sizeof sizes / sizeof sizes[0]; c++) {
        size_t nq = c < EVERY_N ? c + 1 : sizes[c - EVERY_N].nq;
        size_t nk = c < EVERY_N ? c + 1 : sizes[c - EVERY_N].nk;
        attn_layout *layout;
        status = attn_layout_create(&layout, spec, nq, nk, heads, &why);
        if (status == ATTN_EINVAL)
            status = ATTN_OK;
        else if (status != ATTN_OK)
            (void)attn_fail(t->err, status, "%s", why.message);
        else
            status = compare_layout(t, layout);
        attn_layout_destroy(layout);
    }
    attn_spec_destroy(spec);
    return status;
}

/* ---- which specs ---- */

static const char *const expressions[] = {"n", "n/2", "sqrt(n)", "n/16", "n+1"};
enum { EXPRESSIONS = sizeof expressions / sizeof expressions[0] };

/* The index-th value worth trying of a parameter, or false. */
static bool notable(const attn_param *param, size_t index, char *out, size_t size)
{
    if (param->choices) {
        if (index >= spec_choice_count(param->choices))
            return false;
        size_t length;
        const char *word = spec_choice(param->choices, index, &length);
        snprintf(out, size, "%.*s", (int)length, word);
    } else if (index < EXPRESSIONS) {
        snprintf(out, size, "%s", expressions[index]);
    } else if (index < EXPRESSIONS + 2) {
        snprintf(out, size, "%zu", index == EXPRESSIONS ? param->min : param->max);
    } else {
        return false;
    }
    return true;
}

/* A value at random: mostly small numbers, because those matter at small n. */
static void random_value(trial *t, const attn_param *param, char *out, size_t size)
{
    if (param->choices) {
        (void)notable(param, draw(t, spec_choice_count(param->choices)), out, size);
    } else if (draw(t, 4) == 0) {
        (void)notable(param, draw(t, EXPRESSIONS + 2), out, size);
    } else {
        size_t range = param->max - param->min, small = draw(t, 2) ? 8 : 80;
        snprintf(out, size, "%zu", param->min + draw(t, (range < small ? range : small) + 1));
    }
}

/* The same values, causal and not. */
static attn_status compare_both(trial *t, const char *values)
{
    char text[SPEC_LENGTH + 128];
    snprintf(text, sizeof text, "%s%s%s", t->pattern->name, *values ? ":" : "", values);
    attn_status status = compare_spec(t, text);
    if (status != ATTN_OK)
        return status;
    snprintf(text, sizeof text, "%s:%s%scausal=0", t->pattern->name, values, *values ? "," : "");
    return compare_spec(t, text);
}

attn_status pattern_conform(const attn_pattern *pattern, uint64_t seed, size_t *cases, attn_error *err)
{
    *cases = 0;
    trial *t = calloc(1, sizeof *t);
    if (!t)
        return attn_fail(err, ATTN_ENOMEM, "out of memory");
    t->pattern = pattern;
    t->random = seed;
    t->err = err;
    char values[SPEC_LENGTH], value[128];
    size_t count = spec_param_count(pattern);

    attn_status status = compare_both(t, "");
    for (size_t p = 0; p < count; p++)
        for (size_t v = 0; status == ATTN_OK && notable(&pattern->params[p], v, value, sizeof value); v++) {
            snprintf(values, sizeof values, "%s=%s", pattern->params[p].key, value);
            status = compare_both(t, values);
        }
    for (size_t d = 0; status == ATTN_OK && count > 0 && d < DRAWN; d++) {
        size_t used = 0;
        values[0] = '\0';
        for (size_t p = 0; p < count; p++) {
            if (draw(t, 4) == 0)
                continue; /* its default */
            random_value(t, &pattern->params[p], value, sizeof value);
            used += (size_t)snprintf(values + used, sizeof values - used, "%s%s=%s", used ? "," : "",
                                     pattern->params[p].key, value);
        }
        status = compare_both(t, values);
    }
    *cases = t->cases;
    if (status == ATTN_OK && t->cases == 0)
        status = attn_fail(err, ATTN_EINVAL, "%s: refuses every value and size tried", pattern->name);
    free(t);
    return status;
}

attn_status spec_conform(const char *text, size_t *cases, attn_error *err)
{
    *cases = 0;
    trial *t = calloc(1, sizeof *t);
    if (!t)
        return attn_fail(err, ATTN_ENOMEM, "out of memory");
    t->pattern = &attn_pattern_composed;
    t->err = err;
    attn_status status = compare_spec(t, text);
    *cases = t->cases;
    if (status == ATTN_OK && t->cases == 0)
        status = attn_fail(err, ATTN_EINVAL, "%s: refuses every size tried", text);
    free(t);
    return status;
}
