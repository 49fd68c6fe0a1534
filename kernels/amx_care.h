/* NaN and infinities, and rows whose result is in doubt. Part of amx_body.h, which explains.
 *
 * A special element of v would leak through weights of 0 behind a mask. Instead it is packed as 0, and its place noted as
 * a bit per column; as a tile meets the key, the rows that see it are *marked* in that column. On output the marks go over
 * the finite sums: NaN, or both infinities, give NaN. As in forward_care.h, but with bits by rows, which is how o leaves
 * tiles, and always: granules are looked at when they are packed.
 *
 * An infinity with the weight 0 is NaN, too. What is 0 in bf16 need not be 0 in fp64: rows whose scores may be so far apart
 * are left to exact_row().
 *
 * Rows with a NaN or infinite score from a NaN or an infinity in q or k are NaN; a score of -inf is a weight of 0, and
 * spoils nothing. */

enum sort { SORT_NAN, SORT_PLUS, SORT_MINUS, SORTS };

/* ---- v, as it is packed ---- */

/* [SORTS][words]; key KEYS stands for all of them together. */
INLINE uint64_t *columns_of(const scratch *w, uint32_t slot, uint32_t key)
{
    return w->columns + ((size_t)slot * (KEYS + 1) + key) * SORTS * w->words;
}

/* Bits 0, 2, 4, ... side by side. */
INLINE uint32_t even_bits(uint32_t x)
{
#ifdef __BMI2__
    return _pext_u32(x, 0x55555555u);
#else
    x &= 0x55555555u;
    x = (x | x >> 1) & 0x33333333u;
    x = (x | x >> 2) & 0x0f0f0f0fu;
    x = (x | x >> 4) & 0x00ff00ffu;
    return (x | x >> 8) & 0x0000ffffu;
#endif
}

/* Takes the special elements out of two keys in 64 columns of a panel, from `at` on, and says which they are. */
INLINE void take_pair_out(uint8_t *at, uint32_t blocks, uint64_t found[2][SORTS])
{
    const __m512i exponent = _mm512_set1_epi16(0x7f80), fraction = _mm512_set1_epi16(0x7f), sign = _mm512_set1_epi16(-0x8000);
    memset(found, 0, 2 * SORTS * sizeof found[0][0]);
    for (uint32_t block = 0; block < blocks; block++, at += TILE_BYTES) {
        const __m512i x = _mm512_load_si512(at);
        const uint32_t finite = _mm512_test_epi16_mask(_mm512_andnot_si512(x, exponent), exponent);
        if (finite == UINT32_MAX)
            continue;
        const uint32_t nan = ~finite & _mm512_test_epi16_mask(x, fraction), infinite = ~finite & ~nan;
        const uint32_t minus = infinite & _mm512_test_epi16_mask(x, sign);
        for (uint32_t half = 0; half < 2; half++) {
            found[half][SORT_NAN] |= (uint64_t)even_bits(nan >> half) << (16 * block);
            found[half][SORT_PLUS] |= (uint64_t)even_bits((infinite & ~minus) >> half) << (16 * block);
            found[half][SORT_MINUS] |= (uint64_t)even_bits(minus >> half) << (16 * block);
        }
        _mm512_store_si512(at, _mm512_maskz_mov_epi16(finite, x));
    }
}

/* Takes the special elements out of a panel of v, which is that of `slot`. */
static __attribute__((noinline)) void take_specials_out(scratch *w, uint32_t slot, uint8_t *v)
{
    special_keys of = {0, 0};
    uint64_t *together = columns_of(w, slot, KEYS);
    memset(together, 0, (size_t)SORTS * w->words * sizeof *together);
    for (uint32_t word = 0; word < w->words; word++)
        for (uint32_t pair = 0; pair < KEYS / 2; pair++) {
            const uint32_t left = w->w.value_tiles - 4 * word;
            uint64_t found[2][SORTS];
            take_pair_out(v + (size_t)4 * word * TILE_BYTES + pair * 64, left < 4 ? left : 4, found);
            for (uint32_t half = 0; half < 2; half++) {
                const uint32_t key = 2 * pair + half;
                uint64_t *columns = columns_of(w, slot, key) + word;
                for (uint32_t sort = 0; sort < SORTS; sort++) {
                    columns[sort * w->words] = found[half][sort];
                    together[sort * w->words + word] |= found[half][sort];
                }
                const uint64_t infinite = found[half][SORT_PLUS] | found[half][SORT_MINUS];
                of.any |= (uint32_t)((infinite | found[half][SORT_NAN]) != 0) << key;
                of.infinite |= (uint32_t)(infinite != 0) << key;
            }
        }
    w->specials[slot] = of;
}

