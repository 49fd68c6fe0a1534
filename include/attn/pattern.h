/* A pattern: which keys each query may attend to.
 *
 * A pattern is one const descriptor. `allows` is its whole truth, causality included; everything else it
 * offers is an optional shortcut that must say the same, and `attnlab check` compares it with allows().
 *
 * Positions: i is the position of a query, j the position of a key, both counted along the keys: with nq
 * query rows and nk keys, row r stands at i = r + (nk - nq), so the last query sees the last key. Patterns
 * are only asked about 0 <= i, j < nk (i may reach nq - 1 when nq > nk leaves rows before key 0: those rows
 * are empty and never asked about). */
#ifndef ATTN_PATTERN_H
#define ATTN_PATTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "attn/status.h"

#ifdef __cplusplus
extern "C" {
#endif

#define ATTN_MAX_N ((size_t)1 << 24) /* longest sequence, and largest integer parameter */

enum { ATTN_MAX_PARAMS = 16 };

/* One parameter of a pattern. The array ends with a zeroed entry. The key is a name like a pattern's, and not
 * "causal", which every pattern has.
 * A numeric value lies in [min, max]; a literal outside is an error, an expression of n is clamped to it.
 * With `choices` ("merged|local|column") the value is one of these words, stored as its index. */
typedef struct attn_param {
    const char *key;
    size_t min, max;
    const char *fallback; /* the default, as text a user could have written: "128", "sqrt(n)", "merged" */
    const char *help;
    const char *choices;
} attn_param;

/* A pattern with everything fixed: sizes, parameters, causality. */
typedef struct attn_pattern_args {
    size_t nq, nk;  /* query rows and keys of one head */
    size_t heads;   /* query heads */
    bool causal;    /* j <= i, added to the definition */
    size_t v[ATTN_MAX_PARAMS]; /* values, in the order of the descriptor's parameters */
    void *state;    /* what prepare() built, if anything */
} attn_pattern_args;

/* The keys  begin + s*step + t  for s < count, t < width.
 * width >= 1, count >= 1; width <= step where count > 1 (so that the teeth are disjoint).
 * A comb of one tooth still names the step of the family it belongs to, because planners group rows by it;
 * step 0 says that it is a plain interval. */
typedef struct attn_comb {
    size_t begin, width, step, count;
} attn_comb;

/* A caller's buffer that a row streams its combs into. `count` is the number of combs the row has, also
 * when that exceeds `capacity`; only the first `capacity` are stored. */
typedef struct attn_combs {
    attn_comb *at;
    size_t capacity, count;
} attn_combs;

/* Appends one comb; a comb without keys is skipped. */
static inline void attn_emit(attn_combs *out, size_t begin, size_t width, size_t step, size_t count)
{
    if (width == 0 || count == 0)
        return;
    if (out->count < out->capacity) {
        attn_comb *comb = &out->at[out->count];
        comb->begin = begin;
        comb->width = width;
        comb->step = step;
        comb->count = count;
    }
    out->count++;
}

enum {
    ATTN_PER_HEAD = 1u << 0 /* the set depends on the head; otherwise callbacks see head 0 only */
};

typedef struct attn_pattern {
    const char *name;    /* lower case letters, digits, '-', '_', at most 60; begins with a letter */
    const char *summary; /* one line for lists */
    const char *source;  /* key into docs/BIBLIOGRAPHY.md, or NULL */
    const attn_param *params; /* ends with a zeroed entry; NULL: none */
    uint32_t flags;

    /* Whether query i may attend to key j. Required. */
    bool (*allows)(const attn_pattern_args *a, size_t head, size_t i, size_t j);

    /* Optional: the keys of query i as combs ordered by first key, their sets disjoint and below nk.
     * NULL: derived from allows() at O(nk) a row, which makes planning O(n^2). */
    void (*row)(const attn_pattern_args *a, size_t head, size_t i, attn_combs *out);

    /* Optional: pairs of one head in closed form, for nq = nk. NULL: counted from the rows. */
    uint64_t (*pairs)(const attn_pattern_args *a, size_t head);

    /* Optional: refuses values that cannot go together, whatever the sizes. Asked when a spec is parsed, if
     * no value depends on n, and again before prepare(). Bit p of `literal` is set where parameter p was
     * written as a plain number or word, rather than as an expression or not at all. */
    attn_status (*check)(const size_t *v, uint32_t literal, attn_error *err);

    /* Optional: clamps values against each other or the sizes, and may build a->state, released by release()
     * unless prepare() failed. Its message names pattern and value. */
    attn_status (*prepare)(attn_pattern_args *a, uint32_t literal, attn_error *err);
    void (*release)(attn_pattern_args *a);
} attn_pattern;

/* ---- plugins: shared objects loaded with --plugin FILE.so or ATTNLAB_PLUGINS ---- */

#define ATTN_PLUGIN_ABI 1u
#define ATTN_PLUGIN_SYMBOL "attn_plugin"

/* What a plugin exports under the name attn_plugin. Sizes are checked as well as the version, so that a
 * plugin compiled against other headers is refused instead of misread. */
typedef struct attn_plugin_header {
    uint32_t abi;          /* ATTN_PLUGIN_ABI */
    uint32_t pattern_size; /* sizeof(attn_pattern) */
    uint32_t args_size;    /* sizeof(attn_pattern_args) */
    uint32_t count;
    const attn_pattern *const *patterns;
} attn_plugin_header;

/* ATTN_PLUGIN(&mine, &other); at file scope, once. */
#define ATTN_PLUGIN(...)                                                                            \
    static const attn_pattern *const attn_plugin_patterns[] = {__VA_ARGS__};                        \
    ATTN_API extern const attn_plugin_header attn_plugin;                                           \
    const attn_plugin_header attn_plugin = {                                                        \
        ATTN_PLUGIN_ABI, (uint32_t)sizeof(attn_pattern), (uint32_t)sizeof(attn_pattern_args),       \
        (uint32_t)(sizeof attn_plugin_patterns / sizeof attn_plugin_patterns[0]), attn_plugin_patterns}

/* ---- the registry: built-in patterns first, then loaded ones, in order of loading ----
 * Loading is not thread-safe; reading is, once loading is over. */

ATTN_API size_t attn_pattern_count(void);
ATTN_API const attn_pattern *attn_pattern_at(size_t index);
ATTN_API const attn_pattern *attn_pattern_find(const char *name);            /* NULL: unknown */
ATTN_API const char *attn_pattern_origin(const attn_pattern *pattern); /* "built-in" or the plugin's path */

/* Loads a plugin and registers its patterns; a name already taken is an error. EINVAL names the file and
 * what is wrong: not a shared object, no symbol, another ABI, a malformed descriptor. Nothing is registered
 * on failure. Plugins stay loaded until the process ends. */
ATTN_API ATTN_MUST_CHECK attn_status attn_plugin_load(const char *path, attn_error *err);

#ifdef __cplusplus
}
#endif
#endif
