/* The spectral gap of the symmetrised graph S = A or A^T, with self-loops: 1 - mu, where mu is the second-largest
 * eigenvalue of N = D^-1/2 S D^-1/2, whose largest is 1 with the eigenvector D^1/2 1.
 *
 * Lanczos with full reorthogonalisation, against that eigenvector too, and a thick restart [wu2000]: when the basis is
 * full it is replaced by its best Ritz vectors and the residual. The first vector mixes noise with a slow wave, which
 * is close to the eigenvector wherever attention is local. At the end the residual is computed anew from its
 * definition; N is symmetric, so some eigenvalue lies within it of mu, and mu is never above the true one but for it.
 *
 * S x = A x + A^T x less what both hold: the diagonal where A is causal; A^T x where A is symmetric, which products with
 * a random vector of integers tell (exactly computed, unequal but for one in 2^20); else the rows of S are made. */
#include "patterns/analysis_rows.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"

enum { MOST_VECTORS = 48, LEAST_VECTORS = 8 };
static const size_t VECTOR_BYTES = (size_t)256 << 20;
static const double SETTLED_SHARE = 1e-3, SETTLED = 1e-9;

/* ---- S ---- */

typedef struct graph {
    size_t n;
    bool both;        /* add the transpose */
    rows own;         /* made here, or empty */
    linear sums;
    double *other;    /* [n] */
    double *correct;  /* [n]: what to add of x_i */
    double *root;     /* [n]: D^-1/2 */
    double *first;    /* [n]: the unit eigenvector of 1 */
} graph;

static bool row_holds(const rows *r, size_t i, size_t j)
{
    for (uint64_t k = r->first[i]; k < r->first[i + 1]; k++) {
        const comb32 *c = &r->at[k];
        if (j < c->begin)
            continue;
        size_t s = c->count > 1 ? (j - c->begin) / c->step : 0;
        if (s < c->count && j - c->begin - s * c->step < c->width)
            return true;
    }
    return false;
}

static attn_status is_symmetric(bool *out, const rows *r, attn_error *err)
{
    linear sums;
    attn_status status = linear_create(&sums, r, err);
    if (status != ATTN_OK)
        return status;
    double *x = malloc(3 * r->n * sizeof *x);
    if (x) {
        rng random = rng_make(1, 0x73796d6d); /* "symm" */
        for (size_t i = 0; i < r->n; i++)
            x[i] = (double)rng_below(&random, 1 << 20);
        linear_gather(&sums, x, x + r->n);
        linear_scatter(&sums, x, x + 2 * r->n);
        *out = memcmp(x + r->n, x + 2 * r->n, r->n * sizeof *x) == 0;
    } else {
        status = attn_fail(err, ATTN_ENOMEM, "out of memory for the graph of n=%zu", r->n);
    }
    free(x);
    linear_destroy(&sums);
    return status;
}

/* Calls for the runs of set bits; counts them when `to` is NULL. */
static size_t runs_of(const uint64_t *bits, size_t n, comb32 *to)
{
    size_t count = 0;
    for (size_t j = 0; j < n; j++) {
        size_t begin = j;
        while (j < n && bits[j / 64] >> j % 64 & 1)
            j++;
        if (j == begin)
            continue;
        if (to)
            to[count] = (comb32){(uint32_t)begin, (uint32_t)(j - begin), 0, 1};
        count++;
    }
    return count;
}

