/* text:PATH: q, k and v derived from the bytes x_0 x_1 ... of real text, by a model of what attention heads
 * of trained language models are seen to do. Recurring contexts and nearness draw attention; everything else
 * is noise of known size.
 *
 * Each position has a few discrete features; a feature with value c is the vector r(c) of d random signs
 * (feature hashing and random projection in one step [weinberger2009]), drawn from a hash of (seed, kv head,
 * feature, c). For features f with weights w_f
 *
 *   q_i = d^(-1/4) sum_f sqrt(w_f) t_f r_f(query value)      k_j = d^(-1/4) sum_f sqrt(w_f) r_f(key value)
 *
 * so that at the usual scale 1/sqrt(d) a pair's score is the sum of the w_f t_f of the features on which
 * query and key agree, plus noise of standard deviation sum_f w_f / sqrt(d). Features are of two sorts:
 *
 *   context of order m   the query's value is x_{i-m+1} ... x_i, the context of the byte to come; the key's
 *                        is x_{j-m} ... x_{j-1}, the context of the byte that came. Agreement sends i to
 *                        where its context occurred before, and to what followed: an induction head
 *                        [olsson2022]. Orders together back off from long to short, as n-gram models do
 *                        [cleary1984]
 *   place of length L    knots stand every L positions, and a position p between knots a and a+1 is
 *                        sqrt(1-f) r(a) + sqrt(f) r(a+1), f = p/L - a: agreement falls from 1 to 0 within two
 *                        L. The locality of [press2022], here as an inner product and without a period, so
 *                        that it favours no stride
 *
 * v_j is a vector of d normal variates belonging to the byte x_j: what attention brings to o_i is the
 * predicted distribution of the next byte, embedded.
 *
 * Heads differ in their features (the table below, used in turn) and so in how local they are. Query heads
 * that share a kv head share its features and differ in t_f, which tilts from context towards place. A small
 * d cannot hold large scores above its noise: all w are scaled so that the noise has standard deviation at
 * most NOISE.
 *
 * What is not modelled: attention to the first token, meaning beyond bytes, depth. Batch entry b reads the
 * bytes b nk ... (b+1) nk - 1. All regular files of a folder count as one text, in the order of their
 * names. */
#include "harness/input_parts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "harness/input_bytes.h"

enum {
    FEATURES = 3,
    LONGEST_CONTEXT = 8, /* bytes in a 64-bit word */
    CHUNK = 512 /* positions a thread makes at a time */
};

static const float NOISE = 2.0f;

typedef struct feature {
    enum { UNUSED, CONTEXT, PLACE } sort;
    unsigned size; /* order m, or length L */
    float weight;  /* w */
} feature;

/* Weights are in nats of the score. Against n unrelated keys, which together weigh about n exp(NOISE^2 / 2),
 * a full agreement of 15 takes most of the attention up to n = 64k, one of 8 a share that shrinks with n. On
 * the licence texts of Debian at n = 4096 and d = 64 the heads' mean entropies are 1.7 to 6.0 nats (uniform:
 * 7.9), and a window of 128 keys holds from 4% to 99% of their attention. */
static const feature heads[][FEATURES] = {
    {{PLACE, 8, 9}, {PLACE, 64, 5}},                     /* the last word or two */
    {{CONTEXT, 6, 8}, {CONTEXT, 3, 5}, {PLACE, 256, 3}}, /* induction over words */
    {{PLACE, 64, 10}, {CONTEXT, 1, 2}, {PLACE, 512, 3}}, /* the line */
    {{CONTEXT, 4, 7}, {CONTEXT, 2, 4}, {PLACE, 32, 5}},  /* induction over syllables, and what is near */
    {{CONTEXT, 8, 8}, {CONTEXT, 5, 5}, {CONTEXT, 3, 3}}, /* copying of phrases */
    {{PLACE, 16, 10}, {CONTEXT, 3, 5}},                  /* the word, and words like it */
    {{PLACE, 1024, 8}, {CONTEXT, 2, 3}},                 /* the paragraph: broad */
    {{CONTEXT, 3, 9}, {CONTEXT, 2, 4}, {CONTEXT, 1, 2}}, /* n-grams wherever they are */
};
enum { HEADS = sizeof heads / sizeof *heads };

