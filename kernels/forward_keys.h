/* Keys and values for vectors: read where they lie, or gathered into panels. Part of forward_body.h, which explains. */

enum {
    GEOMETRY_LANES = LANES,     /* of the program's tiles */
    GEOMETRY_VECTORS = VECTORS,
    LEAST_TILES = 1,            /* that scratch memory has room for, */
    MOST_TILES = 8,             /* and in a group */
    AHEAD = 1, /* tiles from one to that whose rows are asked for */
    IN_TURN = 0, /* whether groups of one tile go one after the other, each preparing the next */
    PACKS = 0
};
#define TILED_BYTES(dim) ((size_t)0)

struct panels {
    kept *k, *v;            /* [slots][KEYS][kept_dim] */
    uint32_t (*keys)[KEYS]; /* [slots]: what they hold */
    uint32_t slots;         /* all of them */
    uint32_t half;          /* slots: keys of the next chunk are fetched into one half while the other is in use */
    uint32_t first;         /* slot of the half in use */
    bool gathers;           /* teeth that compete for the same lines */
    uint32_t turns;         /* tiles of the round to come */
    uint32_t *stamps;       /* [RING]: the chunk that last used this slot of the ring */
    uint32_t chunk;         /* that is being brought */
    fetch *fetches;         /* [keys of a half] */
};

enum {
    CHUNK_FLOATS = 8192, /* of k or v in a chunk: 32 KiB */
    MAX_CHUNK_KEYS = 128,
    MIN_CHUNK_KEYS = 64,
    FEW_TILES = 4,     /* in a group, and */
    FEW_RIVALS = 48,   /* keys of a residue class: to gather them costs as much as to read them where they are; */
    RING = 64,         /* slots behind the two halves where granules of neighbouring keys have a place of their own, so that
                        * windows find what those before them had; where k is not copied, but v is */
    SAME_SETS = 4096   /* bytes from a row to one that competes for the same lines of an L1 cache */
};

static extent_of_chunks lay_out_panels(arena *a, const shape *s, scratch *to)
{
    size_t keys = CHUNK_FLOATS / s->dim;
    keys = keys > MAX_CHUNK_KEYS ? MAX_CHUNK_KEYS : keys < MIN_CHUNK_KEYS ? MIN_CHUNK_KEYS : keys;
    const uint32_t chunk = (uint32_t)keys / KEYS, most = chunk + chunk / 4;
    const uint32_t ring = k_as_it_lies(s) ? RING : 0;
    panels *p = arena_take(a, 1, sizeof *p);
    panels of = {
        .k = arena_take(a, 2 * most * KEYS * kept_dim(s->dim), sizeof *of.k),
        .v = arena_take(a, (2 * most + ring) * KEYS * kept_dim(s->dim), sizeof *of.v),
        .keys = arena_take(a, 2 * most + ring, sizeof *of.keys),
        .stamps = arena_take(a, ring, sizeof *of.stamps),
        .fetches = arena_take(a, most * KEYS, sizeof *of.fetches),
        .slots = 2 * most + ring,
        .half = most,
        .turns = 1,
    };
    if (p)
        *p = of;
    to->panels = p;
    if (p && of.stamps)
        memset(of.stamps, 0, ring * sizeof *of.stamps);
    return (extent_of_chunks){chunk, most, 2 * most + ring};
}

static void forget_panels(scratch *w)
{
    memset(w->panels->keys, 0xff, w->panels->slots * sizeof *w->panels->keys);
    memset(w->specials, 0, w->panels->slots * sizeof *w->specials);
    w->ahead.keys.count = w->ahead.keys.next = 0;
    w->ahead.fetching = false;
}

static void begin_engine(void) {}
static void end_engine(void) {}

/* Whether teeth of this group that compete for the same lines of the cache are worth gathering. */
INLINE bool gathers(const program *p, const group *g)
{
    const tile *last = &p->tiles[g->first_tile + g->tiles - 1];
    return last->row_step == 1 ? g->tiles > FEW_TILES : last->granules * KEYS > FEW_RIVALS;
}

