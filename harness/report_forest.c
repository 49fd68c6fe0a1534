/* Ratios of two arms as SVG that goes into a page: a line a cell, from the top down, with its interval, and in words what it means. Colours
 * come from the page's style sheet; shapes and words say the same without them. The picture is there twice, for a desk and for a phone, and the
 * style sheet shows one. See report.h. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness/emit.h"
#include "harness/report.h"

enum { TOP = 10, BOTTOM = 50, MOST = 40 };

/* Intervals stand between names and words, or below both. Heights are of lines without and with `rest_of()`. */
typedef struct layout {
    const char *name;
    bool below;
    int width, left, right, line, tall_line; /* the axis goes from left to right */
} layout;

static const layout wide = {"wide-view", false, 830, 255, 560, 26, 38}, narrow = {"narrow-view", true, 360, 18, 342, 58, 72};

typedef struct scale {
    double least, most;
    const layout *on;
} scale;

static double across(const scale *s, double ratio)
{
    return s->on->left + log(ratio / s->least) / log(s->most / s->least) * (s->on->right - s->on->left);
}

/* What is drawn for a verdict. */
static const struct { const char *colour, *shape; } looks[] = {
    [VERDICT_PASS] = {"var(--c0)", "M-5,0a5,5 0 1,0 10,0a5,5 0 1,0 -10,0z"},
    [VERDICT_IMPROVED] = {"var(--c2)", "M0,6l6,-11h-12z"},
    [VERDICT_REGRESSED] = {"var(--c1)", "M0,-6l6,11h-12z"},
    [VERDICT_INCONCLUSIVE] = {"var(--soft)", "M-4.5,-4.5h9v9h-9z"},
    [VERDICT_INCOMPARABLE] = {"var(--soft)", ""},
};

static void number_of(char *out, size_t size, int64_t n)
{
    if (n >= 1024 && n % 1024 == 0)
        snprintf(out, size, "%lldk", (long long)(n / 1024));
    else
        snprintf(out, size, "%lld", (long long)n);
}

/* "dense", or both patterns where each arm has its own. */
static void spec_of(char *out, size_t size, const comparison *c)
{
    const bool two = strcmp(c->spec_a, c->spec_b) != 0;
    snprintf(out, size, "%s%s%s", c->spec_b, two ? " over " : "", two ? c->spec_a : "");
}

/* Cuts a text after as many characters, none of them in two. */
static void cut(char *text, size_t most)
{
    size_t characters = 0;
    for (char *at = text; *at; at++)
        if (((unsigned char)*at & 0xc0) != 0x80 && characters++ == most) {
            *at = '\0';
            return;
        }
}

/* What tells a cell from others of its pattern and n; "" where that is all that differs. */
static void rest_of(char *out, size_t size, const comparisons *all, const comparison *c)
{
    char *to = NULL;
    size_t length = 0;
    bool dim = false, heads = false, dtype = false, way = false, threads = false, batch = false;
    for (size_t i = 0; i < all->count; i++) {
        const comparison *x = &all->at[i];
        dim |= x->dim != c->dim;
        heads |= x->heads != c->heads || x->kv_heads != c->kv_heads;
        batch |= x->batch != c->batch;
        threads |= x->threads != c->threads;
        dtype |= strcmp(x->dtype, c->dtype) != 0;
        way |= strcmp(x->direction, c->direction) != 0;
    }
    FILE *memory = open_memstream(&to, &length);
    if (memory) {
        if (dim)
            fprintf(memory, ", d = %lld", (long long)c->dim);
        if (heads)
            fprintf(memory, c->kv_heads == c->heads ? ", heads %lld" : ", heads %lld of %lld", (long long)c->heads, (long long)c->kv_heads);
        if (batch)
            fprintf(memory, ", batch %lld", (long long)c->batch);
        if (dtype)
            fprintf(memory, ", %s", c->dtype);
        if (way)
            fprintf(memory, ", %s", c->direction);
        if (threads)
            fprintf(memory, ", threads %lld", (long long)c->threads);
        if (strcmp(c->kernel_a, c->kernel_b) != 0)
            fprintf(memory, ", %s over %s", c->kernel_b, c->kernel_a);
        fclose(memory);
    }
    snprintf(out, size, "%s", to && length > 2 ? to + 2 : "");
    free(to);
}

