/* Finding the pairs, and drawing one: query, script, two pictures. */
#include "harness/plot.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/outfile.h"

/* ---- files ---- */

static attn_status join(char **out, const char *folder, const char *name, const char *suffix, attn_error *err)
{
    return asprintf(out, "%s/%s%s", folder, name, suffix) < 0 ? attn_fail(err, ATTN_ENOMEM, "out of memory")
                                                              : ATTN_OK;
}

static attn_status read_text(const char *folder, const char *name, const char *suffix, char **path,
                             char **text, attn_error *err)
{
    *text = NULL;
    attn_status status = join(path, folder, name, suffix, err);
    if (status != ATTN_OK)
        return status;
    FILE *file = fopen(*path, "rb"), *copy = NULL;
    size_t size = 0;
    if (!file)
        return attn_fail(err, ATTN_EINVAL, "cannot read %s: %s", *path, strerror(errno));
    if (!(copy = open_memstream(text, &size))) {
        fclose(file);
        return attn_fail(err, ATTN_ENOMEM, "out of memory");
    }
    char part[4096];
    for (size_t got; (got = fread(part, 1, sizeof part, file)) > 0;)
        fwrite(part, 1, got, copy);
    const bool fine = !ferror(file);
    fclose(file);
    if (fclose(copy) != 0)
        return attn_fail(err, ATTN_ENOMEM, "out of memory");
    if (!fine)
        return attn_fail(err, ATTN_EINVAL, "cannot read %s: %s", *path, strerror(errno));
    if (strlen(*text) != size)
        return attn_fail(err, ATTN_EINVAL, "%s: not text, it holds a zero byte", *path);
    return ATTN_OK;
}

static bool exists(const char *folder, const char *name, const char *suffix)
{
    char *path;
    if (asprintf(&path, "%s/%s%s", folder, name, suffix) < 0)
        return false;
    bool there = access(path, F_OK) == 0;
    free(path);
    return there;
}

/* ---- finding plots ---- */

/* Where ours are, seen from build/attnlab, build/COMPILER-MODE/attnlab or PREFIX/bin/attnlab. */
static attn_status find_ours(char **out, attn_error *err)
{
    static const char *const places[] = {"../plots", "../../plots", "../share/attnlab/plots"};
    char program[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    if (length > 0) {
        program[length] = '\0';
        const char *folder = dirname(program);
        for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
            char *place;
            if (asprintf(&place, "%s/%s", folder, places[i]) < 0)
                return attn_fail(err, ATTN_ENOMEM, "out of memory");
            if (exists(place, "style", ".gp") && exists(place, "style", ".sql")) {
                *out = realpath(place, NULL);
                free(place);
                return *out ? ATTN_OK : attn_fail(err, ATTN_ENOMEM, "out of memory");
            }
            free(place);
        }
    }
    return attn_fail(err, ATTN_EINVAL,
                     "no plots beside the program; expected style.gp and style.sql in ../plots or "
                     "../share/attnlab/plots");
}

static bool is_plot_name(const char *name, size_t length)
{
    if (length == 0 || length > 64 || !isalnum((unsigned char)*name))
        return false;
    for (size_t i = 0; i < length; i++)
        if (!isalnum((unsigned char)name[i]) && name[i] != '-' && name[i] != '_')
            return false;
    return true;
}

/* The text of the comment line at *at, which moves on; NULL when it is no comment. */
static char *comment(const char **at, const char *prefix)
{
    const size_t length = strlen(prefix);
    if (strncmp(*at, prefix, length) != 0)
        return NULL;
    const char *text = *at + length, *end = text + strcspn(text, "\n");
    *at = *end ? end + 1 : end;
    return strndup(text, (size_t)(end - text));
}

static void plot_free(plot *p)
{
    free(p->name);
    free(p->summary);
    free(p->needs);
    free(p->folder);
}

static attn_status add(plot_list *list, const char *folder, const char *name, size_t length, attn_error *err)
{
    plot p = {.name = strndup(name, length), .folder = strdup(folder)};
    char *path = NULL, *sql = NULL;
    attn_status status = p.name && p.folder ? ATTN_OK : attn_fail(err, ATTN_ENOMEM, "out of memory");
    if (status == ATTN_OK && plot_find(list, p.name)) {
        plot_free(&p);
        return ATTN_OK;
    }
    if (status == ATTN_OK)
        status = read_text(folder, p.name, ".sql", &path, &sql, err);
    if (status == ATTN_OK) {
        const char *at = sql;
        p.summary = comment(&at, "-- ");
        p.needs = comment(&at, "-- needs: ");
        plot *grown = realloc(list->at, (list->count + 1) * sizeof *grown);
        if (grown)
            list->at = grown;
        else
            status = attn_fail(err, ATTN_ENOMEM, "out of memory");
    }
    if (status == ATTN_OK)
        list->at[list->count++] = p;
    else
        plot_free(&p);
    free(path);
    free(sql);
    return status;
}

