/* Grids in a terminal. A character is about twice as high as wide, so a line of half blocks shows two rows of
 * square cells: the upper row as the foreground of U+2580, the lower as the background. */
#include "harness/mask.h"

/* Indices of the 256-colour palette from "no pair" to "all pairs", dark to light and blue to yellow, so that
 * the order survives colour blindness and grey print. The first is for fraction 0 alone. */
static const int ramp[] = {235, 54, 60, 66, 72, 77, 113, 149, 220};
enum { LEVELS = sizeof ramp / sizeof *ramp };

/* 0 for no pair, LEVELS - 1 for all, between them evenly. */
static int level(double fraction, int levels)
{
    if (fraction <= 0)
        return 0;
    if (fraction >= 1)
        return levels - 1;
    return 1 + (int)(fraction * (levels - 2));
}

/* The cell below the last row is empty. */
static double cell(const mask_grid *g, size_t row, size_t column)
{
    return row < g->rows ? mask_fraction(g, row, column) : 0;
}

/* Two cells, one above the other, as one. */
static double both(const mask_grid *g, size_t row, size_t column)
{
    return row + 1 < g->rows ? (cell(g, row, column) + cell(g, row + 1, column)) / 2 : cell(g, row, column);
}

static void print_ascii(FILE *out, const mask_grid *g)
{
    size_t rows = g->cell == 1 ? 1 : 2;
    for (size_t r = 0; r < g->rows; r += rows) {
        for (size_t c = 0; c < g->columns; c++)
            fputc(".:+#"[level(rows == 1 ? cell(g, r, c) : both(g, r, c), 4)], out);
        fputc('\n', out);
    }
}

static void print_blocks(FILE *out, const mask_grid *g)
{
    static const char *const halves[] = {" ", "\u2580", "\u2584", "\u2588"}; /* bit 0: upper, bit 1: lower */
    static const char *const shades[] = {" ", "\u2591", "\u2592", "\u2593", "\u2588"};
    for (size_t r = 0; r < g->rows; r += 2) {
        for (size_t c = 0; c < g->columns; c++)
            fputs(g->cell == 1 ? halves[(cell(g, r, c) > 0) + 2 * (cell(g, r + 1, c) > 0)]
                               : shades[level(both(g, r, c), 5)], out);
        fputc('\n', out);
    }
}

static void print_colour(FILE *out, const mask_grid *g)
{
    for (size_t r = 0; r < g->rows; r += 2) {
        int foreground = -1, background = 0; /* 0: the terminal's own */
        for (size_t c = 0; c < g->columns; c++) {
            int upper = ramp[level(cell(g, r, c), LEVELS)];
            int lower = r + 1 < g->rows ? ramp[level(cell(g, r + 1, c), LEVELS)] : 0;
            if (upper != foreground)
                fprintf(out, "\033[38;5;%dm", upper);
            if (lower != background)
                fprintf(out, lower ? "\033[48;5;%dm" : "\033[49m", lower);
            foreground = upper;
            background = lower;
            fputs("\u2580", out);
        }
        fputs("\033[0m\n", out);
    }
}

void mask_print(FILE *out, const mask_grid *grid, mask_style style)
{
    static void (*const printers[])(FILE *, const mask_grid *) = {
        [MASK_ASCII] = print_ascii, [MASK_BLOCKS] = print_blocks, [MASK_COLOUR] = print_colour};
    printers[style](out, grid);
}