/* The rows of A or its transpose, from a matrix of bits. */
static attn_status symmetrise(rows *out, const rows *r, attn_error *err)
{
    const size_t n = r->n, words = (n + 63) / 64;
    if (n > ATTN_GAP_ASYMMETRIC)
        return attn_fail(err, ATTN_EUNAVAILABLE,
                         "the pattern is neither causal nor symmetric; its graph is made from all pairs, up to n=%d",
                         ATTN_GAP_ASYMMETRIC);
    uint64_t *bits = calloc(n * words, sizeof *bits);
    rows own = {.n = n, .first = malloc((n + 1) * sizeof *own.first)};
    if (!bits || !own.first)
        goto failed;
    for (size_t i = 0; i < n; i++)
        for (uint64_t k = r->first[i]; k < r->first[i + 1]; k++) {
            const comb32 *c = &r->at[k];
            for (size_t s = 0; s < c->count; s++)
                for (size_t t = 0; t < c->width; t++) {
                    size_t j = c->begin + s * c->step + t;
                    bits[i * words + j / 64] |= (uint64_t)1 << j % 64;
                    bits[j * words + i / 64] |= (uint64_t)1 << i % 64;
                }
        }
    own.first[0] = 0;
    for (size_t i = 0; i < n; i++)
        own.first[i + 1] = own.first[i] + runs_of(bits + i * words, n, NULL);
    if (!(own.at = malloc((own.first[n] + 1) * sizeof *own.at)))
        goto failed;
    for (size_t i = 0; i < n; i++)
        runs_of(bits + i * words, n, own.at + own.first[i]);
    free(bits);
    *out = own;
    return ATTN_OK;
failed:
    free(bits);
    rows_destroy(&own);
    return attn_fail(err, ATTN_ENOMEM, "out of memory for the graph of n=%zu", n);
}

static void apply_graph(graph *g, const double *x, double *y)
{
    linear_gather(&g->sums, x, y);
    if (g->both)
        linear_scatter(&g->sums, x, g->other);
    for (size_t i = 0; i < g->n; i++)
        y[i] += (g->both ? g->other[i] : 0) + g->correct[i] * x[i];
}

static attn_status graph_create(graph *g, const rows *r, attn_error *err)
{
    const size_t n = r->n;
    bool symmetric = false;
    *g = (graph){.n = n, .both = r->causal};
    attn_status status = r->causal ? ATTN_OK : is_symmetric(&symmetric, r, err);
    if (!status && !r->causal && !symmetric && !(status = symmetrise(&g->own, r, err)))
        r = &g->own;
    if (!status)
        status = linear_create(&g->sums, r, err);
    if (status != ATTN_OK)
        return status;
    g->other = malloc(4 * n * sizeof *g->other);
    if (!g->other)
        return attn_fail(err, ATTN_ENOMEM, "out of memory for the graph of n=%zu", n);
    g->correct = g->other + n;
    g->root = g->other + 2 * n;
    g->first = g->other + 3 * n;
    for (size_t i = 0; i < n; i++) {
        double diagonal = row_holds(r, i, i) ? 1 : 0;
        g->correct[i] = g->both ? 1 - 2 * diagonal : 1 - diagonal;
        g->root[i] = 1;
    }
    apply_graph(g, g->root, g->first); /* degrees */
    double all = 0;
    for (size_t i = 0; i < n; i++)
        all += g->first[i];
    for (size_t i = 0; i < n; i++) {
        g->root[i] = 1 / sqrt(g->first[i]);
        g->first[i] = sqrt(g->first[i] / all);
    }
    return ATTN_OK;
}

static void graph_destroy(graph *g)
{
    linear_destroy(&g->sums);
    rows_destroy(&g->own);
    free(g->other);
}

/* y = N x; x is kept. */
static void product(graph *g, double *scaled, const double *x, double *y)
{
    for (size_t i = 0; i < g->n; i++)
        scaled[i] = g->root[i] * x[i];
    apply_graph(g, scaled, y);
    for (size_t i = 0; i < g->n; i++)
        y[i] *= g->root[i];
}

/* ---- vectors ---- */

static double dot(const double *x, const double *y, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += x[i] * y[i];
    return sum;
}

static double remove_part(double *x, const double *unit, size_t n)
{
    double part = dot(x, unit, n);
    for (size_t i = 0; i < n; i++)
        x[i] -= part * unit[i];
    return part;
}

