/* attnlab db: the store from the command line. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "attn/wisdom.h"
#include "harness/cli.h"
#include "harness/emit.h"
#include "harness/store.h"

static const option options[] = {
    {"db", OPTION_TEXT, "FILE", "the database (default: $ATTNLAB_DB, else results/attnlab.db)", NULL, 0, 0,
     NULL, false},
    {"o", OPTION_CHOICE, "FORMAT", "sql and check: any (default table); export: jsonl or csv (default jsonl)",
     NULL, 0, 0, EMIT_CHOICES, false},
    {0},
};

typedef struct action {
    const char *name;
    size_t operands; /* behind the name */
    const char *usage;
    bool prints; /* takes -o */
    int (*run)(const args *a, const char *const *operands);
} action;

/* ---- path ---- */

static int print_path(const args *a, const char *const *operands)
{
    (void)operands;
    puts(store_path(cli_text(a, "db")));
    return EXIT_FINE;
}

/* ---- sql ---- */

/* A query may read and nothing else; a database opened for reading could still attach or copy to others. */
static int only_reading(void *context, int code, const char *first, const char *second, const char *database,
                        const char *trigger)
{
    static const char *const pragmas[] = {"table_info",    "table_xinfo",    "table_list",
                                          "index_list",    "index_info",     "foreign_key_list",
                                          "function_list", "compile_options"};
    (void)context, (void)database, (void)trigger;
    switch (code) {
    case SQLITE_SELECT:
    case SQLITE_READ:
    case SQLITE_RECURSIVE: return SQLITE_OK;
    case SQLITE_FUNCTION: return strcmp(second, "load_extension") == 0 ? SQLITE_DENY : SQLITE_OK;
    case SQLITE_PRAGMA:
        for (size_t i = 0; i < sizeof pragmas / sizeof pragmas[0]; i++)
            if (strcmp(first, pragmas[i]) == 0)
                return SQLITE_OK;
        return second ? SQLITE_DENY : SQLITE_OK;
    default: return SQLITE_DENY;
    }
}

static emit_value value_at(sqlite3_stmt *query, int i)
{
    switch (sqlite3_column_type(query, i)) {
    case SQLITE_INTEGER: return emit_int(sqlite3_column_int64(query, i));
    case SQLITE_FLOAT: return emit_real(sqlite3_column_double(query, i));
    case SQLITE_NULL: return emit_null();
    default: return emit_text((const char *)sqlite3_column_text(query, i));
    }
}

static int print_rows(sqlite3 *db, sqlite3_stmt *query, emit_format format)
{
    const int count = sqlite3_column_count(query);
    emit_column *columns = calloc((size_t)count + 1, sizeof *columns);
    emit_value *values = calloc((size_t)count + 1, sizeof *values);
    emitter *e = NULL;
    int code = EXIT_FINE;
    if (columns && values) {
        for (int i = 0; i < count; i++)
            columns[i].name = columns[i].title = sqlite3_column_name(query, i);
        e = emit_open(stdout, format, columns, (size_t)count);
    }
    if (!e) {
        code = cli_complain(EXIT_MACHINE, "out of memory");
        goto cleanup;
    }
    int rc;
    while ((rc = sqlite3_step(query)) == SQLITE_ROW) {
        for (int i = 0; i < count; i++)
            values[i] = value_at(query, i);
        emit_row(e, values);
    }
    if (rc != SQLITE_DONE)
        code = cli_complain((rc & 0xff) == SQLITE_BUSY ? EXIT_MACHINE : EXIT_INPUT, "sql: %s",
                            sqlite3_errmsg(db));
    if (!emit_close(e) && code == EXIT_FINE)
        code = cli_complain(EXIT_MACHINE, "standard output could not be written: %s", strerror(errno));
cleanup:
    free(columns);
    free(values);
    return code;
}

