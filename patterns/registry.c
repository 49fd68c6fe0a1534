/* The registry: built-in patterns from patterns.inc, then those of plugins, in order of loading. */
#include "patterns/registry.h"

#include <stdlib.h>
#include <string.h>

#define PATTERN(name) extern const attn_pattern attn_pattern_##name;
#include "patterns/patterns.inc"
#undef PATTERN

#define PATTERN(name) &attn_pattern_##name,
static const attn_pattern *const builtin[] = {
#include "patterns/patterns.inc"
};
#undef PATTERN

enum { BUILTIN = sizeof builtin / sizeof builtin[0] };

typedef struct loaded {
    const attn_pattern *pattern;
    const char *path;
} loaded;

static loaded *plugins; /* kept until the process ends, like the plugins themselves */
static size_t plugin_count;

size_t attn_pattern_count(void)
{
    return BUILTIN + plugin_count;
}

const attn_pattern *attn_pattern_at(size_t index)
{
    if (index < BUILTIN)
        return builtin[index];
    return index - BUILTIN < plugin_count ? plugins[index - BUILTIN].pattern : NULL;
}

const attn_pattern *attn_pattern_find(const char *name)
{
    for (size_t p = 0; p < attn_pattern_count(); p++)
        if (strcmp(attn_pattern_at(p)->name, name) == 0)
            return attn_pattern_at(p);
    return NULL;
}

const char *attn_pattern_origin(const attn_pattern *pattern)
{
    for (size_t p = 0; p < BUILTIN; p++)
        if (builtin[p] == pattern)
            return "built-in";
    for (size_t p = 0; p < plugin_count; p++)
        if (plugins[p].pattern == pattern)
            return plugins[p].path;
    return "not registered";
}

attn_status registry_add(const attn_pattern *const *patterns, size_t count, const char *path, attn_error *err)
{
    char *kept = strdup(path);
    loaded *grown = kept ? realloc(plugins, (plugin_count + count) * sizeof *plugins) : NULL;
    if (!grown) {
        free(kept);
        return attn_fail(err, ATTN_ENOMEM, "%s: out of memory", path);
    }
    plugins = grown;
    for (size_t p = 0; p < count; p++)
        plugins[plugin_count++] = (loaded){patterns[p], kept};
    return ATTN_OK;
}
