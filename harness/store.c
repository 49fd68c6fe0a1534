/* Opening and closing the store, and what its errors mean to the user. */
#include "harness/store_sql.h"

#include <errno.h>
#include <libgen.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <linux/magic.h>

#define DEFAULT_PATH "results/attnlab.db"

const char *store_path(const char *option)
{
    const char *named = getenv("ATTNLAB_DB");
    return option ? option : named && *named ? named : DEFAULT_PATH;
}

/* ---- errors ---- */

attn_status store_sql_fail(sqlite3 *db, int rc, const char *doing, const char *path, attn_error *err)
{
    const char *detail = db ? sqlite3_errmsg(db) : sqlite3_errstr(rc);
    switch (rc & 0xff) {
    case SQLITE_NOTADB:
        return attn_fail(err, ATTN_EINVAL, "%s: not a database; name a new file or one made by attnlab",
                         path);
    case SQLITE_CANTOPEN:
        return attn_fail(err, ATTN_EINVAL, "cannot %s %s: unable to open the file; its folder must be writable",
                         doing, path);
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
        return attn_fail(err, ATTN_EINVAL, "cannot %s %s: the file or its folder is read-only", doing, path);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return attn_fail(err, ATTN_EIO,
                         "cannot %s %s: locked by another program for too long; ATTNLAB_DB_WAIT sets the seconds",
                         doing, path);
    case SQLITE_FULL: return attn_fail(err, ATTN_EIO, "cannot %s %s: the disk is full", doing, path);
    case SQLITE_CORRUPT:
        return attn_fail(err, ATTN_EINVAL, "cannot %s %s: the database is damaged (%s)", doing, path, detail);
    case SQLITE_IOERR:
        return attn_fail(err, ATTN_EIO, "cannot %s %s: %s (%s)", doing, path, detail,
                         db ? strerror(sqlite3_system_errno(db)) : "input/output");
    case SQLITE_NOMEM: return attn_fail(err, ATTN_ENOMEM, "cannot %s %s: out of memory", doing, path);
    default: return attn_fail(err, ATTN_EINTERNAL, "cannot %s %s: %s", doing, path, detail);
    }
}

attn_status store_exec(store *s, const char *sql, attn_error *err)
{
    int rc = sqlite3_exec(s->db, sql, NULL, NULL, NULL);
    return rc == SQLITE_OK ? ATTN_OK : store_sql_fail(s->db, rc, "write", s->path, err);
}

void store_rollback(store *s)
{
    if (!sqlite3_get_autocommit(s->db))
        sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
}

/* ---- opening ---- */

static attn_status folder_of(const char *path, char **out, attn_error *err)
{
    char *copy = strdup(path);
    *out = copy ? strdup(dirname(copy)) : NULL;
    free(copy);
    return *out ? ATTN_OK : attn_fail(err, ATTN_ENOMEM, "out of memory opening %s", path);
}

/* SQLite says "unable to open database file" to all of these. */
static attn_status check_path(const char *path, store_mode mode, const char *folder, attn_error *err)
{
    struct stat info;
    if (!*path)
        return attn_fail(err, ATTN_EINVAL, "the database needs a file name, not an empty one");
    if (stat(path, &info) == 0) {
        if (S_ISDIR(info.st_mode))
            return attn_fail(err, ATTN_EINVAL, "%s is a folder; a database is a file in it", path);
        if (!S_ISREG(info.st_mode))
            return attn_fail(err, ATTN_EINVAL, "%s is not a regular file", path);
        if (mode == STORE_READ && info.st_size == 0)
            return attn_fail(err, ATTN_EINVAL, "%s: an empty file, not a database; `attnlab run` fills one",
                             path);
        return access(path, R_OK) == 0
                   ? ATTN_OK
                   : attn_fail(err, ATTN_EINVAL, "cannot read %s: %s", path, strerror(errno));
    }
    if (stat(folder, &info) != 0)
        return attn_fail(err, ATTN_EINVAL,
                         "cannot open %s: folder %s: %s; make it first or name another --db", path, folder,
                         strerror(errno));
    if (!S_ISDIR(info.st_mode))
        return attn_fail(err, ATTN_EINVAL, "cannot open %s: %s is not a folder", path, folder);
    if (mode == STORE_READ)
        return attn_fail(err, ATTN_EINVAL, "%s: no such database; `attnlab run` makes one", path);
    return ATTN_OK;
}

/* WAL keeps its index in shared memory, which only works between processes of one machine: it is used on
 * file systems known to be local, never on unknown ones. */
static bool is_local(const char *folder)
{
    static const unsigned local[] = {
        EXT4_SUPER_MAGIC,  XFS_SUPER_MAGIC,       BTRFS_SUPER_MAGIC,          F2FS_SUPER_MAGIC,
        TMPFS_MAGIC,       RAMFS_MAGIC,           OVERLAYFS_SUPER_MAGIC,      REISERFS_SUPER_MAGIC,
        NILFS_SUPER_MAGIC, 0x2fc12fc1u /* ZFS */, 0xca451a4eu /* bcachefs */, 0x3153464au /* JFS */,
    };
    struct statfs info;
    if (statfs(folder, &info) != 0)
        return false;
    for (size_t i = 0; i < sizeof local / sizeof local[0]; i++)
        if ((unsigned)info.f_type == local[i])
            return true;
    return false;
}

