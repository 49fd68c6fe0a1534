/* The zoo against its definitions, written again here from the sources' words: every pair, causal and not, square and not. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "attn/layout.h"

typedef struct at { long i, j, n, heads, head; bool causal; } at;

static long distance(at x) { return labs(x.i - x.j); }
static bool power_of_two(long x) { return x > 0 && __builtin_popcountl((unsigned long)x) == 1; }

static bool dilated(at x) { for (long t = -5; t <= 5; t++) if (x.j == x.i + 3 * t) return true; return false; }
static bool logsparse(at x) { return distance(x) <= 2 || power_of_two(distance(x)); }
static bool sinks(at x) { return x.j <= 2 || distance(x) <= 6; }
static bool vertical_slash(at x) { return x.j % 11 == 0 || distance(x) % 7 == 0 || distance(x) <= 2; }
static bool prefix(at x) { return x.j <= x.i || x.j < 9; }
static bool longformer(at x) { return x.j < 2 || x.i < 2 || (distance(x) % 2 == 0 && distance(x) <= 8); }
static bool axial(at x) { return x.i / 9 == x.j / 9 || (x.i - x.j) % 9 == 0; }
static bool butterfly(at x) { long d = (x.i / 4) ^ (x.j / 4); return d == 0 || power_of_two(d); }

static bool documents(at x)
{
    static const long ends[] = {5, 7, 17, 22, 24, 34, 39, 41, 51, 56, 58, 68, 73, 75, 85, 90, 92, 102, 107, 109, 119, 124, 126, 136}; /* 5, 2, 10, again */
    for (size_t d = 0; d < sizeof ends / sizeof *ends; d++)
        if (x.i < ends[d] || x.j < ends[d])
            return x.i < ends[d] && x.j < ends[d];
    return false;
}

/* The sources' loop: a window of blocks; global columns and rows. */
static bool bigbird_without_chance(at x) { return labs(x.i / 4 - x.j / 4) <= 1 || x.j < 8 || x.i < 8; }

static bool phi3(at x)
{
    const long q = x.i / 4, k = x.j / 4, step = 6 / x.heads > 1 ? 6 / x.heads : 1;
    return labs(q - k) < 2 || (k + step * x.head + 1) % 6 == 0;
}

/* FixedSparsityConfig, as it sets a layout of blocks: local windows, then columns. */
static bool deepspeed_fixed(at x)
{
    enum { B = 3, L = 4, G = 1 };
    const long blocks = (x.n + B - 1) / B, bi = x.i / B, bj = x.j / B, first = L - 2 * G; /* sub = 1 */
    if (bi / L == bj / L)
        return true;
    const long end = blocks - blocks % L;
    for (long i = first; i < end; i += L)
        if (bj >= i && bj < i + G)
            return true;
    if (blocks % L == 0)
        return false;
    const long start = end + first < blocks - G ? end + first : blocks - G;
    return bj >= start && bj < start + G;
}

static bool deepspeed_variable(at x)
{
    static const long windows[] = {1, 3, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2};
    long begin = 0;
    const long bi = x.i / 3, bj = x.j / 3;
    for (size_t w = 0; w < sizeof windows / sizeof *windows; w++, begin += windows[w - 1])
        if (bi >= begin && bi < begin + windows[w])
            return (bj >= begin && bj < begin + windows[w]) || bj < 2;
    return false;
}

/* The k nearest places in range of the same remainder, by search: the window that has x as near to its middle as may be. */
static bool near(long x, long y, long size, long k, long step)
{
    if (x % step != y % step)
        return false;
    long places = 0;
    for (long p = x % step; p < size; p += step)
        places++;
    if (places <= k)
        return true;
    long begin = x / step - k / 2;
    while (begin < 0)
        begin++;
    while (begin + k > places)
        begin--;
    return y / step >= begin && y / step < begin + k;
}
static bool natten2d(at x) { const long h = (x.n + 7) / 8; return near(x.i % 8, x.j % 8, 8, 3, 1) && near(x.i / 8, x.j / 8, h, 3, 1); }
static bool natten2d_gaps(at x) { const long h = (x.n + 9) / 10; return near(x.i % 10, x.j % 10, 10, 3, 2) && near(x.i / 10, x.j / 10, h, 3, 2); }
static bool natten3d(at x)
{
    const long t = (x.n + 19) / 20;
    return near(x.i % 5, x.j % 5, 5, 3, 1) && near(x.i / 5 % 4, x.j / 5 % 4, 4, 3, 1) && near(x.i / 20, x.j / 20, t, 2, 1);
}

