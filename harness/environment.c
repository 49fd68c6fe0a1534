/* The state the machine is in. Whatever is not told stays unknown. */
#include "harness/host.h"

#include <math.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "harness/emit.h"
#include "harness/host_files.h"
#include "harness/perf.h"

#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>
#endif

static void read_system(environment *e, const char *root)
{
    struct utsname u;
    if (uname(&u) == 0) {
        snprintf(e->hostname, sizeof e->hostname, "%.64s", u.nodename);
        snprintf(e->kernel, sizeof e->kernel, "%.40s %.80s", u.sysname, u.release);
    }
    char quoted[sizeof e->os];
    if (host_field(quoted, sizeof quoted, root, "/etc/os-release", "PRETTY_NAME"))
        snprintf(e->os, sizeof e->os, "%.*s", (int)strcspn(quoted + (*quoted == '"'), "\""),
                 quoted + (*quoted == '"'));
    host_field(e->microcode, sizeof e->microcode, root, "/proc/cpuinfo", "microcode");
}

/* The hypervisor's signature, twelve characters in CPUID leaf 0x40000000. */
static void read_signature(char *out, size_t size)
{
#if defined(__x86_64__) || defined(__i386__)
    static const struct {
        const char *signature, *name;
    } known[] = {
        {"KVMKVMKVM", "KVM"},
        {"VMwareVMware", "VMware"},
        {"Microsoft Hv", "Hyper-V"},
        {"XenVMMXenVMM", "Xen"},
        {"TCGTCGTCGTCG", "QEMU without acceleration"},
        {"bhyve bhyve ", "bhyve"},
        {"ACRNACRNACRN", "ACRN"},
    };
    unsigned a, b, c, d;
    char text[13] = "";
    __cpuid(0x40000000, a, b, c, d);
    memcpy(text, &b, 4);
    memcpy(text + 4, &c, 4);
    memcpy(text + 8, &d, 4);
    snprintf(out, size, "%s", text);
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(known[i].signature, text) == 0)
            snprintf(out, size, "%s", known[i].name);
#else
    (void)out;
    (void)size;
#endif
}

static void read_hypervisor(environment *e, const char *root)
{
    char flags[8192];
    host_field(flags, sizeof flags, root, "/proc/cpuinfo", "flags");
    e->is_virtual = strstr(flags, " hypervisor ") != NULL;
    if (host_line(e->hypervisor, sizeof e->hypervisor, root, "/sys/hypervisor/type"))
        e->is_virtual = true;
    else if (e->is_virtual && !*root)
        read_signature(e->hypervisor, sizeof e->hypervisor);
}

/* A file that holds one digit. */
static void read_switch(char out[8], const char *root, const char *path, bool inverted)
{
    char text[32];
    if (host_line(text, sizeof text, root, "%s", path) && *text >= '0' && *text <= '9')
        snprintf(out, 8, "%s", (*text != '0') != inverted ? "on" : "off");
}

static void read_switches(environment *e, const char *root)
{
    static const char cpu[] = "/sys/devices/system/cpu";
    char text[128], path[96];
    host_line(e->governor, sizeof e->governor, root, "%s/cpu0/cpufreq/scaling_governor", cpu);
    snprintf(path, sizeof path, "%s/cpufreq/boost", cpu);
    read_switch(e->turbo, root, path, false);
    snprintf(path, sizeof path, "%s/intel_pstate/no_turbo", cpu);
    read_switch(e->turbo, root, path, true);
    snprintf(path, sizeof path, "%s/smt/active", cpu);
    read_switch(e->smt, root, path, false);
    read_switch(e->aslr, root, "/proc/sys/kernel/randomize_va_space", false);
    read_switch(e->nmi_watchdog, root, "/proc/sys/kernel/nmi_watchdog", false);
    if (host_line(text, sizeof text, root, "/sys/kernel/mm/transparent_hugepage/enabled")) {
        const char *chosen = strchr(text, '['); /* "always [madvise] never" */
        if (chosen)
            snprintf(e->thp, sizeof e->thp, "%.*s", (int)strcspn(chosen + 1, "]"), chosen + 1);
    }
    e->perf_paranoid = PERF_PARANOID_UNKNOWN;
    if (host_line(text, sizeof text, root, "/proc/sys/kernel/perf_event_paranoid") && *text)
        e->perf_paranoid = atoi(text);
}

