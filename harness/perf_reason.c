/* Why a counter has no value, in words. */
#include "harness/perf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/host_files.h"

int perf_paranoid(void)
{
    char level[32];
    return host_line(level, sizeof level, "", "/proc/sys/kernel/perf_event_paranoid") && *level
               ? atoi(level) : PERF_PARANOID_UNKNOWN;
}

/* perf_event_paranoid of 2 allows own user-mode events, 1 the kernel's part too; some distributions add
 * levels above 2 that allow nothing. Without a known level the file is hidden, as containers do. */
static void not_permitted(char *out, size_t size, int error, int paranoid)
{
    const char *name = strerrorname_np(error);
    if (paranoid == PERF_PARANOID_UNKNOWN)
        snprintf(out, size,
                 "not permitted (%s): perf_event_open is forbidden here, and perf_event_paranoid cannot "
                 "be read",
                 name);
    else if (paranoid >= 2)
        snprintf(out, size,
                 "not permitted (%s): perf_event_paranoid is %d; needs 1, CAP_PERFMON, or a container "
                 "that allows perf_event_open",
                 name, paranoid);
    else
        snprintf(out, size,
                 "not permitted (%s) though perf_event_paranoid is %d: a seccomp filter or security "
                 "module forbids perf_event_open",
                 name, paranoid);
}

void perf_reason(char out[PERF_REASON_LENGTH], const perf_count *count, int paranoid)
{
    const size_t size = PERF_REASON_LENGTH;
    const char *name = count->error ? strerrorname_np(count->error) : NULL;
    switch (count->cause) {
    case PERF_COUNTED:
        snprintf(out, size, "counted");
        return;
    case PERF_NO_ENCODING:
        snprintf(out, size, "libpfm4 knows no such event for this CPU");
        return;
    case PERF_NO_PMU:
        snprintf(out, size, "no PMU: the kernel or hypervisor offers no such counter (%s)",
                 name ? name : "absent");
        return;
    case PERF_NOT_PERMITTED:
        not_permitted(out, size, count->error, paranoid);
        return;
    case PERF_NO_FILES:
        snprintf(out, size, "out of open files (%s): one is needed per event and thread; raise ulimit -n",
                 name ? name : "EMFILE");
        return;
    case PERF_REFUSED:
        snprintf(out, size, "refused by the PMU (EINVAL): the event, or the group with it, does not fit");
        return;
    case PERF_NEVER_RAN:
        snprintf(out, size,
                 "never scheduled (time_running = 0): others hold the counters, such as the NMI watchdog");
        return;
    case PERF_UNREADABLE:
        snprintf(out, size, "the counters could not be read%s%s", name ? ": " : "", name ? name : "");
        return;
    case PERF_OTHER:
        snprintf(out, size, "perf_event_open failed: %s", name ? name : "unknown error");
        return;
    }
    snprintf(out, size, "unknown cause");
}