static int query_sql(const args *a, const char *const *operands)
{
    const char *sql = operands[0];
    attn_error err;
    store *s;
    attn_status status = store_open(&s, store_path(cli_text(a, "db")), STORE_READ, &err);
    if (status)
        return cli_fail(status, &err);
    sqlite3 *db = store_handle(s);
    sqlite3_stmt *query = NULL;
    const char *rest = "";
    sqlite3_set_authorizer(db, only_reading, NULL);
    int rc = sqlite3_prepare_v2(db, sql, -1, &query, &rest);
    int code;
    if (rc == SQLITE_AUTH || (rc == SQLITE_OK && query && !sqlite3_stmt_readonly(query)))
        code = cli_complain(EXIT_INPUT, "sql: only queries are allowed here (%.60s); SELECT reads",
                            rc == SQLITE_AUTH ? sqlite3_errmsg(db) : "this one writes");
    else if (rc != SQLITE_OK)
        code = cli_complain((rc & 0xff) == SQLITE_BUSY ? EXIT_MACHINE : EXIT_INPUT, "sql: %s",
                            sqlite3_errmsg(db));
    else if (!query || sqlite3_column_count(query) == 0)
        code = cli_complain(EXIT_INPUT, "sql: nothing to answer in '%.60s'; write a SELECT", sql);
    else if (rest[strspn(rest, " \t\r\n;")])
        code = cli_complain(EXIT_INPUT, "sql: one query at a time; '%.60s' is left over", rest);
    else
        code = print_rows(db, query, (emit_format)cli_choice(a, "o"));
    sqlite3_finalize(query);
    store_close(s);
    return code;
}

/* ---- check ---- */

/* The first column of the first row as text; "" when there is none. */
static const char *ask(sqlite3 *db, const char *sql, char out[256])
{
    sqlite3_stmt *query = NULL;
    out[0] = '\0';
    if (sqlite3_prepare_v2(db, sql, -1, &query, NULL) != SQLITE_OK)
        snprintf(out, 256, "%s", sqlite3_errmsg(db));
    else {
        int rc = sqlite3_step(query);
        if (rc == SQLITE_ROW)
            snprintf(out, 256, "%s", (const char *)sqlite3_column_text(query, 0));
        else if (rc != SQLITE_DONE)
            snprintf(out, 256, "%s", sqlite3_errmsg(db));
    }
    sqlite3_finalize(query);
    return out;
}

static int check(const args *a, const char *const *operands)
{
    static const struct {
        const char *name, *sql;
        const char *right; /* the answer expected, NULL: any */
    } questions[] = {
        {"application_id", "PRAGMA application_id", NULL},
        {"version", "PRAGMA user_version", NULL},
        {"journal", "PRAGMA journal_mode", NULL},
        {"integrity", "PRAGMA integrity_check(1)", "ok"},
        {"foreign_keys",
         "SELECT \"table\" || ' row ' || ifnull(rowid, '?') || ' lacks its ' || parent "
         "FROM pragma_foreign_key_check",
         ""},
        {"runs", "SELECT count(*) FROM runs", NULL},
        {"cells", "SELECT count(*) FROM cells", NULL},
        {"finished", "SELECT count(*) FROM measurements WHERE status = 'finished'", NULL},
        {"failed", "SELECT count(*) FROM measurements WHERE status = 'failed'", NULL},
        {"samples", "SELECT count(*) FROM samples", NULL},
        {"wisdom", "SELECT count(*) FROM wisdom", NULL},
    };
    static const emit_column columns[] = {{"item", "item", EMIT_PLAIN}, {"value", "value", EMIT_PLAIN}};
    (void)operands;
    attn_error err;
    store *s;
    attn_status status = store_open(&s, store_path(cli_text(a, "db")), STORE_READ, &err);
    if (status)
        return cli_fail(status, &err);
    emitter *e = emit_open(stdout, (emit_format)cli_choice(a, "o"), columns, 2);
    if (!e) {
        store_close(s);
        return cli_complain(EXIT_MACHINE, "out of memory");
    }
    char answer[256], wrong[300] = "";
    emit_row(e, (emit_value[]){emit_text("file"), emit_text(store_file(s))});
    for (size_t i = 0; i < sizeof questions / sizeof questions[0]; i++) {
        ask(store_handle(s), questions[i].sql, answer);
        const bool fine = !questions[i].right || strcmp(answer, questions[i].right) == 0;
        if (!fine && !*wrong)
            snprintf(wrong, sizeof wrong, "%s: %s", questions[i].name, answer);
        emit_row(e, (emit_value[]){emit_text(questions[i].name), emit_text(*answer ? answer : "ok")});
    }
    bool written = emit_close(e);
    int code = *wrong ? cli_complain(EXIT_INPUT, "%s is damaged: %s", store_file(s), wrong)
               : !written
                   ? cli_complain(EXIT_MACHINE, "standard output could not be written: %s", strerror(errno))
                   : EXIT_FINE;
    store_close(s);
    return code;
}

