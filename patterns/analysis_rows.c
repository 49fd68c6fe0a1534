/* Rows of layouts as lists of disjoint combs; see analysis_rows.h.
 *
 * Heads are joined row by row: intervals are sorted and merged, the teeth of combs that an interval covers are taken
 * out, equal combs count once. Where combs still meet, the row is written tooth by tooth. */
#include "patterns/analysis_rows.h"

#include <stdlib.h>
#include <string.h>

enum { FEW_TEETH = 3, TALLIES = 64 };

bool rows_fetch(const attn_layout *layout, size_t head, size_t r, attn_combs *combs)
{
    attn_layout_row(layout, head, r, combs);
    if (combs->count <= combs->capacity)
        return true;
    size_t capacity = combs->count + combs->count / 2 + 16;
    attn_comb *at = realloc(combs->at, capacity * sizeof *at);
    if (!at)
        return false;
    combs->at = at;
    combs->capacity = capacity;
    attn_layout_row(layout, head, r, combs);
    return true;
}

/* ---- a growing list ---- */

typedef struct list {
    comb32 *at;
    size_t count, capacity, most; /* most: 0 for no limit */
    bool failed, too_many;
} list;

static void put(list *l, size_t begin, size_t width, size_t step, size_t count)
{
    if (!width || !count || l->failed)
        return;
    if (l->count == l->capacity) {
        size_t capacity = l->capacity ? l->capacity + l->capacity / 2 : 256;
        comb32 *at = NULL;
        l->too_many = l->most && l->count == l->most;
        if (l->most && capacity > l->most)
            capacity = l->most;
        if (!l->too_many)
            at = realloc(l->at, capacity * sizeof *at);
        if (!at) {
            l->failed = true;
            return;
        }
        l->at = at;
        l->capacity = capacity;
    }
    l->at[l->count++] = (comb32){(uint32_t)begin, (uint32_t)width, count > 1 ? (uint32_t)step : 0, (uint32_t)count};
}

static void put_teeth(list *l, const comb32 *c)
{
    for (size_t s = 0; s < c->count && !l->failed; s++)
        put(l, c->begin + s * c->step, c->width, 0, 1);
}

/* Teeth that touch make an interval; few teeth are as many. */
static void put_comb(list *l, const attn_comb *c)
{
    const comb32 narrow = {(uint32_t)c->begin, (uint32_t)c->width, (uint32_t)c->step, (uint32_t)c->count};
    if (c->count > 1 && c->width == c->step)
        put(l, c->begin, c->width * c->count, 0, 1);
    else if (c->count <= FEW_TEETH)
        put_teeth(l, &narrow);
    else
        put(l, c->begin, c->width, c->step, c->count);
}

static int by_begin(const void *a, const void *b)
{
    const comb32 *x = a, *y = b;
    return (x->begin > y->begin) - (x->begin < y->begin);
}

/* ---- joining heads ---- */

static void merge_intervals(list *l)
{
    size_t kept = 0;
    qsort(l->at, l->count, sizeof *l->at, by_begin);
    for (size_t i = 0; i < l->count; i++) {
        comb32 *last = kept ? &l->at[kept - 1] : NULL;
        size_t end = (size_t)l->at[i].begin + l->at[i].width;
        if (!last || l->at[i].begin > last->begin + last->width)
            l->at[kept++] = l->at[i];
        else if (end > last->begin + last->width)
            last->width = (uint32_t)(end - last->begin);
    }
    l->count = kept;
}

/* Puts what is left of a tooth outside sorted disjoint intervals. */
static void put_outside(list *to, const list *intervals, size_t begin, size_t end)
{
    for (size_t i = 0; i < intervals->count && begin < end; i++) {
        size_t from = intervals->at[i].begin, until = from + intervals->at[i].width;
        if (until <= begin)
            continue;
        if (from >= end)
            break;
        if (from > begin)
            put(to, begin, from - begin, 0, 1);
        begin = until;
    }
    if (begin < end)
        put(to, begin, end - begin, 0, 1);
}

/* The teeth of a comb, in runs that no interval touches and single ones that one does. */
static void put_cut(list *to, list *single, const list *intervals, const comb32 *c)
{
    size_t s = 0;
    for (size_t i = 0; i < intervals->count && s < c->count; i++) {
        size_t from = intervals->at[i].begin, until = from + intervals->at[i].width;
        size_t untouched = s; /* teeth that end at or before `from` */
        if (from >= (size_t)c->begin + c->width)
            untouched = (from - c->begin - c->width) / c->step + 1;
        untouched = untouched < c->count ? untouched : c->count;
        if (untouched > s) {
            put(to, c->begin + s * c->step, c->width, c->step, untouched - s);
            s = untouched;
        }
        for (; s < c->count && c->begin + s * c->step < until; s++)
            put_outside(single, intervals, c->begin + s * c->step, c->begin + s * c->step + c->width);
    }
    if (s < c->count)
        put(to, c->begin + s * c->step, c->width, c->step, c->count - s);
}

static bool same(const comb32 *a, const comb32 *b)
{
    return a->begin == b->begin && a->width == b->width && a->step == b->step && a->count == b->count;
}

