/* attnlab show: pictures against the definition, files that can be read back, and refusals. */
#include <criterion/criterion.h>

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "attn/layout.h"
#include "base/npy.h"
#include "harness/cli.h"
#include "support/program.h"

static attn_layout *layout_of(const char *text, size_t nq, size_t nk)
{
    attn_spec *spec;
    attn_layout *layout;
    attn_error err;
    cr_assert(attn_spec_parse(&spec, text, &err) == ATTN_OK, "%s", err.message);
    cr_assert(attn_layout_create(&layout, spec, nq, nk, 8, &err) == ATTN_OK, "%s", err.message);
    attn_spec_destroy(spec);
    return layout;
}

Test(cli_show, ascii_is_the_mask)
{
    static const char *const specs[] = {"dense", "local:k=2", "strided:l=4", "fixed:l=5,c=2",
                                        "strided:l=3,causal=0"};
    static const size_t shapes[][2] = {{1, 1}, {13, 13}, {5, 20}, {20, 5}, {64, 64}};
    for (size_t s = 0; s < sizeof specs / sizeof *specs; s++)
        for (size_t z = 0; z < sizeof shapes / sizeof *shapes; z++) {
            size_t nq = shapes[z][0], nk = shapes[z][1];
            outcome o = shell("LC_ALL=C $ATTNLAB show %s -n %zu --nq %zu", specs[s], nk, nq);
            cr_assert(o.exit_code == 0 && !*o.err, "%s: exit %d: %s", specs[s], o.exit_code, o.err);
            attn_layout *layout = layout_of(specs[s], nq, nk);
            const char *at = o.out;
            for (size_t r = 0; r < nq; r++, at++) {
                for (size_t j = 0; j < nk; j++, at++)
                    cr_assert(*at == (attn_layout_allows(layout, 0, r, j) ? '#' : '.'),
                              "%s nq=%zu n=%zu row %zu key %zu: "
                              "'%c'",
                              specs[s], nq, nk, r, j, *at);
                cr_assert(*at == '\n', "%s nq=%zu n=%zu row %zu does not end", specs[s], nq, nk, r);
            }
            char pairs[64];
            snprintf(pairs, sizeof pairs, ": %llu pairs", (unsigned long long)attn_layout_pairs(layout, 0));
            cr_assert(strstr(at, pairs) && strstr(at, attn_layout_text(layout)), "caption: %s", at);
            attn_layout_destroy(layout);
            outcome_free(&o);
        }
}

Test(cli_show, utf8_without_a_terminal_has_blocks_and_no_escapes)
{
    outcome o = shell("LC_ALL=C.UTF-8 $ATTNLAB show local:k=1 -n 3");
    cr_assert(strncmp(o.out, "\u2588\u2584 \n \u2580\u2580\nlocal:k=1, n=3: 5 pairs, 83.3%", 30) == 0, "%s",
              o.out);
    cr_assert(!strchr(o.out, '\033'), "escape sequences: %s", o.out);
    outcome_free(&o);
}

Test(cli_show, colour_only_on_terminals_that_want_it)
{
    static const struct {
        const char *environment;
        bool colour;
    } cases[] = {{"TERM=xterm", true},
                 {"TERM=xterm NO_COLOR=1", false},
                 {"TERM=dumb", false},
                 {"TERM=xterm NO_COLOR=", true}};
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        outcome o = shell("%s LC_ALL=C.UTF-8 script -qec \"$ATTNLAB show dense -n 4\" /dev/null </dev/null",
                          cases[k].environment);
        cr_assert(o.exit_code == 0 && strstr(o.out, "10 pairs"), "%s: exit %d: %s", cases[k].environment,
                  o.exit_code, o.err);
        cr_assert((strchr(o.out, '\033') != NULL) == cases[k].colour, "%s", cases[k].environment);
        outcome_free(&o);
    }
}

