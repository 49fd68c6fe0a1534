/* One step through a layer for many keys at once: every position holds bits, and a row takes the union of those of
 * its keys.
 *
 * Unions are idempotent, so an interval of length m is two tables of level k = floor(log2 m), where T_k holds the
 * union over 2^k positions from each one on (a sparse table); a comb of c teeth is likewise two positions of a table
 * that doubles along the step. A hop costs O(log n) unions per position and family and two per comb, whatever the
 * number of pairs. */
#include "patterns/analysis_rows.h"

#include <string.h>

static unsigned level_of(size_t count) /* floor(log2 count) */
{
    return 63u - (unsigned)__builtin_clzll(count);
}

size_t lanes_levels(const rows *r)
{
    size_t levels = r->longest > 1 ? level_of(r->longest) : 0;
    for (size_t f = 0; f < r->family_count; f++)
        levels += level_of(r->families[f].most) + (r->families[f].width > 1);
    return levels;
}

/* The tables of one hop: [0] is what the level above starts from. */
typedef struct tables {
    const uint64_t *level[32];
} tables;

/* The always-inline bodies below are compiled for each number of words, so that a position is a few registers. */
#define BODY static inline __attribute__((always_inline))

BODY void join2(uint64_t *to, const uint64_t *a, const uint64_t *b, unsigned words)
{
    for (unsigned w = 0; w < words; w++)
        to[w] = a[w] | b[w];
}

BODY void add2(uint64_t *to, const uint64_t *a, const uint64_t *b, unsigned words)
{
    for (unsigned w = 0; w < words; w++)
        to[w] |= a[w] | b[w];
}

/* to_i = from_i | from_(i + shift) for low <= i < n. */
BODY void double_up(uint64_t *to, const uint64_t *from, size_t low, size_t n, size_t shift, unsigned words)
{
    size_t i = low, both = n > shift ? n - shift : 0;
    for (; i < both; i++)
        join2(to + i * words, from + i * words, from + (i + shift) * words, words);
    if (i < n)
        memcpy(to + i * words, from + i * words, (n - i) * words * sizeof *to);
}

typedef struct hop {
    tables interval, family[ROWS_FAMILIES];
    size_t used; /* tables of the pool */
    size_t low;  /* the first position that tables hold */
} hop;

BODY uint64_t *take(const lanes *l, hop *h, unsigned words)
{
    return l->pool + h->used++ * l->n * words;
}

BODY void build(const lanes *l, hop *h, const rows *r, const uint64_t *x, unsigned words)
{
    const size_t n = l->n;
    h->interval.level[0] = x;
    for (unsigned k = 1; ((size_t)1 << k) <= r->longest; k++) {
        uint64_t *to = take(l, h, words);
        double_up(to, h->interval.level[k - 1], h->low, n, (size_t)1 << (k - 1), words);
        h->interval.level[k] = to;
    }
    for (size_t f = 0; f < r->family_count; f++) {
        const comb_family *family = &r->families[f];
        h->family[f].level[0] = x;
        if (family->width > 1) { /* the union over a tooth */
            unsigned k = level_of(family->width);
            uint64_t *to = take(l, h, words);
            double_up(to, h->interval.level[k], h->low, n, family->width - ((size_t)1 << k), words);
            h->family[f].level[0] = to;
        }
        for (unsigned k = 1; ((size_t)1 << k) <= family->most; k++) {
            uint64_t *to = take(l, h, words);
            double_up(to, h->family[f].level[k - 1], h->low, n, (size_t)family->step << (k - 1), words);
            h->family[f].level[k] = to;
        }
    }
}

BODY void add_comb(uint64_t *to, const hop *h, const rows *r, const comb32 *c, unsigned words)
{
    size_t begin = c->begin, count = c->count == 1 ? c->width : c->count, step = c->count == 1 ? 1 : c->step;
    if (begin < h->low) { /* nothing is held there */
        size_t skip = (h->low - begin + step - 1) / step;
        if (skip >= count)
            return;
        begin += skip * step;
        count -= skip;
    }
    unsigned k = level_of(count);
    const uint64_t *table = (c->count == 1 ? &h->interval : &h->family[rows_family(r, c)])->level[k];
    add2(to, table + begin * words, table + (begin + (count - ((size_t)1 << k)) * step) * words, words);
}

BODY void hop_body(const lanes *l, const rows *r, const uint64_t *x, uint64_t *y, size_t first, bool residual,
                   unsigned words)
{
    /* A tooth that begins as much as `longest` before `first` may still end behind it. */
    hop h = {.low = first > r->longest ? first - r->longest : 0};
    build(l, &h, r, x, words);
    memset(y, 0, first * words * sizeof *y);
    for (size_t i = first; i < l->n; i++) {
        uint64_t held[LANES_MOST_WORDS] = {0};
        if (residual)
            join2(held, x + i * words, x + i * words, words);
        for (uint64_t k = r->first[i]; k < r->first[i + 1]; k++)
            add_comb(held, &h, r, &r->at[k], words);
        memcpy(y + i * words, held, words * sizeof *held);
    }
}

void lanes_hop(lanes *l, const rows *r, const uint64_t *x, uint64_t *y, size_t first, bool residual)
{
    switch (l->words) {
    case 1: hop_body(l, r, x, y, first, residual, 1); break;
    case 2: hop_body(l, r, x, y, first, residual, 2); break;
    case 4: hop_body(l, r, x, y, first, residual, 4); break;
    default: hop_body(l, r, x, y, first, residual, 8); break;
    }
}
