/* attnlab history and changepoints: cells over time, and where their level changed for good. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "attn/spec.h"
#include "harness/cli.h"
#include "harness/emit.h"
#include "harness/history.h"
#include "harness/stats.h"

#define FILTERS                                                                                                              \
    {"p", OPTION_TEXT, "SPEC", "only this pattern", NULL, 0, 0, NULL, true},                                                \
    {"n", OPTION_AXIS, "AXIS", "only these sizes", NULL, 1, ATTN_MAX_N, NULL, false},                                       \
    {"kernel", OPTION_TEXT, "NAME", "only this kernel", NULL, 0, 0, NULL, false},                                           \
    {"label", OPTION_TEXT, "TEXT", "only runs with this label", NULL, 0, 0, NULL, false},                                   \
    {"series", OPTION_TEXT, "NAME", "what was sampled: time_ns, peak_rss_bytes, flops_executed, ...", "time_ns", 0, 0, NULL, false}, \
    {"db", OPTION_TEXT, "FILE", "the store (else $ATTNLAB_DB, else results/attnlab.db)", NULL, 0, 0, NULL, false}

/* Columns of both commands: the series. */
enum { SPEC, SIZE_N, DTYPE, KERNEL, DIM, HEADS, KV_HEADS, BATCH, DIRECTION, THREADS, INPUT, SEED, HOST, MODE, SERIES, COMMON };

#define COMMON_COLUMNS                                                                                                       \
    [SPEC] = {"spec", "pattern", EMIT_PLAIN}, [SIZE_N] = {"n", "n", EMIT_PLAIN}, [DTYPE] = {"dtype", "dtype", EMIT_PLAIN},  \
    [KERNEL] = {"kernel", "kernel", EMIT_PLAIN}, [DIM] = {"dim", NULL, EMIT_PLAIN}, [HEADS] = {"heads", NULL, EMIT_PLAIN},  \
    [KV_HEADS] = {"kv_heads", NULL, EMIT_PLAIN}, [BATCH] = {"batch", NULL, EMIT_PLAIN},                                     \
    [DIRECTION] = {"direction", NULL, EMIT_PLAIN}, [THREADS] = {"threads", "threads", EMIT_PLAIN},                          \
    [INPUT] = {"input", NULL, EMIT_PLAIN}, [SEED] = {"seed", NULL, EMIT_PLAIN}, [HOST] = {"host", "host", EMIT_PLAIN},      \
    [MODE] = {"mode", NULL, EMIT_PLAIN}, [SERIES] = {"series", NULL, EMIT_PLAIN}

static void put_series(emit_value *row, const history_series *s, const char *what)
{
    row[SPEC] = emit_text(s->spec);
    row[SIZE_N] = emit_int(s->n);
    row[DTYPE] = emit_text(s->dtype);
    row[KERNEL] = emit_text(s->kernel);
    row[DIM] = emit_int(s->dim);
    row[HEADS] = emit_int(s->heads);
    row[KV_HEADS] = emit_int(s->kv_heads);
    row[BATCH] = emit_int(s->batch);
    row[DIRECTION] = emit_text(s->direction);
    row[THREADS] = emit_int(s->threads);
    row[INPUT] = emit_text(s->input);
    row[SEED] = emit_int(s->seed);
    row[HOST] = emit_text(s->host);
    row[MODE] = emit_text(s->mode);
    row[SERIES] = emit_text(what);
}

static emit_style style_of(const char *unit)
{
    return strcmp(unit, "ns") == 0 ? EMIT_NS : strcmp(unit, "bytes") == 0 ? EMIT_BYTES : EMIT_COUNT;
}

static bool for_people(const args *a)
{
    return cli_choice(a, "o") == EMIT_TABLE || cli_choice(a, "o") == EMIT_MD;
}

/* "+5.2%", or the number itself for programs; `text` holds 24 bytes and must live until the row is written. */
static emit_value percent(const args *a, char *text, double fraction)
{
    if (!for_people(a))
        return emit_real(fraction);
    snprintf(text, 24, "%+.1f%%", 100 * fraction);
    return emit_text(text);
}

/* A commit as people read it, "3fcc8f778318 dirty"; whole for programs. */
static emit_value commit(const args *a, char *text, const history_point *p)
{
    const bool short_form = for_people(a);
    if (!*p->revision)
        return emit_null();
    snprintf(text, 64, "%.*s%s", short_form ? 12 : 40, p->revision, short_form && p->dirty ? " dirty" : "");
    return emit_text(text);
}

/* ---- reading ---- */

static attn_status canonical(const char *text, char **out, attn_error *err)
{
    attn_spec *spec;
    attn_status status = attn_spec_parse(&spec, text, err);
    if (status)
        return status;
    *out = strdup(attn_spec_text(spec));
    attn_spec_destroy(spec);
    return *out ? ATTN_OK : attn_fail(err, ATTN_ENOMEM, "out of memory");
}