INLINE bool are_rivals(const shape *s, const run *u)
{
    return u->step * s->dim * sizeof(float) % SAME_SETS == 0;
}

/* Where a tile stands among its keys. */
typedef struct place {
    uint32_t run, granule, left;
} position;

/* The granules of the next chunk from there, and what follows it. */
static uint32_t pass_chunk(const program *p, position *at, const scratch *w)
{
    const uint32_t n = at->left <= w->most ? at->left : w->chunk;
    at->left -= n;
    for (uint32_t left = n; left;) {
        const uint32_t here = p->runs[at->run].granules - at->granule, now = left < here ? left : here;
        left -= now;
        at->granule += now;
        if (at->granule == p->runs[at->run].granules) {
            at->granule = 0;
            at->run++;
        }
    }
    return n;
}

/* Lists the keys of the next `n` granules from a place that the half of the panels at slot `first` does not hold yet. */
static void list_fetches(const program *p, position at, uint32_t n, uint32_t first, panels *to, fetches *f)
{
    f->count = f->next = 0;
    for (uint32_t slot = first; slot < first + n; slot++) {
        const run *u = &p->runs[at.run];
        const size_t t0 = (size_t)at.granule * KEYS, keys = u->keys - t0 < KEYS ? u->keys - t0 : KEYS;
        for (uint32_t r = 0; r < keys; r++) {
            const size_t t = t0 + r;
            const uint32_t key = (uint32_t)(u->list == RUN_COMB && u->width == 1 ? u->first + t * u->step : key_of(p, u, t));
            if (to->keys[slot][r] != key)
                to->fetches[f->count++] = (fetch){key, slot * KEYS + r};
        }
        if (++at.granule == u->granules) {
            at.granule = 0;
            at.run++;
        }
    }
}

/* Residue classes: their keys are far apart, and few tiles need them. Those that are gathered are fetched into the other half
 * of the panels while the round before computes. Were they only asked for, those that compete for a few sets of the cache
 * would drive each other out. A group's last tile stands for all, since it has the most keys. */
static void prepare_round(const shape *s, const operands *x, const program *p, group g, bool first, const group *next, scratch *w)
{
    panels *to = w->panels;
    const uint32_t last = g.tiles - 1, half = to->half;
    const tile *of = &p->tiles[g.first_tile + last];
    ahead *a = &w->ahead;
    fetches *f = &a->keys;
    if (a->fetching) /* whatever is missing yet is gathered when it is needed */
        to->first = half - to->first;
    a->fetching = false;
    f->count = f->next = 0;
    to->turns = g.tiles;
    to->gathers = gathers(p, &g);
    if (is_careful(w))
        return;
    position at = first ? (position){of->first_run, 0, of->granules}
                        : (position){w->states[last].run, w->states[last].granule, w->states[last].left};
    bool gathered = to->gathers;
    if (at.left)
        pass_chunk(p, &at, w);
    if (!at.left && next) {
        of = &p->tiles[next->first_tile + next->tiles - 1];
        at = (position){of->first_run, 0, of->granules};
        gathered = gathers(p, next);
    }
    if (!at.left || of->row_step == 1 || !gathered || (s->dtype == ATTN_F32 && !are_rivals(s, &p->runs[at.run])))
        return;
    position after = at;
    *f = (fetches){.s = s, .x = x, .of = to->fetches, .k = to->k, .v = to->v, .held = to->keys[0]};
    list_fetches(p, at, pass_chunk(p, &after, w), half - to->first, to, f);
    a->fetching = true;
}

static void prepare_chunk(const state *t, scratch *w)
{
    (void)t;
    w->panels->chunk++;
}

static bool prepare_ahead(const shape *s, const operands *x, const program *p, const tile *begins, state *to, scratch *w)
{
    (void)s;
    (void)x;
    (void)p;
    (void)begins;
    (void)to;
    (void)w;
    return false;
}

