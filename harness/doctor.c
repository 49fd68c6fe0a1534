/* The judgements of `attnlab doctor`. Thresholds are where an effect begins to show in timings that are to be
 * told apart by a few percent. */
#include "harness/doctor.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "attn/plan.h"
#include "harness/build_info.h"
#include "harness/emit.h"
#include "harness/host_files.h"

ATTN_PRINTF(6, 7)
static void add(doctor_report *d, const char *topic, const char *name, doctor_status status,
                const char *advice, const char *format, ...)
{
    if (d->count == d->capacity) {
        size_t capacity = d->capacity ? 2 * d->capacity : 32;
        doctor_row *rows = realloc(d->rows, capacity * sizeof *rows);
        d->failed = d->failed || !rows;
        if (!rows)
            return;
        d->rows = rows;
        d->capacity = capacity;
    }
    doctor_row *row = &d->rows[d->count++];
    *row = (doctor_row){.topic = topic, .status = status, .advice = advice};
    snprintf(row->name, sizeof row->name, "%s", name);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(row->value, sizeof row->value, format, arguments);
    va_end(arguments);
}

void doctor_free(doctor_report *d)
{
    free(d->rows);
    *d = (doctor_report){0};
}

/* ---- what is measured with ---- */

void doctor_build(doctor_report *d)
{
    const build_info *b = build_info_get();
    bool release = strcmp(b->mode, "release") == 0;
    add(d, "build", "version", DOCTOR_OK, NULL, "%s, binary %s", b->version,
        *b->binary ? b->binary : "unreadable");
    if (*b->commit)
        add(d, "build", "commit", b->dirty ? DOCTOR_NOTE : DOCTOR_OK,
            b->dirty ? "commit before measuring what is to be compared later" : NULL, "%s%s", b->commit,
            b->dirty ? ", sources changed since" : "");
    else
        add(d, "build", "commit", DOCTOR_NOTE, "build in a git checkout to have results traced to a commit",
            "unknown");
    add(d, "build", "compiler", DOCTOR_OK, NULL, "%s", b->compiler);
    add(d, "build", "mode", release ? DOCTOR_OK : DOCTOR_WARNING,
        release ? NULL : "timings of this build say nothing; build with plain make", "%s", b->mode);
}

void doctor_machine(doctor_report *d, const host *h)
{
    char l1d[32], l2[32], l3[32];
    emit_format_number(l1d, sizeof l1d, EMIT_BYTES, (double)h->l1d_bytes);
    emit_format_number(l2, sizeof l2, EMIT_BYTES, (double)h->l2_bytes);
    emit_format_number(l3, sizeof l3, EMIT_BYTES, (double)h->l3_bytes);
    add(d, "machine", "cpu", DOCTOR_OK, NULL, "%s%s%s", h->model, *h->stepping ? ", " : "", h->stepping);
    add(d, "machine", "isa", DOCTOR_OK, NULL, "%s", *h->isa ? h->isa : "none of the extensions known here");
    add(d, "machine", "cores", DOCTOR_OK, NULL, "%zu, %zu logical CPUs", h->cores, h->cpus);
    add(d, "machine", "caches", DOCTOR_OK, NULL, "L1d %s, L2 %s, L3 %s", h->l1d_bytes ? l1d : "unknown",
        h->l2_bytes ? l2 : "unknown", h->l3_bytes ? l3 : "unknown");
    add(d, "machine", "memory", DOCTOR_OK, NULL, "%zu GiB", (size_t)h->memory_gib);
    add(d, "machine", "fingerprint", DOCTOR_OK, NULL, "%s", h->fingerprint);
}

void doctor_kernels(doctor_report *d)
{
    for (size_t i = 0; i < attn_kernel_count(); i++) {
        attn_kernel_info k = attn_kernel_at(i);
        add(d, "kernels", k.name, k.unavailable ? DOCTOR_MISSING : DOCTOR_OK, NULL, "%s: %s", k.isa,
            k.unavailable ? k.unavailable : k.summary);
    }
}