/* "1.049 [1.047, 1.052] regressed"; the digits are those of the table. */
static void said(char *out, size_t size, const comparison *c)
{
    const verdict *v = &c->verdict;
    if (c->why)
        snprintf(out, size, "%s: different %s", verdict_name(v->kind), c->why);
    else if (!isfinite(v->median))
        snprintf(out, size, "%s", verdict_name(v->kind));
    else if (isfinite(v->lo) && isfinite(v->hi))
        snprintf(out, size, "%.3f [%.3f, %.3f] %s", exp(v->median), exp(v->lo), exp(v->hi), verdict_name(v->kind));
    else
        snprintf(out, size, "%.3f, %s", exp(v->median), verdict_name(v->kind));
}

/* All of a line for who points at it or hears it. */
static void tell(FILE *out, const comparisons *all, const comparison *c)
{
    char spec[512], rest[200], words[128];
    spec_of(spec, sizeof spec, c);
    rest_of(rest, sizeof rest, all, c);
    said(words, sizeof words, c);
    fputs("<title>", out);
    emit_html_text(out, spec);
    fprintf(out, ", n = %lld%s", (long long)c->n, *rest ? ", " : "");
    emit_html_text(out, rest);
    fputs(": ", out);
    emit_html_text(out, words);
    if (c->why) {
        fputs(" (", out);
        emit_html_text(out, c->detail);
        fputc(')', out);
    } else {
        fprintf(out, ", %zu block%s", c->verdict.blocks, c->verdict.blocks == 1 ? "" : "s");
        if (c->dropped)
            fprintf(out, ", %zu dropped", c->dropped);
    }
    fputs("</title>", out);
}

/* The two or three texts of a line; returns where its interval goes. */
static double write_words(FILE *out, const comparisons *all, const comparison *c, const layout *on, double top)
{
    enum { FITS = 24, REST_FITS = 36 };
    char spec[512], whole[512], n[32], rest[200], words[128];
    spec_of(spec, sizeof spec, c);
    memcpy(whole, spec, sizeof whole);
    number_of(n, sizeof n, c->n);
    rest_of(rest, sizeof rest, all, c);
    said(words, sizeof words, c);
    cut(spec, FITS);
    cut(rest, REST_FITS);
    const char *anchor = on->below ? "start" : "end";
    const double middle = top + (*rest ? on->tall_line : on->line) / 2.0, name_y = on->below ? top + 15 : middle + (*rest ? -2 : 4),
                 words_y = on->below ? name_y + (*rest ? 30 : 16) : middle + 4;
    const int name_x = on->below ? 8 : on->left - 10;
    fprintf(out, "<text x=\"%d\" y=\"%.1f\" text-anchor=\"%s\">", name_x, name_y, anchor);
    emit_html_text(out, spec);
    fprintf(out, "%s, n = %s</text>", strcmp(spec, whole) == 0 ? "" : "…", n);
    if (*rest) {
        fprintf(out, "<text class=\"small\" x=\"%d\" y=\"%.1f\" text-anchor=\"%s\">", name_x, name_y + 14, anchor);
        emit_html_text(out, rest);
        fputs("</text>", out);
    }
    fprintf(out, "<text x=\"%d\" y=\"%.1f\" style=\"fill:%s\">", on->below ? name_x : on->right + 12, words_y, looks[c->verdict.kind].colour);
    emit_html_text(out, words);
    fputs("</text>", out);
    return on->below ? words_y + 14 : middle;
}

static void draw_line(FILE *out, const comparisons *all, const comparison *c, const scale *x, double top, double height)
{
    const verdict *v = &c->verdict;
    const double y = write_words(out, all, c, x->on, top);
    if (!c->why && isfinite(v->median)) {
        if (isfinite(v->lo) && isfinite(v->hi))
            fprintf(out, "<path class=\"s\" stroke=\"%s\" d=\"M%.1f,%.1fH%.1fm0,-4v8M%.1f,%.1fv8\"/>", looks[v->kind].colour, across(x, exp(v->lo)), y,
                    across(x, exp(v->hi)), across(x, exp(v->lo)), y - 4);
        fprintf(out, "<path class=\"m\" fill=\"%s\" transform=\"translate(%.1f,%.1f)\" d=\"%s\"/>", looks[v->kind].colour, across(x, exp(v->median)), y,
                looks[v->kind].shape);
    }
    fprintf(out, "<rect class=\"row\" x=\"0\" y=\"%.1f\" width=\"%d\" height=\"%.1f\">", top, x->on->width, height);
    tell(out, all, c);
    fputs("</rect>\n", out);
}

