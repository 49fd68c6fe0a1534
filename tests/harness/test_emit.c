/* The five formats carry the same values; tables are for people. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness/emit.h"

static const emit_column columns[] = {
    {"spec", "pattern", EMIT_PLAIN}, {"n", "n", EMIT_PLAIN},
    {"time_ns.median", "time", EMIT_NS}, {"time_ns.samples", NULL, EMIT_PLAIN},
    {"err", "error", EMIT_SCI}, {"counters", NULL, EMIT_PLAIN},
};
enum { COLUMNS = sizeof columns / sizeof *columns };

static char *render(emit_format format, const emit_value *rows, size_t count)
{
    char *text;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    emitter *e = emit_open(out, format, columns, COLUMNS);
    for (size_t i = 0; i < count; i++)
        emit_row(e, rows + i * COLUMNS);
    cr_assert(emit_close(e), "emit_close failed");
    fclose(out);
    return text;
}

#define ROW                                                                                                      \
    {emit_text("fixed:l=4,c=2 \"q\""), emit_int(4096), emit_real(1234567.0), emit_int(7), emit_real(NAN),        \
     emit_json("{\"cycles\": null}")}

Test(emit, jsonl_nests_dotted_columns)
{
    emit_value row[] = ROW;
    char *text = render(EMIT_JSONL, row, 1);
    cr_assert(strcmp(text, "{\"spec\": \"fixed:l=4,c=2 \\\"q\\\"\", \"n\": 4096, \"time_ns\": {\"median\": 1234567, "
                           "\"samples\": 7}, \"err\": null, \"counters\": {\"cycles\": null}}\n") == 0, "%s", text);
    free(text);
}

Test(emit, optional_columns_need_a_value)
{
    for (int with = 0; with < 2; with++) {
        char *text;
        size_t size;
        FILE *out = open_memstream(&text, &size);
        emitter *e = emit_open(out, EMIT_TABLE, columns, COLUMNS);
        emit_optional(e, "n");
        emit_optional(e, "err");
        for (int row = 0; row < 2; row++) {
            const emit_value values[] = {emit_text("a"), emit_null(), emit_real(5), emit_int(1),
                                         row && with ? emit_real(0.5) : emit_null(), emit_null()};
            emit_row(e, values);
        }
        cr_assert(emit_close(e), "emit_close failed");
        fclose(out);
        cr_assert(strcmp(text, with ? "pattern  time    error\na        5 ns        -\na        5 ns  5.0e-01\n"
                                    : "pattern  time\na        5 ns\na        5 ns\n") == 0, "%s", text);
        free(text);
    }
}

Test(emit, json_is_one_array)
{
    emit_value rows[] = {emit_text("a"), emit_int(1), emit_null(), emit_null(), emit_null(), emit_null(),
                         emit_text("b"), emit_int(2), emit_null(), emit_null(), emit_null(), emit_null()};
    char *none = render(EMIT_JSON, NULL, 0), *two = render(EMIT_JSON, rows, 2);
    cr_assert(strcmp(none, "[]\n") == 0, "%s", none);
    cr_assert(two[0] == '[' && strcmp(two + strlen(two) - 3, "\n]\n") == 0 && strstr(two, "},\n {"), "%s", two);
    free(none);
    free(two);
}

Test(emit, csv_quotes_and_leaves_missing_empty)
{
    emit_value row[] = ROW;
    char *text = render(EMIT_CSV, row, 1);
    cr_assert(strcmp(text, "spec,n,time_ns.median,time_ns.samples,err,counters\r\n"
                           "\"fixed:l=4,c=2 \"\"q\"\"\",4096,1234567,7,,\"{\"\"cycles\"\": null}\"\r\n") == 0, "%s", text);
    free(text);
}

Test(emit, table_aligns_and_carries_units)
{
    emit_value rows[] = {emit_text("dense"), emit_int(64), emit_real(999.4), emit_null(), emit_real(1.25e-7), emit_null(),
                         emit_text("local|k"), emit_int(65536), emit_real(2.5e9), emit_null(), emit_null(), emit_null()};
    char *table = render(EMIT_TABLE, rows, 2), *md = render(EMIT_MD, rows, 2);
    cr_assert(strcmp(table, "pattern      n    time    error\n"
                            "dense       64  999 ns  1.2e-07\n"
                            "local|k  65536  2.50 s        -\n") == 0, "%s", table);
    cr_assert(strstr(md, "local\\|k") && strstr(md, "\n| ---"), "%s", md);
    free(table);
    free(md);
}

Test(emit, numbers_have_sensible_digits)
{
    static const struct { emit_style style; double value; const char *text; } cases[] = {
        {EMIT_NS, 0.5, "0.50 ns"}, {EMIT_NS, 1230, "1.23 us"}, {EMIT_NS, 45.6e6, "45.6 ms"}, {EMIT_NS, 7.0e9, "7 s"},
        {EMIT_BYTES, 512, "512 B"}, {EMIT_BYTES, 1536, "1.50 KiB"}, {EMIT_BYTES, 1048576, "1 MiB"},
        {EMIT_COUNT, 999, "999"}, {EMIT_COUNT, 75503616, "75.5 M"}, {EMIT_PERCENT, 0.1234, "12.3%"},
        {EMIT_SCI, 1.24e-7, "1.2e-07"}, {EMIT_FIXED2, 1.005, "1.00"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[64];
        emit_format_number(text, sizeof text, cases[i].style, cases[i].value);
        cr_assert(strcmp(text, cases[i].text) == 0, "%g: %s, not %s", cases[i].value, text, cases[i].text);
    }
}

Test(emit, intervals_leave_the_digits_that_are_known)
{
    static const struct { double ns, half; const char *text; } cases[] = {
        {1234567, 21000, "1.23 ms ± 0.02"}, {8.26e6, 3.1e5, "8.3 ms ± 0.3"}, {122e6, 1.4e6, "122 ms ± 1"}, {16.004e6, 9.6e3, "16.00 ms ± 0.01"},
        {950, 0.01, "950.00 ns ± 0.01"}, {2.6e9, 4e9, "3 s ± 4"}, {999.6e3, 1e3, "1.000 ms ± 0.001"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[64];
        emit_format_interval(text, sizeof text, cases[i].ns, cases[i].half);
        cr_assert(strcmp(text, cases[i].text) == 0, "%g ± %g: %s, expected %s", cases[i].ns, cases[i].half, text, cases[i].text);
    }
}

/* An interval stands with its number in tables, and alone elsewhere. */
Test(emit, intervals_join_their_number)
{
    static const emit_column joined[] = {{"time.median", "time", EMIT_NS}, {"time.rel", NULL, EMIT_WITHIN}, {"n", "n", EMIT_PLAIN}};
    static const struct { emit_format format; const char *text; } formats[] = {
        {EMIT_MD, "| 1.23 ms ± 0.02 | 5 |\n|        1.20 ms | 6 |"},
        {EMIT_CSV, "1234567,0.017,5\r\n1200000,,6\r\n"}};
    for (size_t f = 0; f < 2; f++) {
        char *text = NULL;
        size_t size = 0;
        FILE *out = open_memstream(&text, &size);
        emitter *e = emit_open(out, formats[f].format, joined, 3);
        emit_row(e, (emit_value[]){emit_int(1234567), emit_real(0.017), emit_int(5)});
        emit_row(e, (emit_value[]){emit_int(1200000), emit_null(), emit_int(6)});
        cr_assert(emit_close(e));
        fclose(out);
        cr_assert(strstr(text, formats[f].text), "%s", text);
        free(text);
    }
}

