/* Exports into the store: what is there already is left as it is, all else is added, in one transaction. */
#include "harness/store_records.h"

#include <stdlib.h>
#include <string.h>

#include "attn/wisdom.h"

/* Where the records of a file stand: parents precede their children. */
typedef struct importer {
    store *s;
    const record_reader *reader;
    const text_record *line;
    char measurement_id[STORE_ID_LENGTH + 1]; /* the measurement read last, */
    int64_t measurement;                      /* its key, 0 when it was there already */
    char series_name[64], series_unit[32];    /* the series read last: samples come in runs of one */
    int64_t series;
    store_counts *counts;
} importer;

static attn_status wrong(const importer *in, attn_error *err, const char *what)
{
    return attn_fail(err, ATTN_EINVAL, "%s: line %zu: %s", in->reader->name, in->reader->line, what);
}

static const char *value(const text_record *line, const char *name)
{
    const record_shape *shape = &record_shapes[line->type];
    size_t i = 0;
    while (strcmp(shape->columns[i].name, name) != 0)
        i++;
    return line->values[i];
}

/* The fields of a line that belong to one table. */
static size_t fields_of(const text_record *line, const char *table, field out[STORE_MOST_FIELDS])
{
    const record_shape *shape = &record_shapes[line->type];
    size_t count = 0;
    for (size_t i = 0; i < shape->count; i++) {
        const record_column *c = &shape->columns[i];
        const char *text = line->values[i];
        if (c->table && strcmp(c->table, table) == 0)
            out[count++] = c->type == COLUMN_INT ? field_int(c->column, strtoll(text, NULL, 10))
                                                 : field_text(c->column, text);
    }
    return count;
}

/* A constraint that fails is the file's fault: say which line. */
static attn_status blame(const importer *in, attn_status status, attn_error *err)
{
    const int rc = sqlite3_errcode(in->s->db) & 0xff;
    if (status == ATTN_EINTERNAL && (rc == SQLITE_CONSTRAINT || rc == SQLITE_MISMATCH))
        return wrong(in, err, sqlite3_errmsg(in->s->db));
    return status;
}

static attn_status add_run(importer *in, attn_error *err)
{
    field fields[STORE_MOST_FIELDS];
    const text_record *line = in->line;
    field id = field_text("run_id", value(line, "run_id"));
    int64_t run;
    attn_status status = store_seek(in->s, "runs", &id, 1, &run, err);
    if (status)
        return status;
    const char *finished = value(line, "finished"), *outcome = value(line, "outcome");
    if (run) { /* exported while it was still going, perhaps */
        char *sql = sqlite3_mprintf(
            "UPDATE runs SET finished = %Q, outcome = %Q WHERE id = %lld AND finished IS NULL", finished,
            outcome, (long long)run);
        status = sql ? store_exec(in->s, sql, err) : attn_fail(err, ATTN_ENOMEM, "out of memory");
        sqlite3_free(sql);
        return status;
    }
    int64_t on, by; /* the host, the build */
    status = store_intern(in->s, "hosts", fields, fields_of(line, "h", fields), &on, err);
    if (!status)
        status = store_intern(in->s, "builds", fields, fields_of(line, "b", fields), &by, err);
    if (status)
        return status;
    size_t count = fields_of(line, "r", fields);
    fields[count++] = field_int("host", on);
    fields[count++] = field_int("build", by);
    in->counts->runs++;
    return store_insert(in->s, "runs", fields, count, NULL, err);
}

