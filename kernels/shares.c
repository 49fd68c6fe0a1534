/* Cutting the keys of tiles into shares, and joining what they give. See shares.h.
 *
 * Joining is the softmax's own merge: with M the greatest reference, o = sum 2^(m - M) o_share / sum 2^(m - M) l_share.
 * References are near a share's maximum, or 0 while its sum is ordinary (forward_body.h), so M may be above the true
 * maximum, but never so far that the joined sum is lost: a share's sum is at least 2^-32 at its own reference. */
#include "kernels/shares.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/element.h"
#include "kernels/exact.h"
#include "kernels/facts.h"
#include "kernels/shift.h"

enum {
    ENOUGH_TILES = 64,      /* for any number of threads at hand; more shares than tiles missing are of no use */
    LEAST_GRANULE_KEYS = 2048 /* of a share: beginning and joining it is then below a hundredth */
};

/* ---- cutting ---- */

uint32_t shares_worth(const program *p, double tiles)
{
    uint64_t most = 0;
    if (p->part_count != 1 || p->classes || !(tiles >= 1))
        return 1;
    for (size_t t = 0; t < p->tile_count; t++)
        most = p->tiles[t].granules > most ? p->tiles[t].granules : most;
    const double by_keys = (double)(most * p->geometry.keys / LEAST_GRANULE_KEYS), by_tiles = ENOUGH_TILES / tiles;
    const double shares = by_keys < by_tiles ? by_keys : by_tiles;
    return shares >= 2 ? (uint32_t)shares : 1;
}

/* The granules of a run that a piece of it may begin at: a tooth must not be cut. */
static uint32_t step_of(const program *p, const run *u)
{
    const uint32_t keys = p->geometry.keys;
    if (u->list != RUN_COMB || u->width >= u->keys || u->width == 1)
        return 1;
    uint32_t step = 1;
    while (step < u->granules && (uint64_t)step * keys % u->width != 0)
        step++;
    return step;
}

/* Granules [from, to) of a run. */
static run piece_of(const program *p, const run *u, uint32_t from, uint32_t to)
{
    run piece = *u;
    const uint32_t skipped = from * p->geometry.keys, end = to * p->geometry.keys;
    piece.granules = to - from;
    piece.keys = (end < u->keys ? end : u->keys) - skipped;
    if (u->list != RUN_COMB)
        piece.list = u->list + skipped;
    else if (u->width >= u->keys)
        piece.first = u->first + skipped;
    else
        piece.first = u->first + skipped / u->width * u->step;
    if (u->mask != RUN_ALL && u->mask_step)
        piece.mask = u->mask + from;
    return piece;
}

static uint64_t lanes_of(const program *p, const tile *t, const run *u)
{
    const geometry g = p->geometry;
    uint64_t vectors = 0;
    if (u->mask == RUN_ALL)
        vectors = (uint64_t)u->granules * ((t->count + g.lanes - 1) / g.lanes);
    for (uint32_t i = 0; u->mask != RUN_ALL && i < u->granules; i++) {
        const mask_range *r = &p->ranges[u->mask + (u->mask_step ? i : 0)];
        vectors += (uint64_t)(r->hi - r->lo);
    }
    return vectors * g.keys * g.lanes;
}

/* Share `share` of tile t, at `out`; its runs go to `runs` from number `at` on. Returns the number after them. */
static size_t cut_tile(const program *p, const tile *t, uint32_t share, uint32_t shares, tile *out, run *runs, size_t at)
{
    const uint64_t begin = (uint64_t)t->granules * share / shares, end = (uint64_t)t->granules * (share + 1) / shares;
    uint64_t before = 0; /* granules of the runs before */
    *out = *t;
    out->first_run = (uint32_t)at;
    out->granules = out->runs = 0;
    out->lanes = 0;
    for (const run *u = p->runs + t->first_run, *last = u + t->runs; u < last; before += u->granules, u++) {
        const uint64_t step = step_of(p, u), whole = u->granules;
        uint64_t from = begin > before ? (begin - before + step - 1) / step * step : 0;
        uint64_t to = end > before ? (end - before + step - 1) / step * step : 0;
        to = to > whole ? whole : to;
        if (from >= to)
            continue;
        runs[at] = piece_of(p, u, (uint32_t)from, (uint32_t)to);
        out->granules += runs[at].granules;
        out->lanes += lanes_of(p, t, &runs[at]);
        out->runs++;
        at++;
    }
    return at;
}

