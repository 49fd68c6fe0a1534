/* fp32 attention on AMX: the engine of forward_body.h whose multiplications are those of tiles of bf16.
 *
 * Every float is the sum of three bf16 (amx_f32_split.h), every product of two floats the sum of the six products
 * of parts that matter, added in fp32: what is left out is below 2^-24 of it, so the error is that of fp32, and
 * smaller sums first make it less. Six tile products of 16 cycles stand for 16 x 16 x 32 multiply-adds, which take
 * vectors of sixteen 256 cycles, if they never wait.
 *
 * A tile of the program is 32 rows, a granule 32 keys. As in the other engines scores are transposed: S^T = K Q^T,
 * O^T = V^T P^T. So rows of K are the left operand as they lie, and only V is transposed, once per panel. Granules
 * of a chunk go through three stages whose instructions stand in one stream (amx_f32_step.h):
 *
 *     step i      values of granule i-2      weights of granule i-1         scores of granule i
 *                 O^T += V^T P^T             P^T = exp2(S^T - m)            S^T = K Q^T
 *
 *     q, k, v --> blocks, L2 --> AMX --> S^T fp32, L1 --> AVX-512 --> P^T in parts, L1 --> AMX --> O^T fp32, L1
 *
 * At dim 64 a step is 96 tile products, 1536 cycles, and two keys are weighed after every fourth of the first 64.
 * Panels are shared by LOCKSTEP tiles and found by the keys they hold (amx_f32_panels.h).
 *
 * Infinities have no parts (inf - inf), and products of small parts with huge numbers could be flushed where they
 * matter: granules and tiles with a number from 2^90 on get their scores from vectors. NaN passes through every
 * part. What AMX flushes of smaller numbers is below 2^-126 times 2^90 in a score, and below 2^-100 in o, where
 * results less than TINY are looked at again. */
#include "kernels/simd.h"

#ifndef TILES
#define TILES "kernels/amx_tiles.h" /* tests put an emulation here */
#endif
#include TILES
#include "kernels/amx_keys.h"

enum {
    LOCKSTEP = 32, /* tiles that take the same chunk before the next one begins */
    GEOMETRY_LANES = ROWS,
    GEOMETRY_VECTORS = 1,
    LEAST_TILES = 2,
    MOST_TILES = LOCKSTEP,
    AHEAD = 2, /* tiles from one to that whose rows are asked for */
    IN_TURN = 1,
    PACKS = 1
};
struct job;

enum {
    CHUNK = 8,       /* granules: at dim 64, 192 KiB of panels, a tenth of L2 */
    CHUNK_MOST = 10
};

/* Keys and values packed for AMX, found again by the keys they hold. */
struct panels {
    uint8_t *k, *v;         /* [slots][depth] blocks */
    size_t bytes;           /* of k or v in a slot */
    uint32_t depth;         /* ceil(dim / 32) */
    directory held;         /* by chunks */
    bool *huge;             /* [slots]: some k is */
    /* Of the pipeline: */
    float *s, *o;           /* scores of a granule; o of a chunk, [32 depth][ROWS] */
    uint8_t *p[2];          /* weights, a block each */
    struct chores *chores;         /* for the next tile */
    float *rows[2];         /* [KEYS][dim]: k and v on their way in */
    float *transposed[2];   /* [16][16]: of even and odd keys */
    void (*step)(uint32_t depth, struct job *j);
};

#define TILED_BYTES(dim) (((dim) + 31) / 32 * BLOCK_BYTES)

#include "kernels/amx_f32_split.h"
#include "kernels/amx_f32_chores.h"
#include "kernels/amx_f32_step.h"
#include "kernels/amx_f32_panels.h"

static void begin_engine(void) { tiles_open(); }
static void end_engine(void) { tiles_close(); }

static void prepare_round(const shape *s, const operands *x, const program *p, group g, bool first, const group *next, scratch *w)
{
    (void)s;
    (void)x;
    (void)p;
    (void)g;
    (void)first;
    (void)next;
    (void)w;
}

