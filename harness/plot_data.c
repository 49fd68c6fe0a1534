/* From SQL to what gnuplot reads: a table of data, arrays, and text in which nothing is special. */
#include "harness/plot.h"

#include <ctype.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_ELEMENTS = 256, MOST_COLUMNS = 64 };

/* ---- text ---- */

/* The length of a valid UTF-8 sequence at `text`, or 0. */
static size_t sequence(const unsigned char *text)
{
    static const struct {
        unsigned char mask, lead;
        uint32_t least;
    } forms[] = {{0x80, 0x00, 0}, {0xe0, 0xc0, 0x80}, {0xf0, 0xe0, 0x800}, {0xf8, 0xf0, 0x10000}};
    for (size_t n = 0; n < 4; n++)
        if ((text[0] & forms[n].mask) == forms[n].lead) {
            uint32_t code = text[0] & (unsigned char)~forms[n].mask;
            for (size_t i = 1; i <= n; i++) {
                if ((text[i] & 0xc0) != 0x80) /* also at the end of the text */
                    return 0;
                code = code << 6 | (text[i] & 0x3f);
            }
            bool fine = code >= forms[n].least && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);
            return fine ? n + 1 : 0;
        }
    return 0;
}

void plot_write_text(FILE *out, const char *text)
{
    static const struct {
        char from;
        const char *to;
    } special[] = {{'\'', "’"}, {'"', "”"}, {'`', "‘"}, {'\\', "/"}};
    for (const unsigned char *at = (const unsigned char *)text; *at;) {
        const size_t length = sequence(at);
        const bool c1 = length == 2 && at[0] == 0xc2 && at[1] < 0xa0; /* control characters beyond ASCII */
        const bool control = c1 || (length == 1 && (*at < 0x20 || *at == 0x7f));
        const char *instead = length == 0 ? "?" : control ? " " : NULL;
        for (size_t i = 0; i < sizeof special / sizeof special[0] && !instead; i++)
            if (*at == (unsigned char)special[i].from)
                instead = special[i].to;
        if (instead)
            fputs(instead, out);
        else
            fwrite(at, 1, length, out);
        at += length ? length : 1;
    }
}

/* A column's name as a gnuplot variable: letters, digits and underscores. */
static bool is_name(const char *name)
{
    if (!isalpha((unsigned char)*name))
        return false;
    for (; *name; name++)
        if (!isalnum((unsigned char)*name) && *name != '_')
            return false;
    return true;
}

static attn_status check_columns(sqlite3_stmt *row, const char *path, attn_error *err)
{
    int count = sqlite3_column_count(row);
    if (count > MOST_COLUMNS)
        return attn_fail(err, ATTN_EINVAL, "%s: a SELECT of %d columns; at most %d", path, count,
                         (int)MOST_COLUMNS);
    for (int i = 0; i < count; i++)
        if (!is_name(sqlite3_column_name(row, i)))
            return attn_fail(
                err, ATTN_EINVAL,
                "%s: column '%s' cannot be a gnuplot variable; name it with AS, in letters and digits", path,
                sqlite3_column_name(row, i));
    return ATTN_OK;
}

static attn_status sql_fail(sqlite3 *db, const char *path, attn_error *err)
{
    static const int machine[] = {SQLITE_BUSY, SQLITE_IOERR, SQLITE_FULL, SQLITE_CORRUPT};
    const int rc = sqlite3_errcode(db) & 0xff;
    attn_status status = rc == SQLITE_NOMEM ? ATTN_ENOMEM : ATTN_EINVAL;
    for (size_t i = 0; i < sizeof machine / sizeof machine[0]; i++)
        if (rc == machine[i])
            status = ATTN_EIO;
    return attn_fail(err, status, "%s: %s", path, sqlite3_errmsg(db));
}

/* ---- the first SELECT ---- */

static void write_cell(FILE *tsv, sqlite3_stmt *row, int column)
{
    switch (sqlite3_column_type(row, column)) {
    case SQLITE_INTEGER:
        fprintf(tsv, "%" PRId64, (int64_t)sqlite3_column_int64(row, column));
        break;
    case SQLITE_FLOAT: {
        double value = sqlite3_column_double(row, column);
        if (isfinite(value))
            fprintf(tsv, "%.17g", value);
        else
            fputs("NaN", tsv);
        break;
    }
    case SQLITE_TEXT: {
        const char *text = (const char *)sqlite3_column_text(row, column);
        if (column == 0 && text && *text == '#')
            putc(' ', tsv); /* not a comment */
        plot_write_text(tsv, text ? text : "");
        break;
    }
    default:
        fputs("NaN", tsv);
    }
}

