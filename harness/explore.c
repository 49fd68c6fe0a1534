/* What the explorer looks at. See explore.h. */
#include "harness/explore.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "attn/analysis.h"
#include "attn/explain.h"

enum { PLANNED_N = 1 << 16, REACHED_N = 2048 }; /* longest sequences that are planned, and whose reach is found, at every change */

/* ---- what follows from a layout ---- */

static double predict(const attn_layout *layout, size_t dim)
{
    const attn_problem problem = {.layout = layout, .batch = 1, .dim = dim};
    attn_explanation *why;
    attn_error err;
    if (attn_layout_nk(layout) > PLANNED_N || attn_layout_tests(layout, 0) > 1e8 || attn_plan_predict(&why, &problem, &err) != ATTN_OK)
        return (double)NAN;
    const double ms = why->predicted_ns / 1e6;
    attn_explanation_destroy(why);
    return ms;
}

static double predict_dense(const explore *x)
{
    attn_spec *spec;
    attn_layout *layout;
    attn_error err;
    double ms = (double)NAN;
    if (attn_spec_parse(&spec, attn_layout_causal(x->layout) ? "dense" : "dense:causal=0", &err) != ATTN_OK)
        return ms;
    if (attn_layout_create(&layout, spec, x->n, x->n, x->heads, &err) == ATTN_OK) {
        ms = predict(layout, x->dim);
        attn_layout_destroy(layout);
    }
    attn_spec_destroy(spec);
    return ms;
}

/* Within two steps, exactly. */
static void find_reach(explore *x)
{
    const attn_layout *layers[] = {x->layout};
    attn_analysis *analysis;
    attn_reach reach;
    attn_error err;
    x->reach[0] = x->reach[1] = (double)NAN;
    if (x->n > REACHED_N || attn_analysis_create(&analysis, layers, 1, &err) != ATTN_OK)
        return;
    if (attn_analysis_reach(&reach, analysis, &(attn_reach_request){.hops = 2, .steps = 2, .max_hops = 2, .exact_to = REACHED_N, .sample = 1}, &err) == ATTN_OK) {
        x->reach[0] = reach.plain.share[1];
        x->reach[1] = reach.residual.share[1];
    }
    attn_analysis_destroy(analysis);
}

static void look(explore *x)
{
    x->head %= attn_layout_distinct_heads(x->layout);
    x->by_pairs = explore_asks_pairs(x);
    x->pairs = attn_layout_pairs(x->layout, x->head);
    x->predicted_ms = predict(x->layout, x->dim);
    x->dense_ms = isnan(x->predicted_ms) ? x->predicted_ms : predict_dense(x);
    find_reach(x);
}

attn_status explore_open(explore *x, const char *spec, size_t n, size_t heads, size_t dim, attn_error *err)
{
    *x = (explore){.n = n, .heads = heads, .dim = dim, .cell = 1};
    attn_status status = attn_spec_parse(&x->spec, spec, err);
    if (status == ATTN_OK)
        status = attn_layout_create(&x->layout, x->spec, n, n, heads, err);
    if (status == ATTN_OK)
        look(x);
    else
        explore_close(x);
    return status;
}

void explore_close(explore *x)
{
    attn_layout_destroy(x->layout);
    attn_spec_destroy(x->spec);
    x->layout = NULL;
    x->spec = NULL;
}

bool explore_set(explore *x, const char *spec, size_t n)
{
    explore other;
    attn_error err;
    x->message[0] = '\0';
    if (n < 1 || n > ATTN_MAX_N || explore_open(&other, spec, n, x->heads, x->dim, &err) != ATTN_OK) {
        snprintf(x->message, sizeof x->message, "%s", n < 1 || n > ATTN_MAX_N ? "n is at least 1 and at most 16777216" : err.message);
        return false;
    }
    other.head = x->head % attn_layout_distinct_heads(other.layout);
    other.cell = x->cell;
    other.row = x->row;
    other.key = x->key;
    other.at_row = x->at_row < n ? x->at_row : n - 1;
    other.at_key = x->at_key < n ? x->at_key : n - 1;
    other.param = x->param < explore_params(&other) ? x->param : 0;
    explore_close(x);
    *x = other;
    return true;
}

/* ---- parameters ---- */

static size_t own_params(const explore *x)
{
    const attn_pattern *p = attn_spec_pattern(x->spec);
    size_t count = 0;
    while (p->params && p->params[count].key)
        count++;
    return count;
}

/* Those of a pattern of the registry: the others say more than numbers. */
size_t explore_params(const explore *x)
{
    const attn_pattern *p = attn_spec_pattern(x->spec);
    return attn_pattern_find(p->name) == p && strcmp(p->name, "expr") != 0 ? own_params(x) + 1 : 0;
}

const char *explore_param_name(const explore *x, size_t param)
{
    return param < own_params(x) ? attn_spec_pattern(x->spec)->params[param].key : "causal";
}

