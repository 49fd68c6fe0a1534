/* Whether an adapter computes what it was asked: sampled rows against the fp64 oracle, before anything is timed. */
#include "harness/ext.h"

#include <math.h>
#include <stdlib.h>

#include "attn/oracle.h"
#include "base/float16.h"
#include "harness/metrics/rows.h"

enum { ROWS = 64 };

/* Worst relative error of a row. f32: kernels sum in different orders and compute exp to 1e-6 or so; a wrong or missing
 * key among 16384 is 1e-2. bf16: weights and o are rounded to 8 bits (4e-3), and parts of a union once more before they
 * are joined; f16 has 11. */
double ext_tolerance(attn_dtype dtype)
{
    static const double tolerances[] = {[ATTN_F32] = 5e-5, [ATTN_BF16] = 3e-2, [ATTN_F16] = 4e-3};
    return tolerances[dtype];
}

static void widen(double *out, attn_dtype dtype, const void *data, size_t first, size_t count)
{
    for (size_t e = 0; e < count; e++)
        out[e] = dtype == ATTN_F32    ? (double)((const float *)data)[first + e]
                 : dtype == ATTN_BF16 ? (double)f32_from_bf16(((const uint16_t *)data)[first + e])
                                      : (double)f32_from_f16(((const uint16_t *)data)[first + e]);
}

/* ||o - right|| / ||right||; 0 for rows that are empty or not finite in the oracle, infinite for an o that is not. */
static double row_error(const double *o, const double *right, size_t dim, double lse)
{
    double error = 0, norm = 0;
    for (size_t e = 0; e < dim; e++) {
        error += (o[e] - right[e]) * (o[e] - right[e]);
        norm += right[e] * right[e];
    }
    if (lse == -(double)INFINITY || !isfinite(norm))
        return 0;
    if (!isfinite(error))
        return (double)INFINITY;
    return error > 0 ? sqrt(error / norm) : 0;
}

attn_status ext_verify(const cell *c, const attn_layout *layout, const void *q, const void *k, const void *v,
                       const void *o, attn_error *err)
{
    const double limit = ext_tolerance(c->dtype), scale = 1 / sqrt((double)c->dim);
    const size_t dim = c->dim, keys = c->n * dim;
    row_choice *rows = NULL;
    size_t count = 0, loaded = SIZE_MAX;
    double query[ATTN_MAX_DIM], right[ATTN_MAX_DIM], is[ATTN_MAX_DIM], lse;
    double *k64 = malloc(keys * sizeof *k64), *v64 = malloc(keys * sizeof *v64), *scores = malloc(c->n * sizeof *scores);
    attn_status status = rows_choose(&rows, &count, c->batch * c->heads, c->n, ROWS, c->seed, err);
    if (!status && (!k64 || !v64 || !scores))
        status = attn_fail(err, ATTN_ENOMEM, "out of memory for the fp64 reference of n=%zu, d=%zu", c->n, dim);
    for (size_t i = 0; i < count && !status; i++) {
        const size_t batch = rows[i].head / c->heads, g = rows[i].head % c->heads;
        const size_t kv = batch * c->kv_heads + g * c->kv_heads / c->heads;
        const size_t at = (rows[i].head * c->n + rows[i].row) * dim;
        if (kv != loaded) {
            widen(k64, c->dtype, k, kv * keys, keys);
            widen(v64, c->dtype, v, kv * keys, keys);
            loaded = kv;
        }
        widen(query, c->dtype, q, at, dim);
        widen(is, c->dtype, o, at, dim);
        attn_oracle_row(layout, g % attn_layout_distinct_heads(layout), rows[i].row, dim, scale, query, k64, v64, scores,
                        right, &lse);
        const double error = row_error(is, right, dim, lse);
        if (isinf(error))
            status = attn_fail(err, ATTN_EWRONG, "wrong numbers from %s: batch %zu head %zu row %zu of o is not finite, or "
                               "was not written", c->kernel, batch, g, rows[i].row);
        else if (error > limit)
            status = attn_fail(err, ATTN_EWRONG, "wrong numbers from %s: batch %zu head %zu row %zu of o is off the fp64 "
                               "oracle by %.1e of its length, more than %.0e", c->kernel, batch, g, rows[i].row, error,
                               limit);
    }
    free(scores);
    free(v64);
    free(k64);
    free(rows);
    return status;
}