/* ---- export, import ---- */

static int export(const args *a, const char *const *operands)
{
    (void)operands;
    emit_format format = cli_given(a, "o") ? (emit_format)cli_choice(a, "o") : EMIT_JSONL;
    if (format != EMIT_JSONL && format != EMIT_CSV)
        return cli_complain(EXIT_INPUT, "db export writes -o jsonl or -o csv");
    attn_error err;
    store *s;
    attn_status status = store_open(&s, store_path(cli_text(a, "db")), STORE_READ, &err);
    if (!status)
        status = store_export(s, format == EMIT_CSV, stdout, &err);
    store_close(s);
    return status ? cli_fail(status, &err) : EXIT_FINE;
}

static attn_status read_file(const char *path, char **text, size_t *size, attn_error *err)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        return attn_fail(err, ATTN_EINVAL, "cannot read %s: %s", path, strerror(errno));
    size_t used = 0, capacity = 1 << 16;
    char *all = malloc(capacity);
    attn_status status = ATTN_OK;
    while (all && !feof(file) && !ferror(file)) {
        if (used == capacity) {
            char *larger = realloc(all, capacity * 2);
            if (!larger)
                break;
            all = larger;
            capacity *= 2;
        }
        used += fread(all + used, 1, capacity - used, file);
    }
    if (ferror(file))
        status = attn_fail(err, ATTN_EINVAL, "cannot read %s: %s", path, strerror(errno));
    else if (!all || !feof(file))
        status = attn_fail(err, ATTN_ENOMEM, "out of memory reading %s", path);
    fclose(file);
    if (status) {
        free(all);
        return status;
    }
    *text = all;
    *size = used;
    return ATTN_OK;
}

static int import(const args *a, const char *const *operands)
{
    const char *file = operands[0];
    attn_error err;
    store *s = NULL;
    char *text = NULL;
    size_t size = 0;
    store_counts counts = {0};
    attn_status status = read_file(file, &text, &size, &err);
    if (!status)
        status = store_import_check(file, text, size, &err); /* before a database is made for it */
    if (!status)
        status = store_open(&s, store_path(cli_text(a, "db")), STORE_WRITE, &err);
    if (!status)
        status = store_import(s, file, text, size, &counts, &err);
    if (!status)
        fprintf(stderr,
                "%s: %zu runs, %zu measurements, %zu samples, %zu peaks and %zu entries of wisdom added, "
                "%zu measurements known already\n",
                store_file(s), counts.runs, counts.measurements, counts.samples, counts.peaks,
                counts.wisdom, counts.known);
    store_close(s);
    free(text);
    return status ? cli_fail(status, &err) : EXIT_FINE;
}

/* ---- merge ---- */

/* All are read before anything is written; then each is added in one transaction. What is there already stays, and everything has an
 * id, so neither order nor repetition matters. */
