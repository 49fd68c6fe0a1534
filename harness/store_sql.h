/* What the files of the store share; nobody else includes it. */
#ifndef HARNESS_STORE_SQL_H
#define HARNESS_STORE_SQL_H

#include "harness/store.h"

struct store {
    sqlite3 *db;
    char *path;
    sqlite3_stmt *add_sample; /* prepared when first needed */
};

/* Says in one line why SQLite returned `rc` on the database `path`, and whose fault that is: the caller's
 * input (EINVAL) or the machine (EIO, ENOMEM). `doing` is a verb: "open", "write". */
attn_status store_sql_fail(sqlite3 *db, int rc, const char *doing, const char *path, attn_error *err);

/* Runs SQL without results. */
attn_status store_exec(store *s, const char *sql, attn_error *err);

/* A new random key of a run or measurement. */
attn_status store_new_id(char out[STORE_ID_LENGTH + 1], attn_error *err);

/* Rolls back if a transaction is open. */
void store_rollback(store *s);

/* A column and a value for it. */
typedef struct field {
    const char *column;
    enum { FIELD_NULL, FIELD_INT, FIELD_REAL, FIELD_TEXT } kind;
    int64_t integer;
    double real;
    const char *text;
} field;

static inline field field_int(const char *column, int64_t value)
{
    return (field){.column = column, .kind = FIELD_INT, .integer = value};
}
static inline field field_text(const char *column, const char *value) /* NULL: null */
{
    return (field){.column = column, .kind = value ? FIELD_TEXT : FIELD_NULL, .text = value};
}

enum { STORE_MOST_FIELDS = 24 };

/* The id of the row of `table` with these values, 0 when there is none. */
attn_status store_seek(store *s, const char *table, const field *fields, size_t count, int64_t *id,
                       attn_error *err);

/* 1 when `table` has a row with these values, else 0. */
attn_status store_has(store *s, const char *table, const field *fields, size_t count, int64_t *found,
                      attn_error *err);

/* As store_seek(), after inserting the row if it was missing. */
attn_status store_intern(store *s, const char *table, const field *fields, size_t count, int64_t *id,
                         attn_error *err);

/* Inserts a row; *id may be NULL. */
attn_status store_insert(store *s, const char *table, const field *fields, size_t count, int64_t *id,
                         attn_error *err);

/* The id of a series, made if missing. EINVAL when it is there with another unit. */
attn_status store_series(store *s, const char *name, const char *unit, int64_t *id, attn_error *err);

/* Adds sample `rep` of the series `of`; `reason` is NULL where there is a value. */
attn_status store_sample(store *s, int64_t measurement, int64_t of, int64_t rep, field value,
                         const char *reason, attn_error *err);

/* Whose file is this, and of which version? *version is 0 for an empty one. EINVAL when it is another
 * application's or newer than `newest`. */
attn_status store_identify(store *s, int newest, int *version, attn_error *err);

/* One step of the schema: SQL that leads from the version before to this one; the first makes an empty file
 * version 1. */
typedef struct migration {
    int version;
    const char *sql;
} migration;

extern const migration store_migrations[];
extern const size_t store_migration_count;

/* Brings an attnlab database, or an empty file, to the last version of `steps`, and makes the views anew. An
 * existing database is copied to PATH.vN.bak first (PATH.vN-2.bak and so on where taken). All or nothing.
 * EINVAL when the file is another application's or of a version beyond the last. */
attn_status store_migrate(store *s, const migration *steps, size_t count, attn_error *err);

#endif