static void read_load(environment *e, const char *root)
{
    char line[256];
    e->load = e->steal = e->pressure = (double)NAN;
    if (host_line(line, sizeof line, root, "/proc/loadavg"))
        e->load = strtod(line, NULL);
    if (host_line(line, sizeof line, root, "/proc/stat") && strncmp(line, "cpu ", 4) == 0) {
        double ticks[8] = {0}, all = 0; /* user nice system idle iowait irq softirq steal */
        const char *at = line + 4;
        for (int i = 0; i < 8; i++) {
            char *end;
            ticks[i] = strtod(at, &end);
            all += ticks[i];
            at = end;
        }
        if (all > 0)
            e->steal = ticks[7] / all;
    }
    const char *average;
    if (host_line(line, sizeof line, root, "/proc/pressure/cpu") && (average = strstr(line, "avg10=")))
        e->pressure = strtod(average + 6, NULL);
}

/* The control group's limit: "QUOTA PERIOD" or "max PERIOD" in version 2, two files in version 1. The group's
 * own folder may not be visible from inside a container, where it is the root of what is mounted. */
static void read_quota(environment *e, const char *root)
{
    char line[512], group[400] = "";
    FILE *file = host_open(root, "/proc/self/cgroup");
    while (file && fgets(line, sizeof line, file))
        if (strncmp(line, "0::", 3) == 0)
            snprintf(group, sizeof group, "%.*s", (int)strcspn(line + 3, "\n"), line + 3);
    if (file)
        fclose(file);
    e->quota = (double)NAN;
    double quota, period;
    char text[64], period_text[64];
    if ((host_line(text, sizeof text, root, "/sys/fs/cgroup%s/cpu.max", group) ||
         host_line(text, sizeof text, root, "/sys/fs/cgroup/cpu.max")) &&
        sscanf(text, "%lf %lf", &quota, &period) == 2 && period > 0)
        e->quota = quota / period;
    else if (host_line(text, sizeof text, root, "/sys/fs/cgroup/cpu/cpu.cfs_quota_us") &&
             host_line(period_text, sizeof period_text, root, "/sys/fs/cgroup/cpu/cpu.cfs_period_us") &&
             (quota = strtod(text, NULL)) > 0 && (period = strtod(period_text, NULL)) > 0)
        e->quota = quota / period;
}

void environment_read(environment *out, const char *root)
{
    environment e = {0};
    read_system(&e, root);
    read_hypervisor(&e, root);
    read_switches(&e, root);
    read_load(&e, root);
    read_quota(&e, root);
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0)
        e.allowed = (size_t)CPU_COUNT(&set);
    *out = e;
}

/* ---- JSON ---- */

static void text_member(FILE *out, const char *name, const char *value)
{
    fprintf(out, "\"%s\": ", name);
    if (*value)
        emit_json_string(out, value);
    else
        fputs("null", out);
    fputs(", ", out);
}

static void number_member(FILE *out, const char *name, double value)
{
    if (isfinite(value))
        fprintf(out, "\"%s\": %.6g, ", name, value);
    else
        fprintf(out, "\"%s\": null, ", name);
}

void environment_json(FILE *out, const environment *e)
{
    fputc('{', out);
    text_member(out, "hostname", e->hostname);
    text_member(out, "os", e->os);
    text_member(out, "kernel", e->kernel);
    text_member(out, "microcode", e->microcode);
    text_member(out, "hypervisor", e->hypervisor);
    fprintf(out, "\"virtual\": %s, ", e->is_virtual ? "true" : "false");
    text_member(out, "governor", e->governor);
    text_member(out, "turbo", e->turbo);
    text_member(out, "smt", e->smt);
    text_member(out, "aslr", e->aslr);
    text_member(out, "nmi_watchdog", e->nmi_watchdog);
    text_member(out, "thp", e->thp);
    number_member(out, "perf_event_paranoid",
                  e->perf_paranoid == PERF_PARANOID_UNKNOWN ? (double)NAN : (double)e->perf_paranoid);
    number_member(out, "load", e->load);
    number_member(out, "steal", e->steal);
    number_member(out, "pressure", e->pressure);
    number_member(out, "cpu_quota", e->quota);
    fprintf(out, "\"cpus_allowed\": %zu}", e->allowed);
}

char *environment_describe(void)
{
    environment now;
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        return NULL;
    environment_read(&now, "");
    environment_json(out, &now);
    if (fclose(out) != 0) {
        free(text);
        return NULL;
    }
    return text;
}