static long window_of(long x, long m, long shift) { for (long end = shift ? shift : m, w = 0;; end += m, w++) if (x < end) return w; }
static bool swin(at x) { return window_of(x.i % 11, 4, 2) == window_of(x.j % 11, 4, 2) && window_of(x.i / 11, 4, 2) == window_of(x.j / 11, 4, 2); }
static bool swin_plain(at x) { return x.i % 9 / 3 == x.j % 9 / 3 && x.i / 27 == x.j / 27; }

static bool doubling(at x)
{
    long reached = 0;
    if (x.i == x.j)
        return true;
    for (long gap = 1; gap < 4096; gap *= 2)
        for (long m = 0; m < 3; m++) {
            reached += gap;
            if (distance(x) == reached)
                return true;
        }
    return false;
}

static const struct { const char *spec; bool (*defined)(at); } zoo[] = {
    {"dilated-local:k=5,step=3", dilated}, {"logsparse:k=2", logsparse}, {"sinks:s=3,k=6", sinks},
    {"vertical-slash:v=11,s=7,k=2", vertical_slash}, {"prefix:p=9", prefix}, {"documents:l1=5,l2=2,l3=10", documents},
    {"bigbird:b=4,w=1,g=2,r=0", bigbird_without_chance}, {"longformer:k=4,step=2,g=2", longformer},
    {"deepspeed-fixed:b=3,l=4,g=1,sub=1", deepspeed_fixed}, {"deepspeed-variable:b=3,w1=1,w2=3,w3=2,g=2", deepspeed_variable},
    {"phi3:b=4,local=2,stride=6", phi3}, {"axial:w=9", axial}, {"natten2d:w=8,k=3", natten2d}, {"natten2d:w=10,k=3,step=2", natten2d_gaps},
    {"natten3d:w=5,h=4,k=3,kt=2", natten3d}, {"swin:w=11,m=4,shift=2", swin}, {"swin:w=9,m=3", swin_plain}, {"butterfly:b=4", butterfly},
    {"doubling:k=3", doubling},
};

static attn_layout *layout_of(const char *text, bool causal, size_t nq, size_t nk, size_t heads)
{
    char all[200];
    attn_spec *spec;
    attn_layout *layout;
    attn_error err;
    snprintf(all, sizeof all, "%s%s", text, causal ? "" : strchr(text, ':') ? ",causal=0" : ":causal=0");
    cr_assert(attn_spec_parse(&spec, all, &err) == ATTN_OK && attn_layout_create(&layout, spec, nq, nk, heads, &err) == ATTN_OK, "%s: %s",
              all, err.message);
    attn_spec_destroy(spec);
    return layout;
}

Test(zoo, definitions, .timeout = 60)
{
    static const struct { size_t nq, nk; } sizes[] = {{1, 1}, {2, 2}, {7, 7}, {64, 64}, {99, 99}, {128, 128}, {40, 100}, {100, 40}};
    for (size_t z = 0; z < sizeof zoo / sizeof *zoo; z++)
        for (size_t s = 0; s < 2 * sizeof sizes / sizeof *sizes; s++) {
            const size_t nq = sizes[s / 2].nq, nk = sizes[s / 2].nk, heads = 3;
            const bool causal = s % 2 == 0;
            attn_layout *layout = layout_of(zoo[z].spec, causal, nq, nk, heads);
            for (size_t h = 0; h < attn_layout_distinct_heads(layout); h++)
                for (size_t r = 0; r < nq; r++)
                    for (size_t j = 0; j < nk; j++) {
                        const at x = {(long)(r + nk) - (long)nq, (long)j, (long)nk, (long)heads, (long)h, causal};
                        const bool expected = x.i >= 0 && (!causal || x.j <= x.i) && zoo[z].defined(x);
                        cr_assert(attn_layout_allows(layout, h, r, j) == expected, "%s nq=%zu nk=%zu head %zu row %zu key %zu: %s is right",
                                  attn_layout_text(layout), nq, nk, h, r, j, expected ? "yes" : "no");
                    }
            attn_layout_destroy(layout);
        }
}