static void settle_ahead(const shape *s, const operands *x, scratch *w)
{
    (void)s;
    (void)x;
    (void)w;
}

static void prepare_queries(const shape *s, state *t)
{
    (void)s;
    (void)t;
}

/* How many granules of a run, from granule i on, are read where they are, their keys `step` apart. */
INLINE uint32_t in_place(const shape *s, const run *u, uint32_t i, const scratch *w, size_t *step)
{
    if (s->dtype != ATTN_F32 || u->list != RUN_COMB)
        return 0;
    size_t granules = u->keys / KEYS;
    *step = 1;
    if (u->width >= u->keys) { /* the last one may look beyond the run, but not beyond the tensor */
        granules = (s->nk - u->first) / KEYS;
        granules = granules < u->granules ? granules : u->granules;
    } else if (u->width == 1 && !(w->panels->gathers && are_rivals(s, u))) {
        *step = u->step;
    } else {
        return 0;
    }
    return granules > i ? (uint32_t)granules - i : 0;
}

/* Whether k, at least, is read where it lies. */
INLINE bool keys_in_place(const shape *s, const run *u, uint32_t i, const scratch *w)
{
    size_t step = 0;
    if (k_as_it_lies(s))
        return !w->care.k_shift && run_is_contiguous(u) && (i + 1) * KEYS <= u->keys;
    return is_careful(w) && !w->care.k_shift && in_place(s, u, i, w, &step) > 0 && step == 1;
}

/* The keys of a granule that was gathered. */
INLINE const kept *keys_of(const shape *s, const operands *x, const run *u, uint32_t i, const scratch *w, uint32_t slot)
{
    if (keys_in_place(s, u, i, w))
        return (const kept *)x->k + ((size_t)u->first + (size_t)i * KEYS) * s->dim;
    return w->panels->k + (size_t)slot * KEYS * kept_dim(s->dim);
}

/* As gather(), for any granule. Without its k, a key is held under another name. */
static void gather_with_care(const shape *s, const operands *x, const program *p, const run *u, uint32_t i, scratch *w,
                             uint32_t slot)
{
    const uint32_t without_k = (uint32_t)keys_in_place(s, u, i, w) << 31;
    size_t dim = s->dim, t0 = (size_t)i * KEYS;
    kept *k = w->panels->k + (size_t)slot * KEYS * kept_dim(dim), *v = w->panels->v + (size_t)slot * KEYS * kept_dim(dim);
    uint32_t *held = w->panels->keys[slot];
    size_t keys = u->keys - t0 < KEYS ? u->keys - t0 : KEYS;
    for (size_t r = 0; r < keys; r++) {
        size_t key = key_of(p, u, t0 + r);
        if (held[r] == ((uint32_t)key | without_k))
            continue;
        held[r] = (uint32_t)key | without_k;
        float *row = floats_of(k, r, dim, w->rows);
        if (!without_k) { /* a slot of the ring has no place for it */
            widen_row(row, x->k, key, dim, s->dtype);
            if (w->care.k_shift)
                shift_in(row, dim, w->care.k_shift);
            keep_k(k, r, row, dim);
        }
        row = floats_of(v, r, dim, w->rows);
        widen_row(row, x->v, key, dim, s->dtype);
        if (w->care.specials)
            take_specials_out(w, slot, (uint32_t)r, row, dim);
        if (w->care.v_shift)
            shift_in(row, dim, w->care.v_shift);
        keep_v(v, r, row, dim);
    }
    for (size_t r = keys; r < KEYS; r++) { /* padding, as in gather() */
        if (held[r] >> 31 == 0)
            continue;
        held[r] = UINT32_MAX;
        keep_nothing(k, v, r, dim);
        w->specials[slot].any &= ~(1u << r);
        w->specials[slot].infinite &= ~(1u << r);
    }
}

