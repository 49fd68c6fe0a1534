/* Forward attention in bf16 on AMX: tiles multiply while vectors do the softmax.
 *
 * A tile of the program is 32 rows, a granule 32 keys: two by two hardware tiles. Two granules make a
 * *unit*, and units go through a pipeline of three stages whose instructions are interleaved in one stream
 * (amx_step.h):
 *
 *     step i      scores of unit i+1          weights of unit i              values of unit i-1
 *                 S = Q K^T                   P = bf16(exp2(S c - m))        O += P [V 1]
 *
 *     q, k, v --> panels, L2 --> AMX --> S fp32, L1 --> AVX-512 --> P bf16, L1 --> AMX --> O fp32, L1
 *
 *   - Every multiplication of tiles (16 cycles) is followed by a few rows of softmax, so that both kinds
 *     of execution units have work; a result is stored while the next one is computed.
 *   - P is rounded to bf16, nearest even, by one instruction for 32 weights. The sum of a row is that of
 *     the rounded weights, which AMX adds up too: v has a column of ones. So constant v come back, and
 *     lse errs by what rounding makes of the sum, up to 2^-8 for a row of one key. Error of o: that of
 *     attention with P in bf16, plus up to a twentieth, since a row's largest weight is rounded like the
 *     rest (with the maximum as reference it is 1).
 *   - Q is the left operand as it is; the scale joins the scores in fp32. K and V are packed (amx_pack.h),
 *     a granule at a time, into panels that LOCKSTEP tiles share: these take a chunk of keys (256 KiB of
 *     panels, an eighth of L2) in turn, each with its O in L1, before the next chunk begins. Panels are
 *     found again by the keys they hold (amx_keys.h), so windows, whose tiles begin with different keys, share them as
 *     well. Packing a granule is about half the work of computing it for one tile, a thirtieth when 16
 *     tiles share.
 *   - The working set of a step, at dim 64: S 8, P 8, O 10, Q 4, panels 16 KiB. In a prototype, units of
 *     four granules were a third slower, two tiles at once a quarter: L1 decides.
 *   - Residue classes: few keys, far apart. Their rows are asked for while the class before is computed.
 *
 * Reference instead of maximum, as in forward_body.h: 0 until the sum of a row leaves [LEAST, MOST]; then
 * the chunk is computed again, outside the pipeline, with the row's maximum, and what came before is
 * rescaled. bf16 has the exponents of fp32, so there is as much room. O of a chunk begins at zero and
 * joins the tile's, so that nothing is lost when it overflows, and long sums have two levels.
 *
 * Exactness. AMX takes subnormals for zeros, whatever MXCSR says; vectors do as well here. Heads whose keys or values
 * are odd as a whole are shifted (facts.h); NaN and infinities of v are set apart, and of q and k known to make rows NaN
 * (amx_care.h). Rows that could have lost terms to underflow, or met subnormal v and came out tiny, and what else
 * leaves doubt, is for exact_row().
 *
 * Speed: 70 to 80% of the time is in step(), where storing a tile stops the products for about 45 cycles (docs/
 * KERNELS.md has figures). */
#include <float.h>
#include <math.h>
#include <string.h>

#include "kernels/exact.h"
#include "kernels/facts.h"
#include "kernels/kernel.h"
#include "kernels/log_sum_exp.h"
#include "kernels/shift.h"
#include "kernels/touch.h"

#ifndef TILES
#define TILES "kernels/amx_tiles.h" /* tests put an emulation here */
#endif
#include TILES

#include "kernels/amx_keys.h"
#include "kernels/amx_step.h"
#include "kernels/amx_pack.h"
#include "kernels/amx_scratch.h"
#include "kernels/amx_care.h"
#include "kernels/amx_rows.h"

enum {
    LOCKSTEP = 16,              /* tiles that take the same chunk before the next one begins */
    CHUNK_BYTES = 256 * 1024    /* of packed k and v */
};

/* ---- scratch ---- */

