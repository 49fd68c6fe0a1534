/* The explorer page's side of libattn, compiled to WebAssembly: the same pattern code as in the program.
 *
 * The page holds up to two masks of n queries and n keys ("sides") and asks for their picture, cell by cell; nothing that is done for a
 * picture grows with n. What costs more (analyze, degrees of columns, reach) is asked for apart, and by a worker that has a copy of
 * this module. Texts come in through text_in() and go out as JSON; each answer holds until the next. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/analyze.h"
#include "harness/emit.h"
#include "harness/explore.h"
#include "harness/explorer/machine.h"
#include "harness/explorer/paths.h"

#define EXPORT(name) __attribute__((export_name(#name), used))

enum { SIDES = 2, MOST_CELLS = 1 << 22, MOST_N = 1 << 20, HOPS_N = 4096 };

typedef struct side {
    explore x;        /* what is drawn; nothing in it is counted */
    explore reached;  /* the same after some steps, a bit for each pair, to n = HOPS_N; else its layout is NULL */
    paths *paths;     /* beyond, row by row; NULL where one step is all */
} side;

static side sides[SIDES];
static char *input;
static float *cells;
static double work;
static size_t unknown; /* rows of the last picture whose hops cost too much */
static bool exact;

/* ---- texts in and out ---- */

EXPORT(text_in) char *text_in(size_t size)
{
    free(input);
    return input = malloc(size + 1);
}

/* One answer at a time. */
static struct { FILE *out; char *text; size_t size; } answer;

static FILE *answer_begin(void)
{
    free(answer.text);
    answer.text = NULL;
    return answer.out = open_memstream(&answer.text, &answer.size);
}

static const char *answer_end(void)
{
    return answer.out && fclose(answer.out) == 0 ? answer.text : "{\"error\": \"out of memory\"}";
}

static const char *answer_error(const char *message)
{
    FILE *out = answer_begin();
    if (out) {
        fputs("{\"error\": ", out);
        emit_json_string(out, message);
        fputc('}', out);
    }
    return answer_end();
}

/* ---- the registry ---- */

static void put_params(FILE *out, const attn_param *params)
{
    fputs("[", out);
    for (size_t k = 0; params && params[k].key; k++) {
        fprintf(out, "%s{\"key\": \"%s\", \"min\": %zu, \"max\": %zu, \"fallback\": ", k ? ", " : "", params[k].key, params[k].min, params[k].max);
        emit_json_string(out, params[k].fallback);
        fputs(", \"help\": ", out);
        emit_json_string(out, params[k].help);
        fputs(", \"choices\": ", out);
        if (params[k].choices)
            emit_json_string(out, params[k].choices);
        else
            fputs("null", out);
        fputc('}', out);
    }
    fputc(']', out);
}

EXPORT(registry) const char *registry(void)
{
    FILE *out = answer_begin();
    if (out)
        fputs("{\"patterns\": [", out);
    for (size_t k = 0; out && k < attn_pattern_count(); k++) {
        const attn_pattern *p = attn_pattern_at(k);
        fputs(k ? ", {\"name\": " : "{\"name\": ", out);
        emit_json_string(out, p->name);
        fputs(", \"summary\": ", out);
        emit_json_string(out, p->summary);
        fputs(", \"params\": ", out);
        put_params(out, p->params);
        fputc('}', out);
    }
    for (size_t k = 0; out && k < MACHINE_KERNELS; k++)
        fprintf(out, "%s\"%s\"", k ? ", " : "], \"kernels\": [", machine_kernels[k]);
    if (out)
        fputs("]}", out);
    return answer_end();
}

/* ---- sides ---- */

static void side_close(side *s)
{
    paths_close(s->paths);
    s->paths = NULL;
    explore_close(&s->x);
    explore_close(&s->reached);
}

static attn_status open_layout(explore *x, const char *spec, size_t n, size_t heads, attn_error *err)
{
    *x = (explore){.n = n, .heads = heads, .dim = 64, .cell = 1};
    attn_status status = attn_spec_parse(&x->spec, spec, err);
    if (status == ATTN_OK)
        status = attn_layout_create(&x->layout, x->spec, n, n, heads, err);
    if (status == ATTN_OK)
        x->by_pairs = explore_asks_pairs(x);
    else
        explore_close(x);
    return status;
}

static attn_status open_reached(side *s, size_t hops, attn_error *err)
{
    char *text;
    s->reached = (explore){.n = s->x.n};
    if (hops < 2)
        return ATTN_OK;
    if (s->x.n > HOPS_N)
        return paths_open(&s->paths, s->x.layout, hops, s->x.n, err);
    if (asprintf(&text, "hops(%s, %zu)", attn_spec_text(s->x.spec), hops) < 0)
        return attn_fail(err, ATTN_ENOMEM, "out of memory");
    const attn_status status = open_layout(&s->reached, text, s->x.n, s->x.heads, err);
    free(text);
    return status;
}

