/* One case: its operands, the oracle's answer, and how far from it a right answer in fp32 may be.
 *
 * The limit is a first-order bound on rounding errors in any order of summation, with u = 2^-24 the unit
 * roundoff of fp32, for one row with m allowed keys:
 *
 *   scores    s_j = scale * sum_c q_c k_jc. Products and sums err by at most (d + 1) u scale sum_c |q_c k_jc|
 *             [higham2002, section 3.1], rounding and applying the scale, and converting to base 2, by four
 *             more u, subtracting the maximum by three: in all d + 8. With M = max_j scale sum_c |q_c k_jc|
 *                 D = (d + 8) u M
 *             bounds the error of a score, and 2 D that of a difference of scores
 *   weights   e^(2 D) - 1 from the scores, 8 u from the exponential and the rescaling of running sums
 *   o         numerator and denominator each err by the weights and by m u for their sums, relative to
 *             B = max_j |v_j| over the allowed keys, of which o is an average:
 *                 |o - o'| <= 2 B (e^(2 D) - 1 + (m + 8) u), and never more than 2 B (1 + the sums' part)
 *   lse       D from the maximum, the weights' and sums' errors from the logarithm's argument, 2 u |lse| from
 *             rounding:   2 D + (m + 8) u + 2 u |lse|
 *   rounding  a kernel whose weights have p' < 24 significant bits errs by e = 1.05 * 2^-p' in each of them (a
 *             twentieth for a shorter polynomial), which is 2 B e in o and e in lse
 *   storage   a dtype of p significant bits adds 2^-p |o| (f16 also 2^-24 where it is subnormal)
 *   underflow what is below the smallest normal float may be flushed where v as a whole is not as small: m + 1
 *             times that number
 *
 * Where the oracle's element is NaN, infinite or finite the kernel's must be the same. */
#include "harness/check.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "attn/oracle.h"
#include "base/float16.h"
#include "base/rng.h"
#include "harness/input_parts.h"

static const struct {
    int bits;        /* p */
    double smallest; /* spacing of subnormals */
} storage[] = {[ATTN_F32] = {24, 0x1p-149}, [ATTN_BF16] = {8, 0x1p-133}, [ATTN_F16] = {11, 0x1p-24}};

static float element(const void *tensor, attn_dtype dtype, size_t e)
{
    if (dtype == ATTN_F32)
        return ((const float *)tensor)[e];
    uint16_t half = ((const uint16_t *)tensor)[e];
    return dtype == ATTN_F16 ? f32_from_f16(half) : f32_from_bf16(half);
}

/* ---- operands ---- */

enum { STREAM_Q = 1, STREAM_K, STREAM_V, STREAM_PLACES };

static void shape_values(const check_case *c, uint64_t seed, int stream, float *x, size_t heads, size_t n)
{
    size_t d = c->dim, count = c->batch * heads * n * d;
    rng_normal_fill(seed, (uint64_t)stream, 0, count, x);
    if (c->fill == FILL_HUGE && stream != STREAM_V)
        for (size_t e = 0; e < count; e++)
            x[e] *= 100; /* squared: scores of unit deviation become 1e4 */
    if (c->fill == FILL_DENORMAL)
        for (size_t e = 0; e < count; e += 2)
            x[e] *= FLT_MIN / 8;
    if (c->fill == FILL_CONSTANT && stream == STREAM_V)
        for (size_t e = d; e < count; e++)
            x[e] = x[e % d];
    if ((c->fill == FILL_TINY || c->fill == FILL_BIG) && stream == STREAM_V)
        for (size_t e = 0; e < count; e++)
            x[e] *= c->fill == FILL_TINY ? 1e-38f : 5e37f;
    if (c->fill == FILL_SPECK && stream == STREAM_V) {
        static const float values[] = {NAN, INFINITY, -INFINITY};
        rng places = rng_make(seed, STREAM_PLACES);
        for (size_t e = 0; e < count; e++)
            if (rng_below(&places, 100) == 0)
                x[e] = values[rng_below(&places, 3)];
    }
    if (c->fill != FILL_NAN && c->fill != FILL_INF)
        return;
    /* In each head one row of q, and in k and v an element each of two rows, so that some rows see
     * neither. */
    rng places = rng_make(seed, STREAM_PLACES * 16 + (uint64_t)stream);
    for (size_t head = 0; head < c->batch * heads; head++) {
        float *rows = x + head * n * d;
        float *first = rows + rng_below(&places, n) * d + rng_below(&places, d);
        float *second = rows + rng_below(&places, n) * d + rng_below(&places, d);
        *first = c->fill == FILL_NAN ? (float)NAN : (float)INFINITY;
        if (stream != STREAM_Q)
            *second = c->fill == FILL_NAN ? -NAN : -INFINITY;
    }
}

