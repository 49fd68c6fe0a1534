/* Scores and values by multiply-adds of floats. Part of forward_body.h, which explains. */

/* ---- scores ---- */

INLINE void scores(const uint32_t nv, const enum mode mode, const shape *of, state *s, const granule *g, float *out, packed *same)
{
    (void)same;
    const size_t dim = of->dim;
    const uint32_t at = g->lo * LANES;
    const float *q = s->q + at, *k = g->k;
    const size_t stride = g->stride;
    vf a[KEYS][VECTORS], odd[KEYS];
    EACH(v, nv, VECTORS) {
        vf start = mode == TRACKED ? vf_set1(0) : vf_load(s->minus_reference + at + v * LANES);
        UNROLL for (uint32_t r = 0; r < KEYS; r++)
            a[r][v] = start;
    }
    size_t c = 0;
    if (nv == 1) { /* two chains for each key: one would wait for itself */
        UNROLL for (uint32_t r = 0; r < KEYS; r++)
            odd[r] = vf_set1(0);
        for (; c + 2 <= dim; c += 2) {
            vf q0 = vf_load(q + c * ROWS), q1 = vf_load(q + (c + 1) * ROWS);
            UNROLL for (uint32_t r = 0; r < KEYS; r++) {
                a[r][0] = vf_fma(vf_set1(k[r * stride + c]), q0, a[r][0]);
                odd[r] = vf_fma(vf_set1(k[r * stride + c + 1]), q1, odd[r]);
            }
        }
    }
    UNROLL_4
    for (; c < dim; c++) {
        vf qv[VECTORS];
        EACH(v, nv, VECTORS)
            qv[v] = vf_load(q + c * ROWS + v * LANES);
        UNROLL for (uint32_t r = 0; r < KEYS; r++) {
            vf kr = vf_set1(k[r * stride + c]);
            EACH(v, nv, VECTORS)
                a[r][v] = vf_fma(kr, qv[v], a[r][v]);
        }
    }
    if (nv == 1)
        UNROLL for (uint32_t r = 0; r < KEYS; r++)
            a[r][0] = vf_add(a[r][0], odd[r]);

    if (mode == TRACKED) {
        EACH(v, nv, VECTORS) {
            const uint32_t lane = at + v * LANES;
            vf max = vf_load(s->max + lane);
            UNROLL for (uint32_t r = 0; r < KEYS; r++) {
                vf x = g->masks ? vf_select((uint32_t)(g->masks[r] >> lane), a[r][v], max) : a[r][v];
                max = vf_max(max, x);
                vf_store(out + r * ROWS + lane, a[r][v]);
            }
            vf_store(s->max + lane, max);
        }
        return;
    }
    EACH(v, nv, VECTORS)
        UNROLL for (uint32_t r = 0; r < KEYS; r++)
            vf_store(out + r * ROWS + at + v * LANES, a[r][v]);
    EACH(v, nv, VECTORS) { /* from memory: in registers, the scores of other keys would be in the way */
        float *p = out + at + v * LANES;
        vf sum = vf_load(s->chunk_sum + at + v * LANES);
        UNROLL for (uint32_t r = 0; r < KEYS; r += FLIGHT) {
            vf x[FLIGHT];
            EACH(i, KEYS - r, FLIGHT) x[i] = vf_load(p + (r + i) * ROWS);
            vf_exp2_each(x, KEYS - r < FLIGHT ? KEYS - r : FLIGHT);
            EACH(i, KEYS - r, FLIGHT) {
                if (mode == MASKED)
                    x[i] = vf_keep(x[i], (uint32_t)(g->masks[r + i] >> (at + v * LANES)));
                vf_store(p + (r + i) * ROWS, x[i]);
                sum = vf_add(sum, x[i]);
            }
        }
        vf_store(s->chunk_sum + at + v * LANES, sum);
    }
}

/* ---- values ---- */

INLINE void values(const uint32_t nv, const uint32_t nc, const granule *g, uint32_t n, size_t column,
                   const float *p, float *o)
{
    vf a[MAX_WIDTH][VECTORS];
    EACH(c, nc, MAX_WIDTH)
        EACH(v, nv, VECTORS)
            a[c][v] = vf_set1(0);
    for (uint32_t i = 0; i < n; i++, p += KEYS * ROWS) {
        const float *row = g[i].v + column;
        const size_t stride = g[i].stride;
        UNROLL for (uint32_t r = 0; r < KEYS; r++, row += stride) {
            vf pv[VECTORS];
            EACH(v, nv, VECTORS)
                pv[v] = vf_load(p + r * ROWS + v * LANES);
            EACH(c, nc, MAX_WIDTH) {
                vf b = vf_set1(row[c]);
                EACH(v, nv, VECTORS)
                    a[c][v] = vf_fma(b, pv[v], a[c][v]);
            }
        }
    }
    EACH(c, nc, MAX_WIDTH)
        EACH(v, nv, VECTORS) {
            float *to = o + c * ROWS + v * LANES;
            vf_store(to, vf_add(vf_load(to), a[c][v]));
        }
}
