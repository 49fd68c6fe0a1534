/* SVG: one path for each shade of grey. A rectangle is a run of equal cells in a row, as long as the rows
 * below repeat it exactly; so dense, block and column patterns take few, and a diagonal one for each row. */
#include "harness/image.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    SHADES = 16, /* greys that can be told apart; shade 0 is white and not drawn */
    SIDE = 640,  /* the longer side of the mask, in user units */
    LEFT = 64, RIGHT = 24, TOP = 56, BOTTOM = 52
};

typedef struct run {
    size_t begin, end; /* columns */
    size_t row;        /* where it began */
    int shade;
} run;

static int shade_of(const mask_grid *g, size_t row, size_t column)
{
    return (int)ceil(mask_fraction(g, row, column) * SHADES);
}

static void draw(FILE *out, const run *r, size_t end_row)
{
    fprintf(out, "M%zu %zuh%zuv%zuh-%zuz", r->begin, r->row, r->end - r->begin, end_row - r->row,
            r->end - r->begin);
}

/* The runs of one shade in a row; returns how many. */
static size_t find_runs(const mask_grid *g, size_t row, int shade, run *runs)
{
    size_t count = 0;
    for (size_t c = 0; c < g->columns; c++) {
        if (shade_of(g, row, c) != shade)
            continue;
        if (count > 0 && runs[count - 1].end == c)
            runs[count - 1].end++;
        else
            runs[count++] = (run){c, c + 1, row, shade};
    }
    return count;
}

/* Draws the runs of `open` that `now` does not repeat, and lets the others begin where they began. */
static void close_runs(FILE *out, const run *open, size_t open_count, run *now, size_t now_count, size_t row)
{
    size_t next = 0;
    for (size_t k = 0; k < open_count; k++) {
        while (next < now_count && now[next].begin < open[k].begin)
            next++;
        if (next < now_count && now[next].begin == open[k].begin && now[next].end == open[k].end)
            now[next].row = open[k].row;
        else
            draw(out, &open[k], row);
    }
}

static void draw_shade(FILE *out, const mask_grid *g, int shade, run *runs[2])
{
    bool begun = false;
    size_t open_count = 0;
    for (size_t row = 0; row <= g->rows; row++) {
        run *open = runs[row % 2], *now = runs[(row + 1) % 2];
        size_t now_count = row < g->rows ? find_runs(g, row, shade, now) : 0;
        if ((open_count || now_count) && !begun) {
            int grey = image_grey((double)shade / SHADES);
            fprintf(out, "<path fill=\"#%02x%02x%02x\" d=\"", grey, grey, grey);
            begun = true;
        }
        close_runs(out, open, open_count, now, now_count, row);
        open_count = now_count;
    }
    if (begun)
        fputs("\"/>\n", out);
}

static void escape(FILE *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '&')
            fputs("&amp;", out);
        else if (*text == '<')
            fputs("&lt;", out);
        else if (*text == '>')
            fputs("&gt;", out);
        else
            fputc(*text, out);
    }
}

/* Ticks at the quarters of an axis of n positions that begins at `first`. */
static void draw_ticks(FILE *out, size_t n, size_t first, double length, bool below, double height)
{
    size_t last = n + 1;
    for (int quarter = 0; quarter <= 4; quarter++) {
        size_t position = n * (size_t)quarter / 4;
        if (position == last)
            continue;
        last = position;
        double at = (double)position / (double)n * length;
        if (below)
            fprintf(
                out,
                "<path d=\"M%.2f %.2fv6\"/><text x=\"%.2f\" y=\"%.2f\" text-anchor=\"middle\">%zu</text>\n",
                LEFT + at, TOP + height, LEFT + at, TOP + height + 20, first + position);
        else
            fprintf(out,
                    "<path d=\"M%d %.2fh-6\"/><text x=\"%d\" y=\"%.2f\" text-anchor=\"end\">%zu</text>\n",
                    LEFT, TOP + at, LEFT - 10, TOP + at + 4, first + position);
    }
}

static void draw_axes(FILE *out, const mask_grid *g, double width, double height)
{
    fputs(
        "<g stroke=\"#000\" fill=\"none\" stroke-width=\"1\" font-family=\"sans-serif\" font-size=\"12\">\n",
        out);
    fprintf(out, "<rect x=\"%d\" y=\"%d\" width=\"%.2f\" height=\"%.2f\"/>\n", LEFT, TOP, width, height);
    fputs("<g class=\"ticks\">\n", out);
    draw_ticks(out, g->nk, g->first_key, width, true, height);
    draw_ticks(out, g->nq, g->first_query, height, false, height);
    fputs("</g>\n", out);
    fprintf(out, "<text x=\"%.2f\" y=\"%.2f\" text-anchor=\"middle\">key j</text>\n", LEFT + width / 2,
            TOP + height + 42);
    fprintf(out, "<text transform=\"translate(14 %.2f) rotate(-90)\" text-anchor=\"middle\">query i</text>\n",
            TOP + height / 2);
    fputs("</g>\n", out);
}

