/* Layouts at sizes that brute force does not reach: pair counts against rows, known counts, 2^24 keys. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "attn/layout.h"

static attn_layout *make(const char *text, size_t nq, size_t nk, size_t heads)
{
    attn_error err;
    attn_spec *spec;
    attn_layout *layout;
    cr_assert(attn_spec_parse(&spec, text, &err) == ATTN_OK, "%s", err.message);
    cr_assert(attn_layout_create(&layout, spec, nq, nk, heads, &err) == ATTN_OK, "%s", err.message);
    attn_spec_destroy(spec);
    return layout;
}

static uint64_t pairs(const char *text, size_t n)
{
    attn_layout *layout = make(text, n, n, 1);
    uint64_t count = attn_layout_pairs(layout, 0);
    attn_layout_destroy(layout);
    return count;
}

/* Counted from the combs, every one of them checked to be few and within range. */
static uint64_t count_rows(const attn_layout *layout)
{
    uint64_t count = 0;
    for (size_t r = 0; r < attn_layout_nq(layout); r++) {
        attn_comb at[4];
        attn_combs combs = {at, 4, 0};
        attn_layout_row(layout, 0, r, &combs);
        cr_assert(combs.count <= 4, "%s row %zu: %zu combs", attn_layout_text(layout), r, combs.count);
        attn_error err;
        cr_assert(attn_layout_check_row(layout, 0, r, &combs, &err) == ATTN_OK, "%s", err.message);
        for (size_t c = 0; c < combs.count; c++)
            count += (uint64_t)at[c].width * at[c].count;
    }
    return count;
}

static const char *const specs[] = {
    "dense",
    "local:k=0",
    "local:k=1000",
    "local:k=n/3",
    "local:k=4m",
    "strided",
    "strided:l=1",
    "strided:l=1,head=column",
    "strided:l=n",
    "strided:l=n-1",
    "strided:l=n/2",
    "strided:l=8m",
    "strided:head=column",
    "strided:head=local",
    "strided:l=7*sqrt(n),head=column",
    "fixed",
    "fixed:l=1",
    "fixed:l=128,c=32",
    "fixed:l=128,c=128",
    "fixed:l=n,c=n/7",
    "fixed:l=n-1",
    "fixed:l=8m,c=5m",
    "fixed:head=block",
    "fixed:head=summary",
    "fixed:c=5,sub=7",
    "fixed:c=5,sub=7,head=summary",
    "fixed:l=100,c=1,sub=99",
};

Test(layout, known_counts)
{
    cr_assert(pairs("dense", 12288) == 75503616, "%llu", (unsigned long long)pairs("dense", 12288));
    cr_assert(pairs("fixed:l=128,c=32", 12288) == 19470336, "%llu",
              (unsigned long long)pairs("fixed:l=128,c=32", 12288));
    /* local, causal: 12288 * 129 - 128 * 129 / 2; the window of the released mask has one key fewer */
    cr_assert(pairs("local:k=128", 12288) == 1576896, "%llu",
              (unsigned long long)pairs("local:k=128", 12288));
    cr_assert(pairs("local:k=128", 12288) - pairs("local:k=127", 12288) == 12288 - 128, "one key a row");
}

Test(layout, closed_forms_agree_with_rows)
{
    static const size_t sizes[] = {10007, 20161, 65536};
    for (size_t k = 0; k < sizeof specs / sizeof specs[0]; k++)
        for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++)
            for (int causal = 0; causal < 2; causal++) {
                char text[100];
                snprintf(text, sizeof text, "%s%s", specs[k],
                         causal                  ? ""
                         : strchr(specs[k], ':') ? ",causal=0"
                                                 : ":causal=0");
                attn_layout *layout = make(text, sizes[s], sizes[s], 1);
                uint64_t closed = attn_layout_pairs(layout, 0), counted = count_rows(layout);
                cr_assert(closed == counted, "%s n=%zu: %llu, rows hold %llu", text, sizes[s],
                          (unsigned long long)closed, (unsigned long long)counted);
                attn_layout_destroy(layout);
            }
}

