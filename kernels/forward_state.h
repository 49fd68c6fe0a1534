/* What the parts of forward_body.h share: tiles on their way, granules of keys, scratch memory. */

#include <float.h>
#include <math.h>
#include <string.h>

#include "kernels/exact.h"
#include "kernels/facts.h"
#include "kernels/flush.h"
#include "kernels/kernel.h"
#include "kernels/shift.h"
#include "kernels/touch.h"

enum { ROWS = LANES * VECTORS };
#define LOG2_E 1.4426950408889634
#define LEAST 0x1p-32f
#define MOST 0x1p64f
#define ALARM 0x1p40f /* of the first few keys: more will follow */
#define REACH 40      /* of a tracked maximum above the reference, in units of log2; half of it below */

/* What panels hold, and weights as they meet v. */
#ifdef PAIRS
typedef uint16_t kept;
typedef uint32_t packed;
#else
typedef float kept, packed;
#endif

typedef struct state { /* one tile */
    _Alignas(64) float minus_reference[ROWS]; /* in units of log2 */
    float sum[ROWS], chunk_sum[ROWS];
    float max[ROWS];      /* of a chunk's scores, when tracked */
    float carry[ROWS];    /* what an earlier part's o is to be multiplied by */
    float *q, *o;         /* [dim][ROWS]: scale * log2(e) * q (forward_queries.h; or its pairs), and unnormalised o */
    uint8_t *tiled;       /* q as an engine of tiles wants it */
    bool huge;            /* so that products of its parts might be lost: see amx_f32_engine.h */
    const tile *tile;
    uint64_t rows;        /* bits of its rows */
    uint64_t seen;        /* rows that have met a key */
    uint64_t dead;        /* rows with a score of NaN or infinity, or one that fp32 cannot hold */
    uint64_t lost;        /* rows an earlier part could not compute */
    uint64_t *marks;      /* NaN and infinities of v, set apart: see forward_care.h */
    uint64_t marked;      /* rows that see one */
    uint64_t infinite;    /* rows that may see an infinity */
    uint64_t unsure;      /* rows that give one the weight 0 */
    float spread;         /* scores are computed, and references kept, divided by this power of two */
    bool tracked;         /* each chunk's maxima are found before its weights */
    uint32_t vectors;
    uint32_t run, granule, left; /* what comes next, and granules left */
    float *to;            /* where its rows of o go, `stride` apart */
    size_t stride;
    bool narrow;          /* from there on to x->o, in its dtype */
    bool ready;           /* q is in place already */
} state;

typedef struct granule {
    const kept *k, *v;      /* KEYS rows of [dim], `stride` apart; not for tiles, which find them by their slot */
    size_t stride;
    const uint64_t *masks;  /* [KEYS], or NULL */
    uint32_t lo, vectors;   /* vectors of rows that it touches */
    uint32_t slot;          /* of the panels, where that holds it */
} granule;

/* A key to be brought into row `to` of the panels. */
typedef struct fetch {
    uint32_t key, to;
} fetch;

/* Keys on their way into panels. */
typedef struct fetches {
    const shape *s;
    const operands *x;
    fetch *of;              /* of[next .. count) are left */
    uint32_t count, next;
    kept *k, *v;            /* [rows][dim] */
    uint32_t *held;         /* [rows]: which key each row holds */
} fetches;

typedef struct ahead {
    touches rows;           /* asked for */
    bool fetching;          /* the keys to come, rather than asking for them */
    fetches keys;
    uint32_t each, each_key; /* to be touched, and fetched, in every step, where steps are alike */
} ahead;

/* How operands are taken in: all zero for ordinary ones. */
typedef struct care {
    bool specials;          /* NaN and infinities of v are set apart */
    int k_shift, v_shift;   /* see facts.h */
} care;

/* Keys of a slot whose v has special elements, a bit each. */
typedef struct special_keys {
    uint32_t any, infinite;
} special_keys;

typedef struct panels panels; /* where keys and values are brought to */

typedef struct scratch {
    state *states;          /* [group] */
    granule *granules;      /* of a chunk */
    float *p;               /* [granules of a chunk][KEYS][ROWS] */
    packed *weights;        /* [granules of a chunk][WEIGHT_WORDS]; p itself where these are floats */
    panels *panels;
    uint64_t holds;         /* keys_id of the operands whose keys are in the panels */
    float *rows;            /* [ROWS][dim]: rows of q on their way in, of o on their way out */
    float *zeros, *spare;   /* [dim]; spare: of rows that are not wanted */
    attn_comb *combs;       /* for exact_row */
    uint32_t chunk, most;   /* granules in a chunk; a last one takes `most` rather than leave a crumb */
    ahead ahead;
    care care;
    uint64_t *columns;      /* [slots][KEYS][SORTS][words]: the columns of v that are special */
    special_keys *specials; /* [slots] */
    uint32_t words;         /* for a bit per column */
} scratch;

/* Key `t` of a run. */
INLINE size_t key_of(const program *p, const run *u, size_t t)
{
    if (u->list != RUN_COMB)
        return u->first + p->offsets[u->list + t];
    return u->width >= u->keys ? u->first + t : u->first + t / u->width * u->step + t % u->width;
}