static void *lay_out(arena *a, const shape *s)
{
    uint32_t depth = (uint32_t)(s->dim + 31) / 32, columns = (uint32_t)s->dim / 16 + 1, words = (uint32_t)(s->dim + 63) / 64;
    size_t panel = (size_t)depth * 2 * TILE_BYTES, o = (size_t)columns * O_FLOATS;
    uint32_t chunk = (uint32_t)(CHUNK_BYTES / (2 * panel));
    uint32_t enough = (uint32_t)((s->nk / KEYS + 24) / 16 * 16), slots = 2 * chunk < enough ? 2 * chunk : enough;
    slots = slots < 16 ? 16 : slots;
    scratch *w = arena_take(a, 1, sizeof *w);
    scratch z = {
        .states = arena_take(a, LOCKSTEP, sizeof *z.states),
        .k = arena_take(a, slots + REPEATED, panel),
        .v = arena_take(a, slots + REPEATED, panel),
        .panel_bytes = panel,
        .held = {.keys = arena_take(a, slots, sizeof *z.held.keys), .used = arena_take(a, slots, sizeof *z.held.used),
                 .slots = slots, .needed = 2, .age = UINT32_MAX},
        .chunk = chunk,
        .subnormal = arena_take(a, slots + REPEATED, sizeof *z.subnormal),
        .specials = arena_take(a, slots + REPEATED, sizeof *z.specials),
        .columns = arena_take(a, (size_t)(slots + REPEATED) * (KEYS + 1) * SORTS * words, sizeof *z.columns),
        .words = words,
        .combs = arena_take(a, s->max_combs, sizeof *z.combs),
        .step = steps[depth - 1],
    };
    uint8_t *ones = arena_take(a, 1, TILE_BYTES);
    z.w = (buffers){
        .s = arena_take(a, UNIT_GRANULES * SCORE_FLOATS, sizeof *z.w.s),
        .p = {arena_take(a, UNIT_GRANULES, GRANULE_BYTES), arena_take(a, UNIT_GRANULES, GRANULE_BYTES)},
        .o = arena_take(a, o, sizeof *z.w.o),
        .ones = ones,
        .depth = depth,
        .columns = columns,
        .value_tiles = s->dim % 32 ? columns : columns - 1,
        .scale = (float)((double)s->scale * LOG2_E),
    };
    z.spare = z.w;
    z.spare.s = arena_take(a, UNIT_GRANULES * SCORE_FLOATS, sizeof *z.w.s);
    for (uint32_t i = 0; i < 2; i++)
        z.spare.p[i] = arena_take(a, UNIT_GRANULES, GRANULE_BYTES);
    for (uint32_t i = 0; i < LOCKSTEP; i++) {
        uint8_t *q = arena_take(a, depth, Q_BYTES);
        float *total = arena_take(a, o, sizeof *total);
        uint64_t *marks = arena_take(a, marks_size(words), sizeof *marks);
        if (z.states) {
            z.states[i].marks = marks;
            z.states[i].q = q;
            z.states[i].o = total;
        }
    }
    if (w && ones) {
        memset(ones, 0, TILE_BYTES);
        for (size_t pair = 0; pair < 16; pair++) {
            const uint16_t one[2] = {BF16_ONE, BF16_ONE};
            memcpy(ones + pair * 64, one, sizeof one);
        }
        *w = z;
    }
    return w;
}

/* ---- the pipeline ---- */

/* The next unit enters, or, without one, those inside move on. */
static void push(scratch *w, unit *n)
{
    unit *a = w->values_next, *b = w->weights_next;
    w->step(&w->w, a, b, n, &w->near);
    w->values_next = b;
    w->weights_next = n;
    w->held.now++;
    if (a && a->chunk_of)
        join_chunk(w, a->chunk_of);
}

static void drain(scratch *w)
{
    while (w->values_next || w->weights_next)
        push(w, NULL);
}

static void push_chunk(scratch *w, state *t)
{
    const program *p = w->p;
    if (t->in_flight + 2 >= w->held.now) /* its own last chunk may move references yet */
        drain(w);
    t->chunk = t->left <= w->chunk + w->chunk / 4 ? t->left : w->chunk;
    t->chunk_run = t->run;
    t->chunk_granule = t->granule;
    if (__builtin_expect(w->wary, 0))
        find_references(w, t);
    for (uint32_t done = 0; done < t->chunk; done += UNIT_GRANULES) {
        unit *n = &w->units[w->held.now % 3];
        uint32_t granules = t->chunk - done < UNIT_GRANULES ? t->chunk - done : UNIT_GRANULES;
        begin_unit(n, t, granules);
        n->parity = w->held.now % 2;
        n->first = done == 0;
        for (uint32_t g = 0; g < granules; g++) {
            const run *u = &p->runs[t->run];
            const uint32_t slot = find_panel(w, u, t->granule);
            t->seen |= t->rows & place_granule(w, n, g, u, t->granule, slot);
            t->subnormal |= w->subnormal[slot];
            if (__builtin_expect(w->specials[slot].any != 0, 0))
                mark_rows(w, t, n, g, slot);
            advance(p, &t->run, &t->granule);
        }
        if (done + granules == t->chunk) {
            n->chunk_of = t;
            t->left -= t->chunk;
            t->in_flight = w->held.now;
        }
        push(w, n);
    }
    w->count->granules += t->chunk;
    w->count->lanes += (uint64_t)t->chunk * KEYS * ROWS;
}

