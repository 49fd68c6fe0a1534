/* See own_patterns.h. */
#include "support/own_patterns.h"

#include <stdlib.h>

#include "patterns/layout_parts.h"

attn_layout *own_layout(const attn_pattern *pattern, size_t nq, size_t nk, size_t heads)
{
    attn_layout *layout = calloc(1, sizeof *layout);
    if (!layout)
        abort();
    *layout = (attn_layout){.pattern = pattern, .text = (char *)(uintptr_t)pattern->name,
                            .distinct = pattern->flags & ATTN_PER_HEAD ? heads : 1,
                            .args = {.nq = nq, .nk = nk, .heads = heads, .causal = true}};
    return layout;
}

void own_layout_free(attn_layout *layout)
{
    free(layout);
}

static size_t mix(size_t x)
{
    uint64_t z = x * 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 29) * 0xbf58476d1ce4e5b9u;
    return (size_t)(z ^ z >> 32);
}

/* random: one pair in eight, and the diagonal. */
static bool random_allows(const attn_pattern_args *a, size_t head, size_t i, size_t j)
{
    (void)head;
    return j == i || (j < i && mix(i * a->nk + j) % 8 == 0);
}

/* logarithmic: the keys 2^s before the query, each a comb of its own. */
static bool log_allows(const attn_pattern_args *a, size_t head, size_t i, size_t j)
{
    (void)a;
    (void)head;
    return j <= i && ((i - j) & (i - j - 1)) == 0;
}

static void log_row(const attn_pattern_args *a, size_t head, size_t i, attn_combs *out)
{
    (void)a;
    (void)head;
    size_t distance = 1;
    while (2 * distance <= i)
        distance *= 2;
    for (; distance >= 1 && i >= 1; distance /= 2)
        attn_emit(out, i - distance, 1, 0, 1);
    attn_emit(out, i, 1, 0, 1);
}

/* dilated: every step-th of the keys before the query, at most 9 of them; the step depends on the head. */
static bool dilated_allows(const attn_pattern_args *a, size_t head, size_t i, size_t j)
{
    (void)a;
    size_t step = 1 + 2 * (head % 3);
    return j <= i && (i - j) % step == 0 && (i - j) / step < 9;
}

static void dilated_row(const attn_pattern_args *a, size_t head, size_t i, attn_combs *out)
{
    (void)a;
    size_t step = 1 + 2 * (head % 3), before = i / step < 8 ? i / step : 8;
    attn_emit(out, i - before * step, 1, step, before + 1);
}

/* thick: columns that follow the row, three keys thick (strided by 10), cut at the query. */
static bool thick_allows(const attn_pattern_args *a, size_t head, size_t i, size_t j)
{
    (void)a;
    (void)head;
    return j <= i && (i - j) % 10 < 3;
}

static void thick_row(const attn_pattern_args *a, size_t head, size_t i, attn_combs *out)
{
    (void)a;
    (void)head;
    size_t first = i % 10;                   /* teeth end at first, first + 10, ... */
    if (first < 2) {
        attn_emit(out, 0, first + 1, 10, 1); /* cut by key 0 */
        first += 10;
    }
    if (first <= i)
        attn_emit(out, first - 2, 3, 10, (i - first) / 10 + 1);
}

/* two: columns by 6 and by 10 that follow the row, and the keys 0 .. 3 for everybody. */
static bool two_allows(const attn_pattern_args *a, size_t head, size_t i, size_t j)
{
    (void)a;
    (void)head;
    return j <= i && (j < 4 || (i - j) % 6 == 0 || ((i - j) % 10 == 0 && (i - j) % 6 != 0));
}

static void two_row(const attn_pattern_args *a, size_t head, size_t i, attn_combs *out)
{
    (void)a;
    (void)head;
    attn_emit(out, 0, i < 4 ? i + 1 : 4, 0, 1);
    /* by 6; then by 10 less what is by 30, two combs of step 30; in order of the first key */
    size_t begin[3], step[3] = {6, 30, 30}, offset[3] = {0, 10, 20}, order[3] = {0, 1, 2};
    for (size_t c = 0; c < 3; c++) {
        if (i < offset[c]) {
            begin[c] = SIZE_MAX;
            continue;
        }
        begin[c] = (i - offset[c]) % step[c];
        while (begin[c] < 4)
            begin[c] += step[c];
    }
    for (size_t c = 1; c < 3; c++)
        for (size_t e = c; e > 0 && begin[order[e]] < begin[order[e - 1]]; e--) {
            size_t t = order[e];
            order[e] = order[e - 1];
            order[e - 1] = t;
        }
    for (size_t c = 0; c < 3; c++) {
        size_t o = order[c];
        if (begin[o] != SIZE_MAX && i >= offset[o] && begin[o] <= i - offset[o])
            attn_emit(out, begin[o], 1, step[o], (i - offset[o] - begin[o]) / step[o] + 1);
    }
}

