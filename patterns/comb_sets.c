/* Sets of keys as lists of combs. See comb_sets.h. */
#include "patterns/comb_sets.h"

#include <stdlib.h>
#include <string.h>

/* ---- lists ---- */

void comb_list_init(comb_list *l)
{
    l->at = l->few;
    l->count = 0;
    l->capacity = COMB_LIST_FEW;
    l->failed = false;
}

void comb_list_free(comb_list *l)
{
    if (l->at != l->few)
        free(l->at);
    comb_list_init(l);
}

/* Room for `more`. */
static bool reserve(comb_list *l, size_t more)
{
    if (l->capacity - l->count >= more)
        return true;
    const size_t capacity = 2 * (l->count + more);
    attn_comb *at = realloc(l->at == l->few ? NULL : l->at, capacity * sizeof *at);
    if (!at) {
        l->failed = true;
        return false;
    }
    if (l->at == l->few)
        memcpy(at, l->few, l->count * sizeof *at);
    l->at = at;
    l->capacity = capacity;
    return true;
}

/* One tooth that still names its family is not. */
static bool is_plain(const attn_comb *c) { return c->step == 0 || c->width >= c->step; }

void comb_list_add(comb_list *l, size_t begin, size_t width, size_t step, size_t count)
{
    if (width == 0 || count == 0 || l->failed || !reserve(l, 1))
        return;
    if (count > 1 && width == step) /* teeth that touch */
        l->at[l->count++] = (attn_comb){begin, width * count, 0, 1};
    else
        l->at[l->count++] = (attn_comb){begin, width, step, count};
}

void comb_list_append(comb_list *l, const comb_list *more)
{
    l->failed |= more->failed;
    for (size_t c = 0; c < more->count; c++)
        comb_list_add(l, more->at[c].begin, more->at[c].width, more->at[c].step, more->at[c].count);
}

static int by_begin(const void *a, const void *b)
{
    const attn_comb *x = a, *y = b;
    return (x->begin > y->begin) - (x->begin < y->begin);
}

/* Few are put in their places one by one: qsort() allocates. */
void comb_list_sort(comb_list *l)
{
    enum { FEW = 64 };
    if (l->count > FEW)
        qsort(l->at, l->count, sizeof *l->at, by_begin);
    for (size_t c = 1; c < l->count && l->count <= FEW; c++) {
        const attn_comb of = l->at[c];
        size_t to = c;
        for (; to > 0 && l->at[to - 1].begin > of.begin; to--)
            l->at[to] = l->at[to - 1];
        l->at[to] = of;
    }
}

void comb_list_tidy(comb_list *l)
{
    size_t kept = 0, interval = 0; /* the last interval kept, plus one */
    bool sorted = true;
    if (l->failed)
        return;
    for (size_t c = 1; c < l->count && sorted; c++)
        sorted = l->at[c - 1].begin <= l->at[c].begin;
    if (!sorted)
        comb_list_sort(l);
    for (size_t c = 0; c < l->count; c++) {
        const attn_comb *of = &l->at[c];
        attn_comb *last = interval ? &l->at[interval - 1] : NULL;
        if (comb_is_interval(of) && of->step == 0 && last && comb_end(last) == of->begin) {
            last->width += of->width;
            continue;
        }
        l->at[kept++] = *of;
        if (comb_is_interval(of) && of->step == 0)
            interval = kept;
    }
    l->count = kept;
}

/* ---- two combs ---- */

static size_t larger(size_t a, size_t b) { return a > b ? a : b; }
static size_t smaller(size_t a, size_t b) { return a < b ? a : b; }

/* A cut tooth, whole ones, a cut tooth. */
void comb_list_cut(comb_list *out, const attn_comb *c, size_t lo, size_t hi)
{
    lo = larger(lo, c->begin);
    hi = smaller(hi, comb_end(c));
    if (lo >= hi)
        return;
    if (comb_is_interval(c)) {
        const bool whole = lo == c->begin && hi == comb_end(c);
        comb_list_add(out, lo, hi - lo, whole && c->count == 1 ? c->step : 0, 1);
        return;
    }
    size_t first = (lo - c->begin) / c->step, last = (hi - 1 - c->begin) / c->step; /* teeth that lo and hi - 1 fall to, or follow */
    size_t from = c->begin + first * c->step, to = c->begin + last * c->step;
    if (first == last) {
        const size_t end = smaller(hi, from + c->width);
        if (lo < end)
            comb_list_add(out, lo, end - lo, lo == from && end == from + c->width ? c->step : 0, 1);
        return;
    }
    if (lo > from) {
        if (lo < from + c->width)
            comb_list_add(out, lo, from + c->width - lo, 0, 1);
        first++;
        from += c->step;
    }
    const bool cut_off = hi < to + c->width;
    if (cut_off)
        last--;
    if (first <= last)
        comb_list_add(out, from, c->width, c->step, last - first + 1);
    if (cut_off)
        comb_list_add(out, to, hi - to, 0, 1);
}