static void prepare_queries(const shape *s, state *t)
{
    __m512 most = _mm512_setzero_ps();
    for (size_t c = 0; c < (s->dim + 31) / 32; c++)
        for (size_t half = 0; half < 2; half++)
            pack_query_pairs(t->tiled, t->q, c, half, 0, 16, s->dim, &most);
    t->huge = is_huge(most);
}

static bool prepare_ahead(const shape *s, const operands *x, const program *p, const tile *begins, state *to, scratch *w)
{
    panels *a = w->panels;
    chores *c = a->chores;
    if (s->dtype != ATTN_F32 || is_careful(w) || s->dim % 16 != 0)
        return false;
    c->at = c->end = 0;
    c->most = vf_set1(0);
    if (begins) {
        c->from = (const float *)x->q + begins->row0 * s->dim;
        c->stride = begins->row_step * s->dim;
        c->rows = begins->count;
        c->q = to->q;
        c->tiled = to->tiled;
        c->query_huge = &to->huge;
        c->end = c->query_chores;
    } else {
        c->at = c->end = c->query_chores;
    }
    c->k = x->k;
    c->v = x->v;
    const uint32_t left = begins ? begins->granules : to->left, n = left <= w->most ? left : w->chunk;
    uint32_t r = begins ? begins->first_run : to->run, at = begins ? 0 : to->granule, fills = 0;
    for (uint32_t i = 0; i < n; i++) {
        const run *u = &p->runs[r];
        bool found;
        const uint32_t slot = find_slot(&a->held, list_keys(p, u, at, s->nk), &found);
        if (!found) {
            w->specials[slot] = (special_keys){0};
            c->fills[fills++] = slot;
        }
        if (++at == u->granules) {
            at = 0;
            r++;
        }
    }
    c->end += fills * c->fill_chores;
    return true;
}

static void settle_ahead(const shape *s, const operands *x, scratch *w)
{
    panels *a = w->panels;
    chores *c = a->chores;
    do_all_chores(c);
    if (c->special) {
        begin_care(s, x, w);
        for (uint32_t i = 0; i < (c->end - c->query_chores) / c->fill_chores; i++)
            fill_slot(s, x, w, c->fills[i], a->held.keys[c->fills[i]]);
        c->special = false;
    }
}

/* ---- scores by vectors ---- */

static __attribute__((noinline)) void score_by_vectors(const shape *s, const operands *x, const state *t,
                                                       const granule *g, scratch *w, float *out)
{
    enum { AT_ONCE = 8 };
    const size_t dim = s->dim;
    const uint32_t *keys = w->panels->held.keys[g->slot];
    float *k = w->panels->rows[0];
    for (uint32_t r = 0; r < KEYS; r++, k += dim) {
        if (keys[r] == UINT32_MAX) {
            memset(k, 0, dim * sizeof *k);
            continue;
        }
        widen_row(k, x->k, keys[r], dim, s->dtype);
        if (w->care.k_shift)
            shift_in(k, dim, w->care.k_shift);
    }
    k = w->panels->rows[0];
    for (uint32_t r = 0; r < KEYS; r += AT_ONCE, k += AT_ONCE * dim) {
        vf a[AT_ONCE][VECTORS];
        UNROLL for (uint32_t i = 0; i < AT_ONCE; i++)
            a[i][0] = a[i][1] = vf_set1(0);
        for (size_t c = 0; c < dim; c++) {
            const vf q0 = vf_load(t->q + c * ROWS), q1 = vf_load(t->q + c * ROWS + LANES);
            UNROLL for (uint32_t i = 0; i < AT_ONCE; i++) {
                const vf kc = vf_set1(k[i * dim + c]);
                a[i][0] = vf_fma(kc, q0, a[i][0]);
                a[i][1] = vf_fma(kc, q1, a[i][1]);
            }
        }
        UNROLL for (uint32_t i = 0; i < AT_ONCE; i++) {
            vf_store(out + (r + i) * ROWS, a[i][0]);
            vf_store(out + (r + i) * ROWS + LANES, a[i][1]);
        }
    }
}

/* ---- a chunk ---- */

