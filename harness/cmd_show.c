/* show: the mask of a pattern, in the terminal or as a file. */
#include <langinfo.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/outfile.h"
#include "harness/cli.h"
#include "harness/image.h"
#include "harness/mask_export.h"
#include "harness/overlay.h"
#include "harness/slow_rows.h"

enum {
    DEFAULT_WIDTH = 80,   /* of what is no terminal */
    SHORTEST = 64,        /* cells shown even in a low terminal */
    SVG_CELLS = 512,      /* a side; more only makes the file large */
    TITLE = 1024
};
static const uint64_t MOST_BYTES = UINT64_C(1) << 30; /* of a file that holds every pair */

static const option options[] = {
    {"n", OPTION_SIZE, "N", "sequence length", "64", 1, ATTN_MAX_N, NULL, false},
    {"nq", OPTION_SIZE, "NQ", "query rows, the last of the sequence (default: N)", NULL, 1, ATTN_MAX_N, NULL,
     false},
    {"heads", OPTION_SIZE, "H", "query heads", "8", 1, 65536, NULL, false},
    {"head", OPTION_SIZE, "G", "the head shown, from 0; for patterns whose heads differ", "0", 0, 65535, NULL,
     false},
    {"grid", OPTION_FLAG, NULL, "all heads that differ, side by side: in the terminal, with --png and --svg", NULL, 0, 0, NULL, false},
    {"hops", OPTION_SIZE, "H", "what H steps through SPEC reach, or through the layers of layers(A, B)", NULL, 1, 1024, NULL, false},
    {"rows", OPTION_TEXT, "A:B", "only query rows A to B-1 (A: and :B leave one end)", NULL, 0, 0, NULL, false},
    {"cols", OPTION_TEXT, "C:D", "only keys C to D-1", NULL, 0, 0, NULL, false},
    {"width", OPTION_SIZE, "CELLS", "widest picture in the terminal (default: what fits)", NULL, 1, 1024,
     NULL, false},
    {"png", OPTION_TEXT, "FILE", "write a PNG", NULL, 0, 0, NULL, false},
    {"pixels", OPTION_SIZE, "P", "longest side of the PNG", "1024", 1, 16384, NULL, false},
    {"svg", OPTION_TEXT, "FILE", "write an SVG", NULL, 0, 0, NULL, false},
    {"pbm", OPTION_TEXT, "FILE", "write a bitmap of all pairs shown (PBM)", NULL, 0, 0, NULL, false},
    {"npy", OPTION_TEXT, "FILE", "write all pairs shown as a NumPy array, bool [rows,keys]", NULL, 0, 0, NULL, false},
    {"csr", OPTION_TEXT, "PREFIX", "write PREFIX.indptr.npy and PREFIX.indices.npy: the keys of every row shown", NULL, 0, 0, NULL, false},
    {"flex", OPTION_TEXT, "PREFIX", "write a block mask as FlexAttention has it: PREFIX.kv_num_blocks.npy, PREFIX.kv_indices.npy (blocks with some "
     "pairs), and the same with full_ (with all); all heads that differ", NULL, 0, 0, NULL, false},
    {"block", OPTION_SIZE, "B", "queries and keys of a block, for --flex", "128", 1, ATTN_MAX_N, NULL, false},
    {0},
};

typedef struct subject {
    attn_layout *layout;
    size_t head, pixels, block;
    bool grid;          /* all heads */
    mask_window window; /* what is shown */
    char title[TITLE], caption[TITLE];
} subject;

/* ---- files ---- */

static attn_status write_png(FILE *out, const subject *s, attn_error *err)
{
    mask_grid grid;
    attn_status status = mask_grid_cut(&grid, s->layout, s->head, &s->window, s->pixels, err);
    if (status != ATTN_OK)
        return status;
    size_t longer = grid.rows > grid.columns ? grid.rows : grid.columns;
    status = image_png(out, &grid, s->pixels / longer, err);
    mask_grid_destroy(&grid);
    return status;
}

static attn_status write_svg(FILE *out, const subject *s, attn_error *err)
{
    mask_grid grid;
    attn_status status = mask_grid_cut(&grid, s->layout, s->head, &s->window, SVG_CELLS, err);
    if (status != ATTN_OK)
        return status;
    status = image_svg(out, &grid, s->title, s->caption, err);
    mask_grid_destroy(&grid);
    return status;
}

static attn_status write_pbm(FILE *out, const subject *s, attn_error *err)
{
    return image_pbm(out, s->layout, s->head, &s->window, err);
}

static attn_status write_npy(FILE *out, const subject *s, attn_error *err)
{
    return image_npy(out, s->layout, s->head, &s->window, err);
}

