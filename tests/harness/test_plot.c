/* From SQL to what gnuplot reads. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "attn/layout.h"
#include "harness/fit.h"
#include "harness/plot.h"
#include "support/program.h"

static sqlite3 *open_memory(void)
{
    sqlite3 *db = NULL;
    attn_error err;
    cr_assert(sqlite3_open(":memory:", &db) == SQLITE_OK, "no SQLite");
    cr_assert(plot_functions(db, &err) == ATTN_OK, "%s", err.message);
    return db;
}

/* What a query writes, as "DATA" and "VARIABLES". */
typedef struct written {
    char *tsv, *variables;
    plot_data data;
    attn_status status;
    attn_error err;
} written;

static written query(const char *sql)
{
    written w = {0};
    size_t tsv_size, variables_size;
    sqlite3 *db = open_memory();
    FILE *tsv = open_memstream(&w.tsv, &tsv_size);
    w.data.variables = open_memstream(&w.variables, &variables_size);
    w.status = plot_query(db, sql, "test.sql", tsv, &w.data, &w.err);
    fclose(tsv);
    fclose(w.data.variables);
    sqlite3_close(db);
    return w;
}

static void forget(written *w)
{
    free(w->tsv);
    free(w->variables);
}

static double number(const char *sql)
{
    sqlite3 *db = open_memory();
    sqlite3_stmt *row;
    cr_assert(sqlite3_prepare_v2(db, sql, -1, &row, NULL) == SQLITE_OK, "%s: %s", sql, sqlite3_errmsg(db));
    double value = NAN;
    if (sqlite3_step(row) == SQLITE_ROW && sqlite3_column_type(row, 0) != SQLITE_NULL)
        value = sqlite3_column_double(row, 0);
    sqlite3_finalize(row);
    sqlite3_close(db);
    return value;
}

/* ---- text ---- */

