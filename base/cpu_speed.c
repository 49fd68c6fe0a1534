/* See cpu_speed.h. Cores are told by the first of the CPUs that share one. */
#include "base/cpu_speed.h"

#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static double now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

double cpu_cycle_ns(void)
{
    enum { ROUNDS = 1250, ADDITIONS = 8, TRIES = 8 };
    double least = 1e300;
    for (int i = 0; i < TRIES; i++) {
        uint64_t x = 1;
        double start = now_ns();
        for (int r = 0; r < ROUNDS; r++) {
#define ADD x += x; __asm__ volatile("" : "+r"(x));
            ADD ADD ADD ADD ADD ADD ADD ADD
#undef ADD
        }
        double took = now_ns() - start;
        least = took < least ? took : least;
    }
    return least / (ROUNDS * ADDITIONS);
}

/* The first CPU of the core that `cpu` belongs to. */
static int first_of_core(int cpu)
{
    char path[96];
    int first = cpu;
    snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list", cpu);
    FILE *file = fopen(path, "r");
    if (file) {
        if (fscanf(file, "%d", &first) != 1)
            first = cpu;
        fclose(file);
    }
    return first;
}

void cpu_available(size_t *cores, size_t *cpus)
{
    cpu_set_t allowed;
    static _Thread_local unsigned char seen[CPU_SETSIZE];
    *cores = *cpus = 0;
    memset(seen, 0, sizeof seen);
    if (sched_getaffinity(0, sizeof allowed, &allowed) == 0)
        for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
            if (!CPU_ISSET((size_t)cpu, &allowed))
                continue;
            int first = first_of_core(cpu);
            ++*cpus;
            if (first >= 0 && first < CPU_SETSIZE && !seen[first]) {
                seen[first] = 1;
                ++*cores;
            }
        }
    *cpus = *cpus ? *cpus : 1;
    *cores = *cores ? *cores : 1;
}

#if defined(__x86_64__)
#include <cpuid.h>

const char *cpu_model(void)
{
    static _Thread_local char text[49];
    uint32_t words[12];
    for (uint32_t i = 0; i < 3; i++)
        if (!__get_cpuid(0x80000002u + i, &words[4 * i], &words[4 * i + 1], &words[4 * i + 2], &words[4 * i + 3]))
            return "unknown";
    memcpy(text, words, 48);
    char *begin = text + strspn(text, " ");
    for (size_t n = strlen(begin); n > 0 && begin[n - 1] == ' ';)
        begin[--n] = '\0';
    return *begin ? begin : "unknown";
}
#else
const char *cpu_model(void) { return "unknown"; }
#endif
