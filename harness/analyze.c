/* Computing what `attnlab analyze` prints; the work itself is libattn's (attn/analysis.h). */
#include "harness/analyze.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "attn/explain.h"
#include "harness/analyze_parts.h"

const char *const analyze_sections[ANALYZE_SECTIONS] = {"pairs", "reach", "graph", "tiles", "time"};

/* ---- subjects ---- */

static char *name_of(const analyze_subject *s, bool resolved)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        return NULL;
    fputs(s->count > 1 ? "layers(" : "", out);
    for (size_t l = 0; l < s->count; l++)
        fprintf(out, "%s%s", l ? ", " : "", resolved ? attn_layout_text(s->layers[l]) : s->texts[l]);
    fputs(s->count > 1 ? ")" : "", out);
    return fclose(out) == 0 ? text : NULL;
}

/* A layer written twice is one layout. */
static attn_status add_layer(analyze_subject *s, const attn_spec *spec, size_t n, size_t heads, attn_error *err)
{
    attn_status status = ATTN_OK;
    if (!(s->texts[s->count] = strdup(attn_spec_text(spec))))
        status = attn_fail(err, ATTN_ENOMEM, "out of memory");
    for (size_t l = 0; l < s->count && status == ATTN_OK && !s->layers[s->count]; l++)
        if (strcmp(s->texts[l], s->texts[s->count]) == 0)
            s->layers[s->count] = s->layers[l];
    if (status == ATTN_OK && !s->layers[s->count]) {
        status = attn_layout_create(&s->owned[s->owned_count], spec, n, n, heads, err);
        if (status == ATTN_OK)
            s->layers[s->count] = s->owned[s->owned_count++];
    }
    if (status == ATTN_OK)
        s->count++;
    return status;
}

/* A stack from several specs, each one layer or layers(...). */
static attn_status add_layers(analyze_subject *s, attn_spec *const *specs, size_t count, size_t n, size_t heads, attn_error *err)
{
    size_t layers = 0;
    for (size_t k = 0; k < count; k++)
        layers += attn_spec_layers(specs[k]);
    s->layers = calloc(layers + 1, sizeof *s->layers);
    s->owned = calloc(layers + 1, sizeof *s->owned);
    s->texts = calloc(layers + 1, sizeof *s->texts);
    attn_status status = s->layers && s->owned && s->texts ? ATTN_OK : attn_fail(err, ATTN_ENOMEM, "out of memory");
    for (size_t k = 0; k < count; k++)
        for (size_t l = 0; l < attn_spec_layers(specs[k]) && status == ATTN_OK; l++)
            status = add_layer(s, attn_spec_layer(specs[k], l), n, heads, err);
    return status;
}

attn_status analyze_subject_create(analyze_subject *out, const char *const *specs, size_t count, size_t n, size_t heads,
                                   attn_error *err)
{
    analyze_subject s = {0};
    attn_spec **parsed = calloc(count + 1, sizeof *parsed);
    attn_status status = parsed ? ATTN_OK : attn_fail(err, ATTN_ENOMEM, "out of memory");
    for (size_t k = 0; k < count && status == ATTN_OK; k++)
        status = attn_spec_parse(&parsed[k], specs[k], err);
    if (status == ATTN_OK)
        status = add_layers(&s, parsed, count, n, heads, err);
    if (status == ATTN_OK) {
        s.spec = count == 1 ? strdup(attn_spec_text(parsed[0])) : name_of(&s, false);
        s.resolved = name_of(&s, true);
        if (!s.spec || !s.resolved)
            status = attn_fail(err, ATTN_ENOMEM, "out of memory");
    }
    for (size_t k = 0; parsed && k < count; k++)
        attn_spec_destroy(parsed[k]);
    free(parsed);
    *out = s;
    if (status != ATTN_OK)
        analyze_subject_destroy(out);
    return status;
}

void analyze_subject_destroy(analyze_subject *s)
{
    for (size_t l = 0; s->texts && l <= s->count; l++)
        free(s->texts[l]); /* one more than counted where its layout failed */
    for (size_t l = 0; l < s->owned_count; l++)
        attn_layout_destroy(s->owned[l]);
    free(s->texts);
    free(s->owned);
    free(s->layers);
    free(s->spec);
    free(s->resolved);
    *s = (analyze_subject){0};
}

/* ---- pairs ---- */

static double pairs_at(const analyze_subject *s, size_t n, attn_error *err, attn_status *status)
{
    double pairs = 0;
    for (size_t l = 0; l < s->count && *status == ATTN_OK; l++) {
        attn_spec *spec = NULL;
        attn_layout *layout = NULL;
        *status = attn_spec_parse(&spec, s->texts[l], err);
        if (*status == ATTN_OK)
            *status = attn_layout_create(&layout, spec, n, n, attn_layout_heads(s->layers[l]), err);
        if (*status == ATTN_OK)
            pairs += (double)attn_layout_pairs_all_heads(layout);
        attn_layout_destroy(layout);
        attn_spec_destroy(spec);
    }
    return pairs;
}

