/* Reading two arms from the store and pairing them. See compare.h.
 *
 * A block is dropped when it was disturbed, by a rule that does not know the arms: the multiply-adds timed beside
 * its measurements (series peak_gflops or sentinel_gflops) fell, in either of them, below DISTURBED of the median of that
 * arm over all blocks of the cell; where an arm has none, the rule would know the arms, and is left out. On machines whose processors are hyperthreads shared with strangers nothing else shows it. If more than
 * half of the blocks were, the machine is like that, and all count. */
#include "harness/compare.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness/stats.h"

static const double DISTURBED = 0.85;

/* One measurement of an arm. */
typedef struct entry {
    char *spec, *kernel, *dtype, *direction, *input, *host, *compiler, *flags;
    int64_t n, heads, kv_heads, dim, batch, threads, seed;
    double cost, peak; /* ns, or instructions; peak NaN: not taken */
    bool counts, injected;
} entry;

typedef struct arm {
    entry *at;
    size_t count;
} arm;

static char *copy(sqlite3_stmt *q, int column)
{
    const unsigned char *text = sqlite3_column_text(q, column);
    return strdup(text ? (const char *)text : "");
}

static void arm_free(arm *a)
{
    for (size_t i = 0; i < a->count; i++) {
        entry *e = &a->at[i];
        char *texts[] = {e->spec, e->kernel, e->dtype, e->direction, e->input, e->host, e->compiler, e->flags};
        for (size_t t = 0; t < sizeof texts / sizeof texts[0]; t++)
            free(texts[t]);
    }
    free(a->at);
    *a = (arm){0};
}

static const char arm_query[] =
    "SELECT c.spec, c.kernel, c.dtype,"
    "  c.direction || coalesce((SELECT CASE value WHEN 'cold' THEN ' cold' WHEN 'callgrind' THEN ' instructions' END FROM scalars"
    "     WHERE measurement = m.id AND name = 'lane'), ''),"
    "  c.input, h.fingerprint, b.compiler, b.flags,"
    "  c.n, c.heads, c.kv_heads, c.dim, c.batch, c.threads, c.seed,"
    STORE_LOWER_QUARTILE("m.id", "time_ns") " AS ns,"
    "  (SELECT max(value) FROM samples WHERE measurement = m.id"
    "     AND series IN (SELECT id FROM series WHERE name IN ('peak_gflops', 'sentinel_gflops'))) AS peak,"
    "  (SELECT value FROM scalars WHERE measurement = m.id AND name = 'instructions') AS instructions,"
    "  (SELECT value FROM scalars WHERE measurement = m.id AND name = 'inject') AS inject "
    "FROM measurements m JOIN cells c ON c.id = m.cell JOIN runs r ON r.id = m.run"
    "  JOIN hosts h ON h.id = r.host JOIN builds b ON b.id = r.build "
    "WHERE m.status = 'finished' AND (ns IS NOT NULL OR instructions IS NOT NULL)"
    "  AND (?2 IS NULL OR c.kernel = ?2) AND (?3 IS NULL OR r.label = ?3) AND (?4 IS NULL OR substr(r.run_id, 1, length(?4)) = ?4)"
    "  AND (?1 IS NULL OR r.label = ?1 OR r.run_id = ?1 OR (length(?1) >= 7 AND ?1 NOT GLOB '*[^0-9a-f]*' AND b.revision GLOB ?1 || '*'))"
    " ORDER BY m.started, m.id";

