/* Masks in files: what is exported comes back as the same pairs; examples run; what is wrong is said in a line. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "attn/layout.h"
#include "support/program.h"

static attn_layout *layout_of(const char *text, size_t n, size_t heads)
{
    attn_spec *spec;
    attn_layout *layout;
    attn_error err;
    cr_assert(attn_spec_parse(&spec, text, &err) == ATTN_OK && attn_layout_create(&layout, spec, n, n, heads, &err) == ATTN_OK, "%s: %s", text, err.message);
    attn_spec_destroy(spec);
    return layout;
}

static void expect_same(const char *a, const char *b, size_t n, size_t heads)
{
    attn_layout *x = layout_of(a, n, heads), *y = layout_of(b, n, heads);
    cr_assert(attn_layout_distinct_heads(x) == attn_layout_distinct_heads(y), "%s and %s: heads", a, b);
    for (size_t h = 0; h < heads; h++)
        for (size_t r = 0; r < n; r++)
            for (size_t j = 0; j < n; j++)
                cr_assert(attn_layout_allows(x, h, r, j) == attn_layout_allows(y, h, r, j), "%s and %s: head %zu row %zu key %zu", a, b, h, r, j);
    cr_assert(attn_layout_pairs_all_heads(x) == attn_layout_pairs_all_heads(y), "%s and %s: pairs", a, b);
    attn_layout_destroy(x);
    attn_layout_destroy(y);
}

static const char *const specs[] = {
    "dense", "local:k=9", "strided:l=7,causal=0", "fixed:l=16,c=3", "natten2d:w=9,causal=0", "expander:d=3", "local:k=0 - dense",
    "bigbird:b=8", "prefix:p=20,causal=0",
};

Test(cli_mask, round_trips, .timeout = 120)
{
    enum { N = 83 };
    for (size_t s = 0; s < sizeof specs / sizeof *specs; s++) {
        static const char *const files[] = {"m.npy", "m.pbm", "m.indptr.npy"};
        const char *folder = scratch_folder();
        outcome o = attnlab("show '%s' -n %d --npy %s/m.npy --pbm %s/m.pbm --csr %s/m", specs[s], N, folder, folder, folder);
        cr_assert(o.exit_code == 0, "%s: %s", specs[s], o.err);
        outcome_free(&o);
        for (size_t f = 0; f < 3; f++) {
            char text[400];
            snprintf(text, sizeof text, "mask:\"%s/%s\",causal=0", folder, files[f]);
            expect_same(text, specs[s], N, 1);
        }
    }
}

/* A pixel a pair, through the program that decodes pictures. */
Test(cli_mask, png, .timeout = 60)
{
    const char *folder = scratch_folder();
    for (size_t s = 0; s < sizeof specs / sizeof *specs; s++) {
        outcome o = shell("cd %s && \"$ATTNLAB\" show '%s' -n 83 --png m.png --pixels 83 && \"$ATTNLAB\" show '%s' -n 83 --pbm a.pbm && "
                          "\"$ATTNLAB\" show 'mask:\"m.png\",causal=0' -n 83 --pbm b.pbm && cmp a.pbm b.pbm", folder, specs[s], specs[s]);
        cr_assert(o.exit_code == 0, "%s: %s%s", specs[s], o.out, o.err);
        outcome_free(&o);
    }
}

/* Lists of blocks as scipy.sparse keeps them: the CSR of a mask of blocks is its BSR. */
Test(cli_mask, bsr, .timeout = 60)
{
    const char *folder = scratch_folder();
    outcome o = attnlab("show 'fixed:l=4,c=1' -n 13 --csr %s/b", folder);
    cr_assert(o.exit_code == 0, "%s", o.err);
    outcome_free(&o);
    char text[400];
    snprintf(text, sizeof text, "mask:\"%s/b.indptr.npy\",block=8", folder);
    expect_same(text, "blocks(fixed:l=4,c=1, 8)", 100, 1);
}

/* Block masks hold whole blocks: for patterns of blocks nothing is lost, and else A is what is left of it within A. */
Test(cli_mask, block_masks, .timeout = 120)
{
    enum { N = 100 };
    static const char *const blocky[] = {"blocks(fixed:l=3,c=1, 8)", "blocks(heads(local:k=1, strided:l=3), 8)", "dense:causal=0"};
    const char *folder = scratch_folder();
    char text[500];
    for (size_t s = 0; s < 3; s++) {
        outcome o = attnlab("show '%s' -n %d --flex %s/b --block 8", blocky[s], N, folder);
        cr_assert(o.exit_code == 0, "%s", o.err);
        outcome_free(&o);
        snprintf(text, sizeof text, "mask:\"%s/b.kv_num_blocks.npy\",block=8%s", folder, s == 2 ? ",causal=0" : "");
        expect_same(text, blocky[s], N, s == 1 ? 2 : 1);
    }
    for (size_t s = 0; s < sizeof specs / sizeof *specs; s++) {
        outcome o = attnlab("show '%s' -n %d --flex %s/b --block 16", specs[s], N, folder);
        cr_assert(o.exit_code == 0, "%s", o.err);
        outcome_free(&o);
        snprintf(text, sizeof text, "(%s) & mask:\"%s/b.kv_num_blocks.npy\",block=16,causal=0", specs[s], folder);
        expect_same(text, specs[s], N, 1);
    }
}