/* The causal rows of n x n, and the last of them alone: the same positions, so the same keys. */
Test(layout, fewer_rows_are_the_last_rows)
{
    for (size_t k = 0; k < sizeof specs / sizeof specs[0]; k++) {
        size_t n = 3001, few = 1000;
        attn_layout *all = make(specs[k], n, n, 1), *last = make(specs[k], few, n, 1),
                    *more = make(specs[k], n + few, n, 1);
        uint64_t tail = 0;
        for (size_t r = 0; r < n + few; r++) {
            attn_comb a[4], b[4];
            attn_combs x = {a, 4, 0}, y = {b, 4, 0};
            memset(a, 0, sizeof a);
            memset(b, 0, sizeof b);
            attn_layout_row(more, 0, r, &x);
            if (r < few) {
                cr_assert(x.count == 0, "%s: row %zu stands before key 0", specs[k], r);
                continue;
            }
            attn_layout_row(all, 0, r - few, &y);
            cr_assert(x.count == y.count && memcmp(a, b, sizeof a) == 0, "%s: row %zu", specs[k], r);
            if (r < n)
                continue;
            memset(b, 0, sizeof b);
            attn_layout_row(last, 0, r - n, &y);
            cr_assert(x.count == y.count && memcmp(a, b, sizeof a) == 0, "%s: row %zu of the last", specs[k],
                      r - n);
            for (size_t c = 0; c < y.count; c++)
                tail += (uint64_t)b[c].width * b[c].count;
        }
        cr_assert(attn_layout_pairs(more, 0) == attn_layout_pairs(all, 0), "%s: pairs of more rows",
                  specs[k]);
        cr_assert(attn_layout_pairs(last, 0) == tail, "%s: pairs of fewer rows", specs[k]);
        attn_layout_destroy(all);
        attn_layout_destroy(last);
        attn_layout_destroy(more);
    }
}

Test(layout, longest_sequences)
{
    size_t n = ATTN_MAX_N;
    cr_assert(pairs("dense", n) == (uint64_t)n * (n + 1) / 2, "dense");
    cr_assert(pairs("dense:causal=0", n) == (uint64_t)n * n, "dense:causal=0");
    cr_assert(pairs("local:k=16m", n) == (uint64_t)n * (n + 1) / 2, "local saturates");
    cr_assert(pairs("local:k=16m,causal=0", n) == (uint64_t)n * n, "local saturates, bidirectional");
    cr_assert(pairs("strided:l=1,head=column", n) == (uint64_t)n * (n + 1) / 2, "every column");
    cr_assert(pairs("fixed:l=16m,c=16m", n) == (uint64_t)n * (n + 1) / 2, "one block");
    /* l = 4096: a = l blocks; columns n + l a(a-1)/2; the window n(l+1) - l(l+1)/2 */
    uint64_t l = 4096, local = n * (l + 1) - l * (l + 1) / 2, column = n + l * (l * (l - 1) / 2);
    cr_assert(pairs("strided", n) == local + column - n - (n - l), "%llu",
              (unsigned long long)pairs("strided", n));
    /* fixed with c = 8: blocks a l(l+1)/2, and below block b the rows b l of 8 columns each */
    uint64_t block = l * (l * (l + 1) / 2), summaries = 8 * l * (l * (l - 1) / 2);
    cr_assert(pairs("fixed", n) == block + summaries, "%llu", (unsigned long long)pairs("fixed", n));

    for (size_t k = 0; k < sizeof specs / sizeof specs[0]; k++)
        for (int causal = 0; causal < 2; causal++) {
            char text[100];
            snprintf(text, sizeof text, "%s%s", specs[k],
                     causal                  ? ""
                     : strchr(specs[k], ':') ? ",causal=0"
                                             : ":causal=0");
            attn_layout *layout = make(text, n, n, 1);
            const size_t rows[] = {0, 1, 4095, 4096, n / 2 + 1, n - 4096, n - 2, n - 1};
            for (size_t r = 0; r < sizeof rows / sizeof rows[0]; r++) {
                attn_comb at[4];
                attn_combs combs = {at, 4, 0};
                attn_layout_row(layout, 0, rows[r], &combs);
                attn_error err;
                cr_assert(combs.count <= 4 &&
                              attn_layout_check_row(layout, 0, rows[r], &combs, &err) == ATTN_OK,
                          "%s row %zu: %zu combs %s", text, rows[r], combs.count, err.message);
                for (size_t c = 0; c < combs.count; c++) {
                    size_t last = at[c].begin + (at[c].count - 1) * at[c].step + at[c].width - 1;
                    cr_assert(attn_layout_allows(layout, 0, rows[r], at[c].begin) &&
                                  attn_layout_allows(layout, 0, rows[r], last),
                              "%s row %zu comb %zu", text, rows[r], c);
                }
            }
            attn_layout_destroy(layout);
        }
}

