/* Line charts as SVG that goes into a page: colours come from its style sheet. See report.h. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness/emit.h"
#include "harness/report.h"

enum { WIDTH = 860, HEIGHT = 420, LEFT = 70, RIGHT = 190, TOP = 20, BOTTOM = 50, COLOURS = 8, MOST = 16 };

typedef struct axis {
    double least, most, from, to; /* values, and where they are drawn */
    bool log;
} axis;

static double place(const axis *a, double value)
{
    const double v = a->log ? log(value) : value, lo = a->log ? log(a->least) : a->least, hi = a->log ? log(a->most) : a->most;
    return a->from + (hi > lo ? (v - lo) / (hi - lo) : 0.5) * (a->to - a->from);
}

/* 1 k, 64 k, 12.5, 1.2e-07: what reads best beside an axis. */
static void number(char *out, size_t size, double value)
{
    if (value != 0 && (fabs(value) < 1e-3 || fabs(value) >= 1e7))
        snprintf(out, size, "%.1e", value);
    else if (fabs(value) >= 1024 && fmod(value, 1024) == 0)
        snprintf(out, size, "%.0fk", value / 1024);
    else
        snprintf(out, size, "%.4g", value);
}

static void tick(FILE *out, const axis *x, const axis *y, double value, bool across)
{
    char text[32];
    number(text, sizeof text, value);
    if (across)
        fprintf(out, "<line class=\"grid\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%d\" y2=\"%d\"/><text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%s</text>",
                place(x, value), place(x, value), TOP, HEIGHT - BOTTOM, place(x, value), HEIGHT - BOTTOM + 18, text);
    else
        fprintf(out, "<line class=\"grid\" x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\"/><text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%s</text>", LEFT,
                WIDTH - RIGHT, place(y, value), place(y, value), LEFT - 6, place(y, value) + 4, text);
}

/* Powers of two across, of ten upwards, or about five round steps. */
static void ticks(FILE *out, const axis *x, const axis *y)
{
    const int first = (int)ceil(log2(x->least) - 1e-9), last = (int)floor(log2(x->most) + 1e-9), every = (last - first) / 8 + 1;
    for (int p = first; p <= last; p += every)
        tick(out, x, y, exp2(p), true);
    if (y->log) {
        static const double between[] = {1, 2, 5}; /* those two only over less than two decades */
        const bool few = y->most < 100 * y->least;
        for (int p = (int)floor(log10(y->least)); p <= (int)floor(log10(y->most) + 1e-9); p++)
            for (int k = 0; k < (few ? 3 : 1); k++)
                if (between[k] * pow(10, p) >= y->least && between[k] * pow(10, p) <= y->most)
                    tick(out, x, y, between[k] * pow(10, p), false);
        return;
    }
    const double raw = y->most / 5, power = pow(10, floor(log10(raw))), step = power * (raw > 5 * power ? 10 : raw > 2 * power ? 5 : 2);
    for (double v = 0; v <= y->most * 1.0001; v += step)
        tick(out, x, y, v, false);
}

/* As much of a name as fits beside the lines; the rest is told with the values. */
static void label(FILE *out, const char *name)
{
    enum { FITS = 24 };
    char text[FITS + 1];
    snprintf(text, sizeof text, "%s", name);
    emit_html_text(out, text);
    fputs(strlen(name) > FITS ? "…" : "", out);
}

static void marker(FILE *out, size_t s, double x, double y)
{
    const size_t shape = s / 4 + s, colour = s % COLOURS; /* with the dashes, alike for no two of MOST */
    static const char *const shapes[] = {"M-5,0a5,5 0 1,0 10,0a5,5 0 1,0 -10,0z", "M-5,-5h10v10h-10z", "M0,-6l6,10h-12z", "M0,-6l6,6l-6,6l-6,-6z"};
    fprintf(out, "<path class=\"m\" fill=\"var(--c%zu)\" transform=\"translate(%.1f,%.1f)\" d=\"%s\">", colour, x, y, shapes[shape % 4]);
}

