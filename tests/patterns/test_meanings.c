/* The four families against their definitions, written again here from the sets in the table of DESIGN and
 * tried for every pair of every n up to 64: allows(), rows, pair counts, and nq != nk. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "attn/layout.h"

enum { N = 64 };
typedef enum kind { DENSE, LOCAL, COLUMN, STRIDED, BLOCK, SUMMARY, FIXED } kind;

typedef struct set {
    kind family;
    long l, c, sub; /* l is k of local */
    bool causal;
} set;

static long mod(long a, long m)
{
    long r = a % m;
    return r < 0 ? r + m : r;
}

static bool defined(const set *s, long i, long j)
{
    if (s->causal && j > i)
        return false;
    bool block = false, summary = false;
    if (s->family >= BLOCK) {
        block = i / s->l == j / s->l;
        for (long t = 1; t <= s->c; t++)
            summary = summary || mod(j, s->l) == s->l - s->sub * s->c - t;
    }
    switch (s->family) {
    case DENSE:
        return true;
    case LOCAL:
        return labs(i - j) <= s->l;
    case COLUMN:
        return mod(i - j, s->l) == 0;
    case STRIDED:
        return mod(i - j, s->l) == 0 || labs(i - j) <= s->l;
    case BLOCK:
        return block;
    case SUMMARY:
        return summary;
    case FIXED:
        return block || summary;
    }
    return false;
}

static attn_layout *layout_of(const char *text, size_t nq, size_t nk)
{
    attn_error err;
    attn_spec *spec;
    cr_assert(attn_spec_parse(&spec, text, &err) == ATTN_OK, "%s: %s", text, err.message);
    attn_layout *layout;
    cr_assert(attn_layout_create(&layout, spec, nq, nk, 1, &err) == ATTN_OK, "%s nq=%zu nk=%zu: %s", text, nq,
              nk, err.message);
    attn_spec_destroy(spec);
    return layout;
}

/* Every row of the layout, its combs, and the pair count. */
static void compare(const char *text, const set *s, size_t nq, size_t nk)
{
    attn_layout *layout = layout_of(text, nq, nk);
    uint64_t pairs = 0;
    for (size_t r = 0; r < nq; r++) {
        long i = (long)r + (long)nk - (long)nq;
        attn_comb at[5];
        attn_combs combs = {at, 5, 0};
        attn_layout_row(layout, 0, r, &combs);
        cr_assert(combs.count <= 4, "%s nq=%zu nk=%zu r=%zu: %zu combs", text, nq, nk, r, combs.count);
        attn_error err;
        cr_assert(attn_layout_check_row(layout, 0, r, &combs, &err) == ATTN_OK, "nq=%zu nk=%zu: %s", nq, nk,
                  err.message);
        bool keys[3 * N] = {false};
        for (size_t c = 0; c < combs.count; c++)
            for (size_t t = 0; t < at[c].count * at[c].width; t++)
                keys[at[c].begin + t / at[c].width * at[c].step + t % at[c].width] = true;
        for (size_t j = 0; j < nk; j++) {
            bool right = i >= 0 && defined(s, i, (long)j);
            cr_assert(attn_layout_allows(layout, 0, r, j) == right,
                      "%s nq=%zu nk=%zu r=%zu j=%zu: allows is not %d", text, nq, nk, r, j, right);
            cr_assert(keys[j] == right, "%s nq=%zu nk=%zu r=%zu j=%zu: row is not %d", text, nq, nk, r, j,
                      right);
            pairs += right;
        }
    }
    cr_assert(attn_layout_pairs(layout, 0) == pairs, "%s nq=%zu nk=%zu: %llu pairs, not %llu", text, nq, nk,
              (unsigned long long)attn_layout_pairs(layout, 0), (unsigned long long)pairs);
    attn_layout_destroy(layout);
}

/* All n up to 64, and a few nq != nk. */
static void sweep(const char *text, set s)
{
    static const size_t unequal[][2] = {{1, 64},  {64, 1},  {5, 37},  {37, 5},
                                        {63, 64}, {64, 63}, {17, 33}, {130, 65}};
    for (int causal = 0; causal < 2; causal++) {
        char full[100];
        s.causal = causal;
        snprintf(full, sizeof full, "%s%s%s", text,
                 causal              ? ""
                 : strchr(text, ':') ? ","
                                     : ":",
                 causal ? "" : "causal=0");
        for (size_t n = 1; n <= N; n++)
            compare(full, &s, n, n);
        for (size_t u = 0; u < sizeof unequal / sizeof unequal[0]; u++)
            compare(full, &s, unequal[u][0], unequal[u][1]);
    }
}

Test(meanings, dense)
{
    sweep("dense", (set){.family = DENSE});
}

Test(meanings, local)
{
    static const long ks[] = {0, 1, 2, 3, 7, 16, 31, 62, 63, 64, 65, 1000, 16777216};
    for (size_t k = 0; k < sizeof ks / sizeof ks[0]; k++) {
        char text[40];
        snprintf(text, sizeof text, "local:k=%ld", ks[k]);
        sweep(text, (set){.family = LOCAL, .l = ks[k]});
    }
}

Test(meanings, strided)
{
    static const long ls[] = {1, 2, 3, 4, 5, 8, 13, 16, 21, 31, 32, 33, 63, 64, 65, 500, 16777216};
    static const struct {
        const char *head;
        kind family;
    } heads[] = {{"", STRIDED}, {",head=merged", STRIDED}, {",head=local", LOCAL}, {",head=column", COLUMN}};
    for (size_t l = 0; l < sizeof ls / sizeof ls[0]; l++)
        for (size_t h = 0; h < sizeof heads / sizeof heads[0]; h++) {
            char text[60];
            snprintf(text, sizeof text, "strided:l=%ld%s", ls[l], heads[h].head);
            sweep(text, (set){.family = heads[h].family, .l = ls[l]});
        }
}

/* Every sub-block of every c that fits, for small l; some for large ones. */
static void sweep_fixed(const char *head, kind family)
{
    static const long ls[] = {1, 2, 3, 4, 7, 8, 12, 16, 31, 64, 65, 300};
    for (size_t a = 0; a < sizeof ls / sizeof ls[0]; a++)
        for (long l = ls[a], c = 1; c <= l; c += l < 9 ? 1 : (l + 3) / 4)
            for (long sub = 0; (sub + 1) * c <= l; sub += l < 17 ? 1 : 7) {
                char text[80];
                snprintf(text, sizeof text, "fixed:l=%ld,c=%ld,sub=%ld%s", l, c, sub, head);
                sweep(text, (set){.family = family, .l = l, .c = c, .sub = sub});
            }
}

Test(meanings, fixed_merged)
{
    sweep_fixed("", FIXED);
}

Test(meanings, fixed_summary)
{
    sweep_fixed(",head=summary", SUMMARY);
}

Test(meanings, fixed_block)
{
    sweep_fixed(",head=block", BLOCK);
}
