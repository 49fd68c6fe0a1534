/* Descriptors that must be refused; the environment's MALFORMED names the one to offer. */
#include <attn/pattern.h>

#include <stdlib.h>
#include <string.h>

static bool allows(const attn_pattern_args *a, size_t head, size_t i, size_t j)
{
    (void)a, (void)head;
    return i == j;
}

static void release(attn_pattern_args *a)
{
    (void)a;
}

#define FINE .summary = "malformed", .allows = allows
#define ONE(...) (const attn_param[]){{__VA_ARGS__}, {0}}
#define NUMBER(key, min, max, fallback) ONE(key, min, max, fallback, "help", NULL)
#define WORDS(fallback, choices) ONE("k", 0, 0, fallback, "help", choices)
#define P(key_) {.key = key_, .max = 9, .fallback = "1", .help = "one of too many"}

static const attn_param endless[] = {P("a"), P("b"), P("c"), P("d"), P("e"), P("f"), P("g"), P("h"), P("i"),
                                     P("j"), P("k"), P("l"), P("m"), P("o"), P("p"), P("q"), P("r"), P("s"),
                                     {0}};
static const attn_param twice[] = {P("a"), P("a"), {0}};

static const struct { const char *fault; attn_pattern pattern; } faults[] = {
    {"no-name", {FINE}},
    {"empty-name", {FINE, .name = ""}},
    {"upper-name", {FINE, .name = "Mine"}},
    {"digit-name", {FINE, .name = "2d"}},
    {"colon-name", {FINE, .name = "a:b"}},
    {"long-name", {FINE, .name = "a123456789012345678901234567890123456789012345678901234567890123456789"}},
    {"reserved-name", {FINE, .name = "heads"}},
    {"no-summary", {.name = "mine", .allows = allows}},
    {"no-allows", {.name = "mine", .summary = "malformed"}},
    {"flags", {FINE, .name = "mine", .flags = 0x80}},
    {"release", {FINE, .name = "mine", .release = release}},
    {"endless", {FINE, .name = "mine", .params = endless}},
    {"twice", {FINE, .name = "mine", .params = twice}},
    {"key", {FINE, .name = "mine", .params = NUMBER("K", 0, 9, "1")}},
    {"key-causal", {FINE, .name = "mine", .params = NUMBER("causal", 0, 1, "1")}},
    {"no-help", {FINE, .name = "mine", .params = ONE("k", 0, 9, "1", NULL, NULL)}},
    {"no-default", {FINE, .name = "mine", .params = NUMBER("k", 0, 9, NULL)}},
    {"default-word", {FINE, .name = "mine", .params = NUMBER("k", 0, 9, "wide")}},
    {"default-range", {FINE, .name = "mine", .params = NUMBER("k", 0, 9, "10")}},
    {"default-empty", {FINE, .name = "mine", .params = NUMBER("k", 0, 9, "")}},
    {"default-space", {FINE, .name = "mine", .params = NUMBER("k", 0, 9, "n / 2")}},
    {"range", {FINE, .name = "mine", .params = NUMBER("k", 9, 0, "1")}},
    {"range-large", {FINE, .name = "mine", .params = NUMBER("k", 0, ATTN_MAX_N + 1, "1")}},
    {"choices-empty", {FINE, .name = "mine", .params = WORDS("a", "")}},
    {"choices-hole", {FINE, .name = "mine", .params = WORDS("a", "a||b")}},
    {"choices-twice", {FINE, .name = "mine", .params = WORDS("a", "a|b|a")}},
    {"choices-default", {FINE, .name = "mine", .params = WORDS("c", "a|b")}},
};

static const attn_pattern fine = {FINE, .name = "mine"}, again = {FINE, .name = "mine"};
static const attn_pattern *offered[] = {&fine, NULL};

extern attn_plugin_header attn_plugin;
ATTN_API attn_plugin_header attn_plugin = {ATTN_PLUGIN_ABI, sizeof(attn_pattern), sizeof(attn_pattern_args),
                                           1, offered};

__attribute__((constructor)) static void choose(void)
{
    const char *fault = getenv("MALFORMED");
    if (!fault)
        return;
    for (size_t f = 0; f < sizeof faults / sizeof faults[0]; f++)
        if (strcmp(faults[f].fault, fault) == 0)
            offered[0] = &faults[f].pattern;
    if (strcmp(fault, "none") == 0)
        attn_plugin.count = 0;
    if (strcmp(fault, "no-table") == 0)
        attn_plugin.patterns = NULL;
    if (strcmp(fault, "many") == 0)
        attn_plugin.count = 4000000000u;
    if (strcmp(fault, "null") == 0)
        attn_plugin.count = 2;
    if (strcmp(fault, "same-name") == 0) {
        offered[1] = &again;
        attn_plugin.count = 2;
    }
}
