/* Rows of results as table, Markdown, HTML, CSV, JSON or JSON lines. */
#include "harness/emit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/text_width.h"
#include "harness/terminal.h"

struct emitter {
    FILE *out;
    emit_format format;
    const emit_column *columns;
    size_t count;
    size_t rows;
    size_t room; /* tables that are wider are folded; 0: none */
    enum { ALWAYS, WITH_VALUES, HIDDEN } *shown; /* of each column, in tables */
    /* table, md and html: the cells of all rows, titled columns only, row after row */
    char **cells;
    size_t cell_count, cell_capacity;
    bool failed;
};

/* ---- numbers ---- */

/* Divides a value until it is below 1000; returns how often. */
static size_t scale_down(double *value, double base, size_t units)
{
    size_t unit = 0;
    for (; unit + 1 < units && fabs(*value) >= (base > 1000 ? 1024.0 : 999.5); unit++)
        *value /= base;
    return unit;
}

static void scaled(char *out, size_t size, double value, double base, const char *const *units, size_t count,
                   const char *separator)
{
    const size_t unit = scale_down(&value, base, count);
    const double magnitude = fabs(value);
    int decimals = magnitude >= 99.95 || magnitude == floor(magnitude) ? 0 : magnitude >= 9.995 ? 1 : 2;
    snprintf(out, size, "%.*f%s%s", decimals, value, *units[unit] ? separator : "", units[unit]);
}

static const char *const time[] = {"ns", "us", "ms", "s"};

void emit_format_interval(char *out, size_t size, double ns, double half)
{
    enum { MOST_DECIMALS = 3 };
    const double before = ns;
    const size_t unit = scale_down(&ns, 1000, 4);
    half *= ns / before;
    int decimals = 0; /* down to the first digit of the half that is not 0 */
    for (double h = half; decimals < MOST_DECIMALS && h < 0.95; h *= 10)
        decimals++;
    snprintf(out, size, "%.*f %s ± %.*f", decimals, ns, time[unit], decimals, half);
}

