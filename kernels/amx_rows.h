/* Tiles of the program on their way in, from chunk to chunk, and out. Part of amx_body.h, which explains. */

/* ---- keys ---- */

static void fill_panel(scratch *w, uint32_t slot, const uint32_t keys[KEYS])
{
    uint8_t *v = w->v + slot * w->panel_bytes;
    pack_granule(w->k + slot * w->panel_bytes, v, w->x->k, w->x->v, keys, w->s->dim, w->k_shift, w->v_shift);
    const oddities of = look_for_oddities(v, w->panel_bytes);
    w->subnormal[slot] = of.subnormal;
    w->specials[slot] = (special_keys){0, 0};
    if (__builtin_expect(of.special, 0))
        take_specials_out(w, slot, v);
}

/* The panel of granule i of a run: an old one if there is one, so that tiles share what was packed. */
static uint32_t find_panel(scratch *w, const run *u, uint32_t i)
{
    bool found;
    const uint32_t slot = find_slot(&w->held, list_keys(w->p, u, i, w->s->nk), &found);
    if (!found)
        fill_panel(w, slot, w->held.keys[slot]);
    return slot;
}

/* ---- units ---- */

/* Granule `at` of a unit: granule i of run u, whose keys are in panel `slot`. Returns the rows it may touch. */
static uint32_t place_granule(scratch *w, unit *n, uint32_t at, const run *u, uint32_t i, uint32_t slot)
{
    n->k[at] = w->k + slot * w->panel_bytes;
    n->v[at] = w->v + slot * w->panel_bytes;
    if (u->mask == RUN_ALL)
        return UINT32_MAX;
    uint32_t mask = u->mask + i * u->mask_step;
    if (w->p->ranges[mask].partial) {
        const uint64_t *rows = w->p->masks + (size_t)mask * KEYS;
        for (uint32_t t = 0; t < KEYS; t++)
            n->masks[at][t] = (uint32_t)rows[t];
        n->masked |= 1u << at;
    }
    return (uint32_t)w->p->ranges[mask].any;
}

static void begin_unit(unit *n, const state *t, uint32_t granules)
{
    n->q = t->q;
    n->minus_reference = t->minus_reference;
    n->granules = granules;
    n->masked = 0;
    n->first = false;
    n->chunk_of = NULL;
}

/* ---- a chunk that needs other references, out of line and out of the pipeline ---- */

/* The sums of a chunk: column dim of its o. */
static void chunk_sums(const scratch *w, float sums[ROWS])
{
    const float *at = o_row(w->w.o, (uint32_t)(w->s->dim / 16), 0) + w->s->dim % 16;
    for (uint32_t r = 0; r < ROWS; r++)
        sums[r] = at[r * 16];
}

/* The unit after the first `done` granules of the chunk of t, whose keys are in panels still or are packed beside them: no panel may be
 * filled, others are in use. */
static unit *repeat_unit(scratch *w, const state *t, unit *n, uint32_t *in, uint32_t *granule, uint32_t done)
{
    const uint32_t granules = t->chunk - done < UNIT_GRANULES ? t->chunk - done : UNIT_GRANULES, number = done / UNIT_GRANULES;
    begin_unit(n, t, granules);
    n->parity = number % 2;
    n->first = done == 0;
    for (uint32_t g = 0; g < granules; g++) {
        const run *u = &w->p->runs[*in];
        const key_list list = list_keys(w->p, u, *granule, w->s->nk);
        uint32_t slot = peek_slot(&w->held, list);
        if (slot == w->held.slots) {
            _Alignas(64) uint32_t keys[KEYS];
            _mm512_store_si512(keys, list.lo);
            _mm512_store_si512(keys + 16, list.hi);
            slot += number % 3 * UNIT_GRANULES + g;
            fill_panel(w, slot, keys);
        }
        place_granule(w, n, g, u, *granule, slot);
        advance(w->p, in, granule);
    }
    return n;
}

/* Raises the maxima, of which each lane is one, by the scores of a unit in `s`. A NaN raises nothing. */
static void raise_maxima(const scratch *w, const unit *n, const float *s, float max[ROWS][16])
{
    const __m512 scale = _mm512_set1_ps(w->w.scale), none = _mm512_set1_ps(-INFINITY);
    for (uint32_t g = 0; g < n->granules; g++, s += SCORE_FLOATS)
        for (uint32_t r = 0; r < ROWS; r++) {
            __m512 a = _mm512_mul_ps(_mm512_load_ps(s + r * 16), scale);
            __m512 b = _mm512_mul_ps(_mm512_load_ps(s + SCORE_FLOATS / 2 + r * 16), scale);
            if (n->masked >> g & 1) {
                const __m512i bit = _mm512_set1_epi32((int)(1u << r));
                a = _mm512_mask_mov_ps(none, _mm512_test_epi32_mask(_mm512_load_si512(n->masks[g]), bit), a);
                b = _mm512_mask_mov_ps(none, _mm512_test_epi32_mask(_mm512_load_si512(n->masks[g] + 16), bit), b);
            }
            _mm512_store_ps(max[r], _mm512_max_ps(a, _mm512_max_ps(b, _mm512_load_ps(max[r]))));
        }
}