/* Whether two combs of many teeth may share a key: not when their steps are equal and their phases apart. */
static bool may_meet(const comb32 *a, const comb32 *b)
{
    size_t end_a = a->begin + (size_t)(a->count - 1) * a->step + a->width,
           end_b = b->begin + (size_t)(b->count - 1) * b->step + b->width;
    if (end_a <= b->begin || end_b <= a->begin)
        return false;
    if (a->step != b->step)
        return true;
    size_t ahead = (b->begin % b->step + a->step - a->begin % a->step) % a->step; /* of b after a, on the circle */
    return ahead < a->width || ahead + b->width > a->step;
}

typedef struct joiner {
    list intervals, combs, single, raw;
} joiner;

/* raw, combs of several heads, becomes disjoint combs appended to `to`. */
static void join(joiner *j, list *to)
{
    j->intervals.count = j->combs.count = j->single.count = 0;
    bool meet = false;
    for (size_t i = 0; i < j->raw.count; i++) {
        const comb32 *c = &j->raw.at[i];
        bool known = false;
        if (c->count == 1) {
            put(&j->intervals, c->begin, c->width, 0, 1);
            continue;
        }
        for (size_t k = 0; k < j->combs.count && !known && !meet; k++) {
            known = same(c, &j->combs.at[k]);
            meet = !known && may_meet(c, &j->combs.at[k]);
        }
        if (!known)
            put(&j->combs, c->begin, c->width, c->step, c->count);
    }
    if (meet) {
        for (size_t k = 0; k < j->combs.count; k++)
            put_teeth(&j->intervals, &j->combs.at[k]);
        j->combs.count = 0;
    }
    merge_intervals(&j->intervals);
    for (size_t k = 0; k < j->combs.count; k++)
        put_cut(to, &j->single, &j->intervals, &j->combs.at[k]);
    for (size_t i = 0; i < j->intervals.count; i++)
        put(to, j->intervals.at[i].begin, j->intervals.at[i].width, 0, 1);
    for (size_t i = 0; i < j->single.count; i++)
        put(to, j->single.at[i].begin, j->single.at[i].width, 0, 1);
    to->failed = to->failed || j->intervals.failed || j->combs.failed || j->single.failed || j->raw.failed;
}

/* ---- families ---- */

typedef struct tally {
    comb_family at[TALLIES];
    size_t count;
} tally;

static void count_family(tally *t, const comb32 *c)
{
    size_t f = 0;
    while (f < t->count && (t->at[f].step != c->step || t->at[f].width != c->width))
        f++;
    if (f == TALLIES)
        return;
    if (f == t->count)
        t->at[t->count++] = (comb_family){.step = c->step, .width = c->width};
    t->at[f].teeth += c->count;
    t->at[f].most = c->count > t->at[f].most ? c->count : t->at[f].most;
}

static int by_teeth(const void *a, const void *b)
{
    const comb_family *x = a, *y = b;
    return (x->teeth < y->teeth) - (x->teeth > y->teeth);
}

static bool in_family(const rows *r, const comb32 *c)
{
    for (size_t f = 0; f < r->family_count; f++)
        if (r->families[f].step == c->step && r->families[f].width == c->width)
            return true;
    return false;
}

/* Rewrites combs of no family tooth by tooth. */
static void expand(rows *r, list *from, list *to)
{
    for (size_t i = 0; i < r->n && !to->failed; i++) {
        uint64_t begin = r->first[i];
        r->first[i] = to->count;
        for (uint64_t k = begin; k < r->first[i + 1]; k++) {
            const comb32 *c = &from->at[k];
            if (c->count > 1 && !in_family(r, c))
                put_teeth(to, c);
            else
                put(to, c->begin, c->width, c->step, c->count);
        }
    }
    r->first[r->n] = to->count;
}

/* Counts pairs, and looks for the diagonal and the longest interval. */
static void inspect(rows *r)
{
    r->diagonal = true;
    for (size_t i = 0; i < r->n; i++) {
        bool itself = false;
        for (uint64_t k = r->first[i]; k < r->first[i + 1]; k++) {
            const comb32 *c = &r->at[k];
            r->pairs += (uint64_t)c->width * c->count;
            r->longest = c->width > r->longest ? c->width : r->longest;
            if (i < c->begin)
                continue;
            size_t s = c->count > 1 ? (i - c->begin) / c->step : 0;
            itself = itself || (s < c->count && i - c->begin - s * c->step < c->width);
        }
        r->diagonal = r->diagonal && itself;
    }
}

/* ---- all rows ---- */

