/* The pipeline of the AMX kernel: while tiles multiply, vectors do the softmax of another unit. Part of
 * amx_body.h, which explains. */

#include "kernels/exp2_cubic.h"
#include "kernels/kernel.h"

enum {
    ROWS = 32,             /* of a tile of the program: two hardware tiles */
    KEYS = 32,             /* of a granule */
    UNIT_GRANULES = 2,
    SCORE_FLOATS = ROWS * KEYS,   /* of a granule: [2 halves of the keys][ROWS][16] */
    ROW_BYTES = KEYS * 2,  /* of the weights of a granule, and of half of its scores */
    GRANULE_BYTES = ROWS * ROW_BYTES, /* of weights: [ROWS][KEYS] bf16 */
    Q_BYTES = ROWS * 64,   /* for 32 columns: [ROWS][32] bf16 */
    K_BYTES = TILE_BYTES,  /* 16 keys, 32 columns */
    O_FLOATS = ROWS * 16   /* 16 columns */
};

struct state;

/* What goes through the pipeline: 32 rows against one or two granules. */
typedef struct unit {
    _Alignas(64) uint32_t masks[UNIT_GRANULES][KEYS]; /* bit per row */
    const uint8_t *k[UNIT_GRANULES]; /* [2 halves of the keys][depth] hardware tiles */
    const uint8_t *v[UNIT_GRANULES]; /* [columns / 16] hardware tiles */
    const uint8_t *q;                /* [depth][2 halves of the rows] */
    const float *minus_reference;    /* [ROWS] */
    uint32_t granules;
    uint32_t masked;                 /* bit per granule */
    uint32_t parity;                 /* which of the two buffers of weights */
    bool first;                      /* of a chunk: o begins at zero */
    struct state *chunk_of;          /* the last of a chunk: whose */
} unit;

typedef struct buffers {
    float *s;      /* [UNIT_GRANULES][SCORE_FLOATS] */
    uint8_t *p[2]; /* [UNIT_GRANULES][GRANULE_BYTES] */
    float *o;      /* of the chunk: [columns][O_FLOATS], the sum of the weights in column dim */
    const uint8_t *ones;  /* a tile whose column 0 is ones */
    uint32_t depth;       /* ceil(dim / 32) */
    uint32_t columns;     /* dim / 16 + 1: hardware tiles of v and the ones */
    uint32_t value_tiles; /* of these, in the panels */
    float scale;          /* times log2(e) */
} buffers;

#define KEEP_ORDER() __asm__ volatile("" : : : "memory")

/* ---- the softmax of a unit, a few rows at a time ---- */

typedef struct cursor {
    const uint8_t *s;
    uint8_t *p;
    const uint8_t *reference;
    const unit *of;
    __m512 scale;
    size_t at, end; /* in bytes of weights */
} cursor;

/* NaN stays NaN, inf stays inf. */
INLINE __m512 exp2_cubic(__m512 x)
{
    __m512 f = _mm512_reduce_ps(x, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
    __m512 p = _mm512_fmadd_ps(_mm512_set1_ps(EXP2_CUBIC_3), f, _mm512_set1_ps(EXP2_CUBIC_2));
    p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(EXP2_CUBIC_1));
    p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(EXP2_CUBIC_0));
    return _mm512_scalef_ps(p, x);
}

/* `rows` rows (dividing ROWS) from where the cursor stands. */
INLINE void weigh_rows(cursor *m, const uint32_t rows)
{
    const size_t row = m->at % GRANULE_BYTES, granule = m->at - row;
    const float *s = (const float *)(const void *)(m->s + m->at + granule);
    const float *reference = (const float *)(const void *)(m->reference + row / (ROW_BYTES / sizeof(float)));
    uint8_t *p = m->p + m->at;
    m->at += rows * ROW_BYTES;
    if (m->of->masked & (1u << granule / GRANULE_BYTES)) {
        const uint32_t *masks = m->of->masks[granule / GRANULE_BYTES];
        __m512i lo = _mm512_load_si512(masks), hi = _mm512_load_si512(masks + 16);
        UNROLL for (uint32_t i = 0; i < rows; i++) {
            __m512 start = _mm512_set1_ps(reference[i]);
            __m512 a = exp2_cubic(_mm512_fmadd_ps(_mm512_load_ps(s + 16 * i), m->scale, start));
            __m512 b = exp2_cubic(_mm512_fmadd_ps(_mm512_load_ps(s + 16 * i + SCORE_FLOATS / 2), m->scale, start));
            __m512i bit = _mm512_set1_epi32((int)(1u << (row / ROW_BYTES + i)));
            uint32_t keep = (uint32_t)_mm512_test_epi32_mask(hi, bit) << 16 | (uint32_t)_mm512_test_epi32_mask(lo, bit);
            _mm512_store_si512(p + ROW_BYTES * i, bf16_pair_kept(keep, a, b));
        }
        return;
    }
    UNROLL for (uint32_t i = 0; i < rows; i++) {
        __m512 start = _mm512_set1_ps(reference[i]);
        __m512 a = exp2_cubic(_mm512_fmadd_ps(_mm512_load_ps(s + 16 * i), m->scale, start));
        __m512 b = exp2_cubic(_mm512_fmadd_ps(_mm512_load_ps(s + 16 * i + SCORE_FLOATS / 2), m->scale, start));
        _mm512_store_si512(p + ROW_BYTES * i, bf16_pair(a, b));
    }
}

