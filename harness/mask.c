/* Counting the pairs of cells.
 *
 * An interval of keys fills whole cells between its two ends: the ends are added to their cells, the cells
 * between to a difference array, so that an interval costs O(1) however long. A comb of many teeth is counted
 * by cell instead of by tooth where that is less: the keys of {begin, width, step, count} below x are
 *
 *   below(x) = s width + min(width, x - begin - s step),  s = floor((x - begin) / step) within [0, count] */
#include "harness/mask.h"

#include <stdlib.h>
#include <string.h>

/* The combs of a row, in a buffer that grows; false: out of memory. */
static bool fetch(const attn_layout *layout, size_t head, size_t r, attn_combs *combs)
{
    attn_layout_row(layout, head, r, combs);
    if (combs->count <= combs->capacity)
        return true;
    size_t capacity = combs->count + 16;
    attn_comb *at = realloc(combs->at, capacity * sizeof *at);
    if (!at)
        return false;
    combs->at = at;
    combs->capacity = capacity;
    attn_layout_row(layout, head, r, combs);
    return true;
}

static uint64_t below(const attn_comb *c, size_t x)
{
    if (x <= c->begin)
        return 0;
    size_t s = c->count > 1 ? (x - c->begin) / c->step : 0;
    if (s >= c->count)
        return (uint64_t)c->count * c->width;
    size_t rest = x - c->begin - s * c->step;
    return (uint64_t)s * c->width + (rest < c->width ? rest : c->width);
}

/* One row of cells while it is being counted. */
typedef struct counter {
    size_t cell, columns;
    size_t first, end; /* keys counted */
    uint64_t *pairs;   /* [columns] */
    int64_t *covers; /* [columns + 1]: how many rows begin (less: end) covering whole cells here */
} counter;

static void add_interval(counter *c, size_t begin, size_t end)
{
    begin = begin < c->first ? c->first : begin;
    end = end > c->end ? c->end : end;
    if (begin >= end)
        return;
    begin -= c->first;
    end -= c->first;
    size_t first = begin / c->cell, last = (end - 1) / c->cell;
    if (first == last) {
        c->pairs[first] += end - begin;
        return;
    }
    c->pairs[first] += (first + 1) * c->cell - begin;
    c->pairs[last] += end - last * c->cell;
    c->covers[first + 1]++;
    c->covers[last]--;
}

static void add_comb(counter *c, const attn_comb *comb)
{
    if (comb->count <= c->columns) {
        for (size_t s = 0; s < comb->count; s++)
            add_interval(c, comb->begin + s * comb->step, comb->begin + s * comb->step + comb->width);
        return;
    }
    size_t column = comb->begin > c->first ? (comb->begin - c->first) / c->cell : 0;
    uint64_t before = below(comb, c->first + column * c->cell);
    for (; column < c->columns; column++) {
        size_t stop = c->first + (column + 1) * c->cell;
        uint64_t after = below(comb, stop < c->end ? stop : c->end);
        c->pairs[column] += after - before;
        before = after;
    }
}

static void add_covers(counter *c)
{
    int64_t covering = 0;
    for (size_t column = 0; column < c->columns; column++) {
        covering += c->covers[column];
        c->pairs[column] += (uint64_t)covering * c->cell;
    }
}

static size_t ceiling(size_t a, size_t b)
{
    return a / b + (a % b != 0);
}

mask_window mask_whole(const attn_layout *layout)
{
    return (mask_window){0, attn_layout_nq(layout), 0, attn_layout_nk(layout)};
}

attn_status mask_grid_create(mask_grid *out, const attn_layout *layout, size_t head, size_t most,
                             attn_error *err)
{
    mask_window whole = mask_whole(layout);
    return mask_grid_cut(out, layout, head, &whole, most, err);
}

attn_status mask_grid_cut(mask_grid *out, const attn_layout *layout, size_t head, const mask_window *window,
                          size_t most, attn_error *err)
{
    size_t nq = window->row_end - window->row, nk = window->key_end - window->key;
    size_t position = window->row + attn_layout_nk(layout); /* less nq of the layout: of the first row */
    position = position > attn_layout_nq(layout) ? position - attn_layout_nq(layout) : 0;
    size_t cell = ceiling(nq > nk ? nq : nk, most);
    mask_grid grid = {nq, nk, position, window->key, cell, ceiling(nq, cell), ceiling(nk, cell), NULL};
    grid.pairs = calloc(grid.rows * grid.columns, sizeof *grid.pairs);
    bool failed = !grid.pairs;
#pragma omp parallel reduction(|| : failed)
    {
        attn_combs combs = {0};
        int64_t *covers = calloc(grid.columns + 1, sizeof *covers);
        failed = failed || !covers;
#pragma omp for schedule(dynamic)
        for (size_t row = 0; row < grid.rows; row++) {
            if (failed)
                continue;
            counter c = {cell, grid.columns, window->key, window->key_end, grid.pairs + row * grid.columns, covers};
            memset(covers, 0, (grid.columns + 1) * sizeof *covers);
            size_t end = nq - row * cell < cell ? nq : (row + 1) * cell;
            for (size_t r = row * cell; r < end && !failed; r++) {
                failed = !fetch(layout, head, window->row + r, &combs);
                for (size_t k = 0; k < combs.count && !failed; k++)
                    add_comb(&c, &combs.at[k]);
            }
            add_covers(&c);
        }
        free(covers);
        free(combs.at);
    }
    if (failed) {
        free(grid.pairs);
        return attn_fail(err, ATTN_ENOMEM, "out of memory for a mask of %zu x %zu cells", grid.rows,
                         grid.columns);
    }
    *out = grid;
    return ATTN_OK;
}

void mask_grid_destroy(mask_grid *grid)
{
    free(grid->pairs);
    *grid = (mask_grid){0};
}

double mask_fraction(const mask_grid *grid, size_t row, size_t column)
{
    size_t height = grid->nq - row * grid->cell, width = grid->nk - column * grid->cell;
    height = height < grid->cell ? height : grid->cell;
    width = width < grid->cell ? width : grid->cell;
    return (double)grid->pairs[row * grid->columns + column] / ((double)height * (double)width);
}

attn_status mask_row(const attn_layout *layout, size_t head, size_t r, attn_combs *combs, unsigned char *keys,
                     attn_error *err)
{
    if (!fetch(layout, head, r, combs))
        return attn_fail(err, ATTN_ENOMEM, "out of memory for the %zu combs of row %zu", combs->count, r);
    memset(keys, 0, attn_layout_nk(layout));
    for (size_t k = 0; k < combs->count; k++) {
        const attn_comb *c = &combs->at[k];
        for (size_t s = 0; s < c->count; s++)
            memset(keys + c->begin + s * c->step, 1, c->width);
    }
    return ATTN_OK;
}
