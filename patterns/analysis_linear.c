/* Products of the 0/1 matrix of rows with a vector, at a constant cost for each comb.
 *
 * Gathering takes differences of running sums: R_j = sum of x below j for intervals, and for a family of step p and
 * width w the sums F_j = (R_(j+w) - R_j) + F_(j+p) along the step. Scattering is the transpose: each interval adds to a
 * difference array at its two ends, each comb at its first tooth and (less) one step behind its last. Counts below
 * 2^53 come out exact; of other vectors a sum errs by about the unit roundoff times the largest running sum. */
#include "patterns/analysis_rows.h"

#include <stdlib.h>
#include <string.h>

attn_status linear_create(linear *out, const rows *r, attn_error *err)
{
    linear l = {.rows = r};
    l.block = malloc((r->n * (1 + r->family_count) + 1) * sizeof *l.block);
    if (!l.block)
        return attn_fail(err, ATTN_ENOMEM, "out of memory for sums over n=%zu", r->n);
    l.running = l.block;
    for (size_t f = 0; f < r->family_count; f++)
        l.along[f] = l.block + r->n * (1 + f) + 1;
    *out = l;
    return ATTN_OK;
}

void linear_destroy(linear *l)
{
    free(l->block);
    *l = (linear){0};
}

void linear_gather(linear *l, const double *x, double *y)
{
    const rows *r = l->rows;
    const size_t n = r->n;
    double *running = l->running;
    running[0] = 0;
    for (size_t j = 0; j < n; j++)
        running[j + 1] = running[j] + x[j];
    for (size_t f = 0; f < r->family_count; f++) {
        const size_t step = r->families[f].step, width = r->families[f].width;
        double *along = l->along[f];
        for (size_t j = n; j-- > 0;)
            along[j] = running[j + width < n ? j + width : n] - running[j] + (j + step < n ? along[j + step] : 0);
    }
    for (size_t i = 0; i < n; i++) {
        double sum = 0;
        for (uint64_t k = r->first[i]; k < r->first[i + 1]; k++) {
            const comb32 *c = &r->at[k];
            if (c->count == 1) {
                sum += running[c->begin + c->width] - running[c->begin];
            } else {
                const double *along = l->along[rows_family(r, c)];
                size_t after = c->begin + (size_t)c->count * c->step;
                sum += along[c->begin] - (after < n ? along[after] : 0);
            }
        }
        y[i] = sum;
    }
}

void linear_scatter(linear *l, const double *x, double *y)
{
    const rows *r = l->rows;
    const size_t n = r->n;
    double *change = l->running;
    memset(l->block, 0, (n * (1 + r->family_count) + 1) * sizeof *l->block);
    for (size_t i = 0; i < n; i++)
        for (uint64_t k = r->first[i]; k < r->first[i + 1]; k++) {
            const comb32 *c = &r->at[k];
            if (c->count == 1) {
                change[c->begin] += x[i];
                change[c->begin + c->width] -= x[i];
            } else {
                double *along = l->along[rows_family(r, c)];
                size_t after = c->begin + (size_t)c->count * c->step;
                along[c->begin] += x[i];
                if (after < n)
                    along[after] -= x[i];
            }
        }
    for (size_t f = 0; f < r->family_count; f++) {
        const size_t step = r->families[f].step, width = r->families[f].width;
        double *along = l->along[f];
        for (size_t j = 0; j < n; j++) {
            along[j] += j >= step ? along[j - step] : 0;
            change[j] += along[j];
            change[j + width < n ? j + width : n] -= along[j];
        }
    }
    double sum = 0;
    for (size_t j = 0; j < n; j++)
        y[j] = sum += change[j];
}