void emit_format_number(char *out, size_t size, emit_style style, double value)
{
    static const char *const bytes[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    static const char *const counts[] = {"", "k", "M", "G", "T", "P", "E"};
    switch (style) {
    case EMIT_PLAIN: snprintf(out, size, "%.4g", value); return;
    case EMIT_NS: scaled(out, size, value, 1000, time, 4, " "); return;
    case EMIT_BYTES: scaled(out, size, value, 1024, bytes, 5, " "); return;
    case EMIT_COUNT: scaled(out, size, value, 1000, counts, 7, " "); return;
    case EMIT_WITHIN: /* not by itself */
    case EMIT_PERCENT: snprintf(out, size, "%.1f%%", 100 * value); return;
    case EMIT_SCI: snprintf(out, size, "%.1e", value); return;
    case EMIT_FIXED1: snprintf(out, size, "%.1f", value); return;
    case EMIT_FIXED2: snprintf(out, size, "%.2f", value); return;
    case EMIT_FIXED3: snprintf(out, size, "%.3f", value); return;
    }
}

static bool absent(const emit_value *v)
{
    return v->kind == EMIT_NULL || (v->kind == EMIT_REAL && !isfinite(v->d));
}

/* ---- JSON ---- */

void emit_json_string(FILE *out, const char *text)
{
    fputc('"', out);
    for (const unsigned char *c = (const unsigned char *)text; *c; c++)
        switch (*c) {
        case '"': fputs("\\\"", out); break;
        case '\\': fputs("\\\\", out); break;
        case '\n': fputs("\\n", out); break;
        case '\t': fputs("\\t", out); break;
        default:
            if (*c < 0x20 || *c == 0x7f)
                fprintf(out, "\\u%04x", *c);
            else
                fputc(*c, out);
        }
    fputc('"', out);
}

/* The shortest decimal that reads back as the same double. */
static void real(FILE *out, double value)
{
    char text[32];
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    fputs(text, out);
}

static void json_value(FILE *out, const emit_value *v)
{
    if (absent(v)) {
        fputs("null", out);
        return;
    }
    switch (v->kind) {
    case EMIT_NULL: break;
    case EMIT_BOOL: fputs(v->i ? "true" : "false", out); break;
    case EMIT_INT: fprintf(out, "%lld", (long long)v->i); break;
    case EMIT_REAL: real(out, v->d); break;
    case EMIT_TEXT: emit_json_string(out, v->s); break;
    case EMIT_RAW_JSON: fputs(v->s, out); break;
    }
}

static void json_row(const emitter *e, const emit_value *values)
{
    FILE *out = e->out;
    const char *open = NULL; /* the prefix whose object is open */
    size_t open_length = 0;
    fputc('{', out);
    for (size_t i = 0; i < e->count; i++) {
        const char *name = e->columns[i].name, *dot = strchr(name, '.');
        size_t prefix = dot ? (size_t)(dot - name) : 0;
        bool same = open && dot && prefix == open_length && strncmp(name, open, prefix) == 0;
        if (open && !same) {
            fputc('}', out);
            open = NULL;
        }
        if (i)
            fputs(", ", out);
        if (dot && !same) {
            fprintf(out, "\"%.*s\": {", (int)prefix, name);
            open = name;
            open_length = prefix;
        }
        fprintf(out, "\"%s\": ", dot ? dot + 1 : name);
        json_value(out, &values[i]);
    }
    fputs(open ? "}}" : "}", out);
}

/* ---- CSV ---- */

static void csv_field(FILE *out, const char *text)
{
    if (!strpbrk(text, ",\"\r\n")) {
        fputs(text, out);
        return;
    }
    fputc('"', out);
    for (; *text; text++) {
        if (*text == '"')
            fputc('"', out);
        fputc(*text, out);
    }
    fputc('"', out);
}

static void csv_row(const emitter *e, const emit_value *values)
{
    for (size_t i = 0; i < e->count; i++) {
        const emit_value *v = &values[i];
        if (i)
            fputc(',', e->out);
        if (absent(v))
            continue;
        if (v->kind == EMIT_TEXT || v->kind == EMIT_RAW_JSON)
            csv_field(e->out, v->s);
        else
            json_value(e->out, v);
    }
    fputs("\r\n", e->out);
}

/* ---- tables ---- */

static void keep(emitter *e, const char *text)
{
    if (e->cell_count == e->cell_capacity) {
        size_t capacity = e->cell_capacity ? 2 * e->cell_capacity : 256;
        char **cells = realloc(e->cells, capacity * sizeof *cells);
        if (!cells) {
            e->failed = true;
            return;
        }
        e->cells = cells;
        e->cell_capacity = capacity;
    }
    char *copy = strdup(text);
    if (copy)
        e->cells[e->cell_count++] = copy;
    else
        e->failed = true;
}

static double real_of(const emit_value *v) { return v->kind == EMIT_INT ? (double)v->i : v->d; }

/* The column that says within what the number of column i is known, if a row has a value for it. */
static const emit_value *within(const emitter *e, const emit_value *values, size_t i)
{
    if (e->columns[i].style != EMIT_NS)
        return NULL;
    for (i++; i < e->count && !e->columns[i].title; i++)
        if (e->columns[i].style == EMIT_WITHIN)
            return absent(&values[i]) ? NULL : &values[i];
    return NULL;
}

static void table_row(emitter *e, const emit_value *values)
{
    for (size_t i = 0; i < e->count; i++) {
        const emit_value *v = &values[i];
        char number[64];
        if (!e->columns[i].title)
            continue;
        if (absent(v)) {
            keep(e, "-");
        } else if (v->kind == EMIT_TEXT || v->kind == EMIT_RAW_JSON) {
            keep(e, v->s);
        } else if (v->kind == EMIT_BOOL) {
            keep(e, v->i ? "yes" : "no");
        } else if (v->kind == EMIT_INT && e->columns[i].style == EMIT_PLAIN) {
            snprintf(number, sizeof number, "%lld", (long long)v->i);
            keep(e, number);
        } else {
            const emit_value *half = within(e, values, i);
            if (half && real_of(v) > 0)
                emit_format_interval(number, sizeof number, real_of(v), real_of(half) * real_of(v));
            else
                emit_format_number(number, sizeof number, e->columns[i].style, real_of(v));
            keep(e, number);
        }
    }
}

/* A number, with a unit perhaps; not a sentence that begins with one. */
static bool numeric(const char *text)
{
    return !strpbrk(text, "(,;") && ((*text >= '0' && *text <= '9') || ((*text == '-' || *text == '+') && text[1] >= '0' && text[1] <= '9'));
}

static void pad(FILE *out, size_t count)
{
    while (count--)
        fputc(' ', out);
}

static void markdown_cell(FILE *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '|')
            fputc('\\', out);
        fputc(*text, out);
    }
}

