/* accuracy: two questions, answered on the same rows.
 *
 * Kernel error: what the plan wrote against the fp64 oracle on the same pattern. Over checked rows,
 *   max_abs_err      max |o - o*|
 *   rel_err          ||o - o*|| / ||o*||, Frobenius
 *   worst_row_err    max over rows of ||o_i - o*_i|| / ||o*_i||
 *   lse_max_abs_err  max |lse - lse*|; external kernels give none
 *
 * Pattern error: the pattern against dense attention of the same causality, both in fp64, same q, k, v.
 *   pattern_rel_err  ||o* - o_dense|| / ||o_dense||; rows without keys are zeros in o*
 *   pattern_mass, pattern_mass_min, pattern_mass_q01
 *                    the share m of the dense softmax that falls on allowed keys: mean, least, and the 1%
 *                    quantile (the least m such that 1% of the rows have no more)
 *   pattern_kl       mean of KL(sparse || dense) = -ln m, in nats
 *   rows_checked     rows looked at
 *   empty_rows       of these, rows without any allowed key: not part of mass and KL
 *
 * m needs no second sum: m = exp(lse* - lse_dense), and -ln m is the difference itself, whatever underflows.
 *
 * All rows are checked where that fits the time, else a sample (harness/metrics/rows.h) whose weights make
 * means and norms estimates of those over all rows; maxima and minima are over the sample. How many rows fit
 * is reckoned, not timed, so that the same cell always checks the same rows. k and v are widened to fp64 a
 * head at a time: 16 nk d bytes. */
#include "harness/metric.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>

#include "attn/oracle.h"
#include "base/float16.h"
#include "harness/metrics/rows.h"

/* What the oracle does in a second: multiply-adds of one row with one key over d, plus the exponential, plus
 * two questions to allows() per key; measured on a 2.4 GHz Zen 3, 30% below what it does there. */
static const double WORK_PER_SECOND = 3e8;
enum { WORK_EXP = 8, WORK_KEY = 4 };

typedef struct head_operands { /* of one batch entry and query head, in fp64 */
    double *k, *v; /* [nk][dim] */
    size_t kv;     /* which kv head they hold, batch * kv_heads + kv head; SIZE_MAX: none yet */
} head_operands;

typedef struct finding { /* of one row */
    double error, norm;          /* squared: of the kernel's row, of the oracle's */
    double worst;                /* element */
    double lse;                  /* |error| */
    double departure, reference; /* squared: pattern against dense, dense */
    double kl;
    bool has_dense, empty;
} finding;

static double element(attn_dtype dtype, const void *data, size_t index)
{
    switch (dtype) {
    case ATTN_F32: return (double)((const float *)data)[index];
    case ATTN_BF16: return (double)f32_from_bf16(((const uint16_t *)data)[index]);
    case ATTN_F16: return (double)f32_from_f16(((const uint16_t *)data)[index]);
    }
    return (double)NAN;
}

static void widen(double *out, attn_dtype dtype, const void *data, size_t first, size_t count)
{
    for (size_t e = 0; e < count; e++)
        out[e] = element(dtype, data, first + e);
}

/* |a - b|, where NaN agrees with NaN and an infinity with itself, and nothing else agrees with either. */
static double distance(double a, double b)
{
    if (a == b || (isnan(a) && isnan(b)))
        return 0;
    double d = fabs(a - b);
    return isnan(d) ? (double)INFINITY : d;
}

static double square_norm(const double *x, size_t dim)
{
    double sum = 0;
    for (size_t c = 0; c < dim; c++)
        sum += isfinite(x[c]) ? x[c] * x[c] : 0;
    return sum;
}

