/* Paths through a stack of layers, counted without listing any.
 *
 * down_s(a), the paths of s steps from a to any key, is A_s ... A_1 applied to ones; up_s(a), those that come to a from
 * any query in the steps above s, is the transpose of A_p ... A_(s+1) applied to ones. Their product counts the paths
 * of p steps that stand at a after s steps. */
#include "patterns/analysis_rows.h"

#include <stdlib.h>

/* The largest share of the paths at one step, and how evenly they are spread there. */
static void look(attn_paths *out, const double *up, const double *down, size_t n, size_t step)
{
    double squares = 0, most = 0;
    size_t position = 0;
    for (size_t a = 0; a < n; a++) {
        double share = up[a] * down[a] / out->total;
        squares += share * share;
        if (share > most) {
            most = share;
            position = a;
        }
    }
    if (most > out->bottleneck) {
        out->bottleneck = most;
        out->position = position;
        out->step = step;
        out->carriers = 1 / squares;
    }
}

attn_status attn_analysis_paths(attn_paths *out, const attn_analysis *a, size_t steps, attn_error *err)
{
    const size_t n = a->n;
    attn_status status = ATTN_OK;
    if (steps < 1 || steps > ATTN_LISTED_HOPS)
        return attn_fail(err, ATTN_EINVAL, "steps=%zu is outside its range, 1 to %d", steps, ATTN_LISTED_HOPS);
    double *down = malloc((steps + 1) * n * sizeof *down), *up = malloc(2 * n * sizeof *up);
    linear *sums = calloc(a->distinct, sizeof *sums);
    if (!down || !up || !sums)
        status = attn_fail(err, ATTN_ENOMEM, "out of memory for the paths of n=%zu", n);
    for (size_t d = 0; d < a->distinct && !status; d++)
        status = linear_create(&sums[d], &a->rows[d], err);
    if (!status) {
        attn_paths p = {.total = 0};
        for (size_t i = 0; i < n; i++)
            down[i] = up[i] = 1;
        for (size_t s = 1; s <= steps; s++)
            linear_gather(&sums[a->order[(s - 1) % a->layers]], down + (s - 1) * n, down + s * n);
        for (size_t i = 0; i < n; i++)
            p.total += down[steps * n + i];
        double *above = up, *below = up + n;
        for (size_t s = steps; s > 1 && p.total > 0; s--) {
            linear_scatter(&sums[a->order[(s - 1) % a->layers]], above, below);
            look(&p, below, down + (s - 1) * n, n, s - 1);
            double *swap = above;
            above = below;
            below = swap;
        }
        *out = p;
    }
    for (size_t d = 0; sums && d < a->distinct; d++)
        linear_destroy(&sums[d]);
    free(sums);
    free(up);
    free(down);
    return status;
}