/* The largest scores of the chunk of t, in units of log2. */
static void find_maxima(scratch *w, const state *t, float max[ROWS])
{
    _Alignas(64) float lanes[ROWS][16];
    _Alignas(64) unit n;
    uint32_t in = t->chunk_run, granule = t->chunk_granule;
    for (uint32_t r = 0; r < ROWS; r++)
        _mm512_store_ps(lanes[r], _mm512_set1_ps(-INFINITY));
    for (uint32_t done = 0; done < t->chunk; done += UNIT_GRANULES) {
        w->step(&w->spare, NULL, NULL, repeat_unit(w, t, &n, &in, &granule, done), &w->near);
        raise_maxima(w, &n, w->spare.s, lanes);
    }
    for (uint32_t r = 0; r < ROWS; r++)
        max[r] = _mm512_reduce_max_ps(_mm512_load_ps(lanes[r]));
}

/* The references of `rows` become their finite maxima, and what has been summed so far moves with them. */
static void move_references(const scratch *w, state *t, uint32_t rows, const float max[ROWS])
{
    float by[ROWS];
    for (uint32_t r = 0; r < ROWS; r++) {
        by[r] = 1;
        if (!(rows >> r & 1) || !isfinite(max[r]))
            continue;
        by[r] = t->sum[r] > 0 ? exp2f(-t->minus_reference[r] - max[r]) : 0;
        t->minus_reference[r] = -max[r];
        t->carry[r] *= by[r];
        t->sum[r] *= by[r];
    }
    for (uint32_t c = 0; c < w->w.columns && t->begun; c++)
        for (uint32_t r = 0; r < ROWS; r++) {
            float *o = t->o + (size_t)c * O_FLOATS + r * 16;
            _mm512_store_ps(o, _mm512_mul_ps(_mm512_load_ps(o), _mm512_set1_ps(by[r])));
        }
}

/* Moves the references of the rows `bad` to their maxima in this chunk and computes the chunk again. Rows that
 * overflow or hold NaN even then are dead. */
static __attribute__((noinline)) void redo_chunk(scratch *w, state *t, uint32_t bad, float sums[ROWS])
{
    float max[ROWS];
    _Alignas(64) unit units[3];
    const unit *a = NULL, *b = NULL;
    find_maxima(w, t, max);
    move_references(w, t, bad, max);
    uint32_t in = t->chunk_run, granule = t->chunk_granule;
    for (uint32_t done = 0; a || b || done < t->chunk; done += UNIT_GRANULES) {
        unit *n = done < t->chunk ? repeat_unit(w, t, &units[done / UNIT_GRANULES % 3], &in, &granule, done) : NULL;
        w->step(&w->spare, a, b, n, &w->near);
        a = b;
        b = n;
    }
    chunk_sums(w, sums);
    for (uint32_t r = 0; r < ROWS; r++)
        if ((bad >> r & 1) && !(sums[r] <= MOST))
            t->dead |= 1u << r;
    w->count->redone++;
    w->count->redone_granules += t->chunk;
    w->wary = true;
}

/* Before the chunk of a tile is computed: where a row's maximum is out of reach, its reference moves there. */
static __attribute__((noinline)) void find_references(scratch *w, state *t)
{
    float max[ROWS];
    uint32_t moves = 0;
    find_maxima(w, t, max);
    for (uint32_t r = 0; r < ROWS; r++) {
        const float above = max[r] + t->minus_reference[r];
        moves |= (uint32_t)(isfinite(above) && (above > REACH || (above < -REACH / 2 && t->sum[r] < LEAST))) << r;
    }
    moves &= t->rows & ~t->dead;
    if (moves)
        move_references(w, t, moves, max);
    w->wary = moves || t->begun; /* a tile that does well without calms */
}

/* ---- in ---- */