static attn_status arm_read(arm *out, store *s, const compare_request *r, const char *name, const char *kernel, attn_error *err)
{
    const char *const texts[] = {name, kernel, r->label, r->run_id};
    sqlite3_stmt *q = NULL;
    attn_status status = ATTN_OK;
    size_t capacity = 0;
    int rc = sqlite3_prepare_v2(store_handle(s), arm_query, -1, &q, NULL);
    for (int t = 0; t < 4 && rc == SQLITE_OK; t++)
        rc = sqlite3_bind_text(q, t + 1, texts[t], -1, SQLITE_STATIC);
    while (rc == SQLITE_OK && !status && (rc = sqlite3_step(q)) == SQLITE_ROW) {
        rc = SQLITE_OK;
        if (out->count == capacity) {
            capacity = 2 * capacity + 64;
            entry *larger = realloc(out->at, capacity * sizeof *larger);
            if (!larger) {
                status = attn_fail(err, ATTN_ENOMEM, "out of memory");
                break;
            }
            out->at = larger;
        }
        const bool counts = sqlite3_column_type(q, 15) == SQLITE_NULL;
        out->at[out->count++] = (entry){
            .spec = copy(q, 0), .kernel = copy(q, 1), .dtype = copy(q, 2), .direction = copy(q, 3), .input = copy(q, 4),
            .host = copy(q, 5), .compiler = copy(q, 6), .flags = copy(q, 7),
            .n = sqlite3_column_int64(q, 8), .heads = sqlite3_column_int64(q, 9), .kv_heads = sqlite3_column_int64(q, 10),
            .dim = sqlite3_column_int64(q, 11), .batch = sqlite3_column_int64(q, 12), .threads = sqlite3_column_int64(q, 13),
            .seed = sqlite3_column_int64(q, 14), .cost = sqlite3_column_double(q, counts ? 17 : 15), .counts = counts,
            .injected = sqlite3_column_type(q, 18) != SQLITE_NULL,
            .peak = sqlite3_column_type(q, 16) == SQLITE_NULL ? (double)NAN : sqlite3_column_double(q, 16)};
    }
    if (!status && rc != SQLITE_DONE && rc != SQLITE_OK)
        status = attn_fail(err, ATTN_EIO, "%s: %s", store_file(s), sqlite3_errmsg(store_handle(s)));
    sqlite3_finalize(q);
    if (!status && !out->count)
        status = attn_fail(err, ATTN_EINVAL,
                           "%s: no run has the label, the id or the commit \"%s\"; `attnlab db sql \"SELECT DISTINCT label FROM "
                           "runs\"` lists labels", store_file(s), name ? name : kernel);
    return status;
}

/* ---- pairing ---- */

/* Whether a and b are measurements of the same cell; the pattern is left out where each arm has its own. */
static bool same_cell(const entry *a, const entry *b, bool specs)
{
    return (!specs || strcmp(a->spec, b->spec) == 0) && a->n == b->n && a->heads == b->heads && a->kv_heads == b->kv_heads &&
           a->dim == b->dim && a->batch == b->batch && strcmp(a->dtype, b->dtype) == 0 &&
           strcmp(a->direction, b->direction) == 0 && a->threads == b->threads;
}

static bool one_spec(const arm *a)
{
    for (size_t i = 1; i < a->count; i++)
        if (strcmp(a->at[i].spec, a->at[0].spec) != 0)
            return false;
    return true;
}

static bool has_cell(const arm *a, const entry *of, bool specs)
{
    for (size_t i = 0; i < a->count; i++)
        if (same_cell(&a->at[i], of, specs))
            return true;
    return false;
}

/* What of two measurements must be the same for their times to be comparable: NULL, or what differs. */
static const char *difference(const entry *a, const entry *b, comparison *c)
{
    const struct { const char *what, *a, *b; } must[] = {
        {"host", a->host, b->host}, {"compiler", a->compiler, b->compiler}, {"compiler flags", a->flags, b->flags},
        {"input", a->input, b->input}};
    for (size_t i = 0; i < sizeof must / sizeof must[0]; i++)
        if (strcmp(must[i].a, must[i].b) != 0) {
            snprintf(c->detail, sizeof c->detail, "%.90s, %.90s", must[i].a, must[i].b);
            return must[i].what;
        }
    if (a->seed != b->seed) {
        snprintf(c->detail, sizeof c->detail, "%lld, %lld", (long long)a->seed, (long long)b->seed);
        return "seed";
    }
    return NULL;
}

typedef struct block {
    double log_ratio, a, b, peak_a, peak_b;
} block;

/* The blocks of the cell of `of`, at most `most`; what differs within a pair, or NULL. */
static size_t pair(const arm *a, const arm *b, const entry *of, bool specs, block *blocks, comparison *c, const char **differs)
{
    size_t count = 0, j = 0;
    *differs = NULL;
    for (size_t i = 0; i < a->count; i++) {
        if (!same_cell(&a->at[i], of, true))
            continue;
        while (j < b->count && !same_cell(&b->at[j], of, specs))
            j++;
        if (j == b->count)
            break;
        const entry *x = &a->at[i], *y = &b->at[j++];
        if (!*differs)
            *differs = difference(x, y, c);
        c->injected |= x->injected || y->injected;
        blocks[count++] = (block){log(y->cost / x->cost), x->cost, y->cost, x->peak, y->peak};
    }
    return count;
}

