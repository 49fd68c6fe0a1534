/* An analysis for people: properties down, specs across. A property that no spec has is left out. */
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "harness/analyze_json.h"
#include "harness/analyze_parts.h"

typedef struct sheet {
    const analyze_request *q;
    const analyze_result *results;
    size_t count;
    emitter *out;
    char (*cells)[128]; /* [1 + count] of the line being filled */
    bool any;
} sheet;

/* Begins a line; cells are "-" until said otherwise. */
static void line(sheet *s, const char *format, ...) ATTN_PRINTF(2, 3);
static void line(sheet *s, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    vsnprintf(s->cells[0], sizeof *s->cells, format, list);
    va_end(list);
    for (size_t r = 0; r < s->count; r++)
        snprintf(s->cells[1 + r], sizeof *s->cells, "-");
    s->any = false;
}

static void say(sheet *s, size_t r, const char *format, ...) ATTN_PRINTF(3, 4);
static void say(sheet *s, size_t r, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    vsnprintf(s->cells[1 + r], sizeof *s->cells, format, list);
    va_end(list);
    s->any = true;
}

static void say_number(sheet *s, size_t r, emit_style style, double value)
{
    char text[64];
    if (!isfinite(value))
        return;
    emit_format_number(text, sizeof text, style, value);
    say(s, r, "%s", text);
}

static void end(sheet *s)
{
    emit_value values[1 + 64];
    for (size_t c = 0; c <= s->count; c++)
        values[c] = emit_text(s->cells[c]);
    if (s->any)
        emit_row(s->out, values);
}

#define EACH(s, r) for (size_t r = 0; r < (s)->count; r++)

/* "1 .. 129, median 129": the quantiles that a line has room for. */
static void say_spread(sheet *s, size_t r, const double *v)
{
    say(s, r, "%.0f .. %.0f, median %.0f", v[0], v[4], v[2]);
}

static void put_pairs(sheet *s)
{
    const analyze_request *q = s->q;
    line(s, "pairs of a head");
    EACH(s, r) say(s, r, "%.0f", s->results[r].degrees.pairs);
    end(s);
    line(s, "density, of pairs there could be");
    EACH(s, r) say_number(s, r, EMIT_PERCENT, s->results[r].degrees.pairs / s->results[r].universe);
    end(s);
    line(s, "growth with n");
    EACH(s, r)
    {
        const analyze_result *x = &s->results[r];
        char slope[32] = "";
        if (isfinite(x->slope))
            snprintf(slope, sizeof slope, "%sn^%.3f here", x->growth.name[0] ? ", " : "", x->slope);
        say(s, r, "%s%s", x->growth.name, slope);
    }
    end(s);
    line(s, "keys of a row");
    EACH(s, r)
    {
        double v[ATTN_QUANTILES];
        for (size_t k = 0; k < ATTN_QUANTILES; k++)
            v[k] = (double)s->results[r].degrees.row[k];
        say_spread(s, r, v);
    }
    end(s);
    line(s, "rows of a key");
    EACH(s, r)
    {
        double v[ATTN_QUANTILES];
        for (size_t k = 0; k < ATTN_QUANTILES; k++)
            v[k] = (double)s->results[r].degrees.column[k];
        say_spread(s, r, v);
    }
    end(s);
    line(s, "empty rows, unseen keys");
    EACH(s, r)
    {
        const attn_degrees *d = &s->results[r].degrees;
        say(s, r, "%llu, %llu", (unsigned long long)d->empty, (unsigned long long)d->unseen);
    }
    end(s);
    line(s, "imbalance: longest row, 64 runs of rows");
    EACH(s, r) say(s, r, "%.2fx, %.2fx", s->results[r].degrees.row_imbalance, s->results[r].degrees.block_imbalance);
    end(s);
    line(s, "useful FLOPs, of dense");
    EACH(s, r)
    {
        const analyze_result *x = &s->results[r];
        char a[32], b[32];
        emit_format_number(a, sizeof a, EMIT_COUNT, 4.0 * (double)q->dim * x->pairs_total);
        emit_format_number(b, sizeof b, EMIT_PERCENT,
                           x->pairs_total / (x->universe * (double)q->heads * (double)x->layers));
        say(s, r, "%s, %s", a, b);
    }
    end(s);
    line(s, "least traffic");
    EACH(s, r) say_number(s, r, EMIT_BYTES, analyze_bytes_model(&s->results[r], q));
    end(s);
}

/* ---- reach ---- */

static void share_text(char *out, size_t size, const attn_reach *x, const attn_reach_track *t, size_t h)
{
    if (x->sampled)
        snprintf(out, size, "%.4f [%.4f, %.4f]", t->share[h], t->lo[h], t->hi[h]);
    else
        snprintf(out, size, "%.4f", t->share[h]);
}

/* A share that rounds to 1 but is not. */
static const char *mark(double share) { return share < 1 && share >= 0.99995 ? " (not all)" : ""; }

