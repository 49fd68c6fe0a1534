/* What the files of the store share; nobody else includes it. */
#ifndef HARNESS_STORE_SQL_H
#define HARNESS_STORE_SQL_H

#include "harness/store.h"

struct store {
    sqlite3 *db;
    char *path;
};

/* Says in one line why SQLite returned `rc` on the database `path`, and whose fault that is: the caller's
 * input (EINVAL) or the machine (EIO, ENOMEM). `doing` is a verb: "open", "write". */
attn_status store_sql_fail(sqlite3 *db, int rc, const char *doing, const char *path, attn_error *err);

/* Runs SQL without results. */
attn_status store_exec(store *s, const char *sql, attn_error *err);

/* Rolls back if a transaction is open. */
void store_rollback(store *s);

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