/* global: a window, the first 3 keys for all, and every 50th row sees all keys before it. */
static bool global_allows(const attn_pattern_args *a, size_t head, size_t i, size_t j)
{
    (void)a;
    (void)head;
    return j <= i && (i - j <= 6 || j < 3 || i % 50 == 49);
}

static void global_row(const attn_pattern_args *a, size_t head, size_t i, attn_combs *out)
{
    (void)a;
    (void)head;
    if (i % 50 == 49 || i < 10) {
        attn_emit(out, 0, i + 1, 0, 1);
        return;
    }
    attn_emit(out, 0, 3, 7777777, 1);
    attn_emit(out, i - 6, 7, 0, 1);
}

/* sparse: no key at all for two rows in three. */
static bool sparse_allows(const attn_pattern_args *a, size_t head, size_t i, size_t j)
{
    (void)a;
    (void)head;
    return i % 3 == 1 && j <= i && j % 5 == 0;
}

static void sparse_row(const attn_pattern_args *a, size_t head, size_t i, attn_combs *out)
{
    (void)a;
    (void)head;
    if (i % 3 == 1)
        attn_emit(out, 0, 1, 5, i / 5 + 1);
}

static const attn_pattern random_pattern = {.name = "own-random", .summary = "", .allows = random_allows};
static const attn_pattern log_pattern = {.name = "own-logarithmic", .summary = "", .allows = log_allows, .row = log_row};
static const attn_pattern dilated_pattern = {
    .name = "own-dilated", .summary = "", .flags = ATTN_PER_HEAD, .allows = dilated_allows, .row = dilated_row};
static const attn_pattern thick_pattern = {.name = "own-thick", .summary = "", .allows = thick_allows, .row = thick_row};
static const attn_pattern two_pattern = {.name = "own-two", .summary = "", .allows = two_allows, .row = two_row};
static const attn_pattern global_pattern = {.name = "own-global", .summary = "", .allows = global_allows, .row = global_row};
static const attn_pattern sparse_pattern = {.name = "own-sparse", .summary = "", .allows = sparse_allows, .row = sparse_row};

const attn_pattern *const own_patterns[] = {&random_pattern, &log_pattern, &dilated_pattern, &thick_pattern,
                                            &two_pattern, &global_pattern, &sparse_pattern, NULL};

/* ---- malformed, from row 20 on ---- */

static bool any_allows(const attn_pattern_args *a, size_t head, size_t i, size_t j)
{
    (void)a;
    (void)head;
    return j <= i;
}

#define MALFORMED(what, ...) \
    static void what##_row(const attn_pattern_args *a, size_t head, size_t i, attn_combs *out) \
    { \
        (void)a; \
        (void)head; \
        if (i < 20) \
            attn_emit(out, 0, i + 1, 0, 1); \
        else { \
            __VA_ARGS__; \
        } \
    } \
    static const attn_pattern what##_pattern = { \
        .name = "own-" #what, .summary = "", .allows = any_allows, .row = what##_row};

MALFORMED(unsorted, attn_emit(out, 9, 2, 0, 1); attn_emit(out, 0, 3, 0, 1))
MALFORMED(overlapping, attn_emit(out, 0, 5, 0, 1); attn_emit(out, 4, 3, 0, 1))
MALFORMED(beyond, attn_emit(out, 0, 1, 5, a->nk))
MALFORMED(acausal, attn_emit(out, i + 1, 1, 0, 1))
MALFORMED(touching, attn_emit(out, 0, 5, 3, 2))

const attn_pattern *const malformed_patterns[] = {&unsorted_pattern, &overlapping_pattern, &beyond_pattern,
                                                  &acausal_pattern, &touching_pattern, NULL};
