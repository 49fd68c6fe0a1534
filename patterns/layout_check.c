/* Whether a row's combs are what they must be: well-formed, ordered by first key, disjoint, within the keys.
 *
 * Combs may interleave, so ranges that overlap are not yet an error. Two combs share a key iff some tooth of
 * the one meets a tooth of the other. With teeth {a + s p, width v} and {b + u q, width w}, and s limited to
 * the teeth of the first within the range of the second, that is
 *
 *     (a + s p + v - 1 - b) mod q  <=  v + w - 2        for some s,
 *
 * (the distance from a tooth of the second to the end of the tooth of the first), which is always so when
 * v + w - 1 >= q, and otherwise asks for the first multiple of p in an interval modulo q: Euclid's
 * algorithm, O(log q).
 *
 * Each comb is compared with the earlier ones that reach beyond its first key. Those are few in sensible
 * rows, long lists of intervals included; where they are many, keys are marked in a bitmap instead, O(nk). */
#include "attn/layout.h"

#include <stdint.h>
#include <stdlib.h>

#include "patterns/layout_parts.h"

enum { OPEN = 32 }; /* combs compared with before the bitmap is the better way */

/* The key after a well-formed comb's last. */
static size_t end_of(const attn_comb *comb)
{
    return comb->begin + (comb->count - 1) * comb->step + comb->width;
}

/* The least s >= 0 with  low <= s p mod q <= high,  or SIZE_MAX. 0 <= low <= high < q.
 * If no multiple of p lies in [low, high], then s p = t q + x with x in it has  -high <= t q <= -low (mod p),
 * the same question with (q mod p, p), and the least t gives the least s. */
static size_t first_multiple(size_t p, size_t q, size_t low, size_t high)
{
    if (low == 0)
        return 0;
    p %= q;
    if (p == 0)
        return SIZE_MAX;
    size_t s = (low + p - 1) / p;
    if (s * p <= high)
        return s;
    size_t t = first_multiple(q, p, p - high % p, p - low % p);
    return t == SIZE_MAX ? SIZE_MAX : (t * q + low + p - 1) / p;
}

/* Whether two well-formed combs share a key; a begins first. */
static bool meet(const attn_comb *a, const attn_comb *b)
{
    size_t p = a->count > 1 ? a->step : 1, q = b->count > 1 ? b->step : b->width;
    size_t v = a->width, w = b->width;
    if (end_of(a) <= b->begin)
        return false;
    /* teeth of a that end after b begins, and begin before b ends */
    size_t from = b->begin - a->begin < v ? 0 : (b->begin - a->begin - v) / p + 1;
    size_t to = (end_of(b) - 1 - a->begin) / p;
    if (to > a->count - 1)
        to = a->count - 1;
    if (from > to)
        return false;
    if (v + w - 1 >= q)
        return true;
    size_t slack = v + w - 2;
    size_t distance = (a->begin + from * p + v - 1 - b->begin) % q;
    if (distance <= slack)
        return true;
    return first_multiple(p, q, q - distance, q - distance + slack) <= to - from;
}

/* NULL when comb is well-formed and below `end`, else what is wrong. */
static const char *malformed(const attn_comb *comb, size_t end)
{
    if (comb->width == 0 || comb->count == 0)
        return "has no keys";
    if (comb->begin >= end || comb->width > end - comb->begin)
        return "reaches beyond the last key allowed";
    if (comb->count == 1)
        return NULL;
    if (comb->width > comb->step)
        return "has teeth wider than its step";
    if (comb->count - 1 > (end - comb->begin - comb->width) / comb->step)
        return "reaches beyond the last key allowed";
    return NULL;
}

/* The comb that shares a key with an earlier one, or combs->count; SIZE_MAX: out of memory. */
static size_t meets_marked(const attn_combs *combs, size_t end)
{
    uint64_t *marked = calloc(end / 64 + 1, sizeof *marked);
    if (!marked)
        return SIZE_MAX;
    size_t found = combs->count;
    for (size_t c = 0; c < combs->count && found == combs->count; c++) {
        const attn_comb *comb = &combs->at[c];
        for (size_t s = 0; s < comb->count; s++)
            for (size_t t = 0; t < comb->width; t++) {
                size_t key = comb->begin + s * comb->step + t;
                if (marked[key / 64] >> key % 64 & 1)
                    found = c;
                marked[key / 64] |= (uint64_t)1 << key % 64;
            }
    }
    free(marked);
    return found;
}

/* The same by comparing, as long as few are open at a time. */
static size_t meets(const attn_combs *combs, size_t end)
{
    const attn_comb *open[OPEN];
    size_t count = 0;
    for (size_t c = 0; c < combs->count; c++) {
        const attn_comb *comb = &combs->at[c];
        size_t kept = 0;
        for (size_t o = 0; o < count; o++) {
            if (end_of(open[o]) <= comb->begin)
                continue;
            if (meet(open[o], comb))
                return c;
            open[kept++] = open[o];
        }
        count = kept;
        if (count == OPEN)
            return meets_marked(combs, end);
        open[count++] = comb;
    }
    return combs->count;
}

attn_status attn_layout_check_row(const attn_layout *layout, size_t head, size_t r, const attn_combs *combs,
                                  attn_error *err)
{
    const char *text = layout->text;
    size_t i;
    bool here = layout_position(layout, r, &i);
    size_t end = !here ? 0 : layout->args.causal ? i + 1 : layout->args.nk;
    if (combs->count > combs->capacity)
        return attn_fail(err, ATTN_EINVAL, "%s: row %zu of head %zu has %zu combs, more than the %zu stored",
                         text, r, head, combs->count, combs->capacity);
    for (size_t c = 0; c < combs->count; c++) {
        const attn_comb *comb = &combs->at[c];
        const char *fault = malformed(comb, end);
        if (!fault && c > 0 && comb->begin < combs->at[c - 1].begin)
            fault = "begins before the comb in front of it";
        if (fault)
            return attn_fail(err, ATTN_EINVAL,
                             "%s: row %zu of head %zu: comb %zu {begin %zu, width %zu, step %zu, "
                             "count %zu} %s; the row's keys are below %zu",
                             text, r, head, c, comb->begin, comb->width, comb->step, comb->count, fault, end);
    }
    size_t c = meets(combs, end);
    if (c == SIZE_MAX)
        return attn_fail(err, ATTN_ENOMEM, "out of memory");
    if (c < combs->count)
        return attn_fail(err, ATTN_EINVAL,
                         "%s: row %zu of head %zu: comb %zu, from key %zu, overlaps an earlier comb", text, r,
                         head, c, combs->at[c].begin);
    return ATTN_OK;
}
