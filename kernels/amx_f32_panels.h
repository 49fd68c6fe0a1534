/* Keys and values packed for AMX, found again by the keys they hold. Part of amx_f32_engine.h, which explains. */

static extent_of_chunks lay_out_panels(arena *a, const shape *s, scratch *to)
{
    const uint32_t depth = (uint32_t)(s->dim + 31) / 32, slots = CHUNK_MOST + LOCKSTEP + 6;
    const size_t bytes = (size_t)depth * BLOCK_BYTES;
    panels *p = arena_take(a, 1, sizeof *p);
    panels of = {
        .k = arena_take(a, slots, bytes),
        .v = arena_take(a, slots, bytes),
        .bytes = bytes,
        .depth = depth,
        .keys = arena_take(a, slots, sizeof *of.keys),
        .used = arena_take(a, slots, sizeof *of.used),
        .huge = arena_take(a, slots, sizeof *of.huge),
        .slots = slots,
        .s = arena_take(a, KEYS * ROWS, sizeof *of.s),
        .o = arena_take(a, (size_t)depth * 32 * ROWS, sizeof *of.o),
        .p = {arena_take(a, 1, BLOCK_BYTES), arena_take(a, 1, BLOCK_BYTES)},
        .rows = {arena_take(a, KEYS * s->dim, sizeof(float)), arena_take(a, KEYS * s->dim, sizeof(float))},
        .transposed = {arena_take(a, 256, sizeof(float)), arena_take(a, 256, sizeof(float))},
        .chores = arena_take(a, 1, sizeof *of.chores),
        .step = depth < sizeof steps / sizeof *steps ? steps[depth] : steps[0],
    };
    if (p) {
        const uint32_t transposes = (uint32_t)(s->dim / 16 * 2);
        *p = of;
        *p->chores = (chores){
            .transposes = transposes, .query_chores = transposes + 2 * depth * QUERY_PARTS,
            .fill_chores = KEY_CHORES + 2 * depth * VALUE_PARTS,
            .dim = s->dim, .scale = (float)((double)s->scale * LOG2_E), .panels = p, .zeros = to->zeros};
    }
    to->panels = p;
    return (extent_of_chunks){CHUNK, CHUNK_MOST, slots};
}

static void forget_panels(scratch *w)
{
    panels *p = w->panels;
    memset(p->keys, 0xff, p->slots * sizeof *p->keys);
    memset(p->used, 0, p->slots * sizeof *p->used);
    memset(p->bucket, 0xff, sizeof p->bucket);
    p->number = 1u << 30; /* older than any age */
}

/* The keys of a granule, UINT32_MAX beyond them. In registers: written one by one and read together they would wait
 * until the stores of tiles before them are done. */
typedef struct key_list {
    __m512i lo, hi;
} key_list;

/* Half of the keys of a granule, which begins with key t0 of a run of `keys`. */
INLINE __m512i keys_of_half(const program *p, const run *u, uint32_t t0, uint32_t keys, const uint32_t half)
{
    const uint32_t from = t0 + 16 * half, left = keys > from ? keys - from : 0;
    const __mmask16 real = (__mmask16)(left >= 16 ? 0xffff : (1u << left) - 1);
    const __m512i none = _mm512_set1_epi32(-1), first = _mm512_set1_epi32((int)u->first);
    const __m512i count = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    __m512i at;
    if (u->list != RUN_COMB) {
        at = _mm512_castps_si512(_mm512_maskz_loadu_ps(real, p->offsets + u->list + from));
    } else if (u->width >= u->keys) { /* contiguous */
        at = _mm512_add_epi32(count, _mm512_set1_epi32((int)from));
    } else {
        const uint32_t tooth = from / u->width, within = from % u->width;
        const __m512i t = _mm512_add_epi32(count, _mm512_set1_epi32((int)within));
        const __m512i reciprocal = _mm512_set1_epi32((int)(65536 / u->width + 1)); /* if width < 16: then t < 32 */
        const __m512i teeth = /* floor(t / width) */
            u->width >= 16 ? _mm512_maskz_set1_epi32(_mm512_cmpgt_epi32_mask(t, _mm512_set1_epi32((int)u->width - 1)), 1)
                           : _mm512_srli_epi32(_mm512_mullo_epi32(t, reciprocal), 16);
        const __m512i gap = _mm512_set1_epi32((int)(u->step - u->width));
        at = _mm512_add_epi32(_mm512_add_epi32(count, _mm512_set1_epi32((int)(tooth * u->step + within))),
                              _mm512_mullo_epi32(teeth, gap));
    }
    return _mm512_mask_add_epi32(none, real, at, first);
}

