/* The host's fingerprint and its environment, read from invented machines. */
#include <criterion/criterion.h>
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "attn/version.h"
#include "harness/build_info.h"
#include "harness/clock.h"
#include "harness/host.h"
#include "harness/host_files.h"
#include "harness/perf.h"
#include "support/program.h"

/* Writes root/path, making its folders. */
static void put(const char *path, const char *text)
{
    char full[512];
    snprintf(full, sizeof full, "%s%s", scratch_folder(), path);
    *strrchr(full, '/') = '\0';
    outcome o = shell("mkdir -p '%s'", full);
    cr_assert(o.exit_code == 0, "mkdir %s", full);
    outcome_free(&o);
    full[strlen(full)] = '/';
    write_whole_file(full, text, strlen(text));
}

#define CPUINFO(mhz, microcode, flags)                                                              \
    "processor\t: 0\nvendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: 143\n"                  \
    "model name\t: Intel(R) Xeon(R) Platinum 8480+\nstepping\t: 8\nmicrocode\t: " microcode "\n"    \
    "cpu MHz\t\t: " mhz "\nflags\t\t: " flags "\n\nprocessor\t: 1\nmodel name\t: another\n"

static void xeon(void)
{
    put("/proc/cpuinfo",
        CPUINFO("2000.1", "0x2b000461", "fpu sse2 avx avx2 fma avx512f avx512_bf16 amx_tile zz"));
    put("/proc/meminfo", "MemTotal:       131481120 kB\nMemFree:  12 kB\n");
    put("/sys/devices/system/cpu/present", "0-3\n");
    static const char *const siblings[] = {"0,2", "1,3", "0,2", "1,3"};
    for (int cpu = 0; cpu < 4; cpu++) {
        char path[128];
        snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list", cpu);
        put(path, siblings[cpu]);
    }
    static const struct {
        const char *level, *type, *size;
    } caches[] = {
        {"1", "Data", "48K"},
        {"1", "Instruction", "32K"},
        {"2", "Unified", "2048K"},
        {"3", "Unified", "105M"},
    };
    for (int i = 0; i < 4; i++) {
        const char *names[] = {"level", "type", "size"},
                   *values[] = {caches[i].level, caches[i].type, caches[i].size};
        for (int f = 0; f < 3; f++) {
            char path[128];
            snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu0/cache/index%d/%s", i, names[f]);
            put(path, values[f]);
        }
    }
}

Test(host, reads_a_machine)
{
    xeon();
    host h;
    host_read(&h, scratch_folder());
    cr_assert(strcmp(h.model, "Intel(R) Xeon(R) Platinum 8480+") == 0, "model '%s'", h.model);
    cr_assert(strcmp(h.stepping, "GenuineIntel 6/143/8") == 0, "stepping '%s'", h.stepping);
    cr_assert(strcmp(h.isa, "sse2 avx fma avx2 avx512f avx512_bf16 amx_tile") == 0, "isa '%s'", h.isa);
    cr_assert(h.l1d_bytes == 48 << 10 && h.l2_bytes == 2 << 20 && h.l3_bytes == 105 << 20,
              "caches %zu %zu %zu", (size_t)h.l1d_bytes, (size_t)h.l2_bytes, (size_t)h.l3_bytes);
    cr_assert(h.cpus == 4 && h.cores == 2, "%zu cpus, %zu cores", h.cpus, h.cores);
    cr_assert(h.memory_gib == 125, "%zu GiB", (size_t)h.memory_gib);
    cr_assert(strlen(h.fingerprint) == 16, "fingerprint '%s'", h.fingerprint);
}

/* Where the kernel has no table of caches, the C library may know. */
Test(host, caches_of_this_machine_are_told_if_anybody_knows)
{
#ifdef _SC_LEVEL1_DCACHE_SIZE
    host h;
    host_read(&h, "");
    cr_assert(h.l1d_bytes > 0 || sysconf(_SC_LEVEL1_DCACHE_SIZE) <= 0, "L1 is unknown to the host, not to sysconf()");
    cr_assert(h.l2_bytes > 0 || sysconf(_SC_LEVEL2_CACHE_SIZE) <= 0 || h.l1d_bytes == 0, "L2 is unknown to the host, not to sysconf()");
#endif
}

