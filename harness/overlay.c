/* Two masks over each other. See overlay.h. The three parts are compositions: A - B, B - A, A & B. */
#include "harness/overlay.h"

#include <png.h>
#include <stdlib.h>
#include <string.h>

enum { A_ALONE, B_ALONE, BOTH, NOTHING };

static attn_status part(mask_grid *out, uint64_t *pairs, const char *format_a, const char *operator, const char *format_b, size_t nq, size_t n, size_t heads,
                        size_t head, size_t most, attn_error *err)
{
    char *text;
    attn_spec *spec = NULL;
    attn_layout *layout = NULL;
    if (asprintf(&text, "(%s) %s (%s)", format_a, operator, format_b) < 0)
        return attn_fail(err, ATTN_ENOMEM, "out of memory");
    attn_status status = attn_spec_parse(&spec, text, err);
    if (status == ATTN_OK)
        status = attn_layout_create(&layout, spec, nq, n, heads, err);
    if (status == ATTN_OK)
        status = mask_grid_create(out, layout, head, most, err);
    if (status == ATTN_OK)
        *pairs = attn_layout_pairs(layout, head);
    attn_layout_destroy(layout);
    attn_spec_destroy(spec);
    free(text);
    return status;
}

static attn_status name_of(char **out, const char *spec_text, size_t nq, size_t n, size_t heads, attn_error *err)
{
    attn_spec *spec = NULL;
    attn_layout *layout = NULL;
    attn_status status = attn_spec_parse(&spec, spec_text, err);
    if (status == ATTN_OK)
        status = attn_layout_create(&layout, spec, nq, n, heads, err);
    if (status == ATTN_OK && !(*out = strdup(attn_layout_text(layout))))
        status = attn_fail(err, ATTN_ENOMEM, "out of memory");
    attn_layout_destroy(layout);
    attn_spec_destroy(spec);
    return status;
}

attn_status overlay_create(overlay *out, const char *a, const char *b, size_t nq, size_t n, size_t heads, size_t head, size_t most, attn_error *err)
{
    *out = (overlay){.pairs = {0}};
    attn_status status = name_of(&out->names[0], a, nq, n, heads, err);
    if (status == ATTN_OK)
        status = name_of(&out->names[1], b, nq, n, heads, err);
    if (status == ATTN_OK)
        status = part(&out->only[A_ALONE], &out->pairs[A_ALONE], a, "-", b, nq, n, heads, head, most, err);
    if (status == ATTN_OK)
        status = part(&out->only[B_ALONE], &out->pairs[B_ALONE], b, "-", a, nq, n, heads, head, most, err);
    if (status == ATTN_OK)
        status = part(&out->only[BOTH], &out->pairs[BOTH], a, "&", b, nq, n, heads, head, most, err);
    if (status != ATTN_OK)
        overlay_destroy(out);
    return status;
}

void overlay_destroy(overlay *o)
{
    for (size_t k = 0; k < 3; k++)
        mask_grid_destroy(&o->only[k]);
    free(o->names[0]);
    free(o->names[1]);
    *o = (overlay){.pairs = {0}};
}

/* What a cell has most of; a difference before what is common. */
static int most_of(const overlay *o, size_t row, size_t column)
{
    const size_t at = row * o->only[0].columns + column;
    uint64_t pairs[3];
    for (size_t k = 0; k < 3; k++)
        pairs[k] = o->only[k].pairs[at];
    if (!pairs[0] && !pairs[1] && !pairs[2])
        return NOTHING;
    const int larger = pairs[B_ALONE] > pairs[A_ALONE] ? B_ALONE : A_ALONE;
    return pairs[larger] >= pairs[BOTH] ? larger : BOTH;
}

void overlay_print(FILE *out, const overlay *o, bool utf8, bool colour)
{
    static const char *const plain[] = {"a", "b", "#", "."}, *const blocks[] = {"a", "b", "\u2588", " "};
    static const char *const shades[] = {"\033[38;5;32m", "\033[38;5;208m", "\033[38;5;245m", ""};
    const mask_grid *g = &o->only[0];
    for (size_t r = 0; r < g->rows; r++) {
        for (size_t c = 0; c < g->columns; c++) {
            const int of = most_of(o, r, c);
            fprintf(out, "%s%s%s", colour ? shades[of] : "", colour && utf8 && of != NOTHING ? "\u2588" : (utf8 ? blocks : plain)[of], colour && *shades[of] ? "\033[0m" : "");
        }
        fputc('\n', out);
    }
    const struct { const char *mark, *what, *name; } legend[] = {{"a", "only ", o->names[0]}, {"b", "only ", o->names[1]}, {utf8 ? blocks[BOTH] : "#", "both", ""}};
    for (size_t k = 0; k < 3; k++)
        fprintf(out, "%s%s%s %s%s: %llu pairs\n", colour ? shades[k] : "", colour && utf8 ? "\u2588" : legend[k].mark, colour ? "\033[0m" : "", legend[k].what,
                legend[k].name, (unsigned long long)o->pairs[k]);
    if (g->cell > 1)
        fprintf(out, "a cell is %zu x %zu pairs, and shows what it has most of\n", g->cell, g->cell);
}