static attn_status write_indptr(FILE *out, const subject *s, attn_error *err)
{
    return mask_write_indptr(out, s->layout, s->head, &s->window, err);
}

static attn_status write_indices(FILE *out, const subject *s, attn_error *err)
{
    return mask_write_indices(out, s->layout, s->head, &s->window, err);
}

static attn_status write_counts(FILE *out, const subject *s, attn_error *err)
{
    return mask_write_block_counts(out, s->layout, s->block, false, err);
}

static attn_status write_blocks(FILE *out, const subject *s, attn_error *err)
{
    return mask_write_block_indices(out, s->layout, s->block, false, err);
}

static attn_status write_full_counts(FILE *out, const subject *s, attn_error *err)
{
    return mask_write_block_counts(out, s->layout, s->block, true, err);
}

static attn_status write_full_blocks(FILE *out, const subject *s, attn_error *err)
{
    return mask_write_block_indices(out, s->layout, s->block, true, err);
}

static const struct format {
    const char *option;
    attn_status (*write)(FILE *out, const subject *s, attn_error *err);
    unsigned pairs_per_byte; /* of a format that holds every pair; 0: it does not */
    bool binary;
    const char *ending; /* of one of several files, behind what the option says; else NULL */
} formats[] = {{"png", write_png, 0, true, NULL},
               {"svg", write_svg, 0, false, NULL},
               {"pbm", write_pbm, 8, true, NULL},
               {"npy", write_npy, 1, true, NULL},
               {"csr", write_indptr, 0, true, ".indptr.npy"},
               {"csr", write_indices, 0, true, ".indices.npy"},
               {"flex", write_counts, 0, true, ".kv_num_blocks.npy"},
               {"flex", write_blocks, 0, true, ".kv_indices.npy"},
               {"flex", write_full_counts, 0, true, ".full_kv_num_blocks.npy"},
               {"flex", write_full_blocks, 0, true, ".full_kv_indices.npy"}};
enum { FORMATS = sizeof formats / sizeof *formats };

/* Whether all files asked for can be written as asked. */
static attn_status check_files(const args *a, const subject *s, size_t *count, attn_error *err)
{
    size_t to_stdout = 0;
    *count = 0;
    for (size_t f = 0; f < FORMATS; f++) {
        const char *path = cli_text(a, formats[f].option);
        if (!path)
            continue;
        ++*count;
        uint64_t nq = s->window.row_end - s->window.row, nk = s->window.key_end - s->window.key,
                 per_byte = formats[f].pairs_per_byte;
        if (per_byte && nq * ((nk + per_byte - 1) / per_byte) > MOST_BYTES)
            return attn_fail(err, ATTN_EINVAL,
                             "--%s: all %llu x %llu pairs make more than %llu MiB; use a smaller -n or "
                             "--rows and --cols, or --png, which takes any",
                             formats[f].option, (unsigned long long)nq, (unsigned long long)nk,
                             (unsigned long long)(MOST_BYTES >> 20));
        if (formats[f].ending && (!*path || strcmp(path, "-") == 0))
            return attn_fail(err, ATTN_EINVAL, "--%s %s makes several files: give what their names begin with", formats[f].option, path);
        if (strcmp(path, "-") != 0)
            continue;
        if (++to_stdout > 1)
            return attn_fail(err, ATTN_EINVAL, "--%s -: only one file can go to standard output",
                             formats[f].option);
        if (formats[f].binary && isatty(STDOUT_FILENO))
            return attn_fail(err, ATTN_EINVAL, "--%s -: standard output is a terminal; redirect it to a file",
                             formats[f].option);
    }
    return ATTN_OK;
}

/* All of them are written before the first replaces anything. */
static attn_status write_files(const args *a, const subject *s, attn_error *err)
{
    outfile files[FORMATS] = {{0}};
    char names[FORMATS][4096];
    attn_status status = ATTN_OK;
    for (size_t f = 0; f < FORMATS && status == ATTN_OK; f++) {
        const char *path = cli_text(a, formats[f].option);
        if (!path)
            continue;
        const int length = snprintf(names[f], sizeof names[f], "%s%s", path, formats[f].ending ? formats[f].ending : "");
        status = length < (int)sizeof names[f] ? outfile_open(&files[f], names[f], err)
                                               : attn_fail(err, ATTN_EINVAL, "--%s %.60s...: too long", formats[f].option, path);
    }
    for (size_t f = 0; f < FORMATS && status == ATTN_OK; f++) {
        if (files[f].stream)
            status = formats[f].write(files[f].stream, s, err);
        if (status == ATTN_OK)
            status = outfile_finish(&files[f], err);
    }
    for (size_t f = 0; f < FORMATS && status == ATTN_OK; f++)
        status = outfile_commit(&files[f], err);
    for (size_t f = 0; f < FORMATS; f++)
        outfile_discard(&files[f]);
    return status;
}

