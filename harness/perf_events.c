/* The files built in, and the choice among them. Adding a file is adding a line here. */
#include "harness/perf_events.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"
#include "harness/embed.h"

EMBED(events_any, "harness/metrics/events/any.txt");
EMBED(events_intel_core, "harness/metrics/events/intel-core.txt");
EMBED(events_intel_skylake_server, "harness/metrics/events/intel-skylake-server.txt");
EMBED(events_amd_zen1, "harness/metrics/events/amd-zen1.txt");
EMBED(events_amd_zen2, "harness/metrics/events/amd-zen2.txt");
EMBED(events_amd_zen3, "harness/metrics/events/amd-zen3.txt");
EMBED(events_amd_zen4, "harness/metrics/events/amd-zen4.txt");

const perf_file perf_files[] = {
    {"any", events_any},
    {"intel-core", events_intel_core},
    {"intel-skylake-server", events_intel_skylake_server},
    {"amd-zen1", events_amd_zen1},
    {"amd-zen2", events_amd_zen2},
    {"amd-zen3", events_amd_zen3},
    {"amd-zen4", events_amd_zen4},
    {0},
};

static void add_file(perf_events *list, const char *name)
{
    const size_t used = strlen(list->files);
    snprintf(list->files + used, sizeof list->files - used, "%s%s", used ? " " : "", name);
}

/* Adds those of the files built in that are for this PMU. */
static attn_status add_own(perf_events *list, perf_events *read, const char *core_pmu, attn_error *err)
{
    attn_status status = ATTN_OK;
    for (const perf_file *f = perf_files; f->name && !status; f++) {
        char pmus[PERF_LINE_LENGTH], name[PERF_PLACE_LENGTH];
        snprintf(name, sizeof name, "%s.txt", f->name);
        status = perf_events_read(read, pmus, name, f->text, strlen(f->text), err);
        if (status || !perf_events_fit(pmus, core_pmu))
            continue;
        add_file(list, f->name);
        status = perf_events_add(list, read, err);
    }
    return status;
}

/* The file's bytes, at most one more than a file may have; *out is malloc'ed. */
static attn_status read_bytes(char **out, size_t *size, const char *path, attn_error *err)
{
    struct stat s;
    const int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file < 0 || fstat(file, &s) < 0 || !S_ISREG(s.st_mode)) {
        const attn_status status = attn_fail(err, ATTN_EINVAL, "--events %.200s: %s", path,
                                             file < 0 ? strerror(errno) : "not a file; name a file of events");
        if (file >= 0)
            close(file);
        return status;
    }
    attn_status status = ATTN_OK;
    char *bytes = malloc(PERF_FILE_BYTES + 1);
    ssize_t got = 1;
    size_t used = 0;
    while (bytes && got > 0 && used <= PERF_FILE_BYTES) {
        got = read(file, bytes + used, PERF_FILE_BYTES + 1 - used);
        used += got > 0 ? (size_t)got : 0;
    }
    if (!bytes)
        status = attn_fail(err, ATTN_ENOMEM, "out of memory for %.200s", path);
    else if (got < 0)
        status = attn_fail(err, ATTN_EIO, "--events %.200s: %s", path, strerror(errno));
    close(file);
    if (status) {
        free(bytes);
        return status;
    }
    *out = bytes;
    *size = used;
    return ATTN_OK;
}

/* The user's file is for this CPU, and libpfm4 knows its events. */
static attn_status check_users(const perf_events *list, const perf_events *users, const char *pmus, const char *path,
                               attn_error *err)
{
    if (!perf_events_fit(pmus, *list->pmu ? list->pmu : NULL))
        return attn_fail(err, ATTN_EINVAL, "%.160s: for %.120s, but the core PMU of this CPU is %s; 'for any' fits all", path, pmus,
                         *list->pmu ? list->pmu : "none that libpfm4 knows");
    for (size_t s = 0; s < users->set_count; s++)
        for (size_t i = 0; i < users->sets[s].count; i++) {
            const perf_event *e = &users->sets[s].events[i];
            struct perf_event_attr attr;
            const char *why;
            if (!perf_event_encode(list, e, &attr, &why))
                return attn_fail(err, ATTN_EINVAL, "%.160s:%zu: %.120s: libpfm4 cannot encode it for %s: %s; its showevtinfo lists "
                                                   "what there is", path, e->line, e->event,
                                 *list->pmu ? list->pmu : "an unknown CPU", why);
        }
    return ATTN_OK;
}