/* Runs of equal cells of a row. */
static void draw(FILE *out, const overlay *o, int of)
{
    const mask_grid *g = &o->only[0];
    for (size_t r = 0; r < g->rows; r++)
        for (size_t c = 0, end; c < g->columns; c = end) {
            for (end = c + 1; end < g->columns && (most_of(o, r, end) == of) == (most_of(o, r, c) == of); end++)
                ;
            if (most_of(o, r, c) == of)
                fprintf(out, "M%zu %zuh%zuv1h-%zuz", c, r, end - c, end - c);
        }
}

static void escape(FILE *out, const char *text)
{
    for (; *text; text++)
        switch (*text) {
        case '&': fputs("&amp;", out); break;
        case '<': fputs("&lt;", out); break;
        case '>': fputs("&gt;", out); break;
        default: fputc(*text, out);
        }
}

/* A alone, B alone, both, neither: apart for most eyes, and dark, middle, light in grey. */
static const unsigned char inks[][3] = {{0x00, 0x56, 0x8f}, {0xe6, 0x9f, 0x00}, {0xd0, 0xd0, 0xd0}, {0xff, 0xff, 0xff}};

attn_status overlay_png(FILE *out, const overlay *o, size_t pixels, attn_error *err)
{
    const mask_grid *g = &o->only[0];
    const size_t longer = g->rows > g->columns ? g->rows : g->columns, scale = pixels > longer ? pixels / longer : 1;
    const size_t width = g->columns * scale, height = g->rows * scale;
    unsigned char *image = malloc(3 * width * height), *at = image;
    if (!image)
        return attn_fail(err, ATTN_ENOMEM, "out of memory for a picture of %zu x %zu pixels", width, height);
    for (size_t y = 0; y < height; y++)
        for (size_t x = 0; x < width; x++, at += 3)
            memcpy(at, inks[most_of(o, y / scale, x / scale)], 3);
    png_image about = {.version = PNG_IMAGE_VERSION, .width = (png_uint_32)width, .height = (png_uint_32)height, .format = PNG_FORMAT_RGB};
    const bool written = png_image_write_to_stdio(&about, out, 0, image, 0, NULL) != 0;
    free(image);
    return written || ferror(out) ? ATTN_OK : attn_fail(err, ATTN_EINTERNAL, "the PNG encoder failed: %s", about.message);
}

attn_status overlay_svg(FILE *out, const overlay *o, attn_error *err)
{
    enum { SIDE = 640, MARGIN = 24, LINE = 22 };
    char fills[BOTH + 1][8];
    for (int k = 0; k <= BOTH; k++)
        snprintf(fills[k], sizeof fills[k], "#%02x%02x%02x", inks[k][0], inks[k][1], inks[k][2]);
    const mask_grid *g = &o->only[0];
    const size_t longer = g->rows > g->columns ? g->rows : g->columns;
    const double scale = (double)SIDE / (double)longer, height = scale * (double)g->rows;
    fprintf(out, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %.0f\" font-family=\"sans-serif\" font-size=\"14\"><title>", SIDE + 2 * MARGIN,
            height + 2 * MARGIN + 4 * LINE);
    escape(out, o->names[0]);
    fputs(" over ", out);
    escape(out, o->names[1]);
    fprintf(out, "</title><rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/><g transform=\"translate(%d,%d) scale(%g)\">", MARGIN, MARGIN, scale);
    for (int k = 0; k < 3; k++) {
        fprintf(out, "<path fill=\"%s\" d=\"", fills[k]);
        draw(out, o, k);
        fputs("\"/>\n", out);
    }
    fprintf(out, "<rect width=\"%zu\" height=\"%zu\" fill=\"none\" stroke=\"#404040\" stroke-width=\"%g\"/></g>", g->columns, g->rows, 1 / scale);
    for (int k = 0; k < 3; k++) {
        const double y = height + 2 * MARGIN + k * LINE;
        fprintf(out, "<rect x=\"%d\" y=\"%.0f\" width=\"14\" height=\"14\" fill=\"%s\"/><text x=\"%d\" y=\"%.0f\">", MARGIN, y, fills[k], MARGIN + 22, y + 12);
        escape(out, k == BOTH ? "both" : o->names[k]);
        fprintf(out, "%s: %llu pairs</text>", k == BOTH ? "" : " alone", (unsigned long long)o->pairs[k]);
    }
    fputs("</svg>\n", out);
    return ferror(out) ? attn_fail(err, ATTN_EIO, "the picture could not be written") : ATTN_OK;
}
