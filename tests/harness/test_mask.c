/* Masks as grids and pictures against the definition, allows(). */
#include <criterion/criterion.h>

#include <math.h>
#include <png.h>
#include <stdlib.h>
#include <string.h>

#include "base/npy.h"
#include "harness/image.h"
#include "support/program.h"

static const char *const specs[] = {
    "dense", "dense:causal=0", "local:k=0", "local:k=3", "local:k=5,causal=0", "strided:l=4", "strided:l=1",
    "strided:l=7,head=column", "strided:l=5,causal=0", "fixed:l=5,c=2", "fixed:l=4,c=1,head=summary,sub=2",
    "fixed:l=6,c=3,causal=0", "fixed:l=9,c=2,head=block",
};
enum { SPECS = sizeof specs / sizeof *specs };

static attn_layout *layout_of(const char *text, size_t nq, size_t nk)
{
    attn_spec *spec;
    attn_layout *layout;
    attn_error err;
    cr_assert(attn_spec_parse(&spec, text, &err) == ATTN_OK, "%s", err.message);
    cr_assert(attn_layout_create(&layout, spec, nq, nk, 1, &err) == ATTN_OK, "%s", err.message);
    attn_spec_destroy(spec);
    return layout;
}

static const size_t shapes[][2] = {{1, 1},   {2, 2},  {17, 17}, {32, 32}, {12, 30},
                                   {30, 12}, {1, 25}, {25, 1},  {53, 53}};
enum { SHAPES = sizeof shapes / sizeof *shapes };

Test(mask, every_cell_counts_its_pairs)
{
    static const size_t mosts[] = {1, 2, 3, 7, 10, 64};
    for (size_t s = 0; s < SPECS; s++)
        for (size_t z = 0; z < SHAPES; z++)
            for (size_t m = 0; m < sizeof mosts / sizeof *mosts; m++) {
                size_t nq = shapes[z][0], nk = shapes[z][1], most = mosts[m];
                attn_layout *layout = layout_of(specs[s], nq, nk);
                mask_grid g;
                attn_error err;
                cr_assert(mask_grid_create(&g, layout, 0, most, &err) == ATTN_OK, "%s", err.message);
                cr_assert(g.rows <= most && g.columns <= most && g.rows * g.cell >= nq &&
                              g.columns * g.cell >= nk,
                          "%s nq=%zu nk=%zu most=%zu: %zu x %zu cells of %zu", specs[s], nq, nk, most, g.rows,
                          g.columns, g.cell);
                cr_assert(g.cell == 1 || nq > most * (g.cell - 1) || nk > most * (g.cell - 1),
                          "cells too large");
                for (size_t r = 0; r < g.rows; r++)
                    for (size_t c = 0; c < g.columns; c++) {
                        uint64_t pairs = 0, area = 0;
                        for (size_t i = r * g.cell; i < nq && i < (r + 1) * g.cell; i++)
                            for (size_t j = c * g.cell; j < nk && j < (c + 1) * g.cell; j++, area++)
                                pairs += attn_layout_allows(layout, 0, i, j);
                        cr_assert(g.pairs[r * g.columns + c] == pairs,
                                  "%s nq=%zu nk=%zu most=%zu cell %zu,%zu: %llu, "
                                  "not %llu",
                                  specs[s], nq, nk, most, r, c,
                                  (unsigned long long)g.pairs[r * g.columns + c], (unsigned long long)pairs);
                        cr_assert(fabs(mask_fraction(&g, r, c) - (double)pairs / (double)area) < 1e-15,
                                  "fraction");
                    }
                mask_grid_destroy(&g);
                attn_layout_destroy(layout);
            }
}

Test(mask, counts_survive_great_lengths)
{
    attn_layout *layout = layout_of("dense:causal=0", 70000, 100000);
    mask_grid g;
    attn_error err;
    cr_assert(mask_grid_create(&g, layout, 0, 1, &err) == ATTN_OK, "%s", err.message);
    cr_assert(g.pairs[0] == UINT64_C(7000000000), "%llu", (unsigned long long)g.pairs[0]);
    mask_grid_destroy(&g);
    attn_layout_destroy(layout);
}

Test(mask, rows_are_what_allows_says)
{
    for (size_t s = 0; s < SPECS; s++)
        for (size_t z = 0; z < SHAPES; z++) {
            size_t nq = shapes[z][0], nk = shapes[z][1];
            attn_layout *layout = layout_of(specs[s], nq, nk);
            attn_combs combs = {0};
            unsigned char keys[64];
            for (size_t r = 0; r < nq; r++) {
                attn_error err;
                cr_assert(mask_row(layout, 0, r, &combs, keys, &err) == ATTN_OK, "%s", err.message);
                for (size_t j = 0; j < nk; j++)
                    cr_assert(keys[j] == attn_layout_allows(layout, 0, r, j),
                              "%s nq=%zu nk=%zu row %zu key %zu", specs[s], nq, nk, r, j);
            }
            free(combs.at);
            attn_layout_destroy(layout);
        }
}

/* The text of a printed grid. */
static char *printed(const char *spec, size_t n, size_t most, mask_style style)
{
    attn_layout *layout = layout_of(spec, n, n);
    mask_grid g;
    attn_error err;
    cr_assert(mask_grid_create(&g, layout, 0, most, &err) == ATTN_OK, "%s", err.message);
    char *text;
    size_t size;
    FILE *f = open_memstream(&text, &size);
    mask_print(f, &g, style);
    fclose(f);
    mask_grid_destroy(&g);
    attn_layout_destroy(layout);
    return text;
}

