/* The picture of the explorers: what the cells on show hold, and why a pair is allowed. See explore.h.
 *
 * The work is bounded by what is shown. Rows that are formulas are streamed, of each cell at most EXPLORE_SAMPLED, and their combs
 * met with the columns on show. Where rows can only be had by testing pairs, n of them each, pairs are asked one by one instead: as many in a
 * cell, on a grid whose rows and columns are all different. */
#include "harness/explore.h"

#include <stdio.h>
#include <stdlib.h>

typedef struct span { size_t begin, end; } span;

static span cell_at(size_t origin, size_t index, size_t cell, size_t n)
{
    const size_t begin = origin + index * cell;
    return begin >= n ? (span){n, n} : (span){begin, n - begin < cell ? n : begin + cell};
}

/* Keys of a comb below `end`. */
static size_t keys_below(const attn_comb *c, size_t end)
{
    if (end <= c->begin)
        return 0;
    if (c->count == 1)
        return end - c->begin < c->width ? end - c->begin : c->width;
    const size_t whole = (end - c->begin) / c->step, rest = (end - c->begin) % c->step;
    return whole >= c->count ? c->width * c->count : whole * c->width + (rest < c->width ? rest : c->width);
}

static bool fetch(const attn_layout *layout, size_t head, size_t row, attn_combs *combs)
{
    attn_layout_row(layout, head, row, combs);
    if (combs->count <= combs->capacity)
        return true;
    attn_comb *larger = realloc(combs->at, combs->count * sizeof *larger);
    if (!larger)
        return false;
    *combs = (attn_combs){larger, combs->count, 0};
    attn_layout_row(layout, head, row, combs);
    return combs->count <= combs->capacity;
}

/* Adds the keys in [from, to) to the cells of a row. */
static uint64_t add_run(const explore *x, size_t columns, size_t from, size_t to, float weight, float *out)
{
    const size_t end = x->key + columns * x->cell;
    uint64_t work = 0;
    from = from > x->key ? from : x->key;
    to = to < end ? to : end;
    while (from < to) {
        const size_t c = (from - x->key) / x->cell;
        const span s = cell_at(x->key, c, x->cell, x->n);
        const size_t stop = to < s.end ? to : s.end;
        out[c] += weight * (float)(stop - from) / (float)(s.end - s.begin);
        from = stop;
        work++;
    }
    return work;
}

/* Adds one comb: cell by cell where its teeth are close, else tooth by tooth. */
static uint64_t add_comb(const explore *x, size_t columns, const attn_comb *c, float weight, float *out)
{
    const size_t step = c->count > 1 ? c->step : c->width, end = c->begin + (c->count - 1) * step + c->width;
    const size_t shown = x->key + columns * x->cell;
    uint64_t work = 1;
    if (end <= x->key || c->begin >= shown)
        return work;
    const size_t skip = x->key > c->begin ? (x->key - c->begin) / step : 0; /* teeth before what is shown */
    if (step > x->cell || c->count == 1) {
        for (size_t s = skip, key = c->begin + skip * step; s < c->count && key < shown; s++, key += step)
            work += add_run(x, columns, key, key + c->width, weight, out);
        return work;
    }
    const size_t first = c->begin > x->key ? (c->begin - x->key) / x->cell : 0;
    for (size_t k = first; k < columns; k++, work++) {
        const span s = cell_at(x->key, k, x->cell, x->n);
        if (s.begin >= end || s.begin == s.end)
            break;
        out[k] += weight * (float)(keys_below(c, s.end) - keys_below(c, s.begin)) / (float)(s.end - s.begin);
    }
    return work;
}

/* One row of cells from the rows of the mask; 0: out of memory. */
static uint64_t add_rows(const explore *x, size_t columns, span of, attn_combs *combs, float *out)
{
    const size_t height = of.end - of.begin, looked = height < EXPLORE_SAMPLED ? height : EXPLORE_SAMPLED;
    uint64_t work = 0;
    for (size_t s = 0; s < looked; s++) {
        if (!fetch(x->layout, x->head, of.begin + s * height / looked, combs))
            return 0;
        work++;
        for (size_t k = 0; k < combs->count; k++)
            work += add_comb(x, columns, &combs->at[k], 1 / (float)looked, out);
    }
    return work;
}