static void put_shares(sheet *s, bool residual)
{
    for (size_t h = 0; h < s->q->reach.hops; h++) {
        line(s, "reach in %zu%s", h + 1, residual ? ", with residual" : "");
        EACH(s, r)
        {
            char text[96];
            const attn_reach *x = &s->results[r].reach;
            const attn_reach_track *t = residual ? &x->residual : &x->plain;
            share_text(text, sizeof text, x, t, h);
            say(s, r, "%s%s", text, mark(t->share[h]));
        }
        end(s);
    }
}

static void full_text(char *out, size_t size, const attn_reach_track *t)
{
    if (t->full)
        snprintf(out, size, "%zu", t->full);
    else if (t->settled)
        snprintf(out, size, "never");
    else
        snprintf(out, size, "more than %zu", t->looked_at);
}

static void put_valid(sheet *s, bool residual)
{
    line(s, "valid%s", residual ? ", with residual" : "");
    EACH(s, r)
    {
        const attn_reach *x = &s->results[r].reach;
        const attn_reach_track *t = residual ? &x->residual : &x->plain;
        if (t->valid)
            say(s, r, "yes, in %zu steps", x->steps);
        else
            say(s, r, "not in %zu: %zu misses %zu", x->steps, t->witness_i, t->witness_j);
    }
    end(s);
}

static void put_reach(sheet *s)
{
    put_shares(s, false);
    put_shares(s, true);
    line(s, "hops to full, with residual");
    EACH(s, r)
    {
        char plain[48], residual[48];
        full_text(plain, sizeof plain, &s->results[r].reach.plain);
        full_text(residual, sizeof residual, &s->results[r].reach.residual);
        say(s, r, "%s, %s", plain, residual);
    }
    end(s);
    put_valid(s, false);
    put_valid(s, true);
    for (size_t h = 0; h < s->q->reach.hops; h++) {
        line(s, "receptive field in %zu, with residual", h + 1);
        EACH(s, r)
        {
            const attn_reach *x = &s->results[r].reach;
            const size_t *f = x->residual.field[h];
            if (x->sampled)
                say(s, r, "mean %.0f", x->residual.field_mean[h]);
            else
                say(s, r, "%zu .. %zu, mean %.0f", f[0], f[4], x->residual.field_mean[h]);
        }
        end(s);
    }
    size_t last = s->q->reach.hops - 1, classes = 0;
    EACH(s, r) classes = s->results[r].reach.distances > classes ? s->results[r].reach.distances : classes;
    for (size_t c = 0; c < classes; c++) {
        char at[48];
        distance_text(at, sizeof at, c, s->q->n);
        line(s, "reach in %zu at distance %s, with residual", last + 1, at);
        EACH(s, r) say_number(s, r, EMIT_PERCENT, s->results[r].reach.residual.by_distance[last][c]);
        end(s);
    }
    line(s, "path length: mean, most");
    EACH(s, r)
    {
        const attn_reach *x = &s->results[r].reach;
        if (isfinite(x->path_length))
            say(s, r, "%.3f, %zu", x->path_length, x->diameter);
        else
            say(s, r, "not all within %zu", x->residual.looked_at);
    }
    end(s);
}

static void put_graph(sheet *s)
{
    line(s, "paths, for each pair joined");
    EACH(s, r)
    {
        char a[32];
        const analyze_result *x = &s->results[r];
        double each = s->q->wanted[ANALYZE_REACH] ? analyze_paths_per_pair(x) : (double)NAN;
        emit_format_number(a, sizeof a, EMIT_COUNT, x->paths.total);
        if (isfinite(each))
            say(s, r, "%s of %zu steps, %.4g", a, x->path_steps, each);
        else
            say(s, r, "%s of %zu steps", a, x->path_steps);
    }
    end(s);
    line(s, "bottleneck: carries, position");
    EACH(s, r)
    {
        const attn_paths *p = &s->results[r].paths;
        if (p->step)
            say(s, r, "%.3g%%, %zu after step %zu", 100 * p->bottleneck, p->position, p->step);
    }
    end(s);
    line(s, "positions that carry the paths");
    EACH(s, r) if (s->results[r].paths.step) say_number(s, r, EMIT_PLAIN, s->results[r].paths.carriers);
    end(s);
    line(s, "spectral gap");
    EACH(s, r)
    {
        const attn_gap *g = &s->results[r].gap;
        if (!s->results[r].no_gap[0])
            say(s, r, "%s%.6g +- %.1g", g->settled ? "" : "at most ", g->gap, g->residual);
    }
    end(s);
}

