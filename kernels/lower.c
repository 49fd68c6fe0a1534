/* Lowering a layout head: which combs go together, and which rows make a tile.
 *
 * A comb of step L may *follow* its row (its phase moves with the row: strided columns) or be *shared* by
 * neighbouring rows (its phase stays: summaries, global tokens). A scan over all rows tells which. Followers
 * become a part of their own whose tiles take the rows of one residue class mod L: there every row has the
 * same columns, and a column pattern is an ordinary dense triangle. Everything else is the last part, tiled
 * in natural order. Nothing here knows a pattern by name. */
#include "kernels/lower.h"

#include <stdlib.h>

#include "kernels/lower_tile.h"

/* Combs of one step and width, over all rows. */
typedef struct family {
    size_t step, width;
    size_t rows;            /* rows that have one */
    size_t last_row;
    size_t longest;         /* most teeth of a row */
    uint64_t teeth;
    uint64_t follow, share; /* rows whose phase moved with the row, stayed */
    int part;               /* -1: none of its own */
} family;

enum { MAX_FAMILIES = MAX_FOLLOWERS, VOTING_COMBS = 16 };

typedef struct lowering {
    const attn_layout *layout;
    size_t head, nq;
    bool check;
    builder b;
    tile_maker maker;
    attn_combs row;      /* the row asked for last */
    family families[MAX_FAMILIES];
    size_t family_count;
    bool has_rest;       /* combs outside all parts of their own */
    uint32_t parts;
    size_t max_combs;
} lowering;

/* ---- rows ---- */

static attn_status no_memory(attn_error *err)
{
    return attn_fail(err, ATTN_ENOMEM, "out of memory while planning");
}

static attn_status fetch_row(lowering *l, size_t r, attn_error *err)
{
    attn_layout_row(l->layout, l->head, r, &l->row);
    if (l->row.count > l->row.capacity) {
        size_t capacity = l->row.count + l->row.count / 2;
        attn_comb *at = capacity < SIZE_MAX / sizeof *at ? realloc(l->row.at, capacity * sizeof *at) : NULL;
        if (!at)
            return no_memory(err);
        l->row.at = at;
        l->row.capacity = capacity;
        attn_layout_row(l->layout, l->head, r, &l->row);
        if (l->row.count > capacity)
            return attn_fail(err, ATTN_EINVAL, "%s: row %zu has %zu combs when asked again, and had fewer before",
                             attn_layout_text(l->layout), r, l->row.count);
    }
    return ATTN_OK;
}

static bool is_toothed(const attn_comb *c) { return c->step > c->width; }

static family *find_family(lowering *l, const attn_comb *c)
{
    for (size_t f = 0; f < l->family_count; f++)
        if (l->families[f].step == c->step && l->families[f].width == c->width)
            return &l->families[f];
    return NULL;
}

static uint32_t part_of(lowering *l, const attn_comb *c)
{
    family *f = is_toothed(c) ? find_family(l, c) : NULL;
    return f && f->part >= 0 ? (uint32_t)f->part : l->parts - 1;
}

/* ---- the scan ---- */

static bool has_phase(const attn_combs *row, const attn_comb *c, size_t phase)
{
    for (size_t i = 0; i < row->count; i++)
        if (row->at[i].step == c->step && row->at[i].width == c->width && row->at[i].begin % c->step == phase)
            return true;
    return false;
}

static void count_comb(lowering *l, size_t r, const attn_comb *c, const attn_combs *before)
{
    family *f = find_family(l, c);
    if (!f && l->family_count < MAX_FAMILIES) {
        f = &l->families[l->family_count++];
        *f = (family){.step = c->step, .width = c->width, .last_row = SIZE_MAX, .part = -1};
    }
    if (!f)
        return;
    f->rows += f->last_row != r;
    f->last_row = r;
    f->teeth += c->count;
    f->longest = c->count > f->longest ? c->count : f->longest;
    if (before->count <= VOTING_COMBS && l->row.count <= VOTING_COMBS) {
        size_t phase = c->begin % c->step;
        f->share += has_phase(before, c, phase);
        f->follow += has_phase(before, c, (phase ? phase : c->step) - 1);
    }
}

/* Whether the phase of a family moves with its rows in a good part of them. */
static bool follows(const family *f)
{
    return f->follow > f->share && f->follow * 4 >= f->rows;
}

/* What the keys of a family cost as residue classes and in natural order, in lane-keys, from counts alone.
 *
 * A class has `rows` rows and `keys` columns, each padded to whole vectors and granules; above one vector
 * about half of the square is skipped. In natural order every tooth is a diagonal of its own through a tile,
 * lanes + width - 1 keys for each vector of rows, plus about half a granule at its ends. Carrying rows from
 * part to part costs about as much as CARRY keys of a row. */
