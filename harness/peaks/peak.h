/* What the machine can do at most: short loops that do one thing and nothing else, and the rate they reach.
 *
 * A set is the loops of one instruction set, in a small file compiled for it (mk/config.mk goes by the file's
 * name). It exports its descriptor only, and one line in peaks.inc makes it known. A set that this compiler
 * cannot build, or this CPU cannot run, is there all the same, with the reason. */
#ifndef HARNESS_PEAKS_PEAK_H
#define HARNESS_PEAKS_PEAK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "attn/status.h"
#include "harness/host.h"
#include "harness/progress.h"

typedef enum peak_kind {
    PEAK_CLOCK, /* cycles: a chain of additions, one a cycle */
    PEAK_FMA,   /* FLOPs: multiply-adds of registers */
    PEAK_EXP2,  /* elements: 2^x of the kernels, out of a buffer */
    PEAK_READ,  /* bytes */
    PEAK_COPY,  /* bytes read and written; the buffer's first half to its second */
    PEAK_WRITE, /* bytes */
    PEAK_KINDS
} peak_kind;

/* Runs `rounds` rounds and returns a number that depends on all of them. Never fails, allocates or locks; the
 * floating-point environment stays as it is. Several threads may run it at once, with a buffer each.
 *
 *   buffer   64-byte aligned, of `bytes`, a multiple of PEAK_BLOCK, holding finite floats; NULL and 0 for
 *            loops that stay in registers */
typedef float peak_run(size_t rounds, void *buffer, size_t bytes);

enum { PEAK_BLOCK = 1024 };

typedef struct peak_set {
    const char *isa;     /* as kernels name theirs */
    uint32_t cpu;        /* features needed, of base/cpu.h */
    const char *unbuilt; /* why this build has only the name, or NULL */
    /* What a process has to do before it may run the loops; why it may not, or NULL. The callback may be NULL. */
    const char *(*permit)(void);
    double work;         /* of one round of the loop in registers: FLOPs or cycles */
    peak_run *run[PEAK_KINDS]; /* NULL: not in this set */
} peak_set;

extern const peak_set *const peak_sets[]; /* from peaks.inc, narrowest first; ends with NULL */

#define PEAK_UNBUILT "the compiler that built this program does not target these instructions"

/* Why the loops of `s` cannot run here (a static text), or NULL. */
const char *peak_unavailable(const peak_set *s);

/* One loop, on some threads. */
typedef struct peak_probe {
    const peak_set *set;
    peak_kind kind;
    int threads;
    void **buffers;    /* one for each thread, or NULL */
    size_t bytes;      /* of each */
    size_t rounds;     /* of a sample */
} peak_probe;

/* The multiply-adds that bound a kernel of this instruction set. NULL, with the reason, when there is no loop
 * for them or none that can run. */
const peak_set *peak_of_isa(const char *isa, const char **why);

/* Finds how many rounds take `seconds`, about. */
void peak_calibrate(peak_probe *p, double seconds);

/* All threads at once, from the start of the first to the end of the last: units a nanosecond, which are
 * G units a second. *together (may be NULL): whether the threads ran at the same time; where others keep the
 * processors busy, one may have waited for the end of another, and the sample tells nothing of the machine. */
double peak_sample(const peak_probe *p, bool *together);

/* ---- all of them (harness/peaks/machine.c) ---- */

enum { PEAK_SAMPLES = 9, PEAK_MOST_RESULTS = 64 };

typedef struct peak_result {
    const char *name;   /* "fma.f32", "read.l2", ... */
    const char *title;  /* for people */
    const char *unit;   /* "GFLOP/s", "GB/s", "Gelem/s", "GHz" */
    const char *isa;
    int threads;
    size_t bytes;       /* working set of a thread; 0: registers */
    double samples[PEAK_SAMPLES];
    size_t count;       /* 0: not measured */
    double best;        /* the largest sample */
    double spread;      /* what the median sample lacks to the best, as a share of it */
    double clock_ghz;   /* of the thread, beside the samples; 0: unknown */
    char reason[160];   /* why it was not measured, or "" */
} peak_result;

typedef struct peak_report {
    peak_result at[PEAK_MOST_RESULTS];
    size_t count;
} peak_report;

/* Measures everything on 1 thread and on `threads`, in about `seconds`. What cannot be measured is in the
 * report with its reason. ENOMEM when there is no memory for the buffers of the caches. */
attn_status peaks_measure(peak_report *out, const host *h, int threads, double seconds, attn_error *err);

/* Bytes per thread that live in a cache level (1 to 3) or, level 4, in memory alone. 0, with the reason: the
 * system does not tell the cache's size, or `available` bytes are too few. */
size_t peak_working_set(const host *h, int level, int threads, uint64_t available, const char **why);

#endif
