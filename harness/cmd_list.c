/* attnlab list: what there is, and why some of it is not available here, all from the registries. */
#include <stdlib.h>
#include <string.h>

#include "attn/pattern.h"
#include "attn/plan.h"
#include "base/suggest.h"
#include "harness/cli.h"
#include "harness/emit.h"
#include "harness/ext.h"
#include "harness/host_files.h"
#include "harness/metric.h"
#include "harness/plot.h"

enum { KIND, NAME, PARAMETERS, ISA, DTYPES, SUMMARY, ORIGIN, SOURCE, AVAILABLE, REASON, COLUMNS };

static const emit_column all_columns[COLUMNS] = {
    [KIND] = {"kind", NULL, EMIT_PLAIN},
    [NAME] = {"name", "name", EMIT_PLAIN},
    [PARAMETERS] = {"parameters", "parameters", EMIT_PLAIN},
    [ISA] = {"isa", "isa", EMIT_PLAIN},
    [DTYPES] = {"dtypes", "dtypes", EMIT_PLAIN},
    [SUMMARY] = {"summary", "what it is", EMIT_PLAIN},
    [ORIGIN] = {"origin", "from", EMIT_PLAIN},
    [SOURCE] = {"source", "source", EMIT_PLAIN},
    [AVAILABLE] = {"available", NULL, EMIT_PLAIN},
    [REASON] = {"reason", "not available because", EMIT_PLAIN},
};

typedef struct listing {
    emitter *to; /* NULL: only counts */
    const char *kind;
    bool for_people; /* texts instead of JSON values */
    size_t unavailable;
} listing;

static void put(listing *l, const char *name, const char *summary, const char *reason, emit_value *row)
{
    row[KIND] = emit_text(l->kind);
    row[NAME] = emit_text(name);
    row[SUMMARY] = emit_text(summary);
    row[AVAILABLE] = emit_bool(!reason);
    row[REASON] = emit_text(reason);
    l->unavailable += reason != NULL;
    if (l->to)
        emit_row(l->to, row);
}

/* ---- the kinds ---- */

/* The words of "a|b|c", beginning with the default. */
static void choices_text(FILE *out, const char *choices, const char *fallback)
{
    fputs(fallback, out);
    size_t length = strlen(fallback);
    for (const char *word = choices; word;) {
        size_t n = strcspn(word, "|");
        if (n != length || strncmp(word, fallback, n) != 0)
            fprintf(out, "|%.*s", (int)n, word);
        word = word[n] ? word + n + 1 : NULL;
    }
}

/* "l=sqrt(n) c=8 head=merged|block", each with its default. */
static void parameters_text(FILE *out, const attn_pattern *p)
{
    for (const attn_param *q = p->params; q && q->key; q++) {
        fprintf(out, "%s%s=", q == p->params ? "" : " ", q->key);
        if (q->choices)
            choices_text(out, q->choices, q->fallback);
        else
            fputs(q->fallback, out);
    }
}

static void parameters_json(FILE *out, const attn_pattern *p)
{
    fputc('[', out);
    for (const attn_param *q = p->params; q && q->key; q++) {
        fprintf(out, "%s{\"key\": ", q == p->params ? "" : ", ");
        emit_json_string(out, q->key);
        fputs(", \"default\": ", out);
        emit_json_string(out, q->fallback);
        if (q->choices) {
            fputs(", \"choices\": ", out);
            emit_json_string(out, q->choices);
        } else {
            fprintf(out, ", \"min\": %zu, \"max\": %zu", q->min, q->max);
        }
        fputs(", \"help\": ", out);
        emit_json_string(out, q->help ? q->help : "");
        fputc('}', out);
    }
    fputc(']', out);
}

static bool list_patterns(listing *l)
{
    for (size_t i = 0; i < attn_pattern_count(); i++) {
        const attn_pattern *p = attn_pattern_at(i);
        char *text = NULL;
        size_t size;
        FILE *out = open_memstream(&text, &size);
        if (!out)
            return false;
        (l->for_people ? parameters_text : parameters_json)(out, p);
        if (fclose(out) != 0) {
            free(text);
            return false;
        }
        emit_value row[COLUMNS] = {
            [PARAMETERS] = !l->for_people ? emit_json(text) : emit_text(*text ? text : NULL),
            [ORIGIN] = emit_text(attn_pattern_origin(p)),
            [SOURCE] = emit_text(p->source),
        };
        put(l, p->name, p->summary, NULL, row);
        free(text);
    }
    return true;
}

static bool list_kernels(listing *l)
{
    for (size_t i = 0; i < attn_kernel_count(); i++) {
        attn_kernel_info k = attn_kernel_at(i);
        char dtypes[64] = "";
        size_t used = (size_t)snprintf(dtypes, sizeof dtypes, "%s", l->for_people ? "" : "[");
        for (int d = ATTN_F32; d <= ATTN_F16; d++)
            if (k.dtypes & 1u << d)
                used += (size_t)snprintf(
                    dtypes + used, sizeof dtypes - used, l->for_people ? "%s%s" : "%s\"%s\"",
                    used > 1 ? (l->for_people ? " " : ", ") : "", attn_dtype_name((attn_dtype)d));
        snprintf(dtypes + used, sizeof dtypes - used, "%s", l->for_people ? "" : "]");
        emit_value row[COLUMNS] = {
            [ISA] = emit_text(k.isa),
            [DTYPES] = l->for_people ? emit_text(dtypes) : emit_json(dtypes),
        };
        put(l, k.name, k.summary, k.unavailable, row);
    }
    return true;
}

