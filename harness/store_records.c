/* The store as text, read: lines of flat JSON objects or of CSV into records. Values are cut out of a copy of
 * the text in place, so a record costs no memory of its own. */
#include "harness/store_records.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static attn_status wrong(const record_reader *r, attn_error *err, const char *what, const char *name)
{
    return attn_fail(err, ATTN_EINVAL, "%s: line %zu: %s%s%.60s%s; expected an export of `attnlab db export`",
                     r->name, r->line, what, *name ? " '" : "", name, *name ? "'" : "");
}

/* ---- one value ---- */

static bool is_integer(const char *text)
{
    char *end;
    errno = 0;
    (void)strtoll(text, &end, 10);
    return !errno && end != text && !*end && (*text == '-' || (*text >= '0' && *text <= '9'));
}

static bool is_real(const char *text)
{
    char *end;
    if (strcmp(text, "inf") == 0 || strcmp(text, "-inf") == 0)
        return true;
    (void)strtod(text, &end);
    return end != text && !*end && strspn(text, "+-.0123456789eE") == strlen(text);
}

static bool fits(const record_column *c, const char *text, const char *type)
{
    switch (c->type) {
    case COLUMN_INT: return text && is_integer(text);
    case COLUMN_TEXT: return text != NULL;
    case COLUMN_OPTIONAL: return true;
    case COLUMN_VALUE: break;
    }
    if (!text)
        return strcmp(type, "null") == 0;
    return strcmp(type, "integer") == 0 ? is_integer(text)
           : strcmp(type, "real") == 0  ? is_real(text)
                                        : strcmp(type, "text") == 0;
}

static attn_status check(const record_reader *r, const text_record *line, attn_error *err)
{
    const record_shape *shape = &record_shapes[line->type];
    const char *type = "";
    for (size_t i = 0; i < shape->count; i++) {
        const char *text = line->values[i];
        if (strcmp(shape->columns[i].name, "type") == 0 && text)
            type = text;
        if (!fits(&shape->columns[i], text, type))
            return wrong(r, err, text ? "bad value of" : "no value of", shape->columns[i].name);
    }
    return ATTN_OK;
}

static attn_status find_type(const record_reader *r, const char *name, record_type *out, attn_error *err)
{
    for (record_type t = RECORD_HEAD; t < RECORD_TYPES; t++)
        if (name && strcmp(record_shapes[t].name, name) == 0) {
            *out = t;
            return ATTN_OK;
        }
    return wrong(r, err, "unknown record", name ? name : "null");
}

static size_t find_column(const record_shape *shape, const char *name)
{
    size_t i = 0;
    while (i < shape->count && strcmp(shape->columns[i].name, name) != 0)
        i++;
    return i;
}

/* ---- JSON ---- */

static void put_utf8(char **out, unsigned code)
{
    char *o = *out;
    if (code < 0x80) {
        *o++ = (char)code;
    } else if (code < 0x800) {
        *o++ = (char)(0xc0 | code >> 6);
        *o++ = (char)(0x80 | (code & 0x3f));
    } else {
        *o++ = (char)(0xe0 | code >> 12);
        *o++ = (char)(0x80 | (code >> 6 & 0x3f));
        *o++ = (char)(0x80 | (code & 0x3f));
    }
    *out = o;
}

/* After the opening quote at *at; leaves *at behind the closing one. Surrogate pairs are not put together:
 * our own writer passes everything beyond ASCII through as it is. */
static bool json_string(char **at, const char **value)
{
    static const char short_from[] = "\"\\/bfnrt", short_to[] = "\"\\/\b\f\n\r\t";
    char *in = *at, *out = in;
    *value = in;
    for (; *in && *in != '"' && *in != '\n'; in++) {
        if (*in != '\\') {
            *out++ = *in;
            continue;
        }
        in++;
        const char *known = *in ? strchr(short_from, *in) : NULL;
        if (known) {
            *out++ = short_to[known - short_from];
        } else {
            char digits[5] = "";
            unsigned code;
            if (*in != 'u' || strspn(strncpy(digits, in + 1, 4), "0123456789abcdefABCDEF") != 4 ||
                (code = (unsigned)strtoul(digits, NULL, 16)) == 0)
                return false;
            put_utf8(&out, code);
            in += 4;
        }
    }
    if (*in != '"')
        return false;
    *at = in + 1;
    *out = '\0';
    return true;
}

static void skip_blanks(char **at)
{
    *at += strspn(*at, " \t\r");
}

/* A string, a number or null. A number is ended by cutting the text, so the character there is returned. */
static bool json_scalar(char **at, const char **value, char *next)
{
    char *start = *at;
    if (*start == '"') {
        *at = start + 1;
        if (!json_string(at, value))
            return false;
        skip_blanks(at);
        *next = **at;
        return true;
    }
    char *end = start + strcspn(start, ",} \t\r\n");
    *at = end;
    skip_blanks(at);
    *next = **at;
    *end = '\0';
    *value = strcmp(start, "null") == 0 ? NULL : start;
    return !*value || is_real(start);
}

