/* Operands taken in with care: shifted by powers of two, NaN and infinities of v set apart. Part of
 * forward_body.h, which explains.
 *
 * A special element of v would leak through weights of 0 behind a mask. Instead it enters the panel as 0, and its
 * place is noted as a bit per column; as a tile meets the key, the rows that see it are *marked* in that column:
 * all at once where all see it. On output the marks go over the finite sums: NaN, or both infinities, give NaN.
 *
 * An infinity with the weight 0 is NaN, too. What is 0 in fp32 need not be 0 in fp64, where the weight is
 * exp(score - maximum): such rows are left unsure. */

enum sort { SORT_NAN, SORT_PLUS, SORT_MINUS, SORTS };

/* The special columns of the key in place `r` of a slot. */
INLINE uint64_t *columns_of(const scratch *w, uint32_t slot, uint32_t r)
{
    return w->columns + ((size_t)slot * KEYS + r) * SORTS * w->words;
}

/* Takes the special elements out of a row of v, which is key `r` of `slot`. */
static void take_specials_out(scratch *w, uint32_t slot, uint32_t r, float *v, size_t dim)
{
    const uint32_t lanes = (1u << LANES) - 1;
    uint64_t *columns = columns_of(w, slot, r), *nans = columns + SORT_NAN * w->words;
    uint64_t *plus = columns + SORT_PLUS * w->words, *minus = columns + SORT_MINUS * w->words;
    uint32_t any = 0, infinite = 0;
    memset(columns, 0, SORTS * w->words * sizeof *columns);
    size_t c = 0;
    while (c + LANES <= dim) { /* lanes divide 64 */
        const size_t word = c / 64;
        uint64_t is[SORTS] = {0};
        for (; c + LANES <= dim && c / 64 == word; c += LANES) {
            vf x = vf_loadu(v + c), size = vf_abs(x);
            uint32_t finite = vf_le(size, vf_set1(FLT_MAX)) & lanes;
            if (finite == lanes)
                continue;
            uint32_t up = vf_ge(x, vf_set1(INFINITY)) & lanes, down = vf_le(x, vf_set1(-INFINITY)) & lanes;
            any = 1;
            infinite |= up | down;
            is[SORT_NAN] |= (uint64_t)(lanes & ~(finite | up | down)) << (c % 64);
            is[SORT_PLUS] |= (uint64_t)up << (c % 64);
            is[SORT_MINUS] |= (uint64_t)down << (c % 64);
            vf_storeu(v + c, vf_keep(x, finite));
        }
        nans[word] = is[SORT_NAN];
        plus[word] = is[SORT_PLUS];
        minus[word] = is[SORT_MINUS];
    }
    for (; c < dim; c++)
        if (!(fabsf(v[c]) <= FLT_MAX)) {
            any = 1;
            infinite |= v[c] == v[c];
            *(v[c] != v[c] ? nans + c / 64 : v[c] > 0 ? plus + c / 64 : minus + c / 64) |= 1ull << (c % 64);
            v[c] = 0;
        }
    const uint32_t bit = 1u << r;
    special_keys *of = &w->specials[slot];
    *of = (special_keys){(of->any & ~bit) | (any ? bit : 0), (of->infinite & ~bit) | (infinite ? bit : 0)};
}

/* Sets how operands are taken in from now on. */
static void set_care(scratch *w, care c)
{
    if (c.specials != w->care.specials || c.k_shift != w->care.k_shift || c.v_shift != w->care.v_shift)
        forget_panels(w);
    w->care = c;
}

/* ---- marks: [SORTS][dim] words of rows, then [words][SORTS] of columns that all rows see ---- */

INLINE uint64_t *marks_for_all(const shape *s, const state *t) { return t->marks + s->dim * SORTS; }

INLINE size_t marks_size(const shape *s) { return (s->dim + (s->dim + 63) / 64) * SORTS; }

/* Marks `rows` in the columns, which are 64 from c on. */
INLINE void mark_columns(uint64_t *marks, size_t dim, size_t c, uint64_t columns, uint64_t rows)
{
    enum { MANY = 16 };
    const size_t count = dim - c < 64 ? dim - c : 64;
    if (__builtin_popcountll(columns) > MANY)
        for (size_t i = 0; i < count; i++) /* as vectors */
            marks[c + i] |= rows & -(columns >> i & 1);
    else
        for (; columns; columns &= columns - 1)
            marks[c + (size_t)__builtin_ctzll(columns)] |= rows;
}

static void set_specials_apart(const shape *s, state *t, const granule *g, uint32_t n, const scratch *w)
{
    for (uint32_t i = 0; i < n; i++) {
        const special_keys specials = w->specials[g[i].slot];
        uint64_t vectors = (UINT64_MAX >> (64 - g[i].vectors * LANES)) << (g[i].lo * LANES);
        for (uint32_t keys = specials.any; keys; keys &= keys - 1) {
            uint32_t r = (uint32_t)__builtin_ctz(keys);
            uint64_t rows = (g[i].masks ? g[i].masks[r] : vectors) & t->rows;
            const uint64_t *columns = columns_of(w, g[i].slot, r);
            if (!rows)
                continue;
            t->marked |= rows;
            for (uint32_t sort = 0; sort < SORTS; sort++)
                for (uint32_t word = 0; word < w->words; word++) {
                    uint64_t bits = columns[sort * w->words + word];
                    if (rows == t->rows)
                        marks_for_all(s, t)[word * SORTS + sort] |= bits;
                    else if (bits)
                        mark_columns(t->marks + sort * s->dim, s->dim, word * 64, bits, rows);
                }
            if (specials.infinite >> r & 1) {
                t->infinite |= rows;
                const float *p = w->p + ((size_t)i * KEYS + r) * ROWS;
                for (uint32_t v = g[i].lo; v < g[i].lo + g[i].vectors; v++)
                    t->unsure |= rows_of_lanes(vf_le(vf_load(p + v * LANES), vf_set1(0)), v) & rows;
            }
        }
    }
}

/* Writes the marks over o^T. */
static void put_specials_back(const shape *s, state *t)
{
    for (size_t c = 0; c < s->dim; c++) {
        uint64_t is[SORTS];
        for (uint32_t sort = 0; sort < SORTS; sort++)
            is[sort] = marks_for_all(s, t)[c / 64 * SORTS + sort] >> (c % 64) & 1 ? t->rows : t->marks[sort * s->dim + c];
        is[SORT_NAN] |= is[SORT_PLUS] & is[SORT_MINUS];
        if (!(is[SORT_NAN] | is[SORT_PLUS] | is[SORT_MINUS]))
            continue;
        for (uint32_t v = 0; v < t->vectors; v++) {
            float *o = t->o + c * ROWS + v * LANES;
            vf x = vf_load(o);
            x = vf_select((uint32_t)(is[SORT_PLUS] >> (v * LANES)), vf_set1(INFINITY), x);
            x = vf_select((uint32_t)(is[SORT_MINUS] >> (v * LANES)), vf_set1(-INFINITY), x);
            vf_store(o, vf_select((uint32_t)(is[SORT_NAN] >> (v * LANES)), vf_set1(NAN), x));
        }
    }
}