static attn_status add_measurement(importer *in, attn_error *err)
{
    field fields[STORE_MOST_FIELDS];
    const text_record *line = in->line;
    const char *id = value(line, "measurement_id");
    field by_id = field_text("measurement_id", id), by_run = field_text("run_id", value(line, "run_id"));
    int64_t known, run, at;
    if (strlen(id) != STORE_ID_LENGTH)
        return wrong(in, err, "a measurement_id of other than 32 digits");
    memcpy(in->measurement_id, id, sizeof in->measurement_id);
    in->measurement = 0;
    attn_status status = store_seek(in->s, "measurements", &by_id, 1, &known, err);
    if (status || known) {
        in->counts->known += !status;
        return status;
    }
    if ((status = store_seek(in->s, "runs", &by_run, 1, &run, err)))
        return status;
    if (!run)
        return wrong(in, err, "a measurement of a run that does not precede it");
    if ((status = store_intern(in->s, "cells", fields, fields_of(line, "c", fields), &at, err)))
        return status;
    size_t count = fields_of(line, "m", fields);
    fields[count++] = field_int("run", run);
    fields[count++] = field_int("cell", at);
    in->counts->measurements++;
    return store_insert(in->s, "measurements", fields, count, &in->measurement, err);
}

static attn_status find_series(importer *in, const char *name, const char *unit, attn_error *err)
{
    if (in->series && strcmp(name, in->series_name) == 0 && strcmp(unit, in->series_unit) == 0)
        return ATTN_OK;
    attn_status status = store_series(in->s, name, unit, &in->series, err);
    snprintf(in->series_name, sizeof in->series_name, "%s", name); /* one cut short is looked up each time */
    snprintf(in->series_unit, sizeof in->series_unit, "%s", unit);
    return status;
}

/* The column "value" as its type says. */
static field typed_value(const text_record *line)
{
    const char *type = value(line, "type"), *text = value(line, "value");
    if (text && strcmp(type, "integer") == 0)
        return field_int("value", strtoll(text, NULL, 10));
    if (text && strcmp(type, "real") == 0)
        return (field){.column = "value", .kind = FIELD_REAL, .real = strtod(text, NULL)};
    return field_text("value", text);
}

static attn_status add_wisdom(importer *in, attn_error *err)
{
    field fields[STORE_MOST_FIELDS];
    int64_t known = 0;
    attn_error why;
    char *text = sqlite3_mprintf("attn-wisdom 1\n%s lowering=%s ns=%s\n", value(in->line, "key"),
                                 value(in->line, "lowering"), value(in->line, "ns"));
    attn_status status = text ? attn_wisdom_import(text, NULL, &why) : attn_fail(err, ATTN_ENOMEM, "out of memory");
    sqlite3_free(text);
    if (status)
        return text ? wrong(in, err, why.message) : status;
    size_t count = fields_of(in->line, "w", fields);
    if ((status = store_has(in->s, "wisdom", fields, count, &known, err)) || known)
        return status;
    in->counts->wisdom++;
    return store_insert(in->s, "wisdom", fields, count, NULL, err);
}

static attn_status add_peak(importer *in, attn_error *err)
{
    field fields[STORE_MOST_FIELDS];
    const text_record *line = in->line;
    const field by_run = field_text("run_id", value(line, "run_id"));
    int64_t run, known = 0;
    attn_status status = store_seek(in->s, "runs", &by_run, 1, &run, err);
    if (status)
        return status;
    if (!run)
        return wrong(in, err, "a peak of a run that does not precede it");
    size_t count = fields_of(line, "p", fields);
    for (size_t i = 0; i < count; i++)
        if (strcmp(fields[i].column, "value") == 0)
            fields[i] = typed_value(line);
    fields[count++] = field_int("run", run);
    const field key[] = {fields[0], fields[1], fields[2], fields[3], fields[count - 1]}; /* name isa threads rep run */
    if ((status = store_has(in->s, "peaks", key, sizeof key / sizeof key[0], &known, err)) || known)
        return status;
    in->counts->peaks++;
    return store_insert(in->s, "peaks", fields, count, NULL, err);
}

static attn_status add_sample(importer *in, attn_error *err)
{
    const text_record *line = in->line;
    if (strcmp(value(line, "measurement_id"), in->measurement_id) != 0)
        return wrong(in, err, "a sample that does not follow its measurement");
    if (!in->measurement)
        return ATTN_OK;
    const field x = typed_value(line);
    attn_status status = find_series(in, value(line, "series"), value(line, "unit"), err);
    in->counts->samples++;
    return status ? status
                  : store_sample(in->s, in->measurement, in->series, strtoll(value(line, "rep"), NULL, 10), x,
                                 value(line, "reason"), err);
}

