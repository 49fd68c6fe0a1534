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
        .held = {.keys = arena_take(a, slots, sizeof *of.held.keys), .used = arena_take(a, slots, sizeof *of.held.used),
                 .slots = slots},
        .huge = arena_take(a, slots, sizeof *of.huge),
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
    directory_forget(&w->panels->held);
}

/* Packs keys and values into a slot. Ordinary floats are read where they lie. False: there are NaN or infinities among the
 * values, and nobody has set them apart. */
static bool pack_slot(const shape *s, const operands *x, scratch *w, uint32_t slot, const uint32_t keys[KEYS])
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
    bool special = false;
    for (size_t c = 0; c < 2 * p->depth; c++) {
        transpose_values(p->transposed[0], v, 0, c, dim);
        transpose_values(p->transposed[1], v, 1, c, dim);
        special |= pack_value_rows(p->v + slot * p->bytes, p->transposed[0], p->transposed[1], 0, 16, c);
    }
    return !special || w->care.specials;
}

/* From here on special values are set apart. What is packed already had none, and is the same with care; no tile has
 * met one. */
static void begin_care(const shape *s, const operands *x, scratch *w)
{
    (void)facts_scanned(s, x); /* so that the items that follow know it from the start */
    w->care.specials = true;
}

static void fill_slot(const shape *s, const operands *x, scratch *w, uint32_t slot, const uint32_t keys[KEYS])
{
    if (!pack_slot(s, x, w, slot, keys)) {
        begin_care(s, x, w);
        (void)pack_slot(s, x, w, slot, keys);
    }
}


static void prepare_chunk(const state *t, scratch *w)
{
    w->panels->held.now++;
    w->panels->held.age = t->tile->granules / w->chunk + 2;
}

static uint32_t bring(const shape *s, const operands *x, const program *p, const run *u, uint32_t i, uint32_t n,
                      scratch *w, uint32_t at)
{
    directory *held = &w->panels->held;
    for (uint32_t a = 0; a < n; a++) {
        bool found;
        const uint32_t slot = find_slot(held, list_keys(p, u, i + a, s->nk), &found);
        if (!found)
            fill_slot(s, x, w, slot, held->keys[slot]);
        w->granules[at + a].slot = slot;
    }
    return n;
}