INLINE void weigh_some(cursor *m, const uint32_t rows)
{
    KEEP_ORDER();
    if (m->at < m->end)
        weigh_rows(m, rows);
    KEEP_ORDER();
}

/* Where the cursor stands when it has come to `until`. By value, so that the cursor itself stays in registers. */
static __attribute__((noinline)) size_t weigh_rest(cursor m, size_t until)
{
    while (m.at < until)
        weigh_rows(&m, 2);
    return m.at;
}

INLINE void weigh_until(cursor *m, size_t until)
{
    until = until < m->end ? until : m->end;
    if (m->at < until)
        m->at = weigh_rest(*m, until);
}

enum { ASKED = 2 }; /* rows of the next tile, after each product: more would queue up, fewer come too late */

/* Out of line: a step has some forty places for it. */
static __attribute__((noinline)) void touch_some(touches *near)
{
    touch_next(near, ASKED);
}

/* ---- a step: values of a, weights of b, scores of n; any may be NULL ----
 *
 * `depth` and `rows` are constants of an instance (depth 0: that of w). After every `every`-th multiplication
 * `rows` rows of b are weighed, and after every one ASKED rows of `near` are asked for. A result is stored while the
 * next one is being multiplied: o alternates between tiles 0, 1 and 2, 3; the scores of the first 16 keys are in 2, 3, of the others in 0, 1. Tiles 4 and 5 hold
 * the two halves of the rows of p or q, 6 and 7 take turns with v or k. Granules and columns of q are walked to
 * and fro, so that what was loaded last is used first. */
