/* attn_layout_check_row: every fault is named, and disjointness agrees with counting keys, for combs that
 * interleave in any way. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "attn/layout.h"

enum { NK = 400 };

static attn_layout *dense(size_t n, bool causal)
{
    attn_error err;
    attn_spec *spec;
    attn_layout *layout;
    cr_assert(attn_spec_parse(&spec, causal ? "dense" : "dense:causal=0", &err) == ATTN_OK, "%s",
              err.message);
    cr_assert(attn_layout_create(&layout, spec, n, n, 1, &err) == ATTN_OK, "%s", err.message);
    attn_spec_destroy(spec);
    return layout;
}

static uint64_t state;
static size_t draw(size_t bound)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (size_t)((state >> 33) % bound);
}

/* Whether some key is in two of the combs. */
static bool overlap(const attn_comb *at, size_t count)
{
    bool seen[NK] = {false};
    for (size_t c = 0; c < count; c++)
        for (size_t s = 0; s < at[c].count; s++)
            for (size_t t = 0; t < at[c].width; t++) {
                size_t key = at[c].begin + s * at[c].step + t;
                if (seen[key])
                    return true;
                seen[key] = true;
            }
    return false;
}

/* A well-formed comb from `begin` on. */
static attn_comb any_comb(size_t begin)
{
    attn_comb comb = {begin, 1 + draw(draw(2) ? 3 : 30), 0, 1};
    if (comb.width > NK - begin)
        comb.width = NK - begin;
    comb.step = comb.width + draw(draw(2) ? 6 : 60);
    comb.count = 1 + draw((NK - begin - comb.width) / comb.step + 1);
    if (comb.count == 1 && draw(2))
        comb.step = draw(2) ? 0 : SIZE_MAX;
    return comb;
}

static void agrees(const attn_layout *layout, attn_comb *at, size_t count)
{
    attn_combs combs = {at, count, count};
    attn_error err = {""};
    attn_status status = attn_layout_check_row(layout, 0, NK - 1, &combs, &err);
    bool bad = overlap(at, count);
    cr_assert((status == ATTN_EINVAL) == bad && (!bad || strstr(err.message, "overlaps")),
              "status %d overlap %d: %s; first {%zu %zu %zu %zu} second {%zu %zu %zu %zu}", status, bad,
              err.message, at[0].begin, at[0].width, at[0].step, at[0].count, at[1].begin, at[1].width,
              at[1].step, at[1].count);
}

Test(combs, two_combs_meet_or_not)
{
    attn_layout *layout = dense(NK, true);
    size_t disjoint = 0;
    state = 1;
    for (int k = 0; k < 400000; k++) {
        size_t begin = draw(NK / 2);
        attn_comb at[2] = {any_comb(begin), any_comb(begin + draw(NK / 2))};
        agrees(layout, at, 2);
        disjoint += !overlap(at, 2) && at[0].begin + at[0].step * (at[0].count - 1) > at[1].begin;
    }
    cr_assert(disjoint > 2000, "only %zu pairs interleave without meeting", disjoint);
    attn_layout_destroy(layout);
}

/* Residue classes of a common step, shuffled widths: many combs open at once, with and without a clash. */
Test(combs, many_open_combs)
{
    attn_layout *layout = dense(NK, true);
    size_t bad = 0;
    state = 2;
    for (int k = 0; k < 3000; k++) {
        attn_comb at[100];
        size_t count = 0, step = 2 + draw(99);
        for (size_t begin = 0; begin < step; begin++)
            if (draw(8))
                at[count++] = (attn_comb){begin, 1, step, 1 + draw((NK - 1 - begin) / step + 1)};
        if (count < 2)
            continue;
        if (draw(2)) /* another step may run into the other classes */
            at[count - 1].step += 1 + draw(3),
                at[count - 1].count = 1 + draw((NK - 1 - at[count - 1].begin) / at[count - 1].step + 1);
        agrees(layout, at, count);
        bad += overlap(at, count);
    }
    cr_assert(bad > 100 && bad < 2900, "%zu of 3000 clash", bad);
    attn_layout_destroy(layout);
}

/* A column through the whole row, and an interval between every two of its keys: near-linear, or this test
 * does not end. */
Test(combs, long_irregular_rows)
{
    static attn_comb at[400001];
    size_t n = 1200000;
    attn_layout *layout = dense(n, true);
    at[0] = (attn_comb){0, 1, 3, n / 3};
    for (size_t c = 1; c <= 400000; c++)
        at[c] = (attn_comb){3 * c - 2, 2, 0, 1};
    attn_combs combs = {at, 400001, 400001};
    attn_error err;
    cr_assert(attn_layout_check_row(layout, 0, n - 1, &combs, &err) == ATTN_OK, "%s", err.message);
    at[399999].width = 3;
    cr_assert(attn_layout_check_row(layout, 0, n - 1, &combs, &err) == ATTN_EINVAL,
              "a clash at the end is missed");
    attn_layout_destroy(layout);
}

Test(combs, malformed_combs_are_named)
{
    static const struct {
        attn_comb comb;
        const char *fault;
    } cases[] = {
        {{0, 0, 1, 1}, "no keys"},
        {{0, 1, 1, 0}, "no keys"},
        {{100, 1, 1, 1}, "beyond"},
        {{SIZE_MAX, 1, 1, 1}, "beyond"},
        {{0, 101, 0, 1}, "beyond"},
        {{0, SIZE_MAX, 0, 1}, "beyond"},
        {{99, SIZE_MAX, 0, 1}, "beyond"},
        {{0, 2, 1, 2}, "wider than its step"},
        {{0, 1, 0, 2}, "wider than its step"},
        {{0, 1, 1, 101}, "beyond"},
        {{1, 1, SIZE_MAX, 2}, "beyond"},
        {{0, 1, SIZE_MAX / 2 + 1, 3}, "beyond"},
        {{0, 1, 2, SIZE_MAX}, "beyond"},
    };
    attn_layout *causal = dense(200, true), *square = dense(100, false);
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
        attn_comb at = cases[c].comb;
        attn_combs combs = {&at, 1, 1};
        attn_error err = {""};
        cr_assert(attn_layout_check_row(causal, 0, 99, &combs, &err) == ATTN_EINVAL &&
                      strstr(err.message, cases[c].fault) &&
                      strstr(err.message, "dense: row 99 of head 0: comb 0"),
                  "causal case %zu: %s", c, err.message);
        cr_assert(attn_layout_check_row(square, 0, 9, &combs, &err) == ATTN_EINVAL &&
                      strstr(err.message, cases[c].fault),
                  "square case %zu: %s", c, err.message);
    }
    attn_layout_destroy(causal);
    attn_layout_destroy(square);
}

Test(combs, order_and_capacity)
{
    attn_layout *layout = dense(50, true);
    attn_comb at[2] = {{10, 1, 0, 1}, {5, 1, 0, 1}};
    attn_combs combs = {at, 2, 2};
    attn_error err = {""};
    cr_assert(attn_layout_check_row(layout, 0, 49, &combs, &err) == ATTN_EINVAL &&
                  strstr(err.message, "begins before"),
              "%s", err.message);
    combs.count = 3;
    cr_assert(attn_layout_check_row(layout, 0, 49, &combs, &err) == ATTN_EINVAL &&
                  strstr(err.message, "more than"),
              "%s", err.message);
    attn_layout_destroy(layout);
}