static void tick(FILE *out, const scale *x, double ratio, double bottom)
{
    fprintf(out, "<line class=\"grid\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%d\" y2=\"%.1f\"/><text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%.4g×</text>",
            across(x, ratio), across(x, ratio), TOP, bottom, across(x, ratio), bottom + 18, ratio);
}

/* Round steps where the range is less than fourfold, else powers of two: at most about six. */
static void ticks(FILE *out, const scale *x, double bottom)
{
    if (x->most < 4 * x->least) {
        const double raw = (x->most - x->least) / (x->on->below ? 4 : 5), power = pow(10, floor(log10(raw))), step = power * (raw > 5 * power ? 10 : raw > 2 * power ? 5 : 2);
        for (double r = ceil(x->least / step) * step; r <= x->most; r += step)
            tick(out, x, r, bottom);
        return;
    }
    const int first = (int)ceil(log2(x->least)), last = (int)floor(log2(x->most)), every = (last - first) / 6 + 1;
    for (int p = first; p <= last; p++)
        if (p % every == 0)
            tick(out, x, exp2(p), bottom);
}

static double height_of(const comparisons *all, const comparison *c, const layout *on)
{
    char rest[200];
    rest_of(rest, sizeof rest, all, c);
    return *rest ? on->tall_line : on->line;
}

static void draw(FILE *out, const char *id, const char *title, const char *axis, const comparisons *all, size_t count, double band, const scale *x)
{
    const layout *on = x->on;
    double bottom = TOP, top = TOP;
    for (size_t i = 0; i < count; i++)
        bottom += height_of(all, &all->at[i], on);
    fprintf(out, "<svg class=\"%s\" viewBox=\"0 0 %d %.0f\" role=\"img\" aria-labelledby=\"%s-%s\"><title id=\"%s-%s\">", on->name, on->width, bottom + BOTTOM, id,
            on->name, id, on->name);
    emit_html_text(out, title);
    fputs("; the values are in the table below</title>", out);
    fprintf(out, "<rect class=\"band\" x=\"%.1f\" y=\"%d\" width=\"%.1f\" height=\"%.1f\"/>", across(x, 1 / band), TOP, across(x, band) - across(x, 1 / band), bottom - TOP);
    ticks(out, x, bottom);
    fprintf(out, "<path class=\"axis\" d=\"M%d,%.1fH%dM%.1f,%dV%.1f\"/><text x=\"%d\" y=\"%.1f\" text-anchor=\"middle\">", on->left, bottom, on->right, across(x, 1), TOP,
            bottom, (on->left + on->right) / 2, bottom + 40);
    emit_html_text(out, axis);
    fputs("</text>\n", out);
    for (size_t i = 0; i < count; i++) {
        const double height = height_of(all, &all->at[i], on);
        draw_line(out, all, &all->at[i], x, top, height);
        top += height;
    }
    fputs("</svg>", out);
}

void report_forest(FILE *out, const char *id, const char *title, const char *axis, const comparisons *all)
{
    scale x = {0.98, 1.02, &wide};
    const size_t count = all->count < MOST ? all->count : MOST;
    size_t drawn = 0;
    bool counts = true;
    for (size_t i = 0; i < count; i++) {
        const comparison *c = &all->at[i];
        counts = counts && c->counts;
        if (c->why || !isfinite(c->verdict.median))
            continue;
        const double lo = isfinite(c->verdict.lo) ? c->verdict.lo : c->verdict.median, hi = isfinite(c->verdict.hi) ? c->verdict.hi : c->verdict.median;
        x.least = fmin(x.least, exp(lo));
        x.most = fmax(x.most, exp(hi));
        drawn++;
    }
    if (!drawn)
        return;
    const double room = pow(x.most / x.least, 0.04), band = 1 + (counts ? COMPARE_COUNT_THRESHOLD : COMPARE_THRESHOLD);
    x.least /= room;
    x.most *= room;
    fprintf(out, "<figure class=\"forest\" tabindex=\"0\" id=\"%s\">", id);
    draw(out, id, title, axis, all, count, band, &x);
    x.on = &narrow;
    draw(out, id, title, axis, all, count, band, &x);
    fputs("<figcaption>", out);
    emit_html_text(out, title);
    fprintf(out, ". The band is ±%g%%, within which differences do not matter", 100 * (band - 1));
    if (all->count > count)
        fprintf(out, "; the first %zu of %zu cells", count, all->count);
    fputs(".</figcaption></figure>\n", out);
}