static bool list_externals(listing *l)
{
    for (const ext_shipped *s = ext_shipped_list; s->name; s++) {
        char name[80];
        snprintf(name, sizeof name, EXT_PREFIX "%s", s->name);
        const char *why = ext_unavailable(s);
        emit_value row[COLUMNS] = {[ISA] = emit_text(EXT_ISA)};
        put(l, name, s->summary, why, row);
    }
    return true;
}

static bool list_metrics(listing *l)
{
    for (size_t i = 0; metrics[i]; i++) {
        emit_value row[COLUMNS] = {0};
        put(l, metrics[i]->name, metrics[i]->summary,
            metrics[i]->unavailable ? metrics[i]->unavailable() : NULL, row);
    }
    return true;
}

/* Where no plots are found there is one row without a name, that says so. */
static bool list_plots(listing *l)
{
    plot_list list;
    attn_error err;
    attn_status status = plot_list_read(&list, NULL, &err);
    if (status == ATTN_ENOMEM)
        return false;
    if (status != ATTN_OK) {
        emit_value row[COLUMNS] = {0};
        put(l, NULL, NULL, err.message, row);
        return true;
    }
    const char *reason = host_has_program(getenv("PATH"), "gnuplot") ? NULL : "gnuplot is not installed";
    for (size_t i = 0; i < list.count; i++) {
        emit_value row[COLUMNS] = {[ORIGIN] = emit_text(list.at[i].folder)};
        put(l, list.at[i].name, list.at[i].summary, reason, row);
    }
    plot_list_free(&list);
    return true;
}

static const struct kind {
    const char *name, *heading, *singular;
    bool (*list)(listing *l); /* false: out of memory */
    unsigned shown;                 /* columns that people see */
} kinds[] = {
    {"patterns", "Patterns", "pattern", list_patterns,
     1u << NAME | 1u << PARAMETERS | 1u << SUMMARY | 1u << ORIGIN | 1u << SOURCE},
    {"kernels", "Kernels, in order of preference", "kernel", list_kernels,
     1u << NAME | 1u << ISA | 1u << DTYPES | 1u << SUMMARY | 1u << REASON},
    {"externals", "External kernels, by other people", "external", list_externals, 1u << NAME | 1u << SUMMARY | 1u << REASON},
    {"metrics", "Metrics", "metric", list_metrics, 1u << NAME | 1u << SUMMARY | 1u << REASON},
    {"plots", "Plots", "plot", list_plots, 1u << NAME | 1u << SUMMARY | 1u << REASON},
};
enum { KINDS = sizeof kinds / sizeof *kinds };

/* ---- the command ---- */

static const option options[] = {CLI_OPTION_FORMAT, {0}};

static const struct kind *find(const char *name)
{
    for (size_t i = 0; i < KINDS; i++)
        if (strcmp(kinds[i].name, name) == 0)
            return &kinds[i];
    return NULL;
}

static int unknown(const char *name)
{
    suggestion near = {.word = name};
    for (size_t i = 0; i < KINDS; i++)
        suggest_offer(&near, kinds[i].name);
    return near.best
               ? cli_complain(EXIT_INPUT, "list: unknown kind '%.60s'; did you mean '%s'?", name, near.best)
               : cli_complain(EXIT_INPUT,
                              "list: unknown kind '%.60s'; there are patterns, kernels, externals, metrics, plots",
                              name);
}

/* Tables and Markdown: one table per kind, with the columns that say something about it; reasons only where
 * something is unavailable. */
static bool print_for_people(emit_format format, const struct kind *kind, bool heading, bool first)
{
    listing l = {.kind = kind->singular, .for_people = true};
    if (!kind->list(&l))
        return false;
    emit_column columns[COLUMNS];
    for (int c = 0; c < COLUMNS; c++) {
        columns[c] = all_columns[c];
        if (!(kind->shown & 1u << c) || (c == REASON && l.unavailable == 0))
            columns[c].title = NULL;
    }
    if (heading && format == EMIT_MD)
        printf("%s## %s\n\n", first ? "" : "\n", kind->heading);
    else if (heading)
        printf("%s%s\n", first ? "" : "\n", kind->heading);
    l.to = emit_open(stdout, format, columns, COLUMNS);
    bool listed = l.to && kind->list(&l);
    return l.to && emit_close(l.to) && listed;
}

static int run(const args *a)
{
    const char *const *operands;
    size_t count = cli_operands(a, &operands);
    emit_format format = (emit_format)cli_choice(a, "o");
    const struct kind *only = count ? find(operands[0]) : NULL;
    if (count && !only)
        return unknown(operands[0]);
    bool people = format == EMIT_TABLE || format == EMIT_MD, fine = true;
    listing l = {0};
    if (!people) {
        l.to = emit_open(stdout, format, all_columns, COLUMNS);
        fine = l.to != NULL;
    }
    for (size_t i = 0; i < KINDS && fine; i++) {
        if (only && only != &kinds[i])
            continue;
        l.kind = kinds[i].singular;
        fine = people ? print_for_people(format, &kinds[i], !only, i == 0) : kinds[i].list(&l);
    }
    if (l.to)
        fine &= emit_close(l.to);
    return fine ? EXIT_FINE
                : cli_complain(EXIT_MACHINE, "the list could not be written: disk full or out of memory");
}

const command cmd_list = {
    .name = "list",
    .operands = "[KIND]",
    .max_operands = 1,
    .summary = "patterns, kernels, metrics and plots, with why a thing is unavailable",
    .details = "KIND is one of patterns, kernels, externals, metrics, plots; without it all are listed. Parameters "
               "show their defaults; where words are to be chosen from, the first is the default. Every "
               "pattern also takes causal=0, which lets queries see later keys.",
    .options = options,
    .run = run,
};