/* From the layout's text, which has every parameter as a number or word. */
const char *explore_param_value(const explore *x, size_t param, char *out, size_t size)
{
    if (param == own_params(x)) {
        snprintf(out, size, "%d", attn_layout_causal(x->layout));
        return out;
    }
    char key[80];
    const char *text = attn_layout_text(x->layout), *at;
    snprintf(key, sizeof key, "%s=", explore_param_name(x, param));
    for (at = strchr(text, ':'); at; at = strchr(at + 1, ','))
        if (strncmp(at + 1, key, strlen(key)) == 0)
            break;
    at = at ? at + 1 + strlen(key) : "";
    snprintf(out, size, "%.*s", (int)strcspn(at, ","), at);
    return out;
}

/* The word before or after `now` of "a|b|c", in a circle. */
static void next_word(const char *choices, const char *now, int step, char *out, size_t size)
{
    const char *words[32];
    size_t count = 0, at = 0;
    for (const char *c = choices; c && count < 32; c = strchr(c, '|') ? strchr(c, '|') + 1 : NULL) {
        if (strncmp(c, now, strlen(now)) == 0 && strcspn(c, "|") == strlen(now))
            at = count;
        words[count++] = c;
    }
    at = (at + count + (size_t)(step > 0 ? 1 : count - 1)) % count;
    snprintf(out, size, "%.*s", (int)strcspn(words[at], "|"), words[at]);
}

void explore_change(explore *x, long by, int times)
{
    char spec[EXPLORE_TEXT], value[64], changed[64];
    const attn_pattern *p = attn_spec_pattern(x->spec);
    const size_t count = explore_params(x), own = own_params(x);
    int used = snprintf(spec, sizeof spec, "%s", p->name);
    for (size_t k = 0; k < count; k++) {
        explore_param_value(x, k, value, sizeof value);
        snprintf(changed, sizeof changed, "%s", value);
        if (k == x->param && k == own) {
            snprintf(changed, sizeof changed, "%d", !attn_layout_causal(x->layout));
        } else if (k == x->param && p->params[k].choices) {
            next_word(p->params[k].choices, value, by ? (int)by : times, changed, sizeof changed);
        } else if (k == x->param) {
            const double now = strtod(value, NULL), least = (double)p->params[k].min, most = (double)p->params[k].max;
            const double moved = by ? now + (double)by : floor(ldexp(now > 0 ? now : 1, times));
            snprintf(changed, sizeof changed, "%.0f", fmin(fmax(moved, least), most));
        }
        if (k < own || strcmp(changed, "0") == 0)
            used += snprintf(spec + used, sizeof spec - (size_t)used, "%c%s=%s", k ? ',' : ':', explore_param_name(x, k), changed);
        if (used >= (int)sizeof spec)
            return;
    }
    if (count)
        (void)explore_set(x, spec, x->n);
    else
        snprintf(x->message, sizeof x->message, "this spec has no parameters to change; press : to write another");
}

/* ---- moving ---- */

static size_t cells_of(const explore *x) { return (x->n - 1) / x->cell + 1; }

/* Keeps the cursor in a picture of so many cells, and the picture on the mask. */
static size_t follow(const explore *x, size_t begin, size_t at, size_t shown)
{
    const size_t cells = cells_of(x), cursor = at / x->cell;
    size_t first = begin / x->cell;
    if (cursor < first)
        first = cursor;
    if (cursor >= first + shown)
        first = cursor - shown + 1;
    if (first + shown > cells)
        first = cells > shown ? cells - shown : 0;
    return first * x->cell;
}

static size_t step(const explore *x, size_t at, long cells)
{
    const size_t by = (size_t)(cells < 0 ? -cells : cells);
    if (by > x->n / x->cell + 1)
        return cells < 0 ? 0 : x->n - 1;
    const size_t way = by * x->cell;
    return cells < 0 ? (at > way ? at - way : 0) : at + way < x->n ? at + way : x->n - 1;
}

void explore_move(explore *x, long down, long right, size_t rows, size_t columns)
{
    x->at_row = step(x, x->at_row, down);
    x->at_key = step(x, x->at_key, right);
    x->row = follow(x, x->row, x->at_row, rows);
    x->key = follow(x, x->key, x->at_key, columns);
}

void explore_zoom(explore *x, int finer, size_t rows, size_t columns)
{
    const size_t cell = finer > 0 ? (x->cell + 1) / 2 : x->cell * 2;
    if (finer < 0 && cells_of(x) <= rows && cells_of(x) <= columns)
        return;
    x->cell = cell;
    const size_t up = rows / 2 * cell, left = columns / 2 * cell; /* the cursor in the middle */
    x->row = x->at_row > up ? (x->at_row - up) / cell * cell : 0;
    x->key = x->at_key > left ? (x->at_key - left) / cell * cell : 0;
    explore_move(x, 0, 0, rows, columns);
}

void explore_fit(explore *x, size_t rows, size_t columns)
{
    const size_t most = rows < columns ? rows : columns;
    x->cell = (x->n - 1) / (most ? most : 1) + 1;
    x->row = x->key = 0;
    explore_move(x, 0, 0, rows, columns);
}
