/* Groups of counters over threads.
 *
 * Layout of a read with PERF_FORMAT_GROUP | ID | TOTAL_TIME_ENABLED | TOTAL_TIME_RUNNING:
 *
 *   u64 events, time_enabled, time_running;  { u64 value, id; } [events]
 *
 * PERF_EVENT_IOC_RESET clears values but not times, so a count is the difference between two reads; of each
 * thread, value * enabled / running estimates what a counter that had always run would have seen. A thread
 * that did not run between the reads has enabled = 0 and counts nothing. */
#include "harness/perf.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

typedef struct reading {
    uint64_t events, enabled, running;
    struct { uint64_t value, id; } at[PERF_GROUP_EVENTS];
} reading;

typedef struct opened { /* one thread's group */
    pid_t thread;
    int leader; /* a file, or -1 */
    int files[PERF_GROUP_EVENTS];
    uint64_t ids[PERF_GROUP_EVENTS];
    reading before;
    int error; /* of the read at start; -1: a short read */
} opened;

struct perf_group {
    const perf_calls *calls;
    size_t count;
    struct perf_event_attr attrs[PERF_GROUP_EVENTS];
    int errors[PERF_GROUP_EVENTS]; /* errno that kept an event out */
    size_t thread_count;
    opened threads[];
};

/* ---- the real kernel ---- */

static int system_open(void *context, const struct perf_event_attr *attr, pid_t thread, int group)
{
    (void)context;
    return (int)syscall(SYS_perf_event_open, attr, thread, -1, group, PERF_FLAG_FD_CLOEXEC);
}

static ssize_t system_read(void *context, int fd, void *buffer, size_t size)
{
    (void)context;
    return read(fd, buffer, size);
}

static int system_ioctl(void *context, int fd, unsigned long request, void *argument)
{
    (void)context;
    return ioctl(fd, request, argument);
}

static int system_close(void *context, int fd)
{
    (void)context;
    return close(fd);
}

const perf_calls perf_system = {system_open, system_read, system_ioctl, system_close, NULL};

/* ---- opening ---- */

static void close_thread(const perf_group *g, opened *t)
{
    for (size_t i = g->count; i-- > 0;) { /* the leader last */
        if (t->files[i] >= 0)
            g->calls->close(g->calls->context, t->files[i]);
        t->files[i] = -1;
    }
    t->leader = -1;
}

/* Opens what is still in the group on one thread; false if that put an event out. */
static bool open_thread(perf_group *g, opened *t)
{
    bool complete = true;
    for (size_t i = 0; i < g->count; i++) {
        if (g->errors[i])
            continue;
        struct perf_event_attr attr = g->attrs[i];
        attr.disabled = t->leader < 0; /* the others follow their leader */
        int fd = g->calls->open(g->calls->context, &attr, t->thread, t->leader);
        if (fd < 0 && errno == ESRCH) {
            close_thread(g, t);
            return complete;
        }
        if (fd >= 0 && g->calls->ioctl(g->calls->context, fd, PERF_EVENT_IOC_ID, &t->ids[i]) < 0) {
            int error = errno;
            g->calls->close(g->calls->context, fd);
            errno = error;
            fd = -1;
        }
        if (fd < 0) {
            g->errors[i] = errno ? errno : EIO;
            complete = false;
            continue;
        }
        t->files[i] = fd;
        if (t->leader < 0)
            t->leader = fd;
    }
    return complete;
}

static void close_threads(perf_group *g)
{
    for (size_t t = 0; t < g->thread_count; t++)
        close_thread(g, &g->threads[t]);
}

/* A sum over some of the threads would be a wrong number, so an event that one thread refuses is out for all:
 * false when that happened, and the others have to be opened afresh without it. Every failure puts an event
 * out, so this ends. */
static bool open_threads(perf_group *g)
{
    for (size_t t = 0; t < g->thread_count; t++)
        if (!open_thread(g, &g->threads[t]))
            return false;
    return true;
}

attn_status perf_group_open(perf_group **out, const perf_calls *calls, const struct perf_event_attr *attrs,
                            size_t count, const pid_t *threads, size_t thread_count, attn_error *err)
{
    perf_group *g = calloc(1, sizeof *g + thread_count * sizeof g->threads[0]);
    if (!g)
        return attn_fail(err, ATTN_ENOMEM, "out of memory for counters of %zu threads", thread_count);
    g->calls = calls;
    g->count = count < PERF_GROUP_EVENTS ? count : PERF_GROUP_EVENTS;
    g->thread_count = thread_count;
    for (size_t i = 0; i < g->count; i++) {
        g->attrs[i] = attrs[i];
        g->attrs[i].size = sizeof attrs[i];
        g->attrs[i].read_format = PERF_FORMAT_GROUP | PERF_FORMAT_ID | PERF_FORMAT_TOTAL_TIME_ENABLED |
                                  PERF_FORMAT_TOTAL_TIME_RUNNING;
    }
    for (size_t t = 0; t < thread_count; t++) {
        g->threads[t] = (opened){.thread = threads[t], .leader = -1};
        memset(g->threads[t].files, -1, sizeof g->threads[t].files);
    }
    while (!open_threads(g))
        close_threads(g);
    *out = g;
    return ATTN_OK;
}

void perf_group_close(perf_group *g)
{
    if (!g)
        return;
    close_threads(g);
    free(g);
}