Test(cli_show, long_masks_are_scaled_to_fit)
{
    outcome o = shell("LC_ALL=C $ATTNLAB show dense -n 1m");
    cr_assert(o.exit_code == 0, "exit %d: %s", o.exit_code, o.err);
    cr_assert(strcspn(o.out, "\n") <= 80 && o.out[0] == '+', "%s", o.out);
    cr_assert(strstr(o.out, "549756338176 pairs, 100% of the causal 549756338176"), "%s", o.out);
    outcome_free(&o);
    o = shell("LC_ALL=C $ATTNLAB show dense -n 100 --width 100");
    cr_assert(strcspn(o.out, "\n") == 100, "%zu columns", strcspn(o.out, "\n"));
    outcome_free(&o);
}

Test(cli_show, npy_and_pbm_hold_every_pair)
{
    static const char *const specs[] = {"dense", "local:k=2,causal=0", "strided:l=4",
                                        "fixed:l=5,c=2,head=summary"};
    for (size_t s = 0; s < sizeof specs / sizeof *specs; s++) {
        size_t nq = 11, nk = 27;
        const char *npy = scratch_path("m.npy"), *pbm = scratch_path("m.pbm");
        outcome o = attnlab("show %s -n %zu --nq %zu --npy %s --pbm %s", specs[s], nk, nq, npy, pbm);
        cr_assert(o.exit_code == 0 && !*o.out && !*o.err, "exit %d: %s%s", o.exit_code, o.out, o.err);
        outcome_free(&o);
        attn_layout *layout = layout_of(specs[s], nq, nk);
        npy_reader *r;
        attn_error err;
        unsigned char keys[11 * 27];
        cr_assert(npy_open(&r, npy, &err) == ATTN_OK, "%s", err.message);
        const npy_shape *shape = npy_reader_shape(r);
        cr_assert(shape->type == NPY_BOOL && shape->rank == 2 && shape->size[0] == nq && shape->size[1] == nk,
                  "shape");
        cr_assert(npy_read(r, keys, nq * nk, &err) == ATTN_OK, "%s", err.message);
        npy_close(r);
        size_t size, stride = (nk + 7) / 8;
        char *bitmap = read_whole_file(pbm, &size);
        cr_assert(strncmp(bitmap, "P4\n27 11\n", 9) == 0 && size == 9 + nq * stride, "%zu bytes", size);
        for (size_t i = 0; i < nq; i++)
            for (size_t j = 0; j < nk; j++) {
                bool allowed = attn_layout_allows(layout, 0, i, j);
                cr_assert(keys[i * nk + j] == allowed, "%s npy %zu,%zu", specs[s], i, j);
                int bit = bitmap[9 + i * stride + j / 8] >> (7 - j % 8) & 1;
                cr_assert(bit == allowed, "%s pbm %zu,%zu", specs[s], i, j);
            }
        free(bitmap);
        attn_layout_destroy(layout);
    }
}

Test(cli_show, files_to_standard_output)
{
    outcome o = attnlab("show dense -n 9 --pbm -");
    cr_assert(o.exit_code == 0 && o.out_size == 7 + 9 * 2 && memcmp(o.out, "P4\n9 9\n", 7) == 0, "%zu bytes",
              o.out_size);
    outcome_free(&o);
    o = attnlab("show dense -n 9 --svg -");
    cr_assert(o.exit_code == 0 && strncmp(o.out, "<svg ", 5) == 0 && strstr(o.out, "</svg>\n"), "%.80s",
              o.out);
    outcome_free(&o);
    o = attnlab("show dense -n 9 --png -");
    cr_assert(o.exit_code == 0 && memcmp(o.out, "\x89PNG", 4) == 0, "%zu bytes", o.out_size);
    outcome_free(&o);
}