static int merge(const args *a, const char *const *files, size_t count)
{
    attn_error err;
    store *s = NULL;
    store_counts sum = {0};
    char **texts = calloc(count, sizeof *texts);
    size_t *sizes = calloc(count, sizeof *sizes);
    attn_status status = texts && sizes ? ATTN_OK : attn_fail(&err, ATTN_ENOMEM, "out of memory");
    for (size_t i = 0; i < count && !status; i++)
        status = store_read_other(files[i], &texts[i], &sizes[i], &err);
    if (!status)
        status = store_open(&s, store_path(cli_text(a, "db")), STORE_WRITE, &err);
    for (size_t i = 0; i < count && !status; i++) {
        store_counts counts = {0};
        status = store_import(s, files[i], texts[i], sizes[i], &counts, &err);
        sum.runs += counts.runs;
        sum.measurements += counts.measurements;
        sum.samples += counts.samples;
        sum.known += counts.known;
    }
    if (!status)
        fprintf(stderr, "%s: %zu runs, %zu measurements and %zu samples added from %zu database%s, %zu measurements known already\n",
                store_file(s), sum.runs, sum.measurements, sum.samples, count, count == 1 ? "" : "s", sum.known);
    store_close(s);
    for (size_t i = 0; texts && i < count; i++)
        free(texts[i]);
    free(texts);
    free(sizes);
    return status ? cli_fail(status, &err) : EXIT_FINE;
}

/* ---- stamp ---- */

static int stamp(const args *a, const char *const *operands)
{
    attn_error err;
    host here;
    (void)a;
    char *state = environment_describe();
    if (!state)
        return cli_complain(EXIT_MACHINE, "out of memory");
    host_read(&here, "");
    const store_run about = {.host = &here,
                             .build = build_info_get(),
                             .environment = state,
                             .label = operands[0],
                             .command = operands[1]};
    attn_status status = store_stamp(&about, stdout, &err);
    free(state);
    return status ? cli_fail(status, &err) : EXIT_FINE;
}

/* ---- wisdom ---- */

static int print_wisdom(store *s, const char *file, attn_error *err)
{
    (void)file;
    attn_status status = store_wisdom_recall(s, err);
    if (status)
        return cli_fail(status, err);
    char *text = attn_wisdom_export();
    bool written = text && fputs(text, stdout) >= 0 && fflush(stdout) == 0;
    free(text);
    return written ? EXIT_FINE : cli_complain(EXIT_MACHINE, "standard output could not be written: %s", strerror(errno));
}

static int import_wisdom(store *s, const char *file, attn_error *err)
{
    char *text = NULL;
    size_t size = 0, added = 0;
    attn_wisdom_counts counts = {0};
    attn_status status = read_file(file, &text, &size, err);
    char *terminated = status ? NULL : strndup(text, size);
    if (!status && !terminated)
        status = attn_fail(err, ATTN_ENOMEM, "out of memory reading %s", file);
    if (!status && strlen(terminated) != size)
        status = attn_fail(err, ATTN_EINVAL, "%s: holds zero bytes, not wisdom", file);
    if (!status && (status = attn_wisdom_import(terminated, &counts, err)) == ATTN_EINVAL) {
        const attn_error inner = *err;
        attn_fail(err, status, "%s: %s", file, inner.message);
    }
    if (!status)
        status = store_wisdom_keep(s, &added, err);
    free(terminated);
    free(text);
    if (status)
        return cli_fail(status, err);
    fprintf(stderr, "%s: %zu entries of wisdom added, %zu known already, %zu of kernels that this build lacks ignored\n",
            store_file(s), added, counts.taken - (added < counts.taken ? added : counts.taken), counts.ignored);
    return EXIT_FINE;
}

static int forget_wisdom(store *s, const char *file, attn_error *err)
{
    (void)file;
    size_t count;
    attn_status status = store_wisdom_forget(s, &count, err);
    if (status)
        return cli_fail(status, err);
    fprintf(stderr, "%s: %zu entries of wisdom forgotten\n", store_file(s), count);
    return EXIT_FINE;
}

