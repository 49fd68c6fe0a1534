/* Plugins: what is refused when loading, and what conformance finds in callbacks that lie. Every test is a
 * process of its own, so each begins with the built-in patterns alone. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "attn/layout.h"
#include "patterns/conformance.h"

static const char *plugin_path(const char *name)
{
    static char path[4096];
    snprintf(path, sizeof path, "%s/tests/plugins/%s.so", getenv("ATTN_BUILD"), name);
    return path;
}

static void load(const char *path)
{
    attn_error err;
    cr_assert(attn_plugin_load(path, &err) == ATTN_OK, "%s", err.message);
}

/* Refused with a message that names the file and holds every word of `words` ("a|b"); nothing registered. */
static void refused(const char *path, const char *words)
{
    size_t before = attn_pattern_count();
    attn_error err = {""};
    attn_status status = attn_plugin_load(path, &err);
    cr_assert(status == ATTN_EINVAL, "%s: status %d %s", path, status, err.message);
    cr_assert(strstr(err.message, path) != NULL, "%s is not named: %s", path, err.message);
    char word[100];
    for (size_t length; *words; words += length + (words[length] == '|')) {
        length = strcspn(words, "|");
        snprintf(word, sizeof word, "%.*s", (int)length, words);
        cr_assert(strstr(err.message, word) != NULL, "'%s' is not in: %s", word, err.message);
    }
    cr_assert(attn_pattern_count() == before, "%s: %zu patterns registered", path,
              attn_pattern_count() - before);
}

static void conforms(const attn_pattern *pattern)
{
    attn_error err;
    size_t cases;
    for (uint64_t seed = 1; seed < 4; seed++) {
        cr_assert(pattern_conform(pattern, seed, &cases, &err) == ATTN_OK, "seed %llu: %s",
                  (unsigned long long)seed, err.message);
        cr_assert(cases >= 100, "%s: only %zu layouts", pattern->name, cases);
    }
}

Test(plugin, good_ones_are_registered_after_the_built_in)
{
    size_t before = attn_pattern_count();
    load(plugin_path("good"));
    cr_assert(attn_pattern_count() == before + 2, "%zu patterns", attn_pattern_count());
    cr_assert(strcmp(attn_pattern_at(before)->name, "bands") == 0, "%s", attn_pattern_at(before)->name);
    cr_assert(attn_pattern_find("coprime") == attn_pattern_at(before + 1), "coprime is not found");
    cr_assert(strcmp(attn_pattern_origin(attn_pattern_find("bands")), plugin_path("good")) == 0, "%s",
              attn_pattern_origin(attn_pattern_find("bands")));
    cr_assert(strcmp(attn_pattern_origin(attn_pattern_at(0)), "built-in") == 0, "%s",
              attn_pattern_origin(attn_pattern_at(0)));
    cr_assert(!attn_pattern_at(before + 2), "a pattern after the last");
    refused(plugin_path("good"), "bands|taken");
}

Test(plugin, a_name_without_a_slash_is_a_file_here)
{
    char target[4096], folder[] = "/tmp/attn-plugin-XXXXXX";
    snprintf(target, sizeof target, "%s", plugin_path("good"));
    cr_assert(mkdtemp(folder) && chdir(folder) == 0 && symlink(target, "here.so") == 0, "%s", folder);
    load("here.so");
    cr_assert(unlink("here.so") == 0 && rmdir(folder) == 0, "%s stays behind", folder);
}

Test(plugin, built_in_patterns_conform)
{
    for (size_t p = 0; p < attn_pattern_count(); p++)
        conforms(attn_pattern_at(p));
}

Test(plugin, good_ones_conform)
{
    load(plugin_path("good"));
    conforms(attn_pattern_find("bands"));
    conforms(attn_pattern_find("coprime"));
}

Test(plugin, twins_conform)
{
    load(plugin_path("twins"));
    conforms(attn_pattern_find("slants"));
    conforms(attn_pattern_find("pages"));
}

Test(plugin, the_example_conforms)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/examples/plugin/dilated.so", getenv("ATTN_BUILD"));
    load(path);
    conforms(attn_pattern_find("dilated"));
}

Test(plugin, heads_have_rows_of_their_own)
{
    load(plugin_path("good"));
    attn_error err;
    attn_spec *spec;
    attn_layout *layout;
    cr_assert(attn_spec_parse(&spec, "bands:period=10,width=3", &err) == ATTN_OK, "%s", err.message);
    cr_assert(attn_layout_create(&layout, spec, 100, 100, 4, &err) == ATTN_OK, "%s", err.message);
    cr_assert(attn_layout_distinct_heads(layout) == 4, "%zu heads", attn_layout_distinct_heads(layout));
    uint64_t sum = 0;
    for (size_t head = 0; head < 4; head++) {
        cr_assert(attn_layout_allows(layout, head, 99, head) &&
                      !attn_layout_allows(layout, head, 99, head + 3),
                  "head %zu is not shifted", head);
        sum += attn_layout_pairs(layout, head);
    }
    cr_assert(attn_layout_pairs_all_heads(layout) == sum, "%llu pairs",
              (unsigned long long)attn_layout_pairs_all_heads(layout));
    attn_layout_destroy(layout);
    attn_spec_destroy(spec);
}

