/* The nested parts of an analysis as JSON: see analyze_json.h. */
#include "harness/analyze_json.h"

#include <math.h>
#include <stdlib.h>

static void number(FILE *out, double value)
{
    if (isfinite(value))
        fprintf(out, "%.15g", value);
    else
        fputs("null", out);
}

static char *finish(FILE *out, char **text)
{
    return out && fclose(out) == 0 ? *text : NULL;
}

static void numbers(FILE *out, const double *values, size_t count)
{
    fputc('[', out);
    for (size_t i = 0; i < count; i++) {
        fputs(i ? ", " : "", out);
        number(out, values[i]);
    }
    fputc(']', out);
}

char *json_shares(const double *share, size_t hops)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    if (out)
        numbers(out, share, hops);
    return finish(out, &text);
}

char *json_intervals(const attn_reach_track *t, size_t hops)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    for (size_t h = 0; out && h < hops; h++) {
        fputs(h ? ", " : "[", out);
        numbers(out, (const double[]){t->lo[h], t->hi[h]}, 2);
    }
    if (out)
        fputc(']', out);
    return finish(out, &text);
}

char *json_fields(const attn_reach_track *t, size_t hops, bool quantiles)
{
    static const char *const names[ATTN_QUANTILES] = {"min", "q10", "median", "q90", "max"};
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    for (size_t h = 0; out && h < hops; h++) {
        fprintf(out, "%s{\"mean\": ", h ? ", " : "[");
        number(out, t->field_mean[h]);
        for (size_t k = 0; k < ATTN_QUANTILES && quantiles; k++)
            fprintf(out, ", \"%s\": %zu", names[k], t->field[h][k]);
        fputc('}', out);
    }
    if (out)
        fputc(']', out);
    return finish(out, &text);
}

char *json_distances(const attn_reach *r, const attn_reach_track *t)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    for (size_t h = 0; out && h < r->hops; h++) {
        fputs(h ? ", " : "[", out);
        numbers(out, t->by_distance[h], r->distances);
    }
    if (out)
        fputc(']', out);
    return finish(out, &text);
}

char *json_pair(size_t i, size_t j)
{
    char *text;
    return asprintf(&text, "{\"i\": %zu, \"j\": %zu}", i, j) < 0 ? NULL : text;
}

static void one_tiling(FILE *out, const char *name, const attn_tiles *t)
{
    fprintf(out, "\"%s\": {\"full\": %llu, \"partial\": %llu, \"empty\": %llu, \"utilisation\": ", name,
            (unsigned long long)t->full, (unsigned long long)t->partial, (unsigned long long)t->empty);
    number(out, t->utilisation);
    fputc('}', out);
}

char *json_tiles(const analyze_result *r, const analyze_request *q)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    for (size_t b = 0; out && b < q->block_count; b++) {
        const analyze_tiles *t = &r->tiles[b];
        fprintf(out, "%s{\"block\": %zu, ", b ? ", " : "[", q->blocks[b]);
        one_tiling(out, "natural", &t->natural);
        fputs(", ", out);
        one_tiling(out, "planned", &t->planned);
        fputs(", \"bytes\": ", out);
        number(out, t->bytes);
        fputs(", \"bytes_dense\": ", out);
        number(out, t->bytes_dense);
        fputc('}', out);
    }
    if (out)
        fputc(']', out);
    return finish(out, &text);
}

char *json_heads(const analyze_data *d)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    const struct {
        const char *name;
        const double *at;
    } series[] = {{"mass", d->head_mass}, {"rel_err", d->head_rel_err}, {"kl", d->head_kl}, {"entropy", d->head_entropy},
                  {"entropy_dense", d->head_entropy_dense}};
    for (size_t h = 0; out && h < d->heads; h++) {
        fprintf(out, "%s{\"head\": %zu", h ? ", " : "[", h);
        for (size_t s = 0; s < sizeof series / sizeof *series; s++) {
            fprintf(out, ", \"%s\": ", series[s].name);
            number(out, series[s].at[h]);
        }
        fputc('}', out);
    }
    if (out)
        fputc(']', out);
    return finish(out, &text);
}

char *json_data_distances(const analyze_data *d)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    for (size_t c = 0; out && c < d->distances; c++) {
        fprintf(out, "%s{\"from\": %zu, \"mass_dense\": ", c ? ", " : "[", c ? (size_t)1 << (c - 1) : 0);
        number(out, d->mass_dense_at[c]);
        fputs(", \"mass_kept\": ", out);
        number(out, d->mass_kept_at[c]);
        fputc('}', out);
    }
    if (out)
        fputc(']', out);
    return finish(out, &text);
}

void distance_text(char *out, size_t size, size_t c, size_t n)
{
    size_t from = c ? (size_t)1 << (c - 1) : 0, to = c ? 2 * from - 1 : 0;
    to = to < n - 1 ? to : n - 1;
    if (from == to)
        snprintf(out, size, "%zu", from);
    else
        snprintf(out, size, "%zu..%zu", from, to);
}
