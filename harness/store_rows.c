/* Rows in and out by column names: the few statements that all writing needs, built from lists of fields. */
#include "harness/store_sql.h"

#include <assert.h>
#include <stdlib.h>

static int bind(sqlite3_stmt *statement, const field *fields, size_t count)
{
    int rc = SQLITE_OK;
    for (size_t i = 0; i < count && rc == SQLITE_OK; i++) {
        const field *f = &fields[i];
        const int at = (int)i + 1;
        switch (f->kind) {
        case FIELD_NULL: rc = sqlite3_bind_null(statement, at); break;
        case FIELD_INT: rc = sqlite3_bind_int64(statement, at, f->integer); break;
        case FIELD_REAL: rc = sqlite3_bind_double(statement, at, f->real); break;
        case FIELD_TEXT: rc = sqlite3_bind_text(statement, at, f->text, -1, SQLITE_STATIC); break;
        }
    }
    return rc;
}

/* Builds one statement with a piece of text for each column, binds, takes one step. */
static int execute(store *s, const char *head, const char *table, const char *middle, const char *first,
                   const char *between, const char *tail, const field *fields, size_t count,
                   sqlite3_stmt **out)
{
    assert(count <= STORE_MOST_FIELDS);
    sqlite3_str *sql = sqlite3_str_new(s->db);
    sqlite3_str_appendf(sql, "%s %s %s", head, table, middle);
    for (size_t i = 0; i < count; i++)
        sqlite3_str_appendf(sql, "%s%s%s", i ? between : first, fields[i].column, tail);
    if (tail[0] == '\0') { /* INSERT: the values behind the columns */
        sqlite3_str_appendall(sql, ") VALUES (");
        for (size_t i = 0; i < count; i++)
            sqlite3_str_appendall(sql, i ? ", ?" : "?");
        sqlite3_str_appendall(sql, ")");
    }
    char *text = sqlite3_str_finish(sql);
    int rc = text ? sqlite3_prepare_v2(s->db, text, -1, out, NULL) : SQLITE_NOMEM;
    sqlite3_free(text);
    if (rc == SQLITE_OK)
        rc = bind(*out, fields, count);
    return rc == SQLITE_OK ? sqlite3_step(*out) : rc;
}

attn_status store_seek(store *s, const char *table, const field *fields, size_t count, int64_t *id,
                       attn_error *err)
{
    sqlite3_stmt *query = NULL;
    int rc = execute(s, "SELECT id FROM", table, "WHERE", " ", " AND ", " IS ?", fields, count, &query);
    *id = rc == SQLITE_ROW ? sqlite3_column_int64(query, 0) : 0;
    sqlite3_finalize(query);
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? ATTN_OK : store_sql_fail(s->db, rc, "read", s->path, err);
}

attn_status store_has(store *s, const char *table, const field *fields, size_t count, int64_t *found,
                      attn_error *err)
{
    sqlite3_stmt *query = NULL;
    int rc = execute(s, "SELECT 1 FROM", table, "WHERE", " ", " AND ", " IS ?", fields, count, &query);
    *found = rc == SQLITE_ROW;
    sqlite3_finalize(query);
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? ATTN_OK : store_sql_fail(s->db, rc, "read", s->path, err);
}

attn_status store_insert(store *s, const char *table, const field *fields, size_t count, int64_t *id,
                         attn_error *err)
{
    sqlite3_stmt *insert = NULL;
    int rc = execute(s, "INSERT INTO", table, "", "(", ", ", "", fields, count, &insert);
    attn_status status = rc == SQLITE_DONE ? ATTN_OK : store_sql_fail(s->db, rc, "write", s->path, err);
    sqlite3_finalize(insert);
    if (id)
        *id = status ? 0 : sqlite3_last_insert_rowid(s->db);
    return status;
}

attn_status store_intern(store *s, const char *table, const field *fields, size_t count, int64_t *id,
                         attn_error *err)
{
    attn_status status = store_seek(s, table, fields, count, id, err);
    return status || *id ? status : store_insert(s, table, fields, count, id, err);
}

attn_status store_series(store *s, const char *name, const char *unit, int64_t *id, attn_error *err)
{
    const field both[] = {field_text("name", name), field_text("unit", unit)};
    attn_status status = store_seek(s, "series", both, 2, id, err);
    if (status || *id)
        return status;
    if ((status = store_seek(s, "series", both, 1, id, err)))
        return status;
    if (*id)
        return attn_fail(err, ATTN_EINVAL, "%s: series %s is there with another unit than '%s'", s->path,
                         name, unit);
    return store_insert(s, "series", both, 2, id, err);
}

attn_status store_sample(store *s, int64_t measurement, int64_t of, int64_t rep, field value,
                         const char *reason, attn_error *err)
{
    static const char sql[] =
        "INSERT INTO samples (measurement, series, rep, value, reason) VALUES (?, ?, ?, ?, ?)";
    const field row[] = {field_int(NULL, measurement), field_int(NULL, of), field_int(NULL, rep), value,
                         field_text(NULL, reason)};
    int rc = s->add_sample
                 ? SQLITE_OK
                 : sqlite3_prepare_v3(s->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &s->add_sample, NULL);
    if (rc == SQLITE_OK)
        rc = bind(s->add_sample, row, sizeof row / sizeof row[0]);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(s->add_sample);
    attn_status status = rc == SQLITE_DONE ? ATTN_OK : store_sql_fail(s->db, rc, "write", s->path, err);
    sqlite3_reset(s->add_sample);
    sqlite3_clear_bindings(s->add_sample);
    return status;
}
