/* Counting the tiles that hold all, some or none of their pairs.
 *
 * A strip of `block` rows is counted at a time. Intervals fill whole tiles between their two ends: the ends are added to
 * their tiles, the rest to a difference array. Combs are counted tooth by tooth, but only once where rows share them
 * (summaries), and together where neighbouring rows hold neighbouring ones (strided columns): counts do not care whose
 * the keys are. A bitmap of the tiles touched makes the sweep over a strip cheap where it is empty, or uniform.
 *
 * With residue classes mod s, row a of class rho is position rho + a s, and a comb of step s that begins in the class
 * is the interval from begin / s on: each class is a matrix of its own. */
#include "patterns/analysis_rows.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_SHARED = 64 };

typedef struct shared { /* a comb counted `times`; of width 1 at first, wider as neighbours join */
    attn_comb comb;
    uint64_t times;
} shared;

typedef struct sweep {
    size_t block, columns;       /* tiles across */
    uint64_t *pairs;             /* [columns]: added to single tiles */
    int64_t *covers;             /* [columns + 1]: rows that begin (less: end) covering whole tiles here */
    uint64_t *touched;           /* bit per column, and one for the end */
    shared shared[MOST_SHARED];
    size_t shared_count;
    attn_tiles *out;
} sweep;

static void touch(sweep *s, size_t column)
{
    s->touched[column / 64] |= (uint64_t)1 << column % 64;
}

static void add_interval(sweep *s, size_t begin, size_t end, uint64_t times)
{
    size_t first = begin / s->block, last = (end - 1) / s->block;
    touch(s, first);
    touch(s, last);
    if (first == last) {
        s->pairs[first] += (end - begin) * times;
        return;
    }
    s->pairs[first] += ((first + 1) * s->block - begin) * times;
    s->pairs[last] += (end - last * s->block) * times;
    touch(s, first + 1);
    s->covers[first + 1] += (int64_t)times;
    s->covers[last] -= (int64_t)times;
}

static void flush_shared(sweep *s)
{
    for (size_t k = 0; k < s->shared_count; k++) {
        const attn_comb *c = &s->shared[k].comb;
        for (size_t t = 0; t < c->count; t++)
            add_interval(s, c->begin + t * c->step, c->begin + t * c->step + c->width, s->shared[k].times);
    }
    s->shared_count = 0;
}

static void add_comb(sweep *s, const attn_comb *c)
{
    if (c->count == 1 || c->width == c->step) {
        add_interval(s, c->begin, c->begin + c->width * c->count, 1);
        return;
    }
    for (size_t k = s->shared_count; k-- > 0;) {
        shared *with = &s->shared[k];
        if (with->comb.step != c->step || with->comb.count != c->count)
            continue;
        if (with->comb.begin == c->begin && with->comb.width == c->width) {
            with->times++;
            return;
        }
        if (with->times == 1 && with->comb.begin + with->comb.width == c->begin && with->comb.width + c->width <= c->step) {
            with->comb.width += c->width;
            return;
        }
    }
    if (s->shared_count == MOST_SHARED)
        flush_shared(s);
    s->shared[s->shared_count++] = (shared){*c, 1};
}

/* A run of `tiles` equal tiles of `area` pairs each. */
static void classify(sweep *s, uint64_t pairs, uint64_t area, uint64_t tiles)
{
    if (pairs == area)
        s->out->full += tiles;
    else if (pairs)
        s->out->partial += tiles;
    s->out->pairs += pairs * tiles;
}

/* Counts the tiles of a strip of `height` rows over n keys, and clears for the next. */
static void finish_strip(sweep *s, size_t height, size_t n)
{
    flush_shared(s);
    int64_t covering = 0;
    size_t after = 0; /* columns from here to the next touched one are covered alike */
    for (size_t w = 0; w <= s->columns / 64; w++) {
        for (uint64_t bits = s->touched[w]; bits; bits &= bits - 1) {
            size_t column = w * 64 + (size_t)__builtin_ctzll(bits);
            if (column >= s->columns)
                break;
            if (covering > 0 && column > after)
                classify(s, (uint64_t)covering * s->block, (uint64_t)height * s->block, column - after);
            covering += s->covers[column];
            size_t width = n - column * s->block < s->block ? n - column * s->block : s->block;
            classify(s, s->pairs[column] + (uint64_t)covering * width, (uint64_t)height * width, 1);
            s->pairs[column] = 0;
            s->covers[column] = 0;
            after = column + 1;
        }
        s->touched[w] = 0;
    }
    /* Covers end at a touched column, so nothing is left open. */
}