Test(emit, reals_survive_json)
{
    double values[] = {0.1, 1.0 / 3, 1e300, 5e-324, -0.0, 123456789012345678.0};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        emit_value row[COLUMNS] = {emit_text("x"), emit_int(1), emit_real(values[i])};
        char *text = render(EMIT_JSONL, row, 1), *at = strstr(text, "\"median\": ");
        cr_assert(at && strtod(at + 10, NULL) == values[i], "%.17g in %s", values[i], text);
        free(text);
    }
}

/* Columns that do not fit go on below, with the first ones again; what fits stays as it is. */
Test(emit, folds_wide_tables)
{
    static const emit_column wide[] = {{"spec", "pattern", EMIT_PLAIN}, {"n", "n", EMIT_PLAIN}, {"first", "the first of them", EMIT_PLAIN},
                                       {"second", "the second of them", EMIT_PLAIN}, {"third", "a third", EMIT_PLAIN}};
    for (int room = 0; room <= 80; room += 40) {
        char *text = NULL;
        size_t size;
        FILE *out = open_memstream(&text, &size);
        emitter *e = emit_open(out, EMIT_TABLE, wide, 5);
        emit_fold(e, (size_t)room);
        emit_row(e, (emit_value[]){emit_text("dense"), emit_int(4096), emit_int(1), emit_int(2), emit_int(3)});
        cr_assert(emit_close(e) && fclose(out) == 0);
        if (room == 40)
            cr_assert_str_eq(text, "pattern     n  the first of them\n"
                                   "dense    4096                  1\n"
                                   "\n"
                                   "pattern  the second of them  a third\n"
                                   "dense                     2        3\n");
        else
            cr_assert(!strstr(text, "\n\n") && strstr(text, "a third"), "%d: %s", room, text);
        free(text);
    }
}
