/* Attention over given q, k and v, sparse against dense, in fp64 from the definition.
 *
 * The scores of a row are computed once, by the oracle on dense attention of the pattern's causality; a pattern's share m
 * of the softmax, its output and its entropy follow from them and the allowed keys:
 *
 *   m = sum over allowed j of p_j      KL(sparse || dense) = -ln m      o = (1/m) sum over allowed j of p_j v_j
 *   entropy of the sparse softmax = -(1/m) sum over allowed j of p_j ln p_j + ln m
 *
 * Means are over rows with a key, of all heads and layers; rows without are zeros in o, and counted. */
#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "attn/oracle.h"
#include "harness/analyze.h"
#include "harness/input.h"
#include "harness/metrics/rows.h"

static const double WORK_PER_SECOND = 3e8, SECONDS = 4; /* of multiply-adds, as harness/metrics/accuracy.c reckons */
enum { WORK_EXP = 8 };

typedef struct found { /* of one row */
    double mass, departure, reference, entropy, entropy_dense;
    bool empty;
    double dense_at[ATTN_DISTANCES], kept_at[ATTN_DISTANCES];
} found;

typedef struct operands {
    input_shape shape;
    float *q, *k, *v;
} operands;

static size_t class_of(size_t i, size_t j)
{
    size_t distance = i > j ? i - j : j - i;
    return distance ? 64u - (size_t)__builtin_clzll(distance) : 0;
}

/* x ln x, which is 0 at 0. */
static double x_ln_x(double x) { return x > 0 ? x * log(x) : 0; }

static found look_at(const attn_layout *layout, const attn_layout *dense, const operands *x, const double *k, const double *v,
                     row_choice at, double *scores)
{
    const size_t dim = x->shape.dim, n = x->shape.nk, i = at.row;
    double q[ATTN_MAX_DIM] = {0}, full[ATTN_MAX_DIM], kept[ATTN_MAX_DIM] = {0}, lse, sum = 0;
    found f = {.mass = 0};
    for (size_t e = 0; e < dim; e++)
        q[e] = (double)x->q[(at.head * n + i) * dim + e];
    attn_oracle_row(dense, 0, i, dim, 1 / sqrt((double)dim), q, k, v, scores, full, &lse);
    for (size_t j = 0; j < n; j++) {
        double p = exp(scores[j] - lse); /* 0 where dense attention does not look either */
        if (!(p > 0))
            continue;
        const size_t c = class_of(i, j);
        const double information = x_ln_x(p);
        f.dense_at[c] += p;
        f.entropy_dense -= information;
        if (!attn_layout_allows(layout, at.head, i, j))
            continue;
        f.mass += p;
        f.kept_at[c] += p;
        sum -= information;
        for (size_t e = 0; e < dim; e++)
            kept[e] += p * v[j * dim + e];
    }
    f.empty = !(f.mass > 0);
    if (!f.empty)
        f.entropy = fmax(0, sum / f.mass + log(f.mass));
    for (size_t e = 0; e < dim; e++) {
        double d = (f.empty ? 0 : kept[e] / f.mass) - full[e];
        f.departure += d * d;
        f.reference += full[e] * full[e];
    }
    return f;
}

/* ---- sums ---- */

typedef struct sums {
    double weight, mass, kl, entropy; /* over rows with a key */
    double rows, entropy_dense;       /* over all */
    double departure, reference;
} sums;

static void add(sums *s, const found *f, double weight)
{
    s->rows += weight;
    s->entropy_dense += weight * f->entropy_dense;
    s->departure += weight * f->departure;
    s->reference += weight * f->reference;
    if (f->empty)
        return;
    s->weight += weight;
    s->mass += weight * f->mass;
    s->kl += weight * fmax(0, -log(f->mass));
    s->entropy += weight * f->entropy;
}

static double error_of(const sums *s) { return s->departure == 0 ? 0 : sqrt(s->departure / s->reference); }
static double mean(double sum, double weight) { return weight > 0 ? sum / weight : (double)NAN; }

