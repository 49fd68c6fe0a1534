/* Layouts: a spec resolved at given sizes. Rows come from the pattern's row(), or from allows() at O(nk) a
 * row where it has none. layout_check.c checks rows. */
#include "attn/layout.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "patterns/layout_parts.h"
#include "patterns/spec_parts.h"
#include "patterns/value.h"

__extension__ typedef unsigned __int128 wide;

static attn_status check_sizes(size_t nq, size_t nk, size_t heads, attn_error *err)
{
    const struct {
        const char *name;
        size_t value;
    } sizes[] = {{"nq", nq}, {"nk", nk}, {"heads", heads}};
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++)
        if (sizes[s].value < 1 || sizes[s].value > ATTN_MAX_N)
            return attn_fail(err, ATTN_EINVAL, "%s=%zu is outside its range, 1 to %zu", sizes[s].name,
                             sizes[s].value, ATTN_MAX_N);
    if ((wide)nq * nk * heads > UINT64_MAX)
        return attn_fail(err, ATTN_EINVAL, "nq=%zu, nk=%zu and heads=%zu make more than 2^64 pairs", nq, nk,
                         heads);
    return ATTN_OK;
}

/* Numbers and words for every parameter. */
static attn_status resolve(attn_layout *layout, const attn_spec *spec, attn_error *err)
{
    const attn_pattern *pattern = layout->pattern;
    attn_pattern_args *args = &layout->args;
    size_t count = spec_param_count(pattern);
    for (size_t p = 0; p < count; p++) {
        const attn_param *param = &pattern->params[p];
        const spec_value *value = &spec->value[p];
        args->v[p] = value->number;
        attn_error why;
        if (value->expression &&
            value_resolve(value->expression, args->nk, param->min, param->max, &args->v[p], &why) != ATTN_OK)
            return attn_fail(err, ATTN_EINVAL, "%s: %s=%.60s at n=%zu: %s", pattern->name, param->key,
                             value->expression, args->nk, why.message);
    }
    attn_status status = pattern->check ? pattern->check(args->v, spec->literal, err) : ATTN_OK;
    if (status != ATTN_OK || !pattern->prepare)
        return status;
    status = pattern->prepare(args, spec->literal, err);
    layout->prepared = status == ATTN_OK;
    for (size_t p = 0; p < count && status == ATTN_OK; p++) {
        const attn_param *param = &pattern->params[p];
        size_t max = param->choices ? spec_choice_count(param->choices) - 1 : param->max;
        if (args->v[p] > max || (!param->choices && args->v[p] < param->min))
            status = attn_fail(err, ATTN_EINVAL, "%s: its prepare() set %s to %zu, which is out of range",
                               pattern->name, param->key, args->v[p]);
    }
    return status;
}

/* The state of the pattern expr. */
static attn_status bind_expression(attn_layout *layout, const attn_spec *spec, attn_error *err)
{
    attn_pattern_args *args = &layout->args;
    expr_bound *bound;
    attn_status status = expr_bind(&bound, spec->expression, args->nk, args->heads, args->causal, err);
    if (status != ATTN_OK)
        return status;
    args->state = bound;
    layout->prepared = true;
    if (expr_per_head(spec->expression))
        layout->distinct = args->heads;
    layout->expression = strdup(expr_text(spec->expression));
    return layout->expression ? ATTN_OK : attn_fail(err, ATTN_ENOMEM, "out of memory");
}

static attn_status bind_file(attn_layout *layout, const attn_spec *spec, attn_error *err)
{
    attn_pattern_args *args = &layout->args;
    mask_runs *mask;
    attn_status status = mask_read(&mask, spec->file, args->nk, args->v[MASK_BLOCK], err);
    if (status != ATTN_OK)
        return status;
    args->state = mask;
    layout->prepared = true;
    layout->distinct = mask_heads(mask) < args->heads ? mask_heads(mask) : args->heads;
    const size_t id = mask_id(mask);
    if (args->v[MASK_ID] && args->v[MASK_ID] != id)
        return attn_fail(err, ATTN_EINVAL, "mask: %s holds other pairs, id=%zu, than those of id=%zu", spec->file, id, args->v[MASK_ID]);
    args->v[MASK_ID] = id;
    layout->file = strdup(spec->file);
    return layout->file ? ATTN_OK : attn_fail(err, ATTN_ENOMEM, "out of memory");
}