/* How large a grid is drawn whose longer side is `side` user units. Cells at its far edges may cover fewer pairs: the
 * picture ends with the last pair. */
typedef struct extent {
    double width, height, scale;
} extent;

static extent extent_of(const mask_grid *g, double side)
{
    const double longer = (double)(g->nq > g->nk ? g->nq : g->nk);
    return (extent){side * (double)g->nk / longer, side * (double)g->nq / longer, side * (double)g->cell / longer};
}

static attn_status draw_cells(FILE *out, const mask_grid *g, double x, double y, double side, attn_error *err)
{
    const extent e = extent_of(g, side);
    run *runs[2] = {malloc(g->columns * sizeof(run)), malloc(g->columns * sizeof(run))};
    attn_status status = runs[0] && runs[1] ? ATTN_OK : attn_fail(err, ATTN_ENOMEM, "out of memory for a picture");
    if (status == ATTN_OK) {
        fprintf(out, "<svg x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" height=\"%.2f\"><g transform=\"scale(%.6g)\" "
                "shape-rendering=\"crispEdges\">\n", x, y, e.width, e.height, e.scale);
        for (int shade = 1; shade <= SHADES; shade++)
            draw_shade(out, g, shade, runs);
        fputs("</g></svg>\n", out);
    }
    free(runs[0]);
    free(runs[1]);
    return status;
}

/* So that a long title fits. */
static double title_size(const char *title, double width)
{
    const double usual = 15, least = 7, character = 0.56; /* of its size: the width of one */
    const double fits = (width - LEFT - RIGHT) / (character * (double)(strlen(title) + 1));
    return fits > usual ? usual : fits < least ? least : fits;
}

static void begin_document(FILE *out, double width, double height, const char *title, const char *description)
{
    fprintf(out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" aria-labelledby=\"title desc\" "
            "width=\"%.0f\" "
            "height=\"%.0f\" viewBox=\"0 0 %.2f %.2f\">\n<title id=\"title\">",
            width, height, width, height);
    escape(out, title);
    fputs("</title>\n<desc id=\"desc\">", out);
    escape(out, description);
    fputs("</desc>\n<style>text{stroke:none;fill:#000}</style>\n<rect width=\"100%\" height=\"100%\" "
          "fill=\"#fff\"/>\n",
          out);
    fprintf(out, "<text x=\"%d\" y=\"22\" font-family=\"sans-serif\" font-size=\"%.3g\">", LEFT, title_size(title, width));
    escape(out, title);
    fprintf(out, "</text>\n<text x=\"%d\" y=\"42\" font-family=\"sans-serif\" font-size=\"12\">", LEFT);
    escape(out, description);
    fputs("</text>\n", out);
}

attn_status image_svg(FILE *out, const mask_grid *g, const char *title, const char *description,
                      attn_error *err)
{
    const extent e = extent_of(g, SIDE);
    begin_document(out, LEFT + e.width + RIGHT, TOP + e.height + BOTTOM, title, description);
    attn_status status = draw_cells(out, g, LEFT, TOP, SIDE, err);
    if (status != ATTN_OK)
        return status;
    draw_axes(out, g, e.width, e.height);
    fputs("</svg>\n", out);
    return ATTN_OK;
}

attn_status image_svg_sheet(FILE *out, const sheet *s, const char *title, const char *description, attn_error *err)
{
    enum { GAP = 16, LABEL = 18 };
    const size_t across = s->count < s->across ? s->count : s->across, down = (s->count - 1) / across + 1;
    const double side = (SIDE - GAP * (double)(across - 1)) / (double)across;
    const extent e = extent_of(&s->panels[0], side);
    const double width = (double)across * (e.width + GAP) - GAP, least = SIDE - LEFT; /* room for the title */
    begin_document(out, LEFT + (width > least ? width : least) + RIGHT, TOP + (double)down * (e.height + GAP + LABEL) + RIGHT,
                   title, description);
    attn_status status = ATTN_OK;
    for (size_t h = 0; h < s->count && status == ATTN_OK; h++) {
        const double x = LEFT + (double)(h % across) * (e.width + GAP), y = TOP + LABEL + (double)(h / across) * (e.height + GAP + LABEL);
        fprintf(out, "<text x=\"%.2f\" y=\"%.2f\" font-family=\"sans-serif\" font-size=\"11\">head %zu: %" PRIu64 " pairs</text>\n",
                x, y - 5, h, s->pairs[h]);
        status = draw_cells(out, &s->panels[h], x, y, side, err);
        fprintf(out, "<rect x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" height=\"%.2f\" fill=\"none\" stroke=\"#000\"/>\n",
                x, y, e.width, e.height);
    }
    fputs("</svg>\n", out);
    return status;
}
