/* Plugins: shared objects that export an attn_plugin_header under the name attn_plugin.
 *
 * Everything is checked before anything is registered: the file, so that the loader is not given half a
 * shared object; the header, so that a plugin compiled against other headers is refused instead of misread;
 * the descriptors, so that the rest of the program can rely on them. What callbacks return is checked by
 * conformance.c and attn_layout_check_row(). */
#include "attn/pattern.h"

#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "patterns/registry.h"
#include "patterns/spec_parts.h"

enum {
    MAX_PATTERNS = 256, /* of one plugin */
    MAX_NAME = 60,      /* bytes of names, keys, words */
    MAX_DEFAULT = 120   /* bytes of a default's text */
};

/* ---- the file ---- */

/* Whether the file holds every segment its program headers promise: mapping a truncated file succeeds, and
 * touching what is missing would kill the process. */
static bool complete(FILE *file, size_t size)
{
    ElfW(Ehdr) header;
    if (fread(&header, sizeof header, 1, file) != 1 || memcmp(header.e_ident, ELFMAG, SELFMAG) != 0)
        return false;
    if (header.e_ident[EI_CLASS] != (sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32) ||
        header.e_phentsize != sizeof(ElfW(Phdr)))
        return false;
    for (size_t p = 0; p < header.e_phnum; p++) {
        ElfW(Phdr) segment;
        if (fseek(file, (long)(header.e_phoff + p * sizeof segment), SEEK_SET) != 0 ||
            fread(&segment, sizeof segment, 1, file) != 1)
            return false;
        if (segment.p_type == PT_LOAD &&
            (segment.p_filesz > size || segment.p_offset > size - segment.p_filesz))
            return false;
    }
    return true;
}

static attn_status check_file(const char *path, attn_error *err)
{
    struct stat status;
    if (stat(path, &status) != 0)
        return attn_fail(err, ATTN_EINVAL, "plugin %s: %s", path, strerror(errno));
    if (!S_ISREG(status.st_mode))
        return attn_fail(err, ATTN_EINVAL, "plugin %s: not a regular file", path);
    FILE *file = fopen(path, "rb");
    if (!file)
        return attn_fail(err, ATTN_EINVAL, "plugin %s: %s", path, strerror(errno));
    bool shared = complete(file, (size_t)status.st_size);
    fclose(file);
    if (!shared)
        return attn_fail(err, ATTN_EINVAL, "plugin %s: not a shared object of this machine, or cut short",
                         path);
    return ATTN_OK;
}

/* ---- the descriptors ---- */

/* Lower case letters, digits, '-' and '_', beginning with a letter. */
static bool name_like(const char *text, size_t length)
{
    return length > 0 && length <= MAX_NAME && *text >= 'a' && *text <= 'z' &&
           strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-_") >= length;
}

static bool reserved(const char *name)
{
    static const char *const words[] = {"expr", "heads", "layers"}; /* of the grammar of specs */
    for (size_t w = 0; w < sizeof words / sizeof words[0]; w++)
        if (strcmp(name, words[w]) == 0)
            return true;
    return false;
}

static attn_status check_choices(const char *owner, const attn_param *param, attn_error *err)
{
    size_t count = spec_choice_count(param->choices);
    for (size_t w = 0; w < count; w++) {
        size_t length, other;
        const char *word = spec_choice(param->choices, w, &length);
        if (!name_like(word, length))
            return attn_fail(err, ATTN_EINVAL, "%s: the choices \"%.60s\" of %s are not words joined by '|'",
                             owner, param->choices, param->key);
        for (size_t v = 0; v < w; v++) {
            const char *earlier = spec_choice(param->choices, v, &other);
            if (length == other && memcmp(word, earlier, length) == 0)
                return attn_fail(err, ATTN_EINVAL, "%s: the choice %.*s of %s is there twice", owner,
                                 (int)length, word, param->key);
        }
    }
    return ATTN_OK;
}

static attn_status check_param(const char *owner, const attn_param *params, size_t index, attn_error *err)
{
    const attn_param *param = &params[index];
    if (!name_like(param->key, strnlen(param->key, MAX_NAME + 1)) || strcmp(param->key, "causal") == 0)
        return attn_fail(err, ATTN_EINVAL, "%s: parameter key '%.60s' is reserved, or not a lower case name",
                         owner, param->key);
    for (size_t p = 0; p < index; p++)
        if (strcmp(params[p].key, param->key) == 0)
            return attn_fail(err, ATTN_EINVAL, "%s: parameter %s is there twice", owner, param->key);
    if (!param->help || !param->fallback)
        return attn_fail(err, ATTN_EINVAL, "%s: parameter %s has no %s", owner, param->key,
                         param->help ? "fallback" : "help");
    if (param->min > param->max || param->max > ATTN_MAX_N)
        return attn_fail(err, ATTN_EINVAL,
                         "%s: parameter %s ranges from %zu to %zu; min <= max <= %zu is right", owner,
                         param->key, param->min, param->max, ATTN_MAX_N);
    attn_status status = param->choices ? check_choices(owner, param, err) : ATTN_OK;
    if (status != ATTN_OK)
        return status;
    size_t length = strnlen(param->fallback, MAX_DEFAULT + 1);
    if (length > MAX_DEFAULT)
        return attn_fail(err, ATTN_EINVAL, "%s: the default of %s is longer than %d bytes", owner, param->key,
                         MAX_DEFAULT);
    char canonical[SPEC_GROWTH * MAX_DEFAULT + 1], prefix[MAX_NAME + 20];
    spec_value value;
    bool literal, constant;
    snprintf(prefix, sizeof prefix, "%s: the default", owner);
    return spec_parse_value(prefix, param, param->fallback, length, canonical, &value, &literal, &constant,
                            err);
}