static bool fetch_all(rows *r, const attn_layout *const *layouts, size_t count, list *to, tally *families)
{
    attn_combs combs = {0};
    joiner j = {0};
    bool fine = true;
    size_t sources = 0;
    for (size_t l = 0; l < count; l++)
        sources += attn_layout_distinct_heads(layouts[l]);
    for (size_t i = 0; i < r->n && fine && !to->failed; i++) {
        r->first[i] = to->count;
        j.raw.count = 0;
        for (size_t l = 0; l < count && fine; l++)
            for (size_t h = 0; h < attn_layout_distinct_heads(layouts[l]) && fine; h++) {
                fine = rows_fetch(layouts[l], h, i, &combs);
                for (size_t c = 0; c < combs.count && fine; c++)
                    put_comb(sources > 1 ? &j.raw : to, &combs.at[c]);
            }
        if (sources > 1 && fine)
            join(&j, to);
        for (size_t k = r->first[i]; k < to->count; k++)
            if (to->at[k].count > 1)
                count_family(families, &to->at[k]);
    }
    r->first[r->n] = to->count;
    free(combs.at);
    free(j.intervals.at);
    free(j.combs.at);
    free(j.single.at);
    free(j.raw.at);
    return fine && !to->failed;
}

attn_status rows_create(rows *out, const attn_layout *const *layouts, size_t count, attn_error *err)
{
    const size_t most = ATTN_ANALYSIS_BYTES / sizeof(comb32);
    rows r = {.n = attn_layout_nq(layouts[0]), .causal = true};
    list found = {.most = most}, rewritten = {.most = most};
    tally families = {.count = 0};
    for (size_t l = 0; l < count; l++)
        r.causal = r.causal && attn_layout_causal(layouts[l]);
    r.first = malloc((r.n + 1) * sizeof *r.first);
    bool fine = r.first && fetch_all(&r, layouts, count, &found, &families);
    qsort(families.at, families.count, sizeof *families.at, by_teeth);
    for (size_t f = 0; f < families.count && f < ROWS_FAMILIES; f++)
        r.families[r.family_count++] = families.at[f];
    if (fine && families.count > ROWS_FAMILIES) {
        expand(&r, &found, &rewritten);
        fine = !rewritten.failed;
        free(found.at);
        found.at = NULL;
        r.at = rewritten.at;
    } else {
        r.at = found.at;
    }
    if (!fine) {
        bool much = found.too_many || rewritten.too_many;
        free(r.first);
        free(r.at);
        if (much)
            return attn_fail(err, ATTN_EUNAVAILABLE,
                             "%.200s at n=%zu has more than %zu runs of keys, which is as many as an analysis keeps; "
                             "use a smaller n", attn_layout_text(layouts[0]), r.n, most);
        return attn_fail(err, ATTN_ENOMEM, "out of memory for the rows of n=%zu", r.n);
    }
    inspect(&r);
    r.bytes = (r.n + 1) * sizeof *r.first + r.first[r.n] * sizeof *r.at;
    *out = r;
    return ATTN_OK;
}

void rows_destroy(rows *r)
{
    free(r->first);
    free(r->at);
    *r = (rows){0};
}

/* ---- stacks ---- */

attn_status attn_analysis_create(attn_analysis **out, const attn_layout *const *layers, size_t count, attn_error *err)
{
    *out = NULL;
    if (!count)
        return attn_fail(err, ATTN_EINVAL, "an analysis needs at least one layer");
    const size_t n = attn_layout_nq(layers[0]);
    for (size_t l = 0; l < count; l++) {
        size_t nq = attn_layout_nq(layers[l]), nk = attn_layout_nk(layers[l]);
        if (nq != n || nk != n)
            return attn_fail(err, ATTN_EINVAL, "layer %zu has nq=%zu and nk=%zu; all must be n=%zu", l + 1, nq, nk, n);
    }
    attn_status status = ATTN_OK;
    const attn_layout **distinct = calloc(count, sizeof *distinct);
    attn_analysis *a = calloc(1, sizeof *a);
    if (a) {
        a->order = calloc(count, sizeof *a->order);
        a->rows = calloc(count, sizeof *a->rows);
    }
    if (!distinct || !a || !a->order || !a->rows) {
        status = attn_fail(err, ATTN_ENOMEM, "out of memory");
        goto cleanup;
    }
    a->n = n;
    a->causal = true;
    a->layers = count;
    for (size_t l = 0; l < count && !status; l++) {
        size_t d = 0;
        while (d < a->distinct && distinct[d] != layers[l])
            d++;
        a->order[l] = d;
        a->causal = a->causal && attn_layout_causal(layers[l]);
        if (d == a->distinct && !(status = rows_create(&a->rows[d], &layers[l], 1, err)))
            distinct[a->distinct++] = layers[l];
    }
    if (!status && a->distinct > 1)
        status = rows_create(&a->joined, distinct, a->distinct, err);
    if (!status) {
        *out = a;
        a = NULL;
    }
cleanup:
    free(distinct);
    attn_analysis_destroy(a);
    return status;
}

void attn_analysis_destroy(attn_analysis *a)
{
    if (!a)
        return;
    for (size_t d = 0; a->rows && d < a->distinct; d++)
        rows_destroy(&a->rows[d]);
    rows_destroy(&a->joined);
    free(a->rows);
    free(a->order);
    free(a);
}

size_t attn_analysis_bytes(const attn_analysis *a)
{
    size_t bytes = sizeof *a + a->layers * (sizeof *a->order + sizeof *a->rows) + a->joined.bytes;
    for (size_t d = 0; d < a->distinct; d++)
        bytes += a->rows[d].bytes;
    return bytes;
}