INLINE uint32_t last_key(const program *p, const tile *t)
{
    const run *u = &p->runs[t->first_run + t->runs - 1];
    const uint32_t last = u->keys - 1;
    return u->first + (u->list != RUN_COMB ? p->offsets[u->list + last] : last / u->width * u->step + last % u->width);
}

/* Asks, while a tile of a residue class is computed, for the rows that the next one needs, keys only if they are new; and
 * for those of the one after, whose q is packed first. */
static void look_ahead(scratch *w, const tile *t, const tile *next, const tile *later)
{
    const size_t bytes = w->s->dim * sizeof(uint16_t);
    touches *a = &w->near;
    a->count = a->next = a->rows = 0;
    if (later && later->row_step > 1)
        touch_rows(a, w->x->q, later->row0, bytes, later->row_step, later->count, false);
    if (!next || next->row_step == 1 || !next->granules)
        return;
    const run *runs = &w->p->runs[next->first_run];
    const bool same = t->granules && runs->first == w->p->runs[t->first_run].first;
    const uint32_t known = same ? last_key(w->p, t) : 0;
    for (const run *u = runs; u < runs + next->runs; u++)
        if (u->list == RUN_COMB && u->width == 1 && (!same || u->first > known)) {
            touch_rows(a, w->x->k, u->first, bytes, u->step, u->keys, false);
            touch_rows(a, w->x->v, u->first, bytes, u->step, u->keys, false);
        }
    if (w->last)
        touch_rows(a, w->x->o, next->row0, bytes, next->row_step, next->count, true);
    else
        touch_rows(a, w->x->partial, next->row0, 2 * bytes, next->row_step, next->count, true);
}

static void begin_tile(scratch *w, uint32_t i, const tile *t)
{
    load_tile(w, &w->states[i], t);
    if (!t->granules) {
        memset(w->states[i].o, 0, (size_t)w->w.columns * O_FLOATS * sizeof(float));
        store_tile(w, &w->states[i], w->states[i].o);
    }
}

/* Tiles in lockstep, chunk by chunk. */
static void run_tiles(scratch *w, const tile *tiles, uint32_t count)
{
    begin_tile(w, 0, &tiles[0]);
    for (bool first = true, more = true; more; first = false) {
        more = false;
        for (uint32_t i = 0; i < count; i++) {
            if (first) {
                if (i + 1 < count)
                    begin_tile(w, i + 1, &tiles[i + 1]);
                look_ahead(w, &tiles[i], i + 1 < count ? &tiles[i + 1] : NULL, i + 2 < count ? &tiles[i + 2] : NULL);
            }
            if (w->states[i].left) {
                push_chunk(w, &w->states[i]);
                more |= w->states[i].left > 0;
            }
        }
    }
    drain(w);
}

/* ---- the kernel ---- */

static void compute(const shape *s, const operands *x, const program *p, const group *groups, uint32_t count, bool last,
                    void *memory, tally *done)
{
    scratch *w = memory;
    w->s = s;
    w->x = x;
    w->p = p;
    w->count = done;
    w->last = last;
    w->wary = false;
    w->values_next = w->weights_next = NULL;
    if (w->holds != x->keys_id)
        directory_forget(&w->held);
    w->holds = x->keys_id;
    const facts f = facts_sampled(s, x);
    w->k_shift = f.k_shift;
    w->v_shift = f.v_shift;
    unsigned control = _mm_getcsr();
    _mm_setcsr(control | FLUSH);
    tiles_open();
    uint32_t first = groups[0].first_tile, end = groups[count - 1].first_tile + groups[count - 1].tiles;
    for (uint32_t t = first; t < end; t += LOCKSTEP)
        run_tiles(w, &p->tiles[t], end - t < LOCKSTEP ? end - t : LOCKSTEP);
    tiles_close();
    _mm_setcsr(control);
}

extern const kernel KERNEL_SYMBOL;
const kernel KERNEL_SYMBOL = {
    KERNEL_FIELDS,
    .dtypes = 1u << ATTN_BF16,
    .geometry = {ROWS, 1, KEYS},
    .max_group = LOCKSTEP,
    .packs = true,
    .rates = {{[WORK_FMA_1] = 0.218f, [WORK_FMA_2] = 0.65f, [WORK_FMA_MORE] = 0.55f, [WORK_WEIGHT] = 10.3f,
               [WORK_MASK] = 3.52f, [WORK_GRANULE] = 20.4f, [WORK_GATHER] = 0.0238f, [WORK_STREAM] = 0.052f,
               [WORK_ROW] = 0.532f, [WORK_FAR] = 26.4f, [WORK_CARRY] = 1.15f, [WORK_TILE] = 416}}, /* Emerald Rapids, gcc 12 */
    .scratch = lay_out,
    .run = compute,
};