Test(cli_mask, heads_and_identity, .timeout = 60)
{
    const char *folder = scratch_folder();
    unsigned char mask[3 * 5 * 5] = {0};
    char path[300], text[400];
    for (size_t h = 0; h < 3; h++)
        for (size_t i = 0; i < 5; i++)
            mask[(h * 5 + i) * 5 + (i + h) % 5] = 1;
    snprintf(path, sizeof path, "%s/h.npy", folder);
    FILE *file = fopen(path, "wb");
    cr_assert(file, "cannot write");
    char header[128];
    const int length = snprintf(header, sizeof header, "{'descr': '|b1', 'fortran_order': False, 'shape': (3, 5, 5), }");
    fprintf(file, "\x93NUMPY\x01%c%c%c%-117s\n", 0, 118, 0, header);
    (void)length;
    fwrite(mask, 1, sizeof mask, file);
    fclose(file);
    snprintf(text, sizeof text, "mask:\"%s\",causal=0", path);
    attn_layout *l = layout_of(text, 5, 4);
    cr_assert(attn_layout_distinct_heads(l) == 3, "heads");
    for (size_t h = 0; h < 4; h++)
        for (size_t i = 0; i < 5; i++)
            for (size_t j = 0; j < 5; j++)
                cr_assert(attn_layout_allows(l, h, i, j) == (j == (i + h % 3) % 5), "head %zu row %zu key %zu", h, i, j);
    /* The resolved text is the same mask, and refuses another. */
    char resolved[500];
    snprintf(resolved, sizeof resolved, "%s", attn_layout_text(l));
    attn_layout_destroy(l);
    l = layout_of(resolved, 5, 4);
    attn_layout_destroy(l);
    file = fopen(path, "r+b");
    fseek(file, -1, SEEK_END);
    fputc(!mask[sizeof mask - 1], file);
    fclose(file);
    attn_spec *spec;
    attn_error err;
    cr_assert(attn_spec_parse(&spec, resolved, &err) == ATTN_OK, "%s", err.message);
    cr_assert(attn_layout_create(&l, spec, 5, 5, 4, &err) == ATTN_EINVAL && strstr(err.message, "holds other pairs"), "%s", err.message);
    attn_spec_destroy(spec);
}

Test(cli_mask, runs_and_is_right, .timeout = 120)
{
    const char *folder = scratch_folder();
    outcome o = attnlab("show 'expander:d=5' -n 150 --npy %s/e.npy", folder);
    outcome_free(&o);
    o = attnlab("run -p 'mask:\"%s/e.npy\"' -p 'heads(mask:\"%s/e.npy\", local:k=3)' -n 150 --heads 2 --metrics accuracy,flops --db %s/m.db -o jsonl", folder,
                folder, folder);
    cr_assert(o.exit_code == 0 && strstr(o.out, "\"pattern\": \"mask\"") && strstr(o.out, "id="), "exit %d: %s%s", o.exit_code, o.out, o.err);
    const char *error = strstr(o.out, "\"rel_err\": ");
    cr_assert(error && strtod(error + strlen("\"rel_err\": "), NULL) < 1e-6, "%s", o.out);
    outcome_free(&o);
    o = attnlab("analyze 'mask:\"%s/e.npy\"' -n 150 -o json", folder);
    cr_assert(o.exit_code == 0, "%s", o.err);
    outcome_free(&o);
}