/* Both copies of a tensor, sealed. */
static bool make_tensor(const check_case *c, uint64_t seed, int stream, size_t heads, size_t n,
                        guarded copies[2])
{
    size_t count = c->batch * heads * n * c->dim;
    float *values = malloc(count * sizeof *values);
    bool fine = values != NULL;
    if (fine)
        shape_values(c, seed, stream, values, heads, n);
    for (int copy = 0; copy < 2 && fine; copy++) {
        fine = guard_create(&copies[copy], count * attn_dtype_size(c->dtype), copy == 0);
        if (fine)
            input_put(c->dtype, copies[copy].at, 0, values, count);
        fine = fine && guard_seal(&copies[copy]);
    }
    free(values);
    return fine;
}

static double *widen(const guarded *tensor, attn_dtype dtype)
{
    size_t count = tensor->bytes / attn_dtype_size(dtype);
    double *wide = malloc(count * sizeof *wide);
    for (size_t e = 0; wide && e < count; e++)
        wide[e] = (double)element(tensor->at, dtype, e);
    return wide;
}

/* ---- the oracle's answer and the limits ---- */

typedef struct wide_operands {
    double *q, *k, *v;
} wide_operands;

/* M, B and m of a row: over the allowed keys with finite scores, and of B the finite elements. */
static void set_limits(check_reference *r, size_t row, const double *q, const double *k, const double *v,
                       const double *scores, double scale)
{
    const double u = 0x1p-24;
    size_t d = r->c.dim;
    double most = 0, largest = 0, keys = 0;
    for (size_t j = 0; j < r->c.nk; j++) {
        if (!isfinite(scores[j]))
            continue;
        double sum = 0;
        for (size_t t = 0; t < d; t++) {
            sum += fabs(q[t] * k[j * d + t]);
            if (isfinite(v[j * d + t]))
                largest = fmax(largest, fabs(v[j * d + t]));
        }
        most = fmax(most, scale * sum);
        keys++;
    }
    double score = ((double)d + 8) * u * most, sums = (keys + 8) * u;
    double weights = fmin(expm1(2 * score), 1);
    double stored = ldexp(1, -storage[r->c.dtype].bits) * largest + storage[r->c.dtype].smallest;
    double flushed = r->c.fill == FILL_TINY && r->c.dtype == ATTN_F32 ? 0 : (double)FLT_MIN;
    r->o_limit[row] = 2 * largest * (weights + sums) + stored + (keys + 1) * flushed;
    r->largest[row] = largest;
    r->lse_limit[row] = 2 * score + sums + 2 * u * fabs(r->lse[row]);
}

static bool ask_oracle(check_reference *r, const wide_operands *x)
{
    const check_case *c = &r->c;
    size_t rows = c->batch * c->heads * c->nq, group = c->heads / c->kv_heads, d = c->dim;
    double scale = 1 / sqrt((double)d);
    bool failed = false;
#pragma omp parallel reduction(|| : failed)
    {
        double *scores = malloc(c->nk * sizeof *scores);
        failed = !scores;
#pragma omp for schedule(dynamic, 8)
        for (size_t row = 0; row < rows; row++) {
            if (failed)
                continue;
            size_t head = row / c->nq;
            const double *q = x->q + row * d, *k = x->k + head / group * c->nk * d,
                         *v = x->v + head / group * c->nk * d;
            attn_oracle_row(r->layout, head % c->heads, row % c->nq, d, scale, q, k, v, scores,
                            r->o + row * d, &r->lse[row]);
            set_limits(r, row, q, k, v, scores, scale);
        }
        free(scores);
    }
    return !failed;
}