static attn_status bind_composition(attn_layout *layout, const attn_spec *spec, attn_error *err)
{
    bound_composition *bound;
    attn_status status = compose_bind(&bound, spec->composed, layout->args.nk, layout->args.heads, err);
    if (status != ATTN_OK)
        return status;
    layout->args.state = bound;
    layout->prepared = layout->composed = true;
    layout->distinct = compose_distinct(bound);
    return ATTN_OK;
}

/* Like snprintf: returns the length. */
static size_t write_text(const attn_layout *layout, char *out, size_t size)
{
    const attn_pattern *pattern = layout->pattern;
    size_t used = 0;
    char separator = ':';
#define PUT(...)                                                                                             \
    (used += (size_t)snprintf(used < size ? out + used : NULL, used < size ? size - used : 0, __VA_ARGS__))
    if (layout->composed) {
        PUT("%s", compose_text(layout->args.state));
        return used;
    }
    PUT("%s", pattern->name);
    if (layout->expression) {
        PUT(":\"%s\"", layout->expression);
        separator = ',';
    }
    if (layout->file) {
        PUT(":\"%s\"", layout->file);
        separator = ',';
    }
    for (size_t p = 0; p < spec_param_count(pattern); p++) {
        const attn_param *param = &pattern->params[p];
        PUT("%c%s=", separator, param->key);
        separator = ',';
        if (param->choices) {
            size_t length;
            const char *word = spec_choice(param->choices, layout->args.v[p], &length);
            PUT("%.*s", (int)length, word);
        } else {
            PUT("%zu", layout->args.v[p]);
        }
    }
    if (!layout->args.causal)
        PUT("%ccausal=0", separator);
#undef PUT
    return used;
}

attn_status attn_layout_create(attn_layout **out, const attn_spec *spec, size_t nq, size_t nk, size_t heads,
                               attn_error *err)
{
    *out = NULL;
    attn_status status = check_sizes(nq, nk, heads, err);
    if (status != ATTN_OK)
        return status;
    attn_layout *layout = calloc(1, sizeof *layout);
    if (!layout)
        return attn_fail(err, ATTN_ENOMEM, "out of memory");
    layout->pattern = spec->pattern;
    layout->distinct = spec->pattern->flags & ATTN_PER_HEAD ? heads : 1;
    layout->args = (attn_pattern_args){.nq = nq, .nk = nk, .heads = heads, .causal = spec->causal};
    status = resolve(layout, spec, err);
    if (status == ATTN_OK && spec->expression)
        status = bind_expression(layout, spec, err);
    if (status == ATTN_OK && spec->file)
        status = bind_file(layout, spec, err);
    if (status == ATTN_OK && spec->composed)
        status = bind_composition(layout, spec, err);
    if (status != ATTN_OK)
        goto cleanup;

    size_t size = write_text(layout, NULL, 0) + 1;
    layout->text = malloc(size);
    if (!layout->text) {
        status = attn_fail(err, ATTN_ENOMEM, "out of memory");
        goto cleanup;
    }
    write_text(layout, layout->text, size);
    *out = layout;
    layout = NULL;

cleanup:
    attn_layout_destroy(layout);
    return status;
}

void attn_layout_destroy(attn_layout *layout)
{
    if (!layout)
        return;
    if (layout->prepared && layout->pattern->release)
        layout->pattern->release(&layout->args);
    free(layout->expression);
    free(layout->file);
    free(layout->text);
    free(layout);
}

size_t attn_layout_nq(const attn_layout *layout)
{
    return layout->args.nq;
}

size_t attn_layout_nk(const attn_layout *layout)
{
    return layout->args.nk;
}

size_t attn_layout_heads(const attn_layout *layout)
{
    return layout->args.heads;
}

bool attn_layout_causal(const attn_layout *layout)
{
    return layout->args.causal;
}