static void load_tile(scratch *w, state *to, const tile *t)
{
    const shape *s = w->s;
    to->tile = t;
    to->rows = t->count == ROWS ? UINT32_MAX : (1u << t->count) - 1;
    to->seen = (uint32_t)t->merge;
    to->dead = to->lost = to->marked = 0;
    to->marks_in_use = false;
    to->run = t->first_run;
    to->granule = 0;
    to->left = t->granules;
    to->begun = to->subnormal = false;
    to->in_flight = 0;
    for (uint32_t r = 0; r < ROWS; r++) {
        to->minus_reference[r] = to->sum[r] = 0;
        to->carry[r] = 1;
        if (!(t->merge >> r & 1))
            continue;
        size_t row = t->row0 + (size_t)r * t->row_step;
        to->minus_reference[r] = -w->x->reference[row];
        const float sum = w->x->sum[row];
        to->sum[r] = fabsf(sum);
        to->dead |= (uint32_t)(isnan(sum) != 0) << r;
        to->lost |= (uint32_t)(isinf(sum) != 0) << r;
        to->marked |= (uint32_t)(signbit(sum) != 0) << r;
    }
    to->dead |= to->lost; /* nothing to compute */
    to->infinite = to->marked;
    pack_queries(to->q, (const uint16_t *)w->x->q + t->row0 * s->dim, t->row_step * s->dim, t->count, s->dim, -w->k_shift);
}

/* ---- out ---- */

/* The row in fp64. Subnormals count there. */
static __attribute__((noinline)) void store_exact(scratch *w, size_t row, uint16_t *o, float *lse)
{
    float exact[ATTN_MAX_DIM];
    unsigned control = _mm_getcsr();
    _mm_setcsr(control & ~FLUSH);
    exact_row(w->s, w->x, row, w->combs, exact, lse);
    bf16_from_f32_array(o, exact, w->s->dim);
    _mm_setcsr(control);
    w->count->exact_rows++;
}

/* A finished row of floats, shifted. */
static __attribute__((noinline)) void store_shifted(const scratch *w, uint16_t *o, float *row)
{
    shift_out(row, w->s->dim, w->v_shift);
    bf16_from_f32_array(o, row, w->s->dim);
}

static void fill_row(uint16_t *o, size_t dim, uint16_t with)
{
    for (size_t c = 0; c < dim; c++)
        o[c] = with;
}

/* Where a row of the tile goes, and what it is multiplied by. */
typedef struct leaving {
    const scratch *w;
    const state *t;
    const float *from;   /* the tile's o */
    uint32_t r;
    __m512 by, carry;
    float *partial;
    uint16_t *o;
    float *shifted;      /* instead of o, where v is */
} leaving;

/* Sixteen columns; their magnitudes. */
INLINE __m512 store_columns(const leaving *l, size_t c, __mmask16 columns, bool last, bool merge, bool odd)
{
    __m512 value = _mm512_maskz_mul_ps(columns, _mm512_load_ps(o_row(l->from, (uint32_t)(c / 16), l->r)), l->by);
    if (odd && l->t->marks_in_use && l->t->marked >> l->r & 1)
        value = with_marks(l->w, l->t, l->r, c, value);
    if (merge)
        value = _mm512_fmadd_ps(_mm512_maskz_loadu_ps(columns, l->partial + c), l->carry, value);
    if (!last)
        _mm512_mask_storeu_ps(l->partial + c, columns, value);
    else if (odd && l->w->v_shift != 0)
        _mm512_store_ps(l->shifted + c, value);
    else
        _mm256_mask_storeu_epi16(l->o + c, columns, bf16_half(value));
    return _mm512_abs_ps(value);
}

/* The sum of the magnitudes. Where nothing is odd, the three are constants. */
INLINE float store_row(const leaving *l, bool last, bool merge, bool odd)
{
    const size_t dim = l->w->s->dim;
    __m512 weights = _mm512_setzero_ps();
    size_t c = 0;
    for (; c + 16 <= dim; c += 16)
        weights = _mm512_add_ps(weights, store_columns(l, c, 0xffff, last, merge, odd));
    if (c < dim)
        weights = _mm512_add_ps(weights, store_columns(l, c, (__mmask16)((1u << (dim - c)) - 1), last, merge, odd));
    return _mm512_reduce_add_ps(weights);
}

static __attribute__((noinline)) float store_odd_row(const leaving *l, bool last, bool merge) { return store_row(l, last, merge, true); }

/* Rows of the tile, whose o is in `from`, times the earlier parts'. Rows that are marked leave it to the next part by a negative
 * sum, dead ones by NaN, lost ones by infinity. */