/* ---- the terminal ---- */

static bool locale_is_utf8(void)
{
    locale_t locale = newlocale(LC_CTYPE_MASK, "", (locale_t)0);
    if (!locale)
        return false;
    bool utf8 = strcmp(nl_langinfo_l(CODESET, locale), "UTF-8") == 0;
    freelocale(locale);
    return utf8;
}

/* Cells that fit: across, and down with two cells a line (leaving room for the caption and a prompt). */
static size_t cells_that_fit(void)
{
    struct winsize size;
    if (isatty(STDOUT_FILENO) && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
        size_t down = size.ws_row > 4 ? 2 * ((size_t)size.ws_row - 4) : 0;
        down = down < SHORTEST ? SHORTEST : down;
        return size.ws_col < down ? size.ws_col : down;
    }
    return DEFAULT_WIDTH;
}

static mask_style print_style(void)
{
    return !locale_is_utf8() ? MASK_ASCII : cli_colour(stdout) ? MASK_COLOUR : MASK_BLOCKS;
}

static attn_status print_picture(const args *a, const subject *s, attn_error *err)
{
    size_t most = cli_given(a, "width") ? cli_size(a, "width") : cells_that_fit();
    mask_grid grid;
    attn_status status = mask_grid_cut(&grid, s->layout, s->head, &s->window, most, err);
    if (status != ATTN_OK)
        return status;
    mask_print(stdout, &grid, print_style());
    printf("%s: %s", s->title, s->caption);
    if (grid.cell > 1)
        printf("; a cell is %zu x %zu pairs", grid.cell, grid.cell);
    putchar('\n');
    mask_grid_destroy(&grid);
    return ATTN_OK;
}

/* ---- heads side by side ---- */

static int show_grid(const args *a, const subject *s)
{
    static const char *const others[] = {"head", "pbm", "npy", "csr", "flex"};
    const size_t differ = attn_layout_distinct_heads(s->layout), heads = attn_layout_heads(s->layout), count = differ < heads ? differ : heads;
    const char *png = cli_text(a, "png"), *svg = cli_text(a, "svg");
    for (size_t k = 0; k < sizeof others / sizeof others[0]; k++)
        if (cli_given(a, others[k]))
            return cli_complain(EXIT_INPUT, "--%s is about one head, or has them all already: leave out --grid", others[k]);
    if (png && svg)
        return cli_complain(EXIT_INPUT, "--grid makes one file at a time: --png or --svg");
    const size_t width = cli_given(a, "width") ? cli_size(a, "width") : cells_that_fit();
    const size_t across = png || svg ? sheet_across(count) : sheet_across_within(count, width);
    const size_t room = png ? s->pixels : svg ? SVG_CELLS : width - SHEET_GAP * (across - 1 < width / SHEET_GAP ? across - 1 : 0);
    attn_error err;
    sheet all;
    outfile file = {0};
    attn_status status = sheet_create(&all, s->layout, &s->window, across, room / across, &err);
    if (status != ATTN_OK)
        return cli_fail(status, &err);
    char caption[TITLE];
    snprintf(caption, sizeof caption, "%zu head%s that differ%s", count, count == 1 ? "" : "s", count == 1 ? "s" : "");
    if (!png && !svg) {
        sheet_print(stdout, &all, print_style());
        printf("%s: %s", s->title, caption);
        if (all.panels[0].cell > 1)
            printf("; a cell is %zu x %zu pairs", all.panels[0].cell, all.panels[0].cell);
        putchar('\n');
    } else {
        status = outfile_open(&file, png ? png : svg, &err);
        if (status == ATTN_OK)
            status = png ? image_png_sheet(file.stream, &all, s->pixels, &err) : image_svg_sheet(file.stream, &all, s->title, caption, &err);
        if (status == ATTN_OK)
            status = outfile_commit(&file, &err);
        outfile_discard(&file);
    }
    sheet_destroy(&all);
    return status == ATTN_OK ? EXIT_FINE : cli_fail(status, &err);
}

/* ---- the command ---- */