void doctor_clock(doctor_report *d, clock_quality quality)
{
    bool coarse = quality.step_ns > 1000;
    add(d, "clock", "resolution", coarse ? DOCTOR_WARNING : DOCTOR_OK,
        coarse ? "short kernels are timed in long batches; a tsc clocksource would do better "
                 "(/sys/devices/system/clocksource)" : NULL,
        "%.0f ns between readings at least", quality.step_ns);
    bool slow = quality.read_ns > 500;
    add(d, "clock", "reading", slow ? DOCTOR_WARNING : DOCTOR_OK,
        slow ? "the clock is read by a system call; a tsc clocksource would do better" : NULL, "%.0f ns each",
        quality.read_ns);
}

/* ---- counters ---- */

static const char *counter_advice(const perf_count *c)
{
    switch (c->cause) {
    case PERF_NO_PMU:
        return "run on bare metal, or have the hypervisor pass a virtual PMU; counts of instructions can be "
               "had from valgrind instead";
    case PERF_NOT_PERMITTED:
        return "sysctl kernel.perf_event_paranoid=1, or CAP_PERFMON; in a container also allow "
               "perf_event_open";
    case PERF_NO_FILES:
        return "raise ulimit -n";
    case PERF_NEVER_RAN:
        return "sysctl kernel.nmi_watchdog=0, and stop other profilers";
    default:
        return NULL;
    }
}

/* Opens one set on this thread and counts some work. */
static void try_set(doctor_report *d, const perf_events *list, const perf_set *set, const perf_calls *calls, int paranoid)
{
    struct perf_event_attr attrs[PERF_GROUP_EVENTS];
    const perf_event *events[PERF_GROUP_EVENTS];
    perf_count counts[PERF_GROUP_EVENTS];
    size_t count = 0;
    for (size_t i = 0; i < set->count; i++) {
        const char *why;
        if (perf_event_encode(list, &set->events[i], &attrs[count], &why))
            events[count++] = &set->events[i];
        else
            add(d, "counters", set->events[i].name, DOCTOR_MISSING, "a newer libpfm4 may know it",
                "libpfm4 cannot encode it: %s", why);
    }
    perf_group *g = NULL;
    const pid_t self = 0; /* the calling thread */
    if (count == 0 || perf_group_open(&g, calls, attrs, count, &self, 1, NULL) != ATTN_OK) {
        d->failed = d->failed || count > 0;
        return;
    }
    perf_group_start(g);
    clock_watch(0.01);
    perf_group_stop(g, counts);
    perf_group_close(g);
    for (size_t i = 0; i < count; i++) {
        char reason[PERF_REASON_LENGTH];
        perf_reason(reason, &counts[i], paranoid);
        bool counted = counts[i].cause == PERF_COUNTED, scaled = counted && counts[i].running < 1;
        add(d, "counters", events[i]->name,
            !counted ? DOCTOR_MISSING
            : scaled ? DOCTOR_NOTE
                     : DOCTOR_OK,
            scaled ? "others use the counters; values are scaled estimates" : counter_advice(&counts[i]),
            "%s%s", reason, scaled ? ", part of the time" : "");
    }
}

/* Which files say what is counted, in which sets, and what is derived. */
static void tell_events(doctor_report *d, const perf_events *list)
{
    char sets[DOCTOR_VALUE_LENGTH] = "", derived[DOCTOR_VALUE_LENGTH] = "";
    size_t used = 0;
    for (size_t i = 0; i < list->set_count && used < sizeof sets; i++)
        used += (size_t)snprintf(sets + used, sizeof sets - used, "%s%s (%zu)", i ? ", " : "", list->sets[i].name,
                                 list->sets[i].count);
    used = 0;
    for (size_t i = 0; i < list->derived_count && used < sizeof derived; i++)
        if (!*list->derived[i].why)
            used += (size_t)snprintf(derived + used, sizeof derived - used, "%s%s", used ? ", " : "", list->derived[i].name);
    add(d, "counters", "event files", DOCTOR_OK, NULL, "%s", list->files);
    add(d, "counters", "event sets", DOCTOR_OK, NULL, "%s", sets);
    add(d, "counters", "derived", DOCTOR_OK, NULL, "%s", derived);
}