static void put_side(FILE *out, const explore *x)
{
    const size_t params = explore_params(x);
    fputs("{\"text\": ", out);
    emit_json_string(out, attn_spec_text(x->spec));
    fputs(", \"resolved\": ", out);
    emit_json_string(out, attn_layout_text(x->layout));
    fputs(", \"pattern\": ", out);
    emit_json_string(out, attn_spec_pattern(x->spec)->name);
    fprintf(out, ", \"heads\": %zu, \"causal\": %s, \"by_pairs\": %s, \"values\": {", attn_layout_distinct_heads(x->layout),
            attn_layout_causal(x->layout) ? "true" : "false", x->by_pairs ? "true" : "false");
    for (size_t k = 0; k < params; k++) {
        char value[64];
        fputs(k ? ", " : "", out);
        emit_json_string(out, explore_param_name(x, k));
        fputs(": ", out);
        emit_json_string(out, explore_param_value(x, k, value, sizeof value));
    }
    fputc('}', out);
}

/* Another mask on a side; what is there stays when the spec is refused. */
EXPORT(set_side) const char *set_side(size_t which, size_t n, size_t heads, size_t hops)
{
    side s = {.x = {.spec = NULL}};
    attn_error err, unreached = {.message = ""};
    if (which >= SIDES || n < 1 || n > MOST_N || heads < 1 || heads > 65536)
        return answer_error(n < 1 || n > MOST_N ? "n is at least 1 and on this page at most 1048576" : "heads are at least 1 and at most 65536");
    if (open_layout(&s.x, input, n, heads, &err) != ATTN_OK)
        return answer_error(err.message);
    const bool reached = open_reached(&s, hops, &unreached) == ATTN_OK;
    side_close(&sides[which]);
    sides[which] = s;
    FILE *out = answer_begin();
    if (out) {
        put_side(out, &s.x);
        fprintf(out, ", \"hops_apart\": %s, \"hops_error\": ", s.paths ? "true" : "false");
        emit_json_string(out, reached ? "" : unreached.message);
        fputc('}', out);
    }
    return answer_end();
}

EXPORT(drop_side) void drop_side(size_t which)
{
    if (which < SIDES)
        side_close(&sides[which]);
}

/* ---- pictures ---- */

/* rows x columns floats: the share of allowed pairs of each cell, or of those that hops reach, below 0 outside; with hops beyond HOPS_N for a worker. NULL: no such side, or too many cells. */
EXPORT(draw) const float *draw(size_t which, int reached, size_t head, size_t row, size_t key, size_t cell, size_t rows, size_t columns)
{
    work = 0;
    if (which >= SIDES || rows > MOST_CELLS || columns > MOST_CELLS || (uint64_t)rows * columns > MOST_CELLS || !cell)
        return NULL;
    explore *x = reached ? &sides[which].reached : &sides[which].x;
    if (!cells)
        cells = malloc(MOST_CELLS * sizeof *cells);
    unknown = 0;
    if (reached && cells && sides[which].paths) {
        work = (double)paths_cells(sides[which].paths, row, key, cell, rows, columns, cells, &unknown);
        exact = cell <= PATHS_SAMPLED && !unknown;
        return cells;
    }
    if (!x->layout || !cells)
        return NULL;
    x->row = row;
    x->key = key;
    x->cell = cell;
    x->head = reached ? 0 : head % attn_layout_distinct_heads(x->layout);
    work = (double)explore_cells(x, rows, columns, cells, &exact);
    return cells;
}

EXPORT(draw_work) double draw_work(void)
{
    return work;
}

EXPORT(draw_exact) int draw_exact(void)
{
    return exact;
}

EXPORT(draw_unknown) size_t draw_unknown(void)
{
    return unknown;
}

EXPORT(why) const char *why(size_t which, size_t head, size_t i, size_t j)
{
    char text[EXPLORE_TEXT];
    explore *x = &sides[which % SIDES].x;
    if (!x->layout || i >= x->n || j >= x->n)
        return answer_error("no such pair");
    x->head = head % attn_layout_distinct_heads(x->layout);
    x->at_row = i;
    x->at_key = j;
    explore_why(x, text, sizeof text);
    const explore *over = &sides[which % SIDES].reached;
    paths *by_row = sides[which % SIDES].paths;
    bool known = over->layout != NULL, reached = known && attn_layout_allows(over->layout, 0, i, j);
    if (by_row)
        reached = paths_join(by_row, i, j, &known);
    FILE *out = answer_begin();
    if (out) {
        fprintf(out, "{\"allowed\": %s, \"reached\": %s, \"why\": ", attn_layout_allows(x->layout, x->head, i, j) ? "true" : "false",
                !known ? "null" : reached ? "true" : "false");
        emit_json_string(out, text);
        fputc('}', out);
    }
    return answer_end();
}