static attn_status count_pairs(analyze_result *r, const analyze_subject *s, const analyze_request *q, attn_error *err)
{
    attn_status status = attn_analysis_degrees(&r->degrees, s->layers, s->count, err);
    if (status != ATTN_OK)
        return status;
    r->pairs_total = 0;
    for (size_t l = 0; l < s->count; l++)
        r->pairs_total += (double)attn_layout_pairs_all_heads(s->layers[l]);
    const double n = (double)q->n;
    r->slope = (double)NAN;
    if (q->n >= 2) { /* a spec that n/2 does not allow has no slope there */
        attn_status half = ATTN_OK;
        attn_error ignored;
        double before = pairs_at(s, q->n / 2, &ignored, &half);
        if (half == ATTN_ENOMEM)
            return attn_fail(err, half, "%s", ignored.message);
        if (half == ATTN_OK && before > 0 && r->pairs_total > 0)
            r->slope = log(r->pairs_total / before) / log(n / (double)(q->n / 2));
    }
    r->growth.exponent = -1;
    for (size_t l = 0; l < s->count; l++) { /* the steepest layer decides */
        fit_growth growth = {.name = ""};
        attn_error why;
        attn_status known = fit_class(&growth, s->texts[l], attn_layout_heads(s->layers[l]), &why);
        if (known == ATTN_ENOMEM)
            return attn_fail(err, known, "%s", why.message);
        if (known != ATTN_OK)
            snprintf(growth.why, sizeof growth.why, "%.190s", why.message);
        if (!growth.name[0]) {
            r->growth = growth;
            break;
        }
        if (growth.exponent > r->growth.exponent || (strcmp(growth.name, "n²") == 0 && strcmp(r->growth.name, "n²") != 0))
            r->growth = growth;
    }
    return ATTN_OK;
}

/* ---- the planner ---- */

static attn_status predict(analyze_result *r, const analyze_subject *s, const analyze_request *q, attn_error *err)
{
    double useful = 0, executed = 0;
    for (size_t l = 0; l < s->count; l++) {
        attn_explanation *x = NULL;
        attn_error why;
        const attn_problem problem = {.layout = s->layers[l], .batch = 1, .kv_heads = q->kv_heads, .dim = q->dim};
        attn_status status = attn_plan_predict(&x, &problem, &why);
        if (status == ATTN_ENOMEM)
            return attn_fail(err, status, "%s", why.message);
        if (status != ATTN_OK) {
            snprintf(r->no_plan, sizeof r->no_plan, "%.190s", why.message);
            return ATTN_OK;
        }
        r->predicted_ns += x->predicted_ns;
        useful += (double)x->cost.flops_useful;
        executed += (double)x->cost.flops_executed;
        for (size_t p = 0; p < x->part_count && !r->class_step; p++)
            r->class_step = x->parts[p].row_step > 1 ? x->parts[p].row_step : 0;
        if (!l) {
            snprintf(r->kernel, sizeof r->kernel, "%s", x->kernel);
            snprintf(r->lowering, sizeof r->lowering, "%s", x->lowering);
        }
        attn_explanation_destroy(x);
    }
    r->utilisation = executed > 0 ? useful / executed : (double)NAN;
    return ATTN_OK;
}

/* ---- tiles ---- */

static void add_tiles(attn_tiles *sum, const attn_tiles *t)
{
    sum->block = t->block;
    sum->full += t->full;
    sum->partial += t->partial;
    sum->empty += t->empty;
    sum->pairs += t->pairs;
    double held = (double)(sum->full + sum->partial) * (double)t->block * (double)t->block;
    sum->utilisation = held > 0 ? (double)sum->pairs / held : (double)NAN;
}

static attn_status count_tiles(analyze_result *r, const analyze_subject *s, const analyze_request *q, attn_error *err)
{
    for (size_t b = 0; b < q->block_count; b++) {
        analyze_tiles *t = &r->tiles[b];
        for (size_t l = 0; l < s->count; l++) {
            const size_t distinct = attn_layout_distinct_heads(s->layers[l]);
            for (size_t h = 0; h < distinct; h++) {
                attn_tiles natural, planned;
                attn_status status = attn_tiles_count(&natural, s->layers[l], h, q->blocks[b], 0, err);
                planned = natural;
                if (status == ATTN_OK && r->class_step)
                    status = attn_tiles_count(&planned, s->layers[l], h, q->blocks[b], r->class_step, err);
                if (status != ATTN_OK)
                    return status;
                add_tiles(&t->natural, &natural);
                add_tiles(&t->planned, &planned);
                /* fp32; each tile reads the keys and values of its columns */
                double times = (double)attn_layout_heads(s->layers[l]) / (double)distinct, row = 4.0 * (double)q->dim,
                       tile = 2 * row * (double)q->blocks[b], own = 2 * row * (double)q->n;
                t->bytes += times * (own + tile * (double)(natural.full + natural.partial));
                t->bytes_dense += times * (own + tile * (double)(natural.full + natural.partial + natural.empty));
            }
        }
    }
    return ATTN_OK;
}