/* Padding is what would come next, so that it is the same panel for the tile that does see it; masks hide it. */
INLINE key_list list_keys(const shape *s, const program *p, const run *u, uint32_t i)
{
    const uint32_t t0 = i * KEYS, last = t0 + KEYS - 1;
    uint32_t keys = u->keys;
    if (last >= keys && u->list == RUN_COMB) {
        const bool whole = u->width >= u->keys;
        const uint64_t key = (uint64_t)u->first + (whole ? last : (uint64_t)(last / u->width) * u->step + last % u->width);
        keys = key < s->nk ? last + 1 : keys;
    }
    return (key_list){keys_of_half(p, u, t0, keys, 0), keys_of_half(p, u, t0, keys, 1)};
}

/* Packs keys and values into a slot. Ordinary floats are read where they lie. */
static void fill_slot(const shape *s, const operands *x, scratch *w, uint32_t slot, const uint32_t keys[KEYS])
{
    panels *p = w->panels;
    const size_t dim = s->dim;
    const bool in_place = s->dtype == ATTN_F32 && !is_careful(w);
    const float *k[KEYS], *v[KEYS];
    w->specials[slot] = (special_keys){0};
    for (uint32_t r = 0; r < KEYS; r++) {
        const size_t key = keys[r];
        if (key == UINT32_MAX) {
            k[r] = v[r] = w->zeros;
            continue;
        }
        if (in_place) {
            k[r] = (const float *)x->k + key * dim;
            v[r] = (const float *)x->v + key * dim;
            continue;
        }
        float *k_row = p->rows[0] + r * dim, *v_row = p->rows[1] + r * dim;
        k[r] = k_row;
        v[r] = v_row;
        widen_row(k_row, x->k, key, dim, s->dtype);
        widen_row(v_row, x->v, key, dim, s->dtype);
        if (w->care.k_shift)
            shift_in(k_row, dim, w->care.k_shift);
        if (w->care.specials)
            take_specials_out(w, slot, r, v_row, dim);
        if (w->care.v_shift)
            shift_in(v_row, dim, w->care.v_shift);
    }
    __m512 most = _mm512_setzero_ps();
    pack_key_rows(p->k + slot * p->bytes, k, 0, KEYS, dim, &most);
    p->huge[slot] = is_huge(most);
    for (size_t c = 0; c < 2 * p->depth; c++) {
        transpose_values(p->transposed[0], v, 0, c, dim);
        transpose_values(p->transposed[1], v, 1, c, dim);
        pack_value_rows(p->v + slot * p->bytes, p->transposed[0], p->transposed[1], 0, 16, c);
    }
}

/* One that will probably not be needed again, the first of those, so that few are in use and stay near; else the next
 * in turn that this chunk does not need. */
static uint32_t free_slot(panels *p)
{
    for (uint32_t slot = 0; slot < p->slots; slot++)
        if (p->used[slot] + p->age < p->number)
            return slot;
    while (p->used[p->hand] == p->number)
        p->hand = (p->hand + 1) % p->slots;
    const uint32_t slot = p->hand;
    p->hand = (p->hand + 1) % p->slots;
    return slot;
}

INLINE uint32_t first_of(__m512i x) { return (uint32_t)_mm_cvtsi128_si32(_mm512_castsi512_si128(x)); }

/* The slot that holds these keys: an old one if there is one, so that tiles share what was packed; else the next
 * in turn that this chunk does not need, and then `found` is false. */
INLINE uint32_t find_slot(panels *p, key_list keys, bool *found)
{
    const uint32_t first = first_of(keys.lo), middle = first_of(keys.hi);
    const uint32_t hash = (first * 0x9e3779b1u ^ middle * 0x85ebca6bu) >> 24;
    uint32_t slot = p->bucket[hash];
    *found = slot < p->slots && _mm512_cmpeq_epi32_mask(_mm512_load_si512(p->keys[slot]), keys.lo) == 0xffff &&
             _mm512_cmpeq_epi32_mask(_mm512_load_si512(p->keys[slot] + 16), keys.hi) == 0xffff;
    if (!*found) {
        slot = free_slot(p);
        p->bucket[hash] = slot;
        _mm512_store_si512(p->keys[slot], keys.lo);
        _mm512_store_si512(p->keys[slot] + 16, keys.hi);
    }
    p->used[slot] = p->number;
    return slot;
}

static void prepare_chunk(const state *t, scratch *w)
{
    w->panels->number++;
    w->panels->age = t->tile->granules / w->chunk + 2;
}

static uint32_t bring(const shape *s, const operands *x, const program *p, const run *u, uint32_t i, uint32_t n,
                      scratch *w, uint32_t at)
{
    for (uint32_t a = 0; a < n; a++) {
        bool found;
        const uint32_t slot = find_slot(w->panels, list_keys(s, p, u, i + a), &found);
        if (!found)
            fill_slot(s, x, w, slot, w->panels->keys[slot]);
        w->granules[at + a].slot = slot;
    }
    return n;
}