/* A:B, A: or :B of a side of `size`, into [*begin, *end); as it stands when not given. */
static attn_status take_range(const args *a, const char *name, size_t size, size_t *begin, size_t *end,
                              attn_error *err)
{
    const char *text = cli_text(a, name), *colon = text ? strchr(text, ':') : NULL;
    if (!text)
        return ATTN_OK;
    char first[32] = "";
    size_t length = colon ? (size_t)(colon - text) : sizeof first;
    if (length < sizeof first)
        memcpy(first, text, length);
    bool fine = length < sizeof first && (!*first || cli_parse_size(first, begin)) &&
                (!colon[1] || cli_parse_size(colon + 1, end));
    if (!fine || *begin >= *end || *end > size)
        return attn_fail(err, ATTN_EINVAL, "--%s %.60s is no range A:B with A < B <= %zu", name, text, size);
    return ATTN_OK;
}

/* The pairs of the window, and what it is. */
static attn_status describe_window(subject *s, attn_error *err)
{
    const mask_window *w = &s->window;
    mask_grid one; /* a single cell */
    size_t rows = w->row_end - w->row, keys = w->key_end - w->key;
    attn_status status = mask_grid_cut(&one, s->layout, s->head, w, 1, err);
    if (status != ATTN_OK)
        return status;
    uint64_t pairs = one.pairs[0];
    mask_grid_destroy(&one);
    snprintf(s->caption, sizeof s->caption, "rows %zu:%zu, keys %zu:%zu: %llu pairs, %.3g%% of %.0f", w->row,
             w->row_end, w->key, w->key_end, (unsigned long long)pairs,
             100 * (double)pairs / ((double)rows * (double)keys), (double)rows * (double)keys);
    return ATTN_OK;
}

/* "488 pairs, 23.5% of the causal 2080 (11.9% of all 4096)" */
static void describe(subject *s)
{
    uint64_t nq = attn_layout_nq(s->layout), nk = attn_layout_nk(s->layout);
    uint64_t pairs = attn_layout_pairs(s->layout, s->head);
    /* Row r sees at most r + nk - nq + 1 keys. */
    uint64_t rows = nq < nk ? nq : nk, causal = rows * nk - rows * (rows - 1) / 2;
    int used = snprintf(s->title, sizeof s->title, "%s, n=%llu", attn_layout_text(s->layout),
                        (unsigned long long)nk);
    if (nq != nk && used > 0 && (size_t)used < sizeof s->title)
        used +=
            snprintf(s->title + used, sizeof s->title - (size_t)used, ", nq=%llu", (unsigned long long)nq);
    if (!s->grid && attn_layout_distinct_heads(s->layout) > 1 && used > 0 && (size_t)used < sizeof s->title)
        snprintf(s->title + used, sizeof s->title - (size_t)used, ", head %zu", s->head);
    double all = (double)nq * (double)nk;
    used = snprintf(s->caption, sizeof s->caption, "%llu pairs, ", (unsigned long long)pairs);
    if (attn_layout_causal(s->layout))
        snprintf(s->caption + used, sizeof s->caption - (size_t)used,
                 "%.3g%% of the causal %llu (%.3g%% of all %.0f)", 100 * (double)pairs / (double)causal,
                 (unsigned long long)causal, 100 * (double)pairs / all, all);
    else
        snprintf(s->caption + used, sizeof s->caption - (size_t)used, "%.3g%% of all %.0f",
                 100 * (double)pairs / all, all);
}

/* Two specs, one over the other. */
static int show_two(const args *a, const char *const *operands)
{
    static const char *const others[] = {"pbm", "npy", "csr", "flex", "rows", "cols", "hops", "grid"};
    const size_t n = cli_size(a, "n"), nq = cli_given(a, "nq") ? cli_size(a, "nq") : n;
    const char *svg = cli_text(a, "svg"), *png = cli_text(a, "png");
    const size_t room = cli_given(a, "width") ? cli_size(a, "width") : cells_that_fit();
    attn_error err;
    overlay o;
    outfile file = {0};
    for (size_t k = 0; k < sizeof others / sizeof others[0]; k++)
        if (cli_given(a, others[k]))
            return cli_complain(EXIT_INPUT, "--%s goes with one pattern; two are shown in the terminal or with --png or --svg", others[k]);
    if (png && svg)
        return cli_complain(EXIT_INPUT, "two patterns make one file at a time: --png or --svg");
    if (cli_size(a, "head") >= cli_size(a, "heads"))
        return cli_complain(EXIT_INPUT, "--head %zu: there are %zu heads", cli_size(a, "head"), cli_size(a, "heads"));
    attn_status status = overlay_create(&o, operands[0], operands[1], nq, n, cli_size(a, "heads"), cli_size(a, "head"),
                                        png ? cli_size(a, "pixels") : svg ? SVG_CELLS : room, &err);
    if (status != ATTN_OK)
        return cli_fail(status, &err);
    if (!svg && !png) {
        overlay_print(stdout, &o, locale_is_utf8(), cli_colour(stdout));
    } else {
        status = outfile_open(&file, png ? png : svg, &err);
        if (status == ATTN_OK)
            status = png ? overlay_png(file.stream, &o, cli_size(a, "pixels"), &err) : overlay_svg(file.stream, &o, &err);
        if (status == ATTN_OK)
            status = outfile_commit(&file, &err);
        outfile_discard(&file);
    }
    overlay_destroy(&o);
    return status == ATTN_OK ? EXIT_FINE : cli_fail(status, &err);
}

