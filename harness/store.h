/* The store: one SQLite file holding every sample of every run. All SQL that writes lives in store*.c.
 *
 * Opened with application_id and user_version checked, foreign keys on, WAL where the file system is local,
 * a busy timeout; older versions are migrated after a backup, newer ones refused. One transaction per
 * finished cell. */
#ifndef HARNESS_STORE_H
#define HARNESS_STORE_H

#include <sqlite3.h>

#include "attn/status.h"
#include "harness/cell.h"

typedef struct store store;

typedef enum store_mode { STORE_READ, STORE_WRITE } store_mode; /* WRITE creates the file, not its folder */

attn_status store_open(store **out, const char *path, store_mode mode, attn_error *err);
void store_close(store *s);
sqlite3 *store_handle(store *s); /* for queries */

/* --db, else $ATTNLAB_DB, else results/attnlab.db */
const char *store_path(const char *option);

#endif