/* Whether a tile's rows of o are written past the caches. Rows of a residue class are far apart: to bring their lines in only
 * to write them would cost as much again. */
INLINE bool streams_out(const shape *s, const operands *x, const tile *t, bool last)
{
    return s->large && last && t->row_step > 1 && s->dtype == ATTN_F32 && s->dim % 16 == 0 && (uintptr_t)x->o % 64 == 0;
}

INLINE bool is_careful(const scratch *w)
{
    return w->care.specials || w->care.k_shift || w->care.v_shift;
}

/* Rows of which a comparison said bits, per vector. */
INLINE uint64_t rows_of_lanes(uint32_t lanes, uint32_t v)
{
    return (uint64_t)(lanes & ((1u << LANES) - 1)) << (v * LANES);
}

INLINE void copy_row(float *dst, const float *src, size_t dim) /* a call of memcpy takes longer than this */
{
    size_t c = 0;
    for (; c + LANES <= dim; c += LANES)
        vf_storeu(dst + c, vf_loadu(src + c));
    for (; c < dim; c++)
        dst[c] = src[c];
}

INLINE void widen_row(float *dst, const void *tensor, size_t row, size_t dim, attn_dtype dtype)
{
    if (dtype == ATTN_F32)
        copy_row(dst, (const float *)tensor + row * dim, dim);
    else if (dtype == ATTN_BF16)
        widen_bf16(dst, (const uint16_t *)tensor + row * dim, dim);
    else
        widen_f16(dst, (const uint16_t *)tensor + row * dim, dim);
}

#ifdef PAIRS
#include "kernels/keep_bf16.h"
#else
#include "kernels/keep_f32.h"
#endif

/* The next key, into its panel; one a little further on is asked for. */
INLINE void fetch_key(fetches *f)
{
    enum { FORESIGHT = 8 };
    const size_t dim = f->s->dim, bytes = dim * attn_dtype_size(f->s->dtype);
    const fetch *of = &f->of[f->next++];
    if (f->next + FORESIGHT <= f->count)
        for (size_t b = 0, row = of[FORESIGHT].key * bytes; b < bytes; b += 64) {
            __builtin_prefetch((const char *)f->x->k + row + b, 0, 3);
            __builtin_prefetch((const char *)f->x->v + row + b, 0, 3);
        }
    keep_key(f->s, f->x, of->key, f->k, f->v, of->to);
    f->held[of->to] = of->key;
}

/* A step's share of what is to come. */
INLINE void look_further(ahead *a)
{
    touch_next(&a->rows, a->each);
    for (uint32_t r = 0; r < a->each_key && a->keys.next < a->keys.count; r++)
        fetch_key(&a->keys);
}

/* Scores at p become weights; their sums join chunk_sum. */
static void weigh(state *t, const granule *g, float *p);

/* ---- what an engine provides: vectors (forward_keys.h, forward_vectors.h), or tiles (amx_f32_engine.h) ---- */

/* Lays out the panels and says how many granules make a chunk, how many a last one may have, and how many slots
 * the panels have. */
typedef struct extent_of_chunks {
    uint32_t chunk, most, slots;
} extent_of_chunks;
static extent_of_chunks lay_out_panels(arena *a, const shape *s, scratch *to);

/* The panels hold nothing any more. */
static void forget_panels(scratch *w);

/* Before and after all groups of a call, and before each chunk. */
static void begin_engine(void);
static void end_engine(void);

/* Before every tile of group g, in lockstep, takes its next chunk, or its first. `next` is the group to follow, or NULL. */
static void prepare_round(const shape *s, const operands *x, const program *p, group g, bool first, const group *next, scratch *w);
static void prepare_chunk(const state *t, scratch *w);

/* Plans to bring near, while another tile is computed, what `to` needs next: the keys of its next chunk; or, for the
 * tile that it `begins`, its q (then true is returned) and the keys of its first chunk. settle_ahead() finishes what
 * is still to be done. */
static bool prepare_ahead(const shape *s, const operands *x, const program *p, const tile *begins, state *to, scratch *w);
static void settle_ahead(const shape *s, const operands *x, scratch *w);

/* The tile's q is in place, or has changed. */
static void prepare_queries(const shape *s, state *t);

/* Brings some of the granules i .. i + n of a run, at least one, near, and notes in w->granules from `at` on where they
 * are. Returns how many. */
static uint32_t bring(const shape *s, const operands *x, const program *p, const run *u, uint32_t i, uint32_t n,
                      scratch *w, uint32_t at);

/* The weights of a chunk with the tile's references, in w->p where there are special values, and their sums in
 * chunk_sum. False: given up, the references do not fit. */
static bool weigh_chunk(const shape *s, const operands *x, state *t, const granule *g, uint32_t n, scratch *w);

/* The scores of a granule, without reference, into `out` [KEYS][ROWS]; raises max to what rows see of them. */
static void track_scores(const shape *s, const operands *x, state *t, const granule *g, scratch *w, float *out);

/* o^T += p v for the chunk that was weighed last: by weigh_chunk(), or (`tracked`) with its weights in w->p. */
static void add_values(const shape *s, state *t, const granule *g, uint32_t n, scratch *w, bool tracked);
