/* Exponents: FLOPs from exact counts, times from fresh processes.
 *
 * A round measures every length of a family once, in random order: the processor time of a run on one thread, since waiting for a
 * processor says nothing of the length, and short runs wait less often than long ones. The first runs of a process are slow, so a few are
 * made of the longest, too. Where time has to follow the pattern and little is computed for each row, every length has as many rows in
 * all heads together, so that the caches hold the same share of them; what is measured is the time of a head. Over the rounds each length has the lower
 * quartile of these, since what disturbs only adds, and the slope is that of the quartiles; its interval is the middle 95% of slopes of
 * rounds drawn anew, whole, as many as there are [efron1993]. Rounds go on until the interval is NARROW or
 * there have been as many as allowed. Since time is FLOPs over rate, slope(time) = slope(FLOPs) - slope(rate) over the same lengths. */
#include "harness/selftest_parts.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "harness/cli.h"
#include "harness/fit.h"
#include "harness/run.h"
#include "harness/stats.h"

/* Whole roots, so that sqrt(n) is what it says. */
static const size_t counted[] = {4096, 9216, 16384, 36864, 65536}, measured[] = {4096, 9216, 16384}, quick[] = {4096, 6400, 9216};
enum { COUNTED = sizeof counted / sizeof counted[0], POINTS = 3, LEAST_ROUNDS = 6, MOST_ROUNDS = 30, MOST_QUICK = 20, DRAWS = 999, MOST_RUNS = 50, LEAST_RUNS = 6, LEAST_QUICK_RUNS = 3, ROWS = 65536 };
static const double NARROW = 0.02, FLOPS_WITHIN = 0.02, TIME_WITHIN = 0.05;

typedef struct family {
    const char *spec, *class;
    double exponent;
    bool time_follows; /* whether time has to have that exponent; else it is shown as it is */
    size_t heads; /* 0: as many as make ROWS rows */
} family;

static const family families[] = {
    {"dense", "n²", 2, true, 1},
    {"local:k=128", "n", 1, true, 0},
    {"strided:l=sqrt(n)", "n√n", 1.5, false, 2},
    {"fixed:l=sqrt(n),c=8", "n√n", 1.5, false, 2},
};
enum { FAMILIES = sizeof families / sizeof families[0] };

/* ---- counts ---- */

static attn_status count_pairs(const char *text, const size_t *ns, size_t count, double *n, double *pairs, attn_error *err)
{
    attn_spec *spec = NULL;
    attn_status status = attn_spec_parse(&spec, text, err);
    for (size_t i = 0; i < count && !status; i++) {
        attn_layout *layout = NULL;
        status = attn_layout_create(&layout, spec, ns[i], ns[i], 1, err);
        if (!status) {
            n[i] = (double)ns[i];
            pairs[i] = (double)attn_layout_pairs(layout, 0);
        }
        attn_layout_destroy(layout);
    }
    attn_spec_destroy(spec);
    return status;
}

static attn_status flops(selftest_session *x, const family *f, attn_error *err)
{
    double n[COUNTED], pairs[COUNTED];
    fit_growth growth;
    char tried[80], bar[80], also[80];
    attn_status status = count_pairs(f->spec, counted, COUNTED, n, pairs, err);
    if (!status)
        status = fit_class(&growth, f->spec, 1, err);
    if (status)
        return status;
    const fit_line line = fit_power(n, pairs, COUNTED, FIT_EXACT);
    snprintf(tried, sizeof tried, "exponent of FLOPs: %s", f->spec);
    snprintf(bar, sizeof bar, "class %s, slope %g +- %g", f->class, f->exponent, FLOPS_WITHIN);
    snprintf(also, sizeof also, "class %s", growth.name);
    selftest_put(x, &(selftest_row){.tried = tried, .on = "exact counts", .bar = bar, .trials = COUNTED, .unit = "lengths", .is_slope = true,
                                    .slope = line.slope, .lo = line.slope, .hi = line.slope, .also = also,
                                    .holds = strcmp(growth.name, f->class) == 0 && fabs(line.slope - f->exponent) <= FLOPS_WITHIN,
                                    .failure = EXIT_INTERNAL});
    return ATTN_OK;
}

/* ---- times ---- */

/* Of the lower quartiles over the rounds that `which` names. */
static double slope_of(const double *n, const double *y, size_t points, const size_t *which, size_t rounds)
{
    double quartiles[POINTS], one[MOST_ROUNDS];
    for (size_t i = 0; i < points; i++) {
        for (size_t r = 0; r < rounds; r++)
            one[r] = y[which[r] * points + i];
        quartiles[i] = stats_of_process(one, rounds);
    }
    return fit_power(n, quartiles, points, FIT_EXACT).slope;
}

void selftest_slope(const double *n, const double *y, size_t points, size_t rounds, double *slope, double *lo, double *hi)
{
    double slopes[DRAWS];
    size_t all[MOST_ROUNDS], drawn[MOST_ROUNDS];
    rng random = rng_make(rounds, points);
    assert(points <= POINTS && rounds <= MOST_ROUNDS);
    for (size_t r = 0; r < rounds; r++)
        all[r] = r;
    *slope = slope_of(n, y, points, all, rounds);
    for (size_t d = 0; d < DRAWS; d++) {
        for (size_t r = 0; r < rounds; r++)
            drawn[r] = (size_t)rng_below(&random, rounds);
        slopes[d] = slope_of(n, y, points, drawn, rounds);
    }
    stats_sort(slopes, DRAWS);
    *lo = stats_quantile(slopes, DRAWS, 0.025);
    *hi = stats_quantile(slopes, DRAWS, 0.975);
}