static follower price(const family *f, geometry g, bool carried)
{
    enum { CARRY = 8 };
    double classes = (double)(f->step < f->rows ? f->step : f->rows);
    double rows = (double)f->rows / classes, keys = (double)(f->longest * f->width);
    double lanes = rows > g.lanes ? rows + g.lanes / 2.0 : g.lanes;
    keys = (keys < g.keys ? g.keys : keys) * (rows > g.lanes ? 0.6 : 1);
    return (follower){
        .step = f->step,
        .width = f->width,
        .classes = classes * (lanes * keys + (carried ? rows * CARRY : 0)),
        .natural = (double)f->teeth * ((double)(g.lanes + f->width - 1) + g.keys / 2.0),
    };
}

static double gain(const follower *f) { return f->natural - f->classes; }

/* Gives families that follow their rows a part of their own, those that gain most first: the number asked for,
 * or as many as gain at all; at most MAX_PARTS - 1. */
static void choose_parts(lowering *l, int classes, program *out)
{
    bool several = l->has_rest || l->family_count > 1;
    family *of[MAX_FAMILIES];
    follower *list = out->followers;
    uint32_t count = 0;
    for (size_t i = 0; i < l->family_count; i++) {
        family *f = &l->families[i];
        if (!follows(f))
            continue;
        follower priced = price(f, l->b.geometry, several);
        uint32_t at = count++;
        for (; at > 0 && gain(&list[at - 1]) < gain(&priced); at--) {
            list[at] = list[at - 1];
            of[at] = of[at - 1];
        }
        list[at] = priced;
        of[at] = f;
    }
    uint32_t most = classes < 0 || classes > MAX_PARTS - 1 ? MAX_PARTS - 1 : (uint32_t)classes;
    for (uint32_t i = 0; i < count && l->parts < most && (classes >= 0 || gain(&list[i]) > 0); i++)
        of[i]->part = (int)l->parts++;
    out->follower_count = count;
    out->classes = l->parts;
}

static attn_status scan(lowering *l, int classes, program *out, attn_error *err)
{
    attn_comb few[VOTING_COMBS];
    attn_combs before = {few, VOTING_COMBS, 0};
    for (size_t r = 0; r < l->nq; r++) {
        attn_status status = fetch_row(l, r, err);
        if (status == ATTN_OK && l->check)
            status = attn_layout_check_row(l->layout, l->head, r, &l->row, err);
        if (status != ATTN_OK)
            return status;
        l->max_combs = l->row.count > l->max_combs ? l->row.count : l->max_combs;
        for (size_t c = 0; c < l->row.count; c++) {
            if (is_toothed(&l->row.at[c]))
                count_comb(l, r, &l->row.at[c], &before);
            else
                l->has_rest = true;
        }
        before.count = l->row.count;
        for (size_t c = 0; c < l->row.count && c < VOTING_COMBS; c++)
            few[c] = l->row.at[c];
    }

    choose_parts(l, classes, out);
    for (size_t i = 0; i < l->family_count; i++)
        l->has_rest |= l->families[i].part < 0;
    l->has_rest |= l->family_count == MAX_FAMILIES; /* there may have been more */
    if (l->has_rest || l->parts == 0)
        l->parts++; /* natural order, last */
    return ATTN_OK;
}

/* ---- tiles ---- */

/* Rows of the next tile when `left` are left. Four vectors are two tiles of two rather than three and one: the
 * more vectors, the more is computed for every key loaded. */
static uint32_t tile_rows(geometry g, size_t left)
{
    size_t vectors = (left - 1) / g.lanes + 1, tiles = (vectors - 1) / g.vectors + 1;
    return (uint32_t)((vectors - 1) / tiles + 1) * g.lanes;
}

/* Tiles of part `part` over the rows first, first + step, ...
 * In an earlier part rows without keys there are left out at a tile's ends; the last part has every row. */
