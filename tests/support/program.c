/* Running programs from tests. */
#include "support/program.h"

#include <criterion/criterion.h>
#include <ftw.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[256];
static pid_t owner;

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    (void)status, (void)type, (void)walk;
    return remove(path);
}

static void remove_folder(void)
{
    if (getpid() == owner)
        nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

const char *scratch_folder(void)
{
    if (!*folder) {
        const char *base = getenv("TMPDIR");
        snprintf(folder, sizeof folder, "%s/attnlab-test-XXXXXX", base && *base ? base : "/tmp");
        cr_assert(mkdtemp(folder) != NULL, "mkdtemp failed in %s", folder);
        owner = getpid();
        atexit(remove_folder);
    }
    return folder;
}

const char *scratch_path(const char *name)
{
    static char ring[8][512];
    static size_t next;
    char *path = ring[next++ % 8];
    snprintf(path, sizeof ring[0], "%s/%s", scratch_folder(), name);
    return path;
}

bool file_exists(const char *path)
{
    struct stat status;
    return lstat(path, &status) == 0;
}

char *read_whole_file(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    cr_assert(file != NULL, "cannot read %s", path);
    size_t used = 0, capacity = 1 << 16;
    char *text = malloc(capacity);
    for (size_t got; text && (got = fread(text + used, 1, capacity - used - 1, file)) > 0;) {
        used += got;
        if (capacity - used < 2)
            text = realloc(text, capacity *= 2);
    }
    fclose(file);
    cr_assert(text != NULL, "out of memory reading %s", path);
    text[used] = '\0';
    if (size)
        *size = used;
    return text;
}

void write_whole_file(const char *path, const void *data, size_t size)
{
    FILE *file = fopen(path, "wb");
    cr_assert(file != NULL, "cannot write %s", path);
    bool fine = fwrite(data, 1, size, file) == size;
    fine = fclose(file) == 0 && fine;
    cr_assert(fine, "cannot write %s", path);
}

static outcome run(const char *command)
{
    static unsigned count;
    char out[512], err[512], name[64];
    snprintf(name, sizeof name, "stdout-%u", count);
    snprintf(out, sizeof out, "%s", scratch_path(name));
    snprintf(name, sizeof name, "stderr-%u", count++);
    snprintf(err, sizeof err, "%s", scratch_path(name));
    char *whole;
    int length = asprintf(&whole, "{ %s\n} >'%s' 2>'%s' </dev/null", command, out, err);
    cr_assert(length > 0, "out of memory");
    int status = system(whole);
    free(whole);
    cr_assert(status != -1, "cannot start: %s", command);
    outcome o = {.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status)};
    o.out = read_whole_file(out, &o.out_size);
    o.err = read_whole_file(err, NULL);
    unlink(out);
    unlink(err);
    return o;
}

outcome attnlab(const char *format, ...)
{
    cr_assert(getenv("ATTNLAB") != NULL, "ATTNLAB does not name the program");
    char *arguments, *command;
    va_list list;
    va_start(list, format);
    int length = vasprintf(&arguments, format, list);
    va_end(list);
    cr_assert(length >= 0, "out of memory");
    length = asprintf(&command, "exec \"$ATTNLAB\" %s", arguments);
    cr_assert(length >= 0, "out of memory");
    outcome o = run(command);
    free(arguments);
    free(command);
    return o;
}

outcome shell(const char *format, ...)
{
    char *command;
    va_list list;
    va_start(list, format);
    int length = vasprintf(&command, format, list);
    va_end(list);
    cr_assert(length >= 0, "out of memory");
    outcome o = run(command);
    free(command);
    return o;
}

void outcome_free(outcome *o)
{
    free(o->out);
    free(o->err);
    *o = (outcome){0};
}

bool one_complaint(const outcome *o, const char *word, ...)
{
    const char *newline = strchr(o->err, '\n');
    if (o->out_size || strncmp(o->err, "attnlab: ", 9) != 0 || !newline || newline[1])
        return false;
    va_list words;
    va_start(words, word);
    bool all = true;
    for (; word && all; word = va_arg(words, const char *))
        all = strstr(o->err, word) != NULL;
    va_end(words);
    return all;
}

const char *ask(const char *database, const char *sql, const char *parameter)
{
    static char ring[8][1024];
    static size_t next;
    char *out = ring[next++ % 8];
    sqlite3 *db;
    sqlite3_stmt *query = NULL;
    cr_assert(sqlite3_open(database, &db) == SQLITE_OK, "cannot open %s", database);
    sqlite3_busy_timeout(db, 5000);
    cr_assert(sqlite3_prepare_v2(db, sql, -1, &query, NULL) == SQLITE_OK, "%s: %s", sql, sqlite3_errmsg(db));
    if (parameter)
        sqlite3_bind_text(query, 1, parameter, -1, SQLITE_STATIC);
    const char *text = sqlite3_step(query) == SQLITE_ROW ? (const char *)sqlite3_column_text(query, 0) : NULL;
    snprintf(out, sizeof ring[0], "%s", text ? text : "");
    sqlite3_finalize(query);
    sqlite3_close(db);
    return out;
}

const char *place(const char *name)
{
    static char kept[64][512];
    static size_t next;
    char *path = kept[next++ % 64];
    snprintf(path, sizeof kept[0], "%s", scratch_path(name));
    return path;
}
