/* An analysis as one row of JSON or CSV: every number, nested where it is a list. */
#include <math.h>
#include <stdlib.h>

#include "harness/analyze_json.h"
#include "harness/analyze_parts.h"

/* In the order in which print_row() puts values. */
static const emit_column columns[] = {
    {"spec", NULL, EMIT_PLAIN}, {"spec_resolved", NULL, EMIT_PLAIN}, {"n", NULL, EMIT_PLAIN}, {"layers", NULL, EMIT_PLAIN},
    {"heads", NULL, EMIT_PLAIN}, {"dim", NULL, EMIT_PLAIN}, {"causal", NULL, EMIT_PLAIN},

    {"pairs", NULL, EMIT_PLAIN}, {"pairs_total", NULL, EMIT_PLAIN}, {"density", NULL, EMIT_PLAIN},
    {"density_square", NULL, EMIT_PLAIN}, {"growth.class", NULL, EMIT_PLAIN}, {"growth.exponent", NULL, EMIT_PLAIN},
    {"growth.slope", NULL, EMIT_PLAIN},
    {"row_degree.min", NULL, EMIT_PLAIN}, {"row_degree.q10", NULL, EMIT_PLAIN}, {"row_degree.median", NULL, EMIT_PLAIN},
    {"row_degree.q90", NULL, EMIT_PLAIN}, {"row_degree.max", NULL, EMIT_PLAIN},
    {"column_degree.min", NULL, EMIT_PLAIN}, {"column_degree.q10", NULL, EMIT_PLAIN},
    {"column_degree.median", NULL, EMIT_PLAIN}, {"column_degree.q90", NULL, EMIT_PLAIN},
    {"column_degree.max", NULL, EMIT_PLAIN},
    {"empty_rows", NULL, EMIT_PLAIN}, {"unseen_keys", NULL, EMIT_PLAIN}, {"imbalance.row", NULL, EMIT_PLAIN},
    {"imbalance.block", NULL, EMIT_PLAIN},
    {"flops_useful", NULL, EMIT_PLAIN}, {"flops_dense", NULL, EMIT_PLAIN}, {"bytes_model", NULL, EMIT_PLAIN},

    {"hops", NULL, EMIT_PLAIN}, {"reach", NULL, EMIT_PLAIN}, {"reach_residual", NULL, EMIT_PLAIN},
    {"reach_interval", NULL, EMIT_PLAIN}, {"reach_residual_interval", NULL, EMIT_PLAIN}, {"keys_sampled", NULL, EMIT_PLAIN},
    {"hops_to_full.plain", NULL, EMIT_PLAIN}, {"hops_to_full.residual", NULL, EMIT_PLAIN},
    {"hops_to_full.looked_at", NULL, EMIT_PLAIN}, {"hops_to_full.never", NULL, EMIT_PLAIN},
    {"hops_to_full.never_residual", NULL, EMIT_PLAIN},
    {"validity.steps", NULL, EMIT_PLAIN}, {"validity.plain", NULL, EMIT_PLAIN}, {"validity.residual", NULL, EMIT_PLAIN},
    {"validity.witness", NULL, EMIT_PLAIN}, {"validity.witness_residual", NULL, EMIT_PLAIN},
    {"receptive_field.plain", NULL, EMIT_PLAIN}, {"receptive_field.residual", NULL, EMIT_PLAIN},
    {"reach_by_distance.plain", NULL, EMIT_PLAIN}, {"reach_by_distance.residual", NULL, EMIT_PLAIN},

    {"path_length.mean", NULL, EMIT_PLAIN}, {"path_length.max", NULL, EMIT_PLAIN}, {"path_length.pairs", NULL, EMIT_PLAIN},
    {"paths.steps", NULL, EMIT_PLAIN}, {"paths.total", NULL, EMIT_PLAIN}, {"paths.per_pair", NULL, EMIT_PLAIN},
    {"bottleneck.share", NULL, EMIT_PLAIN}, {"bottleneck.position", NULL, EMIT_PLAIN}, {"bottleneck.step", NULL, EMIT_PLAIN},
    {"bottleneck.carriers", NULL, EMIT_PLAIN},
    {"spectral_gap.value", NULL, EMIT_PLAIN}, {"spectral_gap.residual", NULL, EMIT_PLAIN},
    {"spectral_gap.settled", NULL, EMIT_PLAIN}, {"spectral_gap.products", NULL, EMIT_PLAIN},

    {"tiles", NULL, EMIT_PLAIN}, {"class_step", NULL, EMIT_PLAIN},
    {"predicted_ns", NULL, EMIT_PLAIN}, {"kernel", NULL, EMIT_PLAIN}, {"lowering", NULL, EMIT_PLAIN},
    {"tile_utilisation", NULL, EMIT_PLAIN},

    {"data.input", NULL, EMIT_PLAIN}, {"data.rows", NULL, EMIT_PLAIN}, {"data.empty_rows", NULL, EMIT_PLAIN},
    {"data.mass", NULL, EMIT_PLAIN}, {"data.mass_min", NULL, EMIT_PLAIN}, {"data.mass_q01", NULL, EMIT_PLAIN},
    {"data.rel_err", NULL, EMIT_PLAIN}, {"data.kl", NULL, EMIT_PLAIN}, {"data.entropy", NULL, EMIT_PLAIN},
    {"data.entropy_dense", NULL, EMIT_PLAIN}, {"data.heads", NULL, EMIT_PLAIN}, {"data.distances", NULL, EMIT_PLAIN},

    {"analysis_bytes", NULL, EMIT_PLAIN}, {"reasons", NULL, EMIT_PLAIN},
};
enum { COLUMNS = sizeof columns / sizeof *columns, TEXTS = 16 };