void doctor_counters(doctor_report *d, const perf_calls *calls, const perf_events *list, int paranoid)
{
    if (paranoid == PERF_PARANOID_UNKNOWN)
        add(d, "counters", "perf_event_paranoid", DOCTOR_NOTE, NULL,
            "unknown: the kernel has no perf events, or /proc is hidden");
    else
        add(d, "counters", "perf_event_paranoid", paranoid <= 1 ? DOCTOR_OK : DOCTOR_NOTE,
            paranoid <= 1
                ? NULL
                : "1 or less lets users without CAP_PERFMON count context switches and migrations too",
            "%d", paranoid);
    add(d, "counters", "core PMU", *list->pmu ? DOCTOR_OK : DOCTOR_MISSING, NULL, "%s",
        *list->pmu ? list->pmu : "libpfm4 knows none for this CPU; generic events may still work");
    tell_events(d, list);
    bool flops = false;
    for (size_t s = 0; s < list->set_count; s++) {
        try_set(d, list, &list->sets[s], calls, paranoid);
        for (size_t i = 0; i < list->sets[s].count; i++)
            flops = flops || list->sets[s].events[i].flops > 0;
    }
    if (!flops)
        add(d, "counters", "flops", DOCTOR_MISSING, NULL,
            "no counter of floating-point operations known for this CPU");
}

/* ---- programs of others ---- */

void doctor_tools(doctor_report *d, const char *path)
{
    static const struct { const char *name, *purpose, *advice; } tools[] = {
        {"gnuplot", "draws the plots", "apt-get install gnuplot-nox"},
        {"valgrind", "counts instructions where there is no PMU", "apt-get install valgrind"},
        {"git", "tells the build its commit", "apt-get install git"},
    };
    for (size_t t = 0; t < sizeof tools / sizeof *tools; t++) {
        bool found = host_has_program(path, tools[t].name);
        add(d, "tools", tools[t].name, found ? DOCTOR_OK : DOCTOR_MISSING, found ? NULL : tools[t].advice,
            "%s%s", found ? "" : "not installed; ", tools[t].purpose);
    }
}

/* ---- noise ---- */

static void judge_share(doctor_report *d, const host *h, const environment *e)
{
    size_t usable = e->allowed && e->allowed < h->cpus ? e->allowed : h->cpus;
    if (e->is_virtual)
        add(d, "noise", "virtual machine", DOCTOR_NOTE,
            "neighbours share caches and memory bandwidth unseen: repeat in fresh processes and compare in "
            "interleaved blocks",
            "%s", *e->hypervisor ? e->hypervisor : "yes");
    else
        add(d, "noise", "virtual machine", DOCTOR_OK, NULL, "no");
    if (!isnan(e->steal))
        add(d, "noise", "steal", e->steal > 0.01 ? DOCTOR_WARNING : DOCTOR_OK,
            e->steal > 0.01 ? "the host is overcommitted; use dedicated CPUs, or measure longer" : NULL,
            "%.2f%% of the time since boot", 100 * e->steal);
    if (!isnan(e->load)) {
        bool busy = e->load > 0.5 * (double)usable;
        add(d, "noise", "load", busy ? DOCTOR_WARNING : DOCTOR_OK,
            busy ? "stop what else is running, or use fewer --threads" : NULL,
            "%.2f over a minute, on %zu CPUs", e->load, usable);
    }
    if (!isnan(e->pressure))
        add(d, "noise", "pressure", e->pressure > 5 ? DOCTOR_WARNING : DOCTOR_OK,
            e->pressure > 5 ? "tasks wait for a CPU: stop what else is running" : NULL,
            "%.1f%% of the last 10 s something waited for a CPU", e->pressure);
    if (isnan(e->quota))
        add(d, "noise", "cpu quota", DOCTOR_OK, NULL, "none known");
    else
        add(d, "noise", "cpu quota", e->quota < (double)usable ? DOCTOR_WARNING : DOCTOR_OK,
            e->quota < (double)usable
                ? "threads beyond the quota are stopped for whole periods: set --threads to at most the quota"
                : NULL,
            "%.2f CPUs by the control group", e->quota);
    add(d, "noise", "affinity", e->allowed < h->cpus && e->allowed ? DOCTOR_NOTE : DOCTOR_OK, NULL,
        "%zu of %zu CPUs allowed", e->allowed, h->cpus);
}

