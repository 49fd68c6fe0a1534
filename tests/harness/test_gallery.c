/* docs/GALLERY.md lists the plots that there are: each with its heading, what its query says it shows, the line that draws it, and a picture
 * in the repository. It is made by hand, by `make gallery`, so nothing else would notice. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/plot.h"
#include "support/program.h"

/* The part of the page from `## NAME` to the next heading, as a copy; NULL when there is none. */
static char *section(const char *page, const char *name)
{
    char heading[128];
    snprintf(heading, sizeof heading, "\n## %s\n", name);
    const char *from = strstr(page, heading);
    if (!from)
        return NULL;
    const char *to = strstr(from + 1, "\n## ");
    return to ? strndup(from, (size_t)(to - from)) : strdup(from);
}

/* What is missing of one plot in the page of a folder; "" when nothing is. */
static const char *missing(const char *page, const plot *p, const char *folder)
{
    static char what[256];
    char line[128], picture[512], *part = section(page, p->name);
    *what = '\0';
    if (!part) {
        snprintf(what, sizeof what, "no section");
        return what;
    }
    snprintf(line, sizeof line, "\n    attnlab plot %s\n", p->name);
    if (!strstr(part, line))
        snprintf(what, sizeof what, "no command");
    if (!p->summary || !strstr(part, p->summary))
        snprintf(what, sizeof what, "it does not say \"%s\"", p->summary ? p->summary : "what it shows");
    char *link = strstr(part, "](pictures/"), *end = link ? strchr(link, ')') : NULL;
    if (end)
        snprintf(picture, sizeof picture, "%s/%.*s", folder, (int)(end - link - 2), link + 2);
    if (end ? !file_exists(picture) : !strstr(part, "\nNot drawn here: "))
        snprintf(what, sizeof what, "%s", end ? "its picture is not there" : "neither a picture nor a reason");
    free(part);
    return what;
}

/* Both ways: every plot is in the page, and the page has no others. */
Test(gallery, lists_each_plot)
{
    plot_list list;
    attn_error err;
    char *page = read_whole_file("docs/GALLERY.md", NULL);
    size_t sections = 0;
    cr_assert(plot_list_read(&list, NULL, &err) == ATTN_OK, "%s", err.message);
    for (size_t i = 0; i < list.count; i++) {
        const char *what = missing(page, &list.at[i], "docs");
        cr_assert(!*what, "docs/GALLERY.md, %s: %s; `make gallery` makes it anew", list.at[i].name, what);
    }
    for (const char *at = page; (at = strstr(at, "\n## ")); at++)
        sections++;
    cr_assert(sections == list.count, "%zu sections for %zu plots; `make gallery` makes them anew", sections, list.count);
    plot_list_free(&list);
    free(page);
}

Test(gallery, what_is_missing_is_noticed)
{
    char name[] = "rate", summary[] = "rates", said[] = "bars";
    static const struct { const char *page, *what; } cases[] = {
        {"\n## other\n", "no section"},
        {"\n## rate\n\nrates.\n", "neither a picture"},
        {"\n## rate\n\n![rates](pictures/none.svg)\n", "not there"},
        {"\n## rate\n\nrates\n\nNot drawn here: so.\n", "no command"},
        {"\n## rate\n\n    attnlab plot rate\n\nrates\n\nNot drawn here: so.\n\n## next\n", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *what = missing(cases[i].page, &(plot){.name = name, .summary = summary}, "docs");
        cr_assert(*cases[i].what ? strstr(what, cases[i].what) != NULL : !*what, "case %zu: %s", i, what);
    }
    cr_assert(strstr(missing(cases[4].page, &(plot){.name = name, .summary = said}, "docs"), "bars"), "another summary");
}
