/* Counting the bits of a strip: all of them, by distance, by query, by key; and the first that is missing.
 *
 * Lanes hold keys in ascending order, so that those at a distance within [2^(c-1), 2^c) of a query are a range of lanes,
 * whose ends only ever move up as the query does. */
#include "patterns/analysis_reach.h"

#include <stdlib.h>
#include <string.h>

enum { PLANES = 16 }; /* of the counters by key: emptied every 2^16 - 1 rows */

/* ---- the tally ---- */

static bool open_track(reach_track *t, const reach_job *job)
{
    t->joined = calloc(job->max_hops, sizeof *t->joined);
    t->near = calloc(job->hops, sizeof *t->near);
    t->field = job->exact ? calloc(job->hops * job->a->n, sizeof *t->field) : NULL;
    t->reached = job->exact ? NULL : calloc(job->hops * job->keys, sizeof *t->reached);
    t->witness_i = t->witness_j = SIZE_MAX;
    return t->joined && t->near && (t->field || t->reached);
}

bool reach_tally_open(reach_tally *t, const reach_job *job)
{
    bool fine = true;
    *t = (reach_tally){0};
    for (size_t k = 0; k < REACH_TRACKS; k++)
        if (job->wanted[k])
            fine = open_track(&t->track[k], job) && fine;
    return fine;
}

void reach_tally_close(reach_tally *t)
{
    for (size_t k = 0; k < REACH_TRACKS; k++) {
        free(t->track[k].joined);
        free(t->track[k].near);
        free(t->track[k].field);
        free(t->track[k].reached);
    }
    *t = (reach_tally){0};
}

size_t reach_tally_bytes(const reach_job *job)
{
    size_t tracks = 0, each = job->max_hops * sizeof(uint64_t) + job->hops * sizeof(uint64_t[ATTN_DISTANCES]) +
                              job->hops * (job->exact ? job->a->n : job->keys) * sizeof(uint32_t);
    for (size_t k = 0; k < REACH_TRACKS; k++)
        tracks += job->wanted[k];
    return tracks * each;
}

static void add_track(reach_track *to, const reach_track *from, const reach_job *job)
{
    for (size_t t = 0; t < job->max_hops; t++)
        to->joined[t] += from->joined[t];
    for (size_t t = 0; t < job->hops; t++)
        for (size_t c = 0; c < ATTN_DISTANCES; c++)
            to->near[t][c] += from->near[t][c];
    for (size_t e = 0; to->field && e < job->hops * job->a->n; e++)
        to->field[e] += from->field[e];
    for (size_t e = 0; to->reached && e < job->hops * job->keys; e++)
        to->reached[e] += from->reached[e];
    to->strips_settled += from->strips_settled;
    if (from->witness_i < to->witness_i || (from->witness_i == to->witness_i && from->witness_j < to->witness_j)) {
        to->witness_i = from->witness_i;
        to->witness_j = from->witness_j;
    }
}

void reach_tally_add(reach_tally *to, const reach_tally *from, const reach_job *job)
{
    to->possible += from->possible;
    for (size_t c = 0; c < ATTN_DISTANCES; c++)
        to->near[c] += from->near[c];
    for (size_t k = 0; k < REACH_TRACKS; k++)
        if (job->wanted[k])
            add_track(&to->track[k], &from->track[k], job);
}

/* ---- ranges of lanes by distance ---- */

typedef struct ranges {
    const strip *s;
    size_t below[ATTN_DISTANCES + 1]; /* lanes whose key is at least 2^(c-1) (c = 0: 0) below the query */
    size_t above[ATTN_DISTANCES + 1]; /* lanes whose key is less than 2^(c-1) (c = 0: 1) above it */
} ranges;

static size_t least_of(size_t c) { return c ? (size_t)1 << (c - 1) : 0; }

/* Moves on to query i. */
static void move(ranges *g, size_t i)
{
    const strip *s = g->s;
    for (size_t c = 0; c <= ATTN_DISTANCES; c++) {
        size_t *below = &g->below[c], *above = &g->above[c];
        while (*below < s->count && s->key[*below] + least_of(c) <= i)
            ++*below;
        if (!s->job->a->causal)
            while (*above < s->count && s->key[*above] < i + (c ? least_of(c) : 1))
                ++*above;
    }
}