/* Columns of a table that stand beside each other: those below `lead`, and those from `begin` on, before `end`. */
typedef struct block {
    size_t lead, begin, end;
} block;

/* One line of cells, the titles or a row. `left` says which columns are text. */
static void line(const emitter *e, char *const *cells, block b, const size_t *widths, const bool *left)
{
    bool md = e->format == EMIT_MD;
    for (size_t i = b.lead ? 0 : b.begin; i < b.end; i++) {
        if (i == b.lead && i < b.begin)
            i = b.begin;
        size_t gap = widths[i] - text_width(cells[i]);
        fputs(md ? (i ? " | " : "| ") : (i ? "  " : ""), e->out);
        if (!left[i])
            pad(e->out, gap);
        if (md)
            markdown_cell(e->out, cells[i]);
        else
            fputs(cells[i], e->out);
        if (left[i] && (md || i + 1 < b.end))
            pad(e->out, gap);
    }
    fputs(md ? " |\n" : "\n", e->out);
}

/* Hides the optional columns that no row has a value for, and takes their cells out. */
static void hide_empty(emitter *e)
{
    size_t n = 0, at = 0;
    for (size_t i = 0; i < e->count; i++)
        n += e->columns[i].title != NULL;
    for (size_t i = 0; i < e->count; i++) {
        if (!e->columns[i].title)
            continue;
        bool empty = e->shown[i] == WITH_VALUES;
        for (size_t c = at; c < e->cell_count && empty; c += n)
            empty = strcmp(e->cells[c], "-") == 0;
        if (!empty) {
            at++;
            continue;
        }
        size_t kept = 0;
        for (size_t c = 0; c < e->cell_count; c++)
            if (c % n == at)
                free(e->cells[c]);
            else
                e->cells[kept++] = e->cells[c];
        e->cell_count = kept;
        e->shown[i] = HIDDEN;
        n--;
    }
}

/* Titles and rows of a block. */
static void print_block(const emitter *e, char *const *titles, size_t n, block b, const size_t *widths, const bool *left)
{
    line(e, titles, b, widths, left);
    if (e->format == EMIT_MD) {
        for (size_t i = 0; i < n; i++) {
            fputs(i ? " | " : "| ", e->out);
            for (size_t k = 0; k + 1 < (widths[i] > 3 ? widths[i] : 3); k++)
                fputc('-', e->out);
            fputc(left[i] ? '-' : ':', e->out);
        }
        fputs(" |\n", e->out);
    }
    for (size_t i = 0; n && i + n <= e->cell_count; i += n)
        line(e, e->cells + i, b, widths, left);
}

/* A table that is too wide goes on below, after an empty line, with the columns that fill a third of the room again: they tell rows apart. */
static void print_folded(const emitter *e, char *const *titles, size_t n, const size_t *widths, const bool *left)
{
    enum { GAP = 2 };
    size_t lead = 0, lead_width = 0;
    while (lead + 1 < n && lead_width + widths[lead] + GAP <= e->room / 3)
        lead_width += widths[lead++] + GAP;
    for (size_t begin = 0, end; begin < n; begin = end) {
        size_t used = begin ? lead_width + widths[begin] : widths[begin];
        /* One that fits nowhere may as well stand here. */
        for (end = begin + 1; end < n && (used + GAP + widths[end] <= e->room || (used <= e->room && lead_width + widths[end] > e->room)); end++)
            used += GAP + widths[end];
        if (begin)
            fputc('\n', e->out);
        print_block(e, titles, n, (block){begin ? lead : 0, begin, end}, widths, left);
    }
}

void emit_html_text(FILE *out, const char *text)
{
    for (const char *c = text ? text : ""; *c; c++)
        switch (*c) {
        case '&': fputs("&amp;", out); break;
        case '<': fputs("&lt;", out); break;
        case '>': fputs("&gt;", out); break;
        case '"': fputs("&quot;", out); break;
        case '\'': fputs("&#39;", out); break;
        default: fputc(*c, out);
        }
}

