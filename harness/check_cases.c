/* Which sizes, contents and specs `check` tries. */
#include "harness/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const check_fill_names[CHECK_FILLS] = {"normal", "huge", "nan", "inf", "denormal", "constant",
                                                   "speck", "tiny", "big"};

/* Odd n and d and their neighbours at multiples of vectors and tiles; more rows than keys and fewer; batches,
 * groups of query heads; the smallest of everything and the largest d. The first QUICK_SHAPES serve --quick,
 * the first SPECIAL_SHAPES also every fill and dtype. */
static const struct {
    size_t batch, heads, kv_heads, nq, nk, dim;
} shapes[] = {
    {1, 2, 1, 65, 65, 33},   {2, 4, 2, 47, 47, 16},  {1, 2, 2, 130, 33, 24}, {1, 1, 1, 33, 129, 64},
    {1, 1, 1, 1, 1, 8},      {1, 1, 1, 1, 70, 64},   {1, 3, 3, 127, 127, 40}, {1, 2, 1, 64, 64, 128},
    {2, 6, 3, 31, 47, 13},   {1, 1, 1, 63, 63, 256}, {1, 2, 2, 50, 50, 1},   {1, 1, 1, 300, 300, 80},
    {1, 1, 1, 517, 517, 32}, {1, 2, 2, 17, 17, 255},
};
enum {
    SHAPES = sizeof shapes / sizeof *shapes,
    QUICK_SHAPES = 5,
    SPECIAL_SHAPES = 3,
    SPECIAL_SHAPES_QUICK = 1
};

static bool same_sizes(const check_case *a, const check_case *b)
{
    return a->batch == b->batch && a->heads == b->heads && a->kv_heads == b->kv_heads && a->nq == b->nq &&
           a->nk == b->nk && a->dim == b->dim;
}

/* The table with the user's choices put in, each once. */
static check_case *choose_sizes(const check_choice *choice, size_t *count)
{
    size_t table = choice->quick ? QUICK_SHAPES : SHAPES, used = 0;
    size_t n_count = choice->n_count ? choice->n_count : 1,
           dim_count = choice->dim_count ? choice->dim_count : 1;
    check_case *cases = malloc(table * n_count * dim_count * sizeof *cases);
    if (!cases)
        return NULL;
    for (size_t s = 0; s < table; s++)
        for (size_t n = 0; n < n_count; n++)
            for (size_t d = 0; d < dim_count; d++) {
                check_case c = {.batch = shapes[s].batch,
                                .heads = shapes[s].heads,
                                .kv_heads = shapes[s].kv_heads,
                                .nq = shapes[s].nq,
                                .nk = shapes[s].nk,
                                .dim = shapes[s].dim};
                if (choice->n_count)
                    c.nq = c.nk = choice->n[n];
                if (choice->nq)
                    c.nq = choice->nq;
                if (choice->dim_count)
                    c.dim = choice->dims[d];
                if (choice->batch)
                    c.batch = choice->batch;
                if (choice->heads)
                    c.heads = c.kv_heads = choice->heads;
                if (choice->kv_heads) {
                    c.kv_heads = choice->kv_heads;
                    if (c.heads % c.kv_heads != 0)
                        c.heads = c.kv_heads;
                }
                size_t known = 0;
                while (known < used && !same_sizes(&cases[known], &c))
                    known++;
                if (known == used)
                    cases[used++] = c;
            }
    *count = used;
    return cases;
}

