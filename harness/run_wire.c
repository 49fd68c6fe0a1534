/* What a measuring process tells its parent: lines of fields separated by tabs.
 *
 *   i SERIES UNIT NUMBER     r SERIES UNIT HEXFLOAT     t SERIES UNIT TEXT     a SERIES UNIT REASON
 *   m METRIC                 the metric that begins
 *   e STATUS MESSAGE         it failed; the last line
 *   d                        all is measured; the last line
 *
 * Tabs, line ends and backslashes inside a field are escaped as in C. A text has no unit: an empty field. */
#include "harness/run.h"

#include <stdlib.h>
#include <string.h>

static void put(FILE *out, const char *text)
{
    fputc('\t', out);
    for (; text && *text; text++)
        switch (*text) {
        case '\t': fputs("\\t", out); break;
        case '\n': fputs("\\n", out); break;
        case '\\': fputs("\\\\", out); break;
        default: fputc(*text, out);
        }
}

void wire_send_sample(FILE *out, const char *name, const char *unit, const sample *s)
{
    static const char letters[] = {
        [RECORD_REAL] = 'r', [RECORD_INT] = 'i', [RECORD_TEXT] = 't', [RECORD_ABSENT] = 'a'};
    fputc(letters[s->kind], out);
    put(out, name);
    put(out, unit);
    switch (s->kind) {
    case RECORD_REAL: fprintf(out, "\t%a", s->real); break;
    case RECORD_INT: fprintf(out, "\t%lld", (long long)s->integer); break;
    case RECORD_TEXT:
    case RECORD_ABSENT: put(out, s->text); break;
    }
    fputc('\n', out);
}

void wire_send(FILE *out, const wire_line *line)
{
    switch (line->kind) {
    case WIRE_SAMPLE: return;
    case WIRE_METRIC:
        fputc('m', out);
        put(out, line->text);
        break;
    case WIRE_ERROR:
        fprintf(out, "e\t%d", (int)line->status);
        put(out, line->text);
        break;
    case WIRE_DONE: fputc('d', out); break;
    }
    fputc('\n', out);
}

/* The next field of *at, unescaped in place; NULL when there is none. */
static char *take(char **at)
{
    char *in = *at, *out = in, *start = in;
    if (!in)
        return NULL;
    for (; *in && *in != '\t'; in++) {
        if (*in == '\\' && in[1]) {
            in++;
            *out++ = *in == 't' ? '\t' : *in == 'n' ? '\n' : *in;
        } else {
            *out++ = *in;
        }
    }
    *at = *in ? in + 1 : NULL;
    *out = '\0';
    return start;
}

static bool take_number(char **at, wire_line *out, record_kind kind)
{
    char *text = take(at), *end = text;
    if (!text || !*text)
        return false;
    if (kind == RECORD_INT)
        out->sample.integer = strtoll(text, &end, 10);
    else
        out->sample.real = strtod(text, &end);
    return !*end;
}

bool wire_read(char *text, wire_line *out)
{
    static const struct {
        char letter;
        record_kind kind;
    } kinds[] = {{'r', RECORD_REAL}, {'i', RECORD_INT}, {'t', RECORD_TEXT}, {'a', RECORD_ABSENT}};
    char *rest = text, *tag = take(&rest), *status;
    *out = (wire_line){.kind = WIRE_SAMPLE};
    if (!tag || strlen(tag) != 1)
        return false;
    switch (*tag) {
    case 'm': out->kind = WIRE_METRIC; return (out->text = take(&rest)) && !rest;
    case 'e':
        out->kind = WIRE_ERROR;
        status = take(&rest);
        out->text = take(&rest);
        if (!out->text || rest || *status < '1' || *status > '0' + (int)ATTN_EWRONG || status[1])
            return false;
        out->status = (attn_status)(*status - '0');
        return true;
    case 'd': out->kind = WIRE_DONE; return !rest;
    default: break;
    }
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (kinds[i].letter != *tag)
            continue;
        out->sample.kind = kinds[i].kind;
        out->sample.series = take(&rest);
        out->sample.unit = take(&rest);
        if (!out->sample.unit || !*out->sample.series)
            return false;
        if (kinds[i].kind == RECORD_REAL || kinds[i].kind == RECORD_INT)
            return take_number(&rest, out, kinds[i].kind) && !rest;
        return (out->sample.text = take(&rest)) && !rest;
    }
    return false;
}