typedef struct share { double mass, weight; } share;

static int by_mass(const void *a, const void *b)
{
    const share *x = a, *y = b;
    return (x->mass > y->mass) - (x->mass < y->mass);
}

typedef struct survey {
    sums all, *head;
    double dense_at[ATTN_DISTANCES], kept_at[ATTN_DISTANCES];
    share *shares;
    size_t share_count, empty;
} survey;

static void take_in(survey *s, const row_choice *row, const found *f)
{
    add(&s->all, f, row->weight);
    add(&s->head[row->head], f, row->weight);
    for (size_t c = 0; c < ATTN_DISTANCES; c++) {
        s->dense_at[c] += row->weight * f->dense_at[c];
        s->kept_at[c] += row->weight * f->kept_at[c];
    }
    s->empty += f->empty;
    if (!f->empty)
        s->shares[s->share_count++] = (share){f->mass, row->weight};
}

static void conclude(analyze_data *out, survey *s, size_t n)
{
    double total = 0, seen = 0;
    qsort(s->shares, s->share_count, sizeof *s->shares, by_mass);
    for (size_t r = 0; r < s->share_count; r++)
        total += s->shares[r].weight;
    out->mass_min = s->share_count ? fmin(1, s->shares[0].mass) : (double)NAN;
    out->mass_q01 = (double)NAN;
    for (size_t r = 0; r < s->share_count && !isfinite(out->mass_q01); r++)
        if ((seen += s->shares[r].weight) >= 0.01 * total)
            out->mass_q01 = fmin(1, s->shares[r].mass);
    out->empty = s->empty;
    out->mass = fmin(1, mean(s->all.mass, s->all.weight));
    out->kl = mean(s->all.kl, s->all.weight);
    out->entropy = mean(s->all.entropy, s->all.weight);
    out->entropy_dense = mean(s->all.entropy_dense, s->all.rows);
    out->rel_err = error_of(&s->all);
    for (size_t h = 0; h < out->heads; h++) {
        const sums *own = &s->head[h];
        out->head_mass[h] = mean(own->mass, own->weight);
        out->head_kl[h] = mean(own->kl, own->weight);
        out->head_entropy[h] = mean(own->entropy, own->weight);
        out->head_entropy_dense[h] = mean(own->entropy_dense, own->rows);
        out->head_rel_err[h] = own->rows > 0 ? error_of(own) : (double)NAN;
    }
    out->distances = n > 1 ? class_of(0, n - 1) + 1 : 1;
    for (size_t c = 0; c < ATTN_DISTANCES; c++) {
        out->mass_dense_at[c] = mean(s->dense_at[c], s->all.rows);
        out->mass_kept_at[c] = mean(s->kept_at[c], s->dense_at[c]);
    }
}

/* ---- the pass ---- */

static attn_status load(operands *x, const analyze_request *q, attn_error *err)
{
    x->shape = (input_shape){1, q->heads, q->kv_heads, q->n, q->n, q->dim};
    const size_t row = q->n * q->dim;
    x->q = malloc(q->heads * row * sizeof *x->q);
    x->k = malloc(q->kv_heads * row * sizeof *x->k);
    x->v = malloc(q->kv_heads * row * sizeof *x->v);
    if (!x->q || !x->k || !x->v)
        return attn_fail(err, ATTN_ENOMEM, "out of memory for q, k and v of heads=%zu, n=%zu, d=%zu", q->heads, q->n, q->dim);
    return input_fill(q->input, &x->shape, ATTN_F32, q->seed, x->q, x->k, x->v, err);
}

static attn_status dense_like(attn_layout **out, const attn_layout *layout, attn_error *err)
{
    attn_spec *spec = NULL;
    attn_status status = attn_spec_parse(&spec, attn_layout_causal(layout) ? "dense" : "dense:causal=0", err);
    if (status == ATTN_OK)
        status = attn_layout_create(out, spec, attn_layout_nq(layout), attn_layout_nk(layout), 1, err);
    attn_spec_destroy(spec);
    return status;
}