/* What a peak of one arm may not fall below, NaN where it has none: arms may use different instructions. */
static double least_peak(const block *blocks, size_t count, bool b, double *scratch)
{
    size_t known = 0;
    for (size_t i = 0; i < count; i++) {
        const double peak = b ? blocks[i].peak_b : blocks[i].peak_a;
        if (!isnan(peak))
            scratch[known++] = peak;
    }
    stats_sort(scratch, known);
    return known ? DISTURBED * stats_quantile(scratch, known, 0.5) : (double)NAN;
}

/* Leaves out disturbed blocks; returns how many. */
static size_t drop_disturbed(block *blocks, size_t *count, double *scratch)
{
    size_t disturbed = 0, kept = 0;
    const double least_a = least_peak(blocks, *count, false, scratch), least_b = least_peak(blocks, *count, true, scratch);
    if (isnan(least_a) || isnan(least_b))
        return 0;
    for (size_t i = 0; i < *count; i++)
        disturbed += blocks[i].peak_a < least_a || blocks[i].peak_b < least_b;
    if (2 * disturbed > *count)
        return 0;
    for (size_t i = 0; i < *count; i++)
        if (!(blocks[i].peak_a < least_a || blocks[i].peak_b < least_b))
            blocks[kept++] = blocks[i];
    *count = kept;
    return disturbed;
}

size_t compare_drop_disturbed(double *log_ratios, const double *peaks_a, const double *peaks_b, size_t *count)
{
    block *blocks = malloc((*count + 1) * sizeof *blocks);
    double *scratch = malloc((*count + 1) * sizeof *scratch);
    size_t dropped = 0;
    for (size_t i = 0; i < *count && blocks && scratch; i++)
        blocks[i] = (block){.log_ratio = log_ratios[i], .peak_a = peaks_a[i], .peak_b = peaks_b[i]};
    if (blocks && scratch)
        dropped = drop_disturbed(blocks, count, scratch);
    for (size_t i = 0; i < *count && blocks && scratch; i++)
        log_ratios[i] = blocks[i].log_ratio;
    free(blocks);
    free(scratch);
    return dropped;
}

static double median(double *scratch, const block *blocks, size_t count, bool b)
{
    for (size_t i = 0; i < count; i++)
        scratch[i] = b ? blocks[i].b : blocks[i].a;
    stats_sort(scratch, count);
    return stats_quantile(scratch, count, 0.5);
}

static attn_status compare_cell(comparison *c, const arm *a, const arm *b, const entry *of, bool specs,
                                const compare_request *r, attn_error *err)
{
    block *blocks = malloc((a->count + 1) * sizeof *blocks);
    double *scratch = malloc((a->count + 1) * sizeof *scratch);
    c->log_ratios = malloc((a->count + 1) * sizeof *c->log_ratios);
    attn_status status = ATTN_OK;
    if (!blocks || !scratch || !c->log_ratios) {
        status = attn_fail(err, ATTN_ENOMEM, "out of memory");
        goto cleanup;
    }
    const entry *other = of;
    for (size_t i = 0; i < b->count; i++)
        if (same_cell(&b->at[i], of, specs)) {
            other = &b->at[i];
            break;
        }
    c->spec_a = strdup(of->spec);
    c->spec_b = strdup(other->spec);
    c->kernel_a = strdup(of->kernel);
    c->kernel_b = strdup(other->kernel);
    c->dtype = strdup(of->dtype);
    c->direction = strdup(of->direction);
    c->input = strdup(of->input);
    c->n = of->n;
    c->heads = of->heads;
    c->kv_heads = of->kv_heads;
    c->dim = of->dim;
    c->batch = of->batch;
    c->threads = of->threads;
    c->seed = of->seed;
    size_t count = pair(a, b, of, specs, blocks, c, &c->why);
    if (r->anyway)
        c->why = NULL;
    if (!r->keep_noisy)
        c->dropped = drop_disturbed(blocks, &count, scratch);
    c->counts = of->counts;
    c->cost_a = median(scratch, blocks, count, false);
    c->cost_b = median(scratch, blocks, count, true);
    for (size_t i = 0; i < count; i++)
        scratch[i] = c->log_ratios[i] = blocks[i].log_ratio;
    c->verdict = c->counts ? verdict_of_counts(scratch, count, r->count_threshold) : verdict_of(scratch, count, r->threshold, r->confidence);
    if (c->why)
        c->verdict.kind = VERDICT_INCOMPARABLE;
cleanup:
    free(blocks);
    free(scratch);
    return status;
}