Test(plot_text, nothing_special_is_left)
{
    static const struct {
        const char *from, *to;
    } cases[] = {
        {"fixed:l=sqrt(n),c=8", "fixed:l=sqrt(n),c=8"},
        {"it's \"so\" `id` \\n", "it’s ”so” ‘id‘ /n"},
        {"a\tb\nc\rd\x01\x7f", "a b c d  "},
        {"n\xc2\xb2 \xe2\x88\x9a \xf0\x9f\x98\x80", "n\xc2\xb2 \xe2\x88\x9a \xf0\x9f\x98\x80"},
        {"\xc2\x85|", " |"},                 /* a control character beyond ASCII */
        {"\xff|\xc3|\xe2\x88|", "?|?|??|"},  /* cut and invalid sequences */
        {"\xc0\xaf \xed\xa0\x80", "?? ???"}, /* overlong, surrogate */
        {"", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *text;
        size_t size;
        FILE *out = open_memstream(&text, &size);
        plot_write_text(out, cases[i].from);
        fclose(out);
        cr_assert(strcmp(text, cases[i].to) == 0, "case %zu: '%s'", i, text);
        free(text);
    }
}

/* ---- data ---- */

Test(plot_query, series_become_data_sets)
{
    written w = query("SELECT 'a' AS series, 1 AS n, 0.5 AS y UNION ALL SELECT 'a', 2, NULL UNION ALL SELECT "
                      "'#b', 3, 9e999;"
                      "-- a remark\n");
    cr_assert(w.status == ATTN_OK, "%s", w.err.message);
    cr_assert(strcmp(w.tsv, "# series\tn\ty\na\t1\t0.5\na\t2\tNaN\n\n\n #b\t3\tNaN\n") == 0, "'%s'", w.tsv);
    cr_assert(w.data.rows == 3 && w.data.blocks == 2 && w.data.columns == 3, "%zu rows, %zu blocks",
              w.data.rows, w.data.blocks);
    cr_assert(strcmp(w.variables, "c_series = 1\nc_n = 2\nc_y = 3\n") == 0, "'%s'", w.variables);
    forget(&w);
}

Test(plot_query, later_selects_become_arrays)
{
    written w = query("CREATE TEMP TABLE t AS SELECT 1 AS x; SELECT x FROM t;"
                      "SELECT 'a' AS who, 2 AS k UNION ALL SELECT 'it''s', NULL; SELECT 1 AS none WHERE 0;");
    cr_assert(w.status == ATTN_OK, "%s", w.err.message);
    cr_assert(strcmp(w.tsv, "# x\n1\n") == 0 && w.data.blocks == 1, "'%s'", w.tsv);
    cr_assert(strcmp(w.variables, "c_x = 1\narray who[2] = ['a', 'it’s']\narray k[2] = [2, NaN]\n") == 0,
              "'%s'", w.variables);
    forget(&w);
}

Test(plot_query, nothing_found_is_no_error)
{
    written w = query("SELECT 1 AS n WHERE 0;");
    cr_assert(w.status == ATTN_OK && w.data.rows == 0 && w.data.blocks == 0, "%s", w.err.message);
    forget(&w);
}

Test(plot_query, wrong_queries_are_told_by_file)
{
    static const char *const wrong[] = {
        "SELECT x FROM nowhere;",
        "SELECT 1 + 1;", /* a column that is no name */
        "SELECT 1 AS \"x; !touch y\";",
        "SELECT 1 AS n; SELECT 2 AS \"a'b\";",
        "-- only a remark",
        "",
        "SELECT 1 AS n; WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 300) SELECT "
        "i FROM c;",
        "SELECT row FROM mask('nosuch', 8);",
        "SELECT row FROM mask('dense', 5000);",
        "SELECT row FROM mask('dense', 0);",
        "SELECT row FROM mask;",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        written w = query(wrong[i]);
        cr_assert(w.status == ATTN_EINVAL && strncmp(w.err.message, "test.sql: ", 10) == 0,
                  "'%s': status %d, '%s'", wrong[i], (int)w.status, w.err.message);
        forget(&w);
    }
}

/* ---- functions ---- */

#define POINTS                                                                                               \
    "(SELECT column1 AS n, column2 AS y FROM (VALUES (64, 10), (128, 25.5), (256, 80.0), (512, 220.0), (9, " \
    "NULL)))"

Test(plot_functions, lines_are_those_of_fit)
{
    double n[] = {64, 128, 256, 512}, y[] = {10, 25.5, 80, 220};
    fit_line line = fit_power(n, y, 4, FIT_MEASURED);
    cr_assert(number("SELECT fit_slope(n, y) FROM " POINTS) == line.slope, "slope");
    cr_assert(number("SELECT fit_lo(n, y) FROM " POINTS) == line.lo, "lo");
    cr_assert(number("SELECT fit_hi(n, y) FROM " POINTS) == line.hi, "hi");
    cr_assert(number("SELECT fit_at(n, y, 1000) FROM " POINTS) == fit_at(&line, 1000), "at");
    cr_assert(isnan(number("SELECT fit_slope(n, y) FROM " POINTS " WHERE 0")), "nothing");
    cr_assert(isnan(number("SELECT fit_lo(n, y) FROM " POINTS " WHERE n < 256")), "two points");
}

Test(plot_functions, pairs_and_masks_follow_the_layout)
{
    static const char *const specs[] = {"dense", "local:k=3", "strided:l=5", "fixed:l=7,c=2,sub=1",
                                        "local:k=3,causal=0"};
    enum { N = 33 };
    cr_assert(number("SELECT pattern_pairs('dense', 12288)") == 75503616, "dense");
    cr_assert(isnan(number("SELECT pattern_pairs('nosuch', 12)")), "unknown pattern");
    cr_assert(isnan(number("SELECT pattern_class('nosuch') IS NOT NULL OR NULL")),
              "class of an unknown pattern");
    for (size_t i = 0; i < sizeof specs / sizeof specs[0]; i++) {
        char sql[256];
        attn_spec *spec;
        attn_layout *layout;
        cr_assert(attn_spec_parse(&spec, specs[i], NULL) == ATTN_OK, "%s", specs[i]);
        cr_assert(attn_layout_create(&layout, spec, N, N, 1, NULL) == ATTN_OK, "%s", specs[i]);
        sqlite3 *db = open_memory();
        sqlite3_stmt *row;
        snprintf(sql, sizeof sql, "SELECT row, first, last FROM mask('%s', %d)", specs[i], N);
        cr_assert(sqlite3_prepare_v2(db, sql, -1, &row, NULL) == SQLITE_OK, "%s", sqlite3_errmsg(db));
        bool seen[N][N] = {{0}};
        while (sqlite3_step(row) == SQLITE_ROW)
            for (int j = sqlite3_column_int(row, 1); j <= sqlite3_column_int(row, 2); j++)
                seen[sqlite3_column_int(row, 0)][j] = true;
        for (size_t r = 0; r < N; r++)
            for (size_t j = 0; j < N; j++)
                cr_assert(seen[r][j] == attn_layout_allows(layout, 0, r, j), "%s: (%zu, %zu)", specs[i], r,
                          j);
        sqlite3_finalize(row);
        sqlite3_close(db);
        snprintf(sql, sizeof sql, "SELECT sum(last - first + 1) FROM mask('%s', %d)", specs[i], N);
        cr_assert(number(sql) == (double)attn_layout_pairs(layout, 0), "%s: pairs", specs[i]);
        attn_layout_destroy(layout);
        attn_spec_destroy(spec);
    }
}

/* FACTS of the paper's patterns, n = 192. */
Test(plot_functions, reach_is_that_of_the_analysis)
{
    cr_assert_float_eq(number("SELECT pattern_reach('strided:l=16', 192, 1)"), 4008. / 18528, 1e-12);
    cr_assert(number("SELECT pattern_reach('strided:l=16', 192, 2)") == 1, "two hops of strided");
    cr_assert(number("SELECT pattern_reach('local:k=5', 64, 4) - pattern_pairs('local:k=20', 64) / 2080.0") == 0, "four windows are one");
    cr_assert(isnan(number("SELECT pattern_reach('nosuch', 12, 1)")) && isnan(number("SELECT pattern_reach('dense', 0, 1)")), "nothing");
}

/* ---- pairs ---- */

Test(plot_list, ours_have_words_for_lists_and_for_empty_stores)
{
    plot_list list;
    attn_error err;
    cr_assert(plot_list_read(&list, NULL, &err) == ATTN_OK, "%s", err.message);
    static const char *const least[] = {"masks", "time", "flops", "memory", "rate", "error", "counters", "share", "roofline",
                                        "best", "samples"};
    for (size_t i = 0; i < sizeof least / sizeof least[0]; i++)
        cr_assert(plot_find(&list, least[i]) != NULL, "no plot %s", least[i]);
    for (size_t i = 0; i < list.count; i++)
        cr_assert(list.at[i].summary && *list.at[i].summary && list.at[i].needs && *list.at[i].needs,
                  "%s says nothing", list.at[i].name);
    plot_list_free(&list);
}

Test(plot_list, a_folder_with_half_a_pair_is_refused)
{
    plot_list list = {0};
    attn_error err;
    write_whole_file(scratch_path("mine.sql"), "SELECT 1 AS n;", 14);
    cr_assert(plot_list_read(&list, scratch_folder(), &err) == ATTN_EINVAL && strstr(err.message, "mine.gp"),
              "%s", err.message);
    write_whole_file(scratch_path("mine.gp"), "plot x", 6);
    cr_assert(plot_list_read(&list, scratch_folder(), &err) == ATTN_OK && plot_find(&list, "mine"), "%s",
              err.message);
    plot_list_free(&list);
    write_whole_file(scratch_path("it's.gp"), "plot x", 6);
    cr_assert(plot_list_read(&list, scratch_folder(), &err) == ATTN_EINVAL, "a hostile name");
    cr_assert(plot_list_read(&list, "/nowhere", &err) == ATTN_EINVAL && strstr(err.message, "/nowhere"), "%s",
              err.message);
}

/* docs/GALLERY.md is made by `make gallery`; a plot that it lacks, or no longer shows, means that nobody ran it. */
Test(plot_list, the_gallery_has_every_plot)
{
    if (!file_exists("docs/GALLERY.md"))
        cr_skip_test("not in the source tree");
    char *page = read_whole_file("docs/GALLERY.md", NULL);
    plot_list list;
    attn_error err;
    cr_assert(plot_list_read(&list, NULL, &err) == ATTN_OK, "%s", err.message);
    size_t sections = 0;
    for (const char *at = page; (at = strstr(at, "\n## ")); at++)
        sections++;
    for (size_t i = 0; i < list.count; i++) {
        char heading[512];
        snprintf(heading, sizeof heading, "\n## %s\n\n%s.\n\n    attnlab plot %s\n", list.at[i].name, list.at[i].summary, list.at[i].name);
        cr_assert(strstr(page, heading), "docs/GALLERY.md does not say of %s what %s.sql says; `make gallery` writes it anew", list.at[i].name, list.at[i].name);
    }
    cr_assert(sections == list.count, "docs/GALLERY.md shows %zu plots of %zu", sections, list.count);
    plot_list_free(&list);
    free(page);
}