/* The same from single pairs. */
static uint64_t add_pairs(const explore *x, size_t columns, span of, float *out)
{
    const size_t height = of.end - of.begin;
    uint64_t work = 0;
    for (size_t c = 0; c < columns; c++) {
        const span s = cell_at(x->key, c, x->cell, x->n);
        const size_t width = s.end - s.begin, least = height < width ? height : width;
        const size_t grid = height * width <= EXPLORE_SAMPLED ? 0 : least < EXPLORE_SAMPLED ? least : EXPLORE_SAMPLED;
        const size_t asked = grid ? grid : height * width, stride = grid == 5 ? 3 : 5;
        size_t held = 0;
        for (size_t p = 0; p < asked; p++, work++) {
            const size_t row = grid ? p * height / grid : p / width, column = grid ? (p * stride + 2) % grid * width / grid : p % width;
            held += attn_layout_allows(x->layout, x->head, of.begin + row, s.begin + column);
        }
        out[c] = asked ? (float)held / (float)asked : -1;
    }
    return work;
}

bool explore_asks_pairs(const explore *x)
{
    return attn_layout_tests(x->layout, x->head) > 64 * (double)x->n; /* more than 64 a row */
}

uint64_t explore_cells(const explore *x, size_t rows, size_t columns, float *out, bool *exact)
{
    attn_combs combs = {0};
    uint64_t work = 0;
    const size_t most = x->by_pairs ? 2 : EXPLORE_SAMPLED; /* a cell of more is not looked at whole */
    *exact = x->cell <= most;
    for (size_t r = 0; r < rows; r++) {
        const span of = cell_at(x->row, r, x->cell, x->n);
        float *line = out + r * columns;
        for (size_t c = 0; c < columns; c++)
            line[c] = of.begin < of.end && x->key + c * x->cell < x->n ? 0 : -1;
        if (of.begin == of.end)
            continue;
        const uint64_t took = x->by_pairs ? add_pairs(x, columns, of, line) : add_rows(x, columns, of, &combs, line);
        if (!took) {
            work = 0;
            break;
        }
        work += took;
    }
    free(combs.at);
    return work;
}

/* ---- one pair ---- */

static void say_pair(const explore *x, char *out, size_t size)
{
    const bool allowed = attn_layout_allows(x->layout, x->head, x->at_row, x->at_key);
    snprintf(out, size, "i=%zu j=%zu %s", x->at_row, x->at_key,
             allowed ? "allowed" : attn_layout_causal(x->layout) && x->at_key > x->at_row ? "not allowed: the key is later" : "not allowed");
}

void explore_why(const explore *x, char *out, size_t size)
{
    attn_combs combs = {0};
    const size_t i = x->at_row, j = x->at_key;
    size_t keys = 0, found = SIZE_MAX;
    if (x->by_pairs) {
        say_pair(x, out, size);
        return;
    }
    if (!fetch(x->layout, x->head, i, &combs)) {
        snprintf(out, size, "out of memory");
        free(combs.at);
        return;
    }
    for (size_t k = 0; k < combs.count; k++) {
        keys += combs.at[k].width * combs.at[k].count;
        if (keys_below(&combs.at[k], j + 1) > keys_below(&combs.at[k], j))
            found = k;
    }
    const attn_comb *c = found < combs.count ? &combs.at[found] : NULL;
    if (c && c->count > 1)
        snprintf(out, size, "i=%zu j=%zu allowed: %zu keys from %zu on, every %zu; one of %zu keys", i, j, c->width, c->begin, c->step, keys);
    else if (c)
        snprintf(out, size, "i=%zu j=%zu allowed: keys %zu to %zu; one of %zu keys", i, j, c->begin, c->begin + c->width - 1, keys);
    else
        snprintf(out, size, "i=%zu j=%zu not allowed%s; the query sees %zu keys", i, j,
                 attn_layout_causal(x->layout) && j > i ? ": the key is later" : "", keys);
    free(combs.at);
}
