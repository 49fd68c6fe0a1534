/* Analysis against matrices of bytes: reach, paths, the spectrum, tiles, degrees. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "attn/analysis.h"
#include "attn/spec.h"

enum { N = 40, LAYERS = 2, HOPS = 4 };

typedef struct stack {
    attn_layout *layer[LAYERS];
    bool sees[LAYERS][N][N]; /* of any head */
    bool causal;
    attn_analysis *analysis;
} stack;

static attn_layout *layout_of(const char *text, size_t n)
{
    attn_spec *spec;
    attn_layout *layout;
    attn_error err = {{0}};
    cr_assert(attn_spec_parse(&spec, text, &err) == ATTN_OK, "%s: %s", text, err.message);
    cr_assert(attn_layout_create(&layout, spec, n, n, 2, &err) == ATTN_OK, "%s: %s", text, err.message);
    attn_spec_destroy(spec);
    return layout;
}

static void open_stack(stack *s, const char *first, const char *second)
{
    const char *texts[LAYERS] = {first, second};
    attn_error err = {{0}};
    s->causal = true;
    for (size_t l = 0; l < LAYERS; l++) {
        s->layer[l] = layout_of(texts[l], N);
        s->causal &= attn_layout_causal(s->layer[l]);
        for (size_t i = 0; i < N; i++)
            for (size_t j = 0; j < N; j++)
                s->sees[l][i][j] = attn_layout_allows(s->layer[l], 0, i, j) || attn_layout_allows(s->layer[l], 1, i, j);
    }
    const attn_layout *const layers[LAYERS] = {s->layer[0], s->layer[1]};
    cr_assert(attn_analysis_create(&s->analysis, layers, LAYERS, &err) == ATTN_OK, "%s", err.message);
}

static void close_stack(stack *s)
{
    attn_analysis_destroy(s->analysis);
    for (size_t l = 0; l < LAYERS; l++)
        attn_layout_destroy(s->layer[l]);
}

static const char *const stacks[][LAYERS] = {
    {"strided:l=6,head=local", "strided:l=6,head=column"}, {"fixed:l=8,c=2,head=block", "fixed:l=8,c=2,head=summary"},
    {"fixed:l=8,c=2,head=summary", "fixed:l=8,c=2,head=block"}, {"local:k=3", "dense"}, {"local:k=2,causal=0", "local:k=2,causal=0"},
    {"strided:l=7,causal=0", "fixed:l=5,c=1,causal=0"}, {"expr:\"i-j < 3 || (i^j) % 7 == 0\"", "local:k=0"}};
enum { STACKS = sizeof stacks / sizeof stacks[0] };

/* What is held after t steps, layers in turn, the first applied first. */
static double share_after(const stack *s, size_t hops, bool residual)
{
    static bool held[N][N], next[N][N];
    size_t joined = 0, pairs = 0;
    for (size_t i = 0; i < N; i++)
        for (size_t j = 0; j < N; j++)
            held[i][j] = i == j;
    for (size_t t = 0; t < hops; t++) {
        for (size_t i = 0; i < N; i++)
            for (size_t j = 0; j < N; j++) {
                next[i][j] = residual && held[i][j];
                for (size_t a = 0; a < N; a++)
                    next[i][j] |= s->sees[t % LAYERS][i][a] && held[a][j];
            }
        memcpy(held, next, sizeof held);
    }
    for (size_t i = 0; i < N; i++)
        for (size_t j = 0; j < N; j++)
            if (!s->causal || j <= i) {
                pairs++;
                joined += held[i][j];
            }
    return (double)joined / (double)pairs;
}

Test(analysis, reach_is_that_of_matrices)
{
    for (size_t k = 0; k < STACKS; k++) {
        stack s;
        attn_reach r;
        attn_error err = {{0}};
        open_stack(&s, stacks[k][0], stacks[k][1]);
        const attn_reach_request request = {.hops = HOPS, .steps = 2, .max_hops = 64, .sample = 16, .exact_to = 1024, .seed = 1};
        cr_assert(attn_analysis_reach(&r, s.analysis, &request, &err) == ATTN_OK, "%s", err.message);
        cr_assert(!r.sampled, "sampled at n=%d", N);
        for (size_t t = 1; t <= HOPS; t++)
            for (int residual = 0; residual < 2; residual++) {
                const attn_reach_track *track = residual ? &r.residual : &r.plain;
                const double expected = share_after(&s, t, residual);
                cr_assert(fabs(track->share[t - 1] - expected) < 1e-12, "%s, %s after %zu%s: %.6f, expected %.6f", stacks[k][0],
                          stacks[k][1], t, residual ? " with residual" : "", track->share[t - 1], expected);
            }
        cr_assert(r.plain.valid == (share_after(&s, 2, false) >= 1), "%s: valid", stacks[k][0]);
        cr_assert(r.residual.valid == (share_after(&s, 2, true) >= 1), "%s: valid with residual", stacks[k][0]);
        close_stack(&s);
    }
}

