/* The events, by microarchitecture.
 *
 * A set has at most four programmable events: what an Intel core with two threads per core has, besides its
 * fixed counters for cycles and instructions. AMD cores have six, one of which the NMI watchdog may hold.
 *
 * Generic events (perf::...) are translated by the kernel and exist wherever it knows the PMU. What it takes
 * for cache references and misses differs between vendors: last-level on Intel, L2 or L1 on AMD.
 *
 * Floating-point operations. Intel: retired instructions by width; one count stands for the lanes of a vector
 * (fp32: 1, 4, 8, 16), and an FMA counts twice by itself. AMX is not included. AMD: retired operations, an
 * FMA as two, of single and double precision together from Zen 2 on. Both count what the machine did:
 * padding, masked lanes and the polynomials of exp included.
 *
 * Sources: Intel SDM volume 3, chapter on performance monitoring, event 0xC7; AMD PPR for families 17h and
 * 19h, PMCx003. */
#include "harness/perf_events.h"

#include <stdio.h>
#include <string.h>

const perf_set perf_sets[] = {
    {"core", NULL, false, {
        {"cycles", "count", "perf::CYCLES", false, 0},
        {"instructions", "count", "perf::INSTRUCTIONS", false, 0},
        {"branches", "count", "perf::BRANCHES", false, 0},
        {"branch_misses", "count", "perf::BRANCH-MISSES", false, 0},
    }},
    {"flops", "skx clx icl icx spr", false, {
        {"fp32_scalar", "count", "FP_ARITH_INST_RETIRED:SCALAR_SINGLE", false, 1},
        {"fp32_128", "count", "FP_ARITH_INST_RETIRED:128B_PACKED_SINGLE", false, 4},
        {"fp32_256", "count", "FP_ARITH_INST_RETIRED:256B_PACKED_SINGLE", false, 8},
        {"fp32_512", "count", "FP_ARITH_INST_RETIRED:512B_PACKED_SINGLE", false, 16},
    }},
    {"flops", "bdw bdw_ep skl", false, {
        {"fp32_scalar", "count", "FP_ARITH_INST_RETIRED:SCALAR_SINGLE", false, 1},
        {"fp32_128", "count", "FP_ARITH_INST_RETIRED:128B_PACKED_SINGLE", false, 4},
        {"fp32_256", "count", "FP_ARITH_INST_RETIRED:256B_PACKED_SINGLE", false, 8},
    }},
    {"flops", "amd64_fam17h_zen2 amd64_fam19h_zen3 amd64_fam19h_zen4", false, {
        {"fp_operations", "count", "RETIRED_SSE_AVX_FLOPS:ANY", false, 1},
    }},
    {"flops", "amd64_fam17h_zen1", false, {
        {"fp_operations", "count",
         "RETIRED_SSE_AVX_OPERATIONS:SP_ADD_SUB_FLOPS:SP_MULT_FLOPS:SP_DIV_FLOPS:SP_MULT_ADD_FLOPS",
         false, 1},
    }},
    {"cache", NULL, false, {
        {"cache_references", "count", "perf::CACHE-REFERENCES", false, 0},
        {"cache_misses", "count", "perf::CACHE-MISSES", false, 0},
    }},
    /* A context switch and a migration happen in the kernel: counting user mode alone would say 0. */
    {"software", NULL, true, {
        {"task_clock_ns", "ns", "perf::TASK-CLOCK", false, 0},
        {"page_faults", "count", "perf::PAGE-FAULTS", false, 0},
        {"context_switches", "count", "perf::CONTEXT-SWITCHES", true, 0},
        {"cpu_migrations", "count", "perf::CPU-MIGRATIONS", true, 0},
    }},
    {0},
};

size_t perf_set_size(const perf_set *set)
{
    size_t n = 0;
    while (n < PERF_GROUP_EVENTS && set->events[n].name)
        n++;
    return n;
}

bool perf_set_fits(const perf_set *set, const char *pmu)
{
    if (!set->pmus)
        return true;
    size_t n = pmu ? strlen(pmu) : 0;
    for (const char *at = set->pmus; n && (at = strstr(at, pmu)); at += n)
        if ((at == set->pmus || at[-1] == ' ') && (at[n] == ' ' || at[n] == '\0'))
            return true;
    return false;
}

bool perf_set_encode(const perf_set *set, size_t index, const char *pmu, struct perf_event_attr *out,
                     const char **why)
{
    const perf_event *e = &set->events[index];
    char name[160];
    snprintf(name, sizeof name, "%s%s%s", set->pmus ? pmu : "", set->pmus ? "::" : "", e->event);
    return perf_encode(name, e->kernel, out, why);
}
