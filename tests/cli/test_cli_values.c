/* Sizes and axes: what is accepted, what it means, and what is refused with which words. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "harness/cli.h"

Test(cli_values, sizes)
{
    static const struct {
        const char *text;
        bool fine;
        size_t value;
    } cases[] = {
        {"0", true, 0},      {"1", true, 1},        {"4k", true, 4096},         {"1m", true, 1048576},
        {"64", true, 64},    {"007", true, 7},      {"", false, 0},             {"k", false, 0},
        {"-1", false, 0},    {"+1", false, 0},      {"1.5k", false, 0},         {"4K", false, 0},
        {"4kk", false, 0},   {" 4", false, 0},      {"4 ", false, 0},           {"nan", false, 0},
        {"0x10", false, 0},  {"1e3", false, 0},     {"18446744073709551615", true, SIZE_MAX},
        {"18446744073709551616", false, 0},         {"99999999999999999999m", false, 0},
        {"18014398509481984k", false, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t value = 0;
        bool fine = cli_parse_size(cases[i].text, &value);
        cr_assert(fine == cases[i].fine && (!fine || value == cases[i].value), "'%s': %d %zu", cases[i].text, fine,
                  value);
    }
}

Test(cli_values, positive_numbers)
{
    static const struct {
        const char *text;
        double value; /* 0: refused */
    } cases[] = {
        {"1", 1}, {"2.5", 2.5}, {".5", 0.5}, {"0.25", 0.25}, {"1e-3", 1e-3}, {"10000000", 1e7}, {"", 0}, {".", 0}, {"0", 0}, {"-1", 0}, {"+1", 0},
        {"1%", 0}, {"5 ", 0}, {" 5", 0}, {"1,5", 0}, {"0x10", 0}, {"nan", 0}, {"inf", 0}, {"1e400", 0}, {"10000001", 0}, {"five", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        double value = 0;
        const bool fine = cli_parse_positive(cases[i].text, &value);
        cr_assert(fine == (cases[i].value > 0) && (!fine || value == cases[i].value), "'%s': %d %g", cases[i].text, fine, value);
    }
}

static void expect_axis(const char *text, const size_t *values, size_t count)
{
    size_t *axis, length;
    attn_error err;
    attn_status status = cli_parse_axis(text, 1, 1 << 24, &axis, &length, &err);
    cr_assert(status == ATTN_OK, "%s: %s", text, err.message);
    cr_assert(length == count && memcmp(axis, values, count * sizeof *values) == 0, "%s: %zu values", text, length);
    free(axis);
}

Test(cli_values, axes)
{
    expect_axis("64", (size_t[]){64}, 1);
    expect_axis("64,128,64", (size_t[]){64, 128}, 2);
    expect_axis("1k:16k*2", (size_t[]){1024, 2048, 4096, 8192, 16384}, 5);
    expect_axis("100:350:100", (size_t[]){100, 200, 300}, 3);
    expect_axis("3:100*10", (size_t[]){3, 30}, 2);
    expect_axis("7:7*2,1k", (size_t[]){7, 1024}, 2);
}

Test(cli_values, axes_refused)
{
    static const struct {
        const char *text, *word;
    } cases[] = {
        {"0", "outside"},        {"-4", "not a list"},        {"1k:", "not a list"},   {"1k:4k", "not a list"},
        {"4k:1k*2", "backwards"}, {"1:8*1", "factor"},        {"1:8:0", "step"},       {"", "not a list"},
        {",", "not a list"},     {"64,", "not a list"},       {"64;128", "unexpected"}, {"nan", "not a list"},
        {"32m", "outside"},      {"99999999999999999999", "not a list"},              {"1:16m:1", "more than"},
        {"1:64m*2", "outside"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t *axis = NULL, length = 0;
        attn_error err;
        attn_status status = cli_parse_axis(cases[i].text, 1, 1 << 24, &axis, &length, &err);
        cr_assert(status == ATTN_EINVAL && !axis && strstr(err.message, cases[i].word), "'%s': %d '%s'", cases[i].text,
                  status, status == ATTN_OK ? "" : err.message);
    }
}
