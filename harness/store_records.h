/* The store as text: what an export consists of.
 *
 * One record a line, of six kinds:
 *
 *   attnlab      the first line: format, schema version, and how many of the others follow
 *   run          a run with its host and build
 *   peak         one sample of one limit of the machine, after its run
 *   wisdom       what planning by measurement learned of one problem
 *   measurement  a measurement with its cell, after its run
 *   sample       one sample, after its measurement
 *
 * Runs are ordered by start, limits by run and name, wisdom by key and time, measurements by run and start, samples by series and number;
 * equals by id. In
 * JSON a record is a flat object, in CSV a row under the union of all columns. A sample's value has a type
 * beside it, so that 1 and 1.0 stay apart; reals are the shortest decimals that read back as the same number,
 * or inf, -inf. */
#ifndef HARNESS_STORE_RECORDS_H
#define HARNESS_STORE_RECORDS_H

#include "harness/store_sql.h"

enum { RECORDS_FORMAT = 1, RECORDS_MOST_COLUMNS = 64 };

typedef enum record_type {
    RECORD_HEAD,
    RECORD_RUN,
    RECORD_PEAK,
    RECORD_WISDOM,
    RECORD_MEASUREMENT,
    RECORD_SAMPLE,
    RECORD_TYPES
} record_type;

typedef enum column_type {
    COLUMN_INT,
    COLUMN_TEXT,
    COLUMN_OPTIONAL, /* text or null; an empty field in CSV is null */
    COLUMN_VALUE     /* integer, real, text or null, as the column "type" says */
} column_type;

typedef struct record_column {
    const char *name;  /* in the export */
    const char *table; /* the table it comes from, NULL: computed */
    const char *column;
    column_type type;
} record_column;

typedef struct record_shape {
    const char *name;
    const record_column *columns;
    size_t count;
} record_shape;

extern const record_shape record_shapes[RECORD_TYPES];

/* The columns of CSV: "record", then each name once. */
typedef struct record_header {
    const char *names[RECORDS_MOST_COLUMNS];
    size_t count;
} record_header;
void record_union(record_header *out);

/* One record read back: for each column of its shape the text of the value, NULL for null. */
typedef struct text_record {
    record_type type;
    const char *values[RECORDS_MOST_COLUMNS];
} text_record;

/* Reads records from text, in either form. */
typedef struct record_reader {
    const char *name; /* of the file, for messages */
    char *at, *end;   /* a copy that parsing cuts up */
    char *copy;
    size_t line; /* of the record read last, from 1 */
    bool csv;
    record_header header;
} record_reader;

attn_status record_reader_open(record_reader *r, const char *name, const char *text, size_t size,
                               attn_error *err);

/* *more is false at the end. The record lives as long as the reader. */
attn_status record_read(record_reader *r, text_record *out, bool *more, attn_error *err);
void record_reader_close(record_reader *r);

#endif