attn_status shares_cut(program *p, uint32_t shares, attn_error *err)
{
    const size_t tiles = p->tile_count * shares, pieces = p->run_count * shares;
    tile *new_tiles = calloc(tiles ? tiles : 1, sizeof *new_tiles);
    run *new_runs = calloc(pieces ? pieces : 1, sizeof *new_runs);
    size_t at = 0;
    if (!new_tiles || !new_runs) {
        free(new_tiles);
        free(new_runs);
        return attn_fail(err, ATTN_ENOMEM, "out of memory while planning");
    }
    for (uint32_t share = 0; share < shares; share++)
        for (size_t t = 0; t < p->tile_count; t++)
            at = cut_tile(p, &p->tiles[t], share, shares, &new_tiles[share * p->tile_count + t], new_runs, at);
    free((void *)(uintptr_t)p->tiles);
    free((void *)(uintptr_t)p->runs);
    p->tiles = new_tiles;
    p->runs = new_runs;
    p->tile_count = tiles;
    p->run_count = at;
    p->parts[0].tiles = (uint32_t)tiles;
    p->shares = shares;
    return ATTN_OK;
}

/* ---- joining ---- */

/* What the shares of a row say together. */
typedef struct joined {
    float reference, sum;
    bool lost, nan, marked; /* some share: could not be computed; is NaN; has NaN or infinities among its values */
} joined;

static float weight_of(const operands *x, size_t at, float reference)
{
    const float sum = x->sum[at];
    return sum == 0 ? 0 : exp2f(x->reference[at] - reference);
}

static joined join_sums(const shape *s, const operands *x, uint32_t shares, size_t row)
{
    joined j = {.reference = -INFINITY};
    for (uint32_t i = 0; i < shares; i++) {
        const size_t at = i * s->nq + row;
        const float sum = x->sum[at];
        j.lost |= isinf(sum) != 0;
        j.nan |= isnan(sum) != 0;
        j.marked |= signbit(sum) != 0;
        if (sum != 0 && x->reference[at] > j.reference)
            j.reference = x->reference[at];
    }
    for (uint32_t i = 0; i < shares && !j.lost && !j.nan; i++)
        j.sum += fabsf(x->sum[i * s->nq + row]) * weight_of(x, i * s->nq + row, j.reference);
    return j;
}

/* The row of o, still shifted; the sum of its magnitudes is returned. */
static float join_values(const shape *s, const operands *x, uint32_t shares, size_t row, joined j, float *o)
{
    float magnitude = 0;
    memset(o, 0, s->dim * sizeof *o);
    for (uint32_t i = 0; i < shares; i++) {
        const size_t at = i * s->nq + row;
        const float by = weight_of(x, at, j.reference) / j.sum, *from = x->partial + at * s->dim;
        for (size_t c = 0; c < s->dim && by != 0; c++)
            o[c] += by * from[c];
    }
    for (size_t c = 0; c < s->dim; c++)
        magnitude += fabsf(o[c]);
    return magnitude;
}

/* Whether fp32 may have failed a row, in the joining or before. Left to fp64 are also rows with NaN or infinities among
 * their values, whose weight may have become 0 here, and rows without a sum: they see no key, or none but of score -inf. */
static bool is_doubtful(const shape *s, const operands *x, joined j, float magnitude)
{
    const float tiny = 0x1p-80f; /* subnormals, which were flushed, might have contributed */
    if (j.lost || j.nan || j.marked || !(j.sum >= 0x1p-32f && j.sum <= FLT_MAX) || !(magnitude <= FLT_MAX))
        return true;
    return (j.sum < 1 ? j.sum * magnitude : magnitude) < tiny && facts_scanned(s, x).v.exponent != FACTS_ZERO;
}

uint64_t shares_join(const shape *s, const operands *x, uint32_t shares, const joiner *with)
{
    uint64_t exact = 0;
    const int shift = facts_sampled(s, x).v_shift;
    for (size_t row = 0; row < s->nq; row++) {
        const joined j = join_sums(s, x, shares, row);
        float lse = NAN, *o = with->row;
        if (j.nan && facts_row(s, x->q, row).special) {
            for (size_t c = 0; c < s->dim; c++)
                o[c] = NAN;
        } else if (is_doubtful(s, x, j, j.lost || j.nan || j.sum == 0 ? 0 : join_values(s, x, shares, row, j, o))) {
            exact_row(s, x, row, with->combs, o, &lse);
            exact++;
        } else {
            shift_out(o, s->dim, shift);
            lse = (float)((double)j.reference * 0.6931471805599453 + log((double)j.sum));
        }
        if (s->dtype == ATTN_F32)
            memcpy((float *)x->o + row * s->dim, o, s->dim * sizeof *o);
        else
            for (size_t c = 0; c < s->dim; c++)
                element_set(x->o, s->dtype, row * s->dim + c, (double)o[c]);
        if (x->lse)
            x->lse[row] = lse;
    }
    return exact;
}