check_case *check_cases(const check_choice *choice, size_t *count)
{
    size_t sizes, used = 0;
    check_case *base = choose_sizes(choice, &sizes);
    check_case *cases = base ? malloc(sizes * CHECK_FILLS * 3 * sizeof *cases) : NULL;
    size_t special = choice->quick ? SPECIAL_SHAPES_QUICK : SPECIAL_SHAPES;
    for (size_t s = 0; cases && s < sizes; s++)
        for (int fill = 0; fill < CHECK_FILLS; fill++)
            for (int dtype = ATTN_F32; dtype <= ATTN_F16; dtype++) {
                bool plain = fill == FILL_NORMAL && dtype == ATTN_F32;
                bool chosen = fill == choice->fill || dtype == choice->dtype;
                bool both = fill != FILL_NORMAL && dtype != ATTN_F32; /* each pair once, not for --quick */
                if ((choice->fill >= 0 && fill != choice->fill) ||
                    (choice->dtype >= 0 && dtype != choice->dtype) || (!plain && !chosen && s >= special) ||
                    (both && !chosen && (choice->quick || s > 0)))
                    continue;
                cases[used] = base[s];
                cases[used].fill = (check_fill)fill;
                cases[used].dtype = (attn_dtype)dtype;
                used++;
            }
    free(base);
    *count = used;
    return cases;
}

/* ---- specs ---- */

typedef struct list {
    char **texts;
    size_t count, capacity;
    bool failed;
} list;

/* Adds "name", "name:key=value" or "name:key=value,causal=0". */
static void add(list *l, const char *name, const char *setting, bool causal)
{
    if (l->count == l->capacity) {
        size_t capacity = l->capacity ? 2 * l->capacity : 16;
        char **texts = realloc(l->texts, capacity * sizeof *texts);
        l->failed = l->failed || !texts;
        if (!texts)
            return;
        l->texts = texts;
        l->capacity = capacity;
    }
    char text[512];
    const char *end = causal ? "" : *setting ? ",causal=0" : ":causal=0";
    snprintf(text, sizeof text, "%s%s%s%s", name, *setting ? ":" : "", setting, end);
    char *copy = strdup(text);
    l->failed = l->failed || !copy;
    if (copy)
        l->texts[l->count++] = copy;
}

static void add_both(list *l, const char *name, const char *setting)
{
    add(l, name, setting, true);
    add(l, name, setting, false);
}

static void add_words(list *l, const char *name, const attn_param *param)
{
    for (const char *word = param->choices; word;) {
        size_t length = strcspn(word, "|");
        char setting[128];
        snprintf(setting, sizeof setting, "%s=%.*s", param->key, (int)length, word);
        if (strlen(param->fallback) != length || strncmp(param->fallback, word, length) != 0)
            add_both(l, name, setting);
        word = word[length] ? word + length + 1 : NULL;
    }
}

static void add_numbers(list *l, const char *name, const attn_param *param)
{
    size_t small = param->min > 3 ? param->min + 1 : 3;
    char setting[128];
    snprintf(setting, sizeof setting, "%s=%zu", param->key, small <= param->max ? small : param->max);
    add_both(l, name, setting);
    if (param->min < small) {
        snprintf(setting, sizeof setting, "%s=%zu", param->key, param->min);
        add_both(l, name, setting);
    }
}

/* What numbers and words do not reach. */
static const struct {
    const char *pattern, *setting;
    bool quick;
} more_specs[] = {
    {"expr", "\"(i-j) % (h+2) == 0 || i-j < 3\"", true}, /* heads differ */
    {"expr", "\"i/7 == j/7 && (i^j) & 3\"", false},
    {"expr", "\"i*j % 5 == 2 || j*j % 11 < 3\"", false}, /* nothing regular */
};

char **check_specs(const attn_pattern *pattern, bool quick, size_t *count)
{
    list l = {0};
    add_both(&l, pattern->name, "");
    for (const attn_param *p = pattern->params; p && p->key; p++) {
        if (p->choices)
            add_words(&l, pattern->name, p);
        else if (!quick)
            add_numbers(&l, pattern->name, p);
    }
    for (size_t m = 0; m < sizeof more_specs / sizeof *more_specs; m++)
        if (strcmp(more_specs[m].pattern, pattern->name) == 0 && (more_specs[m].quick || !quick))
            add_both(&l, pattern->name, more_specs[m].setting);
    if (l.failed) {
        for (size_t k = 0; k < l.count; k++)
            free(l.texts[k]);
        free(l.texts);
        return NULL;
    }
    *count = l.count;
    return l.texts;
}
