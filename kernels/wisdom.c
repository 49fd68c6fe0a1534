/* Wisdom: entries sorted by key under one lock. See attn/wisdom.h. */
#include "kernels/wisdom.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cpu_speed.h"

#define HEADER "attn-wisdom 1"

typedef struct entry {
    char *key;
    char lowering[CHOICE_LENGTH];
    double ns;
} entry;

typedef struct entries {
    entry *at;
    size_t count, capacity;
} entries;

static entries known;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* ---- entries ---- */

/* Where `key` is, or belongs. */
static size_t place_of(const entries *e, const char *key, bool *found)
{
    size_t lo = 0, hi = e->count;
    *found = false;
    while (lo < hi) {
        size_t middle = lo + (hi - lo) / 2;
        int order = strcmp(e->at[middle].key, key);
        if (order == 0) {
            *found = true;
            return middle;
        }
        if (order < 0)
            lo = middle + 1;
        else
            hi = middle;
    }
    return lo;
}

static bool put(entries *e, const char *key, const char *lowering, double ns)
{
    bool found;
    size_t i = place_of(e, key, &found);
    if (!found) {
        if (e->count == e->capacity) {
            size_t capacity = e->capacity ? 2 * e->capacity : 16;
            entry *at = realloc(e->at, capacity * sizeof *at);
            if (!at)
                return false;
            e->at = at;
            e->capacity = capacity;
        }
        char *copy = strdup(key);
        if (!copy)
            return false;
        memmove(e->at + i + 1, e->at + i, (e->count - i) * sizeof *e->at);
        e->count++;
        e->at[i].key = copy;
    }
    snprintf(e->at[i].lowering, sizeof e->at[i].lowering, "%s", lowering);
    e->at[i].ns = ns;
    return true;
}

static void clear(entries *e)
{
    for (size_t i = 0; i < e->count; i++)
        free(e->at[i].key);
    free(e->at);
    *e = (entries){0};
}

bool wisdom_find(const char *key, choice *out, double *ns)
{
    bool found;
    pthread_mutex_lock(&lock);
    size_t i = place_of(&known, key, &found);
    if (found) {
        found = choice_parse(known.at[i].lowering, out, NULL) == ATTN_OK;
        *ns = known.at[i].ns;
    }
    pthread_mutex_unlock(&lock);
    return found;
}

void wisdom_learn(const char *key, const char *lowering, double ns)
{
    pthread_mutex_lock(&lock);
    put(&known, key, lowering, ns);
    pthread_mutex_unlock(&lock);
}

void attn_wisdom_forget(void)
{
    pthread_mutex_lock(&lock);
    clear(&known);
    pthread_mutex_unlock(&lock);
}

/* ---- text ---- */

static void put_value(FILE *out, const char *text)
{
    for (const unsigned char *c = (const unsigned char *)text; *c; c++)
        if (*c <= ' ' || *c == '%' || *c == 0x7f)
            fprintf(out, "%%%02x", *c);
        else
            fputc(*c, out);
}

char *wisdom_key(const attn_problem *p, const kernel *k, int threads)
{
    char *text = NULL;
    size_t size, heads = attn_layout_heads(p->layout);
    FILE *out = open_memstream(&text, &size);
    if (!out)
        return NULL;
    fputs("kernel=", out);
    put_value(out, k->name);
    fprintf(out, " isa=%s cpu=", k->isa);
    put_value(out, cpu_model());
    fprintf(out, " threads=%d batch=%zu heads=%zu kv_heads=%zu nq=%zu nk=%zu dim=%zu dtype=%s pattern=", threads,
            p->batch, heads, p->kv_heads ? p->kv_heads : heads, attn_layout_nq(p->layout), attn_layout_nk(p->layout),
            p->dim, attn_dtype_name(p->dtype));
    put_value(out, attn_layout_text(p->layout));
    if (fclose(out) != 0) {
        free(text);
        return NULL;
    }
    return text;
}

char *attn_wisdom_export(void)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        return NULL;
    fputs(HEADER "\n", out);
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < known.count; i++)
        fprintf(out, "%s lowering=%s ns=%.0f\n", known.at[i].key, known.at[i].lowering, known.at[i].ns);
    pthread_mutex_unlock(&lock);
    if (fclose(out) != 0) {
        free(text);
        return NULL;
    }
    return text;
}

/* ---- reading it back ---- */

typedef enum word_kind { TEXT, NUMBER, DTYPE, LOWERING, TIME } word_kind;

