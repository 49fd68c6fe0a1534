/* What the next tile needs, done while tiles multiply and nothing is to be weighed. Part of amx_f32_engine.h, which
 * explains.
 *
 * Its q is transposed and packed, the panels of its first chunk that are not there yet are packed, one small chore
 * after the other. Only ordinary floats: others are brought when their time comes. */

/* Every chore is short, about as long as what it stands beside: 64 cycles of tile products. */
enum {
    KEY_ROWS = 2,                     /* of a chore */
    KEY_CHORES = KEYS / KEY_ROWS,
    QUERY_PARTS = 4,                  /* of 16 pairs of columns */
    VALUE_ROWS = 4,                   /* of a chore */
    VALUE_PARTS = 2 + 16 / VALUE_ROWS /* of 16 columns: two transposes, then rows */
};

typedef struct chores {
    vf most;                         /* largest magnitudes so far */
    uint32_t at, end;                /* of the chores of q, then of those of each panel */
    uint32_t transposes, query_chores, fill_chores;
    size_t dim;
    /* q: */
    const float *from;               /* its rows, `stride` apart */
    size_t stride;
    uint32_t rows;
    float scale;                     /* with log2(e) */
    float *q;                        /* [dim][ROWS] */
    uint8_t *tiled;
    bool *query_huge;
    /* panels: */
    uint32_t fills[CHUNK_MOST];      /* slots */
    const struct panels *panels;
    const float *k, *v, *zeros;      /* the tensors; for padding */
    const float *k_row[KEYS], *v_row[KEYS]; /* of the panel begun */
    bool special;                    /* NaN or infinities have been met among the values */
} chores;

/* 16 rows x 16 columns of q. */
static void do_transpose(const chores *c, uint32_t i)
{
    const uint32_t half = i % 2 * 16, column = i / 2 * 16;
    vf r[16];
    UNROLL for (uint32_t l = 0; l < 16; l++)
        r[l] = half + l < c->rows ? vf_loadu(c->from + (half + l) * c->stride + column) : vf_set1(0);
    vf_transpose(r);
    UNROLL for (uint32_t l = 0; l < 16; l++)
        vf_store(c->q + (column + l) * ROWS + half, vf_mul(r[l], vf_set1(c->scale)));
}

static void begin_fill(chores *c, const uint32_t *keys)
{
    for (uint32_t r = 0; r < KEYS; r++) {
        c->k_row[r] = keys[r] == UINT32_MAX ? c->zeros : c->k + (size_t)keys[r] * c->dim;
        c->v_row[r] = keys[r] == UINT32_MAX ? c->zeros : c->v + (size_t)keys[r] * c->dim;
    }
}

static __attribute__((noinline)) void do_chore(chores *c)
{
    const panels *to = c->panels;
    const uint32_t i = c->at++, pack = i - c->transposes;
    if (i < c->transposes) {
        do_transpose(c, i);
        return;
    }
    if (i < c->query_chores) {
        const uint32_t pair = pack % QUERY_PARTS * (16 / QUERY_PARTS), half = pack / QUERY_PARTS % 2;
        pack_query_pairs(c->tiled, c->q, pack / QUERY_PARTS / 2, half, pair, pair + 16 / QUERY_PARTS, c->dim, &c->most);
        if (i + 1 < c->query_chores)
            return;
        *c->query_huge = is_huge(c->most);
        c->most = vf_set1(0);
        return;
    }
    const uint32_t slot = c->fills[(i - c->query_chores) / c->fill_chores], part = (i - c->query_chores) % c->fill_chores;
    if (part == 0)
        begin_fill(c, to->held.keys[slot]);
    if (part >= KEY_CHORES) {
        const uint32_t column = (part - KEY_CHORES) / VALUE_PARTS, step = (part - KEY_CHORES) % VALUE_PARTS;
        if (step < 2)
            transpose_values(to->transposed[step], c->v_row, step, column, c->dim);
        else
            c->special |= pack_value_rows(to->v + slot * to->bytes, to->transposed[0], to->transposed[1],
                                          (step - 2) * VALUE_ROWS, (step - 1) * VALUE_ROWS, column);
        return;
    }
    pack_key_rows(to->k + slot * to->bytes, c->k_row, part * KEY_ROWS, (part + 1) * KEY_ROWS, c->dim, &c->most);
    if (part + 1 == KEY_CHORES) {
        to->huge[slot] = is_huge(c->most);
        c->most = vf_set1(0);
    }
}

static void do_all_chores(chores *c)
{
    while (c->at < c->end)
        do_chore(c);
}