/* A row being filled, in the order of the columns. */
typedef struct filler {
    emit_value at[COLUMNS];
    size_t count;
    char *texts[TEXTS]; /* JSON to be freed */
    size_t text_count;
    bool failed;
} filler;

static void put(filler *f, emit_value value) { f->at[f->count++] = value; }
static void put_size(filler *f, bool have, uint64_t value) { put(f, have ? emit_int((int64_t)value) : emit_null()); }
static void put_real(filler *f, bool have, double value) { put(f, have ? emit_real(value) : emit_null()); }
static void put_bool(filler *f, bool have, bool value) { put(f, have ? emit_bool(value) : emit_null()); }
static void put_text(filler *f, const char *text) { put(f, text && *text ? emit_text(text) : emit_null()); }

/* Takes the text; `have` and no text: out of memory. */
static void put_json(filler *f, bool have, char *text)
{
    f->failed = f->failed || (have && !text);
    if (text)
        f->texts[f->text_count++] = text;
    put(f, emit_json(text));
}

static void put_pairs(filler *f, const analyze_result *r, const analyze_request *q)
{
    const bool have = q->wanted[ANALYZE_PAIRS];
    const attn_degrees *d = &r->degrees;
    const double n = (double)q->n, work = 4.0 * (double)q->dim;
    put_real(f, have, d->pairs);
    put_real(f, have, r->pairs_total);
    put_real(f, have, d->pairs / r->universe);
    put_real(f, have, d->pairs / (n * n));
    put_text(f, have ? r->growth.name : NULL);
    put_real(f, have && r->growth.name[0], r->growth.exponent);
    put_real(f, have, r->slope);
    for (size_t k = 0; k < ATTN_QUANTILES; k++)
        put_size(f, have, d->row[k]);
    for (size_t k = 0; k < ATTN_QUANTILES; k++)
        put_size(f, have, d->column[k]);
    put_size(f, have, d->empty);
    put_size(f, have, d->unseen);
    put_real(f, have, d->row_imbalance);
    put_real(f, have, d->block_imbalance);
    put_real(f, have, work * r->pairs_total);
    put_real(f, have, work * r->universe * (double)q->heads * (double)r->layers);
    put_real(f, have, analyze_bytes_model(r, q));
}

static void put_reach(filler *f, const analyze_result *r, const analyze_request *q)
{
    const bool have = q->wanted[ANALYZE_REACH], sampled = have && r->reach.sampled;
    const attn_reach *x = &r->reach;
    const attn_reach_track *plain = &x->plain, *residual = &x->residual;
    put_size(f, have, x->hops);
    put_json(f, have, have ? json_shares(plain->share, x->hops) : NULL);
    put_json(f, have, have ? json_shares(residual->share, x->hops) : NULL);
    put_json(f, sampled, sampled ? json_intervals(plain, x->hops) : NULL);
    put_json(f, sampled, sampled ? json_intervals(residual, x->hops) : NULL);
    put_size(f, sampled, x->keys);
    put_size(f, have && plain->full, plain->full);
    put_size(f, have && residual->full, residual->full);
    put_size(f, have, residual->looked_at);
    put_bool(f, have, !plain->full && plain->settled);
    put_bool(f, have, !residual->full && residual->settled);
    put_size(f, have, x->steps);
    put_bool(f, have, plain->valid);
    put_bool(f, have, residual->valid);
    const bool no = have && !plain->valid, not_either = have && !residual->valid;
    put_json(f, no, no ? json_pair(plain->witness_i, plain->witness_j) : NULL);
    put_json(f, not_either, not_either ? json_pair(residual->witness_i, residual->witness_j) : NULL);
    put_json(f, have, have ? json_fields(plain, x->hops, !sampled) : NULL);
    put_json(f, have, have ? json_fields(residual, x->hops, !sampled) : NULL);
    put_json(f, have, have ? json_distances(x, plain) : NULL);
    put_json(f, have, have ? json_distances(x, residual) : NULL);
    const bool found = have && isfinite(x->path_length);
    put_real(f, found, x->path_length);
    put_size(f, found, x->diameter);
    put_size(f, found, x->reachable);
}

