/* Metrics by name. */
#include "harness/run.h"

#include <string.h>

#include "base/suggest.h"

static void append(metric_set *set, const metric *m)
{
    if (set->count == RUN_MOST_METRICS || strlen(set->names) + strlen(m->name) + 2 > sizeof set->names)
        return;
    if (set->count)
        strcat(set->names, ",");
    strcat(set->names, m->name);
    set->at[set->count++] = m;
}

static bool measures_in(const metric *m, lane in)
{
    return (m->lanes ? m->lanes : 1u << LANE_TIME) >> in & 1;
}

static attn_status unknown(const char *name, attn_error *err)
{
    suggestion near = {.word = name};
    for (size_t i = 0; metrics[i]; i++)
        suggest_offer(&near, metrics[i]->name);
    if (near.best)
        return attn_fail(err, ATTN_EINVAL, "--metrics: unknown metric '%.60s'; did you mean '%s'?", name,
                         near.best);
    return attn_fail(err, ATTN_EINVAL, "--metrics: unknown metric '%.60s'; 'attnlab list' names them", name);
}

/* Marks the metrics that the list names. */
static attn_status mark(bool *wanted, const char *text, lane in, attn_error *err)
{
    for (const char *word = text;; word++) {
        char name[64];
        const size_t length = strcspn(word, ",");
        if (length == 0 || length >= sizeof name)
            return attn_fail(err, ATTN_EINVAL,
                             "--metrics '%.60s': not a list of metrics; write time,flops or all", text);
        memcpy(name, word, length);
        name[length] = '\0';
        size_t i = 0;
        while (metrics[i] && strcmp(metrics[i]->name, name) != 0)
            i++;
        if (!metrics[i])
            return unknown(name, err);
        if (!measures_in(metrics[i], in))
            return attn_fail(err, ATTN_EINVAL, in == LANE_TIME   ? "--metrics: %s is measured with --lane callgrind alone"
                                               : in == LANE_COLD ? "--metrics: %s means nothing with --cache cold, which has time,flops"
                                                                 : "--metrics: %s means nothing with --lane callgrind, which has "
                                                                   "flops,instructions", name);
        const char *why = metrics[i]->unavailable ? metrics[i]->unavailable() : NULL;
        if (why)
            return attn_fail(err, ATTN_EINVAL, "--metrics: %s cannot be measured here: %s", name, why);
        wanted[i] = true;
        word += length;
        if (!*word)
            return ATTN_OK;
    }
}

attn_status metric_set_parse(metric_set *out, const char *text, lane in, attn_error *err)
{
    bool wanted[RUN_MOST_METRICS] = {false};
    const bool all = strcmp(text, "all") == 0;
    attn_status status = all ? ATTN_OK : mark(wanted, text, in, err);
    if (status)
        return status;
    *out = (metric_set){0};
    for (size_t i = 0; metrics[i]; i++)
        if (wanted[i] || (all && measures_in(metrics[i], in) && !(metrics[i]->unavailable && metrics[i]->unavailable())))
            append(out, metrics[i]);
    return ATTN_OK;
}

metric_set metric_set_split(const metric_set *all, bool alone)
{
    metric_set part = {0};
    for (size_t i = 0; i < all->count; i++)
        if (all->at[i]->alone == alone)
            append(&part, all->at[i]);
    return part;
}

metric_set metric_set_one(const metric *m)
{
    metric_set one = {0};
    append(&one, m);
    return one;
}

bool metric_set_has(const metric_set *set, const char *name)
{
    for (size_t i = 0; i < set->count; i++)
        if (strcmp(set->at[i]->name, name) == 0)
            return true;
    return false;
}

void run_mark(const run_request *r, samples *list)
{
    recorder to = samples_recorder(list);
    if (r->lane != LANE_TIME)
        record_text(&to, "lane", lane_name(r->lane));
    if (r->inject > 0)
        record_real(&to, "inject", "fraction", r->inject);
}