/* ---- the graph ---- */

static attn_status measure_graph(analyze_result *r, const attn_analysis *a, const analyze_request *q, attn_error *err)
{
    r->path_steps = q->reach.steps;
    attn_status status = attn_analysis_paths(&r->paths, a, r->path_steps, err);
    if (status != ATTN_OK)
        return status;
    attn_error why;
    status = attn_analysis_gap(&r->gap, a, q->products, &why);
    if (status == ATTN_ENOMEM)
        return attn_fail(err, status, "%s", why.message);
    if (status != ATTN_OK)
        snprintf(r->no_gap, sizeof r->no_gap, "%.190s", why.message);
    return ATTN_OK;
}

/* ---- all of it ---- */

/* Steps that a search may take by default: a step costs about n / 512 strips (or as many as sampled keys fill) of n
 * positions, so that all of them stay within some seconds. */
size_t analyze_default_hops(size_t n, size_t exact_to, size_t sample)
{
    const double positions = 1e9; /* visited, counting strips; about a second on one core for each 10^8 */
    double strips = (double)(n <= exact_to ? n : sample) / 512;
    double hops = positions / ((strips < 1 ? 1 : strips) * (double)n);
    return hops < 16 ? 16 : hops > 512 ? 512 : (size_t)hops;
}

attn_status analyze(analyze_result *out, const analyze_subject *s, const analyze_request *q, attn_error *err)
{
    analyze_result r = {.layers = s->count, .causal = true};
    analyze_request own = *q;
    attn_analysis *a = NULL;
    attn_status status = ATTN_OK;
    for (size_t l = 0; l < s->count; l++)
        r.causal = r.causal && attn_layout_causal(s->layers[l]);
    r.universe = r.causal ? (double)q->n * ((double)q->n + 1) / 2 : (double)q->n * (double)q->n;
    if (!own.reach.steps)
        own.reach.steps = s->count > 1 ? s->count : 2;
    r.spec = strdup(s->spec);
    r.resolved = strdup(s->resolved);
    if (!r.spec || !r.resolved)
        status = attn_fail(err, ATTN_ENOMEM, "out of memory");
    if (status == ATTN_OK && q->wanted[ANALYZE_PAIRS])
        status = count_pairs(&r, s, q, err);
    if (status == ATTN_OK && (q->wanted[ANALYZE_REACH] || q->wanted[ANALYZE_GRAPH]))
        status = attn_analysis_create(&a, s->layers, s->count, err);
    if (status == ATTN_OK && a)
        r.bytes = attn_analysis_bytes(a);
    if (status == ATTN_OK && q->wanted[ANALYZE_REACH]) {
        status = attn_analysis_reach(&r.reach, a, &own.reach, err);
        r.bytes += r.reach.bytes;
    }
    if (status == ATTN_OK && q->wanted[ANALYZE_GRAPH])
        status = measure_graph(&r, a, &own, err);
    attn_analysis_destroy(a);
    if (status == ATTN_OK && (q->wanted[ANALYZE_TIME] || q->wanted[ANALYZE_TILES]))
        status = predict(&r, s, q, err);
    if (status == ATTN_OK && q->wanted[ANALYZE_TILES])
        status = count_tiles(&r, s, q, err);
    if (status == ATTN_OK && q->input)
        status = analyze_on_data(&r.data, s, q, err);
    *out = r;
    if (status != ATTN_OK)
        analyze_result_destroy(out);
    return status;
}

double analyze_bytes_model(const analyze_result *r, const analyze_request *q)
{
    const double query_rows = (double)q->heads * (double)q->n, key_rows = (double)q->kv_heads * (double)q->n;
    return 4.0 * (double)r->layers * ((2 * query_rows + 2 * key_rows) * (double)q->dim + query_rows);
}

double analyze_paths_per_pair(const analyze_result *r)
{
    /* joined after path_steps steps, where that is listed */
    if (r->path_steps > r->reach.hops || r->path_steps != r->reach.steps)
        return (double)NAN;
    double joined = r->reach.plain.share[r->path_steps - 1] * r->universe;
    return joined > 0 ? r->paths.total / joined : (double)NAN;
}

bool analyze_print(FILE *out, emit_format format, const analyze_request *q, const analyze_result *results, size_t count)
{
    bool table = format == EMIT_TABLE || format == EMIT_MD;
    return (table ? analyze_print_table : analyze_print_rows)(out, format, q, results, count);
}

void analyze_result_destroy(analyze_result *r)
{
    free(r->data.head_mass); /* one block for all arrays by head */
    free(r->spec);
    free(r->resolved);
    *r = (analyze_result){0};
}
