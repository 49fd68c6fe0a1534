/* mask: the keys that a file lists: mask:"FILE", mask:"FILE",block=128,id=4711.
 *
 *   allowed(i, j)  <=>  the file has row i, key j (of head h modulo its heads),  and j <= i when causal
 *
 * Rows are runs of keys; a block mask has a row for each block of queries. See patterns/mask.h for the formats. `id` is what the file
 * holds, as a number: resolved specs have it, so that results of another file under the same name are told apart; when given, it
 * must be right. The layout hands over what was read as the state of the arguments. */
#include "patterns/mask_parts.h"

#include <stdlib.h>

static const attn_param params[] = {
    [MASK_BLOCK] = {.key = "block", .min = 1, .max = ATTN_MAX_N, .fallback = "128", .help = "queries and keys of a block, of block masks"},
    [MASK_ID] = {.key = "id", .min = 0, .max = ATTN_MAX_N, .fallback = "0", .help = "what the file holds, as a number; 0: whatever it is"},
    {0},
};

static const mask_run *runs_of(const mask_runs *m, size_t head, size_t i, size_t *count)
{
    const size_t row = head % m->heads * m->rows + i / m->unit;
    *count = m->first[row + 1] - m->first[row];
    return m->at + m->first[row];
}

static bool allows(const attn_pattern_args *a, size_t head, size_t i, size_t j)
{
    size_t count, lo = 0;
    const mask_run *run = runs_of(a->state, head, i, &count);
    if (a->causal && j > i)
        return false;
    while (lo < count) { /* the first run that ends behind j */
        const size_t middle = lo + (count - lo) / 2;
        if (run[middle].end > j)
            count = middle;
        else
            lo = middle + 1;
    }
    size_t all;
    (void)runs_of(a->state, head, i, &all);
    return lo < all && run[lo].begin <= j;
}

static void row(const attn_pattern_args *a, size_t head, size_t i, attn_combs *out)
{
    size_t count;
    const mask_run *run = runs_of(a->state, head, i, &count);
    const size_t end = a->causal ? i + 1 : a->nk;
    for (size_t r = 0; r < count && run[r].begin < end; r++)
        attn_emit(out, run[r].begin, (run[r].end < end ? run[r].end : end) - run[r].begin, 0, 1);
}

static void release(attn_pattern_args *a)
{
    mask_free(a->state);
}

void mask_free(mask_runs *m)
{
    if (!m)
        return;
    free(m->first);
    free(m->at);
    free(m);
}

size_t mask_heads(const mask_runs *m) { return m->heads; }

size_t mask_id(const mask_runs *m)
{
    uint64_t hash = 0xcbf29ce484222325u + m->unit; /* FNV-1a, by numbers */
    for (size_t r = 0; r < m->heads * m->rows; r++) {
        hash = (hash ^ (m->first[r + 1] - m->first[r])) * 0x100000001b3u;
        for (size_t k = m->first[r]; k < m->first[r + 1]; k++)
            hash = (hash ^ ((uint64_t)m->at[k].begin << 32 | m->at[k].end)) * 0x100000001b3u;
    }
    hash ^= hash >> 32;
    return 1 + (size_t)(hash % (ATTN_MAX_N - 1));
}

const attn_pattern attn_pattern_mask = {
    .name = "mask",
    .summary = "the keys that a file lists: mask:\"FILE.npy\"",
    .params = params,
    .allows = allows,
    .row = row,
    .release = release,
};