/* What one fill shares between threads, read-only. */
typedef struct model {
    const input_target *to;
    const unsigned char *bytes;
    const float *values;   /* [kv_heads][256][dim]: v of each byte */
    float signs[256][8];   /* the eight signs in a byte of hash */
    size_t padded;         /* dim rounded up to 8 */
} model;

/* row += amplitude * r(code): sign s of word w is a bit of a SplitMix64 sequence that starts at the hash. */
static void project(const model *m, uint64_t salt, uint64_t code, float amplitude, float *row)
{
    uint64_t state = rng_mix(code ^ salt);
    for (size_t at = 0; at < m->padded; at += 64) {
        state += UINT64_C(0x9e3779b97f4a7c15);
        uint64_t word = rng_mix(state);
        size_t left = m->padded - at < 64 ? m->padded - at : 64;
        for (size_t b = 0; b < left; b += 8, word >>= 8) {
            const float *signs = m->signs[word & 255];
            for (size_t e = 0; e < 8; e++)
                row[at + b + e] += amplitude * signs[e];
        }
    }
}

/* The bytes before `end`, the last LONGEST_CONTEXT of them with the latest lowest; zeros before the text. */
static uint64_t context_before(const unsigned char *text, size_t end)
{
    uint64_t context = 0;
    for (size_t k = end < LONGEST_CONTEXT ? 0 : end - LONGEST_CONTEXT; k < end; k++)
        context = context << 8 | text[k];
    return context;
}

/* A head's feature, ready for use. */
typedef struct active {
    feature f;
    uint64_t salt;
    float amplitude;
    size_t knot; /* PLACE: the interval whose two ends are projected, SIZE_MAX: none yet */
    float ends[2][ATTN_MAX_DIM];
} active;

static void add_place(const model *m, active *a, size_t position, float *row)
{
    size_t knot = position / a->f.size;
    if (knot != a->knot) {
        memset(a->ends, 0, sizeof a->ends);
        project(m, a->salt, knot, a->amplitude, a->ends[0]);
        project(m, a->salt, knot + 1, a->amplitude, a->ends[1]);
        a->knot = knot;
    }
    float f = (float)(position % a->f.size) / (float)a->f.size;
    float left = sqrtf(1 - f), right = sqrtf(f);
    for (size_t e = 0; e < m->padded; e++)
        row[e] += left * a->ends[0][e] + right * a->ends[1][e];
}

/* One chunk of positions of one head. */
typedef struct job {
    const unsigned char *text; /* of the batch entry */
    size_t head;               /* kv head, the owner of the features */
    float tilt;                /* t of contexts is 1 + tilt, of places 1 - tilt; 0 for keys */
    bool query;                /* contexts include the position's own byte */
    size_t begin, end;         /* positions */
    size_t row;                /* of the tensor, for the first position */
    void *tensor;
} job;

static void activate(const model *m, const job *j, active features[FEATURES])
{
    const input_shape *s = m->to->shape;
    const feature *table = heads[j->head * (s->heads / s->kv_heads) % HEADS];
    rng base = rng_make(m->to->seed, 0), own = rng_split(&base, j->head);
    float total = 0, root = sqrtf((float)s->dim);
    for (size_t f = 0; f < FEATURES; f++)
        total += table[f].weight;
    float fit = total > NOISE * root ? NOISE * root / total : 1;
    for (size_t f = 0; f < FEATURES; f++) {
        float tilt = table[f].sort == CONTEXT ? 1 + j->tilt : 1 - j->tilt;
        features[f].f = table[f];
        features[f].salt = rng_split(&own, f).stream ^ rng_mix(m->to->seed);
        features[f].amplitude = sqrtf(table[f].weight * fit / root) * tilt;
        features[f].knot = SIZE_MAX;
    }
}