static void store_tile(scratch *w, const state *t, const float *from)
{
    const tile *of = t->tile;
    const size_t dim = w->s->dim;
    const bool last = w->last, odd = w->v_shift != 0 || t->marks_in_use;
    float lse[ROWS];
    _Alignas(64) float shifted[PADDED];
    if (last && w->x->lse)
        log_sum_exp(ROWS, t->minus_reference, 1, t->sum, lse);
    w->count->tiles++;
    for (uint32_t r = 0; r < of->count; r++) {
        size_t row = of->row0 + (size_t)r * of->row_step;
        touch_some(&w->near);
        const __m512 by = _mm512_set1_ps(!last ? 1 : t->sum[r] > 0 ? 1 / t->sum[r] : 0);
        const bool merge = of->merge >> r & 1;
        uint16_t *o = (uint16_t *)w->x->o + row * dim;
        const leaving l = {w, t, from, r, by, _mm512_mul_ps(by, _mm512_set1_ps(t->carry[r])),
                           w->x->partial ? w->x->partial + row * dim : NULL, o, shifted};
        const float weight = __builtin_expect(odd, 0) ? store_odd_row(&l, last, merge)
                             : !last                  ? (merge ? store_row(&l, false, true, false) : store_row(&l, false, false, false))
                             : merge                  ? store_row(&l, true, true, false)
                                                      : store_row(&l, true, false, false);
        const enum outcome is = is_doubtful(t, r, weight, last) ? judge(w, t, r, weight) : FINE;
        if (!last) {
            w->x->reference[row] = -t->minus_reference[r];
            w->x->sum[row] = is == UNSETTLED ? INFINITY : is == NANS ? NAN : t->marked >> r & 1 ? -t->sum[r] : t->sum[r];
            continue;
        }
        if (is == FINE && w->v_shift)
            store_shifted(w, o, shifted);
        if (is == ZEROS || is == NANS)
            fill_row(o, dim, is == ZEROS ? 0 : BF16_NAN);
        if (is == UNSETTLED)
            store_exact(w, row, o, &lse[r]);
        if (w->x->lse)
            w->x->lse[row] = is == NANS ? NAN : t->seen >> r & 1 ? lse[r] : -INFINITY;
    }
}

/* ---- from chunk to chunk ---- */

/* Rows whose reference no longer fits. A row without keys so far has the sum 0, and that is right. */
static uint32_t misfits(const state *t, const float sums[ROWS])
{
    uint32_t bad = 0;
    for (uint32_t r = 0; r < ROWS; r += 16) {
        __m512 chunk = _mm512_loadu_ps(sums + r), sum = _mm512_add_ps(_mm512_load_ps(t->sum + r), chunk);
        uint32_t fits = _mm512_cmp_ps_mask(chunk, _mm512_set1_ps(MOST), _CMP_LE_OQ);
        uint32_t full = _mm512_cmp_ps_mask(sum, _mm512_set1_ps(LEAST), _CMP_GE_OQ);
        bad |= ((~fits & 0xffff) | (~full & t->seen >> r & 0xffff)) << r;
    }
    return bad & t->rows & ~t->dead;
}

/* Rows whose sum is NaN: so is a score, and no other reference helps. */
static uint32_t hopeless(const float sums[ROWS])
{
    uint32_t fine = 0;
    for (uint32_t r = 0; r < ROWS; r += 16)
        fine |= (uint32_t)_mm512_cmp_ps_mask(_mm512_loadu_ps(sums + r), _mm512_setzero_ps(), _CMP_GE_OQ) << r;
    return ~fine;
}

/* Rows whose sums are infinite because a score is, from an infinity in q or k, are dead, and another reference would not help; the
 * other `bad` ones are returned. */
static __attribute__((noinline)) uint32_t spare_spoilt(const scratch *w, state *t, uint32_t bad, const float sums[ROWS])
{
    uint32_t infinite = 0;
    for (uint32_t rows = bad; rows; rows &= rows - 1) {
        const uint32_t r = (uint32_t)__builtin_ctz(rows);
        infinite |= (uint32_t)!(sums[r] <= FLT_MAX) << r;
    }
    if (infinite)
        t->dead |= spoilt_rows(w, t, infinite);
    return bad & ~t->dead;
}

/* The chunk of t has gone through the pipeline: its o joins the tile's. */
static void join_chunk(scratch *w, state *t)
{
    _Alignas(64) float sums[ROWS];
    chunk_sums(w, sums);
    t->dead |= hopeless(sums) & t->rows;
    uint32_t bad = misfits(t, sums);
    if (__builtin_expect(bad != 0, 0))
        bad = spare_spoilt(w, t, bad, sums);
    if (__builtin_expect(bad != 0, 0))
        redo_chunk(w, t, bad, sums);
    for (uint32_t r = 0; r < ROWS; r++)
        t->sum[r] += sums[r];
    if (t->left == 0 && !t->begun) {
        store_tile(w, t, w->w.o);
        return;
    }
    const size_t floats = (size_t)w->w.columns * O_FLOATS;
    for (size_t e = 0; e < floats; e += 16) {
        __m512 chunk = _mm512_load_ps(w->w.o + e);
        _mm512_store_ps(t->o + e, t->begun ? _mm512_add_ps(_mm512_load_ps(t->o + e), chunk) : chunk);
    }
    t->begun = true;
    if (t->left == 0)
        store_tile(w, t, t->o);
}