static int run(const args *a)
{
    const char *const *operands;
    if (cli_operands(a, &operands) == 2)
        return show_two(a, operands);
    size_t n = cli_size(a, "n"), nq = cli_given(a, "nq") ? cli_size(a, "nq") : n;
    size_t heads = cli_size(a, "heads");
    subject s = {.head = cli_size(a, "head"), .pixels = cli_size(a, "pixels"), .block = cli_size(a, "block"),
                 .grid = cli_given(a, "grid")};
    if (s.head >= heads)
        return cli_complain(EXIT_INPUT, "--head %zu: there are %zu heads, 0 to %zu; --heads sets how many",
                            s.head, heads, heads - 1);
    attn_error err;
    attn_spec *spec = NULL;
    char *stepped = NULL;
    attn_status status = ATTN_OK;
    if (cli_given(a, "hops") && asprintf(&stepped, "hops(%s, %zu)", operands[0], cli_size(a, "hops")) < 0)
        status = attn_fail(&err, ATTN_ENOMEM, "out of memory");
    if (status == ATTN_OK)
        status = attn_spec_parse(&spec, stepped ? stepped : operands[0], &err);
    free(stepped);
    if (status == ATTN_OK)
        status = attn_layout_create(&s.layout, spec, nq, n, heads, &err);
    size_t files = 0;
    if (status == ATTN_OK) {
        slow_rows_say(s.layout);
        describe(&s);
        s.window = mask_whole(s.layout);
        status = take_range(a, "rows", nq, &s.window.row, &s.window.row_end, &err);
    }
    if (status == ATTN_OK)
        status = take_range(a, "cols", n, &s.window.key, &s.window.key_end, &err);
    if (status == ATTN_OK && (cli_given(a, "rows") || cli_given(a, "cols")))
        status = describe_window(&s, &err);
    if (status == ATTN_OK && cli_text(a, "flex") && (cli_given(a, "rows") || cli_given(a, "cols")))
        status = attn_fail(&err, ATTN_EINVAL, "--flex writes whole masks: leave out --rows and --cols");
    if (status == ATTN_OK)
        status = check_files(a, &s, &files, &err);
    if (status == ATTN_OK && s.grid) {
        const int code = show_grid(a, &s);
        attn_layout_destroy(s.layout);
        attn_spec_destroy(spec);
        return code;
    }
    if (status == ATTN_OK)
        status = files ? write_files(a, &s, &err) : print_picture(a, &s, &err);
    attn_layout_destroy(s.layout);
    attn_spec_destroy(spec);
    return status == ATTN_OK ? EXIT_FINE : cli_fail(status, &err);
}

const command cmd_show = {
    .name = "show",
    .operands = "SPEC [SPEC]",
    .min_operands = 1,
    .max_operands = 2,
    .summary = "the mask of a pattern: in the terminal, or as PNG, SVG, PBM or NPY",
    .details =
        "Queries go down, keys go right. A picture smaller than the mask shows in each cell the exact "
        "fraction of its pairs that are allowed, linearly from a light grey for the first pair to black (white: none). Half-block characters need a UTF-8 locale; without one "
        "'#' is allowed and '.' is not. --rows and --cols cut out a part, in the terminal and in every file. "
        "A FILE of - is standard output. --hops 2 shows hops(SPEC, 2), --grid all heads of a pattern that differ.\n"
        "\n"
        "Two specs are shown over each other, in the terminal or with --png or --svg: what only the first has, only the second, both.\n"
        "\n"
        "What --npy, --pbm, --csr and --flex write can be used as a pattern: mask:\"FILE.npy\", mask:\"FILE.pbm\", "
        "mask:\"PREFIX.indptr.npy\", mask:\"PREFIX.kv_num_blocks.npy\",block=128. So can a PNG with a pixel for every pair, as --png with "
        "--pixels N writes it, and BSR as scipy.sparse keeps it.",
    .options = options,
    .run = run,
};
