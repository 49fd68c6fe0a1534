/* An adapter's answer, read by SQLite's JSON functions. */
#include "harness/ext.h"

#include <math.h>
#include <string.h>

static const char sql[] =
    "SELECT ok, CASE WHEN json_type(j, '$.protocol') = 'integer' THEN json_extract(j, '$.protocol') END, "
    "CASE WHEN json_type(j, '$.ns') IN ('integer', 'real') THEN json_extract(j, '$.ns') END, "
    "json_extract(j, '$.error'), json_extract(j, '$.get'), json_extract(j, '$.version'), "
    "json_extract(j, '$.setup'), json_extract(j, '$.want') "
    "FROM (SELECT ?1 AS j, CASE WHEN json_valid(?1) THEN json_type(?1, '$.ok') END AS ok) WHERE ok IN ('true', 'false')";

static void take(sqlite3_stmt *row, int column, char *out)
{
    const char *text = (const char *)sqlite3_column_text(row, column);
    snprintf(out, EXT_TEXT, "%s", text ? text : "");
}

bool ext_reply_read(sqlite3 *json, const char *line, size_t length, ext_reply *out)
{
    sqlite3_stmt *query = NULL;
    ext_reply r = {.ns = (double)NAN};
    bool fine = sqlite3_prepare_v2(json, sql, -1, &query, NULL) == SQLITE_OK &&
                sqlite3_bind_text(query, 1, line, (int)length, SQLITE_STATIC) == SQLITE_OK &&
                sqlite3_step(query) == SQLITE_ROW;
    if (fine) {
        r.ok = strcmp((const char *)sqlite3_column_text(query, 0), "true") == 0;
        r.protocol = sqlite3_column_int(query, 1);
        if (sqlite3_column_type(query, 2) != SQLITE_NULL)
            r.ns = sqlite3_column_double(query, 2);
        take(query, 3, r.error);
        take(query, 4, r.get);
        take(query, 5, r.version);
        take(query, 6, r.setup);
        take(query, 7, r.want);
        *out = r;
    }
    sqlite3_finalize(query);
    return fine;
}
