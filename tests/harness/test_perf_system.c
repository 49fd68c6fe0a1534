/* Encodings by libpfm4, checked without opening anything; the kernel's own counters, for real. */
#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "harness/perf_events.h"
#include "support/program.h"

/* PERF_TYPE_RAW with event and umask as the vendors' manuals print them: umask << 8 | event. */
Test(perf_encode, raw_codes)
{
    static const struct { const char *event; uint64_t config; } table[] = {
        {"skx::FP_ARITH_INST_RETIRED:SCALAR_SINGLE", 0x02c7},
        {"skx::FP_ARITH_INST_RETIRED:512B_PACKED_SINGLE", 0x80c7},
        {"icx::FP_ARITH_INST_RETIRED:256B_PACKED_SINGLE", 0x20c7},
        {"spr::FP_ARITH_INST_RETIRED:128B_PACKED_SINGLE", 0x08c7},
        {"amd64_fam19h_zen3::RETIRED_SSE_AVX_FLOPS:ANY", 0x0f03},
        {"amd64_fam17h_zen2::RETIRED_SSE_AVX_FLOPS:ANY", 0x0f03},
        {"skx::LONGEST_LAT_CACHE:MISS", 0x412e},
        {"amd64_fam19h_zen3::ANY_DATA_CACHE_FILLS_FROM_SYSTEM:MEM_IO_LCL:MEM_IO_RMT", 0x4844},
        {"amd64_fam19h_zen3::L2_PREFETCH_MISS_L3:L2_HW_PREFETCHER", 0x1f72},
    };
    for (size_t t = 0; t < sizeof table / sizeof *table; t++) {
        struct perf_event_attr attr;
        const char *why;
        cr_assert(perf_encode(table[t].event, false, &attr, &why), "%s: %s", table[t].event, why);
        cr_assert(attr.type == PERF_TYPE_RAW && attr.config == table[t].config, "%s: type %u, config %llx",
                  table[t].event, attr.type, (unsigned long long)attr.config);
        cr_assert(attr.exclude_kernel && !attr.exclude_user, "%s: not user mode alone", table[t].event);
    }
}

Test(perf_encode, kernel_mode_on_request)
{
    struct perf_event_attr attr;
    cr_assert(perf_encode("perf::CONTEXT-SWITCHES", true, &attr, NULL), "no encoding");
    cr_assert(attr.type == PERF_TYPE_SOFTWARE && attr.config == PERF_COUNT_SW_CONTEXT_SWITCHES &&
                  !attr.exclude_kernel && !attr.exclude_user,
              "type %u, config %llu, exclude_kernel %u", attr.type, (unsigned long long)attr.config,
              attr.exclude_kernel);
}

Test(perf_encode, unknown_events_have_a_reason)
{
    static const char *const events[] = {"nosuchpmu::CYCLES", "skx::NO_SUCH_EVENT",
                                         "skx::FP_ARITH:NO_SUCH_MASK", ""};
    for (size_t t = 0; t < sizeof events / sizeof *events; t++) {
        struct perf_event_attr attr;
        const char *why = NULL;
        cr_assert(!perf_encode(events[t], false, &attr, &why) && why && *why, "'%s' was encoded", events[t]);
    }
}

/* Every event of every file built in, for every PMU the file names. */
Test(perf_encode, all_files_encode)
{
    size_t encoded = 0;
    for (const perf_file *f = perf_files; f->name; f++) {
        static perf_events list;
        char pmus[PERF_LINE_LENGTH];
        attn_error err;
        cr_assert(perf_events_read(&list, pmus, f->name, f->text, strlen(f->text), &err) == ATTN_OK, "%s", err.message);
        for (char *rest = pmus, *pmu; (pmu = strsep(&rest, " "));) {
            snprintf(list.pmu, sizeof list.pmu, "%s", pmu);
            for (size_t s = 0; s < list.set_count; s++)
                for (size_t i = 0; i < list.sets[s].count; i++, encoded++) {
                    const perf_event *e = &list.sets[s].events[i];
                    struct perf_event_attr attr;
                    const char *why;
                    cr_assert(perf_event_encode(&list, e, &attr, &why), "%s:%zu: %s::%s: %s", f->name, e->line, pmu, e->event, why);
                    cr_assert((attr.type == PERF_TYPE_SOFTWARE) == (strcmp(list.sets[s].name, "software") == 0), "%s is of type %u",
                              e->name, attr.type);
                    cr_assert(attr.exclude_kernel != e->kernel, "%s: exclude_kernel %u", e->name, attr.exclude_kernel);
                }
        }
    }
    cr_assert(encoded > 60, "only %zu encodings", encoded);
}

