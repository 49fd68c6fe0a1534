/* attnlab list. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "attn/pattern.h"
#include "attn/plan.h"
#include "harness/metric.h"
#include "support/program.h"

static size_t lines(const char *text)
{
    size_t n = 0;
    for (; *text; text++)
        n += *text == '\n';
    return n;
}

Test(cli_list, all_registries)
{
    outcome o = attnlab("list -o jsonl");
    cr_assert(o.exit_code == 0 && *o.err == '\0', "exit %d, stderr '%s'", o.exit_code, o.err);
    size_t want = 0;
    for (size_t i = 0; i < attn_pattern_count(); i++, want++) {
        char row[128];
        snprintf(row, sizeof row, "{\"kind\": \"pattern\", \"name\": \"%s\"", attn_pattern_at(i)->name);
        cr_assert(strstr(o.out, row), "no row %s", row);
    }
    for (size_t i = 0; i < attn_kernel_count(); i++, want++) {
        char row[128];
        attn_kernel_info k = attn_kernel_at(i);
        snprintf(row, sizeof row, "{\"kind\": \"kernel\", \"name\": \"%s\"", k.name);
        char *found = strstr(o.out, row);
        cr_assert(found, "no row %s", row);
        *strchr(found, '\n') = '\0';
        cr_assert(!strstr(found, "\"reason\": null") == !!k.unavailable, "kernel %s: %s", k.name, found);
        found[strlen(found)] = '\n';
    }
    for (size_t i = 0; metrics[i]; i++, want++) {
        char row[128];
        snprintf(row, sizeof row, "{\"kind\": \"metric\", \"name\": \"%s\"", metrics[i]->name);
        cr_assert(strstr(o.out, row), "no row %s", row);
    }
    cr_assert(lines(o.out) >= want, "%zu rows of at least %zu", lines(o.out), want);
    outcome_free(&o);
}

Test(cli_list, one_kind_in_every_format)
{
    static const struct { const char *format, *begins; } table[] = {
        {"json", "[\n {\"kind\": \"metric\", \"name\": \"time\""},
        {"jsonl", "{\"kind\": \"metric\", \"name\": \"time\""},
        {"csv", "kind,name,parameters,"},
        {"md", "| name"},
        {"table", "name"},
    };
    for (size_t t = 0; t < sizeof table / sizeof *table; t++) {
        outcome o = attnlab("list metrics -o %s", table[t].format);
        cr_assert(o.exit_code == 0 && strncmp(o.out, table[t].begins, strlen(table[t].begins)) == 0,
                  "%s: exit %d, begins '%.40s'", table[t].format, o.exit_code, o.out);
        cr_assert(!strstr(o.out, "sliding"), "%s: patterns among metrics", table[t].format);
        outcome_free(&o);
    }
}

Test(cli_list, parameters_with_their_defaults)
{
    outcome o = attnlab("list patterns");
    cr_assert(strstr(o.out, "l=sqrt(n) c=8 head=merged|block|summary sub=0"), "fixed is missing in '%s'",
              o.out);
    outcome_free(&o);
    o = attnlab("list patterns -o json");
    cr_assert(strstr(o.out, "{\"key\": \"k\", \"default\": \"128\", \"min\": 0, \"max\": 16777216"),
              "local's k is missing in '%s'", o.out);
    outcome_free(&o);
}

/* A kernel switched off is listed, with the reason. */
Test(cli_list, what_is_unavailable_says_why)
{
    outcome o = shell("ATTN_DISABLE_CPU=avx2 \"$ATTNLAB\" list kernels -o jsonl");
    cr_assert(o.exit_code == 0, "exit %d: %s", o.exit_code, o.err);
    for (char *rest = o.out, *line; (line = strsep(&rest, "\n")) && *line;) {
        bool available = strstr(line, "\"available\": true");
        cr_assert(available == !!strstr(line, "\"reason\": null"), "%s", line);
        cr_assert(!available || !strstr(line, "\"isa\": \"avx"), "switched off, yet available: %s", line);
    }
    outcome_free(&o);
}

Test(cli_list, plugins_are_listed_with_their_file)
{
    outcome o = shell("ls \"$ATTN_BUILD\"/tests/plugins/*.so | head -40");
    char plugin[512] = "";
    for (char *rest = o.out, *line; (line = strsep(&rest, "\n")) && *line && !*plugin;) {
        outcome tried = attnlab("list patterns -o jsonl --plugin '%s'", line);
        if (tried.exit_code == 0) { /* a good one */
            snprintf(plugin, sizeof plugin, "%s", line);
            cr_assert(strstr(tried.out, plugin), "%s is not named in '%s'", plugin, tried.out);
        }
        outcome_free(&tried);
    }
    cr_assert(*plugin, "no plugin could be loaded");
    outcome_free(&o);
}

Test(cli_list, plots)
{
    outcome o = attnlab("list plots -o jsonl");
    cr_assert(o.exit_code == 0 && strstr(o.out, "{\"kind\": \"plot\", \"name\": \"time\""), "exit %d: '%s'",
              o.exit_code, o.out);
    outcome_free(&o);
    o = shell("PATH=/nowhere \"$ATTNLAB\" list plots -o jsonl");
    cr_assert(o.exit_code == 0 && strstr(o.out, "gnuplot is not installed"), "exit %d: '%s'", o.exit_code,
              o.out);
    outcome_free(&o);
}

Test(cli_list, bad_operands)
{
    outcome o = attnlab("list kernel");
    cr_assert(o.exit_code == 2 && one_complaint(&o, "kernel", "kernels", NULL), "exit %d: %s", o.exit_code,
              o.err);
    outcome_free(&o);
    o = attnlab("list zzz");
    cr_assert(o.exit_code == 2 && one_complaint(&o, "zzz", "patterns", NULL), "exit %d: %s", o.exit_code,
              o.err);
    outcome_free(&o);
    o = attnlab("list patterns kernels");
    cr_assert(o.exit_code == 2 && one_complaint(&o, "kernels", NULL), "exit %d: %s", o.exit_code, o.err);
    outcome_free(&o);
    o = attnlab("list -o xml");
    cr_assert(o.exit_code == 2 && one_complaint(&o, "xml", "jsonl", NULL), "exit %d: %s", o.exit_code, o.err);
    outcome_free(&o);
}

Test(cli_list, a_full_disk_is_noticed)
{
    outcome o = shell("\"$ATTNLAB\" list > /dev/full");
    cr_assert(o.exit_code == 74, "exit %d: %s", o.exit_code, o.err);
    outcome_free(&o);
}