Test(host, fingerprint_ignores_what_wobbles)
{
    xeon();
    host before, after;
    host_read(&before, scratch_folder());
    /* another clock rate, microcode and kernel (which takes some memory and names another extension) */
    put("/proc/cpuinfo",
        CPUINFO("3512.9", "0x2b0005c0", "fpu sse2 new avx avx2 fma avx512f avx512_bf16 amx_tile zz"));
    put("/proc/meminfo", "MemTotal:       131402344 kB\n");
    put("/proc/loadavg", "7.00 1 1 1/1 1\n");
    host_read(&after, scratch_folder());
    cr_assert(strcmp(before.fingerprint, after.fingerprint) == 0, "%s became %s", before.fingerprint,
              after.fingerprint);
}

Test(host, fingerprint_tells_machines_apart)
{
    static const struct { const char *path, *text; } changes[] = {
        {"/proc/cpuinfo", CPUINFO("2000.1", "0x2b000461", "fpu sse2 avx avx2 fma")},
        {"/proc/meminfo", "MemTotal:       65481120 kB\n"},
        {"/sys/devices/system/cpu/cpu2/topology/thread_siblings_list", "2"},
        {"/sys/devices/system/cpu/present", "0-1\n"},
        {"/sys/devices/system/cpu/cpu0/cache/index3/size", "60M"},
    };
    xeon();
    host last, now;
    host_read(&last, scratch_folder());
    for (size_t c = 0; c < sizeof changes / sizeof *changes; c++, last = now) {
        put(changes[c].path, changes[c].text);
        host_read(&now, scratch_folder());
        cr_assert(strcmp(last.fingerprint, now.fingerprint) != 0, "%s makes no difference", changes[c].path);
    }
}

Test(host, this_machine_twice)
{
    host a, b;
    host_read(&a, "");
    host_read(&b, "");
    cr_assert(strcmp(a.fingerprint, b.fingerprint) == 0 && *a.model && a.cpus > 0 && a.cores <= a.cpus,
              "'%s' %s, then %s; %zu cpus, %zu cores", a.model, a.fingerprint, b.fingerprint, a.cpus,
              a.cores);
}

Test(host, an_empty_machine_is_unknown_not_a_crash)
{
    host h;
    environment e;
    host_read(&h, scratch_folder());
    environment_read(&e, scratch_folder());
    cr_assert(*h.model && h.cpus == 0 && h.l1d_bytes == 0 && h.memory_gib == 0, "model '%s', %zu cpus",
              h.model, h.cpus);
    cr_assert(isnan(e.load) && isnan(e.steal) && isnan(e.quota) && !*e.governor && !*e.turbo &&
                  !e.is_virtual && e.perf_paranoid == PERF_PARANOID_UNKNOWN,
              "load %g, quota %g, governor '%s'", e.load, e.quota, e.governor);
}

Test(host, arm_without_model_name)
{
    put("/proc/cpuinfo", "processor\t: 0\nFeatures\t: fp asimd asimdhp sve bf16\nCPU implementer\t: 0x41\n"
                         "CPU architecture: 8\nCPU part\t: 0xd40\n");
    host h;
    host_read(&h, scratch_folder());
    cr_assert(strcmp(h.model, "implementer 0x41 part 0xd40") == 0, "model '%s'", h.model);
    cr_assert(strcmp(h.isa, "asimd asimdhp bf16 sve") == 0, "isa '%s'", h.isa);
}

