/* Compositions at given sizes: what they allow, and their rows. See compose.h.
 *
 * allows() follows the definition; rows are computed by comb_sets.c, and so are checked against it like any pattern's. Parts are
 * square layouts of nk rows, so that a position is a row; those of blocks() have one row and key for each block. Where memory for a row
 * runs out it comes from allows(). */
#include "patterns/compose.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "patterns/comb_sets.h"
#include "patterns/spec_parts.h"

struct bound_composition {
    composition kept; /* without `of`: specs may be gone */
    size_t nk;
    attn_layout **of; /* [count] */
    size_t distinct;
    char *text;
    uint64_t *bits;    /* of hops(), which has no parts then */
};

/* ---- allows ---- */

static bool allows(const attn_pattern_args *a, size_t head, size_t i, size_t j)
{
    const bound_composition *b = a->state;
    attn_layout *const *of = b->of;
    const size_t number = b->kept.number;
    bool any = false;
    switch (b->kept.kind) {
    case COMPOSE_OR:
        return attn_layout_allows(of[0], head, i, j) || attn_layout_allows(of[1], head, i, j);
    case COMPOSE_AND:
        return attn_layout_allows(of[0], head, i, j) && attn_layout_allows(of[1], head, i, j);
    case COMPOSE_MINUS:
        return attn_layout_allows(of[0], head, i, j) && !attn_layout_allows(of[1], head, i, j);
    case COMPOSE_NOT:
        return (!attn_layout_causal(of[0]) || j <= i) && !attn_layout_allows(of[0], head, i, j);
    case COMPOSE_HEADS:
        return attn_layout_allows(of[head % b->kept.count], head, i, j);
    case COMPOSE_LAYERS_OF:
        return attn_layout_allows(of[0], head, i, j);
    case COMPOSE_BLOCKS:
        any = attn_layout_allows(of[0], head, i / number, j / number);
        return any && (!attn_layout_causal(of[0]) || j <= i);
    case COMPOSE_SHIFT:
        return j + number < b->nk && attn_layout_allows(of[0], head, i, j + number);
    case COMPOSE_TRANSPOSE:
        return attn_layout_allows(of[0], head, j, i);
    case COMPOSE_HOPS:
        return b->bits[i * ((b->nk + 63) / 64) + j / 64] >> j % 64 & 1;
    }
    return any;
}

/* ---- rows ---- */

/* Row i of a layout, appended. */
static void fetch(comb_list *out, const attn_layout *of, size_t head, size_t i)
{
    attn_combs row = {out->at, out->capacity, 0};
    attn_layout_row(of, head, i, &row);
    while (row.count > row.capacity && !out->failed) {
        comb_list larger;
        comb_list_init(&larger);
        const size_t capacity = row.count;
        larger.at = malloc(capacity * sizeof *larger.at);
        if (!larger.at) {
            out->failed = true;
            return;
        }
        larger.capacity = capacity;
        comb_list_free(out);
        out->at = larger.at;
        out->capacity = capacity;
        row = (attn_combs){out->at, out->capacity, 0};
        attn_layout_row(of, head, i, &row);
    }
    out->count = row.count;
}

static void expand_blocks(comb_list *out, const comb_list *row, const bound_composition *b, size_t i)
{
    const size_t number = b->kept.number;
    comb_list whole, rest;
    comb_list_init(&whole);
    comb_list_init(&rest);
    for (size_t c = 0; c < row->count; c++)
        comb_list_add(&whole, row->at[c].begin * number, row->at[c].width * number, row->at[c].step * number, row->at[c].count);
    comb_list_add(&rest, 0, attn_layout_causal(b->of[0]) ? i + 1 : b->nk, 0, 1);
    comb_sets_intersect(out, &whole, &rest);
    comb_list_free(&whole);
    comb_list_free(&rest);
}