static void put_graph(filler *f, const analyze_result *r, const analyze_request *q)
{
    const bool have = q->wanted[ANALYZE_GRAPH], between = have && r->paths.step, gap = have && !r->no_gap[0];
    put_size(f, have, r->path_steps);
    put_real(f, have, r->paths.total);
    put_real(f, have && q->wanted[ANALYZE_REACH], analyze_paths_per_pair(r));
    put_real(f, between, r->paths.bottleneck);
    put_size(f, between, r->paths.position);
    put_size(f, between, r->paths.step);
    put_real(f, between, r->paths.carriers);
    put_real(f, gap, r->gap.gap);
    put_real(f, gap, r->gap.residual);
    put_bool(f, gap, r->gap.settled);
    put_size(f, gap, r->gap.products);
}

static void put_plan(filler *f, const analyze_result *r, const analyze_request *q)
{
    const bool tiles = q->wanted[ANALYZE_TILES], time = q->wanted[ANALYZE_TIME] && !r->no_plan[0];
    put_json(f, tiles, tiles ? json_tiles(r, q) : NULL);
    put_size(f, tiles && r->class_step, r->class_step);
    put_real(f, time, r->predicted_ns);
    put_text(f, time ? r->kernel : NULL);
    put_text(f, time ? r->lowering : NULL);
    put_real(f, time, r->utilisation);
}

static void put_data(filler *f, const analyze_result *r, const analyze_request *q)
{
    const bool have = q->input;
    const analyze_data *d = &r->data;
    put_text(f, q->input);
    put_size(f, have, d->rows);
    put_size(f, have, d->empty);
    const double values[] = {d->mass, d->mass_min, d->mass_q01, d->rel_err, d->kl, d->entropy, d->entropy_dense};
    for (size_t k = 0; k < sizeof values / sizeof *values; k++)
        put_real(f, have, values[k]);
    put_json(f, have, have ? json_heads(d) : NULL);
    put_json(f, have, have ? json_data_distances(d) : NULL);
}

/* Why something is null, as an object. */
static char *reasons(const analyze_result *r, const analyze_request *q)
{
    char *text = NULL;
    size_t size, count = 0;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        return NULL;
    char search[96];
    snprintf(search, sizeof search, "not all pairs were joined within %zu steps; --max-hops looks further",
             r->reach.residual.looked_at);
    const struct {
        const char *key, *why;
        bool have;
    } all[] = {{"growth", r->growth.why, q->wanted[ANALYZE_PAIRS] && !r->growth.name[0]},
               {"path_length", search, q->wanted[ANALYZE_REACH] && !isfinite(r->reach.path_length)},
               {"spectral_gap", r->no_gap, r->no_gap[0] != '\0'},
               {"predicted_ns", r->no_plan, r->no_plan[0] != '\0'}};
    fputc('{', out);
    for (size_t k = 0; k < sizeof all / sizeof *all; k++)
        if (all[k].have) {
            fputs(count++ ? ", " : "", out);
            emit_json_string(out, all[k].key);
            fputs(": ", out);
            emit_json_string(out, all[k].why);
        }
    fputc('}', out);
    return fclose(out) == 0 ? text : NULL;
}

static bool print_row(emitter *e, const analyze_request *q, const analyze_result *r)
{
    filler f = {.count = 0};
    put_text(&f, r->spec);
    put_text(&f, r->resolved);
    put_size(&f, true, q->n);
    put_size(&f, true, r->layers);
    put_size(&f, true, q->heads);
    put_size(&f, true, q->dim);
    put_bool(&f, true, r->causal);
    put_pairs(&f, r, q);
    put_reach(&f, r, q);
    put_graph(&f, r, q);
    put_plan(&f, r, q);
    put_data(&f, r, q);
    put_size(&f, r->bytes > 0, r->bytes);
    put_json(&f, true, reasons(r, q));
    bool fine = !f.failed && f.count == COLUMNS;
    if (fine)
        emit_row(e, f.at);
    for (size_t t = 0; t < f.text_count; t++)
        free(f.texts[t]);
    return fine;
}

bool analyze_print_rows(FILE *out, emit_format format, const analyze_request *q, const analyze_result *results, size_t count)
{
    emitter *e = emit_open(out, format, columns, COLUMNS);
    bool fine = e != NULL;
    for (size_t r = 0; r < count && e; r++)
        fine = print_row(e, q, &results[r]) && fine;
    return e && emit_close(e) && fine;
}