/* ---- marks: [SORTS][words of columns][MARKED]; row ROWS stands for all rows ---- */

enum { MARKED = ROWS + 8 }; /* whole vectors */

INLINE size_t marks_size(uint32_t words) { return (size_t)SORTS * words * MARKED; }

INLINE uint64_t *marks_of(const scratch *w, const state *t, uint32_t sort, uint32_t word)
{
    return t->marks + ((size_t)sort * w->words + word) * MARKED;
}

INLINE void mark(uint64_t *marks, uint32_t rows, uint64_t columns)
{
    for (uint32_t r = 0; r < ROWS; r++) /* without branches, so that it is vectorised */
        marks[r] |= columns & -(uint64_t)(rows >> r & 1);
}

/* Whether it would change nothing to mark the rows that see special keys of the panel in `slot`. */
INLINE bool all_are_marked(const scratch *w, const state *t, uint32_t slot)
{
    const uint64_t *columns = columns_of(w, slot, KEYS);
    uint64_t new = (t->marked ^ t->rows) | (w->specials[slot].infinite ? t->infinite ^ t->rows : 0);
    for (uint32_t sort = 0; sort < SORTS && !new; sort++)
        for (uint32_t word = 0; word < w->words; word++)
            new |= *columns++ & ~marks_of(w, t, sort, word)[ROWS];
    return !new;
}

/* Marks the rows that see special keys of granule g of a unit, which is that in `slot`. */
static __attribute__((noinline)) void mark_rows(const scratch *w, state *t, const unit *n, uint32_t g, uint32_t slot)
{
    const special_keys specials = w->specials[slot];
    if (!t->marks_in_use)
        memset(t->marks, 0, marks_size(w->words) * sizeof *t->marks);
    t->marks_in_use = true;
    if (all_are_marked(w, t, slot))
        return;
    uint32_t rows[KEYS]; /* that see a key */
    for (uint32_t keys = specials.any; keys; keys &= keys - 1) {
        const uint32_t key = (uint32_t)__builtin_ctz(keys);
        rows[key] = (n->masked >> g & 1 ? n->masks[g][key] : UINT32_MAX) & t->rows;
        t->marked |= rows[key];
        t->infinite |= specials.infinite >> key & 1 ? rows[key] : 0;
    }
    for (uint32_t sort = 0; sort < SORTS; sort++)
        for (uint32_t word = 0; word < w->words; word++) {
            uint64_t *marks = marks_of(w, t, sort, word);
            for (uint32_t keys = specials.any; keys; keys &= keys - 1) {
                const uint32_t key = (uint32_t)__builtin_ctz(keys);
                const uint64_t columns = columns_of(w, slot, key)[sort * w->words + word] & ~marks[ROWS];
                if (columns && rows[key] == t->rows)
                    marks[ROWS] |= columns;
                else if (columns)
                    mark(marks, rows[key], columns);
            }
        }
}

/* Columns c .. c + 16 of row r, with its marks over them. */
INLINE __m512 with_marks(const scratch *w, const state *t, uint32_t r, size_t c, __m512 value)
{
    uint32_t is[SORTS];
    for (uint32_t sort = 0; sort < SORTS; sort++) {
        const uint64_t *marks = marks_of(w, t, sort, (uint32_t)(c / 64));
        is[sort] = (uint32_t)((marks[r] | marks[ROWS]) >> (c % 64)) & 0xffff;
    }
    is[SORT_NAN] |= is[SORT_PLUS] & is[SORT_MINUS];
    value = _mm512_mask_mov_ps(value, (__mmask16)is[SORT_PLUS], _mm512_set1_ps(INFINITY));
    value = _mm512_mask_mov_ps(value, (__mmask16)is[SORT_MINUS], _mm512_set1_ps(-INFINITY));
    return _mm512_mask_mov_ps(value, (__mmask16)is[SORT_NAN], _mm512_set1_ps(NAN));
}