static attn_status read_all(history *out, const args *a, attn_error *err)
{
    const char *const *texts;
    const size_t *sizes = NULL;
    store *s = NULL;
    const size_t count = cli_texts(a, "p", &texts), size_count = cli_given(a, "n") ? cli_axis(a, "n", &sizes) : 0;
    char **specs = calloc(count + 1, sizeof *specs);
    attn_status status = specs ? ATTN_OK : attn_fail(err, ATTN_ENOMEM, "out of memory");
    for (size_t i = 0; i < count && !status; i++)
        status = canonical(texts[i], &specs[i], err);
    if (!status)
        status = store_open(&s, store_path(cli_text(a, "db")), STORE_READ, err);
    if (!status) {
        const history_filter filter = {.specs = (const char *const *)specs, .spec_count = count, .sizes = sizes,
                                       .size_count = size_count, .kernel = cli_text(a, "kernel"), .label = cli_text(a, "label"),
                                       .what = cli_text(a, "series")};
        status = history_read(out, s, &filter, err);
    }
    size_t left_out = 0;
    for (size_t i = 0; !status && i < out->count; i++)
        left_out += out->at[i].left_out;
    if (left_out)
        fprintf(stderr, "%zu visits are left out: their %s is not above 0, and steps are looked for in logarithms\n", left_out,
                cli_text(a, "series"));
    store_close(s);
    for (size_t i = 0; i < count && specs; i++)
        free(specs[i]);
    free(specs);
    return status;
}

static int end(emitter *e, history *h)
{
    history_free(h);
    if (!e)
        return cli_complain(EXIT_MACHINE, "out of memory");
    emit_close(e); /* a failing stream is reported by the caller, from its error flag */
    return EXIT_FINE;
}

/* ---- history ---- */

enum { RUN = COMMON, FINISHED, REVISION, DIRTY, RUNS, VALUE, LEVEL, CHANGE, HISTORY_COLUMNS };

/* The level of each point: the median of those between two changes. false: out of memory. */
static bool find_levels(const history_series *s, double *levels)
{
    double *sorted = malloc((s->count + 1) * sizeof *sorted);
    size_t from = 0;
    for (size_t k = 0; k <= s->change_count && sorted; k++) {
        const size_t to = k < s->change_count ? s->changes[k].at : s->count;
        for (size_t i = from; i < to; i++)
            sorted[i - from] = s->at[i].value;
        const double level = stats_median(sorted, to - from, 0.95).median;
        for (; from < to; from++)
            levels[from] = level;
    }
    free(sorted);
    return sorted != NULL;
}

static bool print_history(emitter *e, const args *a, const history_series *s)
{
    double *levels = malloc((s->count + 1) * sizeof *levels);
    if (!levels || !find_levels(s, levels)) {
        free(levels);
        return false;
    }
    const size_t last = cli_size(a, "last");
    size_t next = 0;
    for (size_t i = 0; i < s->count; i++) {
        const history_point *p = &s->at[i];
        const bool changes = next < s->change_count && s->changes[next].at == i;
        const double size = changes ? history_size_of(&s->changes[next++]) : 0;
        char change_text[24], commit_text[64];
        if (last && i + last < s->count)
            continue;
        emit_value row[HISTORY_COLUMNS];
        put_series(row, s, cli_text(a, "series"));
        row[RUN] = emit_text(p->run_id);
        row[FINISHED] = emit_text(p->finished);
        row[REVISION] = commit(a, commit_text, p);
        row[DIRTY] = emit_bool(p->dirty);
        row[RUNS] = emit_int((int64_t)p->runs);
        row[VALUE] = emit_real(p->value);
        row[LEVEL] = emit_real(levels[i]);
        row[CHANGE] = changes ? percent(a, change_text, size) : emit_null();
        emit_row(e, row);
    }
    free(levels);
    return true;
}

static int show_history(const args *a)
{
    history h;
    attn_error err;
    attn_status status = read_all(&h, a, &err);
    if (status)
        return cli_fail(status, &err);
    const emit_style style = style_of(h.at[0].unit);
    const emit_column columns[HISTORY_COLUMNS] = {
        COMMON_COLUMNS, [RUN] = {"run_id", NULL, EMIT_PLAIN}, [FINISHED] = {"finished", "when", EMIT_PLAIN},
        [REVISION] = {"revision", "commit", EMIT_PLAIN}, [DIRTY] = {"dirty", NULL, EMIT_PLAIN},
        [RUNS] = {"runs", "runs", EMIT_PLAIN}, [VALUE] = {"value", cli_text(a, "series"), style},
        [LEVEL] = {"level", "level", style}, [CHANGE] = {"change", "change", EMIT_PLAIN}};
    emitter *e = emit_open(stdout, (emit_format)cli_choice(a, "o"), columns, HISTORY_COLUMNS);
    bool fine = e != NULL;
    for (size_t i = 0; i < h.count && fine; i++)
        fine = print_history(e, a, &h.at[i]);
    const int code = end(e, &h);
    return fine || code ? code : cli_complain(EXIT_MACHINE, "out of memory");
}

static const option history_options[] = {
    FILTERS,
    {"last", OPTION_SIZE, "K", "only the newest K visits of each series are shown; 0: all", "30", 0, SIZE_MAX, NULL, false},
    CLI_OPTION_FORMAT,
    {0},
};

