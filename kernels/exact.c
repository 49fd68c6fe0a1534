/* One row in fp64, by the definition: the scores twice, since they are not stored.
 *
 *   m = max s_j,  l = sum exp(s_j - m),  o = sum exp(s_j - m) v_j / l,  lse = m + ln l
 *
 * Non-finite scores need no case of their own: a NaN makes l NaN, a score of +inf makes inf - inf, and a row
 * whose scores are all -inf likewise; a weight of 0 times an infinite value is NaN, as it is in the oracle.
 * Rescaling sums as the maximum rises would save the second scores, but not keep those cases apart. */
#include "kernels/exact.h"

#include <math.h>

#include "kernels/element.h"
#include "kernels/flush.h"

typedef struct row {
    const shape *s;
    const operands *x;
    double q[ATTN_MAX_DIM], o[ATTN_MAX_DIM];
    double max, sum;
} row;

static void widen(double *dst, const void *tensor, const shape *s, size_t index)
{
    size_t first = index * s->dim;
    if (s->dtype == ATTN_F32)
        for (size_t c = 0; c < s->dim; c++)
            dst[c] = (double)((const float *)tensor)[first + c];
    else
        for (size_t c = 0; c < s->dim; c++)
            dst[c] = element_get(tensor, s->dtype, first + c);
}

static double score(const row *w, size_t j)
{
    enum { CHAINS = 4 }; /* independent sums, which a compiler may not introduce by itself */
    double k[ATTN_MAX_DIM], dot[CHAINS] = {0};
    size_t dim = w->s->dim, c = 0;
    widen(k, w->x->k, w->s, j);
    for (; c + CHAINS <= dim; c += CHAINS)
        for (size_t i = 0; i < CHAINS; i++)
            dot[i] += w->q[c + i] * k[c + i];
    for (; c < dim; c++)
        dot[0] += w->q[c] * k[c];
    return (double)w->s->scale * (dot[0] + dot[1] + (dot[2] + dot[3]));
}

static void raise_max(row *w, size_t j)
{
    w->max = fmax(w->max, score(w, j));
}

static void add_key(row *w, size_t j)
{
    double v[ATTN_MAX_DIM], p = exp(score(w, j) - w->max);
    widen(v, w->x->v, w->s, j);
    w->sum += p;
    for (size_t c = 0; c < w->s->dim; c++)
        w->o[c] += p * v[c];
}

static void for_each_key(row *w, const attn_combs *combs, void visit(row *, size_t))
{
    for (size_t i = 0; i < combs->count; i++) {
        attn_comb c = combs->at[i];
        for (size_t s = 0; s < c.count; s++)
            for (size_t t = 0; t < c.width; t++)
                visit(w, c.begin + s * c.step + t);
    }
}

static __attribute__((noinline)) void compute(const shape *s, const operands *x, size_t r, attn_comb *at, float *o,
                                              float *lse)
{
    attn_combs combs = {at, s->max_combs, 0};
    attn_layout_row(s->layout, x->layout_head, r, &combs);
    if (combs.count > combs.capacity)
        combs.count = combs.capacity;
    row w = {.s = s, .x = x, .max = -(double)INFINITY};
    widen(w.q, x->q, s, r);
    for_each_key(&w, &combs, raise_max);
    for_each_key(&w, &combs, add_key);
    for (size_t c = 0; c < s->dim; c++)
        o[c] = combs.count ? (float)(w.o[c] / w.sum) : 0;
    *lse = combs.count ? (float)(w.max + log(w.sum)) : -INFINITY;
}

void exact_row(const shape *s, const operands *x, size_t r, attn_comb *combs, float *o, float *lse)
{
    unsigned flushing = flush_pause(); /* subnormal operands count, and so do subnormal results */
    compute(s, x, r, combs, o, lse);
    flush_end(flushing);
}