Test(cli_show, png_of_any_length)
{
    const char *path = scratch_path("long.png");
    outcome o = attnlab("show local:k=100 -n 300k --png %s --pixels 100", path);
    cr_assert(o.exit_code == 0, "exit %d: %s", o.exit_code, o.err);
    size_t size;
    char *file = read_whole_file(path, &size);
    cr_assert(size > 24 && file[19] <= 100 && file[23] <= 100, "%d x %d", file[19], file[23]);
    free(file);
    outcome_free(&o);
}

Test(cli_show, refusals)
{
    static const struct {
        const char *arguments, *word, *hint;
    } cases[] = {
        {"densse", "densse", "dense"},
        {"dense -n 0", "-n 0", "1"},
        {"dense -n 100m", "-n 100m", "16777216"},
        {"dense -n 64 --nq 0", "--nq 0", "1"},
        {"dense --head 8", "--head 8", "8 heads"},
        {"dense --rows 5", "--rows 5", "A:B"},
        {"dense --rows 5:5", "--rows 5:5", "A < B"},
        {"dense --rows 0:65", "--rows 0:65", "64"},
        {"dense --cols x:3", "--cols x:3", "A:B"},
        {"dense -n 64k --npy m.npy", "--npy", "1024 MiB"},
        {"dense -n 1m --pbm m.pbm", "--pbm", "1024 MiB"},
        {"dense --png none/m.png", "none", "does not exist"},
        {"dense --svg .", "folder", "file"},
        {"dense --svg - --pbm -", "-", "only one"},
        {"fixed:l=4,c=8 --png m.png", "c=8", "l=4"},
    };
    char folder[512];
    snprintf(folder, sizeof folder, "%s/work", scratch_folder());
    mkdir(folder, 0777);
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        outcome o = shell("cd %s && exec $ATTNLAB show %s", folder, cases[k].arguments);
        cr_assert(o.exit_code == EXIT_INPUT && one_complaint(&o, cases[k].word, cases[k].hint, NULL),
                  "%s: exit %d: %s", cases[k].arguments, o.exit_code, o.err);
        outcome_free(&o);
    }
    outcome o = shell("ls -A %s", folder);
    cr_assert(!*o.out, "left behind: %s", o.out);
    outcome_free(&o);
}

/* A part of the mask is that part of the whole, in text and in files, whatever the cells. */
Test(cli_show, cut_outs_are_parts_of_the_whole)
{
    static const char *const specs[] = {"strided:l=7", "fixed:l=9,c=2,causal=0", "local:k=3"};
    static const size_t windows[][4] = {{0, 40, 0, 50}, {3, 17, 5, 29}, {39, 40, 0, 50}, {0, 40, 49, 50}, {20, 33, 10, 11}};
    for (size_t s = 0; s < sizeof specs / sizeof *specs; s++)
        for (size_t w = 0; w < sizeof windows / sizeof *windows; w++) {
            size_t nq = 40, nk = 50, a = windows[w][0], b = windows[w][1], c = windows[w][2], d = windows[w][3];
            const char *pbm = scratch_path("part.pbm");
            attn_layout *layout = layout_of(specs[s], nq, nk);
            outcome o = shell("LC_ALL=C $ATTNLAB show %s -n 50 --nq 40 --rows %zu:%zu --cols %zu:%zu", specs[s], a, b, c,
                              d);
            cr_assert(o.exit_code == 0, "exit %d: %s", o.exit_code, o.err);
            const char *at = o.out;
            uint64_t pairs = 0;
            for (size_t r = a; r < b; r++, at++)
                for (size_t j = c; j < d; j++, at++) {
                    bool allowed = attn_layout_allows(layout, 0, r, j);
                    pairs += allowed;
                    cr_assert(*at == (allowed ? '#' : '.'), "%s %zu:%zu %zu:%zu row %zu key %zu", specs[s], a, b, c, d, r,
                              j);
                }
            char caption[100];
            snprintf(caption, sizeof caption, "rows %zu:%zu, keys %zu:%zu: %llu pairs", a, b, c, d,
                     (unsigned long long)pairs);
            cr_assert(strstr(at, caption), "%s", at);
            outcome_free(&o);
            o = attnlab("show %s -n 50 --nq 40 --rows %zu:%zu --cols %zu:%zu --pbm %s", specs[s], a, b, c, d, pbm);
            cr_assert(o.exit_code == 0, "exit %d: %s", o.exit_code, o.err);
            size_t size, stride = (d - c + 7) / 8, begin;
            char *bitmap = read_whole_file(pbm, &size);
            begin = size - (b - a) * stride;
            for (size_t r = a; r < b; r++)
                for (size_t j = c; j < d; j++) {
                    int bit = bitmap[begin + (r - a) * stride + (j - c) / 8] >> (7 - (j - c) % 8) & 1;
                    cr_assert(bit == attn_layout_allows(layout, 0, r, j), "pbm row %zu key %zu", r, j);
                }
            free(bitmap);
            attn_layout_destroy(layout);
            outcome_free(&o);
        }
    /* large cells: a million keys of a strided row, those that no cell boundary divides included */
    outcome o = shell("LC_ALL=C $ATTNLAB show strided:l=1k,head=column -n 1m --rows 500k:600k --cols 1:500k --width 7");
    cr_assert(o.exit_code == 0 && strstr(o.out, ": 51199900 pairs"), "%s%s", o.out, o.err);
    outcome_free(&o);
}