/* CPUs younger than libpfm4 are counted with the events of an older relative, which must encode. */
Test(perf_encode, young_cpus_have_relatives)
{
    static const struct {
        const char *vendor;
        int family, model;
        const char *pmu;
    } table[] = {
        {"GenuineIntel", 6, 0xcf, "spr"},
        {"GenuineIntel", 6, 0xad, "spr"},
        {"AuthenticAMD", 26, 2, "amd64_fam19h_zen4"},
        {"AuthenticAMD", 26, 68, "amd64_fam19h_zen4"},
        {"GenuineIntel", 6, 1, NULL},
        {"GenuineIntel", 26, 2, NULL},
    };
    for (size_t t = 0; t < sizeof table / sizeof *table; t++) {
        char text[200];
        int n = snprintf(text, sizeof text,
                         "processor\t: 0\nvendor_id\t: %s\ncpu family\t: %d\nmodel\t\t: %d\n"
                         "model name\t: 7\n",
                         table[t].vendor, table[t].family, table[t].model);
        outcome o = shell("mkdir -p '%s'", scratch_path("proc"));
        cr_assert(o.exit_code == 0, "mkdir");
        outcome_free(&o);
        write_whole_file(scratch_path("proc/cpuinfo"), text, (size_t)n);
        const char *pmu = perf_relative_pmu(scratch_folder());
        cr_assert(table[t].pmu ? pmu && strcmp(pmu, table[t].pmu) == 0 : !pmu, "%s %d/%d: %s",
                  table[t].vendor, table[t].family, table[t].model, pmu ? pmu : "none");
    }
    cr_assert(!perf_relative_pmu("/nowhere"), "a relative of nothing");
}

static atomic_bool ready, go, done;

static void touch_pages(size_t pages)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *p = mmap(NULL, pages * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    cr_assert(p != MAP_FAILED, "mmap failed");
    madvise(p, pages * page, MADV_NOHUGEPAGE);
    for (size_t i = 0; i < pages; i++)
        ((volatile char *)p)[i * page] = 1;
    munmap(p, pages * page);
}

static void *toucher(void *argument)
{
    atomic_store(&ready, true);
    while (!atomic_load(&go))
        ;
    touch_pages(*(const size_t *)argument);
    atomic_store(&done, true);
    while (atomic_load(&go)) /* counters of an ended thread are not read */
        usleep(1000);
    return NULL;
}

/* Two threads touch known numbers of pages: the counts must hold both. Skipped, saying so, where the kernel
 * does not let us count at all. */
Test(perf_system, software_events_for_real)
{
    enum { HERE = 300, THERE = 500 };
    size_t there = THERE;
    pthread_t other;
    cr_assert(pthread_create(&other, NULL, toucher, &there) == 0, "no thread");
    while (!atomic_load(&ready))
        ;
    struct perf_event_attr attrs[2];
    cr_assert(perf_encode("perf::TASK-CLOCK", false, &attrs[0], NULL) &&
              perf_encode("perf::PAGE-FAULTS", false, &attrs[1], NULL), "no encoding");
    pid_t *threads;
    size_t count;
    cr_assert(perf_threads(&threads, &count, NULL) == ATTN_OK && count >= 2, "threads not found");
    perf_group *g = NULL;
    cr_assert(perf_group_open(&g, &perf_system, attrs, 2, threads, count, NULL) == ATTN_OK, "open failed");
    free(threads);
    perf_count c[2];
    perf_group_start(g);
    touch_pages(HERE);
    atomic_store(&go, true);
    while (!atomic_load(&done))
        ;
    perf_group_stop(g, c);
    perf_group_close(g);
    atomic_store(&go, false);
    pthread_join(other, NULL);
    if (c[0].cause == PERF_NOT_PERMITTED || (c[0].cause == PERF_NO_PMU && c[0].error == ENOSYS))
        cr_skip("perf_event_open is not allowed here");
    cr_assert(c[0].cause == PERF_COUNTED && c[0].value > 0 && c[0].running == 1,
              "task clock: cause %d, value %g", (int)c[0].cause, c[0].value);
    cr_assert(c[1].cause == PERF_COUNTED && c[1].value >= HERE + THERE && c[1].value < 2 * (HERE + THERE),
              "page faults: cause %d, value %g", (int)c[1].cause, c[1].value);
}

Test(perf_system, hardware_events_have_a_value_or_a_cause)
{
    struct perf_event_attr attr;
    cr_assert(perf_encode("perf::CYCLES", false, &attr, NULL), "no encoding");
    pid_t self = getpid();
    perf_group *g = NULL;
    cr_assert(perf_group_open(&g, &perf_system, &attr, 1, &self, 1, NULL) == ATTN_OK, "open failed");
    perf_count c;
    perf_group_start(g);
    for (volatile int i = 0; i < 100000; i++)
        ;
    perf_group_stop(g, &c);
    cr_assert(perf_group_size(g) == (c.error == 0), "size %zu with error %d", perf_group_size(g), c.error);
    perf_group_close(g);
    if (c.cause == PERF_COUNTED)
        cr_assert(c.value > 10000, "100000 iterations in %g cycles", c.value);
    else
        cr_assert(c.value != c.value, "cause %d, yet the value is %g", (int)c.cause, c.value);
}
