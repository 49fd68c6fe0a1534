/* From counts to the result of attn_analysis_reach(): shares, intervals, quantiles, path lengths. */
#include "patterns/analysis_reach.h"

#include <math.h>
#include <stdlib.h>

static const double NORMAL_95 = 1.959964; /* the normal distribution's 97.5% quantile */
static const double NONE_SEEN_95 = 3;     /* -ln 0.05: events, where none was seen */

/* Queries that key k could reach. */
static double possible_of(const reach_job *job, size_t k)
{
    return (double)(job->a->causal ? job->a->n - job->key[k] : job->a->n);
}

/* Half the width of the interval round a sampled share. */
static double half_width(const reach_job *job, const uint32_t *reached, double share)
{
    double squares = 0, all = 0, before = 0;
    for (size_t k = 0; k < job->keys; k++) {
        double possible = possible_of(job, k), residual = (double)reached[k] - share * possible;
        all += possible;
        squares += k ? (residual - before) * (residual - before) / 2 : 0;
        before = residual;
    }
    double m = (double)job->keys;
    if (squares < 1e-18 * all * all || job->keys < 2)
        return NONE_SEEN_95 / m;
    return NORMAL_95 * sqrt(m / (m - 1) * squares) / all;
}

static int by_value(const void *a, const void *b)
{
    const uint32_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

/* Sorts the counts. */
static void quantiles(size_t *out, uint32_t *counts, size_t n)
{
    static const double shares[ATTN_QUANTILES] = {0, 0.1, 0.5, 0.9, 1};
    qsort(counts, n, sizeof *counts, by_value);
    for (size_t q = 0; q < ATTN_QUANTILES; q++) {
        size_t at = (size_t)ceil(shares[q] * (double)n);
        out[q] = counts[at ? at - 1 : 0];
    }
}

static void conclude_track(attn_reach_track *out, const reach_job *job, const reach_track *t)
{
    const double possible = (double)job->sum.possible, n = (double)job->a->n;
    *out = (attn_reach_track){.looked_at = job->max_hops, .settled = t->strips_settled == job->strips};
    for (size_t h = 0; h < job->hops; h++) {
        double share = (double)t->joined[h] / possible;
        double half = job->exact ? 0 : half_width(job, t->reached + h * job->keys, share);
        out->share[h] = share;
        out->lo[h] = fmax(0, share - half);
        out->hi[h] = fmin(1, share + half);
        out->field_mean[h] = share * (job->a->causal ? (n + 1) / 2 : n);
        if (job->exact)
            quantiles(out->field[h], t->field + h * job->a->n, job->a->n);
        for (size_t c = 0; c < ATTN_DISTANCES; c++)
            out->by_distance[h][c] =
                job->sum.near[c] ? (double)t->near[h][c] / (double)job->sum.near[c] : (double)NAN;
    }
    for (size_t h = job->max_hops; h-- > 0;)
        if (t->joined[h] == job->sum.possible)
            out->full = h + 1;
    out->valid = t->joined[job->steps - 1] == job->sum.possible;
    if (!out->valid) {
        out->witness_i = t->witness_i;
        out->witness_j = t->witness_j;
    }
}

/* Each pair is joined for the first time after as many steps as its shortest path has. */
static void conclude_paths(attn_reach *out, const reach_job *job)
{
    const reach_track *t = &job->sum.track[job->wanted[REACH_PATHS] ? REACH_PATHS : REACH_RESIDUAL];
    const uint64_t last = t->joined[job->max_hops - 1];
    out->path_length = (double)NAN;
    if (last != job->sum.possible && t->strips_settled != job->strips)
        return;
    double steps = 0, pairs = 0;
    uint64_t before = job->keys; /* each key from itself */
    for (size_t h = 0; h < job->max_hops; h++) {
        double found = (double)(t->joined[h] - before);
        steps += (double)(h + 1) * found;
        pairs += found;
        out->diameter = found > 0 ? h + 1 : out->diameter;
        before = t->joined[h];
    }
    out->path_length = pairs > 0 ? steps / pairs : 0;
    out->reachable = (uint64_t)llround(pairs * ((double)job->a->n / (double)job->keys));
}

void reach_conclude(attn_reach *out, const reach_job *job)
{
    conclude_track(&out->residual, job, &job->sum.track[REACH_RESIDUAL]);
    if (job->wanted[REACH_PLAIN])
        conclude_track(&out->plain, job, &job->sum.track[REACH_PLAIN]);
    else
        out->plain = out->residual;
    for (size_t c = 0; c < ATTN_DISTANCES; c++)
        if (job->sum.near[c])
            out->distances = c + 1;
    conclude_paths(out, job);
}
