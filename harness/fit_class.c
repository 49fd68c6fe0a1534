/* The asymptotic class of a pattern from its exact pair counts; the method is described in fit.h. */
#include "harness/fit.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "attn/layout.h"

enum { SIZES = 4, TERMS = 4, BASES = 3, LARGEST_CONSTANT = 4 };

static const double counts_above = 0.02; /* of the pairs: what a term must hold to be a term */
static const double below_zero = -0.1;   /* shares of true sums of these terms; n^(4/3) comes to -0.29 */
static const double slope_agrees = 0.12; /* n log n at n = 2^18 is 0.08 steeper than n, n^(4/3) 0.33 */
static const double slows_to = 0.02, speeds_up = 0.1, leads = 0.5;
static const double most_tests = 3e7; /* of single pairs in a count: half a second */

static const struct {
    const char *name;
    double exponent;
} terms[TERMS] = {{"n", 1}, {"n log n", 1}, {"n√n", 1.5}, {"n²", 2}};

/* How large s may be: by what a count costs. */
static const struct reach {
    size_t s[BASES]; /* multiples of 8, for s/2, s/4, s/8 */
    bool model;      /* large enough to tell the terms apart; else the slope decides */
} closed_form = {{4096, 3840, 4032}, true}, rows_only = {{512, 480, 504}, true},
  definition_only = {{64, 48, 56}, false};

static double term(size_t t, double n)
{
    return t == 0 ? n : t == 1 ? n * log2(n) : t == 2 ? n * sqrt(n) : n * n;
}

/* ---- constants scaled down ---- */

static bool literal(const char *text, size_t length, double *value)
{
    char digits[24];
    if (length == 0 || length >= sizeof digits)
        return false;
    memcpy(digits, text, length);
    digits[length] = '\0';
    char *end;
    double unit = 1, number = (double)strtoull(digits, &end, 10);
    if (end > digits && (*end == 'k' || *end == 'm'))
        unit = *end++ == 'k' ? 1024 : 1048576;
    *value = number * unit;
    return *digits >= '0' && *digits <= '9' && *end == '\0';
}

/* The value of a parameter as written in `text` ("name:key=value,key=value"), or its default. */
static const char *written(const char *text, const attn_param *p, size_t *length)
{
    const char *at = strchr(text, ':');
    size_t key = strlen(p->key);
    while (at) {
        at++;
        if (strncmp(at, p->key, key) == 0 && at[key] == '=') {
            *length = strcspn(at + key + 1, ",");
            return at + key + 1;
        }
        at = strchr(at, ',');
    }
    *length = strlen(p->fallback);
    return p->fallback;
}

/* The spec with its literal integers divided by a common factor; false when there is nothing to divide, or
 * the spec is not of the form name:key=value,... */
static bool scale_constants(const attn_spec *spec, char *out, size_t size)
{
    const char *text = attn_spec_text(spec);
    const attn_pattern *pattern = attn_spec_pattern(spec);
    if (!pattern || !pattern->params || strpbrk(text, " \"~|&") != NULL)
        return false;
    double largest = 0, value;
    size_t length;
    for (const attn_param *p = pattern->params; p->key; p++) {
        const char *v = written(text, p, &length);
        if (!p->choices && literal(v, length, &value) && value > largest)
            largest = value;
    }
    if (largest <= LARGEST_CONSTANT)
        return false;
    const double factor = largest / LARGEST_CONSTANT;
    int used = snprintf(out, size, "%s", pattern->name);
    char separator = ':';
    for (const attn_param *p = pattern->params; p->key && used >= 0 && (size_t)used < size; p++) {
        const char *v = written(text, p, &length);
        char *to = out + used;
        size_t room = size - (size_t)used;
        if (!p->choices && literal(v, length, &value)) {
            double least = value > 0 ? fmax(1, (double)p->min) : (double)p->min;
            used +=
                snprintf(to, room, "%c%s=%.0f", separator, p->key, fmax(least, floor(value / factor + 0.5)));
        } else if (v != p->fallback) {
            used += snprintf(to, room, "%c%s=%.*s", separator, p->key, (int)length, v);
        } else {
            continue;
        }
        separator = ',';
    }
    const char *causal = strstr(text, "causal=0");
    if (causal && (causal[-1] == ':' || causal[-1] == ',') && used >= 0 && (size_t)used < size)
        used += snprintf(out + used, size - (size_t)used, "%ccausal=0", separator);
    return used >= 0 && (size_t)used < size;
}

/* ---- counting and solving ---- */

static attn_status count_pairs(const attn_spec *spec, size_t n, size_t heads, double *pairs, attn_error *err)
{
    attn_layout *layout;
    attn_status status = attn_layout_create(&layout, spec, n, n, heads, err);
    if (status != ATTN_OK)
        return status;
    *pairs = (double)attn_layout_pairs_all_heads(layout) / (double)heads;
    attn_layout_destroy(layout);
    return ATTN_OK;
}

/* Solves the counts for the model and sets share[t], what term t holds of the pairs at the largest size.
 * Columns are terms at the largest size, so that the unknowns are the shares themselves. */
