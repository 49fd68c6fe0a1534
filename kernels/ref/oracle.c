/* The oracle: one row of attention by its definition, in fp64, asking allows() about every key.
 *
 *   s_j = scale * q.k_j where allowed;  m = max s_j;  o = sum exp(s_j - m) v_j / sum exp(s_j - m)
 *
 * NaN and infinities take their course: nothing is special but the empty row. */
#include "attn/oracle.h"

#include <float.h>
#include <math.h>

void attn_oracle_row(const attn_layout *layout, size_t head, size_t r, size_t dim, double scale, const double *q,
                     const double *k, const double *v, double *scores, double *o, double *lse)
{
    size_t nk = attn_layout_nk(layout), allowed = 0;
    double max = -(double)INFINITY;
    for (size_t j = 0; j < nk; j++) {
        scores[j] = -(double)INFINITY;
        if (!attn_layout_allows(layout, head, r, j))
            continue;
        double dot = 0;
        for (size_t c = 0; c < dim; c++)
            dot += q[c] * k[j * dim + c];
        scores[j] = scale * dot;
        max = fmax(max, scores[j]);
        allowed++;
    }
    for (size_t c = 0; c < dim; c++)
        o[c] = 0;
    *lse = -(double)INFINITY;
    if (!allowed)
        return;

    double sum = 0;
    for (size_t j = 0; j < nk; j++) {
        if (scores[j] < -DBL_MAX && !attn_layout_allows(layout, head, r, j))
            continue; /* masked; an allowed key may score -inf too */
        double p = exp(scores[j] - max);
        sum += p;
        for (size_t c = 0; c < dim; c++)
            o[c] += p * v[j * dim + c];
    }
    for (size_t c = 0; c < dim; c++)
        o[c] /= sum;
    *lse = max + log(sum);
}