attn_status check_reference_create(check_reference *out, const check_case *c, const attn_layout *layout,
                                   uint64_t seed, attn_error *err)
{
    check_reference r = {.c = *c, .layout = layout};
    size_t rows = c->batch * c->heads * c->nq;
    r.o = malloc(rows * c->dim * sizeof *r.o);
    r.lse = malloc(rows * sizeof *r.lse);
    r.o_limit = malloc(rows * sizeof *r.o_limit);
    r.lse_limit = malloc(rows * sizeof *r.lse_limit);
    r.largest = malloc(rows * sizeof *r.largest);
    bool fine = r.o && r.lse && r.o_limit && r.lse_limit && r.largest &&
                make_tensor(c, seed, STREAM_Q, c->heads, c->nq, r.q) &&
                make_tensor(c, seed, STREAM_K, c->kv_heads, c->nk, r.k) &&
                make_tensor(c, seed, STREAM_V, c->kv_heads, c->nk, r.v);
    wide_operands x = {0};
    if (fine) {
        x = (wide_operands){widen(&r.q[0], c->dtype), widen(&r.k[0], c->dtype), widen(&r.v[0], c->dtype)};
        fine = x.q && x.k && x.v && ask_oracle(&r, &x);
    }
    free(x.q);
    free(x.k);
    free(x.v);
    if (!fine) {
        check_reference_destroy(&r);
        return attn_fail(err, ATTN_ENOMEM, "out of memory for a case of n=%zu, d=%zu", c->nk, c->dim);
    }
    *out = r;
    return ATTN_OK;
}

void check_reference_destroy(check_reference *r)
{
    for (int copy = 0; copy < 2; copy++) {
        guard_destroy(&r->q[copy]);
        guard_destroy(&r->k[copy]);
        guard_destroy(&r->v[copy]);
    }
    free(r->o);
    free(r->lse);
    free(r->o_limit);
    free(r->lse_limit);
    free(r->largest);
    *r = (check_reference){0};
}

/* ---- comparing ---- */

/* One number against the oracle's; false when it is wrong. */
static bool compare(double is, double right, double limit, double *worst_abs, double *worst_ratio)
{
    if (!isfinite(right))
        return isnan(right) ? isnan(is) : is == right;
    if (!isfinite(is)) {
        *worst_abs = *worst_ratio = (double)INFINITY;
        return false;
    }
    double error = fabs(is - right);
    *worst_abs = fmax(*worst_abs, error);
    *worst_ratio = fmax(*worst_ratio, error == 0 ? 0 : error / limit);
    return error <= limit;
}

void check_compare(const check_reference *r, uint32_t weight_bits, const void *o, const float *lse,
                   check_verdict *verdict)
{
    const double rounding = weight_bits < 24 ? 1.05 * ldexp(1, -(int)weight_bits) : 0;
    const check_case *c = &r->c;
    size_t rows = c->batch * c->heads * c->nq;
    for (size_t row = 0; row < rows; row++) {
        size_t entry = row / c->nq / c->heads, head = row / c->nq % c->heads, at = row % c->nq;
        const double o_limit = r->o_limit[row] + 2 * r->largest[row] * rounding;
        for (size_t t = 0; t < c->dim; t++) {
            size_t e = row * c->dim + t;
            double is = (double)element(o, c->dtype, e), right = r->o[e];
            if (!compare(is, right, o_limit, &verdict->worst_abs, &verdict->worst_ratio) &&
                !*verdict->fault)
                snprintf(verdict->fault, sizeof verdict->fault,
                         "batch %zu head %zu row %zu element %zu is %.9g, not %.9g (within %.2g)", entry,
                         head, at, t, is, right, o_limit);
        }
        /* An empty row: exactly -inf. */
        double unused = 0, limit = r->lse[row] == -(double)INFINITY ? 0 : r->lse_limit[row] + rounding;
        if (!compare((double)lse[row], r->lse[row], limit, &unused, &verdict->worst_ratio) &&
            !*verdict->fault)
            snprintf(verdict->fault, sizeof verdict->fault,
                     "batch %zu head %zu row %zu: lse is %.9g, not %.9g (within %.2g)", entry, head, at,
                     (double)lse[row], r->lse[row], limit);
    }
}