/* Sampled shares lie near the exact ones, and their intervals hold them. */
Test(analysis, sampled_reach_holds_the_exact)
{
    stack s;
    attn_reach exact, sampled;
    attn_error err = {{0}};
    open_stack(&s, "fixed:l=8,c=2,head=block", "fixed:l=8,c=2,head=summary");
    attn_reach_request request = {.hops = 2, .steps = 2, .max_hops = 16, .sample = 30, .exact_to = 1024, .seed = 3};
    cr_assert(attn_analysis_reach(&exact, s.analysis, &request, &err) == ATTN_OK, "%s", err.message);
    request.exact_to = 8;
    cr_assert(attn_analysis_reach(&sampled, s.analysis, &request, &err) == ATTN_OK, "%s", err.message);
    cr_assert(sampled.sampled && sampled.keys < N, "%zu keys", sampled.keys);
    for (size_t t = 0; t < 2; t++)
        cr_assert(sampled.plain.lo[t] <= exact.plain.share[t] && exact.plain.share[t] <= sampled.plain.hi[t],
                  "after %zu: %.4f not in %.4f .. %.4f", t + 1, exact.plain.share[t], sampled.plain.lo[t], sampled.plain.hi[t]);
    close_stack(&s);
}

Test(analysis, paths_are_counted)
{
    for (size_t k = 0; k < STACKS; k++) {
        stack s;
        attn_paths p;
        attn_error err = {{0}};
        double ways[N][N], next[N][N], total = 0;
        open_stack(&s, stacks[k][0], stacks[k][1]);
        for (size_t i = 0; i < N; i++)
            for (size_t j = 0; j < N; j++)
                ways[i][j] = i == j;
        for (size_t t = 0; t < 3; t++) {
            memset(next, 0, sizeof next);
            for (size_t i = 0; i < N; i++)
                for (size_t a = 0; a < N; a++)
                    for (size_t j = 0; j < N && s.sees[t % LAYERS][i][a]; j++)
                        next[i][j] += ways[a][j];
            memcpy(ways, next, sizeof ways);
        }
        for (size_t i = 0; i < N; i++)
            for (size_t j = 0; j < N; j++)
                total += ways[i][j];
        cr_assert(attn_analysis_paths(&p, s.analysis, 3, &err) == ATTN_OK, "%s", err.message);
        cr_assert(fabs(p.total - total) <= 1e-9 * total, "%s, %s: %.0f paths, expected %.0f", stacks[k][0], stacks[k][1], p.total,
                  total);
        close_stack(&s);
    }
}

/* Eigenvalues of a symmetric matrix by Jacobi rotations, into its diagonal. */
static void jacobi(double a[N][N])
{
    for (size_t sweep = 0; sweep < 60; sweep++)
        for (size_t p = 0; p < N; p++)
            for (size_t q = p + 1; q < N; q++) {
                if (fabs(a[p][q]) < 1e-15)
                    continue;
                const double theta = (a[q][q] - a[p][p]) / (2 * a[p][q]);
                const double t = (theta < 0 ? -1 : 1) / (fabs(theta) + sqrt(theta * theta + 1)), c = 1 / sqrt(t * t + 1), s = t * c;
                for (size_t k = 0; k < N; k++) {
                    const double x = a[k][p], y = a[k][q];
                    a[k][p] = c * x - s * y;
                    a[k][q] = s * x + c * y;
                }
                for (size_t k = 0; k < N; k++) {
                    const double x = a[p][k], y = a[q][k];
                    a[p][k] = c * x - s * y;
                    a[q][k] = s * x + c * y;
                }
            }
}