static void make_rows(const model *m, const job *j)
{
    active features[FEATURES];
    activate(m, j, features);
    uint64_t context = context_before(j->text, j->begin);
    size_t dim = m->to->shape->dim;
    for (size_t p = j->begin; p < j->end; p++) {
        float row[ATTN_MAX_DIM] = {0};
        uint64_t next = context << 8 | j->text[p], seen = j->query ? next : context;
        for (size_t f = 0; f < FEATURES; f++) {
            active *a = &features[f];
            if (a->f.sort == CONTEXT)
                project(m, a->salt, seen & UINT64_MAX >> (64 - 8 * a->f.size), a->amplitude, row);
            else if (a->f.sort == PLACE)
                add_place(m, a, p, row);
        }
        input_put(m->to->dtype, j->tensor, (j->row + p - j->begin) * dim, row, dim);
        context = next;
    }
}

static void make_keys(const model *m, size_t b, size_t head, size_t begin)
{
    const input_shape *s = m->to->shape;
    size_t end = s->nk - begin < CHUNK ? s->nk : begin + CHUNK, row = (b * s->kv_heads + head) * s->nk;
    const unsigned char *text = m->bytes + b * s->nk;
    make_rows(m, &(job){text, head, 0, false, begin, end, row + begin, m->to->k});
    for (size_t p = begin; p < end; p++)
        input_put(m->to->dtype, m->to->v, (row + p) * s->dim, m->values + (head * 256 + text[p]) * s->dim,
                  s->dim);
}

/* Query row r stands at position r + nk - nq; rows before key 0 are zeros. */
static void make_queries(const model *m, size_t b, size_t head, size_t begin)
{
    const input_shape *s = m->to->shape;
    size_t end = s->nq - begin < CHUNK ? s->nq : begin + CHUNK, row = (b * s->heads + head) * s->nq;
    static const float zeros[ATTN_MAX_DIM];
    for (; begin < end && begin + s->nk < s->nq; begin++)
        input_put(m->to->dtype, m->to->q, (row + begin) * s->dim, zeros, s->dim);
    size_t group = s->heads / s->kv_heads;
    float tilt = group > 1 ? (float)(head % group) / (float)(group - 1) - 0.5f : 0;
    make_rows(m, &(job){m->bytes + b * s->nk, head / group, tilt, true, begin + s->nk - s->nq,
                        end + s->nk - s->nq, row + begin, m->to->q});
}

static attn_status check(const char *path, const input_shape *s, attn_error *err)
{
    return input_bytes_check(path, s->batch, s->nk, err);
}

static attn_status fill(const char *path, const input_target *to, attn_error *err)
{
    const input_shape *s = to->shape;
    size_t table = s->kv_heads * 256 * s->dim;
    unsigned char *bytes = NULL;
    float *values = malloc(table * sizeof *values);
    model *m = malloc(sizeof *m);
    attn_status status = values && m ? input_bytes_read(path, s->batch, s->nk, &bytes, err)
                                     : attn_fail(err, ATTN_ENOMEM, "input text: out of memory");
    if (status != ATTN_OK)
        goto cleanup;

    rng base = rng_make(to->seed, 1);
    rng_normal_fill(to->seed, base.stream, 0, table, values);
    m->to = to;
    m->bytes = bytes;
    m->values = values;
    m->padded = (s->dim + 7) / 8 * 8;
    for (size_t byte = 0; byte < 256; byte++)
        for (size_t bit = 0; bit < 8; bit++)
            m->signs[byte][bit] = byte >> bit & 1 ? -1.0f : 1.0f;

#pragma omp parallel for collapse(3) schedule(dynamic)
    for (size_t b = 0; b < s->batch; b++)
        for (size_t head = 0; head < s->kv_heads; head++)
            for (size_t begin = 0; begin < s->nk; begin += CHUNK)
                make_keys(m, b, head, begin);
#pragma omp parallel for collapse(3) schedule(dynamic)
    for (size_t b = 0; b < s->batch; b++)
        for (size_t head = 0; head < s->heads; head++)
            for (size_t begin = 0; begin < s->nq; begin += CHUNK)
                make_queries(m, b, head, begin);

cleanup:
    free(m);
    free(values);
    free(bytes);
    return status;
}

const input_kind input_text = {
    .name = "text",
    .rest = "PATH",
    .describe = "derived from real text: attention peaks where contexts recur and nearby (hashed n-grams)",
    .check = check,
    .fill = fill,
};