static const uint64_t all_rows[KEYS] = {
    ~0ull, ~0ull, ~0ull, ~0ull, ~0ull, ~0ull, ~0ull, ~0ull, ~0ull, ~0ull, ~0ull, ~0ull, ~0ull, ~0ull, ~0ull, ~0ull,
    ~0ull, ~0ull, ~0ull, ~0ull, ~0ull, ~0ull, ~0ull, ~0ull, ~0ull, ~0ull, ~0ull, ~0ull, ~0ull, ~0ull, ~0ull, ~0ull};

static void track_scores(const shape *s, const operands *x, state *t, const granule *g, scratch *w, float *out)
{
    panels *a = w->panels;
    if (t->huge || a->huge[g->slot])
        score_by_vectors(s, x, t, g, w, out);
    else
        a->step(a->depth, &(job){.k = a->k + g->slot * a->bytes, .q = t->tiled, .s = out, .near = &w->ahead.rows, .chores = a->chores});
    for (uint32_t v = 0; v < VECTORS; v++) {
        vf max = vf_load(t->max + v * LANES);
        for (uint32_t r = 0; r < KEYS; r++) {
            const vf score = vf_load(out + r * ROWS + v * LANES);
            max = vf_max(max, g->masks ? vf_select((uint32_t)(g->masks[r] >> (v * LANES)), score, max) : score);
        }
        vf_store(t->max + v * LANES, max);
    }
}

/* Where the weights themselves are asked for, in w->p: what the pipeline would have computed, bit for bit. */
static void weigh_apart(const shape *s, const operands *x, state *t, const granule *g, uint32_t n, scratch *w)
{
    for (uint32_t i = 0; i < n; i++) {
        track_scores(s, x, t, &g[i], w, w->p + (size_t)i * KEYS * ROWS);
        weigh(t, &g[i], w->p + (size_t)i * KEYS * ROWS);
    }
}

static bool weigh_chunk(const shape *s, const operands *x, state *t, const granule *g, uint32_t n, scratch *w)
{
    panels *a = w->panels;
    for (uint32_t v = 0; v < VECTORS; v++)
        vf_store(t->chunk_sum + v * LANES, vf_set1(0));
    for (uint32_t i = 0; i < n; i++)
        if (t->huge || a->huge[g[i].slot]) /* its scores will hardly fit the references */
            return false;
    if (w->care.specials) {
        weigh_apart(s, x, t, g, n, w);
        return true;
    }
    job j = {.o = a->o, .s = a->s, .q = t->tiled, .minus_reference = t->minus_reference, .sum = t->chunk_sum,
             .near = &w->ahead.rows, .chores = a->chores};
    for (uint32_t i = 0; i < n + 2; i++) {
        j.v = i >= 2 ? a->v + g[i - 2].slot * a->bytes : NULL;
        j.p_of_v = a->p[i % 2];
        j.first = i == 2;
        j.p = i >= 1 && i <= n ? a->p[(i - 1) % 2] : NULL;
        j.masks = j.p && g[i - 1].masks ? g[i - 1].masks : all_rows;
        j.k = i < n ? a->k + g[i].slot * a->bytes : NULL;
        a->step(a->depth, &j);
    }
    return true;
}

static void add_values(const shape *s, state *t, const granule *g, uint32_t n, scratch *w, bool tracked)
{
    panels *a = w->panels;
    for (uint32_t i = 0; i < n && (tracked || w->care.specials); i++) { /* the pipeline has done it else */
        const float *p = w->p + (size_t)i * KEYS * ROWS;
        for (uint32_t r = 0; r < KEYS; r += 2, p += 2 * ROWS)
            for (uint32_t v = 0; v < VECTORS; v++)
                split_pair(a->p[0] + v * TILE_BYTES + r / 2 * 64, vf_load(p + v * LANES), vf_load(p + ROWS + v * LANES));
        a->step(a->depth, &(job){.v = a->v + g[i].slot * a->bytes, .p_of_v = a->p[0], .o = a->o, .first = i == 0, .near = &w->ahead.rows, .chores = a->chores});
    }
    for (size_t e = 0; e < s->dim * ROWS; e += LANES)
        vf_store(t->o + e, vf_add(vf_load(t->o + e), vf_load(a->o + e)));
}
