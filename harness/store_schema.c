/* The schema and its history.
 *
 * The version of a database (PRAGMA user_version) is the number of steps applied to it. A step, once
 * released, never changes; a new one is added behind. Views hold no data and are made anew after any step.
 * The SQL files are built in. */
#include "harness/store_sql.h"

#include <stdio.h>
#include <unistd.h>

#include "harness/embed.h"

EMBED(store_schema_sql, "harness/schema.sql");
EMBED(store_peaks_sql, "harness/schema_peaks.sql");
EMBED(store_wisdom_sql, "harness/schema_wisdom.sql");
EMBED(store_lanes_sql, "harness/schema_lanes.sql");
EMBED(store_derived_sql, "harness/schema_derived.sql");
EMBED(store_views_sql, "harness/views.sql");

const migration store_migrations[] = {
    {1, store_schema_sql},
    {2, store_peaks_sql},
    {3, store_wisdom_sql},
    {4, store_lanes_sql},
    {5, store_derived_sql},
};
const size_t store_migration_count = sizeof store_migrations / sizeof store_migrations[0];

int store_version(void)
{
    return store_migrations[store_migration_count - 1].version;
}

static attn_status pragma_int(store *s, const char *sql, int *out, attn_error *err)
{
    sqlite3_stmt *query = NULL;
    int rc = sqlite3_prepare_v2(s->db, sql, -1, &query, NULL);
    if (rc == SQLITE_OK && (rc = sqlite3_step(query)) == SQLITE_ROW) {
        *out = sqlite3_column_int(query, 0);
        rc = SQLITE_OK;
    }
    sqlite3_finalize(query);
    return rc == SQLITE_OK ? ATTN_OK : store_sql_fail(s->db, rc, "read", s->path, err);
}

attn_status store_identify(store *s, int newest, int *version, attn_error *err)
{
    int application = 0, objects = 0;
    const bool alone = sqlite3_get_autocommit(s->db); /* then of one moment: another may be making the file */
    attn_status status = alone ? store_exec(s, "BEGIN", err) : ATTN_OK;
    if (!status)
        status = pragma_int(s, "PRAGMA application_id", &application, err);
    if (!status)
        status = pragma_int(s, "PRAGMA user_version", version, err);
    if (!status)
        status = pragma_int(s, "SELECT count(*) FROM sqlite_schema", &objects, err);
    if (alone)
        store_rollback(s);
    if (status)
        return status;
    if (application == 0 && *version == 0 && objects == 0)
        return ATTN_OK;
    if (application != STORE_APPLICATION_ID)
        return attn_fail(err, ATTN_EINVAL,
                         "%s: a database of another application (application_id %d, attnlab's is %d); "
                         "name another file",
                         s->path, application, (int)STORE_APPLICATION_ID);
    if (*version > newest)
        return attn_fail(err, ATTN_EINVAL,
                         "%s: schema version %d, newer than this program's %d; use a newer attnlab", s->path,
                         *version, newest);
    return *version > 0 ? ATTN_OK
                        : attn_fail(err, ATTN_EINVAL, "%s: schema version %d, expected 1 to %d", s->path,
                                    *version, newest);
}

/* Copies the last committed state through a connection of its own: ours holds the write lock meanwhile, so
 * nothing can come between the copy and the change. */
static attn_status back_up(store *s, int version, attn_error *err)
{
    char copy[4096];
    int length = snprintf(copy, sizeof copy, "%s.v%d.bak", s->path, version);
    for (int i = 2; length > 0 && (size_t)length < sizeof copy && access(copy, F_OK) == 0; i++)
        length = snprintf(copy, sizeof copy, "%s.v%d-%d.bak", s->path, version, i);
    if (length < 0 || (size_t)length >= sizeof copy)
        return attn_fail(err, ATTN_EINVAL, "%s: path too long for a backup beside it", s->path);

    sqlite3 *from = NULL, *to = NULL;
    int rc = sqlite3_open_v2(s->path, &from, SQLITE_OPEN_READONLY, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_open_v2(copy, &to, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL);
    sqlite3_backup *backup = rc == SQLITE_OK ? sqlite3_backup_init(to, "main", from, "main") : NULL;
    if (backup) {
        sqlite3_backup_step(backup, -1);
        rc = sqlite3_backup_finish(backup);
    } else if (rc == SQLITE_OK) {
        rc = sqlite3_errcode(to);
    }
    attn_status status = rc == SQLITE_OK ? ATTN_OK : store_sql_fail(to, rc, "write the backup", copy, err);
    sqlite3_close(to);
    sqlite3_close(from);
    if (status)
        unlink(copy);
    return status;
}

static attn_status drop_views(store *s, attn_error *err)
{
    for (;;) {
        sqlite3_stmt *query = NULL;
        char *drop = NULL;
        int rc = sqlite3_prepare_v2(s->db, "SELECT name FROM sqlite_schema WHERE type = 'view' LIMIT 1", -1,
                                    &query, NULL);
        if (rc == SQLITE_OK && (rc = sqlite3_step(query)) == SQLITE_ROW)
            drop = sqlite3_mprintf("DROP VIEW \"%w\"", sqlite3_column_text(query, 0));
        sqlite3_finalize(query);
        if (rc == SQLITE_DONE)
            return ATTN_OK;
        if (rc != SQLITE_ROW || !drop)
            return store_sql_fail(s->db, rc == SQLITE_ROW ? SQLITE_NOMEM : rc, "read", s->path, err);
        attn_status status = store_exec(s, drop, err);
        sqlite3_free(drop);
        if (status)
            return status;
    }
}

static attn_status apply(store *s, const migration *steps, size_t count, int version, attn_error *err)
{
    attn_status status = drop_views(s, err);
    for (size_t i = 0; !status && i < count; i++)
        if (steps[i].version > version)
            status = store_exec(s, steps[i].sql, err);
    if (!status)
        status = store_exec(s, store_views_sql, err);
    char stamp[96];
    snprintf(stamp, sizeof stamp, "PRAGMA application_id = %d; PRAGMA user_version = %d",
             (int)STORE_APPLICATION_ID, steps[count - 1].version);
    return status ? status : store_exec(s, stamp, err);
}

attn_status store_migrate(store *s, const migration *steps, size_t count, attn_error *err)
{
    const int newest = steps[count - 1].version;
    int version = 0;
    attn_status status = store_identify(s, newest, &version, err);
    if (status || version == newest)
        return status;
    if ((status = store_exec(s, "BEGIN IMMEDIATE", err)))
        return status;
    status = store_identify(s, newest, &version, err); /* another process may have been faster */
    if (!status && version < newest) {
        if (version > 0)
            status = back_up(s, version, err);
        if (!status)
            status = apply(s, steps, count, version, err);
    }
    if (!status)
        status = store_exec(s, "COMMIT", err);
    store_rollback(s);
    return status;
}