/* When one of several files fails, the others are not written either. */
Test(cli_show, all_files_or_none)
{
    outcome o = attnlab("show dense --svg %s --png %s/none/m.png", scratch_path("m.svg"), scratch_folder());
    cr_assert(o.exit_code == EXIT_INPUT && !file_exists(scratch_path("m.svg")), "exit %d", o.exit_code);
    outcome_free(&o);
    o = attnlab("show dense --svg %s --png /dev/full", scratch_path("m.svg"));
    cr_assert(o.exit_code == EXIT_MACHINE && one_complaint(&o, "/dev/full", NULL), "exit %d: %s", o.exit_code,
              o.err);
    cr_assert(!file_exists(scratch_path("m.svg")), "the other file was written");
    outcome_free(&o);
}

/* Two masks: letters where one alone has the pair, and the numbers that the three sets have. */
Test(cli_show, overlay)
{
    outcome o = shell("LC_ALL=C NO_COLOR=1 \"$ATTNLAB\" show 'local:k=2' 'strided:l=3,head=column' -n 9 2>&1");
    cr_assert(o.exit_code == 0, "%s", o.out);
    const char *line = o.out;
    for (long i = 0; i < 9; i++, line = strchr(line, '\n') + 1)
        for (long j = 0; j < 9; j++) {
            const bool local = j <= i && i - j <= 2, column = j <= i && (i - j) % 3 == 0;
            cr_assert(line[j] == (local && column ? '#' : local ? 'a' : column ? 'b' : '.'), "%ld,%ld is %c", i, j, line[j]);
        }
    cr_assert(strstr(line, "a only local:k=2: 15 pairs") && strstr(line, "b only strided:l=3,head=column: 9 pairs") && strstr(line, "# both: 9 pairs"), "%s", line);
    outcome_free(&o);
    o = attnlab("show dense local -n 64 --svg -");
    cr_assert(o.exit_code == 0 && strstr(o.out, "<svg") && strstr(o.out, "local:k=128 alone: 0 pairs") && strstr(o.out, "</svg>"), "%d %s", o.exit_code, o.err);
    outcome_free(&o);
    o = attnlab("show local:k=2 dense -n 64 --png %s --pixels 128", scratch_path("over.png"));
    cr_assert(o.exit_code == 0, "%s", o.err);
    outcome_free(&o);
    o = attnlab("show 'mask:\"%s\"' -n 128", scratch_path("over.png")); /* of colours */
    cr_assert(o.exit_code == 2 && one_complaint(&o, "over.png", NULL), "%d %s", o.exit_code, o.err);
    outcome_free(&o);
    o = attnlab("show dense local -n 64 --npy x.npy");
    cr_assert(o.exit_code == 2 && one_complaint(&o, "--npy goes with one pattern", NULL), "%d %s", o.exit_code, o.err);
    outcome_free(&o);
    o = attnlab("show dense nothing -n 64");
    cr_assert(o.exit_code == 2 && one_complaint(&o, "nothing", NULL), "%d %s", o.exit_code, o.err);
    outcome_free(&o);
}