static void square_root(sqlite3_context *context, int count, sqlite3_value **values)
{
    (void)count;
    if (sqlite3_value_type(values[0]) != SQLITE_NULL)
        sqlite3_result_double(context, sqrt(sqlite3_value_double(values[0])));
}

/* The views use sqrt(), which SQLite may have been built without. */
static int supply_functions(sqlite3 *db)
{
    return sqlite3_create_function(db, "sqrt", 1, SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS, NULL,
                                   square_root, NULL, NULL);
}

static int timeout_ms(void)
{
    const char *text = getenv("ATTNLAB_DB_WAIT");
    char *end = NULL;
    double seconds = text ? strtod(text, &end) : 0;
    const bool valid = text && end != text && *end == '\0' && seconds >= 0 && seconds < 1e6;
    return valid ? (int)(seconds * 1000) : 10000;
}

static attn_status connect(store *s, int flags, attn_error *err)
{
    int rc = sqlite3_open_v2(s->path, &s->db, flags, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_busy_timeout(s->db, timeout_ms());
    if (rc == SQLITE_OK)
        rc = supply_functions(s->db);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(s->db, "PRAGMA foreign_keys = ON", NULL, NULL, NULL);
    return rc == SQLITE_OK ? ATTN_OK : store_sql_fail(s->db, rc, "open", s->path, err);
}

/* SQLite opens for reading what it cannot open for writing, and says so only here. */
static attn_status check_writable(store *s, attn_error *err)
{
    if (sqlite3_db_readonly(s->db, "main"))
        return store_sql_fail(s->db, SQLITE_READONLY, "write", s->path, err);
    return ATTN_OK;
}

static attn_status open_for_writing(store *s, const char *folder, attn_error *err)
{
    attn_status status = connect(s, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, err);
    if (!status)
        status = check_writable(s, err);
    if (!status)
        status = store_migrate(s, store_migrations, store_migration_count, err);
    /* A database in the other mode works too, so a busy moment is not worth an error. */
    if (!status)
        sqlite3_exec(s->db, is_local(folder) ? "PRAGMA journal_mode = WAL" : "PRAGMA journal_mode = DELETE",
                     NULL, NULL, NULL);
    return status ? status : store_exec(s, "PRAGMA synchronous = FULL", err);
}

/* A reader of a WAL database writes too, to the index beside it. Where it may not, a file that nobody has
 * open (no log beside it) can be read as one that never changes. */
static attn_status connect_immutable(store *s, attn_error *err)
{
    char *plain = s->path;
    sqlite3_str *uri = sqlite3_str_new(NULL);
    sqlite3_str_appendall(uri, "file:");
    for (const char *c = plain; *c; c++)
        sqlite3_str_appendf(uri, strchr("%?#", *c) ? "%%%02x" : "%c", (unsigned char)*c);
    sqlite3_str_appendall(uri, "?immutable=1");
    s->path = sqlite3_str_finish(uri);
    attn_status status = s->path ? connect(s, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, err)
                                 : attn_fail(err, ATTN_ENOMEM, "out of memory opening %s", plain);
    sqlite3_free(s->path);
    s->path = plain;
    return status;
}

static bool is_at_rest(const char *path, const char *folder)
{
    char log[4096];
    int length = snprintf(log, sizeof log, "%s-wal", path);
    return access(folder, W_OK) != 0 && length > 0 && (size_t)length < sizeof log && access(log, F_OK) != 0;
}

static attn_status open_for_reading(store *s, const char *folder, attn_error *err)
{
    attn_status status = is_at_rest(s->path, folder) ? connect_immutable(s, err)
                                                     : connect(s, SQLITE_OPEN_READONLY, err);
    if (status)
        return status;
    int version = 0;
    if ((status = store_identify(s, store_version(), &version, err)) || version == store_version())
        return status;
    sqlite3_close(s->db);
    s->db = NULL;
    if ((status = open_for_writing(s, folder, err)))
        return status;
    sqlite3_close(s->db);
    s->db = NULL;
    return connect(s, SQLITE_OPEN_READONLY, err);
}

attn_status store_open(store **out, const char *path, store_mode mode, attn_error *err)
{
    *out = NULL;
    char *folder = NULL;
    store *s = NULL;
    attn_status status = folder_of(path, &folder, err);
    if (status || (status = check_path(path, mode, folder, err)))
        goto cleanup;
    s = calloc(1, sizeof *s);
    if (!s || !(s->path = strdup(path))) {
        status = attn_fail(err, ATTN_ENOMEM, "out of memory opening %s", path);
        goto cleanup;
    }
    status = mode == STORE_WRITE ? open_for_writing(s, folder, err) : open_for_reading(s, folder, err);
    if (!status) {
        *out = s;
        s = NULL;
    }
cleanup:
    store_close(s);
    free(folder);
    return status;
}

void store_close(store *s)
{
    if (!s)
        return;
    sqlite3_finalize(s->add_sample);
    sqlite3_close(s->db);
    free(s->path);
    free(s);
}

sqlite3 *store_handle(store *s)
{
    return s->db;
}

const char *store_file(const store *s)
{
    return s->path;
}
