/* A growing list of samples. */
#include "harness/samples.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>


/* Room for one more element of `size` bytes behind `count`. */
static void *grow(void *array, size_t count, size_t *capacity, size_t size)
{
    if (count < *capacity)
        return array;
    size_t more = *capacity ? 2 * *capacity : 64;
    void *larger = realloc(array, more * size);
    if (larger)
        *capacity = more;
    return larger;
}

/* The index of the series called `name`; `series_count` when there was no memory for a new one. */
static size_t intern(samples *list, const char *name, const char *unit)
{
    for (size_t i = list->series_count; i-- > 0;) /* the last one is the likeliest */
        if (strcmp(list->series[i].name, name) == 0)
            return i;
    series *all = grow(list->series, list->series_count, &list->series_capacity, sizeof *all);
    if (!all)
        return list->series_count;
    list->series = all;
    series fresh = {.name = strdup(name), .unit = strdup(unit ? unit : "")};
    if (!fresh.name || !fresh.unit) {
        free(fresh.name);
        free(fresh.unit);
        return list->series_count;
    }
    all[list->series_count] = fresh;
    return list->series_count++;
}

void samples_add(samples *list, const record *r)
{
    bool worded = r->kind == RECORD_TEXT || r->kind == RECORD_ABSENT;
    sample fresh = {.kind = r->kind, .real = r->real, .integer = r->integer};
    fresh.series = intern(list, r->series, r->unit);
    sample *all = grow(list->at, list->count, &list->capacity, sizeof *all);
    if (all)
        list->at = all;
    if (worded)
        fresh.text = strdup(r->text ? r->text : "");
    if (!all || fresh.series == list->series_count || (worded && !fresh.text)) {
        free(fresh.text);
        list->failed = true;
        return;
    }
    fresh.rep = list->series[fresh.series].count++;
    all[list->count++] = fresh;
}

static void take(void *context, const record *r)
{
    samples_add(context, r);
}

recorder samples_recorder(samples *list)
{
    return (recorder){.take = take, .context = list};
}

double samples_least(const samples *list, const char *name)
{
    double least = (double)NAN;
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->series[list->at[i].series].name, name) == 0 && list->at[i].kind == RECORD_REAL)
            least = fmin(least, list->at[i].real);
    return least;
}

void samples_free(samples *list)
{
    for (size_t i = 0; i < list->series_count; i++) {
        free(list->series[i].name);
        free(list->series[i].unit);
    }
    for (size_t i = 0; i < list->count; i++)
        free(list->at[i].text);
    free(list->series);
    free(list->at);
    *list = (samples){0};
}
