/* The pipeline of the fp32 engine for AMX: while tiles multiply, vectors weigh another granule. Part of
 * amx_f32_engine.h, which explains. */

/* A step: values of one granule, weights of another, scores of a third; any may be missing. */
typedef struct job {
    const uint8_t *v, *p_of_v; /* v NULL: no values */
    float *o;                  /* [32 depth][ROWS] */
    bool first;                /* o begins at zero */
    float *s;                  /* [KEYS][ROWS]: what is weighed, then what is scored */
    uint8_t *p;                /* NULL: no weights; a block */
    const uint64_t *masks;     /* [KEYS] */
    const float *minus_reference; /* [ROWS] */
    float *sum;                /* [ROWS], of weights */
    const uint8_t *k, *q;      /* k NULL: no scores */
    touches *near;              /* what to ask for meanwhile, */
    chores *chores;            /* and what to do */
} job;

/* Weighing, two keys at a time. What it needs stays in registers: as a struct copied through memory, it would wait for
 * the stores of tiles before it. */
typedef struct weigher {
    const float *s;
    uint8_t *p;
    const uint64_t *masks, *end;
    __m512 minus_reference_0, minus_reference_1, sum_0, sum_1;
} weigher;

INLINE void weigh_unit(weigher *m)
{
    const uint32_t even = (uint32_t)m->masks[0], odd = (uint32_t)m->masks[1];
    __m512 x[4] = {
        _mm512_add_ps(_mm512_load_ps(m->s), m->minus_reference_0),
        _mm512_add_ps(_mm512_load_ps(m->s + ROWS), m->minus_reference_0),
        _mm512_add_ps(_mm512_load_ps(m->s + 16), m->minus_reference_1),
        _mm512_add_ps(_mm512_load_ps(m->s + ROWS + 16), m->minus_reference_1),
    };
    vf_exp2_each(x, 4);
    x[0] = vf_keep(x[0], even);
    x[1] = vf_keep(x[1], odd);
    x[2] = vf_keep(x[2], even >> 16);
    x[3] = vf_keep(x[3], odd >> 16);
    m->sum_0 = _mm512_add_ps(_mm512_add_ps(m->sum_0, x[0]), x[1]); /* in the order of weigh(): the same bits */
    m->sum_1 = _mm512_add_ps(_mm512_add_ps(m->sum_1, x[2]), x[3]);
    split_pair(m->p, x[0], x[1]);
    split_pair(m->p + TILE_BYTES, x[2], x[3]);
    m->s += 2 * ROWS;
    m->p += 64;
    m->masks += 2;
}

#define KEEP_ORDER() __asm__ volatile("" : : : "memory")

/* Products of what is in tiles 4, 5 (left) and 6, 7 (right) join tiles 0 to 3; then some keys are
 * weighed, or a chore is done, and a row asked for. */
#define MULTIPLY_TILES() \
    do { \
        tile_dp(0, 4, 6); \
        tile_dp(1, 4, 7); \
        tile_dp(2, 5, 6); \
        tile_dp(3, 5, 7); \
        KEEP_ORDER(); \
        if (m.masks < m.end) \
            weigh_unit(&m); \
        else if (j->chores->at < j->chores->end) \
            do_chore(j->chores); \
        touch_next(j->near, 1); \
        KEEP_ORDER(); \
    } while (0)
#define LOAD_LEFT(block, part) \
    do { \
        tile_load(4, (block) + (part) * PAIR_BYTES); \
        tile_load(5, (block) + (part) * PAIR_BYTES + TILE_BYTES); \
    } while (0)
#define LOAD_RIGHT(block, part) \
    do { \
        tile_load(6, (block) + (part) * PAIR_BYTES); \
        tile_load(7, (block) + (part) * PAIR_BYTES + TILE_BYTES); \
    } while (0)

/* Two blocks, once LOAD_FIRST has been done: parts 1 3, 1 2, 2 2, 2 1, 3 1, 1 1, one operand changing at a time,
 * the largest product last. What is left out is below 2^-24 of the product. */
