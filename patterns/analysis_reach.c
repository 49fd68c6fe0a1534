/* Reachability over layers: columns of the product of boolean matrices, 512 keys at a time.
 *
 * R_t = A_t R_(t-1) with R_0 = identity acts on the columns of R independently, so a strip of keys is pushed through all
 * layers by itself and nothing of size n^2 exists. Strips take all keys in turn, or a stratified sample of them: one
 * at random from each of equal runs of keys, all queries of each.
 *
 * The interval of a sampled share R = sum y / sum x (y_k queries that key k reaches, of x_k) is that of a ratio
 * estimator, with the residuals y - R x compared between neighbours, which a stratified sample allows. Where all
 * residuals vanish, nothing was seen that occurs in more than 3/m of the keys (at 95%), and the interval is that wide. */
#include "patterns/analysis_reach.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"

/* Where n is large, a strip is narrower rather than its tables larger than this, over all threads. */
static const size_t POOL_BYTES = (size_t)512 << 20;

static size_t most_levels(const attn_analysis *a)
{
    size_t levels = lanes_levels(analysis_joined(a));
    for (size_t d = 0; d < a->distinct; d++) {
        size_t needed = lanes_levels(&a->rows[d]);
        levels = needed > levels ? needed : levels;
    }
    return levels;
}

/* ---- the keys ---- */

/* One from each of `keys` runs, which is each when there are as many. */
static bool choose_keys(reach_job *job, const attn_reach_request *q)
{
    const size_t n = job->a->n;
    job->keys = n <= q->exact_to || q->sample >= n ? n : q->sample;
    job->key = malloc(job->keys * sizeof *job->key);
    if (!job->key)
        return false;
    rng random = rng_make(q->seed, 0x6b657973); /* "keys" */
    for (size_t k = 0; k < job->keys; k++) {
        size_t begin = k * n / job->keys, end = (k + 1) * n / job->keys;
        job->key[k] = (uint32_t)(begin + (size_t)rng_below(&random, end - begin));
    }
    return true;
}

/* ---- one strip ---- */

static void start(strip *s)
{
    const size_t n = s->job->a->n;
    memset(s->state[0], 0, n * s->words * sizeof(uint64_t));
    for (size_t k = 0; k < s->count; k++)
        s->state[0][s->key[k] * s->words + k / 64] |= (uint64_t)1 << k % 64;
    s->first = s->job->a->causal ? s->key[0] : 0;
}

/* Whether the state is what it was a period ago; remembers it. */
static bool repeats(strip *s, size_t t, size_t period)
{
    if (t % period)
        return false;
    const size_t bytes = (s->job->a->n - s->first) * s->words * sizeof(uint64_t), at = s->first * s->words;
    bool same = t > period && memcmp(s->past + at, s->state[0] + at, bytes) == 0;
    memcpy(s->past + at, s->state[0] + at, bytes);
    return same;
}

/* All steps of one track. */
static void walk(strip *s, reach_track *track, bool residual, bool joined)
{
    const attn_analysis *a = s->job->a;
    const size_t period = joined || a->distinct == 1 ? 1 : a->layers;
    const size_t wanted = s->job->hops > s->job->steps ? s->job->hops : s->job->steps;
    start(s);
    for (size_t t = 1; t <= s->job->max_hops; t++) {
        const rows *r = joined ? analysis_joined(a) : &a->rows[a->order[(t - 1) % a->layers]];
        lanes_hop(&s->lanes, r, s->state[0], s->state[1], s->first, residual);
        uint64_t *swap = s->state[0];
        s->state[0] = s->state[1];
        s->state[1] = swap;
        reach_count(s, track, t);
        if (repeats(s, t, period) && t >= wanted) {
            reach_repeat(s, track, t, period);
            track->strips_settled++;
            return;
        }
    }
}

/* ---- all strips ---- */