static void print_html(const emitter *e, char *const *titles, size_t n, const bool *left)
{
    fputs("<thead><tr>", e->out);
    for (size_t i = 0; i < n; i++) {
        fputs(left[i] ? "<th scope=\"col\">" : "<th scope=\"col\" class=\"n\">", e->out);
        emit_html_text(e->out, titles[i]);
        fputs("</th>", e->out);
    }
    fputs("</tr></thead><tbody>\n", e->out);
    for (size_t c = 0; n && c < e->cell_count; c++) {
        fputs(c % n ? "" : "<tr>", e->out);
        fputs(left[c % n] ? "<td>" : "<td class=\"n\">", e->out);
        emit_html_text(e->out, e->cells[c]);
        fputs(c % n + 1 < n ? "</td>" : "</td></tr>\n", e->out);
    }
    fputs("</tbody>", e->out);
}

static void print_table(emitter *e)
{
    hide_empty(e);
    size_t n = 0;
    char **titles = calloc(e->count + 1, sizeof *titles);
    size_t *widths = calloc(e->count + 1, sizeof *widths);
    bool *left = calloc(e->count + 1, sizeof *left);
    if (!titles || !widths || !left) {
        e->failed = true;
        goto cleanup;
    }
    for (size_t i = 0; i < e->count; i++)
        if (e->columns[i].title && e->shown[i] != HIDDEN) {
            titles[n] = strdup(e->columns[i].title);
            if (!titles[n]) {
                e->failed = true;
                goto cleanup;
            }
            widths[n] = text_width(titles[n]);
            n++;
        }
    for (size_t i = 0; n && i < e->cell_count; i++) {
        size_t width = text_width(e->cells[i]);
        if (width > widths[i % n])
            widths[i % n] = width;
        left[i % n] |= !numeric(e->cells[i]) && strcmp(e->cells[i], "-") != 0;
    }
    size_t width = 0;
    for (size_t i = 0; i < n; i++)
        width += widths[i] + (i ? 2 : 0);
    if (e->format == EMIT_HTML)
        print_html(e, titles, n, left);
    else if (e->format == EMIT_TABLE && e->room && width > e->room)
        print_folded(e, titles, n, widths, left);
    else
        print_block(e, titles, n, (block){0, 0, n}, widths, left);
cleanup:
    for (size_t i = 0; titles && i < n; i++)
        free(titles[i]);
    free(titles);
    free(widths);
    free(left);
}

/* ---- the emitter ---- */

emitter *emit_open(FILE *out, emit_format format, const emit_column *columns, size_t count)
{
    emitter *e = calloc(1, sizeof *e);
    if (!e)
        return NULL;
    *e = (emitter){.out = out, .format = format, .columns = columns, .count = count, .room = terminal_columns(out), .shown = calloc(count + 1, sizeof *e->shown)};
    if (!e->shown) {
        free(e);
        return NULL;
    }
    if (format == EMIT_JSON)
        fputc('[', out);
    if (format == EMIT_CSV) {
        for (size_t i = 0; i < count; i++) {
            if (i)
                fputc(',', out);
            csv_field(out, columns[i].name);
        }
        fputs("\r\n", out);
    }
    return e;
}

void emit_fold(emitter *e, size_t width)
{
    e->room = width;
}

void emit_optional(emitter *e, const char *name)
{
    for (size_t i = 0; i < e->count; i++)
        if (strcmp(e->columns[i].name, name) == 0)
            e->shown[i] = WITH_VALUES;
}

void emit_row(emitter *e, const emit_value *values)
{
    switch (e->format) {
    case EMIT_TABLE:
    case EMIT_MD:
    case EMIT_HTML:
        table_row(e, values);
        break;
    case EMIT_CSV:
        csv_row(e, values);
        break;
    case EMIT_JSON:
        fputs(e->rows ? ",\n " : "\n ", e->out);
        json_row(e, values);
        break;
    case EMIT_JSONL:
        json_row(e, values);
        fputc('\n', e->out);
        fflush(e->out); /* a reader at the other end of a pipe sees each row as it comes */
        break;
    }
    e->rows++;
}

bool emit_close(emitter *e)
{
    if (e->format == EMIT_TABLE || e->format == EMIT_MD || e->format == EMIT_HTML)
        print_table(e);
    if (e->format == EMIT_JSON)
        fputs(e->rows ? "\n]\n" : "]\n", e->out);
    bool fine = fflush(e->out) == 0 && !ferror(e->out) && !e->failed;
    for (size_t i = 0; i < e->cell_count; i++)
        free(e->cells[i]);
    free(e->cells);
    free(e->shown);
    free(e);
    return fine;
}