#define LOAD_FIRST(left, right) \
    do { \
        LOAD_LEFT(left, 0); \
        LOAD_RIGHT(right, 2); \
    } while (0)
#define MULTIPLY_BLOCKS(left, right) \
    do { \
        MULTIPLY_TILES(); \
        LOAD_RIGHT(right, 1); \
        MULTIPLY_TILES(); \
        LOAD_LEFT(left, 1); \
        MULTIPLY_TILES(); \
        LOAD_RIGHT(right, 0); \
        MULTIPLY_TILES(); \
        LOAD_LEFT(left, 2); \
        MULTIPLY_TILES(); \
        LOAD_LEFT(left, 0); \
        MULTIPLY_TILES(); \
    } while (0)
#define ZERO_RESULT() \
    do { \
        tile_zero(0); \
        tile_zero(1); \
        tile_zero(2); \
        tile_zero(3); \
    } while (0)
#define WITH_RESULT(move, at) /* 32 rows of ROWS floats */ \
    do { \
        move(0, (at), ROWS * sizeof(float)); \
        move(1, (at) + 16, ROWS * sizeof(float)); \
        move(2, (at) + 16 * ROWS, ROWS * sizeof(float)); \
        move(3, (at) + 16 * ROWS + 16, ROWS * sizeof(float)); \
    } while (0)

/* `depth_known` is a constant of an instance, or 0. What comes next is loaded before a result is stored: loads
 * behind the stores would wait for them (they share the lower bits of their addresses, a tenth of the time). */
INLINE void step(const uint32_t depth_known, const uint32_t depth_given, job *j)
{
    const uint32_t depth = depth_known ? depth_known : depth_given;
    weigher m = {.s = j->s, .p = j->p, .masks = j->masks, .end = j->p ? j->masks + KEYS : j->masks};
    if (j->p) {
        m.minus_reference_0 = vf_load(j->minus_reference);
        m.minus_reference_1 = vf_load(j->minus_reference + LANES);
        m.sum_0 = vf_load(j->sum);
        m.sum_1 = vf_load(j->sum + LANES);
    }
    if (j->v) {
        LOAD_FIRST(j->v, j->p_of_v);
        for (uint32_t c = 0; c < depth; c++) {
            float *o = j->o + (size_t)c * 32 * ROWS;
            const uint8_t *v = j->v + (size_t)c * BLOCK_BYTES;
            if (j->first)
                ZERO_RESULT();
            else
                WITH_RESULT(tile_load_rows, o);
            MULTIPLY_BLOCKS(v, j->p_of_v);
            if (c + 1 < depth)
                LOAD_FIRST(v + BLOCK_BYTES, j->p_of_v);
            else if (j->k)
                LOAD_FIRST(j->k, j->q);
            WITH_RESULT(tile_store_rows, o);
        }
    } else if (j->k) {
        LOAD_FIRST(j->k, j->q);
    }
    if (j->k) {
        ZERO_RESULT();
        for (uint32_t c = 0; c < depth; c++) {
            const uint8_t *k = j->k + (size_t)c * BLOCK_BYTES, *q = j->q + (size_t)c * BLOCK_BYTES;
            if (c > 0)
                LOAD_FIRST(k, q);
            MULTIPLY_BLOCKS(k, q);
        }
    }
    while (m.masks < m.end)
        weigh_unit(&m);
    KEEP_ORDER();
    if (j->k)
        WITH_RESULT(tile_store_rows, j->s);
    KEEP_ORDER();
    if (j->p) {
        vf_store(j->sum, m.sum_0);
        vf_store(j->sum + LANES, m.sum_1);
    }
}

typedef void step_fn(uint32_t depth, job *j);
#define DEFINE(known) \
    static __attribute__((noinline)) void step_##known(uint32_t depth, job *j) { step(known, depth, j); }
DEFINE(0)
DEFINE(1)
DEFINE(2)
DEFINE(3)
DEFINE(4)
#undef DEFINE
static step_fn *const steps[] = {step_0, step_1, step_2, step_3, step_4};
