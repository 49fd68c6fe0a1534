/* The kernel "oracle": whole problems through attn_oracle_row(), for comparison by name (--kernel oracle).
 * Inputs are widened to fp64 and the result is rounded to the plan's dtype; allows() decides, no comb is read. */
#include "attn/oracle.h"
#include "kernels/element.h"
#include "kernels/kernel.h"

typedef struct scratch {
    double *k, *v;       /* [nk][dim] of the item's head, widened */
    double *scores;      /* [nk] */
    double q[ATTN_MAX_DIM], o[ATTN_MAX_DIM];
} scratch;

static void *lay_out(arena *a, const shape *s)
{
    scratch *w = arena_take(a, 1, sizeof *w);
    size_t elements = s->nk * s->dim;
    double *k = arena_take(a, elements, sizeof *k), *v = arena_take(a, elements, sizeof *v);
    double *scores = arena_take(a, s->nk, sizeof *scores);
    if (w)
        *w = (scratch){.k = k, .v = v, .scores = scores};
    return w;
}

static void widen(scratch *w, const shape *s, const operands *x)
{
    for (size_t e = 0; e < s->nk * s->dim; e++) {
        w->k[e] = element_get(x->k, s->dtype, e);
        w->v[e] = element_get(x->v, s->dtype, e);
    }
}

static void compute(const shape *s, const operands *x, const program *p, const group *groups, uint32_t count,
                    bool last, void *memory, tally *done)
{
    (void)p;
    (void)last;
    (void)done;
    scratch *w = memory;
    widen(w, s, x);
    double scale = (double)s->scale;
    size_t begin = groups[0].first_tile, end = (size_t)groups[count - 1].first_tile + groups[count - 1].tiles;
    for (size_t r = begin; r < end; r++) {
        double lse;
        for (size_t c = 0; c < s->dim; c++)
            w->q[c] = element_get(x->q, s->dtype, r * s->dim + c);
        attn_oracle_row(s->layout, x->layout_head, r, s->dim, scale, w->q, w->k, w->v, w->scores, w->o, &lse);
        for (size_t c = 0; c < s->dim; c++)
            element_set(x->o, s->dtype, r * s->dim + c, w->o[c]);
        if (x->lse)
            x->lse[r] = (float)lse;
    }
}

extern const kernel kernel_oracle;
const kernel kernel_oracle = {
    .name = "oracle",
    .isa = "fp64",
    .summary = "the definition in fp64, pair by pair; by name only",
    .dtypes = 1u << ATTN_F32 | 1u << ATTN_BF16 | 1u << ATTN_F16,
    .by_name_only = true,
    .max_group = 64,
    .scratch = lay_out,
    .run = compute,
};