const command cmd_history = {
    .name = "history",
    .operands = "",
    .summary = "cells over time, commit by commit, with their levels",
    .details =
        "A series is one cell on one host in one build mode. A point of it is a visit: consecutive runs of one program, and the "
        "median over them, since runs close together share the state of the machine. The level is the median of the visits "
        "between two changes, and a change is what 'attnlab changepoints' finds. All visits are looked at, whether shown or not.",
    .options = history_options,
    .run = show_history,
};

/* ---- changepoints ---- */

enum { LAST_GOOD = COMMON, FIRST_NEW, WHEN, BEFORE, AFTER, SIZE, DEVIATE, KNOWN, NOTE, CHANGE_COLUMNS };

/* What else changed, or did not, between two visits. */
static const char *note(const history_point *before, const history_point *after)
{
    if (strcmp(before->compiler, after->compiler) != 0)
        return "another compiler";
    if (*after->binary && strcmp(before->binary, after->binary) == 0)
        return "the same program: the machine changed, not the code";
    if (strcmp(before->revision, after->revision) == 0 && !before->dirty && !after->dirty)
        return "the same commit";
    return before->dirty || after->dirty ? "sources differed from the commit" : "";
}

static void print_change(emitter *e, const args *a, const history_series *s, const change *c)
{
    const history_point *before = &s->at[c->at - 1], *after = &s->at[c->at];
    char good[64], new[64], size[24];
    emit_value row[CHANGE_COLUMNS];
    put_series(row, s, cli_text(a, "series"));
    row[LAST_GOOD] = commit(a, good, before);
    row[FIRST_NEW] = commit(a, new, after);
    row[WHEN] = emit_text(after->finished);
    row[BEFORE] = emit_real(exp(c->before));
    row[AFTER] = emit_real(exp(c->after));
    row[SIZE] = percent(a, size, history_size_of(c));
    row[DEVIATE] = emit_real(c->deviate);
    row[KNOWN] = emit_int((int64_t)(c->known - c->at + 1));
    row[NOTE] = emit_text(note(before, after));
    emit_row(e, row);
}

static int show_changes(const args *a)
{
    history h;
    attn_error err;
    attn_status status = read_all(&h, a, &err);
    if (status)
        return cli_fail(status, &err);
    const double threshold = cli_percent(a, "threshold");
    const emit_style style = style_of(h.at[0].unit);
    const emit_column columns[CHANGE_COLUMNS] = {
        COMMON_COLUMNS, [LAST_GOOD] = {"before_revision", "last of the old", EMIT_PLAIN},
        [FIRST_NEW] = {"revision", "first of the new", EMIT_PLAIN}, [WHEN] = {"finished", "when", EMIT_PLAIN},
        [BEFORE] = {"level_before", "before", style}, [AFTER] = {"level_after", "after", style},
        [SIZE] = {"change", "change", EMIT_PLAIN}, [DEVIATE] = {"deviate", "deviate", EMIT_FIXED1},
        [KNOWN] = {"visits_to_settle", NULL, EMIT_PLAIN}, [NOTE] = {"note", "note", EMIT_PLAIN}};
    emitter *e = emit_open(stdout, (emit_format)cli_choice(a, "o"), columns, CHANGE_COLUMNS);
    size_t shown = 0, most = 0;
    for (size_t i = 0; i < h.count && e; i++) {
        most = h.at[i].count > most ? h.at[i].count : most;
        for (size_t k = 0; k < h.at[i].change_count; k++)
            if (fabs(history_size_of(&h.at[i].changes[k])) >= threshold) {
                print_change(e, a, &h.at[i], &h.at[i].changes[k]);
                shown++;
            }
    }
    if (!shown && most <= 2 * CHANGES_RUN)
        fprintf(stderr, "no series has the %d visits that a change takes; the longest has %zu\n", 2 * CHANGES_RUN + 1, most);
    else if (!shown)
        fprintf(stderr, "no change of %g%% or more in %zu series\n", 100 * threshold, h.count);
    return end(e, &h);
}

static const option change_options[] = {
    FILTERS,
    {"threshold", OPTION_PERCENT, "PERCENT", "leave out smaller changes", "1", 0, 0, NULL, false},
    CLI_OPTION_FORMAT,
    {0},
};

const command cmd_changepoints = {
    .name = "changepoints",
    .operands = "",
    .summary = "where the level of a cell changed for good",
    .details =
        "Fits steps to the logarithms of each series of 'attnlab history', in order of time. A change needs five visits on "
        "either side and a likelihood ratio that independent noise would reach about once in 250000 visits; the newest must still "
        "stand at the new level. A visit that stands out alone is neither a change nor hides one. The newest visit counts once "
        "another program has been measured after it, and what was found stays found when runs are added.\n"
        "\n"
        "Levels are those known when the change was settled. A machine whose speed wanders is seen as well: the note says "
        "where the program was the same. 'attnlab bisect' finds the commit between two visits.",
    .options = change_options,
    .run = show_changes,
};