Test(plugin, its_prepare_may_refuse)
{
    load(plugin_path("good"));
    attn_error err;
    attn_spec *spec;
    attn_layout *layout;
    cr_assert(attn_spec_parse(&spec, "bands:period=3,width=5", &err) == ATTN_OK, "%s", err.message);
    cr_assert(attn_layout_create(&layout, spec, 9, 9, 1, &err) == ATTN_EINVAL && !layout, "not refused");
    cr_assert(strcmp(err.message, "bands: width=5 exceeds period=3") == 0, "%s", err.message);
    attn_spec_destroy(spec);
}

Test(plugin, rows_may_be_left_to_allows)
{
    load(plugin_path("good"));
    attn_error err;
    attn_spec *spec;
    attn_layout *layout;
    cr_assert(attn_spec_parse(&spec, "coprime:m=6", &err) == ATTN_OK, "%s", err.message);
    cr_assert(attn_layout_create(&layout, spec, 24, 24, 1, &err) == ATTN_OK, "%s", err.message);
    attn_comb at[3];
    attn_combs combs = {at, 3, 0};
    attn_layout_row(layout, 0, 23, &combs); /* distances 1 5 7 11 13 17 19 23 */
    cr_assert(combs.count == 8, "%zu combs", combs.count);
    cr_assert(at[0].begin == 0 && at[1].begin == 4 && at[2].begin == 6 && at[2].width == 1,
              "from %zu %zu %zu", at[0].begin, at[1].begin, at[2].begin);
    attn_layout_destroy(layout);
    attn_spec_destroy(spec);
}

/* ---- what cannot be loaded ---- */

Test(plugin, files_that_are_no_plugins)
{
    refused("/nonexistent/plugin.so", "No such file");
    refused("/tmp", "not a regular file");
    refused("/etc/passwd", "not a shared object");
    refused("/dev/null", "not a regular file");
    refused("", "No such file");
}

Test(plugin, shared_objects_cut_short_are_refused)
{
    static char object[1 << 20];
    FILE *file = fopen(plugin_path("good"), "rb");
    cr_assert(file != NULL, "%s", plugin_path("good"));
    size_t size = fread(object, 1, sizeof object, file);
    fclose(file);
    char folder[] = "/tmp/attn-plugin-XXXXXX", path[64];
    cr_assert(mkdtemp(folder) != NULL, "%s", folder);
    snprintf(path, sizeof path, "%s/cut.so", folder);
    for (size_t kept = 0; kept < 8192 && kept < size; kept += kept < 128 ? 8 : 512) {
        file = fopen(path, "wb");
        cr_assert(file && fwrite(object, 1, kept, file) == kept && fclose(file) == 0, "%s", path);
        refused(path, "cut short");
    }
    cr_assert(unlink(path) == 0 && rmdir(folder) == 0, "%s stays behind", folder);
}

Test(plugin, other_versions_and_missing_symbols_are_refused)
{
    refused(plugin_path("wrong_abi"), "ABI|42|1");
    refused(plugin_path("wrong_size"), "bytes|compile it against these headers");
    refused(plugin_path("no_symbol"), "attn_plugin");
    refused(plugin_path("unresolved"), "nobody_has_this");
}

Test(plugin, a_name_taken_leaves_nothing_registered)
{
    refused(plugin_path("taken"), "'local'|taken|built-in");
    cr_assert(!attn_pattern_find("own"), "own is registered");
}