static attn_status write_data(sqlite3_stmt *row, const char *path, FILE *tsv, plot_data *data,
                              attn_error *err)
{
    const int columns = sqlite3_column_count(row);
    const bool split = strcmp(sqlite3_column_name(row, 0), "series") == 0;
    char *last = NULL;
    attn_status status = ATTN_OK;
    for (int i = 0; i < columns; i++) {
        fprintf(tsv, "%s%s", i ? "\t" : "# ", sqlite3_column_name(row, i));
        fprintf(data->variables, "c_%s = %d\n", sqlite3_column_name(row, i), i + 1);
    }
    putc('\n', tsv);
    data->columns = (size_t)columns;
    int rc;
    while ((rc = sqlite3_step(row)) == SQLITE_ROW) {
        if (split) {
            const char *text = (const char *)sqlite3_column_text(row, 0);
            char *name = strdup(text ? text : "");
            if (!name) {
                status = attn_fail(err, ATTN_ENOMEM, "out of memory");
                break;
            }
            if (!last || strcmp(name, last) != 0) {
                fputs(last ? "\n\n" : "", tsv);
                data->blocks++;
            }
            free(last);
            last = name;
        }
        for (int i = 0; i < columns; i++) {
            if (i)
                putc('\t', tsv);
            write_cell(tsv, row, i);
        }
        putc('\n', tsv);
        data->rows++;
    }
    free(last);
    if (!split)
        data->blocks = data->rows > 0;
    return status == ATTN_OK && rc != SQLITE_DONE ? sql_fail(sqlite3_db_handle(row), path, err) : status;
}

/* ---- further SELECTs: an array for each column, so columns are collected apart ---- */

static void write_element(FILE *out, sqlite3_stmt *row, int column)
{
    switch (sqlite3_column_type(row, column)) {
    case SQLITE_INTEGER:
        /* gnuplot has integers of 64 bits, but no text for the least of them */
        fprintf(out, "%.17g", sqlite3_column_double(row, column));
        break;
    case SQLITE_FLOAT: {
        double value = sqlite3_column_double(row, column);
        if (isfinite(value))
            fprintf(out, "%.17g", value);
        else
            fputs("NaN", out);
        break;
    }
    case SQLITE_TEXT:
        putc('\'', out);
        plot_write_text(out, (const char *)sqlite3_column_text(row, column));
        putc('\'', out);
        break;
    default:
        fputs("NaN", out);
    }
}

static attn_status write_arrays(sqlite3_stmt *row, const char *path, FILE *out, attn_error *err)
{
    const int columns = sqlite3_column_count(row);
    char *text[MOST_COLUMNS] = {0};
    size_t size[MOST_COLUMNS], count = 0;
    FILE *stream[MOST_COLUMNS] = {0};
    attn_status status = ATTN_OK;
    for (int i = 0; i < columns && status == ATTN_OK; i++)
        if (!(stream[i] = open_memstream(&text[i], &size[i])))
            status = attn_fail(err, ATTN_ENOMEM, "out of memory");
    int rc = SQLITE_DONE;
    while (status == ATTN_OK && (rc = sqlite3_step(row)) == SQLITE_ROW) {
        if (count == MOST_ELEMENTS) {
            status = attn_fail(err, ATTN_EINVAL, "%s: a SELECT after the first gives more than %d rows", path,
                               (int)MOST_ELEMENTS);
            break;
        }
        for (int i = 0; i < columns; i++) {
            fputs(count ? ", " : "", stream[i]);
            write_element(stream[i], row, i);
        }
        count++;
    }
    if (status == ATTN_OK && rc != SQLITE_DONE)
        status = sql_fail(sqlite3_db_handle(row), path, err);
    for (int i = 0; i < columns; i++) {
        if (stream[i] && fclose(stream[i]) != 0 && status == ATTN_OK)
            status = attn_fail(err, ATTN_ENOMEM, "out of memory");
        if (status == ATTN_OK && count) /* an array without elements does not exist */
            fprintf(out, "array %s[%zu] = [%s]\n", sqlite3_column_name(row, i), count, text[i]);
        free(text[i]);
    }
    return status;
}

attn_status plot_query(sqlite3 *db, const char *sql, const char *path, FILE *tsv, plot_data *data,
                       attn_error *err)
{
    bool first = tsv != NULL;
    for (const char *at = sql; *at;) {
        sqlite3_stmt *row = NULL;
        if (sqlite3_prepare_v2(db, at, -1, &row, &at) != SQLITE_OK)
            return sql_fail(db, path, err);
        if (!row)
            continue; /* a comment, or white space at the end */
        attn_status status = ATTN_OK;
        if (sqlite3_column_count(row) == 0) {
            if (sqlite3_step(row) != SQLITE_DONE)
                status = sql_fail(db, path, err);
        } else if ((status = check_columns(row, path, err)) == ATTN_OK) {
            status =
                first ? write_data(row, path, tsv, data, err) : write_arrays(row, path, data->variables, err);
            first = false;
        }
        sqlite3_finalize(row);
        if (status != ATTN_OK)
            return status;
    }
    if (first)
        return attn_fail(err, ATTN_EINVAL, "%s: holds no SELECT", path);
    return ATTN_OK;
}