/* ---- q and k ---- */

INLINE uint32_t columns_left(size_t dim, size_t c) { return dim - c >= 32 ? UINT32_MAX : (1u << (dim - c)) - 1; }

INLINE const uint16_t *query_of(const scratch *w, const state *t, uint32_t r)
{
    return (const uint16_t *)w->x->q + (t->tile->row0 + (size_t)r * t->tile->row_step) * w->s->dim;
}

INLINE bool is_special_row(const uint16_t *row, size_t dim)
{
    const __m512i exponent = _mm512_set1_epi16(0x7f80);
    uint32_t special = 0;
    for (size_t c = 0; c < dim; c += 32) {
        const uint32_t columns = columns_left(dim, c);
        const __m512i x = _mm512_maskz_loadu_epi16(columns, row + c);
        special |= columns & ~_mm512_test_epi16_mask(_mm512_andnot_si512(x, exponent), exponent);
    }
    return special != 0;
}

/* Those of `rows`, whose q is finite, with a NaN or positively infinite score at a key whose k is special. Zeros times infinity are
 * NaN. */
static uint32_t spoilt_by(const scratch *w, const state *t, uint32_t rows, const uint16_t *k)
{
    const __m512i exponent = _mm512_set1_epi16(0x7f80), fraction = _mm512_set1_epi16(0x7f), magnitude = _mm512_set1_epi16(0x7fff),
                  sign = _mm512_set1_epi16(-0x8000);
    uint32_t spoilt = 0;
    for (size_t c = 0; c < w->s->dim; c += 32) {
        const uint32_t columns = columns_left(w->s->dim, c);
        const __m512i x = _mm512_maskz_loadu_epi16(columns, k + c);
        const uint32_t special = columns & ~_mm512_test_epi16_mask(_mm512_andnot_si512(x, exponent), exponent);
        if (special & _mm512_test_epi16_mask(x, fraction))
            return rows;
        for (uint32_t left = special ? rows & ~spoilt : 0; left; left &= left - 1) {
            const uint32_t r = (uint32_t)__builtin_ctz(left);
            const __m512i q = _mm512_maskz_loadu_epi16(columns, query_of(w, t, r) + c);
            const uint32_t zero = ~_mm512_test_epi16_mask(q, magnitude);
            const uint32_t plus = ~_mm512_test_epi16_mask(_mm512_xor_si512(q, x), sign);
            spoilt |= (uint32_t)((special & (zero | plus)) != 0) << r;
        }
    }
    return spoilt;
}

/* Those of `rows` that have a NaN or positively infinite score in the chunk in the pipeline from a NaN or an infinity in q or k. */
static uint32_t spoilt_rows(const scratch *w, const state *t, uint32_t rows)
{
    const shape *s = w->s;
    uint32_t spoilt = 0, in = t->chunk_run, granule = t->chunk_granule;
    for (uint32_t left = rows; left; left &= left - 1) {
        const uint32_t r = (uint32_t)__builtin_ctz(left);
        spoilt |= (uint32_t)is_special_row(query_of(w, t, r), s->dim) << r;
    }
    if (rows == spoilt || !facts_scanned(s, w->x).k.special)
        return spoilt;
    for (uint32_t g = 0; g < t->chunk; g++) {
        const run *u = &w->p->runs[in];
        const uint64_t *masks = u->mask == RUN_ALL ? NULL : w->p->masks + (size_t)(u->mask + granule * u->mask_step) * KEYS;
        const key_list list = list_keys(w->p, u, granule, s->nk);
        _Alignas(64) uint32_t keys[KEYS];
        _mm512_store_si512(keys, list.lo);
        _mm512_store_si512(keys + 16, list.hi);
        for (uint32_t key = 0; key < KEYS; key++) {
            const uint32_t see = rows & ~spoilt & (masks ? (uint32_t)masks[key] : UINT32_MAX);
            if (!see || keys[key] == UINT32_MAX)
                continue;
            const uint16_t *k = (const uint16_t *)w->x->k + keys[key] * s->dim;
            spoilt |= is_special_row(k, s->dim) ? spoilt_by(w, t, see, k) : 0;
        }
        advance(w->p, &in, &granule);
    }
    return spoilt;
}

