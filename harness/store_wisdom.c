/* Wisdom in the store: rows of (key, lowering, time, when it was learned). Rows never change, so copies of a
 * database merge; which row counts is decided when they are read. */
#include "harness/store_sql.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "attn/wisdom.h"

/* The row that counts for each key. */
#define NEWEST \
    "SELECT key, lowering, ns FROM (SELECT *, row_number() OVER (PARTITION BY key " \
    "ORDER BY learned DESC, lowering, ns) AS age FROM wisdom) WHERE age = 1"

/* Adds a line "KEY lowering=NAME ns=TIME" unless that is what counts already. */
static attn_status keep_line(store *s, char *line, const char *now, size_t *added, attn_error *err)
{
    static const char sql[] = "INSERT INTO wisdom (key, lowering, ns, learned) SELECT ?1, ?2, ?3, ?4 WHERE NOT EXISTS "
                              "(SELECT 1 FROM (" NEWEST ") WHERE key = ?1 AND lowering = ?2 AND ns = ?3)";
    char *lowering = strstr(line, " lowering="), *ns = lowering ? strstr(lowering, " ns=") : NULL;
    if (!ns)
        return ATTN_OK; /* the first line */
    *lowering = *ns = '\0';
    sqlite3_stmt *query = NULL;
    int rc = sqlite3_prepare_v2(s->db, sql, -1, &query, NULL);
    if (rc == SQLITE_OK) {
        sqlite3_bind_text(query, 1, line, -1, SQLITE_STATIC);
        sqlite3_bind_text(query, 2, lowering + strlen(" lowering="), -1, SQLITE_STATIC);
        sqlite3_bind_int64(query, 3, strtoll(ns + strlen(" ns="), NULL, 10));
        sqlite3_bind_text(query, 4, now, -1, SQLITE_STATIC);
        rc = sqlite3_step(query);
        *added += rc == SQLITE_DONE ? (size_t)sqlite3_changes(s->db) : 0;
    }
    sqlite3_finalize(query);
    return rc == SQLITE_DONE ? ATTN_OK : store_sql_fail(s->db, rc, "write", s->path, err);
}

attn_status store_wisdom_keep(store *s, size_t *added, attn_error *err)
{
    size_t count = 0;
    char now[STORE_TIME_LENGTH + 1], *text = attn_wisdom_export();
    store_now(now);
    attn_status status = text ? store_exec(s, "BEGIN IMMEDIATE", err) : attn_fail(err, ATTN_ENOMEM, "out of memory");
    for (char *line = text, *next; !status && *line; line = next) {
        size_t length = strcspn(line, "\n");
        next = line + length + (line[length] == '\n');
        line[length] = '\0';
        status = keep_line(s, line, now, &count, err);
    }
    if (!status)
        status = store_exec(s, "COMMIT", err);
    store_rollback(s);
    free(text);
    if (!status && added)
        *added = count;
    return status;
}

attn_status store_wisdom_recall(store *s, attn_error *err)
{
    sqlite3_stmt *query = NULL;
    sqlite3_str *text = sqlite3_str_new(s->db);
    sqlite3_str_appendall(text, "attn-wisdom 1\n");
    int rc = sqlite3_prepare_v2(s->db, NEWEST, -1, &query, NULL);
    while (rc == SQLITE_OK && sqlite3_step(query) == SQLITE_ROW)
        sqlite3_str_appendf(text, "%s lowering=%s ns=%lld\n", sqlite3_column_text(query, 0),
                            sqlite3_column_text(query, 1), (long long)sqlite3_column_int64(query, 2));
    rc = sqlite3_finalize(query) != SQLITE_OK || rc != SQLITE_OK ? sqlite3_errcode(s->db) : SQLITE_OK;
    char *all = sqlite3_str_finish(text);
    attn_status status = rc != SQLITE_OK ? store_sql_fail(s->db, rc, "read", s->path, err)
                         : !all          ? attn_fail(err, ATTN_ENOMEM, "out of memory")
                                         : attn_wisdom_import(all, NULL, err);
    sqlite3_free(all);
    return status;
}

attn_status store_wisdom_recall_from(const char *path, attn_error *err)
{
    struct stat info;
    if (stat(path, &info) != 0 || info.st_size == 0)
        return ATTN_OK;
    store *s = NULL;
    attn_status status = store_open(&s, path, STORE_READ, err);
    if (status) /* a writer that was killed left something that only a writer can put right */
        status = store_open(&s, path, STORE_WRITE, err);
    if (!status)
        status = store_wisdom_recall(s, err);
    store_close(s);
    return status;
}

attn_status store_wisdom_forget(store *s, size_t *count, attn_error *err)
{
    attn_status status = store_exec(s, "DELETE FROM wisdom", err);
    *count = status ? 0 : (size_t)sqlite3_changes(s->db);
    return status;
}