Test(analysis, gap_is_that_of_the_laplacian)
{
    for (size_t k = 0; k < STACKS; k++) {
        stack s;
        attn_gap g;
        attn_error err = {{0}};
        double a[N][N], degree[N], least[2] = {HUGE_VAL, HUGE_VAL};
        open_stack(&s, stacks[k][0], stacks[k][1]);
        for (size_t i = 0; i < N; i++) {
            degree[i] = 0;
            for (size_t j = 0; j < N; j++) {
                bool joined = i == j;
                for (size_t l = 0; l < LAYERS; l++)
                    joined |= s.sees[l][i][j] || s.sees[l][j][i];
                degree[i] += a[i][j] = joined;
            }
        }
        for (size_t i = 0; i < N; i++)
            for (size_t j = 0; j < N; j++)
                a[i][j] = (i == j) - a[i][j] / sqrt(degree[i] * degree[j]);
        jacobi(a);
        for (size_t i = 0; i < N; i++)
            if (a[i][i] < least[0]) {
                least[1] = least[0];
                least[0] = a[i][i];
            } else if (a[i][i] < least[1]) {
                least[1] = a[i][i];
            }
        cr_assert(attn_analysis_gap(&g, s.analysis, 10000, &err) == ATTN_OK, "%s", err.message);
        cr_assert(g.settled && fabs(g.gap - least[1]) < 1e-3 * least[1] + 1e-8, "%s, %s: gap %.9f, expected %.9f", stacks[k][0],
                  stacks[k][1], g.gap, least[1]);
        close_stack(&s);
    }
}

Test(analysis, tiles_are_counted)
{
    static const char *const specs[] = {"dense", "local:k=9", "strided:l=6", "fixed:l=8,c=2", "local:k=3,causal=0"};
    static const size_t blocks[] = {1, 7, 16, 64};
    for (size_t k = 0; k < sizeof specs / sizeof specs[0]; k++) {
        attn_layout *l = layout_of(specs[k], N);
        for (size_t b = 0; b < sizeof blocks / sizeof blocks[0]; b++) {
            attn_tiles t;
            attn_error err = {{0}};
            const size_t side = blocks[b];
            uint64_t full = 0, partial = 0, empty = 0;
            for (size_t i0 = 0; i0 < N; i0 += side)
                for (size_t j0 = 0; j0 < N; j0 += side) {
                    size_t could = 0, does = 0, within = 0;
                    for (size_t i = i0; i < i0 + side && i < N; i++)
                        for (size_t j = j0; j < j0 + side && j < N; j++) {
                            within++;
                            could += !attn_layout_causal(l) || j <= i;
                            does += attn_layout_allows(l, 0, i, j);
                        }
                    full += could && does == within;
                    partial += could && does && does < within;
                    empty += could && !does;
                }
            cr_assert(attn_tiles_count(&t, l, 0, side, 0, &err) == ATTN_OK, "%s", err.message);
            cr_assert(t.full == full && t.partial == partial && t.empty == empty,
                      "%s, tiles of %zu: %zu %zu %zu, expected %zu %zu %zu", specs[k], side, (size_t)t.full, (size_t)t.partial,
                      (size_t)t.empty, (size_t)full, (size_t)partial, (size_t)empty);
            cr_assert(t.pairs == attn_layout_pairs(l, 0), "%s: %zu pairs", specs[k], (size_t)t.pairs);
        }
        attn_layout_destroy(l);
    }
}

Test(analysis, degrees_are_counted)
{
    attn_layout *l = layout_of("fixed:l=8,c=2,head=summary", N);
    const attn_layout *const layers[] = {l};
    attn_degrees d;
    attn_error err = {{0}};
    size_t empty = 0, unseen = 0, longest = 0;
    for (size_t i = 0; i < N; i++) {
        size_t row = 0, column = 0;
        for (size_t j = 0; j < N; j++) {
            row += attn_layout_allows(l, 0, i, j);
            column += attn_layout_allows(l, 0, j, i);
        }
        empty += !row;
        unseen += !column;
        longest = row > longest ? row : longest;
    }
    cr_assert(attn_analysis_degrees(&d, layers, 1, &err) == ATTN_OK, "%s", err.message);
    cr_assert(d.row[ATTN_QUANTILES - 1] == longest && d.row[0] == 0, "longest row %zu", (size_t)d.row[ATTN_QUANTILES - 1]);
    cr_assert(d.empty * N == empty * d.rows, "%zu of %zu rows empty, expected %zu of %d", (size_t)d.empty, (size_t)d.rows, empty, N);
    cr_assert(d.unseen * N == unseen * d.rows, "%zu unseen of %zu, expected %zu of %d", (size_t)d.unseen, (size_t)d.rows, unseen, N);
    attn_layout_destroy(l);
}

Test(analysis, refuses)
{
    attn_layout *a = layout_of("dense", N), *b = layout_of("dense", N + 1);
    const attn_layout *const different[] = {a, b};
    attn_analysis *out = NULL;
    attn_error err = {{0}};
    cr_assert(attn_analysis_create(&out, different, 2, &err) == ATTN_EINVAL && !out, "layers of different n");
    cr_assert(attn_analysis_create(&out, different, 0, &err) == ATTN_EINVAL && !out, "no layer");
    attn_layout_destroy(a);
    attn_layout_destroy(b);
}