static void shift_row(comb_list *out, const comb_list *row, const bound_composition *b)
{
    const size_t by = b->kept.number;
    comb_list beyond, all;
    comb_list_init(&all);
    comb_list_init(&beyond);
    comb_list_add(&all, by, SIZE_MAX / 2, 0, 1);
    comb_sets_intersect(&beyond, row, &all);
    for (size_t c = 0; c < beyond.count; c++)
        comb_list_add(out, beyond.at[c].begin - by, beyond.at[c].width, beyond.at[c].step, beyond.at[c].count);
    out->failed |= beyond.failed || all.failed;
    comb_list_free(&beyond);
    comb_list_free(&all);
}

static void from_definition(const attn_pattern_args *a, size_t head, size_t i, attn_combs *out)
{
    const bound_composition *b = a->state;
    size_t begin = 0;
    bool inside = false;
    for (size_t j = 0; j <= b->nk; j++) {
        const bool allowed = j < b->nk && allows(a, head, i, j);
        if (allowed && !inside)
            begin = j;
        if (!allowed && inside)
            attn_emit(out, begin, j - begin, 0, 1);
        inside = allowed;
    }
}

static void row(const attn_pattern_args *a, size_t head, size_t i, attn_combs *out)
{
    const bound_composition *b = a->state;
    const size_t at = b->kept.kind == COMPOSE_BLOCKS ? i / b->kept.number : i;
    if (b->kept.kind == COMPOSE_HEADS || b->kept.kind == COMPOSE_LAYERS_OF) {
        attn_layout_row(b->of[b->kept.kind == COMPOSE_HEADS ? head % b->kept.count : 0], head, i, out);
        return;
    }
    if (b->kept.kind == COMPOSE_HOPS) {
        hops_row(b->bits, b->nk, i, out);
        return;
    }
    if (b->kept.kind == COMPOSE_TRANSPOSE) {
        from_definition(a, head, i, out);
        return;
    }
    comb_list x, y, sum;
    comb_list_init(&x);
    comb_list_init(&y);
    comb_list_init(&sum);
    fetch(&x, b->of[0], head, at);
    if (b->kept.count > 1)
        fetch(&y, b->of[1], head, at);
    switch (b->kept.kind) {
    case COMPOSE_OR: comb_sets_unite(&sum, &x, &y); break;
    case COMPOSE_AND: comb_sets_intersect(&sum, &x, &y); break;
    case COMPOSE_MINUS: comb_sets_subtract(&sum, &x, &y); break;
    case COMPOSE_NOT: comb_sets_complement(&sum, &x, attn_layout_causal(b->of[0]) ? i + 1 : b->nk); break;
    case COMPOSE_BLOCKS: expand_blocks(&sum, &x, b, i); break;
    case COMPOSE_SHIFT: shift_row(&sum, &x, b); break;
    default: break;
    }
    if (sum.failed || x.failed || y.failed)
        from_definition(a, head, i, out);
    else
        for (size_t c = 0; c < sum.count; c++)
            attn_emit(out, sum.at[c].begin, sum.at[c].width, sum.at[c].step, sum.at[c].count);
    comb_list_free(&x);
    comb_list_free(&y);
    comb_list_free(&sum);
}

/* ---- binding ---- */

static void unbind(bound_composition *b)
{
    if (!b)
        return;
    for (size_t k = 0; b->of && k < b->kept.count; k++)
        attn_layout_destroy(b->of[k]);
    free(b->kept.times);
    free(b->of);
    free(b->text);
    free(b->bits);
    free(b);
}

static void release(attn_pattern_args *a)
{
    unbind(a->state);
}

bool compose_causal(const composition *c)
{
    if (c->kind == COMPOSE_TRANSPOSE)
        return false;
    for (size_t k = 0; k < c->count; k++)
        if (!c->of[k]->causal)
            return false;
    return true;
}

