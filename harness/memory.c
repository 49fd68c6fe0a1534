/* How much memory a process may still take here. */
#include "harness/memory.h"

#include <stdbool.h>
#include <stdio.h>

/* The number at the start of a file; false where there is none ("max"). */
static bool read_number(const char *path, uint64_t *out)
{
    unsigned long long value;
    FILE *file = fopen(path, "r");
    bool found = file && fscanf(file, "%llu", &value) == 1;
    if (file)
        fclose(file);
    if (found)
        *out = value;
    return found;
}

static uint64_t system_memory(void)
{
    char line[256];
    unsigned long long kib;
    uint64_t bytes = UINT64_MAX;
    FILE *file = fopen("/proc/meminfo", "r");
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "MemAvailable: %llu kB", &kib) == 1)
            bytes = (uint64_t)kib * 1024;
    if (file)
        fclose(file);
    return bytes;
}

/* A container sees its own group at the root of the tree. */
static uint64_t group_memory(void)
{
    static const struct {
        const char *limit, *used;
    } trees[] = {
        {"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"},
        {"/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"},
    };
    for (size_t i = 0; i < sizeof trees / sizeof trees[0]; i++) {
        uint64_t limit, used;
        if (read_number(trees[i].limit, &limit) && read_number(trees[i].used, &used))
            return limit > used ? limit - used : 0;
    }
    return UINT64_MAX;
}

uint64_t memory_available(void)
{
    const uint64_t all = system_memory(), group = group_memory();
    return all < group ? all : group;
}
