/* PNG through libpng's simplified interface; PBM and NPY row by row. */
#include "harness/image.h"

#include <png.h>
#include <stdlib.h>
#include <string.h>

#include "base/npy.h"

unsigned char image_grey(double fraction)
{
    const double faintest = 0.125; /* the ink of a vanishing fraction */
    if (fraction <= 0)
        return 255;
    return (unsigned char)(255.5 - 255 * (faintest + (1 - faintest) * fraction));
}

typedef struct canvas {
    size_t width, height;
    unsigned char *pixels; /* [height][width], greys */
} canvas;

static attn_status new_canvas(canvas *c, size_t width, size_t height, unsigned char grey, attn_error *err)
{
    *c = (canvas){width, height, malloc(width * height)};
    if (!c->pixels)
        return attn_fail(err, ATTN_ENOMEM, "out of memory for a picture of %zu x %zu pixels", width, height);
    memset(c->pixels, grey, width * height);
    return ATTN_OK;
}

static void paint(canvas *c, size_t x, size_t y, const mask_grid *grid, size_t scale)
{
    for (size_t row = 0; row < grid->rows; row++) {
        unsigned char *line = c->pixels + (y + row * scale) * c->width + x;
        for (size_t column = 0; column < grid->columns; column++)
            memset(line + column * scale, image_grey(mask_fraction(grid, row, column)), scale);
        for (size_t copy = 1; copy < scale; copy++)
            memcpy(line + copy * c->width, line, grid->columns * scale);
    }
}

/* Writes it and releases its pixels. */
static attn_status encode(FILE *out, canvas *c, attn_error *err)
{
    png_image image = {.version = PNG_IMAGE_VERSION,
                       .width = (png_uint_32)c->width,
                       .height = (png_uint_32)c->height,
                       .format = PNG_FORMAT_GRAY};
    bool written = png_image_write_to_stdio(&image, out, 0, c->pixels, 0, NULL) != 0;
    free(c->pixels);
    /* libpng reports a failed write as its own error; the stream knows the cause. */
    if (!written && !ferror(out))
        return attn_fail(err, ATTN_EINTERNAL, "the PNG encoder failed: %s", image.message);
    return ATTN_OK;
}

attn_status image_png(FILE *out, const mask_grid *grid, size_t scale, attn_error *err)
{
    canvas c;
    attn_status status = new_canvas(&c, grid->columns * scale, grid->rows * scale, 255, err);
    if (status != ATTN_OK)
        return status;
    paint(&c, 0, 0, grid, scale);
    return encode(out, &c, err);
}

attn_status image_png_sheet(FILE *out, const sheet *s, size_t pixels, attn_error *err)
{
    enum { BETWEEN = 190 /* a grey */ };
    const mask_grid *first = &s->panels[0];
    const size_t across = s->count < s->across ? s->count : s->across, down = (s->count - 1) / across + 1;
    const size_t gap = pixels / 100 + 1, longer = first->rows > first->columns ? first->rows : first->columns;
    const size_t most = across > down ? across : down, room = pixels > gap * (most + 1) ? (pixels - gap * (most + 1)) / most : 1;
    const size_t scale = room > longer ? room / longer : 1, width = first->columns * scale, height = first->rows * scale;
    canvas c;
    attn_status status = new_canvas(&c, gap + across * (width + gap), gap + down * (height + gap), BETWEEN, err);
    if (status != ATTN_OK)
        return status;
    for (size_t h = 0; h < down * across && h < s->count; h++)
        paint(&c, gap + h % across * (width + gap), gap + h / across * (height + gap), &s->panels[h], scale);
    return encode(out, &c, err);
}

/* Calls `write` with each row of the mask. */
static attn_status each_row(FILE *out, const attn_layout *layout, size_t head, const mask_window *window,
                            void (*write)(FILE *out, const unsigned char *keys, size_t nk), attn_error *err)
{
    size_t nk = attn_layout_nk(layout);
    attn_combs combs = {0};
    unsigned char *keys = malloc(nk);
    attn_status status =
        keys ? ATTN_OK : attn_fail(err, ATTN_ENOMEM, "out of memory for a row of %zu keys", nk);
    for (size_t r = window->row; r < window->row_end && status == ATTN_OK && !ferror(out); r++) {
        status = mask_row(layout, head, r, &combs, keys, err);
        if (status == ATTN_OK)
            write(out, keys + window->key, window->key_end - window->key);
    }
    free(keys);
    free(combs.at);
    return status;
}

static void write_bits(FILE *out, const unsigned char *keys, size_t nk)
{
    for (size_t j = 0; j < nk; j += 8) {
        int byte = 0;
        for (size_t bit = 0; bit < 8 && j + bit < nk; bit++)
            byte |= keys[j + bit] << (7 - bit);
        fputc(byte, out);
    }
}

static void write_bytes(FILE *out, const unsigned char *keys, size_t nk)
{
    (void)!fwrite(keys, 1, nk, out);
}

attn_status image_pbm(FILE *out, const attn_layout *layout, size_t head, const mask_window *window,
                      attn_error *err)
{
    fprintf(out, "P4\n%zu %zu\n", window->key_end - window->key, window->row_end - window->row);
    return each_row(out, layout, head, window, write_bits, err);
}

attn_status image_npy(FILE *out, const attn_layout *layout, size_t head, const mask_window *window,
                      attn_error *err)
{
    (void)npy_write_header(out, NPY_BOOL, 2,
                           (size_t[]){window->row_end - window->row, window->key_end - window->key});
    return each_row(out, layout, head, window, write_bytes, err);
}
