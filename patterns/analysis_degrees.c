/* Degrees of rows and columns, row by row as they stream: nothing is stored but two numbers a position.
 *
 * Columns are counted as linear_scatter() does, but of single heads, so that the rows need not be kept. */
#include "patterns/analysis_rows.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { RUNS = 64, FAMILIES = 16 };

typedef struct counter {
    size_t n, family_count;
    int64_t *change; /* [n + 1]: where intervals begin, less where they end */
    struct {
        size_t step, width;
        int64_t *along; /* [n]: where combs begin, less where they would go on */
    } families[FAMILIES];
} counter;

static void count_interval(counter *c, size_t begin, size_t end)
{
    c->change[begin]++;
    c->change[end]--;
}

static void count_comb(counter *c, const attn_comb *comb)
{
    size_t f = 0;
    while (f < c->family_count && (c->families[f].step != comb->step || c->families[f].width != comb->width))
        f++;
    if (comb->count > 2 && f == c->family_count && f < FAMILIES) {
        int64_t *along = calloc(c->n, sizeof *along);
        c->families[f].step = comb->step;
        c->families[f].width = comb->width;
        c->families[f].along = along;
        c->family_count += along != NULL; /* without memory, tooth by tooth */
    }
    if (comb->count <= 2 || f == c->family_count) {
        for (size_t s = 0; s < comb->count; s++)
            count_interval(c, comb->begin + s * comb->step, comb->begin + s * comb->step + comb->width);
        return;
    }
    c->families[f].along[comb->begin]++;
    size_t after = comb->begin + comb->count * comb->step;
    if (after < c->n)
        c->families[f].along[after]--;
}

/* Turns changes into degrees, added to the tally; clears for the next head. */
static void finish(counter *c, uint64_t *tally)
{
    for (size_t f = 0; f < c->family_count; f++) {
        int64_t *along = c->families[f].along;
        const size_t step = c->families[f].step, width = c->families[f].width;
        for (size_t j = 0; j < c->n; j++) {
            along[j] += j >= step ? along[j - step] : 0;
            c->change[j] += along[j];
            c->change[j + width < c->n ? j + width : c->n] -= along[j];
        }
        free(along);
    }
    c->family_count = 0;
    int64_t degree = 0;
    for (size_t j = 0; j < c->n; j++)
        tally[degree += c->change[j]]++;
    memset(c->change, 0, (c->n + 1) * sizeof *c->change);
}

/* The least degree that a share of all do not exceed, from how often each degree occurs. */
static void quantiles(uint64_t *out, const uint64_t *tally, size_t n, uint64_t all)
{
    static const double shares[ATTN_QUANTILES] = {0, 0.1, 0.5, 0.9, 1};
    for (size_t q = 0; q < ATTN_QUANTILES; q++) {
        uint64_t want = (uint64_t)ceil(shares[q] * (double)all), seen = 0;
        size_t degree = 0;
        want = want ? want : 1;
        while (degree < n && (seen += tally[degree]) < want)
            degree++;
        out[q] = degree;
    }
}

attn_status attn_analysis_degrees(attn_degrees *out, const attn_layout *const *layers, size_t count, attn_error *err)
{
    if (!count)
        return attn_fail(err, ATTN_EINVAL, "degrees need at least one layer");
    const size_t n = attn_layout_nq(layers[0]), runs = n < RUNS ? n : RUNS;
    for (size_t l = 0; l < count; l++)
        if (attn_layout_nq(layers[l]) != n || attn_layout_nk(layers[l]) != n)
            return attn_fail(err, ATTN_EINVAL, "layer %zu has not nq = nk = %zu, as the first has", l + 1, n);
    uint64_t *by_row = calloc(n + 1, sizeof *by_row), *by_column = calloc(n + 1, sizeof *by_column);
    uint64_t in_run[RUNS] = {0}, pairs = 0, heaviest = 0;
    counter c = {.n = n, .change = calloc(n + 1, sizeof *c.change)};
    attn_combs combs = {0};
    attn_degrees d = {0};
    size_t heads = 0;
    bool fine = by_row && by_column && c.change;
    for (size_t l = 0; l < count && fine; l++) {
        for (size_t h = 0; h < attn_layout_distinct_heads(layers[l]) && fine; h++, heads++) {
            for (size_t i = 0; i < n && (fine = rows_fetch(layers[l], h, i, &combs)); i++) {
                uint64_t degree = 0;
                for (size_t k = 0; k < combs.count; k++) {
                    degree += (uint64_t)combs.at[k].width * combs.at[k].count;
                    count_comb(&c, &combs.at[k]);
                }
                by_row[degree]++;
                in_run[i * runs / n] += degree;
                pairs += degree;
            }
            finish(&c, by_column);
        }
    }
    if (fine) {
        d.rows = (uint64_t)heads * n;
        d.empty = by_row[0];
        d.unseen = by_column[0];
        d.pairs = (double)pairs / (double)heads;
        quantiles(d.row, by_row, n, d.rows);
        quantiles(d.column, by_column, n, d.rows);
        for (size_t k = 0; k < runs; k++) { /* runs differ in length where 64 does not divide n */
            size_t rows_in = ((k + 1) * n + runs - 1) / runs - (k * n + runs - 1) / runs;
            in_run[k] = in_run[k] * n / (rows_in * runs);
            heaviest = in_run[k] > heaviest ? in_run[k] : heaviest;
        }
        d.row_imbalance = pairs ? (double)d.row[ATTN_QUANTILES - 1] * (double)d.rows / (double)pairs : 1;
        d.block_imbalance = pairs ? (double)heaviest * (double)runs / (double)pairs : 1;
        *out = d;
    }
    for (size_t f = 0; f < c.family_count; f++)
        free(c.families[f].along);
    free(combs.at);
    free(c.change);
    free(by_column);
    free(by_row);
    return fine ? ATTN_OK : attn_fail(err, ATTN_ENOMEM, "out of memory for the degrees of n=%zu", n);
}