static attn_status lower_rows(lowering *l, uint32_t part, size_t first, size_t step, attn_error *err)
{
    geometry g = l->b.geometry;
    uint32_t most = 0;
    bool last = part == l->parts - 1;
    tile t = {0};
    uint32_t kept = 0; /* rows up to the last that has keys */
    for (size_t r = first; r < l->nq; r += step) {
        attn_status status = fetch_row(l, r, err);
        if (status != ATTN_OK)
            return status;
        if (t.count == 0) {
            tile_begin(&l->maker);
            t = (tile){.row0 = (uint32_t)r, .row_step = (uint32_t)step};
            most = tile_rows(g, (l->nq - r - 1) / step + 1);
            kept = 0;
        }
        bool seen = false;
        for (size_t c = 0; c < l->row.count; c++) {
            uint32_t p = part_of(l, &l->row.at[c]);
            if (p == part) {
                tile_add(&l->maker, t.count, &l->row.at[c]);
                seen = true;
            } else if (p < part) {
                t.merge |= 1ull << t.count;
            }
        }
        if (!seen && !last && t.count == 0)
            continue;
        t.count++;
        if (seen || last)
            kept = t.count;
        if (t.count == most || r + step >= l->nq) {
            t.count = kept;
            t.merge &= kept == MAX_TILE_ROWS ? UINT64_MAX : (1ull << kept) - 1;
            tile_end(&l->maker, t);
            t.count = 0;
        }
    }
    return l->b.failed ? no_memory(err) : ATTN_OK;
}

static attn_status lower_parts(lowering *l, program *out, attn_error *err)
{
    attn_status status = ATTN_OK;
    for (uint32_t p = 0; p < l->parts && status == ATTN_OK; p++) {
        size_t step = 1;
        for (size_t f = 0; f < l->family_count; f++)
            if (l->families[f].part == (int)p)
                step = l->families[f].step;
        out->parts[p].first_tile = (uint32_t)l->b.tiles.count;
        for (size_t class = 0; class < step && class < l->nq && status == ATTN_OK; class++)
            status = lower_rows(l, p, class, step, err);
        out->parts[p].tiles = (uint32_t)l->b.tiles.count - out->parts[p].first_tile;
    }
    out->part_count = l->parts;
    return status;
}

/* ---- the program ---- */

static void *shrink(array *a, size_t size)
{
    void *at = a->count ? realloc(a->at, a->count * size) : NULL;
    if (at)
        a->at = at;
    at = a->at;
    a->at = NULL;
    return at;
}

/* Moves what was built into the program. */
static attn_status finish(lowering *l, program *out, attn_error *err)
{
    builder *b = &l->b;
    geometry g = b->geometry;
    size_t masks = b->masks.words.count / g.keys, offsets = b->offsets.words.count;
    mask_range *ranges = calloc(masks ? masks : 1, sizeof *ranges);
    uint32_t *list = calloc(offsets ? offsets : 1, sizeof *list);
    if (!ranges || !list) {
        free(ranges);
        free(list);
        return no_memory(err);
    }
    for (size_t i = 0; i < masks; i++)
        ranges[i] = mask_range_of(g, (const uint64_t *)b->masks.words.at + i * g.keys);
    for (size_t i = 0; i < offsets; i++)
        list[i] = (uint32_t)((const uint64_t *)b->offsets.words.at)[i];

    const tile *tiles = b->tiles.at;
    out->lanes = out->granules = 0;
    for (size_t i = 0; i < b->tiles.count; i++) {
        out->granules += tiles[i].granules;
        if (__builtin_add_overflow(out->lanes, tiles[i].lanes, &out->lanes))
            out->lanes = UINT64_MAX;
    }
    out->geometry = g;
    out->max_combs = l->max_combs;
    out->tile_count = b->tiles.count;
    out->run_count = b->runs.count;
    out->mask_count = masks;
    out->offset_count = offsets;
    out->ranges = ranges;
    out->offsets = list;
    out->tiles = shrink(&b->tiles, sizeof(tile));
    out->runs = shrink(&b->runs, sizeof(run));
    out->masks = shrink(&b->masks.words, sizeof(uint64_t));
    return ATTN_OK;
}

attn_status lower_layout(program *out, const attn_layout *layout, size_t head, geometry g, int classes, bool check,
                         attn_error *err)
{
    *out = (program){.shares = 1};
    lowering l = {.layout = layout, .head = head, .nq = attn_layout_nq(layout), .check = check};
    builder_init(&l.b, g);
    tile_maker_init(&l.maker, &l.b);
    attn_status status = scan(&l, classes, out, err);
    if (status == ATTN_OK)
        status = lower_parts(&l, out, err);
    if (status == ATTN_OK)
        status = finish(&l, out, err);
    tile_maker_free(&l.maker);
    builder_free(&l.b);
    free(l.row.at);
    if (status != ATTN_OK)
        *out = (program){0};
    return status;
}

void program_release(program *p)
{
    free((void *)(uintptr_t)p->tiles);
    free((void *)(uintptr_t)p->runs);
    free((void *)(uintptr_t)p->masks);
    free((void *)(uintptr_t)p->ranges);
    free((void *)(uintptr_t)p->offsets);
    *p = (program){0};
}