typedef struct timing {
    selftest_session *x;
    run_request request[POINTS]; /* a length each */
    sweep cells[POINTS];
    size_t runs[POINTS];
    double n[POINTS], pairs[POINTS], ns[MOST_ROUNDS * POINTS];
    size_t rounds;
    double slope, lo, hi;
} timing;

static attn_status time_cell(timing *t, size_t i, double *ns, attn_error *err)
{
    char name[256];
    samples list = {0};
    run_request *r = &t->request[i];
    r->runs = t->runs[i];
    sweep_cell_name(&t->cells[i].cells[0], name, sizeof name);
    progress_show(&t->x->bar, name, "exponents");
    const attn_status status = run_process(r, &t->cells[i].cells[0], &r->metrics, &list, &t->x->bar, err);
    *ns = samples_least(&list, "cpu_ns") / (double)r->heads; /* there is one */
    samples_free(&list);
    t->x->bar.done++;
    return status;
}

/* As many runs of each length as fill the time: from one process, which counts for nothing else. */
static attn_status count_runs(timing *t, attn_error *err)
{
    attn_status status = ATTN_OK;
    for (size_t i = 0; i < POINTS && !status; i++) {
        double ns;
        t->runs[i] = 1;
        status = time_cell(t, i, &ns, err);
        if (!status)
            t->runs[i] = (size_t)fmin(fmax(t->x->quick ? LEAST_QUICK_RUNS : LEAST_RUNS,
                                           t->request[i].seconds * 1e9 / ns / (double)t->request[i].heads), MOST_RUNS);
    }
    return status;
}

static attn_status time_round(timing *t, attn_error *err)
{
    size_t order[POINTS];
    attn_status status = ATTN_OK;
    rng r = rng_make(t->x->seed, t->rounds);
    for (size_t i = 0; i < POINTS; i++) {
        const size_t j = (size_t)rng_below(&r, i + 1);
        order[i] = order[j];
        order[j] = i;
    }
    for (size_t i = 0; i < POINTS && !status; i++)
        status = time_cell(t, order[i], &t->ns[t->rounds * POINTS + order[i]], err);
    t->rounds += !status;
    return status;
}

static attn_status time_family(timing *t, const family *f, attn_error *err)
{
    static const size_t dims[] = {64};
    const bool brief = t->x->quick;
    const size_t *ns = brief ? quick : measured, most = brief ? (f->time_follows ? MOST_QUICK : LEAST_ROUNDS) : MOST_ROUNDS;
    t->x->bar.done = 0;
    t->x->bar.total = POINTS * (1 + most);
    attn_status status = count_pairs(f->spec, ns, POINTS, t->n, t->pairs, err);
    for (size_t i = 0; i < POINTS && !status; i++) {
        const size_t heads = f->heads ? f->heads : ROWS / ns[i];
        t->request[i] = (run_request){.specs = &f->spec, .spec_count = 1, .ns = &ns[i], .n_count = 1, .dims = dims, .dim_count = 1, .batch = 1,
                                      .heads = heads, .kv_heads = heads, .dtype = ATTN_F32, .direction = FORWARD, .kernel = "auto",
                                      .plan = ATTN_PLAN_ESTIMATE, .threads = 1, .input = "gauss", .seed = 1, .ext_timeout = 600,
                                      .seconds = brief ? 0.04 : 0.05, .program = t->x->program};
        status = metric_set_parse(&t->request[i].metrics, "time", LANE_TIME, err);
        if (!status)
            status = sweep_create(&t->cells[i], &t->request[i], err);
    }
    if (!status)
        status = count_runs(t, err);
    for (bool narrow = false; t->rounds < most && !narrow && !status;) {
        status = time_round(t, err);
        selftest_slope(t->n, t->ns, POINTS, t->rounds, &t->slope, &t->lo, &t->hi);
        narrow = t->rounds >= LEAST_ROUNDS && t->hi - t->lo <= 2 * NARROW;
    }
    for (size_t i = 0; i < POINTS; i++)
        sweep_destroy(&t->cells[i]);
    return status;
}

static attn_status times(selftest_session *x, const family *f, attn_error *err)
{
    timing t = {.x = x};
    char tried[80], bar[80], also[80];
    const attn_status status = time_family(&t, f, err);
    if (status)
        return status;
    const double of_flops = fit_power(t.n, t.pairs, POINTS, FIT_EXACT).slope;
    snprintf(tried, sizeof tried, "exponent of time: %s", f->spec);
    if (f->time_follows)
        snprintf(bar, sizeof bar, "%g +- %g", f->exponent, TIME_WITHIN);
    else
        snprintf(bar, sizeof bar, "as it is; the rate explains the gap to %g", f->exponent);
    snprintf(also, sizeof also, "= FLOPs %.3f less rate %+.3f", of_flops, of_flops - t.slope);
    const bool holds = f->time_follows ? fabs(t.slope - f->exponent) <= TIME_WITHIN : fabs(of_flops - f->exponent) <= FLOPS_WITHIN;
    selftest_put(x, &(selftest_row){.tried = tried, .on = "this machine", .bar = bar, .trials = t.rounds, .unit = "rounds", .is_slope = true,
                                    .slope = t.slope, .lo = t.lo, .hi = t.hi, .also = also, .holds = holds,
                                    .failure = EXIT_INCONCLUSIVE});
    return ATTN_OK;
}

attn_status selftest_exponents(selftest_session *x, attn_error *err)
{
    attn_status status = ATTN_OK;
    for (size_t i = 0; i < FAMILIES && !status; i++)
        status = flops(x, &families[i], err);
    for (size_t i = 0; i < FAMILIES && !status; i++)
        status = times(x, &families[i], err);
    return status;
}