static finding check_row(const bench *b, const attn_layout *dense, const head_operands *x, row_choice at,
                         double *scores)
{
    const cell *c = b->cell;
    size_t nq = attn_layout_nq(b->layout), dim = c->dim, g = at.head % c->heads;
    size_t row = at.head * nq + at.row;
    double scale = 1 / sqrt((double)dim), lse, dense_lse;
    double q[ATTN_MAX_DIM], want[ATTN_MAX_DIM], full[ATTN_MAX_DIM];
    widen(q, c->dtype, b->q, row * dim, dim);
    attn_oracle_row(b->layout, g % attn_layout_distinct_heads(b->layout), at.row, dim, scale, q, x->k, x->v,
                    scores, want, &lse);

    finding f = {.norm = square_norm(want, dim), .lse = distance((double)b->lse[row], lse)};
    for (size_t e = 0; e < dim; e++) {
        double d = distance(element(c->dtype, b->o, row * dim + e), want[e]);
        f.error += d * d;
        f.worst = fmax(f.worst, d);
    }
    attn_oracle_row(dense, 0, at.row, dim, scale, q, x->k, x->v, scores, full, &dense_lse);
    f.has_dense = dense_lse != -(double)INFINITY;
    f.empty = lse == -(double)INFINITY;
    f.kl = fmax(0, dense_lse - lse); /* a subset's share: rounding alone could take it below */
    if (isnan(dense_lse - lse))
        f.kl = (double)NAN;
    if (f.empty && b->ext) /* what stands there is the adapter's affair */
        f.error = f.worst = 0;
    f.reference = square_norm(full, dim);
    for (size_t e = 0; e < dim; e++)
        f.departure += (want[e] - full[e]) * (want[e] - full[e]);
    return f;
}

/* All choices of one head, [first, end). */
static void check_head(const bench *b, const attn_layout *dense, head_operands *x, const row_choice *rows,
                       size_t count, double *scores, size_t threads, finding *out)
{
    const cell *c = b->cell;
    size_t nk = attn_layout_nk(b->layout), batch = rows->head / c->heads, g = rows->head % c->heads;
    size_t kv = batch * c->kv_heads + g * c->kv_heads / c->heads;
    if (kv != x->kv) {
        widen(x->k, c->dtype, b->k, kv * nk * c->dim, nk * c->dim);
        widen(x->v, c->dtype, b->v, kv * nk * c->dim, nk * c->dim);
        x->kv = kv;
    }
    /* Each row is computed alone and summed later in order: the result knows nothing of the threads. */
#pragma omp parallel for schedule(dynamic) num_threads((int)threads)
    for (size_t i = 0; i < count; i++)
        out[i] = check_row(b, dense, x, rows[i], scores + (size_t)omp_get_thread_num() * nk);
}

/* ---- summing up ---- */

static void record_kernel_error(recorder *r, const row_choice *rows, const finding *found, size_t count,
                                bool no_lse)
{
    double error = 0, norm = 0, worst = 0, worst_row = 0, lse = 0;
    for (size_t i = 0; i < count; i++) {
        const finding *f = &found[i];
        error += rows[i].weight * f->error;
        norm += rows[i].weight * f->norm;
        worst = fmax(worst, f->worst);
        lse = fmax(lse, f->lse);
        if (f->error > 0)
            worst_row = fmax(worst_row, sqrt(f->error / f->norm));
    }
    record_real(r, "max_abs_err", "1", worst);
    record_real(r, "rel_err", "1", error > 0 ? sqrt(error / norm) : 0);
    record_real(r, "worst_row_err", "1", worst_row);
    if (no_lse)
        record_absent(r, "lse_max_abs_err", "1", "an external kernel gives no lse");
    else
        record_real(r, "lse_max_abs_err", "1", lse);
}

typedef struct share { double mass, weight; } share;

static int by_mass(const void *a, const void *b)
{
    double x = ((const share *)a)->mass, y = ((const share *)b)->mass;
    return (x > y) - (x < y);
}

/* The least mass such that `p` of all weight is at or below it. */
static double quantile(share *shares, size_t count, double total, double p)
{
    double weight = 0;
    qsort(shares, count, sizeof *shares, by_mass);
    for (size_t i = 0; i < count; i++) {
        weight += shares[i].weight;
        if (weight >= p * total)
            return shares[i].mass;
    }
    return shares[count - 1].mass;
}