Test(cli_show, hops)
{
    outcome a = attnlab("show 'layers(local:k=2, strided:l=5)' -n 30 --hops 3 --npy -"), b = attnlab("show 'hops(layers(local:k=2, strided:l=5), 3)' -n 30 --npy -");
    cr_assert(a.exit_code == 0 && b.exit_code == 0 && a.out_size == b.out_size && memcmp(a.out, b.out, a.out_size) == 0, "%s%s", a.err, b.err);
    outcome_free(&a);
    outcome_free(&b);
}

/* The first characters of a line of the output, from character `at` on. */
static bool line_has(const char *text, size_t line, size_t at, const char *word, size_t length)
{
    for (; line; line--) {
        const char *end = strchr(text, '\n');
        if (!end)
            return false;
        text = end + 1;
    }
    return strlen(text) >= at + length && strncmp(text + at, word, length) == 0;
}

/* Every panel is what --head shows: nine cells wide, a gap of two, two panels in a row, a line of names above. */
Test(cli_show, grid_of_heads)
{
    static const char *const spec = "heads(local:k=2, strided:l=3,head=column, dense)";
    outcome o = shell("LC_ALL=C \"$ATTNLAB\" show '%s' -n 9 --grid --width 80", spec);
    for (size_t h = 0; h < 3; h++) {
        outcome one = shell("LC_ALL=C \"$ATTNLAB\" show '%s' -n 9 --head %zu", spec, h);
        const size_t top = h / 2 * 11, left = h % 2 * 11;
        char name[16];
        snprintf(name, sizeof name, "head %zu", h);
        cr_assert(line_has(o.out, top, left, name, 6), "%s: %s", name, o.out);
        for (size_t row = 0; row < 9; row++)
            cr_assert(line_has(o.out, top + 1 + row, left, one.out + row * 10, 9), "head %zu, row %zu: %s%s", h, row, o.out, one.out);
        outcome_free(&one);
    }
    cr_assert(o.exit_code == 0 && strstr(o.out, "n=9: 3 heads that differ"), "%s", o.out);
    outcome_free(&o);
}

Test(cli_show, grid_as_files)
{
    static const char *const spec = "heads(local:k=2, strided:l=3,head=column, dense)";
    outcome o = attnlab("show '%s' -n 90 --grid --svg -", spec);
    size_t panels = 0;
    for (const char *at = o.out; (at = strstr(at, "\">head ")); at++)
        panels++;
    cr_assert(o.exit_code == 0 && panels == 3 && strstr(o.out, "head 2: 4095 pairs"), "%zu panels: %.300s", panels, o.out);
    outcome_free(&o);
    const char *path = scratch_path("grid.png");
    o = attnlab("show '%s' -n 90 --grid --png %s --pixels 500", spec, path);
    cr_assert(o.exit_code == 0 && file_exists(path), "%s", o.err);
    outcome_free(&o);
    static const struct { const char *arguments, *word; } refused[] = {
        {"dense --grid --head 1", "--head"}, {"dense --grid --npy x.npy", "--npy"}, {"dense local --grid", "--grid"},
        {"'expr:\"j >= h\"' --heads 65 --grid", "65 heads"}, {"dense --grid --png a.png --svg b.svg", "one file"}};
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        o = attnlab("show %s", refused[i].arguments);
        cr_assert(o.exit_code == 2 && one_complaint(&o, refused[i].word, NULL), "%s: exit %d: %s", refused[i].arguments, o.exit_code, o.err);
        outcome_free(&o);
    }
}