static size_t divisor(size_t a, size_t b)
{
    while (b) {
        const size_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* Tooth ka of a with tooth kb of b, and all pairs that follow it a period (`pa` and `pb` teeth) later. */
static void meet(comb_list *out, const attn_comb *a, const attn_comb *b, size_t ka, size_t kb, size_t pa, size_t pb)
{
    const size_t at_a = a->begin + ka * a->step, at_b = b->begin + kb * b->step;
    const size_t lo = larger(at_a, at_b), hi = smaller(at_a + a->width, at_b + b->width);
    const size_t more = smaller((a->count - 1 - ka) / pa, (b->count - 1 - kb) / pb);
    if (lo < hi)
        comb_list_add(out, lo, hi - lo, a->step * pa, more + 1);
}

/* The teeth of b that meet tooth ka of a: [*from, *to). */
static void teeth_at(const attn_comb *a, size_t ka, const attn_comb *b, size_t *from, size_t *to)
{
    const size_t lo = a->begin + ka * a->step, hi = lo + a->width;
    *from = lo < b->begin + b->width ? 0 : (lo - b->begin - b->width) / b->step + 1;
    *to = hi <= b->begin ? 0 : smaller(b->count, (hi - 1 - b->begin) / b->step + 1);
}

static void intersect(comb_list *out, const attn_comb *a, const attn_comb *b)
{
    if (comb_is_interval(a)) {
        comb_list_cut(out, b, a->begin, comb_end(a));
        return;
    }
    if (comb_is_interval(b)) {
        comb_list_cut(out, a, b->begin, comb_end(b));
        return;
    }
    const size_t common = divisor(a->step, b->step), pa = b->step / common, pb = a->step / common; /* teeth in a period */
    for (size_t ka = 0, from, to; ka < a->count && ka < pa; ka++) /* pairs of which a's is in its first period */
        for (teeth_at(a, ka, b, &from, &to); from < to; from++)
            meet(out, a, b, ka, from, pa, pb);
    for (size_t kb = 0, from, to; kb < b->count && kb < pb; kb++) /* only b's */
        for (teeth_at(b, kb, a, &from, &to), from = larger(from, pa); from < to; from++)
            meet(out, a, b, from, kb, pa, pb);
}

/* a without b: what lies before, between the teeth, and behind. */
static void subtract(comb_list *out, const attn_comb *a, const attn_comb *b)
{
    comb_list_cut(out, a, 0, b->begin);
    if (!comb_is_interval(b))
        intersect(out, a, &(attn_comb){b->begin + b->width, b->step - b->width, b->step, b->count - 1});
    comb_list_cut(out, a, comb_end(b), SIZE_MAX);
}

/* ---- two lists ---- */

static bool are_intervals(const comb_list *l)
{
    for (size_t c = 0; c < l->count; c++)
        if (!comb_is_interval(&l->at[c]) || (c && l->at[c].begin < l->at[c - 1].begin))
            return false;
    return true;
}

/* Sorted intervals: side by side. */
static void intersect_intervals(comb_list *out, const comb_list *a, const comb_list *b)
{
    for (size_t x = 0, y = 0; x < a->count && y < b->count;) {
        comb_list_cut(out, &a->at[x], b->at[y].begin, comb_end(&b->at[y]));
        if (comb_end(&a->at[x]) < comb_end(&b->at[y]))
            x++;
        else
            y++;
    }
}

static void gaps(comb_list *out, const comb_list *intervals, size_t end)
{
    size_t at = 0;
    for (size_t c = 0; c < intervals->count && at < end; c++) {
        const attn_comb *of = &intervals->at[c];
        if (of->begin > at)
            comb_list_add(out, at, smaller(of->begin, end) - at, 0, 1);
        at = comb_end(of);
    }
    if (at < end)
        comb_list_add(out, at, end - at, 0, 1);
}

void comb_sets_intersect(comb_list *out, const comb_list *a, const comb_list *b)
{
    out->failed |= a->failed || b->failed;
    if (are_intervals(a) && are_intervals(b)) {
        intersect_intervals(out, a, b);
    } else {
        for (size_t x = 0; x < a->count; x++)
            for (size_t y = 0; y < b->count; y++)
                if (a->at[x].begin < comb_end(&b->at[y]) && b->at[y].begin < comb_end(&a->at[x]))
                    intersect(out, &a->at[x], &b->at[y]);
    }
    comb_list_tidy(out);
}

/* Adds a without b, which may only be read. */
static void subtract_all(comb_list *out, const comb_list *a, const comb_list *b)
{
    comb_list now, next;
    comb_list_init(&now);
    comb_list_init(&next);
    if (are_intervals(b)) {
        gaps(&next, b, SIZE_MAX / 2);
        comb_sets_intersect(&now, a, &next);
    } else {
        for (size_t x = 0; x < a->count; x++)
            comb_list_add(&now, a->at[x].begin, a->at[x].width, a->at[x].step, a->at[x].count);
        for (size_t y = 0; y < b->count; y++) {
            next.count = 0;
            for (size_t x = 0; x < now.count; x++)
                subtract(&next, &now.at[x], &b->at[y]);
            now.count = 0;
            for (size_t x = 0; x < next.count; x++)
                comb_list_add(&now, next.at[x].begin, next.at[x].width, next.at[x].step, next.at[x].count);
        }
    }
    out->failed |= now.failed || next.failed;
    for (size_t x = 0; x < now.count; x++)
        comb_list_add(out, now.at[x].begin, now.at[x].width, now.at[x].step, now.at[x].count);
    comb_list_free(&now);
    comb_list_free(&next);
}

void comb_sets_subtract(comb_list *out, const comb_list *a, const comb_list *b)
{
    out->failed |= a->failed || b->failed;
    subtract_all(out, a, b);
    comb_list_tidy(out);
}

void comb_sets_complement(comb_list *out, const comb_list *a, size_t end)
{
    comb_list all;
    comb_list_init(&all);
    comb_list_add(&all, 0, end, 0, 1);
    comb_sets_subtract(out, &all, a);
    comb_list_free(&all);
}

/* Intervals that may overlap, sorted and joined. */
static void join_intervals(comb_list *l)
{
    size_t kept = 0;
    if (!l->failed)
        comb_list_sort(l);
    for (size_t c = 0; c < l->count; c++) {
        attn_comb of = {l->at[c].begin, comb_end(&l->at[c]) - l->at[c].begin, 0, 1}, *last = kept ? &l->at[kept - 1] : NULL;
        if (last && of.begin <= last->begin + last->width)
            last->width = larger(last->width, of.begin + of.width - last->begin);
        else
            l->at[kept++] = of;
    }
    l->count = kept;
}

void comb_sets_unite(comb_list *out, const comb_list *a, const comb_list *b)
{
    const comb_list *const of[] = {a, b};
    comb_list whole, toothed[2];
    comb_list_init(&whole);
    out->failed |= a->failed || b->failed;
    for (size_t k = 0; k < 2; k++) {
        comb_list_init(&toothed[k]);
        for (size_t c = 0; c < of[k]->count; c++) {
            const attn_comb *x = &of[k]->at[c];
            comb_list_add(is_plain(x) ? &whole : &toothed[k], x->begin, x->width, x->step, x->count);
        }
    }
    join_intervals(&whole);
    subtract_all(out, &toothed[0], &whole);
    if (toothed[1].count) {
        comb_list rest;
        comb_list_init(&rest);
        subtract_all(&rest, &toothed[1], &whole);
        subtract_all(out, &rest, &toothed[0]);
        comb_list_free(&rest);
    }
    out->failed |= whole.failed || toothed[0].failed || toothed[1].failed;
    for (size_t c = 0; c < whole.count; c++)
        comb_list_add(out, whole.at[c].begin, whole.at[c].width, 0, 1);
    for (size_t k = 0; k < 2; k++)
        comb_list_free(&toothed[k]);
    comb_list_free(&whole);
    comb_list_tidy(out);
}