static attn_status add_folder(plot_list *list, const char *folder, attn_error *err)
{
    DIR *stream = opendir(folder);
    if (!stream)
        return attn_fail(err, ATTN_EINVAL, "--plots %s: %s; name a folder of NAME.sql and NAME.gp pairs",
                         folder, strerror(errno));
    attn_status status = ATTN_OK;
    for (const struct dirent *entry; status == ATTN_OK && (entry = readdir(stream));) {
        const char *name = entry->d_name, *dot = strrchr(name, '.');
        const bool sql = dot && strcmp(dot, ".sql") == 0, gp = dot && strcmp(dot, ".gp") == 0;
        if (!sql && !gp)
            continue;
        const size_t length = (size_t)(dot - name);
        if (!is_plot_name(name, length)) {
            if (*name != '.') /* editors' files */
                status = attn_fail(err, ATTN_EINVAL, "%s/%s: plots are named with letters, digits, - and _",
                                   folder, name);
            continue;
        }
        if (length == 5 && strncmp(name, "style", 5) == 0)
            continue;
        char *bare = strndup(name, length);
        if (!bare)
            status = attn_fail(err, ATTN_ENOMEM, "out of memory");
        else if (!exists(folder, bare, sql ? ".gp" : ".sql"))
            status = attn_fail(err, ATTN_EINVAL, "%s/%s has no %s.%s beside it; a plot is both", folder, name,
                               bare, sql ? "gp" : "sql");
        else if (sql)
            status = add(list, folder, name, length, err);
        free(bare);
    }
    closedir(stream);
    return status;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const plot *)a)->name, ((const plot *)b)->name);
}

attn_status plot_list_read(plot_list *out, const char *extra, attn_error *err)
{
    plot_list list = {0};
    attn_status status = extra ? add_folder(&list, extra, err) : ATTN_OK;
    if (status == ATTN_OK)
        status = find_ours(&list.folder, err);
    if (status == ATTN_OK)
        status = add_folder(&list, list.folder, err);
    if (status != ATTN_OK) {
        plot_list_free(&list);
        return status;
    }
    if (list.count)
        qsort(list.at, list.count, sizeof *list.at, by_name);
    *out = list;
    return ATTN_OK;
}

void plot_list_free(plot_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        plot_free(&list->at[i]);
    free(list->at);
    free(list->folder);
    *list = (plot_list){0};
}

const plot *plot_find(const plot_list *list, const char *name)
{
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->at[i].name, name) == 0)
            return &list->at[i];
    return NULL;
}

/* ---- drawing ---- */

/* Runs style.sql or NAME.sql: the plot's own folder may replace our style. */
static attn_status run_sql(const char *folder, const char *name, sqlite3 *db, FILE *tsv, plot_data *data,
                           attn_error *err)
{
    char *path = NULL, *sql = NULL;
    attn_status status = read_text(folder, name, ".sql", &path, &sql, err);
    if (status == ATTN_OK)
        status = plot_query(db, sql, path, tsv, data, err);
    free(path);
    free(sql);
    return status;
}

static attn_status append(FILE *out, const char *folder, const char *name, attn_error *err)
{
    char *path = NULL, *text = NULL;
    attn_status status = read_text(folder, name, ".gp", &path, &text, err);
    if (status == ATTN_OK)
        fprintf(out, "\n# ---- %s.gp ----\n%s", name, text);
    free(path);
    free(text);
    return status;
}

static attn_status write_script(const plot *p, const char *style_folder, const char *path,
                                const char *variables, const plot_data *data, attn_error *err)
{
    outfile script = {0};
    attn_status status = outfile_open(&script, path, err);
    if (status != ATTN_OK)
        return status;
    fprintf(script.stream,
            "# Written by attnlab plot. To draw it again, as SVG or as PNG:\n"
            "#   gnuplot %s.gp\n"
            "#   gnuplot -e \"format = 'png'\" %s.gp\n"
            "name = '%s'\ndata = '%s.tsv'\nrows = %zu\nblocks = %zu\n%s",
            p->name, p->name, p->name, p->name, data->rows, data->blocks, variables);
    status = append(script.stream, style_folder, "style", err);
    if (status == ATTN_OK)
        status = append(script.stream, p->folder, p->name, err);
    if (status == ATTN_OK)
        status = outfile_commit(&script, err);
    outfile_discard(&script);
    return status;
}

attn_status plot_draw(const plot_list *list, const plot *p, store *s, const char *out, const char *size_name, bool *drawn,
                      attn_error *err)
{
    *drawn = false;
    plot_data data = {0};
    outfile tsv = {0};
    char *tsv_path = NULL, *gp_path = NULL, *variables = NULL;
    size_t size = 0;
    const char *style_sql = exists(p->folder, "style", ".sql") ? p->folder : list->folder,
               *style_gp = exists(p->folder, "style", ".gp") ? p->folder : list->folder;
    attn_status status = plot_functions(store_handle(s), err);
    if (status == ATTN_OK)
        status = plot_result_functions(s, err);
    if (status == ATTN_OK)
        status = join(&tsv_path, out, p->name, ".tsv", err);
    if (status == ATTN_OK)
        status = join(&gp_path, out, p->name, ".gp", err);
    if (status == ATTN_OK && !(data.variables = open_memstream(&variables, &size)))
        status = attn_fail(err, ATTN_ENOMEM, "out of memory");
    if (status == ATTN_OK)
        status = run_sql(style_sql, "style", store_handle(s), NULL, &data, err);
    if (status == ATTN_OK)
        status = outfile_open(&tsv, tsv_path, err);
    if (status == ATTN_OK)
        status = run_sql(p->folder, p->name, store_handle(s), tsv.stream, &data, err);
    if (data.variables && fclose(data.variables) != 0 && status == ATTN_OK)
        status = attn_fail(err, ATTN_ENOMEM, "out of memory");
    if (status == ATTN_OK && data.rows) {
        status = outfile_commit(&tsv, err);
        if (status == ATTN_OK)
            status = write_script(p, style_gp, gp_path, variables, &data, err);
        static const char *const pictures[] = {"svg", "png", "pdf"};
        for (size_t k = 0; k < sizeof pictures / sizeof pictures[0] && status == ATTN_OK; k++)
            status = plot_gnuplot(out, p->name, pictures[k], size_name, err);
        *drawn = status == ATTN_OK;
    }
    outfile_discard(&tsv);
    free(variables);
    free(gp_path);
    free(tsv_path);
    return status;
}
