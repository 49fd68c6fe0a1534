/* The store as text: equal content gives equal bytes, and importing is idempotent, commutative and all or
 * nothing. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/program.h"
#include "support/store_fill.h"

static store *filled(const char *name, int host_number, size_t first, size_t count)
{
    store *s = fill_open(scratch_path(name));
    fill_run(s, fill_about(host_number, 0), "", first, count);
    return s;
}

static store_counts import(store *s, const char *text)
{
    store_counts counts = {0};
    attn_error err = {{0}};
    cr_assert(store_import(s, "export", text, strlen(text), &counts, &err) == ATTN_OK, "%s", err.message);
    return counts;
}

static void round_trip(bool csv)
{
    store *s = filled("from.db", 0, 8, 3), *t = fill_open(scratch_path("to.db"));
    fill_run(s, fill_about(1, 1), "two, \"words\"", 20, 2);
    char *text = export_text(s, csv);
    store_counts counts = import(t, text);
    cr_assert(counts.runs == 2 && counts.measurements == 5 && counts.samples == 5 * 16 && counts.known == 0,
              "%zu runs, %zu measurements, %zu samples, %zu known", counts.runs, counts.measurements,
              counts.samples, counts.known);
    for (int form = 0; form < 2; form++) {
        char *before = export_text(s, form), *after = export_text(t, form);
        cr_assert(strcmp(before, after) == 0, "csv=%d: the copy differs", form);
        free(before);
        free(after);
    }
    counts = import(t, text);
    cr_assert(counts.runs == 0 && counts.measurements == 0 && counts.samples == 0 && counts.known == 5,
              "not idempotent");
    cr_assert(strcmp(ask_store(t, "SELECT count(*) FROM pragma_foreign_key_check"), "0") == 0, "orphans");
    cr_assert(
        strcmp(ask_store(t, "SELECT group_concat(DISTINCT typeof(value)) FROM observations WHERE series = "
                            "'max_abs_err'"),
               "real") == 0,
        "5.0 came back as an integer");
    store_close(s);
    store_close(t);
    free(text);
}

Test(store_text, json_round_trip_is_exact)
{
    round_trip(false);
}
Test(store_text, csv_round_trip_is_exact)
{
    round_trip(true);
}

Test(store_text, merging_commutes)
{
    store *a = filled("a.db", 0, 8, 2), *b = filled("b.db", 1, 8, 3);
    char *of_a = export_text(a, false), *of_b = export_text(b, true);
    import(a, of_b);
    import(b, of_a);
    char *ab = export_text(a, false), *ba = export_text(b, false);
    cr_assert(strcmp(ab, ba) == 0, "a+b differs from b+a");
    store_close(a);
    store_close(b);
    free(of_a);
    free(of_b);
    free(ab);
    free(ba);
}

/* A run exported while it was going is completed by a later export. */
Test(store_text, later_export_ends_the_run)
{
    store *s = filled("s.db", 0, 8, 1), *t = fill_open(scratch_path("t.db"));
    sqlite3_exec(store_handle(s),
                 "CREATE TEMP TABLE kept AS SELECT finished, outcome FROM runs; "
                 "UPDATE runs SET finished = NULL, outcome = NULL",
                 NULL, NULL, NULL);
    char *early = export_text(s, false);
    sqlite3_exec(store_handle(s),
                 "UPDATE runs SET (finished, outcome) = (SELECT finished, outcome FROM kept)", NULL, NULL,
                 NULL);
    char *late = export_text(s, false);
    import(t, early);
    import(t, late);
    import(t, early);
    char *copy = export_text(t, false);
    cr_assert(strcmp(copy, late) == 0, "the end of the run is lost");
    store_close(s);
    store_close(t);
    free(early);
    free(late);
    free(copy);
}

/* Importing `text` fails with one line and leaves the store empty. */
static void refuses(store *s, const char *text, size_t size, const char *what)
{
    store_counts counts = {0};
    attn_error err = {{0}};
    attn_status status = store_import(s, "export", text, size, &counts, &err);
    cr_assert(status == ATTN_EINVAL && *err.message && !strchr(err.message, '\n'), "%s: status %d: %s", what,
              (int)status, err.message);
    cr_assert(strcmp(ask_store(s, "SELECT (SELECT count(*) FROM runs) + (SELECT count(*) FROM samples) + "
                                  "(SELECT count(*) FROM cells) + (SELECT count(*) FROM series)"),
                     "0") == 0,
              "%s: something was imported", what);
}

Test(store_text, truncated_files_are_refused)
{
    store *s = filled("s.db", 0, 8, 2), *t = fill_open(scratch_path("t.db"));
    for (int csv = 0; csv < 2; csv++) {
        char *text = export_text(s, csv), what[96];
        size_t size = strlen(text);
        for (size_t cut = 0; cut < size; cut += 1 + cut / 150) {
            snprintf(what, sizeof what, "csv=%d cut at %zu of %zu", csv, cut, size);
            refuses(t, text, cut, what);
        }
        for (size_t cut = size - 80; cut < size; cut++) {
            snprintf(what, sizeof what, "csv=%d cut at %zu of %zu", csv, cut, size);
            refuses(t, text, cut, what);
        }
        free(text);
    }
    store_close(s);
    store_close(t);
}