/* One row of the mask, a byte of 0 or 1 for each key: for downloads. */
EXPORT(mask_row) const unsigned char *mask_row(size_t which, size_t head, size_t i)
{
    static unsigned char *bytes;
    const explore *x = &sides[which % SIDES].x;
    attn_combs combs = {0};
    if (!x->layout || i >= x->n || !(bytes = realloc(bytes, MOST_N)))
        return NULL;
    attn_layout_row(x->layout, head, i, &combs);
    if (combs.count && !(combs.at = malloc(combs.count * sizeof *combs.at)))
        return NULL;
    combs.capacity = combs.count;
    attn_layout_row(x->layout, head, i, &combs);
    memset(bytes, 0, x->n);
    for (size_t k = 0; k < combs.count; k++)
        for (size_t s = 0; s < combs.at[k].count; s++)
            memset(bytes + combs.at[k].begin + s * combs.at[k].step, 1, combs.at[k].width);
    free(combs.at);
    return bytes;
}

/* ---- what costs more ---- */

/* What `attnlab analyze SPEC -n N --heads H -d DIM -o json` prints of these sections, bits in the order of --sections; times are cycles of
 * the kernel that is named behind the spec, on one thread. */
EXPORT(analyze_spec) const char *analyze_spec(size_t n, size_t heads, size_t dim, unsigned sections)
{
    static const size_t blocks[] = {16, 32, 64, 128, 256};
    const char *specs[] = {input};
    analyze_subject subject = {0};
    analyze_result result = {0};
    analyze_request q = {.n = n, .heads = heads, .kv_heads = heads, .dim = dim, .blocks = blocks, .block_count = 5, .products = 400, .seed = 1,
                         .reach = {.hops = 4, .sample = 512, .exact_to = 16384, .seed = 1}};
    attn_error err;
    if (!machine_choose(input + strlen(input) + 1))
        return answer_error("no such kernel");
    q.reach.max_hops = analyze_default_hops(n, q.reach.exact_to, q.reach.sample);
    for (size_t s = 0; s < ANALYZE_SECTIONS; s++)
        q.wanted[s] = sections >> s & 1;
    attn_status status = analyze_subject_create(&subject, specs, 1, n, heads, &err);
    if (status == ATTN_OK)
        status = analyze(&result, &subject, &q, &err);
    FILE *out = status == ATTN_OK ? answer_begin() : NULL;
    if (out && !analyze_print(out, EMIT_JSON, &q, &result, 1))
        status = attn_fail(&err, ATTN_ENOMEM, "out of memory");
    analyze_subject_destroy(&subject);
    if (out)
        analyze_result_destroy(&result);
    return status == ATTN_OK ? answer_end() : answer_error(err.message);
}

/* Keys of each query (from 0) or queries of each key (from n): [2n] of one head. Exact; grows with n and the combs. */
EXPORT(degrees) const uint32_t *degrees(size_t which, size_t head)
{
    static uint32_t *at;
    const explore *x = &sides[which % SIDES].x;
    attn_combs combs = {0};
    bool fine = x->layout && (at = realloc(at, (2 * x->n + 1) * sizeof *at));
    if (!fine)
        return NULL;
    memset(at, 0, (2 * x->n + 1) * sizeof *at);
    uint32_t *column = at + x->n; /* differences first */
    for (size_t i = 0; i < x->n && fine; i++) {
        attn_layout_row(x->layout, head, i, &combs);
        if (combs.count > combs.capacity) {
            attn_comb *larger = realloc(combs.at, combs.count * sizeof *larger);
            fine = larger != NULL;
            combs = (attn_combs){fine ? larger : combs.at, fine ? combs.count : 0, 0};
            attn_layout_row(x->layout, head, i, &combs);
        }
        for (size_t k = 0; k < combs.count && fine; k++)
            for (size_t s = 0; s < combs.at[k].count; s++) {
                const size_t key = combs.at[k].begin + s * combs.at[k].step;
                column[key]++;
                column[key + combs.at[k].width]--;
                at[i] += (uint32_t)combs.at[k].width;
            }
    }
    for (size_t j = 1; j < x->n; j++)
        column[j] += column[j - 1];
    free(combs.at);
    return fine ? at : NULL;
}