/* ---- the tiles that could hold a pair ---- */

/* In natural order, n positions. */
static uint64_t natural_tiles(size_t n, size_t block, bool causal)
{
    uint64_t across = (n + block - 1) / block;
    return causal ? across * (across + 1) / 2 : across * across;
}

/* Rows and keys in order of their class mod s, tiles within classes. Key tile t of class sigma begins at sigma + s t block. */
static uint64_t class_tiles(size_t n, size_t block, size_t s, bool causal)
{
    uint64_t all = 0;
    for (size_t rho = 0; rho < s && rho < n; rho++) {
        size_t count = (n - rho + s - 1) / s;
        for (size_t a = 0; a < count; a += block) {
            size_t last = a + block < count ? a + block - 1 : count - 1;
            size_t end = causal ? rho + last * s + 1 : n; /* tiles that begin below */
            size_t whole = end / (s * block), rest = end % (s * block);
            all += whole * s + (rest < s ? rest : s);
        }
    }
    return all;
}

/* ---- the two orders ---- */

static bool in_class(const attn_comb *c, size_t i, size_t s)
{
    return s && c->step == s && c->width == 1 && c->begin % s == i % s;
}

/* Rows begin, begin + stride, ... as one matrix of `count` positions; combs of the class, or all others. */
static bool count_matrix(sweep *s, const attn_layout *layout, size_t head, size_t begin, size_t stride, size_t count,
                         size_t class_step, bool classes, attn_combs *combs, bool *any)
{
    for (size_t a = 0; a < count; a++) {
        const size_t i = begin + a * stride;
        if (!rows_fetch(layout, head, i, combs))
            return false;
        for (size_t k = 0; k < combs->count; k++) {
            const attn_comb *c = &combs->at[k];
            if (in_class(c, i, class_step) != classes)
                continue;
            *any = true;
            if (classes)
                add_interval(s, c->begin / stride, c->begin / stride + c->count, 1);
            else
                add_comb(s, c);
        }
        if ((a + 1) % s->block == 0 || a + 1 == count)
            finish_strip(s, a % s->block + 1, count);
    }
    return true;
}

attn_status attn_tiles_count(attn_tiles *out, const attn_layout *layout, size_t head, size_t block, size_t class_step,
                             attn_error *err)
{
    const size_t n = attn_layout_nk(layout);
    const bool causal = attn_layout_causal(layout);
    if (attn_layout_nq(layout) != n)
        return attn_fail(err, ATTN_EINVAL, "tiles are counted for nq = nk; nq=%zu, nk=%zu", attn_layout_nq(layout), n);
    if (block < 1 || block > ATTN_MAX_N)
        return attn_fail(err, ATTN_EINVAL, "block=%zu is outside its range, 1 to %zu", block, ATTN_MAX_N);
    attn_tiles tiles = {.block = block};
    attn_combs combs = {0};
    sweep s = {.block = block, .columns = (n + block - 1) / block, .out = &tiles};
    s.pairs = calloc(s.columns, sizeof *s.pairs);
    s.covers = calloc(s.columns + 1, sizeof *s.covers);
    s.touched = calloc(s.columns / 64 + 1, sizeof *s.touched);
    bool fine = s.pairs && s.covers && s.touched, natural = false, classes = false;
    fine = fine && count_matrix(&s, layout, head, 0, 1, n, class_step, false, &combs, &natural);
    for (size_t rho = 0; fine && class_step && rho < class_step && rho < n; rho++)
        fine = count_matrix(&s, layout, head, rho, class_step, (n - rho + class_step - 1) / class_step, class_step, true,
                            &combs, &classes);
    if (fine) {
        uint64_t touched = tiles.full + tiles.partial, possible = 0;
        if (natural || !classes)
            possible += natural_tiles(n, block, causal);
        if (classes)
            possible += class_tiles(n, block, class_step, causal);
        tiles.empty = possible - touched;
        tiles.utilisation = touched ? (double)tiles.pairs / ((double)touched * (double)block * (double)block) : (double)NAN;
        *out = tiles;
    }
    free(combs.at);
    free(s.pairs);
    free(s.covers);
    free(s.touched);
    return fine ? ATTN_OK : attn_fail(err, ATTN_ENOMEM, "out of memory for the tiles of n=%zu", n);
}