/* ---- all of them ---- */

static attn_status judge_family(comparisons *c, attn_error *err)
{
    double *p = malloc((c->count + 1) * sizeof *p);
    bool *rejected = malloc((c->count + 1) * sizeof *rejected);
    attn_status status = p && rejected ? ATTN_OK : attn_fail(err, ATTN_ENOMEM, "out of memory");
    for (size_t i = 0; i < c->count && !status; i++)
        p[i] = c->at[i].verdict.p;
    if (!status)
        verdict_benjamini_hochberg(p, c->count, 0.05, rejected);
    for (size_t i = 0; i < c->count && !status; i++)
        c->at[i].adjusted = rejected[i];
    free(p);
    free(rejected);
    return status;
}

/* By pattern, then n, then the rest: what was measured in random order comes out in one that can be read. */
static int by_cell(const void *left, const void *right)
{
    const comparison *a = left, *b = right;
    const int texts[] = {strcmp(a->spec_a, b->spec_a), strcmp(a->dtype, b->dtype), strcmp(a->direction, b->direction)};
    const int64_t numbers[][2] = {{a->n, b->n}, {a->dim, b->dim}, {a->heads, b->heads}, {a->kv_heads, b->kv_heads}, {a->batch, b->batch}, {a->threads, b->threads}};
    if (texts[0])
        return texts[0];
    for (size_t k = 0; k < sizeof numbers / sizeof *numbers; k++)
        if (numbers[k][0] != numbers[k][1])
            return numbers[k][0] < numbers[k][1] ? -1 : 1;
    return texts[1] ? texts[1] : texts[2];
}

attn_status compare_read(comparisons *out, store *s, const compare_request *r, attn_error *err)
{
    arm a = {0}, b = {0};
    *out = (comparisons){0};
    attn_status status = arm_read(&a, s, r, r->a, r->kernel_a, err);
    if (!status)
        status = arm_read(&b, s, r, r->b, r->kernel_b, err);
    if (status)
        goto cleanup;
    const bool specs = !(one_spec(&a) && one_spec(&b));
    out->at = calloc(a.count, sizeof *out->at);
    if (!out->at) {
        status = attn_fail(err, ATTN_ENOMEM, "out of memory");
        goto cleanup;
    }
    for (size_t i = 0; i < a.count && !status; i++) {
        bool before = false;
        for (size_t j = 0; j < i && !before; j++)
            before = same_cell(&a.at[j], &a.at[i], true);
        if (before)
            continue;
        if (has_cell(&b, &a.at[i], specs))
            status = compare_cell(&out->at[out->count++], &a, &b, &a.at[i], specs, r, err);
        else
            out->only_a++;
    }
    for (size_t i = 0; i < b.count && !status; i++) {
        bool before = false;
        for (size_t j = 0; j < i && !before; j++)
            before = same_cell(&b.at[j], &b.at[i], true);
        out->only_b += !before && !has_cell(&a, &b.at[i], specs);
    }
    if (!status && !out->count)
        status = attn_fail(err, ATTN_EINVAL,
                           "\"%s\" and \"%s\" have no cell in common: %zu and %zu cells differ in pattern, n, heads, d, dtype or "
                           "threads", r->a ? r->a : r->kernel_a, r->b ? r->b : r->kernel_b, out->only_a, out->only_b);
    if (!status)
        status = judge_family(out, err);
    if (!status)
        qsort(out->at, out->count, sizeof *out->at, by_cell);
cleanup:
    arm_free(&a);
    arm_free(&b);
    if (status)
        compare_free(out);
    return status;
}

void compare_free(comparisons *c)
{
    for (size_t i = 0; i < c->count; i++) {
        comparison *x = &c->at[i];
        char *texts[] = {x->spec_a, x->spec_b, x->kernel_a, x->kernel_b, x->dtype, x->direction, x->input};
        for (size_t t = 0; t < sizeof texts / sizeof texts[0]; t++)
            free(texts[t]);
        free(x->log_ratios);
    }
    free(c->at);
    *c = (comparisons){0};
}
