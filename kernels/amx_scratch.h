/* What the parts of amx_body.h share: tiles of the program on their way, panels, scratch memory. */

#define LEAST 0x1p-32f  /* a row's sum stays between these, or its reference moves */
#define MOST 0x1p64f
#define FLUSH 0x8040u   /* in MXCSR: subnormal results and operands are zeros */
#define REACH 40        /* of a maximum above the reference, in units of log2, where maxima are found first; half of it below */
#define TINY 0x1p-100f  /* outputs below: terms flushed to zero may have mattered */
#define LOG2_E 1.4426950408889634

typedef struct state { /* one tile of the program */
    _Alignas(64) float minus_reference[ROWS]; /* in units of log2 */
    float sum[ROWS];
    float carry[ROWS];     /* what an earlier part's o is to be multiplied by */
    uint8_t *q;            /* packed */
    float *o;              /* of all chunks but a last one: [columns][O_FLOATS] */
    const tile *tile;
    uint32_t rows;         /* bits of its rows */
    uint32_t seen;         /* rows that have met a key */
    uint32_t dead;         /* rows with a score of NaN or infinity, or one that fp32 cannot hold */
    uint32_t lost;         /* rows an earlier part could not compute */
    uint64_t *marks;       /* NaN and infinities of v, set apart: see amx_care.h */
    uint32_t marked;       /* rows that see one */
    uint32_t infinite;     /* rows that may see an infinity */
    bool marks_in_use;     /* they are cleared by the first one */
    uint32_t run, granule, left; /* what comes next, and granules left */
    uint32_t chunk_run, chunk_granule, chunk; /* where the chunk in the pipeline begins, its granules */
    uint64_t in_flight;    /* until this unit */
    bool begun;            /* o holds something */
    bool subnormal;        /* some v may be subnormal, which AMX takes for zero */
} state;

/* Keys of a panel whose v has special elements, a bit each. */
typedef struct special_keys {
    uint32_t any, infinite;
} special_keys;

enum { REPEATED = 3 * UNIT_GRANULES }; /* granules in a pipeline */

typedef struct scratch {
    buffers w, spare;      /* `spare` has its own s and p, and the same o */
    state *states;         /* [LOCKSTEP] */
    unit units[3];         /* in the pipeline: number n in units[n % 3] */
    unit *values_next, *weights_next; /* what has got so far */
    uint8_t *k, *v;        /* panels of packed granules, [slots + REPEATED] */
    size_t panel_bytes;    /* of k or v, of a granule */
    uint64_t holds;        /* keys_id of the operands whose keys are in the panels */
    directory held;        /* by units; the last REPEATED panels, beyond its slots, are for chunks that are looked at again */
    uint32_t chunk;        /* granules; a last one takes a quarter more rather than leave a crumb */
    bool *subnormal;       /* [slots]: v has some */
    special_keys *specials; /* [slots] */
    uint64_t *columns;     /* [slots][KEYS + 1][SORTS][words]: the columns of v that are special */
    uint32_t words;        /* for a bit per column */
    attn_comb *combs;      /* for exact_row() */
    step_fn *step;
    touches near;          /* rows of the next tile, to be asked for */
    /* Of this call: */
    const shape *s;
    const operands *x;
    const program *p;
    tally *count;
    bool last;
    bool wary;             /* a chunk had to be computed again: maxima of the next ones are found first */
    int k_shift, v_shift;  /* see facts.h */
} scratch;

/* ---- where a tile is among its runs ---- */

INLINE void advance(const program *p, uint32_t *in, uint32_t *granule)
{
    if (++*granule == p->runs[*in].granules) {
        *granule = 0;
        ++*in;
    }
}

/* ---- where an element of a block of o is: [columns][2 halves of the rows][16][16] ---- */

INLINE const float *o_row(const float *o, uint32_t column16, uint32_t row)
{
    return o + (size_t)column16 * O_FLOATS + row * 16;
}
