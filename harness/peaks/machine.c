/* Everything the program can find out of a machine's limits, in one go: on one thread and on all of them.
 *
 * A result is the best of PEAK_SAMPLES samples: other work on the machine only ever takes away. The spread
 * says how much the median sample lacks to it. Bandwidths are taken with the widest vectors there are. */
#include "harness/peaks/peak.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "harness/memory.h"
#include "harness/stats.h"

typedef struct limit {
    const char *name, *title, *isa; /* isa NULL: the widest that has it */
    peak_kind kind;
    int level; /* of the working set: 0 registers, 1 to 3 caches, 4 memory */
} limit;

static const limit limits[] = {
    {"clock", "clock", "integer", PEAK_CLOCK, 0},
    {"fma.f32", "fp32 multiply-add", "portable", PEAK_FMA, 0},
    {"fma.f32", "fp32 multiply-add", "avx2", PEAK_FMA, 0},
    {"fma.f32", "fp32 multiply-add", "avx512", PEAK_FMA, 0},
    {"fma.f16", "fp16 multiply-add", "avx512fp16", PEAK_FMA, 0},
    {"dot.bf16", "bf16 dot product", "avx512bf16", PEAK_FMA, 0},
    {"dot.bf16", "bf16 tile product", "amx", PEAK_FMA, 0},
    {"exp2", "2^x of the kernels", "portable", PEAK_EXP2, 1},
    {"exp2", "2^x of the kernels", "avx2", PEAK_EXP2, 1},
    {"exp2", "2^x of the kernels", "avx512", PEAK_EXP2, 1},
    {"read.l1", "read from L1", NULL, PEAK_READ, 1},
    {"read.l2", "read from L2", NULL, PEAK_READ, 2},
    {"read.l3", "read from L3", NULL, PEAK_READ, 3},
    {"read.memory", "read from memory", NULL, PEAK_READ, 4},
    {"copy.memory", "copy in memory", NULL, PEAK_COPY, 4},
    {"write.memory", "write to memory", NULL, PEAK_WRITE, 4},
};
enum { LIMITS = sizeof limits / sizeof limits[0], MEMORY = 4 };
_Static_assert(2 * LIMITS <= PEAK_MOST_RESULTS, "a result for each limit and number of threads");

static const char *const units[PEAK_KINDS] = {
    [PEAK_CLOCK] = "GHz",  [PEAK_FMA] = "GFLOP/s", [PEAK_EXP2] = "Gelem/s",
    [PEAK_READ] = "GB/s",  [PEAK_COPY] = "GB/s",   [PEAK_WRITE] = "GB/s",
};

/* ---- working sets ---- */

size_t peak_working_set(const host *h, int level, int threads, uint64_t available, const char **why)
{
    const double caches[] = {0, (double)h->l1d_bytes, (double)h->l2_bytes, (double)h->l3_bytes};
    const double below = level == MEMORY ? (caches[3] > 0 ? caches[3] : caches[2]) : caches[level];
    double bytes;
    *why = NULL;
    if (below <= 0 || (level > 1 && caches[level - 1] <= 0 && level != MEMORY)) {
        *why = "the system does not tell the size of that cache";
        return 0;
    }
    if (level == MEMORY) {
        /* Twice the last cache over all threads: the part of it that survives a sweep is small. */
        const double least = 256 << 20;
        bytes = (2 * below > least ? 2 * below : least) / threads;
        if (bytes * threads > (double)available / 4) {
            *why = "too little free memory to go beyond the caches";
            return 0;
        }
    } else if (level == 3) {
        /* More than L2 holds, and half of what each thread has of L3, should all share one; on large L3, which
         * virtual machines often share with others unseen, 16 times L2 is beyond L2 and more likely there. */
        const double half = caches[3] / threads / 2, most = 16 * caches[2];
        bytes = caches[2] + half < most ? caches[2] + half : most;
    } else {
        bytes = caches[level] * 3 / 8; /* two hardware threads may share it */
    }
    return (size_t)bytes / PEAK_BLOCK * PEAK_BLOCK;
}

typedef struct workplace {
    void **buffers; /* one for each thread */
    size_t bytes, threads;
} workplace;

static void leave(workplace *w)
{
    for (size_t i = 0; w->buffers && i < w->threads; i++)
        if (w->buffers[i])
            munmap(w->buffers[i], w->bytes);
    free(w->buffers);
    *w = (workplace){0};
}

/* Fills a buffer with numbers in (-16, 0], where exp2 has its whole work to do. */
static void fill(float *x, size_t bytes)
{
    for (size_t i = 0; i < bytes / sizeof *x; i++)
        x[i] = -(float)(i * 37 % 1024) / 64;
}

