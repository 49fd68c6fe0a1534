/* The text of an events file, line by line, into a list; and lists into one. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/suggest.h"
#include "harness/perf_events.h"

const char *const perf_model_names[] = {"flops_measured", "flops_useful", "flops_executed", "bytes_model", "pairs_total",
                                        NULL};

typedef struct reading {
    const char *name; /* of the file */
    size_t line;
    perf_events *out;
    char *pmus;
    attn_error *err;
} reading;

/* ---- complaints ---- */

ATTN_PRINTF(4, 5)
static attn_status wrong_at(attn_error *err, const char *file, size_t line, const char *format, ...)
{
    char text[ATTN_ERROR_LENGTH];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return attn_fail(err, ATTN_EINVAL, "%.160s:%zu: %.320s", file, line, text);
}
#define wrong(r, ...) wrong_at((r)->err, (r)->name, (r)->line, __VA_ARGS__)

/* The end of it, where the path is long. */
static void keep_file(char out[PERF_PLACE_LENGTH], const char *name)
{
    const size_t length = strlen(name);
    snprintf(out, PERF_PLACE_LENGTH, "%s", name + (length < PERF_PLACE_LENGTH ? 0 : length - PERF_PLACE_LENGTH + 1));
}

/* ---- words ---- */

static char *take_word(char **at)
{
    char *start = *at + strspn(*at, " \t");
    char *end = start + strcspn(start, " \t");
    *at = end + strspn(end, " \t");
    *end = '\0';
    return start;
}

static attn_status take_name(const reading *r, char **at, char out[PERF_NAME_LENGTH])
{
    const char *word = take_word(at);
    const size_t length = perf_name_span(word);
    if (!length || word[length] || length >= PERF_NAME_LENGTH)
        return wrong(r, "'%.60s' is no name: a lower-case letter, then letters, digits and _, at most %d of them", word,
                     (int)PERF_NAME_LENGTH - 1);
    memcpy(out, word, length + 1);
    return ATTN_OK;
}

static attn_status take_unit(const reading *r, char **at, char out[PERF_UNIT_LENGTH])
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/%";
    const char *word = take_word(at);
    const size_t length = strspn(word, allowed);
    if (!length || word[length] || length >= PERF_UNIT_LENGTH)
        return wrong(r, "'%.60s' is no unit: at most %d letters, digits, / and %%, such as count, ns or bytes/flop; 1 for "
                        "pure numbers", word, (int)PERF_UNIT_LENGTH - 1);
    memcpy(out, word, length + 1);
    return ATTN_OK;
}

static attn_status no_more(const reading *r, const char *at, const char *what)
{
    return *at ? wrong(r, "'%.60s' is left over after %s", at, what) : ATTN_OK;
}

/* ---- statements ---- */

/* Whether a list of words parted by blanks holds this one. */
static bool holds(const char *words, const char *word)
{
    const size_t n = strlen(word);
    for (const char *at = words; n && (at = strstr(at, word)); at += n)
        if ((at == words || at[-1] == ' ') && (at[n] == ' ' || at[n] == '\0'))
            return true;
    return false;
}

bool perf_events_fit(const char *pmus, const char *pmu)
{
    return strcmp(pmus, "any") == 0 || (pmu && holds(pmus, pmu));
}

static attn_status read_for(const reading *r, char *at)
{
    if (*r->pmus)
        return wrong(r, "a second 'for'; one line names all PMUs");
    size_t used = 0;
    while (*at) {
        const char *pmu = take_word(&at);
        const size_t length = strspn(pmu, "abcdefghijklmnopqrstuvwxyz0123456789_");
        if (!length || pmu[length] || length >= PERF_NAME_LENGTH)
            return wrong(r, "'%.60s' is no PMU of libpfm4's, such as skx or amd64_fam19h_zen3", pmu);
        used += (size_t)snprintf(r->pmus + used, PERF_LINE_LENGTH - used, "%s%s", used ? " " : "", pmu);
    }
    if (!used)
        return wrong(r, "'for' without a PMU; write those the file is for, or any");
    if (holds(r->pmus, "any") && strcmp(r->pmus, "any") != 0)
        return wrong(r, "'for' with any and with PMUs: write one or the other");
    return ATTN_OK;
}

