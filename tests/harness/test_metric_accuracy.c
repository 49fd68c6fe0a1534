/* The accuracy metric against a direct computation, and the choice of rows. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness/metrics/rows.h"
#include "support/metric_bench.h"

static capture got;

static const char *const series[] = {
    "max_abs_err", "rel_err", "worst_row_err", "lse_max_abs_err", "pattern_rel_err", "pattern_mass",
    "pattern_mass_min", "pattern_mass_q01", "pattern_kl", "rows_checked", "empty_rows",
};
enum { SERIES = sizeof series / sizeof *series };

/* ---- attention by its definition, written once more, for fp32 inputs ---- */

typedef struct direct { /* one row */
    double o[64], lse, full_o[64], full_lse;
    size_t keys;
} direct;

static void attend(const metric_bench *m, const attn_layout *layout, size_t batch, size_t g, size_t i,
                   double *o, double *lse, size_t *keys)
{
    const cell *c = &m->cell;
    size_t kv = g / (c->heads / c->kv_heads);
    const float *q = (const float *)m->bench.q + ((batch * c->heads + g) * c->n + i) * c->dim;
    const float *k = (const float *)m->bench.k + (batch * c->kv_heads + kv) * c->n * c->dim;
    const float *v = (const float *)m->bench.v + (batch * c->kv_heads + kv) * c->n * c->dim;
    double sum = 0; /* scores of a few units: no maximum needed */
    memset(o, 0, c->dim * sizeof *o);
    *keys = 0;
    for (size_t j = 0; j < c->n; j++) {
        if (!(layout ? attn_layout_allows(layout, 0, i, j) : j <= i || !attn_layout_causal(m->layout)))
            continue;
        double dot = 0;
        for (size_t e = 0; e < c->dim; e++)
            dot += (double)q[e] * (double)k[j * c->dim + e];
        double p = exp(dot / sqrt((double)c->dim));
        sum += p;
        for (size_t e = 0; e < c->dim; e++)
            o[e] += p * (double)v[j * c->dim + e];
        ++*keys;
    }
    for (size_t e = 0; e < c->dim && *keys; e++)
        o[e] /= sum;
    *lse = *keys ? log(sum) : -(double)INFINITY;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* All series, in their order, over all rows. */
static void expect(metric_bench *m, double want[SERIES])
{
    const cell *c = &m->cell;
    size_t rows = c->batch * c->heads * c->n, kept = 0, empty = 0;
    double *mass = malloc(rows * sizeof *mass);
    double error = 0, norm = 0, worst = 0, worst_row = 0, worst_lse = 0, departure = 0, reference = 0,
           sum = 0, kl = 0;
    attn_plan_run(m->bench.plan, m->bench.q, m->bench.k, m->bench.v, m->bench.o, m->bench.lse);
    for (size_t r = 0; r < rows; r++) {
        direct x;
        size_t all, head = r / c->n, batch = head / c->heads, g = head % c->heads, i = r % c->n;
        attend(m, m->layout, batch, g, i, x.o, &x.lse, &x.keys);
        attend(m, NULL, batch, g, i, x.full_o, &x.full_lse, &all);
        double row_error = 0, row_norm = 0;
        for (size_t e = 0; e < c->dim; e++) {
            double d = (double)((const float *)m->bench.o)[r * c->dim + e] - x.o[e];
            row_error += d * d;
            row_norm += x.o[e] * x.o[e];
            worst = fmax(worst, fabs(d));
            departure += (x.o[e] - x.full_o[e]) * (x.o[e] - x.full_o[e]);
            reference += x.full_o[e] * x.full_o[e];
        }
        error += row_error;
        norm += row_norm;
        if (!x.keys) {
            empty++;
            continue;
        }
        worst_row = fmax(worst_row, sqrt(row_error / row_norm));
        worst_lse = fmax(worst_lse, fabs((double)m->bench.lse[r] - x.lse));
        mass[kept] = exp(x.lse) / exp(x.full_lse);
        sum += mass[kept];
        kl -= log(mass[kept++]);
    }
    qsort(mass, kept, sizeof *mass, ascending);
    size_t q01 = (size_t)ceil(0.01 * (double)kept) - 1;
    double values[SERIES] = {
        worst,
        sqrt(error / norm),
        worst_row,
        worst_lse,
        sqrt(departure / reference),
        sum / (double)kept,
        mass[0],
        mass[q01],
        kl / (double)kept,
        (double)rows,
        (double)empty,
    };
    memcpy(want, values, sizeof values);
    free(mass);
}

Test(metric_accuracy, equals_a_direct_computation)
{
    static const cell cells[] = {
        {.spec = "local:k=6", .n = 70, .heads = 2, .dim = 16, .seed = 1},
        {.spec = "strided:l=7", .n = 65, .heads = 4, .kv_heads = 2, .dim = 8, .batch = 2, .seed = 2},
        {.spec = "fixed:l=8,c=2", .n = 61, .heads = 1, .dim = 64, .seed = 3},
        {.spec = "fixed:l=9,c=3,head=summary", .n = 50, .heads = 3, .kv_heads = 1, .dim = 12, .seed = 4},
        {.spec = "local:k=3,causal=0", .n = 40, .heads = 2, .dim = 33, .seed = 5},
        {.spec = "dense", .n = 1, .heads = 1, .dim = 8, .seed = 6},
    };
    for (size_t t = 0; t < sizeof cells / sizeof *cells; t++) {
        metric_bench m;
        double want[SERIES];
        metric_bench_open(&m, cells[t], 10);
        expect(&m, want);
        capture_metric(&got, "accuracy", &m);
        for (size_t s = 0; s < SERIES; s++) {
            double value = capture_number(&got, series[s]);
            /* the kernel's errors are differences near fp32's epsilon, from sums in another order */
            double tolerance = s < 4 ? 1e-13 + 1e-6 * want[s] : 1e-11 * (1 + fabs(want[s]));
            cr_assert(fabs(value - want[s]) <= tolerance, "%s n=%zu d=%zu seed=%llu: %s is %.12g, not %.12g",
                      cells[t].spec, cells[t].n, cells[t].dim, (unsigned long long)cells[t].seed, series[s],
                      value, want[s]);
        }
        cr_assert(want[1] < 1e-5, "%s: the kernel itself is off by %g", cells[t].spec, want[1]);
        metric_bench_close(&m);
    }
}

Test(metric_accuracy, dense_is_its_own_reference)
{
    static const char *const specs[] = {"dense", "dense:causal=0"};
    for (int s = 0; s < 2; s++) {
        metric_bench m;
        metric_bench_open(&m, (cell){.spec = specs[s], .n = 90, .heads = 2, .dim = 16, .seed = 8}, 10);
        capture_metric(&got, "accuracy", &m);
        static const char *const ones[] = {"pattern_mass", "pattern_mass_min", "pattern_mass_q01"};
        for (int i = 0; i < 3; i++)
            cr_assert(capture_number(&got, ones[i]) == 1, "%s: %s is %.17g", specs[s], ones[i],
                      capture_number(&got, ones[i]));
        cr_assert(capture_number(&got, "pattern_kl") == 0 && capture_number(&got, "pattern_rel_err") == 0,
                  "%s: KL %g, error %g", specs[s], capture_number(&got, "pattern_kl"),
                  capture_number(&got, "pattern_rel_err"));
        cr_assert(capture_number(&got, "empty_rows") == 0, "empty rows");
        metric_bench_close(&m);
    }
}

/* A pattern of which no row has a key: head=summary of a block longer than n. */
Test(metric_accuracy, nothing_allowed)
{
    metric_bench m;
    metric_bench_open(
        &m, (cell){.spec = "fixed:l=64,c=4,head=summary", .n = 32, .heads = 2, .dim = 8, .seed = 9}, 10);
    capture_metric(&got, "accuracy", &m);
    cr_assert(capture_number(&got, "empty_rows") == 64 && capture_number(&got, "rows_checked") == 64,
              "%g of %g empty", capture_number(&got, "empty_rows"), capture_number(&got, "rows_checked"));
    cr_assert(capture_number(&got, "rel_err") == 0 && capture_number(&got, "worst_row_err") == 0 &&
              capture_number(&got, "lse_max_abs_err") == 0, "kernel error of rows that are all zeros");
    cr_assert(capture_number(&got, "pattern_rel_err") == 1, "pattern error %g",
              capture_number(&got, "pattern_rel_err"));
    cr_assert(capture_find(&got, "pattern_mass")->kind == RECORD_ABSENT &&
              capture_find(&got, "pattern_kl")->kind == RECORD_ABSENT, "mass or KL of nothing");
    metric_bench_close(&m);
}

/* The plan of one pattern judged by the layout of another: the oracle must not follow the plan. */
Test(metric_accuracy, a_wrong_kernel_shows)
{
    metric_bench right, wrong;
    metric_bench_open(&right, (cell){.spec = "local:k=8", .n = 64, .heads = 2, .dim = 16, .seed = 14}, 10);
    metric_bench_open(&wrong, (cell){.spec = "local:k=7", .n = 64, .heads = 2, .dim = 16, .seed = 14}, 10);
    attn_plan *plan = right.bench.plan;
    right.bench.plan = wrong.bench.plan;
    capture_metric(&got, "accuracy", &right);
    cr_assert(capture_number(&got, "rel_err") > 0.01 && capture_number(&got, "max_abs_err") > 0.01 &&
              capture_number(&got, "lse_max_abs_err") > 0.01, "rel_err %g, max_abs_err %g",
              capture_number(&got, "rel_err"), capture_number(&got, "max_abs_err"));
    right.bench.plan = plan;
    metric_bench_close(&right);
    metric_bench_close(&wrong);
}

/* NaN agrees with NaN where it belongs. */
Test(metric_accuracy, not_a_number_is_no_kernel_error_where_it_belongs)
{
    metric_bench m;
    metric_bench_open(&m, (cell){.spec = "local:k=2", .n = 40, .heads = 1, .dim = 8, .seed = 10}, 10);
    ((float *)m.bench.v)[20 * 8 + 3] = (float)NAN;
    capture_metric(&got, "accuracy", &m);
    cr_assert(capture_number(&got, "max_abs_err") < 1e-5, "max_abs_err %g",
              capture_number(&got, "max_abs_err"));
    cr_assert(capture_number(&got, "rel_err") < 1e-5, "rel_err %g", capture_number(&got, "rel_err"));
    cr_assert(capture_find(&got, "pattern_rel_err")->kind == RECORD_ABSENT, "a pattern error from NaN");
    metric_bench_close(&m);
}

Test(metric_accuracy, rounding_of_bf16_shows)
{
    metric_bench m;
    metric_bench_open(
        &m, (cell){.spec = "local:k=8", .n = 64, .heads = 2, .dim = 16, .dtype = ATTN_BF16, .seed = 11}, 10);
    capture_metric(&got, "accuracy", &m);
    double rel = capture_number(&got, "rel_err"); /* o is rounded to 8 bits: about 2^-9 / sqrt(3) */
    cr_assert(rel > 5e-4 && rel < 4e-3, "rel_err %g", rel);
    metric_bench_close(&m);
}

Test(metric_accuracy, knows_nothing_of_threads)
{
    static capture one;
    for (int threads = 1; threads <= 3; threads++) {
        metric_bench m;
        cell c = {.spec = "strided:l=9", .n = 300, .heads = 4, .dim = 16, .seed = 12, .threads = threads};
        metric_bench_open(&m, c, 0.02); /* a sample */
        capture_metric(&got, "accuracy", &m);
        if (threads == 1)
            one = got;
        for (size_t s = 0; s < SERIES; s++)
            cr_assert(capture_number(&got, series[s]) == capture_number(&one, series[s]),
                      "%s: %.17g with %d threads, %.17g with one", series[s], capture_number(&got, series[s]),
                      threads, capture_number(&one, series[s]));
        metric_bench_close(&m);
    }
}

Test(metric_accuracy, a_sample_estimates_the_whole)
{
    cell c = {.spec = "local:k=40", .n = 512, .heads = 4, .dim = 16, .seed = 13};
    metric_bench m;
    metric_bench_open(&m, c, 100);
    static capture whole;
    capture_metric(&whole, "accuracy", &m);
    cr_assert(capture_number(&whole, "rows_checked") == 2048, "%g rows",
              capture_number(&whole, "rows_checked"));
    m.bench.seconds = 0.005;
    capture_metric(&got, "accuracy", &m);
    double rows = capture_number(&got, "rows_checked");
    cr_assert(rows >= 64 && rows < 1024, "%g rows sampled", rows);
    static const char *const estimates[] = {"pattern_mass", "pattern_kl", "pattern_rel_err"};
    for (int i = 0; i < 3; i++) {
        double a = capture_number(&got, estimates[i]), b = capture_number(&whole, estimates[i]);
        cr_assert(fabs(a - b) < 0.05 * b, "%s: %g from %g rows, %g from all", estimates[i], a, rows, b);
    }
    metric_bench_close(&m);
}

/* ---- the choice of rows ---- */

Test(rows, all_where_they_are_wanted)
{
    row_choice *rows;
    size_t count;
    cr_assert(rows_choose(&rows, &count, 3, 10, 30, 1, NULL) == ATTN_OK && count == 30, "%zu rows", count);
    for (size_t i = 0; i < count; i++)
        cr_assert(rows[i].head == i / 10 && rows[i].row == i % 10 && rows[i].weight == 1,
                  "choice %zu: %zu/%zu", i, rows[i].head, rows[i].row);
    free(rows);
}

Test(rows, a_sample_is_ordered_stratified_and_weighted)
{
    static const struct {
        size_t heads, rows;
        double wanted;
    } table[] = {
        {8, 1000, 400}, {8, 1000, 30}, {8, 1000, 0.1},   {1, 5, 4.5},
        {2, 1, 1},      {100, 7, 60},  {3, 1 << 20, 50}, {16, 3, 20},
    };
    for (size_t t = 0; t < sizeof table / sizeof *table; t++) {
        row_choice *rows;
        size_t count;
        cr_assert(rows_choose(&rows, &count, table[t].heads, table[t].rows, table[t].wanted, 5, NULL) ==
                      ATTN_OK,
                  "case %zu failed", t);
        double weight = 0;
        for (size_t i = 0; i < count; i++) {
            bool first = i == 0 || rows[i - 1].head != rows[i].head, last = i + 1 == count ||
                         rows[i + 1].head != rows[i].head;
            cr_assert(rows[i].head < table[t].heads && rows[i].row < table[t].rows, "case %zu: %zu/%zu", t,
                      rows[i].head, rows[i].row);
            cr_assert(i == 0 || rows[i].head > rows[i - 1].head ||
                      (rows[i].head == rows[i - 1].head && rows[i].row > rows[i - 1].row),
                      "case %zu: choice %zu out of order", t, i);
            cr_assert(!first || rows[i].row == 0, "case %zu: head %zu begins at row %zu", t, rows[i].head,
                      rows[i].row);
            cr_assert(!last || rows[i].row == table[t].rows - 1, "case %zu: head %zu ends at row %zu", t,
                      rows[i].head, rows[i].row);
            weight += rows[i].weight;
        }
        double all = (double)(table[t].heads * table[t].rows);
        cr_assert(fabs(weight - all) < 1e-6 * all, "case %zu: weights sum to %g of %g", t, weight, all);
        cr_assert((double)count <= fmax(table[t].wanted, 4), "case %zu: %zu rows, wanted %g", t, count,
                  table[t].wanted);
        free(rows);
    }
}

/* Weighted means over many seeds come to the mean over all rows: here of the row number, squared. */
Test(rows, the_estimate_has_no_bias)
{
    enum { ROWS = 500, HEADS = 6, SEEDS = 400 };
    double truth = 0, sum = 0, squares = 0;
    for (size_t r = 0; r < ROWS; r++)
        truth += (double)(r * r) / ROWS;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        row_choice *rows;
        size_t count;
        cr_assert(rows_choose(&rows, &count, HEADS, ROWS, 40, seed, NULL) == ATTN_OK, "seed %llu failed",
                  (unsigned long long)seed);
        double mean = 0;
        for (size_t i = 0; i < count; i++)
            mean += rows[i].weight * (double)(rows[i].row * rows[i].row) / (HEADS * ROWS);
        sum += mean;
        squares += mean * mean;
        free(rows);
    }
    double mean = sum / SEEDS, error = sqrt((squares / SEEDS - mean * mean) / SEEDS);
    cr_assert(fabs(mean - truth) < 4 * error, "mean %g of estimates, truth %g, standard error %g", mean,
              truth, error);
}

Test(rows, a_seed_decides)
{
    row_choice *a, *b, *c;
    size_t na, nb, nc;
    cr_assert(rows_choose(&a, &na, 8, 4096, 256, 1, NULL) == ATTN_OK &&
                  rows_choose(&b, &nb, 8, 4096, 256, 1, NULL) == ATTN_OK &&
                  rows_choose(&c, &nc, 8, 4096, 256, 2, NULL) == ATTN_OK,
              "choosing failed");
    cr_assert(na == nb && memcmp(a, b, na * sizeof *a) == 0, "the same seed, other rows");
    cr_assert(na != nc || memcmp(a, c, na * sizeof *a) != 0, "another seed, the same rows");
    free(a);
    free(b);
    free(c);
}