/* Buffers that the threads which use them were the first to touch. */
static bool enter(workplace *w, size_t bytes, int threads)
{
    bool fine = true;
    *w = (workplace){.buffers = calloc((size_t)threads, sizeof *w->buffers), .bytes = bytes, .threads = (size_t)threads};
    if (!w->buffers)
        return false;
    for (size_t i = 0; i < w->threads && fine; i++) {
        void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        fine = at != MAP_FAILED;
        w->buffers[i] = fine ? at : NULL;
        if (fine)
            madvise(at, bytes, MADV_HUGEPAGE);
    }
    if (!fine) {
        leave(w);
        return false;
    }
#pragma omp parallel for num_threads(threads) schedule(static, 1)
    for (int t = 0; t < threads; t++)
        fill(w->buffers[t], bytes);
    return true;
}

/* ---- measuring ---- */

static const peak_set *find(const limit *l, const char **why)
{
    const peak_set *found = NULL;
    *why = NULL;
    for (size_t i = 0; peak_sets[i]; i++) {
        const peak_set *s = peak_sets[i];
        if (l->isa ? strcmp(s->isa, l->isa) == 0 : s->run[l->kind] && !peak_unavailable(s))
            found = s;
    }
    if (l->isa && found)
        *why = peak_unavailable(found);
    return found;
}

static double clock_beside(int threads, double seconds)
{
    const char *why;
    const limit ticking = limits[0];
    peak_probe p = {.set = find(&ticking, &why), .kind = PEAK_CLOCK, .threads = threads};
    double best = 0;
    peak_calibrate(&p, seconds);
    for (int i = 0; i < 3; i++) {
        const double ghz = peak_sample(&p, NULL) / threads;
        best = ghz > best ? ghz : best;
    }
    return best;
}

static void conclude(peak_result *r)
{
    double sorted[PEAK_SAMPLES];
    memcpy(sorted, r->samples, r->count * sizeof *sorted);
    const double median = stats_median(sorted, r->count, 0.95).median;
    r->best = sorted[r->count - 1];
    r->spread = r->best > 0 ? 1 - median / r->best : 0;
}

static void measure(peak_result *r, const peak_set *s, const limit *l, const workplace *w, double seconds)
{
    peak_probe p = {.set = s,
                    .kind = l->kind,
                    .threads = r->threads,
                    .buffers = l->level ? w->buffers : NULL,
                    .bytes = l->level ? r->bytes : 0};
    const double part = seconds / (PEAK_SAMPLES + 2); /* calibration takes one, the clock another */
    peak_calibrate(&p, part);
    for (int tries = 0; r->count < PEAK_SAMPLES; tries++) {
        bool together;
        const double rate = peak_sample(&p, &together);
        if (together || tries >= PEAK_SAMPLES) /* on a busy machine as many again, and then what there is */
            r->samples[r->count++] = l->kind == PEAK_CLOCK ? rate / r->threads : rate;
    }
    conclude(r);
    r->clock_ghz = l->kind == PEAK_CLOCK ? r->best : clock_beside(r->threads, part / 8);
}

attn_status peaks_measure(peak_report *out, const host *h, int threads, double seconds, attn_error *err)
{
    const int teams[] = {1, threads};
    const int team_count = threads > 1 ? 2 : 1;
    const double each = seconds / (team_count * LIMITS);
    const uint64_t available = memory_available();
    out->count = 0;
    for (int t = 0; t < team_count; t++) {
        workplace w = {0};
        for (size_t i = 0; i < LIMITS; i++) {
            const limit *l = &limits[i];
            const char *why;
            const peak_set *s = find(l, &why);
            peak_result *r = &out->at[out->count++];
            *r = (peak_result){.name = l->name,
                               .title = l->title,
                               .unit = units[l->kind],
                               .isa = s ? s->isa : l->isa,
                               .threads = teams[t]};
            if (!why && l->level)
                r->bytes = peak_working_set(h, l->level, teams[t], available, &why);
            if (why) {
                snprintf(r->reason, sizeof r->reason, "%s", why);
                continue;
            }
            if (r->bytes && w.bytes != r->bytes) {
                leave(&w);
                if (!enter(&w, r->bytes, teams[t]))
                    return attn_fail(err, ATTN_ENOMEM, "doctor: out of memory: %d buffers of %zu bytes",
                                     teams[t], r->bytes);
            }
            measure(r, s, l, &w, each);
        }
        leave(&w);
    }
    return ATTN_OK;
}
