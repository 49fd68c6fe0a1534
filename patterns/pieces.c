/* Rows put together from pieces that may overlap. See pieces.h. */
#include "patterns/pieces.h"

void pieces_begin(pieces *p, const attn_pattern_args *a, size_t i)
{
    comb_list_init(&p->all);
    p->end = a->causal ? i + 1 : a->nk;
}

void pieces_add(pieces *p, size_t begin, size_t width, size_t step, size_t count)
{
    if (begin >= p->end || width == 0 || count == 0)
        return;
    const size_t most = count > 1 ? (p->end - 1 - begin) / step + 1 : 1;
    comb_list_cut(&p->all, &(attn_comb){begin, width, step, count < most ? count : most}, 0, p->end);
}

void pieces_window(pieces *p, size_t i, size_t k)
{
    const size_t before = i < k ? i : k;
    pieces_add(p, i - before, before + 1 + k, 0, 1);
}

void pieces_teeth(pieces *p, size_t i, size_t step, size_t k)
{
    const size_t before = i / step < k ? i / step : k;
    pieces_add(p, i - before * step, 1, step, before + 1 + k);
}

/* Pieces whose extents overlap, as disjoint combs. */
static void unite(comb_list *out, const attn_comb *at, size_t count)
{
    size_t end = 0, intervals = 0;
    for (size_t c = 0; c < count; c++) {
        const size_t own = comb_end(&at[c]);
        intervals += comb_is_interval(&at[c]);
        end = own > end ? own : end;
    }
    if (count == 1) {
        comb_list_add(out, at->begin, at->width, at->step, at->count);
        return;
    }
    if (intervals == count) {
        comb_list_add(out, at->begin, end - at->begin, 0, 1);
        return;
    }
    comb_list sum, one, next;
    comb_list_init(&sum);
    comb_list_init(&one);
    comb_list_init(&next);
    for (size_t c = 0; c < count; c++) {
        one.count = next.count = 0;
        comb_list_add(&one, at[c].begin, at[c].width, at[c].step, at[c].count);
        comb_sets_unite(&next, &sum, &one);
        sum.count = 0;
        comb_list_append(&sum, &next);
    }
    comb_list_append(out, &sum);
    comb_list_free(&sum);
    comb_list_free(&one);
    comb_list_free(&next);
}

void pieces_emit(pieces *p, const attn_pattern_args *a, size_t head, size_t i,
                 bool (*allows)(const attn_pattern_args *, size_t, size_t, size_t), attn_combs *out)
{
    comb_list sum;
    comb_list_init(&sum);
    comb_list_sort(&p->all);
    for (size_t first = 0, next; first < p->all.count && !p->all.failed; first = next) {
        size_t end = comb_end(&p->all.at[first]);
        for (next = first + 1; next < p->all.count && p->all.at[next].begin < end; next++)
            if (comb_end(&p->all.at[next]) > end)
                end = comb_end(&p->all.at[next]);
        unite(&sum, p->all.at + first, next - first);
    }
    sum.failed |= p->all.failed;
    comb_list_tidy(&sum);
    for (size_t c = 0; c < sum.count && !sum.failed; c++)
        attn_emit(out, sum.at[c].begin, sum.at[c].width, sum.at[c].step, sum.at[c].count);
    for (size_t j = 0; j < p->end && sum.failed; j++)
        if (allows(a, head, i, j))
            attn_emit(out, j, 1, 0, 1);
    comb_list_free(&sum);
    comb_list_free(&p->all);
}

uint64_t pieces_hash(uint64_t seed, uint64_t a, uint64_t b)
{
    uint64_t z = seed * 0x9e3779b97f4a7c15u + a * 0xbf58476d1ce4e5b9u + b * 0x94d049bb133111ebu + 0x2545f4914f6cdd1du;
    for (int round = 0; round < 2; round++) {
        z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
        z = (z ^ z >> 27) * 0x94d049bb133111ebu;
        z ^= z >> 31;
    }
    return z;
}