/* Drawn blocks: the stated number at most, others for another seed, the same for the same, and nothing but the rest without them. */
static void draws(const char *with, const char *without, const char *reseeded, size_t b, size_t r)
{
    enum { N = 400 };
    for (int causal = 0; causal < 2; causal++) {
        attn_layout *l = layout_of(with, causal, N, N, 1), *plain = layout_of(without, causal, N, N, 1), *other = layout_of(reseeded, causal, N, N, 1);
        size_t drawn = 0, differ = 0;
        for (size_t i = 0; i < N; i++) {
            size_t blocks = 0;
            for (size_t j = 0; j < N; j++) {
                const bool has = attn_layout_allows(l, 0, i, j), had = attn_layout_allows(plain, 0, i, j);
                cr_assert(has || !had, "%s: row %zu lacks key %zu", with, i, j);
                blocks += has && !had && (j % b == 0 || !attn_layout_allows(l, 0, i, j - 1));
                differ += has != attn_layout_allows(other, 0, i, j);
            }
            cr_assert(blocks <= r, "%s: row %zu has %zu blocks drawn", with, i, blocks);
            drawn += blocks;
        }
        cr_assert(drawn > N * r / 4 && differ > N, "%s: %zu blocks drawn, %zu pairs differ with another seed", with, drawn, differ);
        attn_layout_destroy(l);
        attn_layout_destroy(plain);
        attn_layout_destroy(other);
    }
}
Test(zoo, bigbird_draws) { draws("bigbird:b=8,w=1,g=1,r=3", "bigbird:b=8,w=1,g=1,r=0", "bigbird:b=8,w=1,g=1,r=3,seed=2", 8, 3); }
Test(zoo, deepspeed_draws) { draws("deepspeed-variable:b=8,w1=1,g=1,r=2", "deepspeed-variable:b=8,w1=1,g=1", "deepspeed-variable:b=8,w1=1,g=1,r=2,seed=9", 8, 2); }

/* Permutations: symmetric, itself, at most 2d more, and as many as they have to be: each position is left and reached d times. */
Test(zoo, expander)
{
    static const size_t sizes[] = {1, 2, 3, 17, 64, 100, 257};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        const size_t n = sizes[s];
        attn_layout *l = layout_of("expander:d=3", false, n, n, 1), *other = layout_of("expander:d=3,seed=5", false, n, n, 1),
                    *causal = layout_of("expander:d=3", true, n, n, 1);
        size_t pairs = 0, differ = 0;
        for (size_t i = 0; i < n; i++) {
            size_t degree = 0;
            for (size_t j = 0; j < n; j++) {
                const bool has = attn_layout_allows(l, 0, i, j);
                cr_assert(has == attn_layout_allows(l, 0, j, i), "n=%zu: %zu and %zu are joined in one direction", n, i, j);
                cr_assert(attn_layout_allows(causal, 0, i, j) == (has && j <= i), "n=%zu: causal %zu %zu", n, i, j);
                degree += has;
                differ += has != attn_layout_allows(other, 0, i, j);
            }
            cr_assert(attn_layout_allows(l, 0, i, i) && degree <= 7, "n=%zu: position %zu has %zu neighbours", n, i, degree);
            pairs += degree;
        }
        cr_assert(n < 60 || (pairs > n * 6 && differ > n * 6), "n=%zu: %zu pairs, %zu differ", n, pairs, differ);
        attn_layout_destroy(l);
        attn_layout_destroy(other);
        attn_layout_destroy(causal);
    }
}

Test(zoo, complaints)
{
    static const struct { const char *spec, *says; } wrong[] = {
        {"swin:w=8,m=4,shift=4", "shift=4 is not below m=4"}, {"deepspeed-fixed:l=2,g=3", "g=3"}, {"deepspeed-fixed:l=4,g=2,sub=2", "sub=2"},
        {"bigbird:r=100", "r=100 is outside its range, 0 to 64"}, {"expander:d=0", "d=0"}, {"natten2d:k=0", "k=0"}, {"documents:l1=0", "l1=0"},
        {"sink:s=4", "did you mean 'sinks'"}, {"vertical-slash:w=3", "unknown key 'w'"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        attn_spec *spec;
        attn_error err;
        cr_assert(attn_spec_parse(&spec, wrong[i].spec, &err) == ATTN_EINVAL && strstr(err.message, wrong[i].says), "%s: %s", wrong[i].spec, err.message);
    }
}

/* Rows at a million positions come from formulas, and quickly enough to be counted here. */
Test(zoo, long_sequences, .timeout = 60)
{
    for (size_t z = 0; z < sizeof zoo / sizeof *zoo; z++) {
        attn_layout *l = layout_of(zoo[z].spec, true, 1u << 16, 1u << 20, 1);
        cr_assert(attn_layout_pairs(l, 0) > 0 && attn_layout_tests(l, 0) == 0, "%s", zoo[z].spec);
        attn_layout_destroy(l);
    }
}
