/* A kernel scripted for tests: which opens fail and how, what each event counts, how long it ran. */
#ifndef TESTS_SUPPORT_FAKE_PERF_H
#define TESTS_SUPPORT_FAKE_PERF_H

#include <errno.h>
#include <string.h>

#include "harness/perf.h"

enum { FAKE_FILES = 128, FAKE_FIRST_FILE = 1000 };

/* The rule that matches first decides an open; -1 matches anything. */
typedef struct fake_rule {
    long type, config, thread;
    int error;        /* 0: opens */
    int from;         /* the rule holds from this open on, counted from 0 over all opens */
    long member;      /* 1: matches members of a group only, not leaders; -1: either */
} fake_rule;

typedef struct fake_file {
    bool open, disabled;
    struct perf_event_attr attr;
    pid_t thread;
    int leader;       /* index of the leader's file */
    uint64_t windows; /* of a leader: times it was enabled and disabled */
    uint64_t id;
} fake_file;

typedef struct fake_perf {
    const fake_rule *rules; /* ends with error < 0 */
    /* What one window adds to an event of a thread, and to its group's times. */
    uint64_t (*count)(const struct perf_event_attr *attr, pid_t thread);
    void (*times)(pid_t thread, uint64_t *enabled, uint64_t *running);
    int read_error;   /* errno, or -1 for an empty read */
    int opens;
    size_t now_open, most_open;
    fake_file files[FAKE_FILES];
} fake_perf;

static int fake_open(void *context, const struct perf_event_attr *attr, pid_t thread, int group)
{
    fake_perf *f = context;
    int number = f->opens++;
    for (const fake_rule *r = f->rules; r && r->error >= 0; r++) {
        if ((r->type >= 0 && (uint32_t)r->type != attr->type) ||
            (r->config >= 0 && (uint64_t)r->config != attr->config) ||
            (r->thread >= 0 && r->thread != thread) || number < r->from ||
            (r->member >= 0 && r->member != (group >= 0)))
            continue;
        if (r->error) {
            errno = r->error;
            return -1;
        }
        break;
    }
    for (int i = 0; i < FAKE_FILES; i++)
        if (!f->files[i].open) {
            f->files[i] = (fake_file){
                true, attr->disabled,           *attr, thread, group < 0 ? i : group - FAKE_FIRST_FILE,
                0,    (uint64_t)(7000 + number)};
            f->now_open++;
            f->most_open = f->now_open > f->most_open ? f->now_open : f->most_open;
            return FAKE_FIRST_FILE + i;
        }
    errno = EMFILE;
    return -1;
}

static fake_file *fake_find(fake_perf *f, int fd)
{
    int i = fd - FAKE_FIRST_FILE;
    return i >= 0 && i < FAKE_FILES && f->files[i].open ? &f->files[i] : NULL;
}

/* Members come in order of opening, which need not be the order of files; ids tell them apart. */
static ssize_t fake_read(void *context, int fd, void *buffer, size_t size)
{
    fake_perf *f = context;
    fake_file *leader = fake_find(f, fd);
    if (!leader || f->read_error > 0) {
        errno = leader ? f->read_error : EBADF;
        return -1;
    }
    if (f->read_error < 0)
        return 0;
    uint64_t out[3 + 2 * PERF_GROUP_EVENTS], events = 0;
    uint64_t windows = leader->windows;
    for (int i = FAKE_FILES; i-- > 0;) { /* the reverse of opening */
        const fake_file *m = &f->files[i];
        if (!m->open || m->leader != leader - f->files)
            continue;
        out[3 + 2 * events] = 5 + windows * f->count(&m->attr, m->thread);
        out[4 + 2 * events] = m->id;
        events++;
    }
    uint64_t enabled = 0, running = 0;
    f->times(leader->thread, &enabled, &running);
    out[0] = events;
    out[1] = 100 + windows * enabled; /* from an earlier life: only differences count */
    out[2] = 50 + windows * running;
    size_t whole = (3 + 2 * events) * sizeof *out;
    memcpy(buffer, out, whole < size ? whole : size);
    return (ssize_t)(whole < size ? whole : size);
}

static int fake_ioctl(void *context, int fd, unsigned long request, void *argument)
{
    fake_perf *f = context;
    fake_file *file = fake_find(f, fd);
    if (!file) {
        errno = EBADF;
        return -1;
    }
    if (request == PERF_EVENT_IOC_ID)
        memcpy(argument, &file->id, sizeof file->id);
    else if (request == PERF_EVENT_IOC_ENABLE)
        file->disabled = false;
    else if (request == PERF_EVENT_IOC_DISABLE && !file->disabled) {
        file->disabled = true;
        file->windows++;
    }
    return 0;
}

static int fake_close(void *context, int fd)
{
    fake_perf *f = context;
    fake_file *file = fake_find(f, fd);
    if (!file) {
        errno = EBADF;
        return -1;
    }
    file->open = false;
    f->now_open--;
    return 0;
}

static inline perf_calls fake_calls(fake_perf *f)
{
    return (perf_calls){fake_open, fake_read, fake_ioctl, fake_close, f};
}

#endif
