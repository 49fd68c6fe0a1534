/* What comes next, asked for while something else is computed (touch.h). Part of forward_body.h, which explains. */

/* Keys [from, to) of a run that is one comb of single keys, or contiguous. */
static void touch_keys(const shape *s, const operands *x, const run *u, size_t from, size_t to, touches *a)
{
    const size_t bytes = s->dim * attn_dtype_size(s->dtype), step = u->width >= u->keys ? 1 : u->step;
    to = to < u->keys ? to : u->keys;
    if (u->list != RUN_COMB || (u->width < u->keys && u->width != 1) || from >= to)
        return;
    touch_rows(a, x->k, u->first + from * step, bytes, step, to - from, false);
    touch_rows(a, x->v, u->first + from * step, bytes, step, to - from, false);
}

/* Keys of the next tile that this one does not have: all of another residue class, else what lies beyond the last of
 * this one's. */
static void touch_new_keys(const shape *s, const operands *x, const program *p, const tile *t, const tile *next, touches *a)
{
    if (!t->runs || !next->runs)
        return;
    const run *u = &p->runs[next->first_run], *end = u + next->runs, *own = &p->runs[t->first_run + t->runs - 1];
    if (next->row_step > 1) {
        const bool same = u->first == p->runs[t->first_run].first;
        const size_t last = key_of(p, own, own->keys - 1);
        for (; u < end; u++)
            if (!same || u->first > last)
                touch_keys(s, x, u, 0, u->keys, a);
        return;
    }
    const size_t beyond = (size_t)own->first + own->keys;
    u = end - 1;
    if (own->width >= own->keys && u->width >= u->keys)
        touch_keys(s, x, u, beyond > u->first ? beyond - u->first : 0, u->keys, a);
}

/* To be touched while the next chunk of tile `at` of `tiles` in lockstep are computed: where its rows of o go if
 * these are its last; q of the next tile if they are its first; this one's share of the keys of the next chunk, or
 * what the next tile needs. */
static void look_ahead(const shape *s, const operands *x, const program *p, const state *t, uint32_t at, uint32_t tiles,
                       const tile *next, bool begins, bool last, scratch *w)
{
    touches *a = &w->ahead.rows;
    const size_t bytes = s->dim * attn_dtype_size(s->dtype);
    a->count = a->next = a->rows = 0;
    w->ahead.each = w->ahead.each_key = 0;
    if (!t->left && !streams_out(s, x, t->tile, last))
        touch_rows(a, last ? x->o : (void *)x->partial, t->tile->row0, last ? bytes : s->dim * sizeof(float),
                   t->tile->row_step, t->tile->count, true);
    if (begins && next)
        touch_rows(a, x->q, next->row0, bytes, next->row_step, next->count, false);
    if (w->ahead.fetching)
        return;
    if (t->left) {
        const run *u = &p->runs[t->run];
        const size_t from = (size_t)t->granule * KEYS, chunk = (size_t)w->chunk * KEYS;
        touch_keys(s, x, u, from + chunk * at / tiles, from + chunk * (at + 1) / tiles, a);
    } else if (next) {
        touch_new_keys(s, x, p, t->tile, next, a);
    }
}