INLINE void step(const uint32_t depth_known, const uint32_t rows, const uint32_t every, const buffers *w,
                 const unit *a, const unit *b, const unit *n, touches *near)
{
    const uint32_t depth = depth_known ? depth_known : w->depth;
    uint32_t turn = 0;
    cursor m = {.s = (const uint8_t *)w->s, .of = b, .scale = _mm512_set1_ps(w->scale)};
    if (b) {
        m.p = w->p[b->parity];
        m.reference = (const uint8_t *)b->minus_reference;
        m.end = (size_t)b->granules * GRANULE_BYTES;
    }
    const float *unstored = NULL; /* o still in tiles 0, 1 */

#define SLOT(second) \
    do { \
        if (near->next < near->count) \
            touch_some(near); \
        if (every == 1 || ((second) && (every == 2 || ++turn % 2 == 0))) \
            weigh_some(&m, rows); \
    } while (0)

/* 32 rows x 16 columns of o, in tiles c0 and c1; weights of granule x are in 4 and 5, y follows if there is one;
 * d0 and d1 still have the columns before. */
#define VALUES(c0, c1, d0, d1, column, store_before, x, y) \
    do { \
        float *o_ = w->o + (size_t)(column) * O_FLOATS; \
        bool ones_ = (column) >= w->value_tiles; \
        if (a->first) { \
            tile_zero(c0); \
            tile_zero(c1); \
        } else { \
            tile_load(c0, o_); \
            tile_load(c1, o_ + TILE_FLOATS); \
        } \
        tile_load(6, ones_ ? w->ones : a->v[x] + (size_t)(column) * TILE_BYTES); \
        tile_dp(c0, 4, 6); \
        SLOT(0); \
        tile_dp(c1, 5, 6); \
        SLOT(1); \
        if (store_before) { \
            tile_store(d0, o_ - O_FLOATS); \
            tile_store(d1, o_ - O_FLOATS + TILE_FLOATS); \
        } \
        if (two) { \
            tile_load(4, p + (y) * GRANULE_BYTES); \
            tile_load(7, ones_ ? w->ones : a->v[y] + (size_t)(column) * TILE_BYTES); \
            tile_dp(c0, 4, 7); \
            SLOT(0); \
            tile_load(5, p + (y) * GRANULE_BYTES + TILE_BYTES); \
            tile_dp(c1, 5, 7); \
            SLOT(1); \
        } \
    } while (0)

    if (a) {
        const uint8_t *p = w->p[a->parity];
        const bool two = a->granules == 2;
        const uint32_t odd = two ? 1 : 0; /* the granule that odd columns begin with */
        tile_load(4, p);
        tile_load(5, p + TILE_BYTES);
        for (uint32_t c = 0; c < w->columns; c += 2) {
            VALUES(0, 1, 2, 3, c, c > 0, 0, 1);
            if (c + 1 == w->columns) {
                unstored = w->o + (size_t)c * O_FLOATS;
                break;
            }
            VALUES(2, 3, 0, 1, c + 1, true, odd, 0);
        }
        float *last = w->o + (size_t)(w->columns - 1) * O_FLOATS;
        if (!unstored) {
            tile_store(2, last);
            tile_store(3, last + TILE_FLOATS);
        } else if (!n) {
            tile_store(0, last);
            tile_store(1, last + TILE_FLOATS);
        }
    }
#undef VALUES

/* Columns 32 c .. of q times k into tiles t0, t1; k goes through tile kt; q is there already if `kept`. */
#define SCORES(t0, t1, kt, c, keys_of, kept) \
    do { \
        tile_load(kt, (keys_of) + (size_t)(c) * K_BYTES); \
        if (!(kept)) \
            tile_load(4, q + (size_t)(c) * Q_BYTES); \
        tile_dp(t0, 4, kt); \
        SLOT(0); \
        if (!(kept)) \
            tile_load(5, q + (size_t)(c) * Q_BYTES + TILE_BYTES); \
        tile_dp(t1, 5, kt); \
        SLOT(1); \
    } while (0)

    if (n) {
        const uint8_t *q = n->q;
        float *before = (float *)(uintptr_t)unstored, *s = w->s; /* what tiles 0, 1 are to be stored in */
        tile_load(4, q);
        tile_load(5, q + TILE_BYTES);
        for (uint32_t g = 0; g < n->granules; g++, s += SCORE_FLOATS) {
            const uint8_t *k = n->k[g];
            tile_zero(2);
            tile_zero(3);
            SCORES(2, 3, 6, 0, k, true);
            if (before) {
                tile_store(0, before);
                tile_store(1, before + TILE_FLOATS);
            }
            for (uint32_t c = 1; c < depth; c += 2) {
                SCORES(2, 3, 7, c, k, false);
                if (c + 1 < depth)
                    SCORES(2, 3, 6, c + 1, k, false);
            }
            k += (size_t)depth * K_BYTES;
            tile_zero(0);
            tile_zero(1);
            SCORES(0, 1, 7, depth - 1, k, true);
            weigh_until(&m, (size_t)(g + 1) * GRANULE_BYTES); /* b's scores, before they are overwritten: usually done by now */
            tile_store(2, s);
            tile_store(3, s + TILE_FLOATS);
            for (uint32_t c = depth - 1; c > 0; c -= 2) {
                SCORES(0, 1, 6, c - 1, k, false);
                if (c == 1)
                    break;
                SCORES(0, 1, 7, c - 2, k, false);
            }
            before = s + SCORE_FLOATS / 2;
        }
        tile_store(0, before);
        tile_store(1, before + TILE_FLOATS);
    }
#undef SCORES
#undef SLOT
    weigh_until(&m, m.end);
    KEEP_ORDER();
}

/* Multiplications of a step with two granules each: 4 dim/16 + 4 for the values, 8 depth for the scores; rows to
 * weigh: 64. */
typedef void step_fn(const buffers *w, const unit *a, const unit *b, const unit *n, touches *near);
#define DEFINE(name, depth, rows, every) \
    static __attribute__((noinline)) void name(const buffers *w, const unit *a, const unit *b, const unit *n, touches *near) \
    { \
        step(depth, rows, every, w, a, b, n, near); \
    }
DEFINE(step_1, 1, 4, 1) /* dim 32: 20 */
DEFINE(step_2, 2, 2, 1) /* dim 64: 36 */
DEFINE(step_3, 3, 2, 1) /* dim 96: 52 */
DEFINE(step_4, 4, 2, 2) /* dim 128: 68 */
DEFINE(step_6, 0, 2, 2)
DEFINE(step_8, 0, 2, 4) /* dim 256: 132 */
#undef DEFINE
static step_fn *const steps[] = { /* [depth - 1] */
    step_1, step_2, step_3, step_4, step_6, step_6, step_8, step_8};
