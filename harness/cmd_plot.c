/* attnlab plot: pictures of a store by name. */
#include "harness/cli.h"
#include "harness/plot.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/suggest.h"

#define DEFAULT_OUT "results/plots"

/* The store named, or an empty one in memory where none has been made: some pictures need no results. */
static attn_status open_store(const args *a, store **out, attn_error *err)
{
    const char *path = store_path(cli_text(a, "db"));
    const char *variable = getenv("ATTNLAB_DB");
    const bool named = cli_given(a, "db") || (variable && *variable);
    if (named || access(path, F_OK) == 0)
        return store_open(out, path, STORE_READ, err);
    return store_open(out, ":memory:", STORE_WRITE, err);
}

static attn_status make_folder(const char *out, attn_error *err)
{
    struct stat info;
    if (mkdir(out, 0777) == 0 || (errno == EEXIST && stat(out, &info) == 0 && S_ISDIR(info.st_mode)))
        return ATTN_OK;
    return attn_fail(err, ATTN_EINVAL, "--out %s: %s; its parent folder must exist", out,
                     errno == EEXIST ? "not a folder" : strerror(errno));
}

static attn_status unknown(const plot_list *list, const char *name, attn_error *err)
{
    suggestion near = {.word = name};
    char names[320] = "";
    for (size_t i = 0; i < list->count; i++) {
        suggest_offer(&near, list->at[i].name);
        size_t used = strlen(names);
        snprintf(names + used, sizeof names - used, "%s%s", i ? ", " : "", list->at[i].name);
    }
    if (near.best)
        return attn_fail(err, ATTN_EINVAL, "%s: not a plot; did you mean %s?", name, near.best);
    return attn_fail(err, ATTN_EINVAL, "%s: not a plot; there are all, %s", name, names);
}

/* Every name given, before anything is drawn; `all` is all of them. Marks what is wanted. */
static attn_status choose(const args *a, const plot_list *list, bool *wanted, attn_error *err)
{
    const char *const *names;
    const size_t count = cli_operands(a, &names);
    for (size_t i = 0; i < count; i++) {
        const plot *p = plot_find(list, names[i]);
        if (!p && strcmp(names[i], "all") != 0)
            return unknown(list, names[i], err);
        for (size_t k = 0; k < list->count; k++)
            wanted[k] = wanted[k] || !p || p == &list->at[k];
    }
    return ATTN_OK;
}

static int draw(const args *a)
{
    static const char *const sizes[] = {"wide", "column", "slide"}; /* in the order of --size */
    const char *out = cli_text(a, "out"), *size = sizes[cli_choice(a, "size")];
    plot_list list = {0};
    store *s = NULL;
    bool *wanted = NULL;
    attn_error err;
    if (plot_unavailable())
        return cli_complain(EXIT_INPUT, "%s", plot_unavailable());
    attn_status status = plot_list_read(&list, cli_text(a, "plots"), &err);
    if (status == ATTN_OK && !(wanted = calloc(list.count + 1, sizeof *wanted)))
        status = attn_fail(&err, ATTN_ENOMEM, "out of memory");
    if (status == ATTN_OK)
        status = choose(a, &list, wanted, &err);
    if (status == ATTN_OK)
        status = open_store(a, &s, &err);
    if (status == ATTN_OK)
        status = make_folder(out, &err);
    for (size_t i = 0; i < list.count && status == ATTN_OK; i++) {
        bool drawn;
        if (!wanted[i])
            continue;
        status = plot_draw(&list, &list.at[i], s, out, size, &drawn, &err);
        if (status == ATTN_OK && drawn)
            printf("%s/%s.svg\n%s/%s.png\n%s/%s.pdf\n", out, list.at[i].name, out, list.at[i].name, out, list.at[i].name);
        else if (status == ATTN_OK)
            fprintf(stderr, "%s: skipped, nothing measured for it%s%s\n", list.at[i].name,
                    list.at[i].needs ? "; do: " : "", list.at[i].needs ? list.at[i].needs : "");
        fflush(stdout);
    }
    store_close(s);
    free(wanted);
    plot_list_free(&list);
    return status == ATTN_OK ? EXIT_FINE : cli_fail(status, &err);
}

static const option options[] = {
    {"db", OPTION_TEXT, "FILE", "the store (else $ATTNLAB_DB, else results/attnlab.db)", NULL, 0, 0, NULL,
     false},
    {"out", OPTION_TEXT, "DIR", "where the pictures go; made if its parent exists", DEFAULT_OUT, 0, 0, NULL,
     false},
    {"size", OPTION_CHOICE, "SIZE", "wide, 7 inches on paper; column, 3.35; slide, 10, with larger letters", "wide", 0, 0, "wide|column|slide", false},
    {"plots", OPTION_TEXT, "DIR", "a folder with plots of your own, NAME.sql and NAME.gp", NULL, 0, 0, NULL,
     false},
    {0},
};

const command cmd_plot = {
    .name = "plot",
    .operands = "all|NAME...",
    .min_operands = 1,
    .max_operands = 64,
    .summary = "pictures of the results: SVG, PNG and PDF, with data and script beside",
    .details = "Runs NAME.sql on the store, writes what it finds to NAME.tsv and a gnuplot script to NAME.gp, "
               "and draws NAME.svg, NAME.png and NAME.pdf. Pictures show the setting measured last (heads, d, dtype, "
               "threads, input) on the machine measured last; where several kernels were measured, curves "
               "show the fastest.\n\n"
               "A plot of your own is two files in a folder given by --plots: a query whose first SELECT is "
               "the data, and gnuplot commands that draw it from the variables `data`, `c_COLUMN` and "
               "`blocks`. A pair, style.sql or style.gp there replaces the built-in one of the same name. "
               "`attnlab list` shows what there is.",
    .options = options,
    .run = draw,
};