/* One layer on the rows chosen: head by head, each row alone, so that threads change nothing. */
static attn_status survey_layer(survey *s, const attn_layout *layout, const operands *x, const row_choice *rows, size_t count,
                                attn_error *err)
{
    const size_t n = x->shape.nk, dim = x->shape.dim, threads = (size_t)omp_get_max_threads();
    attn_layout *dense = NULL;
    attn_status status = dense_like(&dense, layout, err);
    double *kv = malloc(2 * n * dim * sizeof *kv), *scores = malloc(threads * n * sizeof *scores);
    found *all = malloc(count * sizeof *all);
    if (status == ATTN_OK && (!kv || !scores || !all))
        status = attn_fail(err, ATTN_ENOMEM, "out of memory for the fp64 reference of n=%zu, d=%zu", n, dim);
    size_t held = SIZE_MAX;
    for (size_t first = 0, end; first < count && status == ATTN_OK; first = end) {
        const size_t head = rows[first].head, own = head * x->shape.kv_heads / x->shape.heads;
        for (end = first; end < count && rows[end].head == head;)
            end++;
        for (size_t e = 0; e < n * dim && own != held; e++) {
            kv[e] = (double)x->k[own * n * dim + e];
            kv[n * dim + e] = (double)x->v[own * n * dim + e];
        }
        held = own;
#pragma omp parallel for schedule(dynamic) num_threads((int)threads)
        for (size_t r = first; r < end; r++)
            all[r] = look_at(layout, dense, x, kv, kv + n * dim, rows[r], scores + (size_t)omp_get_thread_num() * n);
        for (size_t r = first; r < end; r++)
            take_in(s, &rows[r], &all[r]);
    }
    free(all);
    free(scores);
    free(kv);
    attn_layout_destroy(dense);
    return status;
}

attn_status analyze_on_data(analyze_data *out, const analyze_subject *s, const analyze_request *q, attn_error *err)
{
    operands x = {.q = NULL};
    row_choice *rows = NULL;
    survey sum = {.head = calloc(q->heads, sizeof *sum.head)};
    analyze_data d = {.heads = q->heads, .head_mass = malloc(5 * q->heads * sizeof *d.head_mass)};
    attn_status status = sum.head && d.head_mass ? load(&x, q, err) : attn_fail(err, ATTN_ENOMEM, "out of memory");
    size_t count = 0;
    const double pairs = (double)q->n * ((double)q->n + 1) / 2;
    double wanted = q->rows ? (double)q->rows
                            : SECONDS * WORK_PER_SECOND * (double)q->n /
                                  (2 * pairs * (double)(q->dim + WORK_EXP) * (double)s->count);
    if (status == ATTN_OK)
        status = rows_choose(&rows, &count, q->heads, q->n, wanted, q->seed, err);
    if (status == ATTN_OK && !(sum.shares = malloc(count * s->count * sizeof *sum.shares)))
        status = attn_fail(err, ATTN_ENOMEM, "out of memory for %zu rows", count);
    for (size_t l = 0; l < s->count && status == ATTN_OK; l++)
        status = survey_layer(&sum, s->layers[l], &x, rows, count, err);
    if (status == ATTN_OK) {
        d.head_rel_err = d.head_mass + q->heads;
        d.head_kl = d.head_mass + 2 * q->heads;
        d.head_entropy = d.head_mass + 3 * q->heads;
        d.head_entropy_dense = d.head_mass + 4 * q->heads;
        d.rows = count * s->count;
        conclude(&d, &sum, q->n);
        *out = d;
        d.head_mass = NULL;
    }
    free(d.head_mass);
    free(sum.shares);
    free(sum.head);
    free(rows);
    free(x.q);
    free(x.k);
    free(x.v);
    return status;
}