size_t attn_layout_distinct_heads(const attn_layout *layout)
{
    return layout->distinct;
}

const char *attn_layout_text(const attn_layout *layout)
{
    return layout->text;
}

bool layout_position(const attn_layout *layout, size_t r, size_t *i)
{
    size_t nq = layout->args.nq, nk = layout->args.nk;
    *i = r + nk - nq;
    return r + nk >= nq;
}

bool attn_layout_allows(const attn_layout *layout, size_t head, size_t r, size_t j)
{
    size_t i;
    return layout_position(layout, r, &i) &&
           layout->pattern->allows(&layout->args, head % attn_layout_distinct_heads(layout), i, j);
}

/* The runs of allowed keys. */
static void derive_row(const attn_layout *layout, size_t head, size_t i, attn_combs *out)
{
    const attn_pattern_args *args = &layout->args;
    size_t end = args->causal ? i + 1 : args->nk, begin = 0;
    bool inside = false;
    for (size_t j = 0; j <= end; j++) {
        bool allowed = j < end && layout->pattern->allows(args, head, i, j);
        if (allowed && !inside)
            begin = j;
        if (!allowed && inside)
            attn_emit(out, begin, j - begin, 0, 1);
        inside = allowed;
    }
}

void attn_layout_row(const attn_layout *layout, size_t head, size_t r, attn_combs *out)
{
    out->count = 0;
    size_t i;
    if (!layout_position(layout, r, &i))
        return;
    head %= attn_layout_distinct_heads(layout);
    if (layout->pattern->row)
        layout->pattern->row(&layout->args, head, i, out);
    else
        derive_row(layout, head, i, out);
}

/* Row by row. The buffer grows to the longest row; a row it cannot hold is asked for pair by pair. */
static uint64_t count_rows(const attn_layout *layout, size_t head)
{
    attn_comb few[64], *many = NULL;
    attn_combs combs = {few, sizeof few / sizeof few[0], 0};
    uint64_t pairs = 0;
    for (size_t r = 0; r < layout->args.nq; r++) {
        attn_layout_row(layout, head, r, &combs);
        if (combs.count > combs.capacity) {
            attn_comb *larger = realloc(many, combs.count * sizeof *many);
            if (larger) {
                many = larger;
                combs = (attn_combs){many, combs.count, 0};
                attn_layout_row(layout, head, r, &combs);
            } else {
                for (size_t j = 0; j < layout->args.nk; j++)
                    pairs += attn_layout_allows(layout, head, r, j);
                continue;
            }
        }
        for (size_t c = 0; c < combs.count; c++)
            pairs += (uint64_t)combs.at[c].width * combs.at[c].count;
    }
    free(many);
    return pairs;
}

double attn_layout_tests(const attn_layout *layout, size_t head)
{
    const attn_pattern_args *args = &layout->args;
    if (layout->composed)
        return compose_tests(args->state, head) * ((double)args->nq / (double)args->nk);
    if (layout->expression)
        return expr_tests(args->state, head % attn_layout_distinct_heads(layout)) * ((double)args->nq / (double)args->nk);
    if (layout->pattern->row)
        return 0;
    double nk = (double)args->nk, nq = (double)(args->nq < args->nk ? args->nq : args->nk);
    return args->causal ? nq * nk - nq * (nq - 1) / 2 : nq * nk;
}

uint64_t attn_layout_pairs(const attn_layout *layout, size_t head)
{
    head %= attn_layout_distinct_heads(layout);
    if (layout->pattern->pairs && layout->args.nq == layout->args.nk)
        return layout->pattern->pairs(&layout->args, head);
    return count_rows(layout, head);
}

uint64_t attn_layout_pairs_all_heads(const attn_layout *layout)
{
    size_t distinct = attn_layout_distinct_heads(layout), heads = layout->args.heads;
    if (distinct == 1)
        return heads * attn_layout_pairs(layout, 0);
    uint64_t pairs = 0;
    for (size_t head = 0; head < distinct; head++)
        pairs += attn_layout_pairs(layout, head) * (heads / distinct + (head < heads % distinct));
    return pairs;
}