/* Scales to norm 1 and returns the norm it had. */
static double normalise(double *x, size_t n)
{
    double norm = sqrt(dot(x, x, n));
    for (size_t i = 0; i < n && norm > 0; i++)
        x[i] /= norm;
    return norm;
}

/* ---- small symmetric matrices: Jacobi's rotations ---- */

typedef struct small {
    size_t m;
    double h[MOST_VECTORS][MOST_VECTORS], y[MOST_VECTORS][MOST_VECTORS];
} small;

static void rotate(small *s, size_t p, size_t q)
{
    double theta = (s->h[q][q] - s->h[p][p]) / (2 * s->h[p][q]);
    double t = (theta < 0 ? -1 : 1) / (fabs(theta) + sqrt(theta * theta + 1)), c = 1 / sqrt(t * t + 1), d = t * c;
    for (size_t k = 0; k < s->m; k++) {
        double a = s->h[k][p], b = s->h[k][q];
        s->h[k][p] = c * a - d * b;
        s->h[k][q] = d * a + c * b;
    }
    for (size_t k = 0; k < s->m; k++) {
        double a = s->h[p][k], b = s->h[q][k];
        s->h[p][k] = c * a - d * b;
        s->h[q][k] = d * a + c * b;
        a = s->y[k][p];
        b = s->y[k][q];
        s->y[k][p] = c * a - d * b;
        s->y[k][q] = d * a + c * b;
    }
}

/* h becomes diagonal, its eigenvalues in descending order, y its eigenvectors as columns. */
static void diagonalise(small *s)
{
    memset(s->y, 0, sizeof s->y);
    for (size_t k = 0; k < s->m; k++)
        s->y[k][k] = 1;
    for (int sweep = 0; sweep < 60; sweep++) {
        double off = 0;
        for (size_t p = 0; p < s->m; p++)
            for (size_t q = p + 1; q < s->m; q++)
                if (fabs(s->h[p][q]) > 1e-300) {
                    off = fmax(off, fabs(s->h[p][q]));
                    rotate(s, p, q);
                }
        if (off < 1e-15)
            break;
    }
    for (size_t p = 0; p < s->m; p++) {
        size_t best = p;
        for (size_t q = p + 1; q < s->m; q++)
            best = s->h[q][q] > s->h[best][best] ? q : best;
        double swap = s->h[p][p];
        s->h[p][p] = s->h[best][best];
        s->h[best][best] = swap;
        for (size_t k = 0; k < s->m; k++) {
            swap = s->y[k][p];
            s->y[k][p] = s->y[k][best];
            s->y[k][best] = swap;
        }
    }
}

/* ---- the iteration ---- */

typedef struct basis {
    size_t n, most;
    double *v;       /* [most + 1][n] */
    double *scratch; /* [n] */
    small s;
} basis;

/* The next vector: orthogonal to all, of norm 1; returns the norm before. */
static double extend(basis *b, graph *g, size_t j, size_t *products)
{
    double *w = b->v + (j + 1) * b->n;
    product(g, b->scratch, b->v + j * b->n, w);
    ++*products;
    for (size_t i = 0; i <= j; i++)
        b->s.h[i][j] = b->s.h[j][i] = 0;
    for (int pass = 0; pass < 2; pass++) {
        remove_part(w, g->first, b->n);
        for (size_t i = 0; i <= j; i++) {
            double part = remove_part(w, b->v + i * b->n, b->n);
            b->s.h[i][j] += part;
            b->s.h[j][i] = b->s.h[i][j];
        }
    }
    return normalise(w, b->n);
}