/* The first `from` in the text replaced; free() it. */
static char *replaced(const char *text, const char *from, const char *to)
{
    const char *at = strstr(text, from);
    char *out;
    cr_assert(at != NULL, "nothing to replace: %s", from);
    cr_assert(asprintf(&out, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from)) > 0, "out of memory");
    return out;
}

Test(store_text, edited_files_are_refused)
{
    static const char *const edits[][2] = {
        {"\"format\": 1", "\"format\": 2"},
        {"\"schema\": ", "\"schema\": 9"},
        {"\"runs\": 1", "\"runs\": 2"},
        {"\"samples\": 32", "\"samples\": 31"},
        {"\"record\": \"run\"", "\"record\": \"walk\""},
        {"\"record\": \"run\", ", ""},
        {"\"label\": ", "\"lable\": "},
        {"\"label\": \"\", ", ""},
        {"\"outcome\": \"complete\"", "\"outcome\": \"great\""},
        {"\"outcome\": \"complete\"", "\"outcome\": null"},
        {"\"n\": 8", "\"n\": 0"},
        {"\"n\": 8", "\"n\": 8.5"},
        {"\"n\": 8", "\"n\": 99999999999999999999"},
        {"\"n\": 8", "\"n\": null"},
        {"\"n\": 8", "\"n\": \"x\""},
        {"\"n\": 8", "\"n\": {}"},
        {"\"n\": 8", "\"n\": 8, \"n\": 8"},
        {"\"status\": \"finished\"", "\"status\": \"guessed\""},
        {"\"rep\": 1", "\"rep\": 0"},
        {"\"rep\": 1", "\"rep\": -1"},
        {"\"type\": \"real\"", "\"type\": \"dream\""},
        {"\"type\": \"real\", \"value\": \"inf\"", "\"type\": \"integer\", \"value\": \"inf\""},
        {"\"type\": \"real\", \"value\": \"inf\"", "\"type\": \"real\", \"value\": \"infinite\""},
        {"\"reason\": \"not a number\"", "\"reason\": null"},
        {"\"series\": \"time_ns\", \"unit\": \"ns\", \"rep\": 3",
         "\"series\": \"time_ns\", \"unit\": \"s\", \"rep\": 3"},
        {"{\"record\": \"measurement\"", "{\"record\": \"measurement\\q\""},
        {"{\"record\": \"measurement\"", "[\"record\": \"measurement\""},
        {"}\n{\"record\": \"run\"", "} x\n{\"record\": \"run\""},
        {"\n{\"record\": \"run\"", "\n\n{\"record\": \"run\""},
    };
    store *s = filled("s.db", 0, 8, 2), *t = fill_open(scratch_path("t.db"));
    char *text = export_text(s, false);
    for (size_t i = 0; i < sizeof edits / sizeof edits[0]; i++) {
        char *bad = replaced(text, edits[i][0], edits[i][1]);
        refuses(t, bad, strlen(bad), edits[i][1]);
        free(bad);
    }
    import(t, text); /* and unedited it is fine */
    store_close(s);
    store_close(t);
    free(text);
}

Test(store_text, garbage_is_refused)
{
    static const char *const texts[] = {"x\n",
                                        "{}\n",
                                        "{\n",
                                        "record\n",
                                        "\n",
                                        "\"\n",
                                        "\"\"\"\n",
                                        "{\"record\n",
                                        "{\"record\": \"attnlab\"}\n",
                                        "[]\n",
                                        "record,format\nattnlab,1\n",
                                        "\xff\xfe\n"};
    store *t = fill_open(scratch_path("t.db"));
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        refuses(t, texts[i], strlen(texts[i]), texts[i]);
    refuses(t, "{\0}\n", 4, "zero byte");
    store_close(t);
}

/* Bytes flipped at random: refused or imported whole, never a crash, never half. */
Test(store_text, damaged_files_are_refused_or_imported_whole)
{
    store *s = filled("s.db", 0, 8, 2);
    uint64_t state = 7;
    for (int csv = 0; csv < 2; csv++) {
        char *text = export_text(s, csv);
        size_t size = strlen(text);
        for (int trial = 0; trial < 150; trial++) {
            store *t = fill_open(":memory:");
            char *bad = malloc(size);
            store_counts counts = {0};
            attn_error err = {{0}};
            memcpy(bad, text, size);
            for (int i = 0; i < 3; i++) {
                state = state * 6364136223846793005u + 1442695040888963407u;
                bad[(state >> 33) % size] = (char)(state >> 20);
            }
            attn_status status = store_import(t, "export", bad, size, &counts, &err);
            const char *runs = ask_store(t, "SELECT count(*) FROM runs");
            cr_assert((status == ATTN_OK && counts.measurements == 2) ||
                          (status == ATTN_EINVAL && *runs == '0'),
                      "csv=%d trial %d: status %d, %s runs: %s", csv, trial, (int)status, runs, err.message);
            free(bad);
            store_close(t);
        }
        free(text);
    }
    store_close(s);
}
