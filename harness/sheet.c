/* Panels, and printing them side by side. See sheet.h. */
#define _GNU_SOURCE 1
#include "harness/sheet.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

size_t sheet_across(size_t count)
{
    return (size_t)ceil(sqrt((double)count));
}

size_t sheet_across_within(size_t count, size_t width)
{
    enum { LEAST = 16 };
    const size_t fit = (width + SHEET_GAP) / (LEAST + SHEET_GAP), square = sheet_across(count);
    return fit < 1 ? 1 : fit < square ? fit : square;
}

attn_status sheet_create(sheet *out, const attn_layout *layout, const mask_window *window, size_t across, size_t most, attn_error *err)
{
    const size_t differ = attn_layout_distinct_heads(layout), heads = attn_layout_heads(layout), count = differ < heads ? differ : heads;
    *out = (sheet){.across = across};
    if (count > SHEET_MOST)
        return attn_fail(err, ATTN_EINVAL, "%s has %zu heads that differ; a sheet has room for %d, and --head G shows one",
                         attn_layout_text(layout), count, SHEET_MOST);
    out->panels = calloc(count, sizeof *out->panels);
    out->pairs = calloc(count, sizeof *out->pairs);
    attn_status status = out->panels && out->pairs ? ATTN_OK : attn_fail(err, ATTN_ENOMEM, "out of memory for %zu pictures", count);
    for (size_t h = 0; h < count && status == ATTN_OK; h++) {
        mask_grid *g = &out->panels[h];
        status = mask_grid_cut(g, layout, h, window, most ? most : 1, err);
        if (status != ATTN_OK)
            break;
        out->count++;
        for (size_t c = 0; c < g->rows * g->columns; c++)
            out->pairs[h] += g->pairs[c];
    }
    if (status != ATTN_OK)
        sheet_destroy(out);
    return status;
}

void sheet_destroy(sheet *s)
{
    for (size_t h = 0; h < s->count; h++)
        mask_grid_destroy(&s->panels[h]);
    free(s->panels);
    free(s->pairs);
    *s = (sheet){0};
}

/* ---- the terminal ---- */

/* A panel's lines; the text is the caller's to free. NULL: out of memory. */
static char *lines_of(const mask_grid *g, mask_style style)
{
    char *text = NULL;
    size_t size = 0;
    FILE *memory = open_memstream(&text, &size);
    if (!memory)
        return NULL;
    mask_print(memory, g, style);
    fclose(memory);
    return text;
}

static void print_row(FILE *out, char *const *texts, size_t count)
{
    const char *at[SHEET_MOST] = {NULL};
    memcpy(at, texts, count * sizeof *at);
    while (at[0] && *at[0]) /* all panels have as many lines */
        for (size_t h = 0; h < count; h++) {
            const size_t length = strcspn(at[h], "\n");
            fwrite(at[h], 1, length, out);
            fputs(h + 1 < count ? "  " : "\n", out);
            at[h] += length + (at[h][length] == '\n');
        }
}

void sheet_print(FILE *out, const sheet *s, mask_style style)
{
    for (size_t first = 0; first < s->count; first += s->across) {
        const size_t count = s->count - first < s->across ? s->count - first : s->across;
        char *texts[SHEET_MOST] = {NULL};
        bool complete = true;
        const int width = (int)s->panels[0].columns;
        if (first)
            fputc('\n', out);
        for (size_t h = 0; h < count; h++) {
            char title[64];
            if (snprintf(title, sizeof title, "head %zu: %" PRIu64, first + h, s->pairs[first + h]) > width)
                snprintf(title, sizeof title, "head %zu", first + h);
            texts[h] = lines_of(&s->panels[first + h], style);
            complete = complete && texts[h];
            fprintf(out, "%-*.*s%s", width, width, title, h + 1 < count ? "  " : "\n");
        }
        if (complete)
            print_row(out, texts, count);
        for (size_t h = 0; h < count; h++)
            free(texts[h]);
    }
}