static attn_status whole_set(const reading *r)
{
    const perf_events *l = r->out;
    if (l->set_count && !l->sets[l->set_count - 1].count)
        return wrong_at(r->err, r->name, l->sets[l->set_count - 1].line, "set %s has no event",
                        l->sets[l->set_count - 1].name);
    return ATTN_OK;
}

static attn_status read_set(const reading *r, char *at)
{
    perf_events *l = r->out;
    attn_status status = whole_set(r);
    if (!status && l->set_count == PERF_MOST_SETS)
        status = wrong(r, "more than %d sets", (int)PERF_MOST_SETS);
    if (status)
        return status;
    perf_set *s = &l->sets[l->set_count];
    *s = (perf_set){.line = r->line};
    keep_file(s->file, r->name);
    status = take_name(r, &at, s->name);
    if (!status)
        status = no_more(r, at, "the name of a set");
    for (size_t i = 0; i < l->set_count && !status; i++)
        if (strcmp(l->sets[i].name, s->name) == 0)
            status = wrong(r, "set %s is there already, on line %zu", s->name, l->sets[i].line);
    l->set_count += !status;
    return status;
}

static attn_status read_event_option(const reading *r, perf_event *e, const char *word)
{
    if (strcmp(word, "kernel") == 0) {
        e->kernel = true;
        return ATTN_OK;
    }
    if (strncmp(word, "flops=", 6) == 0) {
        char *end;
        const bool digits = word[6] >= '0' && word[6] <= '9';
        e->flops = digits ? strtod(word + 6, &end) : 0;
        return digits && !*end && e->flops > 0 && e->flops <= 1e6
                   ? ATTN_OK : wrong(r, "'%.60s': flops=N takes a number up to a million", word);
    }
    return wrong(r, "'%.60s' after the event; what may follow is flops=N and kernel", word);
}

static attn_status read_event(const reading *r, char *at)
{
    perf_events *l = r->out;
    if (!l->set_count)
        return wrong(r, "an event before any set; write 'set NAME' above it");
    perf_set *s = &l->sets[l->set_count - 1];
    if (s->count == PERF_GROUP_EVENTS)
        return wrong(r, "set %s has more than %d events, which no CPU counts together; begin another set", s->name,
                     (int)PERF_GROUP_EVENTS);
    perf_event *e = &s->events[s->count];
    *e = (perf_event){.line = r->line};
    attn_status status = take_name(r, &at, e->name);
    if (!status)
        status = take_unit(r, &at, e->unit);
    if (status)
        return status;
    const char *event = take_word(&at);
    if (!*event)
        return wrong(r, "%s has no event; write NAME UNIT EVENT, such as: event cycles count perf::CYCLES", e->name);
    if (strlen(event) >= sizeof e->event)
        return wrong(r, "an event of %zu characters; libpfm4's have less than %d", strlen(event), (int)PERF_EVENT_LENGTH);
    strcpy(e->event, event);
    if (!strstr(event, "::") && strcmp(r->pmus, "any") == 0)
        return wrong(r, "'%.60s': a file for any CPU names the PMU of each event, such as perf::CYCLES", event);
    while (*at && !status)
        status = read_event_option(r, e, take_word(&at));
    s->count += !status;
    return status;
}

static attn_status read_derived(const reading *r, char *at, bool formula)
{
    perf_events *l = r->out;
    if (l->derived_count == PERF_MOST_DERIVED)
        return wrong(r, "more than %d derived values", (int)PERF_MOST_DERIVED);
    perf_derived *d = &l->derived[l->derived_count];
    memset(d, 0, sizeof *d);
    d->line = r->line;
    keep_file(d->file, r->name);
    attn_status status = take_name(r, &at, d->name);
    if (!status)
        status = take_unit(r, &at, d->unit);
    if (status)
        return status;
    for (size_t i = 0; i < l->derived_count; i++)
        if (strcmp(l->derived[i].name, d->name) == 0)
            return wrong(r, "%s is there already, on line %zu", d->name, l->derived[i].line);
    if (!formula) {
        const int length = snprintf(d->why, sizeof d->why, "%s", at);
        if (!length || (size_t)length >= sizeof d->why)
            return wrong(r, "'absent NAME UNIT' wants a reason of at most %d characters", (int)PERF_WHY_LENGTH - 1);
    } else {
        if (*at != '=')
            return wrong(r, "'%.60s' where = and a formula are expected: derive NAME UNIT = FORMULA", at);
        attn_error why;
        if (perf_formula_parse(&d->formula, at + 1, &why))
            return wrong(r, "%s: %.200s", d->name, why.message);
    }
    l->derived_count++;
    return ATTN_OK;
}

