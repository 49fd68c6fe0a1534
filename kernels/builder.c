/* Growing a tile program. Masks repeat from tile to tile (every causal diagonal is the same), so sequences of
 * them are interned: a chained hash table over the pool. */
#include "kernels/builder.h"

#include <stdlib.h>
#include <string.h>

#define NONE UINT32_MAX

typedef struct sequence {
    uint64_t hash;
    size_t begin, count;
    uint32_t next; /* in its chain */
} sequence;

bool array_reserve(array *a, size_t more, size_t size)
{
    if (more <= a->capacity - a->count)
        return true;
    size_t capacity = a->capacity ? a->capacity : 64;
    while (capacity - a->count < more) {
        if (capacity > SIZE_MAX / 2 / size)
            return false;
        capacity *= 2;
    }
    void *at = realloc(a->at, capacity * size);
    if (!at)
        return false;
    a->at = at;
    a->capacity = capacity;
    return true;
}

static void pool_free(pool *p)
{
    free(p->words.at);
    free(p->sequences.at);
    free(p->table);
}

void builder_init(builder *b, geometry g)
{
    *b = (builder){.geometry = g};
}

void builder_free(builder *b)
{
    free(b->tiles.at);
    free(b->runs.at);
    pool_free(&b->masks);
    pool_free(&b->offsets);
}

void builder_push_run(builder *b, run u)
{
    if (b->failed || b->runs.count >= NONE || !array_reserve(&b->runs, 1, sizeof u)) {
        b->failed = true;
        return;
    }
    ((run *)b->runs.at)[b->runs.count++] = u;
}

void builder_push_tile(builder *b, tile t)
{
    if (b->failed || b->tiles.count >= NONE || !array_reserve(&b->tiles, 1, sizeof t)) {
        b->failed = true;
        return;
    }
    ((tile *)b->tiles.at)[b->tiles.count++] = t;
}

static uint64_t hash_words(const uint64_t *words, size_t count)
{
    uint64_t h = 0x9e3779b97f4a7c15u ^ count; /* multiply and fold: any mixing will do */
    for (size_t i = 0; i < count; i++) {
        h = (h ^ words[i]) * 0xff51afd7ed558ccdu;
        h ^= h >> 32;
    }
    return h;
}

static bool rehash(pool *p)
{
    size_t buckets = p->buckets ? 2 * p->buckets : 256;
    uint32_t *table = malloc(buckets * sizeof *table);
    if (!table)
        return false;
    for (size_t i = 0; i < buckets; i++)
        table[i] = NONE;
    sequence *s = p->sequences.at;
    for (size_t i = 0; i < p->sequences.count; i++) {
        uint32_t *head = &table[s[i].hash & (buckets - 1)];
        s[i].next = *head;
        *head = (uint32_t)i;
    }
    free(p->table);
    p->table = table;
    p->buckets = buckets;
    return true;
}

/* Where `words` begin in the pool; SIZE_MAX: out of memory. */
static size_t intern(pool *p, const uint64_t *words, size_t count)
{
    uint64_t hash = hash_words(words, count);
    const uint64_t *stored = p->words.at;
    const sequence *known = p->sequences.at;
    if (p->buckets)
        for (uint32_t i = p->table[hash & (p->buckets - 1)]; i != NONE; i = known[i].next)
            if (known[i].hash == hash && known[i].count == count &&
                memcmp(stored + known[i].begin, words, count * sizeof *words) == 0)
                return known[i].begin;

    if (p->sequences.count >= NONE || (p->sequences.count >= p->buckets && !rehash(p)) ||
        !array_reserve(&p->words, count, sizeof *words) || !array_reserve(&p->sequences, 1, sizeof(sequence)))
        return SIZE_MAX;
    size_t begin = p->words.count;
    memcpy((uint64_t *)p->words.at + begin, words, count * sizeof *words);
    p->words.count += count;
    uint32_t *head = &p->table[hash & (p->buckets - 1)];
    ((sequence *)p->sequences.at)[p->sequences.count] = (sequence){hash, begin, count, *head};
    *head = (uint32_t)p->sequences.count++;
    return begin;
}

static uint32_t intern_index(builder *b, pool *p, const uint64_t *words, size_t count, size_t unit)
{
    size_t begin = b->failed ? SIZE_MAX : intern(p, words, count);
    if (begin == SIZE_MAX || begin / unit >= NONE) {
        b->failed = true;
        return 0;
    }
    return (uint32_t)(begin / unit);
}

uint32_t builder_masks(builder *b, const uint64_t *masks, size_t granules)
{
    return intern_index(b, &b->masks, masks, granules * b->geometry.keys, b->geometry.keys);
}

uint32_t builder_offsets(builder *b, const uint64_t *offsets, size_t count)
{
    return intern_index(b, &b->offsets, offsets, count, 1);
}

mask_range mask_range_of(geometry g, const uint64_t *masks)
{
    uint64_t any = 0, all = UINT64_MAX;
    for (uint32_t t = 0; t < g.keys; t++) {
        any |= masks[t];
        all &= masks[t];
    }
    mask_range r = {.any = any};
    if (!any)
        return r;
    r.lo = (uint8_t)((uint32_t)__builtin_ctzll(any) / g.lanes);
    r.hi = (uint8_t)((63u - (uint32_t)__builtin_clzll(any)) / g.lanes + 1);
    uint64_t lanes = g.lanes == 64 ? UINT64_MAX : (1ull << g.lanes) - 1;
    for (uint32_t v = r.lo; v < r.hi; v++)
        if ((all >> (v * g.lanes) & lanes) != lanes)
            r.partial = 1;
    return r;
}