static void draw_series(FILE *out, const report_chart *c, size_t s, const axis *x, const axis *y, double label_y)
{
    static const char *const dashes[] = {"", "8 4", "2 4", "10 4 2 4"};
    const report_series *of = &c->series[s];
    fprintf(out, "<polyline class=\"s\" stroke=\"var(--c%zu)\" stroke-dasharray=\"%s\" points=\"", s % COLOURS, dashes[s % 4]);
    for (size_t k = 0; k < of->count; k++)
        fprintf(out, "%.1f,%.1f ", place(x, of->at[k].x), place(y, of->at[k].y));
    fputs("\"/>", out);
    for (size_t k = 0; k < of->count; k++) {
        const report_point *p = &of->at[k];
        const double at = place(x, p->x);
        if (p->lo > 0 && p->hi > p->lo)
            fprintf(out, "<line stroke=\"var(--c%zu)\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\"/>", s % COLOURS, at, at, place(y, fmax(p->lo, y->least)),
                    place(y, fmin(p->hi, y->most)));
        marker(out, s, at, place(y, p->y));
        fputs("<title>", out);
        emit_html_text(out, of->name);
        fprintf(out, ", %s %.0f: %.4g %s</title></path>", c->x, p->x, p->y, c->unit);
    }
    fprintf(out, "<text x=\"%d\" y=\"%.1f\" style=\"fill:var(--c%zu)\">", WIDTH - RIGHT + 12, label_y, s % COLOURS);
    label(out, of->name);
    fputs("</text>", out);
}

/* Names beside the ends of lines, moved apart. */
static void place_labels(const report_chart *c, const axis *y, size_t count, double *at)
{
    size_t order[MOST];
    for (size_t s = 0; s < count; s++) {
        size_t k = s;
        at[s] = place(y, c->series[s].at[c->series[s].count - 1].y) + 4;
        for (; k > 0 && at[order[k - 1]] > at[s]; k--)
            order[k] = order[k - 1];
        order[k] = s;
    }
    for (size_t k = 1; k < count; k++)
        at[order[k]] = fmax(at[order[k]], at[order[k - 1]] + 16);
    const double beyond = count ? at[order[count - 1]] - (HEIGHT - BOTTOM) : 0;
    for (size_t k = 0; k < count && beyond > 0; k++)
        at[order[k]] -= beyond;
}

void report_draw(FILE *out, const report_chart *c)
{
    axis x = {HUGE_VAL, 0, LEFT, WIDTH - RIGHT, true}, y = {HUGE_VAL, 0, HEIGHT - BOTTOM, TOP, c->log_y};
    const size_t count = c->count < MOST ? c->count : MOST;
    double labels[MOST];
    for (size_t s = 0; s < count; s++)
        for (size_t k = 0; k < c->series[s].count; k++) {
            const report_point *p = &c->series[s].at[k];
            x.least = fmin(x.least, p->x);
            x.most = fmax(x.most, p->x);
            y.least = fmin(y.least, p->lo > 0 ? p->lo : p->y);
            y.most = fmax(y.most, p->hi > 0 ? p->hi : p->y);
        }
    if (!(x.most > 0) || !(y.most > 0))
        return;
    y.least = c->log_y ? y.least / 1.3 : 0;
    y.most *= c->log_y ? 1.3 : 1.08;
    fprintf(out, "<figure tabindex=\"0\" id=\"%s\"><svg viewBox=\"0 0 %d %d\" role=\"img\" aria-labelledby=\"%s-t\"><title id=\"%s-t\">", c->id, WIDTH, HEIGHT, c->id, c->id);
    emit_html_text(out, c->title);
    fputs("</title>", out);
    ticks(out, &x, &y);
    fprintf(out, "<path class=\"axis\" d=\"M%d,%dV%dH%d\"/><text x=\"%d\" y=\"%d\" text-anchor=\"middle\">", LEFT, TOP, HEIGHT - BOTTOM, WIDTH - RIGHT,
            (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 10);
    emit_html_text(out, c->x);
    fprintf(out, "</text><text transform=\"translate(16,%d) rotate(-90)\" text-anchor=\"middle\">", (TOP + HEIGHT - BOTTOM) / 2);
    emit_html_text(out, c->y);
    fputs("</text>", out);
    place_labels(c, &y, count, labels);
    for (size_t s = 0; s < count; s++)
        draw_series(out, c, s, &x, &y, labels[s]);
    fputs("</svg><figcaption>", out);
    emit_html_text(out, c->title);
    if (c->count > count)
        fprintf(out, "; the first %zu of %zu series", count, c->count);
    fputs("</figcaption></figure>\n", out);
}
