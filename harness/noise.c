/* Stolen time from /proc/stat, lost processors from getrusage(), migrations from /proc/self/sched, pressure from /proc/pressure/cpu,
 * quotas from the control group. See noise.h. */
#include "harness/noise.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "harness/clock.h"

static FILE *open_file(const char *root, const char *path)
{
    char name[4096];
    return snprintf(name, sizeof name, "%s%s", root, path) < (int)sizeof name ? fopen(name, "r") : NULL;
}

/* The number behind `key` where a line of the file begins with it, past blanks, ':' and '='; -1: none. */
static int64_t number_of(const char *root, const char *path, const char *key)
{
    char line[512];
    long long found = -1;
    FILE *f = open_file(root, path);
    while (f && found < 0 && fgets(line, sizeof line, f))
        if (strncmp(line, key, strlen(key)) == 0 &&
            sscanf(line + strlen(key) + strspn(line + strlen(key), " \t:="), "%lld", &found) != 1)
            found = -1;
    if (f)
        fclose(f);
    return found;
}

static void read_stolen(const char *root, noise_state *to)
{
    double t[8];
    FILE *f = open_file(root, "/proc/stat");
    /* user nice system idle iowait irq softirq steal, over all processors */
    if (f && fscanf(f, "cpu %lf %lf %lf %lf %lf %lf %lf %lf", t, t + 1, t + 2, t + 3, t + 4, t + 5, t + 6, t + 7) == 8) {
        to->stolen = t[7];
        for (int i = 0; i < 8; i++)
            to->all += t[i];
    }
    if (f)
        fclose(f);
}

static int64_t read_pressure(const char *root)
{
    char line[256];
    long long total = -1;
    FILE *f = open_file(root, "/proc/pressure/cpu");
    if (f && fgets(line, sizeof line, f) && strncmp(line, "some ", 5) == 0 && strstr(line, "total="))
        sscanf(strstr(line, "total="), "total=%lld", &total);
    if (f)
        fclose(f);
    return total;
}

/* Of the group that the process is in (version 2), or of the root's view in a container, or version 1. */
static int64_t read_throttled(const char *root)
{
    char line[2048], path[2200];
    int64_t found = -1;
    FILE *f = open_file(root, "/proc/self/cgroup");
    while (f && found < 0 && fgets(line, sizeof line, f)) {
        line[strcspn(line, "\n")] = '\0';
        if (strncmp(line, "0::", 3) != 0)
            continue;
        snprintf(path, sizeof path, "/sys/fs/cgroup%s/cpu.stat", line + 3);
        found = number_of(root, path, "nr_throttled");
    }
    if (f)
        fclose(f);
    if (found < 0)
        found = number_of(root, "/sys/fs/cgroup/cpu.stat", "nr_throttled");
    return found < 0 ? number_of(root, "/sys/fs/cgroup/cpu/cpu.stat", "nr_throttled") : found;
}

noise_state noise_now(const char *root)
{
    noise_state now = {.stolen = -1, .ns = clock_ns()};
    struct rusage used;
    read_stolen(root, &now);
    if (getrusage(RUSAGE_SELF, &used) == 0)
        now.switches = used.ru_nivcsw;
    now.migrations = number_of(root, "/proc/self/sched", "se.nr_migrations");
    now.waiting_us = read_pressure(root);
    now.throttled = read_throttled(root);
    return now;
}

static void record_change(recorder *r, const char *name, int64_t since, int64_t now, const char *why)
{
    if (since < 0 || now < 0)
        record_absent(r, name, "count", why);
    else
        record_int(r, name, "count", now - since);
}

void noise_record(const noise_state *since, const noise_state *now, recorder *r)
{
    if (since->stolen < 0 || now->stolen < 0)
        record_absent(r, "steal", "share", "/proc/stat does not tell");
    else
        record_real(r, "steal", "share", now->all > since->all ? (now->stolen - since->stolen) / (now->all - since->all) : 0);
    record_int(r, "switches", "count", now->switches - since->switches);
    record_change(r, "migrations", since->migrations, now->migrations, "/proc/self/sched does not tell");
    record_change(r, "throttled", since->throttled, now->throttled, "no control group with a quota is seen");
    if (since->waiting_us < 0 || now->waiting_us < 0 || now->ns <= since->ns)
        record_absent(r, "pressure", "share", "/proc/pressure/cpu does not tell");
    else
        record_real(r, "pressure", "share", 1e3 * (double)(now->waiting_us - since->waiting_us) / (double)(now->ns - since->ns));
}