static void solve(const double *n, const double *pairs, double *share)
{
    double m[SIZES][TERMS + 1];
    for (size_t i = 0; i < SIZES; i++) {
        double weight = 1 / term(TERMS - 1, n[i]); /* rows of like size */
        for (size_t t = 0; t < TERMS; t++)
            m[i][t] = weight * term(t, n[i]) / term(t, n[SIZES - 1]);
        m[i][TERMS] = weight * pairs[i] / pairs[SIZES - 1];
    }
    for (size_t t = 0; t < TERMS; t++) { /* Gauss and Jordan, largest pivot */
        size_t pivot = t;
        for (size_t i = t + 1; i < SIZES; i++)
            if (fabs(m[i][t]) > fabs(m[pivot][t]))
                pivot = i;
        for (size_t c = 0; c <= TERMS; c++) {
            double swap = m[t][c];
            m[t][c] = m[pivot][c];
            m[pivot][c] = swap;
        }
        for (size_t i = 0; i < SIZES; i++) {
            double f = i == t ? 0 : m[i][t] / m[t][t];
            for (size_t c = t; c <= TERMS; c++)
                m[i][c] -= f * m[t][c];
        }
    }
    for (size_t t = 0; t < TERMS; t++)
        share[t] = m[t][TERMS] / m[t][t];
}

/* Rows of a pattern, an expression say, may still be had by testing pairs alone. */
static attn_status choose_reach(const struct reach **out, const attn_spec *spec, size_t heads, attn_error *err)
{
    const attn_pattern *pattern = attn_spec_pattern(spec);
    *out = pattern && pattern->pairs ? &closed_form : pattern && pattern->row ? &rows_only : &definition_only;
    if (*out != &rows_only)
        return ATTN_OK;
    attn_layout *layout;
    const size_t n = rows_only.s[0] * rows_only.s[0];
    attn_status status = attn_layout_create(&layout, spec, n, n, heads, err);
    if (status == ATTN_OK && attn_layout_tests(layout, 0) > most_tests)
        *out = &definition_only;
    if (status == ATTN_OK)
        attn_layout_destroy(layout);
    return status;
}

static attn_status classify(fit_growth *out, const attn_spec *spec, size_t heads, attn_error *err)
{
    const struct reach *reach;
    const attn_status chosen = choose_reach(&reach, spec, heads, err);
    if (chosen != ATTN_OK)
        return chosen;
    double least[TERMS] = {HUGE_VAL, HUGE_VAL, HUGE_VAL, HUGE_VAL}, slope = 0, before = 0;
    for (size_t b = 0; b < BASES; b++) {
        double n[SIZES], pairs[SIZES], share[TERMS];
        for (size_t i = 0; i < SIZES; i++) {
            size_t s = reach->s[b] >> (SIZES - 1 - i);
            n[i] = (double)(s * s);
            attn_status status = count_pairs(spec, s * s, heads, &pairs[i], err);
            if (status != ATTN_OK)
                return status;
            if (pairs[i] <= 0) {
                snprintf(out->why, sizeof out->why, "no pairs at n = %zu", s * s);
                return ATTN_OK;
            }
        }
        slope += log(pairs[SIZES - 1] / pairs[SIZES - 2]) / log(4) / BASES;
        before += log(pairs[SIZES - 2] / pairs[SIZES - 3]) / log(4) / BASES;
        solve(n, pairs, share);
        for (size_t t = 0; t < TERMS; t++)
            least[t] = fmin(least[t], share[t]);
    }
    out->largest = reach->s[0] * reach->s[0];
    out->exponent = slope;
    size_t class = 0;
    if (reach->model) {
        for (size_t t = TERMS; t-- > 1 && class == 0;)
            if (least[t] > counts_above)
                class = t;
        out->share = least[class];
    } else {
        class = slope < 1.25 ? 0 : slope < 1.75 ? 2 : 3;
        out->share = (double)NAN;
    }
    /* Sums of these terms grow ever more steeply, but for n log n. What slows down to n has lower terms that the model lacks
     * (keys drawn twice, edges), and what they do to the others means nothing. */
    const bool slows = reach->model && slope <= before && fabs(slope - 1) <= slows_to;
    const bool leading = reach->model && slope > before + speeds_up && least[class] > leads;
    if (slows)
        class = 0;
    double expected = terms[class].exponent + (class == 1 ? 1 / log((double)out->largest) : 0), lowest = 0;
    for (size_t t = 0; t < TERMS; t++)
        lowest = fmin(lowest, least[t]);
    if ((reach->model && lowest >= below_zero) || leading || fabs(slope - expected) <= slope_agrees)
        snprintf(out->name, sizeof out->name, "%s", terms[class].name);
    else
        snprintf(out->name, sizeof out->name, "n^%.2f", slope);
    return ATTN_OK;
}

attn_status fit_class(fit_growth *out, const char *text, size_t heads, attn_error *err)
{
    attn_spec *spec = NULL, *small = NULL;
    fit_growth growth = {.exponent = (double)NAN, .share = (double)NAN};
    attn_status status = attn_spec_parse(&spec, text, err);
    if (status != ATTN_OK)
        return status;
    char scaled[sizeof growth.scaled];
    bool done = false;
    if (scale_constants(spec, scaled, sizeof scaled) && attn_spec_parse(&small, scaled, NULL) == ATTN_OK) {
        done = classify(&growth, small, heads, NULL) == ATTN_OK && growth.name[0];
        if (done)
            memcpy(growth.scaled, scaled, sizeof scaled);
        else
            growth = (fit_growth){.exponent = (double)NAN, .share = (double)NAN};
    }
    if (!done)
        status = classify(&growth, spec, heads, err);
    if (status == ATTN_OK)
        *out = growth;
    attn_spec_destroy(small);
    attn_spec_destroy(spec);
    return status;
}