/* Bits before lane `lane`. */
static uint64_t rank(const uint64_t *held, size_t lane)
{
    uint64_t bits = 0;
    for (size_t w = 0; w < lane / 64; w++)
        bits += (uint64_t)__builtin_popcountll(held[w]);
    if (lane % 64)
        bits += (uint64_t)__builtin_popcountll(held[lane / 64] & (((uint64_t)1 << lane % 64) - 1));
    return bits;
}

static void count_near(const ranges *g, const uint64_t *held, uint64_t *near)
{
    for (size_t c = 0; c < ATTN_DISTANCES; c++) {
        if (g->below[c] > g->below[c + 1])
            near[c] += rank(held, g->below[c]) - rank(held, g->below[c + 1]);
        if (c && g->above[c + 1] > g->above[c])
            near[c] += rank(held, g->above[c + 1]) - rank(held, g->above[c]);
    }
}

/* Lanes that a query could hold. */
static size_t lanes_of(const ranges *g)
{
    return g->s->job->a->causal ? g->below[0] : g->s->count;
}

void reach_possible(strip *s)
{
    uint64_t all[LANES_MOST_WORDS];
    memset(all, 0xff, sizeof all);
    ranges g = {.s = s};
    for (size_t i = s->job->a->causal ? s->key[0] : 0; i < s->job->a->n; i++) {
        move(&g, i);
        count_near(&g, all, s->tally->near);
        s->tally->possible += lanes_of(&g);
    }
}

/* ---- counters by key: bit p of lane k's count is in planes[p], so that a row is added to 64 at once ---- */

typedef struct by_key {
    uint64_t planes[PLANES][LANES_MOST_WORDS];
    size_t rows;
} by_key;

static void empty_counters(by_key *c, const strip *s, uint32_t *reached)
{
    for (size_t k = 0; k < s->count; k++)
        for (size_t p = 0; p < PLANES; p++)
            reached[k] += (uint32_t)(c->planes[p][k / 64] >> k % 64 & 1) << p;
    memset(c, 0, sizeof *c);
}

static void add_row(by_key *c, const strip *s, const uint64_t *held, uint32_t *reached)
{
    for (size_t w = 0; w < s->words; w++) {
        uint64_t carry = held[w];
        for (size_t p = 0; carry; p++) {
            uint64_t both = c->planes[p][w] & carry;
            c->planes[p][w] ^= carry;
            carry = both;
        }
    }
    if (++c->rows == ((size_t)1 << PLANES) - 1)
        empty_counters(c, s, reached);
}

/* ---- a state ---- */

static void find_missing(reach_track *track, const strip *s, size_t i, const uint64_t *held)
{
    size_t k = 0;
    while (held[k / 64] >> k % 64 & 1)
        k++;
    if (i < track->witness_i || (i == track->witness_i && s->key[k] < track->witness_j)) {
        track->witness_i = i;
        track->witness_j = s->key[k];
    }
}

void reach_count(strip *s, reach_track *track, size_t t)
{
    const reach_job *job = s->job;
    const bool listed = t <= job->hops, judged = t == job->steps;
    uint32_t *field = listed && job->exact ? track->field + (t - 1) * job->a->n : NULL;
    uint32_t *reached = listed && !job->exact ? track->reached + (t - 1) * job->keys + (s->key - job->key) : NULL;
    by_key counters = {.rows = 0};
    ranges g = {.s = s};
    uint64_t joined = 0;
    for (size_t i = s->first; i < job->a->n; i++) {
        const uint64_t *held = s->state[0] + i * s->words;
        uint64_t bits = 0;
        for (size_t w = 0; w < s->words; w++)
            bits += (uint64_t)__builtin_popcountll(held[w]);
        joined += bits;
        if (!listed && !judged)
            continue;
        move(&g, i);
        if (judged && bits < lanes_of(&g))
            find_missing(track, s, i, held);
        if (listed)
            count_near(&g, held, track->near[t - 1]);
        if (field)
            field[i] += (uint32_t)bits;
        if (reached)
            add_row(&counters, s, held, reached);
    }
    if (reached)
        empty_counters(&counters, s, reached);
    track->joined[t - 1] += joined;
    s->joined[t - 1] = joined;
}

void reach_repeat(strip *s, reach_track *track, size_t t, size_t period)
{
    for (size_t u = t; u < s->job->max_hops; u++)
        track->joined[u] += s->joined[u] = s->joined[u - period];
}
