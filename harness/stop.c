/* When to stop sampling. See stop.h. */
#include "harness/stop.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness/stats.h"

static const double CLASS_WIDTH = 0.01, FAMILY = 0.05;

static const struct { const char *name; stop_kind kind; bool share, may_lack; } kinds[] = {
    {"ci", STOP_CI, true, false},       {"stdrel", STOP_STDREL, true, false}, {"entropy", STOP_ENTROPY, true, true},
    {"count", STOP_COUNT, false, false}, {"time", STOP_TIME, false, false},
};

attn_status stop_parse(stop_rule *out, const char *text, attn_error *err)
{
    const size_t length = strcspn(text, ":");
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
        if (strlen(kinds[k].name) != length || strncmp(text, kinds[k].name, length) != 0)
            continue;
        *out = (stop_rule){.kind = kinds[k].kind, .value = 0.01};
        if (!text[length] && kinds[k].may_lack)
            return ATTN_OK;
        char *end;
        out->value = strtod(text + length + !!text[length], &end);
        const bool percent = *end == '%';
        out->value /= percent ? 100 : 1;
        end += percent;
        if (text[length] && text[length + 1] && !*end && percent <= kinds[k].share && out->value > 0 &&
            (kinds[k].share ? out->value < 1 : out->value <= 1e6) && (out->kind != STOP_COUNT || out->value == floor(out->value)))
            return ATTN_OK;
    }
    return attn_fail(err, ATTN_EINVAL, "--stop %.60s is no rule: ci:1%%, stdrel:1%%, entropy, count:100 or time:5", text);
}

bool stop_looks_at(size_t count)
{
    size_t at = STOP_FIRST;
    for (size_t k = 0; k < STOP_LOOKS; k++, at *= 2)
        if (count == at)
            return true;
    return false;
}

static bool narrow(const double *samples, double *sorted, size_t count, double share)
{
    const double level = 1 - FAMILY / STOP_LOOKS;
    memcpy(sorted, samples, count * sizeof *sorted);
    if (stats_median_coverage(count, level) < level)
        return false;
    const interval m = stats_median(sorted, count, level);
    return m.hi - m.median <= share * m.median && m.median - m.lo <= share * m.median;
}

static bool settled(const double *samples, size_t count, double share)
{
    double sum = 0, squares = 0;
    for (size_t k = 0; k < count; k++)
        sum += samples[k];
    const double mean = sum / (double)count;
    for (size_t k = 0; k < count; k++)
        squares += (samples[k] - mean) * (samples[k] - mean);
    return sqrt(squares / (double)(count - 1) / (double)count) <= share * mean;
}

/* Of the shares of samples in classes as wide as 1% of their values, in bits. */
static double entropy(const double *samples, double *sorted, size_t count)
{
    double bits = 0;
    memcpy(sorted, samples, count * sizeof *sorted);
    stats_sort(sorted, count);
    for (size_t from = 0, to; from < count; from = to) {
        const double class = floor(log(sorted[from]) / CLASS_WIDTH);
        for (to = from + 1; to < count && floor(log(sorted[to]) / CLASS_WIDTH) == class; to++)
            ;
        const double p = (double)(to - from) / (double)count;
        bits -= p * log2(p);
    }
    return bits;
}

const char *stop_look(stop_rule *r, const double *samples, double *scratch, size_t count)
{
    r->looks++;
    if (r->kind == STOP_CI)
        return narrow(samples, scratch, count, r->value) ? "interval" : NULL;
    if (r->kind == STOP_STDREL)
        return settled(samples, count, r->value) ? "stdrel" : NULL;
    if (r->kind != STOP_ENTROPY)
        return NULL;
    const double now = entropy(samples, scratch, count), before = r->entropies[0], earlier = r->entropies[1];
    r->entropies[1] = before;
    r->entropies[0] = now;
    return r->looks > 2 && fabs(now - before) <= r->value * fmax(now, 1) && fabs(now - earlier) <= r->value * fmax(now, 1) ? "entropy" : NULL;
}
