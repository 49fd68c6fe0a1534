/* What several hops reach, row by row.
 *
 * Rt[i] is the union of R(t-1)[a] over the keys a of row i (patterns/compose_hops.c). Read from the outside in, the row of one query needs no
 * other row of R: from {i}, the keys that row i sees, then those that their rows see, and so on. A set is n bits. A step ends early when all keys
 * that could be are in it, which dense and strided rows come to after a few rows.
 *
 * The work of a row is bounded by PATHS_MOST words and teeth; beyond, the row is not known rather than guessed. */
#include "harness/explorer/paths.h"

#include <stdlib.h>
#include <string.h>

#include "harness/explore.h"

struct paths {
    size_t n, words, steps;
    const attn_layout *layout;
    uint64_t *now, *next;
    attn_combs combs;
};

void paths_close(paths *p)
{
    if (!p)
        return;
    free(p->now);
    free(p->next);
    free(p->combs.at);
    free(p);
}

attn_status paths_open(paths **out, attn_layout *layout, size_t steps, size_t n, attn_error *err)
{
    *out = NULL;
    if (explore_asks_pairs(&(explore){.layout = layout, .n = n}))
        return attn_fail(err, ATTN_EUNAVAILABLE, "what several hops reach is not drawn at n = %zu for a pattern whose rows are had by testing pairs", n);
    paths *p = calloc(1, sizeof *p);
    if (!p)
        return attn_fail(err, ATTN_ENOMEM, "out of memory");
    *p = (paths){.n = n, .words = (n + 63) / 64, .steps = steps, .layout = layout};
    p->now = malloc(p->words * sizeof *p->now);
    p->next = malloc(p->words * sizeof *p->next);
    if (!p->now || !p->next) {
        paths_close(p);
        return attn_fail(err, ATTN_ENOMEM, "out of memory");
    }
    *out = p;
    return ATTN_OK;
}

/* Sets bits [begin, end); returns the words touched. */
static uint64_t fill(uint64_t *bits, size_t begin, size_t end)
{
    const size_t first = begin / 64, last = (end - 1) / 64;
    const uint64_t head = ~0ull << begin % 64, tail = ~0ull >> (63 - (end - 1) % 64);
    if (first == last) {
        bits[first] |= head & tail;
        return 1;
    }
    bits[first] |= head;
    memset(bits + first + 1, 0xff, (last - first - 1) * sizeof *bits);
    bits[last] |= tail;
    return last - first + 1;
}

static size_t count_between(const uint64_t *bits, size_t begin, size_t end)
{
    size_t count = 0;
    for (size_t w = begin / 64; w * 64 < end; w++) {
        uint64_t word = bits[w];
        if (w == begin / 64)
            word &= ~0ull << begin % 64;
        if (end - w * 64 < 64)
            word &= ~(~0ull << (end - w * 64));
        count += (size_t)__builtin_popcountll(word);
    }
    return count;
}

/* Adds a row of all heads to `next`; returns the work, 0 where memory ran out. */
static uint64_t add_row(paths *p, size_t row)
{
    const attn_layout *layout = p->layout;
    uint64_t work = 1;
    for (size_t h = 0; h < attn_layout_distinct_heads(layout); h++) {
        attn_layout_row(layout, h, row, &p->combs);
        if (p->combs.count > p->combs.capacity) {
            attn_comb *larger = realloc(p->combs.at, p->combs.count * sizeof *larger);
            if (!larger)
                return 0;
            p->combs = (attn_combs){larger, p->combs.count, 0};
            attn_layout_row(layout, h, row, &p->combs);
        }
        for (size_t c = 0; c < p->combs.count; c++)
            for (size_t s = 0; s < p->combs.at[c].count; s++) {
                const size_t begin = p->combs.at[c].begin + s * p->combs.at[c].step;
                work += fill(p->next, begin, begin + p->combs.at[c].width);
            }
    }
    return work;
}

/* The set of query i in `now`; false where it costs too much. */
static bool find_row(paths *p, size_t i, uint64_t *work)
{
    uint64_t spent = 0;
    bool known = true;
    memset(p->now, 0, p->words * sizeof *p->now);
    fill(p->now, i, i + 1);
    for (size_t t = 0; t < p->steps && known; t++) {
        size_t rows = 0, most = 0; /* keys that could be reached: of causal masks those up to the last row, which comes first */
        bool full = false;
        memset(p->next, 0, p->words * sizeof *p->next);
        spent += p->words / 8;
        for (size_t w = p->words; w-- > 0 && !full && known;)
            for (uint64_t left = p->now[w]; left && !full && known;) {
                const size_t bit = 63 - (size_t)__builtin_clzll(left), row = w * 64 + bit;
                left &= ~(1ull << bit);
                most = rows ? most : attn_layout_causal(p->layout) ? row + 1 : p->n;
                const uint64_t took = add_row(p, row);
                spent += took;
                known = took > 0 && spent <= PATHS_MOST;
                rows++;
                if ((rows & (rows - 1)) == 0 || rows % 256 == 0) {
                    full = count_between(p->next, 0, most) == most;
                    spent += p->words / 8;
                }
            }
        uint64_t *swap = p->now;
        p->now = p->next;
        p->next = swap;
    }
    *work += spent;
    return known;
}

bool paths_join(paths *p, size_t i, size_t j, bool *known)
{
    uint64_t work = 0;
    *known = find_row(p, i, &work);
    return *known && p->now[j / 64] >> j % 64 & 1;
}

uint64_t paths_cells(paths *p, size_t row, size_t key, size_t cell, size_t rows, size_t columns, float *out, size_t *unknown)
{
    uint64_t work = 0;
    *unknown = 0;
    for (size_t r = 0; r < rows; r++) {
        const size_t begin = row + r * cell, height = begin >= p->n ? 0 : p->n - begin < cell ? p->n - begin : cell;
        const size_t looked = height < PATHS_SAMPLED ? height : PATHS_SAMPLED;
        float *line = out + r * columns;
        size_t known = 0;
        for (size_t c = 0; c < columns; c++)
            line[c] = height && key + c * cell < p->n ? 0 : -1;
        for (size_t s = 0; s < looked; s++) {
            if (!find_row(p, begin + s * height / looked, &work))
                break;
            known++;
            for (size_t c = 0; c < columns && key + c * cell < p->n; c++) {
                const size_t from = key + c * cell, to = p->n - from < cell ? p->n : from + cell;
                line[c] += (float)count_between(p->now, from, to) / (float)(to - from) / (float)looked;
                work++;
            }
        }
        for (size_t c = 0; c < columns && known < looked; c++)
            line[c] = -1;
        *unknown += known < looked;
    }
    return work;
}