static attn_status read_statement(const reading *r, char *line)
{
    static const char *const words[] = {"for", "set", "event", "derive", "absent"};
    char *at = line;
    const char *word = take_word(&at);
    suggestion near = {.word = word};
    size_t w = 0;
    for (; w < sizeof words / sizeof words[0] && strcmp(words[w], word) != 0; w++)
        suggest_offer(&near, words[w]);
    if (w == sizeof words / sizeof words[0])
        return near.best ? wrong(r, "'%.60s' begins no line of an events file; did you mean '%s'?", word, near.best)
                         : wrong(r, "'%.60s' begins no line of an events file; for, set, event, derive and absent do", word);
    if (w && !*r->pmus)
        return wrong(r, "the file must say first which PMUs it is for: 'for skx clx', or 'for any'");
    switch (w) {
    case 0: return read_for(r, at);
    case 1: return read_set(r, at);
    case 2: return read_event(r, at);
    default: return read_derived(r, at, w == 3);
    }
}

/* One line: of bounded length, without control characters, comment and blanks at its end cut off. */
static attn_status read_line(const reading *r, const char *text, size_t length)
{
    char line[PERF_LINE_LENGTH + 1];
    if (length && text[length - 1] == '\r')
        length--;
    if (length > PERF_LINE_LENGTH)
        return wrong(r, "a line of %zu bytes; at most %d", length, (int)PERF_LINE_LENGTH);
    for (size_t i = 0; i < length; i++)
        if (((unsigned char)text[i] < ' ' && text[i] != '\t') || text[i] == 0x7f)
            return wrong(r, "byte 0x%02x in it; events files are plain text", (unsigned char)text[i]);
    memcpy(line, text, length);
    line[length] = '\0';
    length = strcspn(line, "#");
    while (length && (line[length - 1] == ' ' || line[length - 1] == '\t'))
        length--;
    line[length] = '\0';
    return line[strspn(line, " \t")] ? read_statement(r, line) : ATTN_OK;
}

attn_status perf_events_read(perf_events *out, char pmus[PERF_LINE_LENGTH], const char *name, const char *text, size_t size,
                             attn_error *err)
{
    memset(out, 0, sizeof *out);
    *pmus = '\0';
    reading r = {.name = name, .out = out, .pmus = pmus, .err = err};
    if (size > PERF_FILE_BYTES)
        return attn_fail(err, ATTN_EINVAL, "%.160s: more than %d bytes, which is no events file", name, (int)PERF_FILE_BYTES);
    attn_status status = ATTN_OK;
    for (size_t at = 0; at < size && !status;) {
        const char *end = memchr(text + at, '\n', size - at);
        const size_t length = end ? (size_t)(end - text) - at : size - at;
        r.line++;
        status = read_line(&r, text + at, length);
        at += length + 1;
    }
    if (!status)
        status = whole_set(&r);
    if (!status && !out->set_count && !out->derived_count)
        status = attn_fail(err, ATTN_EINVAL, "%.160s: no set and nothing derived in it; see 'Counters' in docs/MEASUREMENT.md",
                           name);
    return status;
}

/* ---- lists ---- */

static const perf_event *find_event(const perf_events *l, const char *name, const perf_set **in)
{
    for (size_t s = 0; s < l->set_count; s++)
        for (size_t e = 0; e < l->sets[s].count; e++)
            if (strcmp(l->sets[s].events[e].name, name) == 0) {
                if (in)
                    *in = &l->sets[s];
                return &l->sets[s].events[e];
            }
    return NULL;
}

static bool is_model(const char *name)
{
    for (size_t i = 0; perf_model_names[i]; i++)
        if (strcmp(perf_model_names[i], name) == 0)
            return true;
    return false;
}

static size_t find_derived(const perf_events *l, const char *name)
{
    size_t i = 0;
    while (i < l->derived_count && strcmp(l->derived[i].name, name) != 0)
        i++;
    return i;
}