/* Rows of no family end where the neighbours of a comb begin; combs of a family name its step. */
Test(layout, combs_name_their_step)
{
    attn_layout *layout = make("fixed:l=16,c=4", 64, 64, 1);
    attn_comb at[4];
    attn_combs combs = {at, 4, 0};
    attn_layout_row(layout, 0, 20, &combs);
    cr_assert(combs.count == 2, "%zu combs", combs.count);
    cr_assert(at[0].begin == 12 && at[0].width == 4 && at[0].step == 16 && at[0].count == 1,
              "summary {%zu %zu %zu %zu}", at[0].begin, at[0].width, at[0].step, at[0].count);
    cr_assert(at[1].begin == 16 && at[1].width == 5 && at[1].step == 0 && at[1].count == 1,
              "block {%zu %zu %zu %zu}", at[1].begin, at[1].width, at[1].step, at[1].count);
    attn_layout_destroy(layout);
    layout = make("strided:l=16", 64, 64, 1);
    attn_layout_row(layout, 0, 35, &combs);
    cr_assert(combs.count == 2, "%zu combs", combs.count);
    cr_assert(at[0].begin == 3 && at[0].width == 1 && at[0].step == 16 && at[0].count == 1,
              "column {%zu %zu %zu %zu}", at[0].begin, at[0].width, at[0].step, at[0].count);
    cr_assert(at[1].begin == 19 && at[1].width == 17 && at[1].step == 0, "window {%zu %zu %zu}", at[1].begin,
              at[1].width, at[1].step);
    attn_layout_destroy(layout);
}

Test(layout, what_it_says_of_itself)
{
    attn_layout *layout = make("local:k=3,causal=0", 5, 9, 7);
    cr_assert(attn_layout_nq(layout) == 5 && attn_layout_nk(layout) == 9 && attn_layout_heads(layout) == 7,
              "sizes");
    cr_assert(!attn_layout_causal(layout) && attn_layout_distinct_heads(layout) == 1, "flags");
    cr_assert(attn_layout_pairs_all_heads(layout) == 7 * attn_layout_pairs(layout, 3), "all heads");
    cr_assert(attn_layout_allows(layout, 6, 0, 1) && !attn_layout_allows(layout, 6, 0, 0),
              "row 0 stands at key 4");
    attn_layout_destroy(layout);
    attn_layout_destroy(NULL);
    attn_spec_destroy(NULL);
}

/* In parameter expressions n is nk. */
Test(layout, expressions_see_the_keys)
{
    attn_layout *layout = make("strided", 3, 100, 1);
    cr_assert(strcmp(attn_layout_text(layout), "strided:l=10,head=merged") == 0, "%s",
              attn_layout_text(layout));
    attn_layout_destroy(layout);
}