Test(plugin, malformed_descriptors_are_refused)
{
    static const struct {
        const char *fault, *words;
    } faults[] = {
        {"none", "0 patterns|1 to 256"},
        {"no-table", "0 patterns"},
        {"many", "4000000000 patterns"},
        {"null", "NULL"},
        {"same-name", "two patterns named 'mine'"},
        {"no-name", "no name"},
        {"empty-name", "''"},
        {"upper-name", "'Mine'|lower case"},
        {"digit-name", "'2d'"},
        {"colon-name", "'a:b'"},
        {"long-name", "a1234567890|at most 60"},
        {"reserved-name", "'heads'|reserved"},
        {"no-summary", "mine|summary"},
        {"no-allows", "mine|allows"},
        {"flags", "mine|0x80"},
        {"release", "mine|prepare"},
        {"endless", "mine|zeroed entry|16"},
        {"twice", "mine|a is there twice"},
        {"key", "mine|'K'"},
        {"key-causal", "mine|'causal'|reserved"},
        {"no-help", "mine|k has no help"},
        {"no-default", "mine|k has no fallback"},
        {"default-word", "mine|default|k=wide"},
        {"default-range", "mine|default|k=10|0 to 9"},
        {"default-empty", "mine|default|k="},
        {"default-space", "mine|default|k=n / 2"},
        {"range", "mine|9 to 0"},
        {"range-large", "mine|16777217"},
        {"choices-empty", "mine|choices|k"},
        {"choices-hole", "mine|a||b"},
        {"choices-twice", "mine|choice a|twice"},
        {"choices-default", "mine|default|k=c|a|b"},
    };
    for (size_t f = 0; f < sizeof faults / sizeof faults[0]; f++) {
        cr_assert(setenv("MALFORMED", faults[f].fault, 1) == 0, "setenv");
        refused(plugin_path("malformed"), faults[f].words);
    }
    cr_assert(unsetenv("MALFORMED") == 0, "unsetenv");
    load(plugin_path("malformed"));
}

/* ---- what conformance finds ---- */

Test(plugin, faulty_callbacks_are_found)
{
    static const struct {
        const char *file, *words;
    } faults[] = {
        {"unsorted", "unsorted|nq=2|row 1|begins before"},
        {"overlapping", "overlapping|overlaps"},
        {"out_of_range", "out-of-range|beyond the last key"},
        {"wild", "wild|beyond the last key"},
        {"acausal", "acausal|beyond the last key"},
        {"disagree", "disagree: nq=41|row=40|key 38|allows() says yes, row() says no"},
        {"forgetful", "forgetful|buffer of 0"},
        {"wrong_pairs", "wrong-pairs: nq=1 nk=1|pairs() is 2|makes it 1"},
    };
    for (size_t f = 0; f < sizeof faults / sizeof faults[0]; f++) {
        load(plugin_path(faults[f].file));
        attn_error err = {""};
        size_t cases;
        attn_status status = pattern_conform(attn_pattern_at(attn_pattern_count() - 1), 1, &cases, &err);
        cr_assert(status == ATTN_EINVAL, "%s: status %d", faults[f].file, status);
        char words[200], *rest = words, *word;
        snprintf(words, sizeof words, "%s", faults[f].words);
        while ((word = strsep(&rest, "|")))
            cr_assert(strstr(err.message, word) != NULL, "'%s' is not in: %s", word, err.message);
    }
}

static bool forgets(const attn_pattern_args *a, size_t head, size_t i, size_t j)
{
    (void)a, (void)head;
    return i <= j + 2;
}

static attn_status never(attn_pattern_args *a, uint32_t literal, attn_error *err)
{
    (void)a, (void)literal;
    return attn_fail(err, ATTN_EINVAL, "never");
}

static attn_status wanders(attn_pattern_args *a, uint32_t literal, attn_error *err)
{
    (void)literal, (void)err;
    a->v[0] = 99;
    return ATTN_OK;
}

Test(plugin, an_allows_that_forgets_causality_is_found)
{
    static const attn_pattern pattern = {.name = "forgets", .summary = "", .allows = forgets};
    attn_error err = {""};
    size_t cases;
    cr_assert(pattern_conform(&pattern, 1, &cases, &err) == ATTN_EINVAL, "not found");
    cr_assert(
        strcmp(err.message,
               "forgets: nq=2 nk=2 head=0 row=0: causal, but allows() lets it see key 1, after its own") == 0,
        "%s", err.message);
}

Test(plugin, a_pattern_that_refuses_everything_does_not_conform)
{
    static const attn_pattern pattern = {.name = "never", .summary = "", .allows = forgets, .prepare = never};
    attn_error err = {""};
    size_t cases;
    cr_assert(pattern_conform(&pattern, 1, &cases, &err) == ATTN_EINVAL && cases == 0, "%zu layouts", cases);
    cr_assert(strstr(err.message, "refuses every value"), "%s", err.message);
}

Test(plugin, values_that_prepare_moves_out_of_range_are_refused)
{
    static const attn_param params[] = {{"k", 0, 0, "a", "", "a|b"}, {0}};
    static const attn_pattern pattern = {
        .name = "wanders", .summary = "", .params = params, .allows = forgets, .prepare = wanders};
    attn_error err = {""};
    size_t cases;
    cr_assert(pattern_conform(&pattern, 1, &cases, &err) == ATTN_EINVAL && cases == 0, "%zu layouts", cases);
}