static attn_status check_pattern(const attn_pattern *pattern, attn_error *err)
{
    if (!pattern)
        return attn_fail(err, ATTN_EINVAL, "a descriptor is NULL");
    const char *name = pattern->name;
    if (!name)
        return attn_fail(err, ATTN_EINVAL, "a pattern has no name");
    if (!name_like(name, strnlen(name, MAX_NAME + 1)) || reserved(name))
        return attn_fail(err, ATTN_EINVAL,
                         "the pattern name '%.60s' is reserved, or not lower case letters, digits, "
                         "'-' and '_' after a letter, at most %d",
                         name, MAX_NAME);
    if (!pattern->summary)
        return attn_fail(err, ATTN_EINVAL, "%s: has no summary", name);
    if (!pattern->allows)
        return attn_fail(err, ATTN_EINVAL, "%s: has no allows()", name);
    if (pattern->flags & ~(uint32_t)ATTN_PER_HEAD)
        return attn_fail(err, ATTN_EINVAL, "%s: flags 0x%x are not known here", name, pattern->flags);
    if (pattern->release && !pattern->prepare)
        return attn_fail(err, ATTN_EINVAL, "%s: has release() without prepare()", name);
    size_t count = spec_param_count(pattern);
    if (count == ATTN_MAX_PARAMS && pattern->params[ATTN_MAX_PARAMS].key)
        return attn_fail(err, ATTN_EINVAL, "%s: parameters do not end with a zeroed entry within %d", name,
                         ATTN_MAX_PARAMS);
    for (size_t p = 0; p < count; p++) {
        attn_status status = check_param(name, pattern->params, p, err);
        if (status != ATTN_OK)
            return status;
    }
    return ATTN_OK;
}

static attn_status check_header(const attn_plugin_header *header, attn_error *err)
{
    if (header->abi != ATTN_PLUGIN_ABI)
        return attn_fail(err, ATTN_EINVAL,
                         "its ABI is %u and this program's %u; compile it against these headers", header->abi,
                         ATTN_PLUGIN_ABI);
    if (header->pattern_size != sizeof(attn_pattern) || header->args_size != sizeof(attn_pattern_args))
        return attn_fail(err, ATTN_EINVAL,
                         "its descriptors have %u and %u bytes and this program's %zu and %zu; "
                         "compile it against these headers",
                         header->pattern_size, header->args_size, sizeof(attn_pattern),
                         sizeof(attn_pattern_args));
    if (header->count == 0 || header->count > MAX_PATTERNS || !header->patterns)
        return attn_fail(err, ATTN_EINVAL, "it offers %u patterns; 1 to %d is right",
                         header->patterns ? header->count : 0, MAX_PATTERNS);
    for (size_t p = 0; p < header->count; p++) {
        attn_status status = check_pattern(header->patterns[p], err);
        if (status != ATTN_OK)
            return status;
        const char *name = header->patterns[p]->name;
        const attn_pattern *taken = attn_pattern_find(name);
        if (taken)
            return attn_fail(err, ATTN_EINVAL, "the pattern name '%s' is already taken (%s)", name,
                             attn_pattern_origin(taken));
        for (size_t q = 0; q < p; q++)
            if (strcmp(header->patterns[q]->name, name) == 0)
                return attn_fail(err, ATTN_EINVAL, "it offers two patterns named '%s'", name);
    }
    return ATTN_OK;
}

/* ---- loading ---- */

attn_status attn_plugin_load(const char *path, attn_error *err)
{
    attn_status status = check_file(path, err);
    if (status != ATTN_OK)
        return status;
    char *real = realpath(path, NULL); /* a name without a slash would be looked for elsewhere */
    if (!real)
        return attn_fail(err, ATTN_EINVAL, "plugin %s: %s", path, strerror(errno));
    void *object = dlopen(real, RTLD_NOW | RTLD_LOCAL);
    free(real);
    if (!object)
        return attn_fail(err, ATTN_EINVAL, "plugin %s: %s", path, dlerror());

    attn_error why;
    const attn_plugin_header *header = dlsym(object, ATTN_PLUGIN_SYMBOL);
    if (!header)
        status = attn_fail(
            err, ATTN_EINVAL,
            "plugin %s: does not export " ATTN_PLUGIN_SYMBOL "; write ATTN_PLUGIN(&pattern); in it", path);
    else if ((status = check_header(header, &why)) != ATTN_OK)
        status = attn_fail(err, status, "plugin %s: %s", path, why.message);
    else
        status = registry_add(header->patterns, header->count, path, err);
    if (status != ATTN_OK)
        dlclose(object);
    return status;
}
