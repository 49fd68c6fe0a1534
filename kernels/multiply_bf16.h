/* Scores and values by dot products of pairs of bf16: the elements of q and k by two columns, weights and v by two keys. Part of
 * forward_body.h, which explains.
 *
 * Weights are rounded to bf16, and the sums are those of the rounded ones. q is not scaled on its way in, for it would have to be
 * rounded; the scale joins in float. */

enum { PAIRS_OF_KEYS = KEYS / 2 };

INLINE float score_scale(const shape *s) { return (float)((double)s->scale * LOG2_E); }

/* ---- scores ---- */

INLINE void scores(const uint32_t nv, const enum mode mode, const shape *of, state *s, const granule *g, float *out,
                   packed *weights)
{
    const uint32_t at = g->lo * LANES;
    const size_t pairs = (of->dim + 1) / 2, stride = g->stride;
    const packed *q = queries(s) + at;
    const kept *k = g->k;
    const vf scale = vf_set1(score_scale(of));
    vf a[KEYS][VECTORS];
    EACH(v, nv, VECTORS)
        UNROLL for (uint32_t r = 0; r < KEYS; r++)
            a[r][v] = vf_set1(0);
    UNROLL_4
    for (size_t c = 0; c < pairs; c++) {
        vp qv[VECTORS];
        EACH(v, nv, VECTORS)
            qv[v] = vp_load(q + c * ROWS + v * LANES);
        UNROLL for (uint32_t r = 0; r < KEYS; r++) {
            const vp kr = vp_set1(pair_at(k + r * stride + 2 * c));
            EACH(v, nv, VECTORS)
                a[r][v] = vf_dot(a[r][v], kr, qv[v]);
        }
    }

    if (mode == TRACKED) {
        EACH(v, nv, VECTORS) {
            const uint32_t lane = at + v * LANES;
            vf max = vf_load(s->max + lane);
            UNROLL for (uint32_t r = 0; r < KEYS; r++) {
                const vf x = vf_mul(a[r][v], scale);
                max = vf_max(max, g->masks ? vf_select((uint32_t)(g->masks[r] >> lane), x, max) : x);
                vf_store(out + r * ROWS + lane, x);
            }
            vf_store(s->max + lane, max);
        }
        return;
    }
    EACH(v, nv, VECTORS)
        UNROLL for (uint32_t r = 0; r < KEYS; r++)
            vf_store(out + r * ROWS + at + v * LANES, a[r][v]);
    EACH(v, nv, VECTORS) { /* from memory, as floats do */
        const uint32_t lane = at + v * LANES;
        const vf minus = vf_load(s->minus_reference + lane);
        vf sum = vf_load(s->chunk_sum + lane);
        UNROLL for (uint32_t r = 0; r < KEYS; r += FLIGHT) {
            vf x[FLIGHT];
            EACH(i, FLIGHT, FLIGHT) x[i] = vf_fma(vf_load(out + (r + i) * ROWS + lane), scale, minus);
            vf_exp2_cubic_each(x, FLIGHT);
            EACH(i, FLIGHT / 2, FLIGHT / 2) {
                if (mode == MASKED) {
                    x[2 * i] = vf_keep(x[2 * i], (uint32_t)(g->masks[r + 2 * i] >> lane));
                    x[2 * i + 1] = vf_keep(x[2 * i + 1], (uint32_t)(g->masks[r + 2 * i + 1] >> lane));
                }
                const vp pair = vp_round(x[2 * i], x[2 * i + 1]);
                vp_store(weights + (r / 2 + i) * ROWS + lane, pair);
                sum = vf_dot(sum, pair, vp_set1(ONES));
            }
        }
        vf_store(s->chunk_sum + lane, sum);
    }
}

/* ---- values ---- */

INLINE void values(const uint32_t nv, const uint32_t nc, const granule *g, uint32_t n, size_t column, const packed *p, float *o)
{
    vf a[MAX_WIDTH][VECTORS];
    EACH(c, nc, MAX_WIDTH)
        EACH(v, nv, VECTORS)
            a[c][v] = vf_set1(0);
    for (uint32_t i = 0; i < n; i++, p += PAIRS_OF_KEYS * ROWS) {
        const kept *row = g[i].v + 2 * column;
        const size_t stride = 2 * g[i].stride;
        UNROLL for (uint32_t r = 0; r < PAIRS_OF_KEYS; r++, row += stride) {
            vp pv[VECTORS];
            EACH(v, nv, VECTORS)
                pv[v] = vp_load(p + r * ROWS + v * LANES);
            EACH(c, nc, MAX_WIDTH) {
                const vp b = vp_set1(pair_at(row + 2 * c));
                EACH(v, nv, VECTORS)
                    a[c][v] = vf_dot(a[c][v], b, pv[v]);
            }
        }
    }
    EACH(c, nc, MAX_WIDTH)
        EACH(v, nv, VECTORS) {
            float *to = o + c * ROWS + v * LANES;
            vf_store(to, vf_add(vf_load(to), a[c][v]));
        }
}
