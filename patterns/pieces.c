/* Rows put together from pieces that may overlap. See pieces.h. */
#include "patterns/pieces.h"

void pieces_begin(pieces *p, const attn_pattern_args *a, size_t i)
{
    comb_list_init(&p->sum);
    p->end = a->causal ? i + 1 : a->nk;
}

void pieces_add(pieces *p, size_t begin, size_t width, size_t step, size_t count)
{
    if (begin >= p->end || width == 0 || count == 0)
        return;
    comb_list piece, below, cut, sum;
    comb_list_init(&piece);
    comb_list_init(&below);
    comb_list_init(&cut);
    comb_list_init(&sum);
    const size_t most = count > 1 ? (p->end - 1 - begin) / step + 1 : 1;
    comb_list_add(&piece, begin, width, step, count < most ? count : most);
    comb_list_add(&below, 0, p->end, 0, 1);
    comb_sets_intersect(&cut, &piece, &below);
    comb_sets_unite(&sum, &p->sum, &cut);
    p->sum.count = 0;
    p->sum.failed |= sum.failed;
    for (size_t c = 0; c < sum.count; c++)
        comb_list_add(&p->sum, sum.at[c].begin, sum.at[c].width, sum.at[c].step, sum.at[c].count);
    comb_list_free(&piece);
    comb_list_free(&below);
    comb_list_free(&cut);
    comb_list_free(&sum);
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

void pieces_emit(pieces *p, const attn_pattern_args *a, size_t head, size_t i,
                 bool (*allows)(const attn_pattern_args *, size_t, size_t, size_t), attn_combs *out)
{
    for (size_t c = 0; c < p->sum.count && !p->sum.failed; c++)
        attn_emit(out, p->sum.at[c].begin, p->sum.at[c].width, p->sum.at[c].step, p->sum.at[c].count);
    for (size_t j = 0; j < p->end && p->sum.failed; j++)
        if (allows(a, head, i, j))
            attn_emit(out, j, 1, 0, 1);
    comb_list_free(&p->sum);
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