/* A series has one unit, whoever measures it. */
static attn_status check_unit(const perf_events *list, const char *name, const char *unit, const char *path, size_t line,
                              attn_error *err)
{
    const char *other = NULL;
    for (size_t s = 0; s < list->set_count; s++)
        for (size_t i = 0; i < list->sets[s].count; i++)
            if (strcmp(list->sets[s].events[i].name, name) == 0)
                other = list->sets[s].events[i].unit;
    for (size_t i = 0; i < list->derived_count; i++)
        if (strcmp(list->derived[i].name, name) == 0)
            other = list->derived[i].unit;
    return !other || strcmp(other, unit) == 0
               ? ATTN_OK : attn_fail(err, ATTN_EINVAL, "%.160s:%zu: the unit of %s is %s, not %s; take another name for what "
                                                       "differs", path, line, name, other, unit);
}

static attn_status check_units(const perf_events *list, const perf_events *users, const char *path, attn_error *err)
{
    attn_status status = ATTN_OK;
    for (size_t s = 0; s < users->set_count; s++)
        for (size_t i = 0; i < users->sets[s].count && !status; i++) {
            const perf_event *e = &users->sets[s].events[i];
            status = check_unit(list, e->name, e->unit, path, e->line, err);
        }
    for (size_t i = 0; i < users->derived_count && !status; i++) {
        const perf_derived *d = &users->derived[i];
        status = check_unit(list, d->name, d->unit, path, d->line, err);
    }
    return status;
}

static attn_status add_users(perf_events *list, perf_events *read, const char *path, attn_error *err)
{
    char *bytes = NULL, pmus[PERF_LINE_LENGTH], label[2 * PERF_PLACE_LENGTH];
    size_t size = 0;
    attn_status status = read_bytes(&bytes, &size, path, err);
    if (status)
        return status;
    const char *name = strrchr(path, '/');
    name = name && name[1] ? name + 1 : path;
    status = perf_events_read(read, pmus, path, bytes, size, err);
    if (!status)
        status = check_users(list, read, pmus, path, err);
    if (!status)
        status = check_units(list, read, path, err);
    if (!status)
        status = perf_events_add(list, read, err);
    snprintf(label, sizeof label, "%.*s:%016" PRIx64, (int)PERF_PLACE_LENGTH, name, hash_bytes(HASH_START, bytes, size));
    add_file(list, label);
    free(bytes);
    return status;
}

attn_status perf_events_choose(perf_events **out, const char *core_pmu, const char *file, attn_error *err)
{
    *out = NULL;
    perf_events *list = calloc(1, sizeof *list), *read = calloc(1, sizeof *read);
    attn_status status = list && read ? ATTN_OK : attn_fail(err, ATTN_ENOMEM, "out of memory for a list of events");
    if (!status && core_pmu)
        snprintf(list->pmu, sizeof list->pmu, "%s", core_pmu);
    if (!status)
        status = add_own(list, read, core_pmu, err);
    if (!status && file)
        status = add_users(list, read, file, err);
    if (!status)
        status = perf_events_check(list, err);
    free(read);
    if (status)
        free(list);
    else
        *out = list;
    return status;
}

bool perf_event_encode(const perf_events *list, const perf_event *e, struct perf_event_attr *out, const char **why)
{
    char name[PERF_NAME_LENGTH + PERF_EVENT_LENGTH + 2];
    const bool whole = strstr(e->event, "::");
    snprintf(name, sizeof name, "%s%s%s", whole ? "" : list->pmu, whole ? "" : "::", e->event);
    return perf_encode(name, e->kernel, out, why);
}