static attn_status read_json(record_reader *r, text_record *out, attn_error *err)
{
    char *at = r->at;
    char next = '{';
    const record_shape *shape = NULL;
    bool seen[RECORDS_MOST_COLUMNS] = {false};
    *out = (text_record){.type = RECORD_HEAD};
    skip_blanks(&at);
    if (*at++ != '{')
        return wrong(r, err, "not an object", "");
    do {
        const char *key, *value;
        skip_blanks(&at);
        if (*at++ != '"' || !json_string(&at, &key))
            return wrong(r, err, "malformed or cut off", "");
        skip_blanks(&at);
        if (*at++ != ':')
            return wrong(r, err, "malformed or cut off", "");
        skip_blanks(&at);
        if (!json_scalar(&at, &value, &next) || (next != ',' && next != '}'))
            return wrong(r, err, "malformed or cut off", "");
        at++;
        if (!shape) {
            if (strcmp(key, "record") != 0)
                return wrong(r, err, "the first key is not 'record' but", key);
            attn_status status = find_type(r, value, &out->type, err);
            if (status)
                return status;
            shape = &record_shapes[out->type];
            continue;
        }
        size_t i = find_column(shape, key);
        if (i == shape->count || seen[i])
            return wrong(r, err, i < shape->count ? "twice the key" : "unknown key", key);
        out->values[i] = value;
        seen[i] = true;
    } while (next == ',');
    skip_blanks(&at);
    if (at < r->end && *at != '\n')
        return wrong(r, err, "text behind the object", "");
    r->at = at < r->end ? at + 1 : at;
    return shape ? ATTN_OK : wrong(r, err, "an empty object", "");
}

/* ---- CSV ---- */

/* One field; *last says whether the line ends behind it. */
static bool csv_field(record_reader *r, const char **value, bool *last)
{
    char *in = r->at, *out = in;
    const bool quoted = *in == '"';
    *value = in;
    if (quoted) {
        for (in++; *in != '"' || *++in == '"'; in++) {
            if (in >= r->end)
                return false;
            *out++ = *in;
        }
    } else {
        out = in += strcspn(in, ",\r\n");
    }
    if (*in == '\r' && in[1] == '\n')
        in++;
    *last = in >= r->end || *in == '\n';
    if (!*last && *in != ',')
        return false;
    r->at = in < r->end ? in + 1 : in;
    *out = '\0';
    return true;
}

static attn_status csv_line(record_reader *r, const char **fields, size_t *count, attn_error *err)
{
    bool last = false;
    for (*count = 0; !last; (*count)++) {
        if (*count == RECORDS_MOST_COLUMNS || !csv_field(r, &fields[*count], &last))
            return wrong(r, err, "malformed or cut off", "");
    }
    return ATTN_OK;
}

static attn_status read_csv(record_reader *r, text_record *out, attn_error *err)
{
    const char *fields[RECORDS_MOST_COLUMNS];
    size_t count;
    *out = (text_record){.type = RECORD_HEAD};
    attn_status status = csv_line(r, fields, &count, err);
    if (!status && count != r->header.count)
        status = wrong(r, err, "another number of fields than the header", "");
    if (!status)
        status = find_type(r, fields[0], &out->type, err);
    if (status)
        return status;
    const record_shape *shape = &record_shapes[out->type];
    const char *type = "";
    for (size_t k = 1; k < count; k++) {
        size_t i = find_column(shape, r->header.names[k]);
        if (i == shape->count) {
            if (*fields[k])
                return wrong(r, err, "a value where this record has none, in column", r->header.names[k]);
            continue;
        }
        const record_column *c = &shape->columns[i];
        if (strcmp(c->name, "type") == 0)
            type = fields[k];
        const bool null = !*fields[k] && (c->type == COLUMN_OPTIONAL || c->type == COLUMN_INT ||
                                          (c->type == COLUMN_VALUE && strcmp(type, "text") != 0));
        out->values[i] = null ? NULL : fields[k];
    }
    return ATTN_OK;
}

static attn_status read_csv_header(record_reader *r, attn_error *err)
{
    record_header known;
    record_union(&known);
    r->line = 1;
    attn_status status = csv_line(r, r->header.names, &r->header.count, err);
    /* Columns may be missing: older exports have fewer. What a record needs, check() misses. */
    for (size_t k = 0; !status && k < r->header.count; k++) {
        size_t at = 0, before = 0;
        while (at < known.count && strcmp(known.names[at], r->header.names[k]) != 0)
            at++;
        while (strcmp(r->header.names[before], r->header.names[k]) != 0)
            before++;
        if (at == known.count || before < k)
            status = wrong(r, err, before < k ? "twice the column" : "not a column of an export:", r->header.names[k]);
    }
    if (!status && strcmp(r->header.names[0], known.names[0]) != 0)
        status = wrong(r, err, "the first column is not 'record' but", r->header.names[0]);
    return status;
}

/* ---- both ---- */

attn_status record_reader_open(record_reader *r, const char *name, const char *text, size_t size,
                               attn_error *err)
{
    *r = (record_reader){.name = name};
    if (size == 0)
        return attn_fail(err, ATTN_EINVAL, "%s: empty, not an export of `attnlab db export`", name);
    if (memchr(text, 0, size))
        return attn_fail(err, ATTN_EINVAL, "%s: holds zero bytes, not an export of `attnlab db export`",
                         name);
    if (text[size - 1] != '\n')
        return attn_fail(err, ATTN_EINVAL, "%s: the last line has no end: cut off, or not an export", name);
    if (!(r->copy = malloc(size + 1)))
        return attn_fail(err, ATTN_ENOMEM, "out of memory reading %s", name);
    memcpy(r->copy, text, size);
    r->copy[size] = '\0';
    r->at = r->copy;
    r->end = r->copy + size;
    r->csv = *r->at != '{';
    return r->csv ? read_csv_header(r, err) : ATTN_OK;
}

attn_status record_read(record_reader *r, text_record *out, bool *more, attn_error *err)
{
    *more = r->at < r->end;
    if (!*more)
        return ATTN_OK;
    r->line++;
    attn_status status = r->csv ? read_csv(r, out, err) : read_json(r, out, err);
    return status ? status : check(r, out, err);
}

void record_reader_close(record_reader *r)
{
    free(r->copy);
    r->copy = NULL;
}
