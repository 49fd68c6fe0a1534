/* Tiles computed once more, for rows whose result is in doubt. Part of forward_body.h, which explains. */

/* Computes a tile from its q on; what it computes counts as repeated, not as planned. */
static void repeat_tile(const shape *s, const operands *x, const program *p, state *t, care c, scratch *w, tally *count)
{
    tally spare = {0};
    float spread = t->spread;
    set_care(w, c);
    begin_tile(s, x, t->tile, t);
    t->spread = spread;
    t->tracked = true;
    while (t->left) {
        uint32_t n = next_chunk(s, x, p, t, w, &spare);
        compute_chunk(s, x, t, w->granules, n, w, &spare);
    }
    count->repeated++;
}

/* Rows whose sums are not finite. */
static uint64_t overflowing(const shape *s, const state *t)
{
    uint64_t rows = 0;
    for (uint32_t v = 0; v < t->vectors; v++) {
        vf sum = vf_set1(0);
        for (size_t c = 0; c < s->dim; c++)
            sum = vf_add(sum, vf_abs(vf_load(t->o + c * ROWS + v * LANES)));
        rows |= rows_of_lanes(~vf_le(sum, vf_set1(FLT_MAX)), v);
    }
    return rows & t->rows;
}

/* Of the values of a tile's keys. */
static extent values_of(const shape *s, const operands *x, const program *p, const tile *t)
{
    extent all = {.exponent = FACTS_ZERO};
    for (uint32_t i = 0; i < t->runs; i++) {
        const run *u = &p->runs[t->first_run + i];
        for (size_t k = 0; k < u->keys; k++) {
            extent m = facts_row(s, x->v, key_of(p, u, k));
            all.special |= m.special;
            all.exponent = m.exponent > all.exponent ? m.exponent : all.exponent;
        }
    }
    return all;
}

/* Divides the tile's q, and with it all scores, by the power of two that keeps them finite. False: none does
 * without losing what scores near 0 need, or none is needed. */
static bool spread_scores(const shape *s, const operands *x, state *t, const scratch *w)
{
    const float most = greatest_query(s, t);
    int q, dim, k = facts_scanned(s, x).k.exponent + w->care.k_shift;
    frexpf(most, &q);
    frexp((double)s->dim, &dim);
    int by = q + k + dim - 120;
    if (by <= 0 || by > 100) /* 2^(100 - 126) would be flushed */
        return false;
    t->spread = shift_power(by);
    scale_queries(s, t, -by);
    prepare_queries(s, t);
    return true;
}

static void settle_exactly(const shape *s, const operands *x, const state *t, uint64_t rows, scratch *w, tally *count)
{
    for (; rows; rows &= rows - 1) {
        uint32_t r = (uint32_t)__builtin_ctzll(rows);
        size_t row = t->tile->row0 + (size_t)r * t->tile->row_step;
        float lse, *to = t->to + r * t->stride;
        exact_row(s, x, row, w->combs, to, &lse);
        count->exact_rows++;
        if (x->lse)
            x->lse[row] = lse;
        if (t->narrow)
            narrow_row(x->o, row, to, s->dim, s->dtype);
    }
}

/* Writes a tile that has met all its keys, repeating it where that helps:
 *   - with the NaN and infinities of v set apart, where they were not expected: they leak through masks. Rows that
 *     continue an earlier part's must not have been written then, so they are looked at before;
 *   - with v shifted by what this tile sees of it, and scores spread, for rows beyond the range of fp32. Not for
 *     rows in several parts, which would have to agree.
 * The rest is left to fp64. Every decision follows from the tile's own operands. */
static void finish_tile(const shape *s, const operands *x, const program *p, state *t, bool last, scratch *w, tally *count)
{
    const care before = w->care;
    care c = before;
    uint64_t merge = t->tile->merge;
    count->tiles++;
    count->careful += c.specials || c.k_shift || c.v_shift;
    if (merge && !c.specials && overflowing(s, t) && facts_scanned(s, x).v.special) {
        c.specials = true;
        repeat_tile(s, x, p, t, c, w, count);
    }
    uint64_t left = store_tile(s, x, t, t->rows, last, w);
    if (__builtin_expect(!left, 1))
        goto done;
    if (!merge && !c.specials && facts_scanned(s, x).v.special) {
        c.specials = true;
        repeat_tile(s, x, p, t, c, w, count);
        left = store_tile(s, x, t, left, last, w);
    }
    if (left & ~merge && last) {
        extent v = values_of(s, x, p, t->tile);
        int shift = facts_value_shift(v.exponent);
        bool spread = (left & ~merge & t->dead) && spread_scores(s, x, t, w);
        if (v.exponent == FACTS_ZERO) /* then o is 0 */
            left &= t->dead | t->unsure | merge;
        if (shift != c.v_shift || spread) {
            c.v_shift = shift;
            repeat_tile(s, x, p, t, c, w, count);
            left = store_tile(s, x, t, left & ~merge, last, w) | (left & merge);
        }
    }
    if (left && last)
        settle_exactly(s, x, t, left, w, count);
done:
    set_care(w, before);
}