static void put_tiles(sheet *s)
{
    for (size_t b = 0; b < s->q->block_count; b++)
        for (int planned = 0; planned < 2; planned++) {
            line(s, "tiles of %zu%s: used, full, partial, empty", s->q->blocks[b], planned ? ", planner's order" : "");
            EACH(s, r)
            {
                const attn_tiles *t = planned ? &s->results[r].tiles[b].planned : &s->results[r].tiles[b].natural;
                if (planned && !s->results[r].class_step)
                    continue;
                if (isfinite(t->utilisation))
                    say(s, r, "%.1f%%, %llu, %llu, %llu", 100 * t->utilisation, (unsigned long long)t->full,
                        (unsigned long long)t->partial, (unsigned long long)t->empty);
            }
            end(s);
        }
    size_t largest = 0;
    for (size_t b = 0; b < s->q->block_count; b++)
        largest = s->q->blocks[b] == 64 ? b : largest;
    line(s, "traffic of tiles of %zu, of dense", s->q->blocks[largest]);
    EACH(s, r)
    {
        char a[32], b[32];
        const analyze_tiles *t = &s->results[r].tiles[largest];
        emit_format_number(a, sizeof a, EMIT_BYTES, t->bytes);
        emit_format_number(b, sizeof b, EMIT_PERCENT, t->bytes / t->bytes_dense);
        say(s, r, "%s, %s", a, b);
    }
    end(s);
}

static void put_time(sheet *s)
{
    line(s, "predicted here");
    EACH(s, r)
    {
        char a[32];
        const analyze_result *x = &s->results[r];
        emit_format_number(a, sizeof a, EMIT_NS, x->predicted_ns);
        if (!x->no_plan[0])
            say(s, r, "%s, %s %s", a, x->kernel, x->lowering);
    }
    end(s);
    line(s, "tiles of that kernel: used");
    EACH(s, r) if (!s->results[r].no_plan[0]) say_number(s, r, EMIT_PERCENT, s->results[r].utilisation);
    end(s);
}

static void put_data(sheet *s)
{
    static const struct {
        const char *title;
        size_t offset;
        emit_style style;
    } values[] = {{"attention mass kept", offsetof(analyze_data, mass), EMIT_PERCENT},
                  {"mass kept: 1% quantile", offsetof(analyze_data, mass_q01), EMIT_PERCENT},
                  {"mass kept: least", offsetof(analyze_data, mass_min), EMIT_PERCENT},
                  {"relative output error", offsetof(analyze_data, rel_err), EMIT_PLAIN},
                  {"KL to dense, nats", offsetof(analyze_data, kl), EMIT_PLAIN},
                  {"entropy, nats", offsetof(analyze_data, entropy), EMIT_PLAIN},
                  {"entropy of dense, nats", offsetof(analyze_data, entropy_dense), EMIT_PLAIN}};
    for (size_t v = 0; v < sizeof values / sizeof *values; v++) {
        line(s, "%s", values[v].title);
        EACH(s, r)
        say_number(s, r, values[v].style, *(const double *)((const char *)&s->results[r].data + values[v].offset));
        end(s);
    }
    line(s, "rows looked at, empty");
    EACH(s, r) say(s, r, "%zu, %zu", s->results[r].data.rows, s->results[r].data.empty);
    end(s);
    for (size_t h = 0; h < s->results[0].data.heads; h++) {
        line(s, "mass kept, error: head %zu", h);
        EACH(s, r)
        {
            const analyze_data *d = &s->results[r].data;
            if (isfinite(d->head_mass[h]))
                say(s, r, "%.1f%%, %.4f", 100 * d->head_mass[h], d->head_rel_err[h]);
        }
        end(s);
    }
    for (size_t c = 0; c < s->results[0].data.distances; c++) {
        char at[48];
        distance_text(at, sizeof at, c, s->q->n);
        line(s, "mass at distance %s: dense, kept of it", at);
        EACH(s, r)
        {
            const analyze_data *d = &s->results[r].data;
            if (isfinite(d->mass_kept_at[c]))
                say(s, r, "%.2f%%, %.1f%%", 100 * d->mass_dense_at[c], 100 * d->mass_kept_at[c]);
        }
        end(s);
    }
}

bool analyze_print_table(FILE *out, emit_format format, const analyze_request *q, const analyze_result *results, size_t count)
{
    emit_column columns[1 + 64];
    char title[128];
    snprintf(title, sizeof title, "n=%zu, heads=%zu, d=%zu", q->n, q->heads, q->dim);
    columns[0] = (emit_column){"property", title, EMIT_PLAIN};
    for (size_t r = 0; r < count; r++)
        columns[1 + r] = (emit_column){results[r].spec, results[r].spec, EMIT_PLAIN};
    sheet s = {.q = q, .results = results, .count = count, .out = emit_open(out, format, columns, 1 + count)};
    s.cells = calloc(1 + count, sizeof *s.cells);
    static const struct {
        int section;
        void (*put)(sheet *);
    } parts[] = {{ANALYZE_PAIRS, put_pairs}, {ANALYZE_REACH, put_reach}, {ANALYZE_GRAPH, put_graph},
                 {ANALYZE_TILES, put_tiles}, {ANALYZE_TIME, put_time}};
    for (size_t p = 0; p < sizeof parts / sizeof *parts && s.out && s.cells; p++)
        if (q->wanted[parts[p].section])
            parts[p].put(&s);
    if (s.out && s.cells && q->input)
        put_data(&s);
    bool fine = s.cells != NULL;
    free(s.cells);
    return s.out && emit_close(s.out) && fine;
}
