/* A chunk of keys against a tile: weights, sums, values. Part of forward_body.h, which explains. */

/* The next chunk of a tile, and the rows that its granules may touch are noted as seen. */
static uint32_t next_chunk(const shape *s, const operands *x, const program *p, state *t, scratch *w, tally *count)
{
    const uint32_t n = t->left <= w->most ? t->left : w->chunk;
    const uint32_t vectors = GEOMETRY_LANES / LANES; /* of rows, in one of the program's */
    prepare_chunk(t, w);
    for (uint32_t i = 0; i < n;) {
        const run *u = &p->runs[t->run];
        const uint32_t left = u->granules - t->granule, from = i;
        i += bring(s, x, p, u, t->granule, n - i < left ? n - i : left, w, i);
        for (uint32_t a = from; a < i; a++) {
            granule *g = &w->granules[a];
            g->lo = 0;
            g->vectors = t->vectors;
            g->masks = NULL;
            if (u->mask == RUN_ALL) {
                t->seen = t->rows;
            } else {
                uint32_t mask = u->mask + (t->granule + a - from) * u->mask_step;
                mask_range range = p->ranges[mask];
                g->lo = range.lo * vectors;
                g->vectors = (uint32_t)(range.hi - range.lo) * vectors;
                g->masks = range.partial ? p->masks + (size_t)mask * KEYS : NULL;
                t->seen |= range.any;
            }
            count->lanes += KEYS * LANES * g->vectors;
        }
        t->granule += i - from;
        if (t->granule == u->granules) {
            t->granule = 0;
            t->run++;
        }
    }
    t->left -= n;
    return n;
}

/* Rows whose reference no longer fits. A row without keys so far has the sum 0, and that is right. */
static uint64_t misfits(const state *t)
{
    uint64_t high = 0, low = 0;
    for (uint32_t v = 0; v < t->vectors; v++) {
        vf chunk = vf_load(t->chunk_sum + v * LANES), sum = vf_add(vf_load(t->sum + v * LANES), chunk);
        high |= rows_of_lanes(~vf_le(chunk, vf_set1(MOST)), v);
        low |= rows_of_lanes(~vf_ge(sum, vf_set1(LEAST)), v);
    }
    return (high | (low & t->seen)) & t->rows & ~t->dead;
}

/* Rows whose sum is NaN: so is a score, and no other reference helps. */
static uint64_t hopeless(const state *t)
{
    uint64_t rows = 0;
    for (uint32_t v = 0; v < t->vectors; v++)
        rows |= rows_of_lanes(~vf_ge(vf_load(t->chunk_sum + v * LANES), vf_set1(0)), v);
    return rows & t->rows;
}

/* Moves the references of rows to their maxima in this chunk where these are out of reach, and what has been
 * summed so far with them. */
static void move_references(size_t dim, state *t)
{
    _Alignas(64) float scale[ROWS];
    bool rescale = false;
    for (uint32_t r = 0; r < t->vectors * LANES; r++) {
        scale[r] = 1;
        float x = (t->max[r] + t->minus_reference[r]) * t->spread;
        bool moves = x > REACH || (x < -REACH / 2 && t->sum[r] < LEAST);
        if (!moves || !((t->rows & ~t->dead) >> r & 1) || !(fabsf(t->max[r]) <= FLT_MAX))
            continue;
        if (t->sum[r] > 0) {
            scale[r] = exp2f((-t->minus_reference[r] - t->max[r]) * t->spread);
            rescale = true;
        }
        t->minus_reference[r] = -t->max[r];
        t->carry[r] *= scale[r];
        t->sum[r] *= scale[r];
    }
    for (uint32_t v = 0; rescale && v < t->vectors; v++) {
        vf by = vf_load(scale + v * LANES);
        for (size_t c = 0; c < dim; c++) {
            float *o = t->o + c * ROWS + v * LANES;
            vf_store(o, vf_mul(vf_load(o), by));
        }
    }
}

/* Scores at p become weights. */
static void weigh(state *t, const granule *g, float *p)
{
    vf spread = vf_set1(t->spread);
    for (uint32_t v = g->lo; v < g->lo + g->vectors; v++) {
        vf minus = vf_load(t->minus_reference + v * LANES), sum = vf_load(t->chunk_sum + v * LANES);
        for (uint32_t r = 0; r < KEYS; r++) {
            float *at = p + r * ROWS + v * LANES;
            vf x = as_weight(vf_exp2(vf_mul(vf_add(vf_load(at), minus), spread)));
            if (g->masks)
                x = vf_keep(x, (uint32_t)(g->masks[r] >> (v * LANES)));
            vf_store(at, x);
            sum = vf_add(sum, x);
        }
        vf_store(t->chunk_sum + v * LANES, sum);
    }
}

/* A chunk whose maxima are looked at before its weights are computed. */
static __attribute__((noinline)) void track_chunk(const shape *s, const operands *x, state *t, const granule *g, uint32_t n,
                                                  scratch *w)
{
    for (uint32_t v = 0; v < t->vectors; v++) {
        vf_store(t->chunk_sum + v * LANES, vf_set1(0));
        vf_store(t->max + v * LANES, vf_set1(-INFINITY));
    }
    for (uint32_t i = 0; i < n; i++)
        track_scores(s, x, t, &g[i], w, w->p + (size_t)i * KEYS * ROWS);
    move_references(s->dim, t);
    for (uint32_t i = 0; i < n; i++)
        weigh(t, &g[i], w->p + (size_t)i * KEYS * ROWS);
    for (uint32_t v = 0; v < t->vectors; v++)
        t->dead |= rows_of_lanes(~vf_le(vf_load(t->chunk_sum + v * LANES), vf_set1(MOST)), v) & t->rows;
}

static void compute_chunk(const shape *s, const operands *x, state *t, const granule *g, uint32_t n, scratch *w,
                          tally *count)
{
    count->granules += n;
    if (!(t->rows & ~t->dead))
        return;
    if (!t->tracked) {
        const bool weighed = weigh_chunk(s, x, t, g, n, w);
        t->dead |= weighed ? hopeless(t) : 0;
        if (!weighed || misfits(t)) {
            t->tracked = true;
            count->redone++;
            count->redone_granules += n;
        }
    }
    if (t->tracked)
        track_chunk(s, x, t, g, n, w);
    if (w->care.specials)
        set_specials_apart(s, t, g, n, w);
    for (uint32_t v = 0; v < t->vectors; v++)
        vf_store(t->sum + v * LANES, vf_add(vf_load(t->sum + v * LANES), vf_load(t->chunk_sum + v * LANES)));
    add_values(s, t, g, n, w, t->tracked);
}
