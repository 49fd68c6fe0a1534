/* Hardware and software counters of all threads of this process, through perf_event_open.
 *
 * A group of events is scheduled onto the counters together or not at all; one group is opened per thread and
 * the threads are summed. The four system calls go through a table, so that tests can script a kernel.
 *
 * An event that encodes may still not open, and one that opens may never run: each event ends with a value
 * or with the cause of its absence, never with a silent 0. */
#ifndef HARNESS_PERF_H
#define HARNESS_PERF_H

#include <linux/perf_event.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "attn/status.h"

/* The kernel's side. Each call returns as the system call does, with errno set on failure. */
typedef struct perf_calls {
    int (*open)(void *context, const struct perf_event_attr *attr, pid_t thread, int group);
    ssize_t (*read)(void *context, int fd, void *buffer, size_t size);
    int (*ioctl)(void *context, int fd, unsigned long request, void *argument);
    int (*close)(void *context, int fd);
    void *context;
} perf_calls;

extern const perf_calls perf_system;

typedef enum perf_cause {
    PERF_COUNTED,       /* there is a value */
    PERF_NO_ENCODING,   /* libpfm4 does not know the event for this CPU */
    PERF_NO_PMU,        /* ENOENT, ENODEV, EOPNOTSUPP, ENOSYS: the kernel or hypervisor has no such counter */
    PERF_NOT_PERMITTED, /* EACCES, EPERM: perf_event_paranoid, seccomp, a security module */
    PERF_NO_FILES,      /* EMFILE, ENFILE: one file per event and thread */
    PERF_REFUSED,       /* EINVAL: the event, or the group it is in, does not fit this PMU */
    PERF_NEVER_RAN,     /* opened, but time_running stayed 0: the counters were taken */
    PERF_UNREADABLE,    /* read() failed or did not return the group */
    PERF_OTHER          /* any other errno */
} perf_cause;

typedef struct perf_count {
    perf_cause cause;
    int error;      /* errno of a failure, else 0 */
    double value;   /* summed over threads, each scaled by its own enabled/running time; NaN if absent */
    double running; /* least share of the time any thread's counter ran; below 1: value is an estimate */
} perf_count;

enum { PERF_GROUP_EVENTS = 8 };

typedef struct perf_group perf_group;

/* Opens `count` events as one group on each of `threads`, disabled. Events that do not open are left out and
 * their cause kept; a thread that has ended meanwhile is skipped. ENOMEM is the only error. `attrs` is
 * copied; its read_format, disabled and size are set here. */
ATTN_MUST_CHECK attn_status perf_group_open(perf_group **out, const perf_calls *calls,
                                            const struct perf_event_attr *attrs, size_t count,
                                            const pid_t *threads, size_t thread_count, attn_error *err);
void perf_group_close(perf_group *g);

/* Events that are open. */
size_t perf_group_size(const perf_group *g);

/* Counts what happens between the two; `counts` has one entry per event asked for. Values are differences,
 * so start and stop may be repeated. */
void perf_group_start(perf_group *g);
void perf_group_stop(perf_group *g, perf_count *counts);

/* The threads of this process now; *out is malloc'ed. */
ATTN_MUST_CHECK attn_status perf_threads(pid_t **out, size_t *count, attn_error *err);

/* ---- encoding, perf_encode.c ---- */

/* Encodes an event named as libpfm4 does ("perf::CYCLES", "skx::FP_ARITH:SCALAR_SINGLE"), counting user
 * mode alone, or the kernel too. Any PMU that libpfm4 knows can be named, present here or not. False with
 * libpfm4's words in `why` (may be NULL). */
bool perf_encode(const char *event, bool kernel, struct perf_event_attr *out, const char **why);

/* libpfm4's name for the core PMU of this CPU ("amd64_fam19h_zen3"), or of an older relative whose events
 * hold here too where libpfm4 is older than the CPU; NULL: none. */
const char *perf_core_pmu(void);

/* The second part of that: what the CPU described in root/proc/cpuinfo is a relative of; NULL: none known. */
const char *perf_relative_pmu(const char *root);

/* ---- causes in words, perf_reason.c ---- */

enum { PERF_REASON_LENGTH = 200, PERF_PARANOID_UNKNOWN = -99 };

/* /proc/sys/kernel/perf_event_paranoid, or PERF_PARANOID_UNKNOWN. */
int perf_paranoid(void);

/* One line: "no PMU: ..." or "not permitted: perf_event_paranoid is 3, ...". */
void perf_reason(char out[PERF_REASON_LENGTH], const perf_count *count, int paranoid);

#endif