Test(mask, print_styles)
{
    static const struct {
        const char *spec;
        size_t n, most;
        mask_style style;
        const char *expected;
    } cases[] = {
        {"local:k=1", 4, 8, MASK_ASCII, "#...\n##..\n.##.\n..##\n"},
        {"local:k=1", 3, 8, MASK_BLOCKS, "\u2588\u2584 \n \u2580\u2580\n"},
        {"dense", 4, 2, MASK_ASCII, "+:\n"},                 /* cells 3/4 0; 1 3/4 */
        {"dense", 4, 2, MASK_BLOCKS, "\u2593\u2592\n"},
        {"dense:causal=0", 4, 2, MASK_BLOCKS, "\u2588\u2588\n"},
        {"dense", 2, 8, MASK_COLOUR, "\033[38;5;220m\033[48;5;220m\u2580\033[38;5;235m\u2580\033[0m\n"},
        {"dense", 1, 8, MASK_COLOUR, "\033[38;5;220m\u2580\033[0m\n"},
    };
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        char *text = printed(cases[k].spec, cases[k].n, cases[k].most, cases[k].style);
        cr_assert(strcmp(text, cases[k].expected) == 0, "case %zu: %s", k, text);
        free(text);
    }
}

Test(mask, greys_are_monotone_and_every_pair_shows)
{
    cr_assert(image_grey(0) == 255 && image_grey(1) == 0, "%d %d", image_grey(0), image_grey(1));
    cr_assert(image_grey(1e-9) < 230, "%d", image_grey(1e-9));
    for (int k = 1; k < 1000; k++)
        cr_assert(image_grey(k / 1000.0) <= image_grey((k - 1) / 1000.0), "at %d", k);
}

Test(mask, png_decodes_to_the_mask)
{
    for (size_t s = 0; s < SPECS; s++) {
        size_t nq = 12, nk = 30, scale = 3;
        attn_layout *layout = layout_of(specs[s], nq, nk);
        mask_grid g;
        attn_error err;
        cr_assert(mask_grid_create(&g, layout, 0, 64, &err) == ATTN_OK, "%s", err.message);
        char *file;
        size_t size;
        FILE *f = open_memstream(&file, &size);
        cr_assert(image_png(f, &g, scale, &err) == ATTN_OK, "%s", err.message);
        fclose(f);
        png_image image = {.version = PNG_IMAGE_VERSION};
        cr_assert(png_image_begin_read_from_memory(&image, file, size), "%s", image.message);
        image.format = PNG_FORMAT_GRAY;
        cr_assert(image.width == nk * scale && image.height == nq * scale, "%u x %u", image.width,
                  image.height);
        unsigned char *pixels = malloc(PNG_IMAGE_SIZE(image));
        cr_assert(png_image_finish_read(&image, NULL, pixels, 0, NULL), "%s", image.message);
        for (size_t y = 0; y < image.height; y++)
            for (size_t x = 0; x < image.width; x++)
                cr_assert(pixels[y * image.width + x] ==
                              (attn_layout_allows(layout, 0, y / scale, x / scale) ? 0 : 255),
                          "%s pixel %zu,%zu is %d", specs[s], x, y, pixels[y * image.width + x]);
        free(pixels);
        free(file);
        mask_grid_destroy(&g);
        attn_layout_destroy(layout);
    }
}

/* The rectangles of each path, painted on a grid. */
Test(mask, svg_paints_the_mask_once)
{
    for (size_t s = 0; s < SPECS; s++) {
        enum { NQ = 12, NK = 30 };
        attn_layout *layout = layout_of(specs[s], NQ, NK);
        mask_grid g;
        attn_error err;
        cr_assert(mask_grid_create(&g, layout, 0, 64, &err) == ATTN_OK, "%s", err.message);
        char *file;
        size_t size;
        FILE *f = open_memstream(&file, &size);
        cr_assert(image_svg(f, &g, "a<b & c>d", "what it is", &err) == ATTN_OK, "%s", err.message);
        fclose(f);
        cr_assert(strstr(file, "<title id=\"title\">a&lt;b &amp; c&gt;d</title>"), "no title");
        cr_assert(strstr(file, "<desc id=\"desc\">what it is</desc>"), "no description");
        cr_assert(strstr(file, ">key j<") && strstr(file, ">query i<"), "no labels");
        int painted[NQ][NK] = {{0}};
        const char *path = strstr(file, " d=\"M");
        cr_assert(path || !attn_layout_pairs(layout, 0), "%s: no path", specs[s]);
        unsigned long x, y, w, h;
        int used;
        for (path = path ? path + 4 : "";
             sscanf(path, "M%lu %luh%luv%luh-%*uz%n", &x, &y, &w, &h, &used) == 4; path += used)
            for (size_t r = y; r < y + h; r++)
                for (size_t c = x; c < x + w; c++) {
                    cr_assert(r < NQ && c < NK, "%s: %zu,%zu is outside", specs[s], r, c);
                    painted[r][c]++;
                }
        for (size_t r = 0; r < NQ; r++)
            for (size_t c = 0; c < NK; c++)
                cr_assert(painted[r][c] == attn_layout_allows(layout, 0, r, c),
                          "%s: pair %zu,%zu painted %d times", specs[s], r, c, painted[r][c]);
        free(file);
        mask_grid_destroy(&g);
        attn_layout_destroy(layout);
    }
}
