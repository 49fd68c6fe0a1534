/* The sets of this build, and one loop timed on some threads. */
#include "harness/peaks/peak.h"

#include <math.h>
#include <string.h>

#include <omp.h>

#include "base/cpu.h"
#include "harness/clock.h"

#define PEAKS(identifier) extern const peak_set peak_##identifier;
#include "harness/peaks/peaks.inc"
#undef PEAKS

const peak_set *const peak_sets[] = {
#define PEAKS(identifier) &peak_##identifier,
#include "harness/peaks/peaks.inc"
#undef PEAKS
    NULL,
};

const char *peak_unavailable(const peak_set *s)
{
    const char *why = NULL;
    if (s->unbuilt)
        return s->unbuilt;
    if (cpu_lacks(s->cpu, &why, NULL) != ATTN_OK && s->cpu)
        return "ATTN_DISABLE_CPU names an unknown feature; known are " CPU_NAMES;
    return why ? why : s->permit ? s->permit() : NULL;
}

const peak_set *peak_of_isa(const char *isa, const char **why)
{
    for (size_t i = 0; peak_sets[i]; i++)
        if (strcmp(peak_sets[i]->isa, isa) == 0 && (peak_sets[i]->run[PEAK_FMA] || peak_sets[i]->unbuilt)) {
            *why = peak_unavailable(peak_sets[i]);
            return *why ? NULL : peak_sets[i];
        }
    *why = "no multiply-adds of vectors bound this kernel";
    return NULL;
}

/* What a round does. */
static double work_of(const peak_probe *p)
{
    switch (p->kind) {
    case PEAK_EXP2: return (double)p->bytes / sizeof(float);
    case PEAK_READ:
    case PEAK_COPY:
    case PEAK_WRITE: return (double)p->bytes;
    default: return p->set->work;
    }
}

static volatile float sink; /* what the loops return must go somewhere */

/* Runs it. `whole` is from the start of the first thread to the end of the last, `quickest` the shortest time of one thread:
 * what others do on the machine makes the first longer, and by much, the second hardly. */
typedef struct elapsed {
    double whole_ns, quickest_ns;
    int team;
} elapsed;

static elapsed run(const peak_probe *p)
{
    int64_t begun = INT64_MAX, ended = INT64_MIN, quickest = INT64_MAX;
    int team = 0;
#pragma omp parallel num_threads(p->threads)
    {
        void *mine = p->buffers ? p->buffers[omp_get_thread_num()] : NULL;
#pragma omp barrier
        const int64_t start = clock_ns();
        const float result = p->set->run[p->kind](p->rounds, mine, p->bytes);
        const int64_t end = clock_ns();
#pragma omp critical
        {
            begun = start < begun ? start : begun;
            ended = end > ended ? end : ended;
            quickest = end - start < quickest ? end - start : quickest;
            sink = result;
            team++;
        }
    }
    return (elapsed){(double)(ended - begun), (double)quickest, team};
}

double peak_sample(const peak_probe *p, bool *together)
{
    const elapsed e = run(p);
    if (together)
        *together = e.whole_ns < 1.5 * e.quickest_ns;
    const double ns = p->kind == PEAK_CLOCK ? e.quickest_ns : e.whole_ns; /* the clock ticks for each alone */
    return ns > 0 ? e.team * (double)p->rounds * work_of(p) / ns : 0;
}

void peak_calibrate(peak_probe *p, double seconds)
{
    const double wanted = seconds * 1e9;
    double took = 0;
    for (p->rounds = 1; p->rounds < SIZE_MAX / 8; p->rounds *= 4) {
        took = run(p).quickest_ns;
        if (took >= wanted / 4)
            took = fmin(took, run(p).quickest_ns); /* it may have lost its processor */
        if (took >= wanted / 4)
            break;
    }
    p->rounds = (size_t)fmax(1, floor((double)p->rounds * wanted / took));
}