static void judge_frequency(doctor_report *d, const environment *e)
{
    static const char unknown[] = "not told, as in most virtual machines";
    bool steady = strcmp(e->governor, "performance") == 0;
    add(d, "noise", "governor", !*e->governor || steady ? DOCTOR_OK : DOCTOR_WARNING,
        *e->governor && !steady ? "cpupower frequency-set -g performance" : NULL, "%s",
        *e->governor ? e->governor : unknown);
    bool turbo = strcmp(e->turbo, "on") == 0;
    add(d, "noise", "turbo", turbo ? DOCTOR_NOTE : DOCTOR_OK,
        turbo ? "the clock depends on temperature and on how many cores work; switch it off to compare "
                "(cpufreq/boost, intel_pstate/no_turbo)"
              : NULL,
        "%s", *e->turbo ? e->turbo : unknown);
    bool smt = strcmp(e->smt, "on") == 0;
    add(d, "noise", "smt", smt ? DOCTOR_NOTE : DOCTOR_OK,
        smt ? "two threads share a core: use --threads with the number of cores and pin them "
              "(OMP_PLACES=cores OMP_PROC_BIND=close)"
            : NULL,
        "%s", *e->smt ? e->smt : unknown);
}

static void judge_memory(doctor_report *d, const environment *e)
{
    bool never = strcmp(e->thp, "never") == 0;
    add(d, "noise", "huge pages", never ? DOCTOR_NOTE : DOCTOR_OK,
        never
            ? "large tensors take more TLB misses; echo madvise > /sys/kernel/mm/transparent_hugepage/enabled"
            : NULL,
        "%s", *e->thp ? e->thp : "not told");
    bool off = strcmp(e->aslr, "off") == 0;
    add(d, "noise", "address randomisation", off ? DOCTOR_NOTE : DOCTOR_OK,
        off ? "one memory layout is measured again and again: its luck is not averaged over processes" : NULL,
        "%s", *e->aslr ? e->aslr : "not told");
    bool watchdog = strcmp(e->nmi_watchdog, "on") == 0;
    add(d, "noise", "nmi watchdog", watchdog ? DOCTOR_NOTE : DOCTOR_OK,
        watchdog ? "it holds one hardware counter: sysctl kernel.nmi_watchdog=0" : NULL, "%s",
        *e->nmi_watchdog ? e->nmi_watchdog : "not told");
}

void doctor_noise(doctor_report *d, const host *h, const environment *e, clock_gaps gaps)
{
    judge_share(d, h, e);
    judge_frequency(d, e);
    judge_memory(d, e);
    char longest[32];
    emit_format_number(longest, sizeof longest, EMIT_NS, gaps.longest_ns);
    bool noisy = gaps.share > 0.005;
    add(d, "noise", "interruptions", noisy ? DOCTOR_WARNING : DOCTOR_OK,
        noisy ? "a thread that only reads the clock loses time: other work or the host takes the CPU" : NULL,
        "%.2f%% of a thread's time in %zu gaps, the longest %s", 100 * gaps.share, gaps.count,
        gaps.count ? longest : "none");
}

int doctor_score(doctor_report *d)
{
    int score = 100;
    for (size_t i = 0; i < d->count; i++)
        if (strcmp(d->rows[i].topic, "clock") == 0 || strcmp(d->rows[i].topic, "noise") == 0)
            score -= d->rows[i].status == DOCTOR_WARNING ? 15 : d->rows[i].status == DOCTOR_NOTE ? 5 : 0;
    score = score > 0 ? score : 0;
    add(d, "score", "for timing", score >= 85 ? DOCTOR_OK : score >= 60 ? DOCTOR_NOTE : DOCTOR_WARNING,
        score >= 85 ? NULL : "the advice above says what would raise it; until then compare in turn (attnlab compare, gate), never by single runs",
        "%d of 100: 15 less for each warning, 5 for each note about clock and noise", score);
    return score;
}