/* Heads repeat with the least common multiple of what the parts repeat with, if that is less than all. */
static size_t join_periods(size_t a, size_t b, size_t heads)
{
    size_t x = a, y = b;
    while (y) {
        const size_t rest = x % y;
        x = y;
        y = rest;
    }
    return a / x > heads / b ? heads : a / x * b < heads ? a / x * b : heads;
}

static attn_status bind_parts(bound_composition *b, const composition *c, size_t heads, attn_error *err)
{
    const size_t n = c->kind == COMPOSE_BLOCKS ? (b->nk - 1) / c->number + 1 : b->nk;
    attn_status status = ATTN_OK;
    b->distinct = c->kind == COMPOSE_HEADS && c->count < heads ? c->count : c->kind == COMPOSE_HEADS ? heads : 1;
    for (size_t k = 0; k < c->count && status == ATTN_OK; k++) {
        status = attn_layout_create(&b->of[k], c->of[k], n, n, heads, err);
        if (status == ATTN_OK)
            b->distinct = join_periods(b->distinct, attn_layout_distinct_heads(b->of[k]), heads);
    }
    return status;
}

attn_status compose_bind(bound_composition **out, const composition *c, size_t nk, size_t heads, attn_error *err)
{
    size_t layers = 0;
    for (size_t k = 0; k < c->count; k++)
        layers += c->times[k];
    if (c->kind == COMPOSE_LAYERS_OF && layers > 1)
        return attn_fail(err, ATTN_EINVAL, "layers(...) has %zu layers, and this is about one; 'attnlab analyze' takes layers", layers);
    bound_composition *b = calloc(1, sizeof *b);
    if (!b)
        return attn_fail(err, ATTN_ENOMEM, "out of memory");
    *b = (bound_composition){.kept = *c, .nk = nk, .of = calloc(c->count, sizeof *b->of)};
    b->kept.of = NULL;
    if (b->of && c->kind == COMPOSE_HOPS) {
        b->kept.count = 0;
        b->kept.times = NULL;
        b->distinct = 1;
        attn_status status = hops_bind(&b->bits, &b->text, c->of[0], c->number, nk, heads, err);
        if (status == ATTN_OK)
            *out = b;
        else
            unbind(b);
        return status;
    }
    b->kept.times = calloc(c->count, sizeof *b->kept.times);
    const char **texts = calloc(c->count, sizeof *texts);
    const composition **as = calloc(c->count, sizeof *as);
    attn_status status = b->of && b->kept.times && texts && as ? bind_parts(b, c, heads, err) : attn_fail(err, ATTN_ENOMEM, "out of memory");
    if (status == ATTN_OK) {
        for (size_t k = 0; k < c->count; k++) {
            b->kept.times[k] = c->times[k];
            texts[k] = attn_layout_text(b->of[k]);
            as[k] = c->of[k]->composed;
        }
        b->text = compose_write(c, texts, as);
        if (!b->text)
            status = attn_fail(err, ATTN_ENOMEM, "out of memory");
    }
    free(as);
    free(texts);
    if (status == ATTN_OK)
        *out = b;
    else
        unbind(b);
    return status;
}

size_t compose_distinct(const bound_composition *b) { return b->distinct; }
const char *compose_text(const bound_composition *b) { return b->text; }

double compose_tests(const bound_composition *b, size_t head)
{
    double tests = b->kept.kind == COMPOSE_TRANSPOSE ? (double)b->nk * (double)b->nk : 0;
    if (b->kept.kind == COMPOSE_HEADS)
        return attn_layout_tests(b->of[head % b->kept.count], head);
    for (size_t k = 0; k < b->kept.count && b->kept.kind != COMPOSE_TRANSPOSE; k++)
        tests += attn_layout_tests(b->of[k], head) * (b->kept.kind == COMPOSE_BLOCKS ? (double)b->kept.number : 1);
    return tests;
}

const attn_pattern attn_pattern_composed = {
    .name = "composed",
    .summary = "patterns joined by set operators, per head or in blocks",
    .allows = allows,
    .row = row,
    .release = release,
};