size_t perf_group_size(const perf_group *g)
{
    size_t open = 0;
    for (size_t i = 0; i < g->count; i++)
        open += !g->errors[i];
    return open;
}

/* ---- counting ---- */

/* 0, errno, or -1 for a read that did not return the whole group. */
static int read_thread(const perf_group *g, const opened *t, reading *out)
{
    ssize_t size = g->calls->read(g->calls->context, t->leader, out, sizeof *out);
    if (size < 0)
        return errno ? errno : EIO;
    size_t events = 0;
    for (size_t i = 0; i < g->count; i++)
        events += t->files[i] >= 0;
    size_t whole = offsetof(reading, at) + events * sizeof out->at[0];
    return (size_t)size < whole || out->events != events ? -1 : 0;
}

void perf_group_start(perf_group *g)
{
    for (size_t t = 0; t < g->thread_count; t++)
        if (g->threads[t].leader >= 0)
            g->threads[t].error = read_thread(g, &g->threads[t], &g->threads[t].before);
    for (size_t t = 0; t < g->thread_count; t++) {
        opened *o = &g->threads[t];
        if (o->leader >= 0 &&
            g->calls->ioctl(g->calls->context, o->leader, PERF_EVENT_IOC_ENABLE, NULL) < 0 && !o->error)
            o->error = errno ? errno : EIO;
    }
}

static const uint64_t *find(const reading *r, uint64_t id)
{
    for (uint64_t e = 0; e < r->events; e++)
        if (r->at[e].id == id)
            return &r->at[e].value;
    return NULL;
}

static void spoil(perf_count *c, perf_cause cause, int error)
{
    c->cause = cause;
    c->error = error > 0 ? error : 0;
    c->value = (double)NAN;
}

/* Adds one thread's share to a count. */
static void add(perf_count *c, const opened *t, size_t event, const reading *after, int error)
{
    if (c->cause != PERF_COUNTED)
        return;
    const uint64_t *value = error ? NULL : find(after, t->ids[event]);
    const uint64_t *before = error ? NULL : find(&t->before, t->ids[event]);
    if (!value || !before) {
        spoil(c, PERF_UNREADABLE, error);
        return;
    }
    uint64_t enabled = after->enabled - t->before.enabled, running = after->running - t->before.running;
    if (enabled == 0)
        return; /* the thread slept throughout */
    if (running == 0) {
        spoil(c, PERF_NEVER_RAN, 0);
        return;
    }
    /* The two clocks are read apart, and may differ by some ns on a counter that always ran. */
    double share = running < enabled ? (double)running / (double)enabled : 1;
    c->value += (double)(*value - *before) / share;
    c->running = fmin(c->running, share);
}

static perf_cause cause_of(int error)
{
    switch (error) {
    case ENOENT: case ENODEV: case EOPNOTSUPP: case ENOSYS: case ENXIO: return PERF_NO_PMU;
    case EACCES: case EPERM: return PERF_NOT_PERMITTED;
    case EMFILE: case ENFILE: return PERF_NO_FILES;
    case EINVAL: return PERF_REFUSED;
    default: return PERF_OTHER;
    }
}

void perf_group_stop(perf_group *g, perf_count *counts)
{
    for (size_t t = 0; t < g->thread_count; t++)
        if (g->threads[t].leader >= 0)
            g->calls->ioctl(g->calls->context, g->threads[t].leader, PERF_EVENT_IOC_DISABLE, NULL);
    for (size_t i = 0; i < g->count; i++) {
        counts[i] = (perf_count){.cause = PERF_COUNTED, .running = 1};
        if (g->errors[i])
            spoil(&counts[i], cause_of(g->errors[i]), g->errors[i]);
    }
    bool any_ran = false;
    for (size_t t = 0; t < g->thread_count; t++) {
        const opened *o = &g->threads[t];
        if (o->leader < 0)
            continue;
        reading after;
        int error = o->error ? o->error : read_thread(g, o, &after);
        any_ran = any_ran || error || after.enabled != o->before.enabled;
        for (size_t i = 0; i < g->count; i++)
            if (o->files[i] >= 0)
                add(&counts[i], o, i, &after, error);
    }
    for (size_t i = 0; i < g->count && !any_ran; i++) /* no thread at all: nothing was counted */
        if (counts[i].cause == PERF_COUNTED)
            spoil(&counts[i], PERF_NEVER_RAN, 0);
}

attn_status perf_threads(pid_t **out, size_t *count, attn_error *err)
{
    pid_t *threads = NULL;
    size_t n = 0, capacity = 0;
    DIR *folder = opendir("/proc/self/task");
    if (!folder)
        return attn_fail(err, ATTN_EIO, "/proc/self/task: %s", strerror(errno));
    for (const struct dirent *entry; (entry = readdir(folder));) {
        long id = strtol(entry->d_name, NULL, 10);
        if (id <= 0)
            continue;
        if (n == capacity) {
            capacity = capacity ? 2 * capacity : 16;
            pid_t *more = realloc(threads, capacity * sizeof *more);
            if (!more) {
                free(threads);
                closedir(folder);
                return attn_fail(err, ATTN_ENOMEM, "out of memory for a list of %zu threads", capacity);
            }
            threads = more;
        }
        threads[n++] = (pid_t)id;
    }
    closedir(folder);
    *out = threads;
    *count = n;
    return ATTN_OK;
}