attn_status perf_events_add(perf_events *list, const perf_events *more, attn_error *err)
{
    for (size_t i = 0; i < more->set_count; i++) {
        const perf_set *s = &more->sets[i];
        size_t at = 0;
        while (at < list->set_count && strcmp(list->sets[at].name, s->name) != 0)
            at++;
        if (at == PERF_MOST_SETS)
            return wrong_at(err, s->file, s->line, "with those of the program more than %d sets", (int)PERF_MOST_SETS);
        if (at < list->set_count) /* so that the newest stand last */
            memmove(&list->sets[at], &list->sets[at + 1], (--list->set_count - at) * sizeof list->sets[0]);
        list->sets[list->set_count++] = *s;
    }
    for (size_t i = 0; i < more->derived_count; i++) {
        const perf_derived *d = &more->derived[i];
        const size_t at = find_derived(list, d->name);
        if (at == PERF_MOST_DERIVED)
            return wrong_at(err, d->file, d->line, "with those of the program more than %d derived values",
                            (int)PERF_MOST_DERIVED);
        list->derived[at] = *d;
        list->derived_count += at == list->derived_count;
    }
    return ATTN_OK;
}

/* Each name stands for one thing. Of two events that in the later set is complained of: it is the user's, if one is. */
static attn_status check_names(const perf_events *l, attn_error *err)
{
    for (size_t s = 0; s < l->set_count; s++)
        for (size_t i = 0; i < l->sets[s].count; i++) {
            const perf_event *e = &l->sets[s].events[i];
            const perf_set *before = NULL;
            if (find_event(l, e->name, &before) != e)
                return before == &l->sets[s]
                           ? wrong_at(err, l->sets[s].file, e->line, "%s is twice in set %s", e->name, before->name)
                           : wrong_at(err, l->sets[s].file, e->line,
                                      "%s is an event of set %s already; take another name, or call the set %s to replace that",
                                      e->name, before->name, before->name);
            if (is_model(e->name))
                return wrong_at(err, l->sets[s].file, e->line, "%s is the program's own; take another name", e->name);
        }
    for (size_t i = 0; i < l->derived_count; i++) {
        const perf_derived *d = &l->derived[i];
        const perf_set *in = NULL;
        const perf_event *e = find_event(l, d->name, &in);
        if (is_model(d->name))
            return wrong_at(err, d->file, d->line, "%s is the program's own; take another name", d->name);
        if (e)
            return wrong_at(err, in->file, e->line, "%s is derived, on line %zu of %s; an event needs another name", d->name,
                            d->line, d->file);
    }
    return ATTN_OK;
}

static attn_status unknown_name(const perf_events *l, const perf_derived *d, const char *name, attn_error *err)
{
    suggestion near = {.word = name};
    for (size_t s = 0; s < l->set_count; s++)
        for (size_t i = 0; i < l->sets[s].count; i++)
            suggest_offer(&near, l->sets[s].events[i].name);
    for (size_t i = 0; i < l->derived_count; i++)
        suggest_offer(&near, l->derived[i].name);
    for (size_t i = 0; perf_model_names[i]; i++)
        suggest_offer(&near, perf_model_names[i]);
    return near.best ? wrong_at(err, d->file, d->line, "%s: nothing is called %s; did you mean %s?", d->name, name, near.best)
                     : wrong_at(err, d->file, d->line, "%s: nothing is called %s: no event, nothing derived", d->name, name);
}

/* Whether all that a formula names is known, given what else derived is. */
static bool settled(const perf_events *l, const perf_derived *d, const bool *done)
{
    for (size_t n = 0; n < d->formula.name_count; n++) {
        const size_t other = find_derived(l, d->formula.names[n]);
        if (other < l->derived_count && !done[other])
            return false;
    }
    return true;
}

attn_status perf_events_check(const perf_events *l, attn_error *err)
{
    attn_status status = check_names(l, err);
    if (status)
        return status;
    for (size_t i = 0; i < l->derived_count; i++)
        for (size_t n = 0; n < l->derived[i].formula.name_count; n++) {
            const char *name = l->derived[i].formula.names[n];
            if (!find_event(l, name, NULL) && !is_model(name) && find_derived(l, name) == l->derived_count)
                return unknown_name(l, &l->derived[i], name, err);
        }
    bool done[PERF_MOST_DERIVED] = {false};
    for (bool progress = true; progress;) {
        progress = false;
        for (size_t i = 0; i < l->derived_count; i++)
            if (!done[i] && settled(l, &l->derived[i], done))
                done[i] = progress = true;
    }
    for (size_t i = 0; i < l->derived_count; i++)
        if (!done[i])
            return wrong_at(err, l->derived[i].file, l->derived[i].line, "%s is derived from itself", l->derived[i].name);
    return ATTN_OK;
}