static void record_pattern_error(recorder *r, const row_choice *rows, const finding *found, size_t count,
                                 share *shares)
{
    double departure = 0, reference = 0, mass = 0, kl = 0, weight = 0, least = 1;
    size_t kept = 0, empty = 0;
    for (size_t i = 0; i < count; i++) {
        const finding *f = &found[i];
        empty += f->empty;
        if (!f->has_dense)
            continue;
        departure += rows[i].weight * f->departure;
        reference += rows[i].weight * f->reference;
        if (f->empty)
            continue;
        double m = exp(-f->kl);
        mass += rows[i].weight * m;
        kl += rows[i].weight * f->kl;
        weight += rows[i].weight;
        least = isnan(m) ? m : fmin(least, m);
        shares[kept++] = (share){m, rows[i].weight};
    }
    static const char *const series[] = {"pattern_mass", "pattern_mass_min", "pattern_mass_q01",
                                         "pattern_kl"};
    static const char *const units[] = {"fraction", "fraction", "fraction", "nat"};
    record_real(r, "pattern_rel_err", "1", departure == 0 ? 0 : sqrt(departure / reference));
    for (size_t s = 0; s < 4 && !kept; s++)
        record_absent(r, series[s], units[s], "no checked row has an allowed key");
    if (kept) {
        record_real(r, series[0], units[0], mass / weight);
        record_real(r, series[1], units[1], least);
        record_real(r, series[2], units[2], isnan(mass) ? mass : quantile(shares, kept, weight, 0.01));
        record_real(r, series[3], units[3], kl / weight);
    }
    record_count(r, "rows_checked", "count", count);
    record_count(r, "empty_rows", "count", empty);
}

/* ---- the pass ---- */

static attn_status dense_like(attn_layout **out, const attn_layout *layout, attn_error *err)
{
    attn_spec *spec = NULL;
    attn_status status = attn_spec_parse(&spec, attn_layout_causal(layout) ? "dense" : "dense:causal=0", err);
    if (status == ATTN_OK)
        status = attn_layout_create(out, spec, attn_layout_nq(layout), attn_layout_nk(layout), 1, err);
    attn_spec_destroy(spec);
    return status;
}

/* Rows that fit the time, on average over all rows. */
static double affordable(const bench *b, const attn_layout *dense)
{
    double nq = (double)attn_layout_nq(b->layout), nk = (double)attn_layout_nk(b->layout);
    double pairs = ((double)attn_layout_pairs(dense, 0) + (double)attn_layout_pairs_all_heads(b->layout) /
                    (double)attn_layout_heads(b->layout)) / nq;
    return b->seconds * WORK_PER_SECOND / (pairs * (double)(b->cell->dim + WORK_EXP) + WORK_KEY * nk);
}

static attn_status compute(const bench *b, attn_error *err)
{
    if (b->ext)
        return ext_compute(b->ext, b->o, err);
    attn_plan_run(b->plan, b->q, b->k, b->v, b->o, b->lse);
    return ATTN_OK;
}

static attn_status measure(bench *b, recorder *r, attn_error *err)
{
    const cell *c = b->cell;
    size_t nq = attn_layout_nq(b->layout), nk = attn_layout_nk(b->layout), count = 0;
    size_t threads = (size_t)c->threads;
    attn_layout *dense = NULL;
    row_choice *rows = NULL;
    finding *found = NULL;
    share *shares = NULL;
    double *scores = NULL;
    head_operands x = {.kv = SIZE_MAX};
    attn_status status = dense_like(&dense, b->layout, err);
    if (status == ATTN_OK)
        status = rows_choose(&rows, &count, c->batch * c->heads, nq, affordable(b, dense), c->seed, err);
    if (status != ATTN_OK)
        goto cleanup;
    x.k = malloc(nk * c->dim * sizeof *x.k);
    x.v = malloc(nk * c->dim * sizeof *x.v);
    scores = malloc(threads * nk * sizeof *scores);
    found = malloc(count * sizeof *found);
    shares = malloc(count * sizeof *shares);
    if (!x.k || !x.v || !scores || !found || !shares) {
        status =
            attn_fail(err, ATTN_ENOMEM, "out of memory for the fp64 reference of n=%zu, d=%zu", nk, c->dim);
        goto cleanup;
    }
    status = compute(b, err);
    if (status != ATTN_OK)
        goto cleanup;
    for (size_t first = 0, end; first < count; first = end) {
        for (end = first; end < count && rows[end].head == rows[first].head;)
            end++;
        check_head(b, dense, &x, rows + first, end - first, scores, threads, found + first);
    }
    record_kernel_error(r, rows, found, count, b->ext != NULL);
    record_pattern_error(r, rows, found, count, shares);
cleanup:
    free(shares);
    free(found);
    free(scores);
    free(x.v);
    free(x.k);
    free(rows);
    attn_layout_destroy(dense);
    return status;
}

const metric metric_accuracy = {
    .name = "accuracy",
    .summary = "kernel error against the fp64 oracle, pattern error against dense attention",
    .measure = measure,
};
