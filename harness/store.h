/* The store: one SQLite file holding every sample of every run. All SQL that writes lives in store*.c.
 *
 * Opened with application_id and user_version checked, foreign keys on, WAL where the file system is local,
 * a busy timeout; older versions are migrated after a backup, newer ones refused. One transaction per
 * finished cell. The tables are described in harness/schema.sql, the views in harness/views.sql. */
#ifndef HARNESS_STORE_H
#define HARNESS_STORE_H

#include <sqlite3.h>

#include "attn/status.h"
#include "harness/cell.h"

typedef struct store store;

typedef enum store_mode { STORE_READ, STORE_WRITE } store_mode; /* WRITE creates the file, not its folder */

/* EINVAL: no such file (READ) or folder, not a database, another program's, from a newer version, not to be
 * written. EIO: locked longer than $ATTNLAB_DB_TIMEOUT seconds (10 unless set), disk full, damaged.
 * READ migrates an older file too, since views and queries know one version only. */
attn_status store_open(store **out, const char *path, store_mode mode, attn_error *err);
void store_close(store *s);
sqlite3 *store_handle(store *s); /* for queries */
const char *store_file(const store *s);

/* --db, else $ATTNLAB_DB, else results/attnlab.db */
const char *store_path(const char *option);

enum { STORE_APPLICATION_ID = 0x6174746e }; /* "attn" */

/* The schema version of this program. */
int store_version(void);

#endif