/* ---- the whole file ---- */

static attn_status check_head(const record_reader *r, const text_record *head, attn_error *err)
{
    if (head->type != RECORD_HEAD)
        return attn_fail(err, ATTN_EINVAL, "%s: does not begin with the record 'attnlab' of an export",
                         r->name);
    const char *format = value(head, "format"), *schema = value(head, "schema");
    if (strtoll(format, NULL, 10) != RECORDS_FORMAT || strtoll(schema, NULL, 10) > store_version())
        return attn_fail(err, ATTN_EINVAL,
                         "%s: format %s of schema version %s; this program reads format %d up to version %d",
                         r->name, format, schema, RECORDS_FORMAT, store_version());
    return ATTN_OK;
}

attn_status store_import_check(const char *name, const char *text, size_t size, attn_error *err)
{
    static const char *const kinds[RECORD_TYPES] = {NULL, "runs", "peaks", "wisdom", "measurements", "samples"};
    record_reader reader;
    text_record head, line;
    bool more;
    long long counts[RECORD_TYPES] = {0};
    attn_status status = record_reader_open(&reader, name, text, size, err);
    if (!status)
        status = record_read(&reader, &head, &more, err);
    if (!status)
        status = more ? check_head(&reader, &head, err)
                      : attn_fail(err, ATTN_EINVAL, "%s: a header and nothing else, not an export", name);
    while (!status && !(status = record_read(&reader, &line, &more, err)) && more)
        counts[line.type]++;
    for (size_t t = RECORD_RUN; !status && t < RECORD_TYPES; t++) {
        const char *announced = value(&head, kinds[t]);
        if (counts[t] != (announced ? strtoll(announced, NULL, 10) : 0))
            status = attn_fail(err, ATTN_EINVAL,
                               "%s: %lld %s where its first line announces %s: cut off or edited", name,
                               counts[t], kinds[t], announced ? announced : "none");
    }
    record_reader_close(&reader);
    return status;
}

attn_status store_import(store *s, const char *name, const char *text, size_t size, store_counts *out,
                         attn_error *err)
{
    static attn_status (*const add[RECORD_TYPES])(importer *, attn_error *) = {
        [RECORD_RUN] = add_run, [RECORD_PEAK] = add_peak, [RECORD_WISDOM] = add_wisdom,
        [RECORD_MEASUREMENT] = add_measurement, [RECORD_SAMPLE] = add_sample};
    attn_status status = store_import_check(name, text, size, err);
    if (status)
        return status;
    record_reader reader;
    text_record line;
    store_counts counts = {0};
    importer in = {.s = s, .reader = &reader, .line = &line, .counts = &counts};
    bool more = true;
    status = record_reader_open(&reader, name, text, size, err);
    if (!status)
        status = store_exec(s, "BEGIN IMMEDIATE", err);
    while (!status && !(status = record_read(&reader, &line, &more, err)) && more)
        if (add[line.type])
            status = blame(&in, add[line.type](&in, err), err);
    if (!status)
        status = store_exec(s, "COMMIT", err);
    store_rollback(s);
    record_reader_close(&reader);
    if (!status)
        *out = counts;
    return status;
}

attn_status store_read_other(const char *path, char **text, size_t *size, attn_error *err)
{
    store *s = NULL;
    *text = NULL;
    attn_status status = store_open(&s, path, STORE_READ, err);
    FILE *out = status ? NULL : open_memstream(text, size);
    if (!status && !out)
        status = attn_fail(err, ATTN_ENOMEM, "out of memory reading %s", path);
    if (!status)
        status = store_export(s, false, out, err);
    if (out && fclose(out) != 0 && !status)
        status = attn_fail(err, ATTN_ENOMEM, "out of memory reading %s", path);
    store_close(s);
    return status ? status : store_import_check(path, *text, *size, err);
}
