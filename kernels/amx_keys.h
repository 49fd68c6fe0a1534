/* The keys of a granule as AMX kernels list them, and the directory of panels that hold them.
 *
 * In registers: a list written one by one and then read at once would wait until the stores of tiles before it are
 * done, and with it everything else. */
#ifndef KERNELS_AMX_KEYS_H
#define KERNELS_AMX_KEYS_H

#include <stdbool.h>

#include "kernels/program.h"
#include "kernels/simd.h"

enum {
    LISTED = 32,   /* keys of a granule */
    BUCKETS = 256, /* of slots, by their keys */
    WAYS = 4       /* slots that a bucket remembers, the newest first */
};

/* UINT32_MAX where there is none. */
typedef struct key_list {
    __m512i lo, hi;
} key_list;

/* Half of the keys of a granule, which begins with key t0 of a run of `keys`. */
INLINE __m512i keys_of_half(const program *p, const run *u, uint32_t t0, uint32_t keys, const uint32_t half)
{
    const uint32_t from = t0 + 16 * half, left = keys > from ? keys - from : 0;
    const __mmask16 real = (__mmask16)(left >= 16 ? 0xffff : (1u << left) - 1);
    const __m512i none = _mm512_set1_epi32(-1), first = _mm512_set1_epi32((int)u->first);
    const __m512i count = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    __m512i at;
    if (u->list != RUN_COMB) {
        at = _mm512_castps_si512(_mm512_maskz_loadu_ps(real, p->offsets + u->list + from));
    } else if (u->width >= u->keys) { /* contiguous */
        at = _mm512_add_epi32(count, _mm512_set1_epi32((int)from));
    } else {
        const uint32_t tooth = from / u->width, within = from % u->width;
        const __m512i t = _mm512_add_epi32(count, _mm512_set1_epi32((int)within));
        const __m512i reciprocal = _mm512_set1_epi32((int)(65536 / u->width + 1)); /* if width < 16: then t < 32 */
        const __m512i teeth = /* floor(t / width) */
            u->width >= 16 ? _mm512_maskz_set1_epi32(_mm512_cmpgt_epi32_mask(t, _mm512_set1_epi32((int)u->width - 1)), 1)
                           : _mm512_srli_epi32(_mm512_mullo_epi32(t, reciprocal), 16);
        const __m512i gap = _mm512_set1_epi32((int)(u->step - u->width));
        at = _mm512_add_epi32(_mm512_add_epi32(count, _mm512_set1_epi32((int)(tooth * u->step + within))),
                              _mm512_mullo_epi32(teeth, gap));
    }
    return _mm512_mask_add_epi32(none, real, at, first);
}

/* Of granule i of a run, with nk keys in all. Padding is what would come next, so that it is the same panel for the
 * tile that does see it; masks hide it. */
INLINE key_list list_keys(const program *p, const run *u, uint32_t i, size_t nk)
{
    const uint32_t t0 = i * LISTED, last = t0 + LISTED - 1;
    uint32_t keys = u->keys;
    if (last >= keys && u->list == RUN_COMB) {
        const bool whole = u->width >= u->keys;
        const uint64_t key = (uint64_t)u->first + (whole ? last : (uint64_t)(last / u->width) * u->step + last % u->width);
        keys = key < nk ? last + 1 : keys;
    }
    return (key_list){keys_of_half(p, u, t0, keys, 0), keys_of_half(p, u, t0, keys, 1)};
}

/* ---- which slot holds which keys ---- */

typedef struct directory {
    uint32_t (*keys)[LISTED];  /* [slots] */
    uint64_t *used;            /* [slots]: when last */
    uint32_t slots, hand;
    uint64_t now;
    uint64_t needed, age;      /* a slot used within `needed` stays; one not used within `age` is wanted no more */
    uint32_t bucket[BUCKETS][WAYS]; /* which slots may hold keys of this hash */
} directory;

INLINE void directory_forget(directory *d)
{
    memset(d->keys, 0xff, d->slots * sizeof *d->keys);
    memset(d->used, 0, d->slots * sizeof *d->used);
    memset(d->bucket, 0xff, sizeof d->bucket);
    d->now = 1u << 30; /* older than any age */
}

/* One that will probably not be wanted again, the first of those, so that few are in use and stay near; else the next
 * in turn that is not needed. */
INLINE uint32_t free_slot(directory *d)
{
    for (uint32_t slot = 0; slot < d->slots; slot++)
        if (d->used[slot] + d->age < d->now)
            return slot;
    while (d->used[d->hand] + d->needed >= d->now)
        d->hand = (d->hand + 1) % d->slots;
    const uint32_t slot = d->hand;
    d->hand = (d->hand + 1) % d->slots;
    return slot;
}

INLINE uint32_t first_of(__m512i x) { return (uint32_t)_mm_cvtsi128_si32(_mm512_castsi512_si128(x)); }

INLINE bool holds_keys(const directory *d, uint32_t slot, key_list keys)
{
    return slot < d->slots && _mm512_cmpeq_epi32_mask(_mm512_load_si512(d->keys[slot]), keys.lo) == 0xffff &&
           _mm512_cmpeq_epi32_mask(_mm512_load_si512(d->keys[slot] + 16), keys.hi) == 0xffff;
}

INLINE uint32_t *bucket_of(directory *d, key_list keys)
{
    return d->bucket[(first_of(keys.lo) * 0x9e3779b1u ^ first_of(keys.hi) * 0x85ebca6bu) >> 24];
}

/* The slot that holds these keys, for now: nothing must be filled before it is used. d->slots: none does. */
INLINE uint32_t peek_slot(directory *d, key_list keys)
{
    const uint32_t *bucket = bucket_of(d, keys);
    for (uint32_t way = 0; way < WAYS; way++)
        if (holds_keys(d, bucket[way], keys))
            return bucket[way];
    return d->slots;
}

/* The slot that holds these keys; or one that is to be filled with them, and `found` is false. */
INLINE uint32_t find_slot(directory *d, key_list keys, bool *found)
{
    uint32_t *bucket = bucket_of(d, keys);
    uint32_t way = 0;
    while (way < WAYS && !holds_keys(d, bucket[way], keys))
        way++;
    *found = way < WAYS;
    const uint32_t slot = *found ? bucket[way] : free_slot(d);
    if (!*found) {
        for (way = WAYS - 1; way > 0; way--)
            bucket[way] = bucket[way - 1];
        bucket[0] = slot;
        _mm512_store_si512(d->keys[slot], keys.lo);
        _mm512_store_si512(d->keys[slot] + 16, keys.hi);
    }
    d->used[slot] = d->now;
    return slot;
}

#endif