static const struct { const char *name; word_kind kind; } words[] = {
    {"kernel", TEXT}, {"isa", TEXT},  {"cpu", TEXT},     {"threads", NUMBER},    {"batch", NUMBER},
    {"heads", NUMBER}, {"kv_heads", NUMBER}, {"nq", NUMBER}, {"nk", NUMBER},     {"dim", NUMBER},
    {"dtype", DTYPE}, {"pattern", TEXT}, {"lowering", LOWERING}, {"ns", TIME},
};
enum { WORDS = sizeof words / sizeof words[0], KERNEL_WORD = 0, LOWERING_WORD = WORDS - 2, TIME_WORD = WORDS - 1 };

static bool is_number(const char *text)
{
    size_t digits = strspn(text, "0123456789");
    return digits > 0 && digits < 20 && !text[digits] && text[0] != '0';
}

static bool fits(word_kind kind, const char *value)
{
    attn_dtype dtype;
    choice c;
    switch (kind) {
    case TEXT: return *value != '\0';
    case NUMBER:
    case TIME: return is_number(value);
    case DTYPE: return attn_dtype_parse(value, &dtype);
    case LOWERING: return choice_parse(value, &c, NULL) == ATTN_OK;
    }
    return false;
}

/* The values of a line, which stays as it is. */
static attn_status read_line(char *line, size_t number, char *values[WORDS], attn_error *err)
{
    char *at = line;
    for (size_t w = 0; w < WORDS; w++) {
        size_t name = strlen(words[w].name), length = strcspn(at, " ");
        bool last = w + 1 == WORDS;
        if (strncmp(at, words[w].name, name) != 0 || at[name] != '=' || length <= name || (at[length] == '\0') != last)
            return attn_fail(err, ATTN_EINVAL, "wisdom: line %zu: expected %s=... where it says \"%.40s\"", number,
                             words[w].name, at);
        free(values[w]);
        values[w] = strndup(at + name + 1, length - name - 1);
        if (!values[w])
            return attn_fail(err, ATTN_ENOMEM, "out of memory reading wisdom");
        if (!fits(words[w].kind, values[w]))
            return attn_fail(err, ATTN_EINVAL, "wisdom: line %zu: %s=%.40s cannot be", number, words[w].name,
                             values[w]);
        at += length + !last;
    }
    return ATTN_OK;
}

static bool knows_kernel(const char *name)
{
    for (size_t i = 0; kernels[i]; i++)
        if (strcmp(kernels[i]->name, name) == 0)
            return true;
    return false;
}

/* All lines behind the header into `out`. */
static attn_status read_lines(char *text, entries *out, attn_wisdom_counts *counts, attn_error *err)
{
    char *values[WORDS] = {0};
    attn_status status = ATTN_OK;
    size_t number = 1;
    for (char *line = text, *next; *line && status == ATTN_OK; line = next) {
        size_t length = strcspn(line, "\n");
        next = line + length + (line[length] == '\n');
        line[length] = '\0';
        number++;
        if (!length)
            continue;
        if ((status = read_line(line, number, values, err)) != ATTN_OK)
            break;
        if (!knows_kernel(values[KERNEL_WORD])) {
            counts->ignored++;
            continue;
        }
        size_t tail = strlen(values[LOWERING_WORD]) + strlen(values[TIME_WORD]) + strlen(" lowering= ns=");
        line[length - tail] = '\0';
        counts->taken++;
        if (!put(out, line, values[LOWERING_WORD], strtod(values[TIME_WORD], NULL)))
            status = attn_fail(err, ATTN_ENOMEM, "out of memory reading wisdom");
    }
    for (size_t w = 0; w < WORDS; w++)
        free(values[w]);
    return status;
}

attn_status attn_wisdom_import(const char *text, attn_wisdom_counts *out, attn_error *err)
{
    const size_t header = strlen(HEADER);
    attn_wisdom_counts counts = {0};
    entries fresh = {0};
    if (strncmp(text, HEADER, header) != 0 || (text[header] && text[header] != '\n'))
        return attn_fail(err, ATTN_EINVAL, "wisdom: line 1: expected \"" HEADER "\", not \"%.*s\"",
                         (int)(strcspn(text, "\n") < 40 ? strcspn(text, "\n") : 40), text);
    char *copy = strdup(text + header + (text[header] == '\n'));
    if (!copy)
        return attn_fail(err, ATTN_ENOMEM, "out of memory reading wisdom");
    attn_status status = read_lines(copy, &fresh, &counts, err);
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < fresh.count && status == ATTN_OK; i++)
        if (!put(&known, fresh.at[i].key, fresh.at[i].lowering, fresh.at[i].ns))
            status = attn_fail(err, ATTN_ENOMEM, "out of memory reading wisdom");
    pthread_mutex_unlock(&lock);
    clear(&fresh);
    free(copy);
    if (status == ATTN_OK && out)
        *out = counts;
    return status;
}