static int wisdom(const args *a, const char *const *words, size_t count)
{
    static const struct {
        const char *name;
        size_t operands;
        store_mode mode;
        int (*run)(store *s, const char *file, attn_error *err);
    } verbs[] = {{"export", 0, STORE_READ, print_wisdom}, {"import", 1, STORE_WRITE, import_wisdom},
                 {"forget", 0, STORE_WRITE, forget_wisdom}};
    const char *verb = count ? words[0] : "export";
    size_t v = 0, verb_count = sizeof verbs / sizeof verbs[0];
    while (v < verb_count && strcmp(verbs[v].name, verb) != 0)
        v++;
    if (v == verb_count || (count ? count - 1 : 0) != verbs[v].operands || cli_given(a, "o"))
        return cli_complain(EXIT_INPUT, "usage: attnlab db wisdom [export | import FILE | forget], without -o");
    attn_error err;
    store *s = NULL;
    attn_status status = store_open(&s, store_path(cli_text(a, "db")), verbs[v].mode, &err);
    int code = status ? cli_fail(status, &err) : verbs[v].run(s, count > 1 ? words[1] : NULL, &err);
    store_close(s);
    return code;
}

/* ---- the command ---- */

static const action actions[] = {
    {"path", 0, "attnlab db path", false, print_path},
    {"check", 0, "attnlab db check", true, check},
    {"sql", 1, "attnlab db sql \"SELECT ...\"", true, query_sql},
    {"export", 0, "attnlab db export -o jsonl|csv > FILE", true, export},
    {"import", 1, "attnlab db import FILE", false, import},
    {"stamp", 2, "attnlab db stamp LABEL COMMAND", false, stamp},
};

static int run(const args *a)
{
    const char *const *words;
    size_t count = cli_operands(a, &words);
    if (strcmp(words[0], "wisdom") == 0)
        return wisdom(a, words + 1, count - 1);
    if (strcmp(words[0], "merge") == 0 && (count < 2 || cli_given(a, "o")))
        return cli_complain(EXIT_INPUT, "usage: attnlab db merge FILE... [--db FILE], without -o");
    if (strcmp(words[0], "merge") == 0)
        return merge(a, words + 1, count - 1);
    for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++) {
        const action *x = &actions[i];
        if (strcmp(words[0], x->name) != 0)
            continue;
        if (count - 1 != x->operands)
            return cli_complain(EXIT_INPUT, "db %s takes %zu argument%s, not %zu; usage: %s", x->name,
                                x->operands, x->operands == 1 ? "" : "s", count - 1, x->usage);
        if (cli_given(a, "o") && !x->prints)
            return cli_complain(EXIT_INPUT, "db %s takes no -o; usage: %s", x->name, x->usage);
        return x->run(a, words + 1);
    }
    return cli_complain(EXIT_INPUT, "db %.60s: not one of path, check, sql, export, import, merge, stamp, wisdom", words[0]);
}

const command cmd_db = {
    .name = "db",
    .operands = "path|check|sql|export|import|merge|stamp|wisdom",
    .min_operands = 1,
    .max_operands = 1025,
    .summary = "the database of results",
    .details =
        "  attnlab db path               where it is\n"
        "  attnlab db check              whether it is whole, and what is in it\n"
        "  attnlab db sql 'SELECT ...'   one query, reading only\n"
        "  attnlab db export > FILE      all of it as text; equal content, equal bytes\n"
        "  attnlab db import FILE        adds what an export holds and the database lacks\n"
        "  attnlab db merge FILE...      the same from other databases; neither order\n"
        "                                nor repetition matters\n"
        "  attnlab db wisdom             what --plan measure has learned, as text\n"
        "  attnlab db wisdom import FILE adds such text; wisdom forget removes it all\n"
        "  attnlab db stamp LABEL COMMAND\n"
        "      a run record of this machine and program, to begin an import with that\n"
        "      other programs' measurements follow\n"
        "\n"
        "Tables and views are described in results/README.md; the views to start from are "
               "results (one row for each finished measurement) and latest (the newest of each "
               "cell on each host).",
    .options = options,
    .run = run,
};