/* ---- doubt ---- */

/* Whether the result of a row may be wrong. `weight` is the sum of the magnitudes of its o, normalised when the
 * row is finished. */
INLINE bool is_doubtful(const state *t, uint32_t r, float weight, bool last)
{
    if ((t->dead | t->marked) >> r & 1)
        return true;
    if (!(t->seen >> r & 1))
        return weight != 0;
    return !(weight <= FLT_MAX) || !(t->sum[r] >= LEAST) ||
           (last && weight < TINY && (weight > 0 || t->sum[r] < 0x1p-8f || t->subnormal));
}

/* Whether a row with a NaN or infinite score, or with none but -inf, is NaN: that is so unless fp32 overflowed, or a subnormal
 * q, which tiles take for zero, met an infinity. */
static bool is_nan(const scratch *w, const state *t, uint32_t r)
{
    const uint16_t *q = query_of(w, t, r);
    const extent of = facts_row(w->s, q, 0);
    if (of.special)
        return true;
    const facts f = facts_scanned(w->s, w->x);
    for (size_t c = 0; c < w->s->dim; c++)
        if (!(q[c] & 0x7f80) && q[c] & 0x7f)
            return false;
    return f.k.special && facts_scores_fit(w->s, of.exponent, f.k.exponent);
}

/* Whether no weight of a row is 0 in fp64: |score| <= |q| |k|, and exp(-700) is a number. */
static bool has_weights(const scratch *w, const state *t, uint32_t r)
{
    const facts f = facts_scanned(w->s, w->x);
    const uint16_t *q = query_of(w, t, r);
    __m512 squares = _mm512_setzero_ps();
    for (size_t c = 0; c < w->s->dim; c += 32) {
        const __m512i x = _mm512_maskz_loadu_epi16(columns_left(w->s->dim, c), q + c), upper = _mm512_set1_epi32(-0x10000);
        const __m512 a = _mm512_castsi512_ps(_mm512_slli_epi32(x, 16)), b = _mm512_castsi512_ps(_mm512_and_si512(x, upper));
        squares = _mm512_fmadd_ps(b, b, _mm512_fmadd_ps(a, a, squares));
    }
    const double k = ldexp(sqrt((double)w->s->dim), f.k.exponent) * fabs((double)w->s->scale);
    return !f.k.special && sqrt((double)_mm512_reduce_add_ps(squares)) * k <= 350;
}

/* What a doubtful row is after all. */
enum outcome { FINE, ZEROS, NANS, UNSETTLED };

static __attribute__((noinline)) enum outcome judge(const scratch *w, const state *t, uint32_t r, float weight)
{
    if (!(t->seen >> r & 1))
        return ZEROS;
    if (t->lost >> r & 1)
        return UNSETTLED;
    if (t->dead >> r & 1 || (w->last && !(t->sum[r] >= LEAST)))
        return !w->last || is_nan(w, t, r) ? NANS : UNSETTLED;
    if (t->infinite >> r & 1 && (t->carry[r] < 0x1p-100f || !has_weights(w, t, r)))
        return UNSETTLED;
    if (weight <= FLT_MAX) /* tiny, or marked by an earlier part alone */
        return t->marked >> r & 1 ? FINE : UNSETTLED;
    const bool bounded = w->v_shift || facts_scanned(w->s, w->x).v.exponent <= FACTS_ORDINARY_V;
    return t->marked >> r & 1 && bounded ? FINE : UNSETTLED;
}