Test(host, environment_of_a_machine)
{
    xeon();
    put("/proc/cpuinfo", CPUINFO("2000", "0x1", "fpu hypervisor sse2"));
    put("/etc/os-release", "NAME=x\nPRETTY_NAME=\"Some Linux 12\"\n");
    put("/proc/loadavg", "1.25 0.5 0.1 1/2 3\n");
    put("/proc/stat", "cpu  50 0 30 900 0 0 0 20 0 0\ncpu0 1 2 3\n");
    put("/proc/pressure/cpu", "some avg10=3.50 avg60=1.00 avg300=0.00 total=5\n");
    put("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "powersave\n");
    put("/sys/devices/system/cpu/intel_pstate/no_turbo", "1\n");
    put("/sys/devices/system/cpu/smt/active", "1\n");
    put("/proc/sys/kernel/randomize_va_space", "2\n");
    put("/proc/sys/kernel/nmi_watchdog", "0\n");
    put("/proc/sys/kernel/perf_event_paranoid", "-1\n");
    put("/sys/kernel/mm/transparent_hugepage/enabled", "[always] madvise never\n");
    put("/proc/self/cgroup", "1:name=systemd:/x\n0::/job/7\n");
    put("/sys/fs/cgroup/job/7/cpu.max", "150000 100000\n");
    environment e;
    environment_read(&e, scratch_folder());
    cr_assert(strcmp(e.os, "Some Linux 12") == 0 && strcmp(e.microcode, "0x1") == 0,
              "os '%s', microcode '%s'", e.os, e.microcode);
    cr_assert(e.load == 1.25 && fabs(e.steal - 0.02) < 1e-12 && e.pressure == 3.5,
              "load %g, steal %g, pressure %g", e.load, e.steal, e.pressure);
    cr_assert(strcmp(e.governor, "powersave") == 0 && strcmp(e.turbo, "off") == 0 &&
                  strcmp(e.smt, "on") == 0 && strcmp(e.aslr, "on") == 0 && strcmp(e.nmi_watchdog, "off") == 0,
              "%s %s %s %s %s", e.governor, e.turbo, e.smt, e.aslr, e.nmi_watchdog);
    cr_assert(strcmp(e.thp, "always") == 0 && e.perf_paranoid == -1 && e.is_virtual && e.quota == 1.5,
              "thp %s, paranoid %d, virtual %d, quota %g", e.thp, e.perf_paranoid, e.is_virtual, e.quota);
}

Test(host, quotas)
{
    environment e;
    put("/sys/fs/cgroup/cpu.max", "max 100000\n");
    environment_read(&e, scratch_folder());
    cr_assert(isnan(e.quota), "no limit reads as %g", e.quota);
    put("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n");
    put("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
    environment_read(&e, scratch_folder());
    cr_assert(isnan(e.quota), "version 1, no limit reads as %g", e.quota);
    put("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "50000\n");
    environment_read(&e, scratch_folder());
    cr_assert(e.quota == 0.5, "version 1: %g", e.quota);
}

Test(host, json_is_one_object_without_newline)
{
    host h;
    environment e;
    host_read(&h, scratch_folder()); /* everything unknown */
    environment_read(&e, scratch_folder());
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    host_json(out, &h);
    fputc('\n', out);
    environment_json(out, &e);
    fclose(out);
    char *second = strchr(text, '\n');
    cr_assert(second && !strchr(second + 1, '\n') && *text == '{' && second[-1] == '}' && second[1] == '{',
              "not two objects: %s", text);
    cr_assert(strstr(text, "\"load\": null") && strstr(text, "\"governor\": null") && !strstr(text, "nan"),
              "unknowns are not null: %s", text);
    free(text);
}

Test(host, lists_of_cpus)
{
    static const struct { const char *list; size_t count; } table[] = {
        {"0", 1}, {"0-3", 4}, {"0-3,8,10-11\n", 7}, {"", 0}, {"x", 0}, {"3-1", 0}, {"0-x", 0},
    };
    for (size_t t = 0; t < sizeof table / sizeof *table; t++)
        cr_assert(host_list_count(table[t].list) == table[t].count, "'%s': %zu", table[t].list,
                  host_list_count(table[t].list));
}

Test(build_info, describes_this_program)
{
    const build_info *b = build_info_get();
    cr_assert(b == build_info_get(), "two answers");
    cr_assert(
        strcmp(b->version, ATTN_VERSION) == 0 && *b->compiler && strstr(b->flags, "-std=c17") && *b->mode,
        "version '%s', compiler '%s', flags '%s', mode '%s'", b->version, b->compiler, b->flags, b->mode);
    cr_assert(strlen(b->commit) == 40 || strlen(b->commit) == 64 || *b->commit == '\0', "commit '%s'",
              b->commit);
    cr_assert(strlen(b->binary) == 16, "binary '%s'", b->binary);
    for (const char *c = b->binary; *c; c++)
        cr_assert(isxdigit((unsigned char)*c), "binary '%s'", b->binary);
}

Test(clock, is_monotonic_and_has_a_quality)
{
    int64_t last = clock_ns();
    for (int i = 0; i < 1000; i++) {
        int64_t now = clock_ns();
        cr_assert(now >= last, "went back by %lld ns", (long long)(last - now));
        last = now;
    }
    clock_quality q = clock_measure();
    cr_assert(q.step_ns >= 1 && q.read_ns > 0, "step %g, read %g", q.step_ns, q.read_ns);
    clock_gaps g = clock_watch(0.002);
    cr_assert(g.share >= 0 && g.share <= 1 && (g.count > 0) == (g.longest_ns > 0),
              "%zu gaps, longest %g, share %g", g.count, g.longest_ns, g.share);
}