static void walk_strips(reach_job *job, size_t words, size_t threads, bool *failed)
{
    const size_t n = job->a->n, width = 64 * words, strips = (job->keys + width - 1) / width;
    bool bad = false;
#pragma omp parallel num_threads((int)threads) reduction(|| : bad)
    {
        strip s = {.job = job, .words = words, .lanes = {.n = n, .words = (unsigned)words, .levels = job->levels}};
        uint64_t *block = malloc((job->levels + 3) * n * words * sizeof *block);
        reach_tally mine = {0};
        s.joined = malloc(job->max_hops * sizeof *s.joined);
        bad = !block || !s.joined || !reach_tally_open(&mine, job);
        if (!bad) {
            s.state[0] = block;
            s.state[1] = block + n * words;
            s.past = block + 2 * n * words;
            s.lanes.pool = block + 3 * n * words;
            s.tally = &mine;
        }
#pragma omp for schedule(dynamic)
        for (size_t k = 0; k < strips; k++) {
            if (bad)
                continue;
            s.key = job->key + k * width;
            s.count = job->keys - k * width < width ? job->keys - k * width : width;
            reach_possible(&s);
            for (size_t track = 0; track < REACH_TRACKS; track++)
                if (job->wanted[track])
                    walk(&s, &mine.track[track], track != REACH_PLAIN, track == REACH_PATHS);
        }
#pragma omp critical
        if (!bad)
            reach_tally_add(&job->sum, &mine, job);
        reach_tally_close(&mine);
        free(s.joined);
        free(block);
    }
    *failed = bad;
    job->strips = strips;
}

static attn_status check_request(const attn_reach_request *q, attn_error *err)
{
    const struct {
        const char *name;
        size_t value, most;
    } limits[] = {{"hops", q->hops, ATTN_LISTED_HOPS}, {"steps", q->steps, ATTN_MAX_HOPS},
                  {"max_hops", q->max_hops, ATTN_MAX_HOPS}, {"sample", q->sample, ATTN_MAX_N}};
    for (size_t l = 0; l < sizeof limits / sizeof limits[0]; l++)
        if (limits[l].value < 1 || limits[l].value > limits[l].most)
            return attn_fail(err, ATTN_EINVAL, "%s=%zu is outside its range, 1 to %zu", limits[l].name, limits[l].value,
                             limits[l].most);
    return ATTN_OK;
}

attn_status attn_analysis_reach(attn_reach *out, const attn_analysis *a, const attn_reach_request *q, attn_error *err)
{
    attn_status status = check_request(q, err);
    if (status != ATTN_OK)
        return status;
    reach_job job = {.a = a, .hops = q->hops, .steps = q->steps, .max_hops = q->max_hops, .levels = most_levels(a)};
    job.max_hops = job.max_hops < q->hops ? q->hops : job.max_hops;
    job.max_hops = job.max_hops < q->steps ? q->steps : job.max_hops;
    bool diagonal = true;
    for (size_t d = 0; d < a->distinct; d++)
        diagonal = diagonal && a->rows[d].diagonal;
    job.wanted[REACH_RESIDUAL] = true;
    job.wanted[REACH_PLAIN] = !diagonal;        /* else the same */
    job.wanted[REACH_PATHS] = a->distinct > 1;  /* else the same */
    if (!choose_keys(&job, q))
        return attn_fail(err, ATTN_ENOMEM, "out of memory for %zu keys", a->n);
    job.exact = job.keys == a->n;

    size_t threads = (size_t)omp_get_max_threads(), words = LANES_MOST_WORDS;
    while (words > 1 && (job.levels + 3) * a->n * words * sizeof(uint64_t) * threads > POOL_BYTES)
        words /= 2;
    while (words > 1 && 32 * words >= job.keys)
        words /= 2;
    size_t strips = (job.keys + 64 * words - 1) / (64 * words);
    threads = threads < strips ? threads : strips;
    bool failed = !reach_tally_open(&job.sum, &job);
    if (!failed)
        walk_strips(&job, words, threads, &failed);
    if (failed) {
        status = attn_fail(err, ATTN_ENOMEM, "out of memory for the reach of n=%zu", a->n);
    } else {
        *out = (attn_reach){.sampled = !job.exact, .keys = job.keys, .hops = job.hops, .steps = job.steps};
        out->bytes = threads * ((job.levels + 3) * a->n * words * sizeof(uint64_t) + reach_tally_bytes(&job));
        reach_conclude(out, &job);
    }
    reach_tally_close(&job.sum);
    free(job.key);
    return status;
}