/* Keys `first` and the KEYS - 1 after it into a slot that holds `held`; without their k under another name, as above. */
INLINE void keep_contiguous(const shape *s, const operands *x, uint32_t first, kept *k, kept *v, uint32_t held[KEYS])
{
    const uint32_t name = first | (uint32_t)k_as_it_lies(s) << 31;
    uint32_t differs = 0;
    for (uint32_t r = 0; r < KEYS; r++)
        differs |= held[r] ^ (name + r);
    if (!differs)
        return;
    keep_keys(s, x, first, k, v);
    for (uint32_t r = 0; r < KEYS; r++)
        held[r] = name + r;
}

/* Brings granule i of a run into slot `slot` of the panels. A slot that already holds the keys is left as it
 * is: that is how tiles share what was gathered. */
static void gather(const shape *s, const operands *x, const program *p, const run *u, uint32_t i, scratch *w, uint32_t slot)
{
    if (is_careful(w)) {
        gather_with_care(s, x, p, u, i, w, slot);
        return;
    }
    const size_t slot_size = KEYS * kept_dim(s->dim);
    uint32_t t0 = i * KEYS, keys = u->keys - t0 < KEYS ? u->keys - t0 : KEYS;
    kept *k = w->panels->k + slot * slot_size, *v = w->panels->v + slot * slot_size;
    uint32_t *held = w->panels->keys[slot];
    if (keys == KEYS && run_is_contiguous(u)) {
        keep_contiguous(s, x, u->first + t0, k, v, held);
        return;
    }
    uint32_t tooth = t0 / u->width, within = t0 % u->width;
    for (uint32_t r = 0; r < keys; r++) {
        uint32_t key = u->first + (u->list == RUN_COMB ? tooth * u->step + within : p->offsets[u->list + t0 + r]);
        if (++within == u->width) {
            within = 0;
            tooth++;
        }
        if (held[r] == key)
            continue;
        held[r] = key;
        keep_key(s, x, key, k, v, r);
    }
    for (uint32_t r = keys; r < KEYS; r++) { /* padding: any row will do (0 * NaN is noticed) */
        if (held[r] != UINT32_MAX)
            continue;
        keep_nothing(k, v, r, s->dim);
    }
}

/* The slot for granule i of a run, which has its own in the ring unless another one of this chunk is there, or is number `at` of
 * the chunk. */
INLINE uint32_t slot_for(const shape *s, const run *u, uint32_t i, scratch *w, uint32_t at)
{
    panels *p = w->panels;
    if (k_as_it_lies(s) && keys_in_place(s, u, i, w)) {
        const uint32_t place = (u->first / KEYS + i) % RING;
        if (p->stamps[place] != p->chunk) {
            p->stamps[place] = p->chunk;
            return 2 * p->half + place;
        }
    }
    return p->first + at; /* a chunk begins at the first */
}

static uint32_t bring(const shape *s, const operands *x, const program *p, const run *u, uint32_t i, uint32_t n,
                      scratch *w, uint32_t at)
{
    size_t step = 1;
    const uint32_t here = is_careful(w) ? 0 : in_place(s, u, i, w, &step);
    granule *g = w->granules + at;
    if (here) {
        n = here < n ? here : n;
        size_t first = (u->first + (size_t)i * KEYS * step) * s->dim;
        for (uint32_t a = 0; a < n; a++, first += KEYS * step * s->dim) {
            g[a].k = (const kept *)x->k + first;
            g[a].v = (const kept *)x->v + first;
            g[a].stride = step * s->dim;
        }
        return n;
    }
    for (uint32_t a = 0; a < n; a++) {
        const uint32_t slot = slot_for(s, u, i + a, w, at + a);
        gather(s, x, p, u, i + a, w, slot);
        g[a].k = keys_of(s, x, u, i + a, w, slot);
        g[a].v = w->panels->v + slot * KEYS * kept_dim(s->dim);
        g[a].stride = kept_dim(s->dim);
        g[a].slot = slot;
    }
    return n;
}