Test(cli_mask, complaints, .timeout = 60)
{
    const char *folder = scratch_folder();
    outcome o = shell("cd %s; \"$ATTNLAB\" show dense -n 8 --npy d.npy --pbm d.pbm --csr c --flex f --block 4; head -c 12 d.pbm >short.pbm; \"$ATTNLAB\" show dense -n 8 --png d.png --pixels 64;"
                      " \"$ATTNLAB\" show local:k=3 -n 60 --png grey.png --pixels 20; head -c 70 d.png >cut.png; echo no picture >text.png; echo 'P1 2 2 0 1 2 0' >two.pbm;"
                      " printf 'P4 99999999999999999999 1 x' >huge.pbm; cp d.npy d.txt; head -c 100 d.npy >cut.npy; cp c.indptr.npy lonely.indptr.npy;"
                      " cp c.indptr.npy bad.indptr.npy; cp c.indptr.npy bad.indices.npy; cp f.kv_indices.npy odd.kv_num_blocks.npy; cp f.kv_indices.npy odd.kv_indices.npy",
                      folder);
    cr_assert(o.exit_code == 0, "%s", o.err);
    outcome_free(&o);
    static const struct { const char *file, *n, *says; } wrong[] = {
        {"d.npy", "9", "for n=8, and n is 9"}, {"d.pbm", "7", "for n=8"}, {"c.indptr.npy", "9", "has 8 rows"}, {"none.npy", "8", "none.npy"},
        {"d.txt", "8", "none of *.npy"}, {"d.png", "8", "has 64 x 64 pixels"},
        {"grey.png", "20", "neither black nor white"}, {"cut.png", "64", "cut.png"}, {"text.png", "8", "text.png"}, {"c.indptr.npy", "16", "has 8 rows"}, {"cut.npy", "8", "cut.npy"}, {"short.pbm", "8", "cut short"}, {"two.pbm", "2", "neither 0 nor 1"},
        {"huge.pbm", "8", "not a square bitmap"}, {"lonely.indptr.npy", "8", "lonely.indices.npy"}, {"bad.indptr.npy", "8", "bad.indptr.npy"},
        {"f.kv_num_blocks.npy", "8", "has 2 rows of blocks"}, {"odd.kv_num_blocks.npy", "8", "one dimension more"}, {"f.kv_indices.npy", "8", "not a mask"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        o = attnlab("show 'mask:\"%s/%s\"' -n %s", folder, wrong[i].file, wrong[i].n);
        cr_assert(o.exit_code == 2 && one_complaint(&o, wrong[i].says, NULL), "%s: %d %s", wrong[i].file, o.exit_code, o.err);
        outcome_free(&o);
    }
    static const char *const specs_wrong[][2] = {{"mask", "a file in quotes is missing"}, {"mask:x.npy", "in quotes"}, {"mask:\"x.npy", "in quotes"},
                                                 {"mask:\"\"", "in quotes"}, {"mask:\"x.npy\",size=3", "unknown key 'size'"}};
    for (size_t i = 0; i < sizeof specs_wrong / sizeof *specs_wrong; i++) {
        o = attnlab("show '%s' -n 8", specs_wrong[i][0]);
        cr_assert(o.exit_code == 2 && one_complaint(&o, specs_wrong[i][1], NULL), "%s: %s", specs_wrong[i][0], o.err);
        outcome_free(&o);
    }
    o = attnlab("show dense -n 8 --csr -");
    cr_assert(o.exit_code == 2 && one_complaint(&o, "--csr - makes several files", NULL), "%s", o.err);
    outcome_free(&o);
}

/* The examples, with NumPy, Pillow and SciPy where they are; flex_mask.py needs PyTorch and is only compiled. */
Test(cli_mask, python_examples, .timeout = 120)
{
    static const char *const pythons[] = {"python3", "/usr/bin/python3"}; /* Debian's has Debian's NumPy, whatever stands before it in PATH */
    const char *python = NULL;
    outcome o;
    for (size_t p = 0; p < 2 && !python; p++) {
        o = shell("%s -c 'import numpy'", pythons[p]);
        python = o.exit_code == 0 ? pythons[p] : NULL;
        outcome_free(&o);
    }
    if (!python)
        cr_skip_test("python3-numpy is not installed");
    o = shell("here=$PWD; python=%s; cd %s; mkdir bin; ln -s \"$ATTNLAB\" bin/attnlab; PATH=$PWD/bin:$PATH; set -e; for e in numpy_mask csr_mask block_mask; do $python $here/examples/python/$e.py; done;"
              " for e in flex_mask png_mask bsr_mask; do $python -c \"compile(open('$here/examples/python/$e.py').read(), '$e.py', 'exec')\"; done;"
              " if $python -c 'import PIL'; then $python $here/examples/python/png_mask.py; attnlab analyze 'mask:\"rings.png\",causal=0' -n 256 >/dev/null; fi;"
              " if $python -c 'import scipy.sparse'; then $python $here/examples/python/bsr_mask.py; attnlab analyze 'mask:\"blocks.indptr.npy\",block=32' -n 1k >/dev/null; fi;"
              " attnlab show 'mask:\"ring.npy\"' -n 64 >/dev/null;"
              " attnlab analyze 'mask:\"half.indptr.npy\"' -n 512 >/dev/null; attnlab run -p 'mask:\"checker.kv_num_blocks.npy\",block=64' -n 1k --heads 2 --metrics flops --db x.db",
              python, scratch_folder());
    cr_assert(o.exit_code == 0, "exit %d: %s%s", o.exit_code, o.out, o.err);
    outcome_free(&o);
}