/* The first `keep` Ritz vectors take the places of the basis, in place, a few positions at a time. */
static void restart(basis *b, size_t m, size_t keep)
{
    for (size_t i = 0; i < b->n; i++) {
        double old[MOST_VECTORS];
        for (size_t k = 0; k < m; k++)
            old[k] = b->v[k * b->n + i];
        for (size_t k = 0; k < keep; k++) {
            double sum = 0;
            for (size_t e = 0; e < m; e++)
                sum += b->s.y[e][k] * old[e];
            b->v[k * b->n + i] = sum;
        }
    }
}

static void first_vector(basis *b, const graph *g)
{
    rng random = rng_make(1, 0x676170); /* "gap" */
    for (size_t i = 0; i < b->n; i++)
        b->v[i] = (cos(M_PI * ((double)i + 0.5) / (double)b->n) + 0.1 * (rng_uniform(&random) - 0.5)) / g->root[i];
    remove_part(b->v, g->first, b->n);
    remove_part(b->v, g->first, b->n);
    normalise(b->v, b->n);
}

static void iterate(attn_gap *out, basis *b, graph *g, size_t max_products)
{
    size_t held = 0, products = 0;
    double mu = 0, residual = 1;
    first_vector(b, g);
    while (products < max_products) {
        size_t m = held;
        double beta = 1;
        while (m < b->most && beta > 1e-13) /* below: the basis is invariant */
            beta = extend(b, g, m++, &products);
        b->s.m = m;
        diagonalise(&b->s);
        mu = b->s.h[0][0];
        residual = beta * fabs(b->s.y[m - 1][0]);
        size_t keep = beta > 1e-13 ? m / 3 + 1 : 1;
        restart(b, m, keep);
        if (residual < fmax(0.1 * SETTLED_SHARE * (1 - mu), 0.1 * SETTLED))
            break;
        memcpy(b->v + keep * b->n, b->v + m * b->n, b->n * sizeof *b->v);
        for (size_t p = 0; p < keep; p++)
            for (size_t q = 0; q < keep; q++)
                b->s.h[p][q] = p == q ? b->s.h[p][q] : 0;
        held = keep;
    }
    double *x = b->v, *y = b->v + b->n; /* the residual by its definition */
    normalise(x, b->n);
    product(g, b->scratch, x, y);
    mu = dot(x, y, b->n);
    for (size_t i = 0; i < b->n; i++)
        y[i] -= mu * x[i];
    out->gap = fmax(0, 1 - mu);
    out->residual = sqrt(dot(y, y, b->n));
    out->products = products + 1;
    out->settled = out->residual < fmax(SETTLED_SHARE * out->gap, SETTLED);
}

static void basis_destroy(basis *b)
{
    if (!b)
        return;
    free(b->v);
    free(b->scratch);
    free(b);
}

static basis *basis_create(size_t n)
{
    basis *b = calloc(1, sizeof *b);
    if (!b)
        return NULL;
    size_t most = VECTOR_BYTES / (n * sizeof(double));
    most = most < LEAST_VECTORS ? LEAST_VECTORS : most < MOST_VECTORS - 1 ? most : MOST_VECTORS - 1;
    b->n = n;
    b->most = most < n - 1 ? most : n - 1;
    b->v = malloc((b->most + 1) * n * sizeof *b->v);
    b->scratch = malloc(n * sizeof *b->scratch);
    if (!b->v || !b->scratch) {
        basis_destroy(b);
        return NULL;
    }
    return b;
}

attn_status attn_analysis_gap(attn_gap *out, const attn_analysis *a, size_t max_products, attn_error *err)
{
    const size_t n = a->n;
    if (n < 2)
        return attn_fail(err, ATTN_EUNAVAILABLE, "a graph of one position has no second eigenvalue");
    graph g;
    attn_status status = graph_create(&g, analysis_joined(a), err);
    if (!status) {
        basis *b = basis_create(n);
        if (b)
            iterate(out, b, &g, max_products);
        else
            status = attn_fail(err, ATTN_ENOMEM, "out of memory for the spectrum of n=%zu", n);
        basis_destroy(b);
    }
    graph_destroy(&g);
    return status;
}
