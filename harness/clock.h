/* The clock that timings are taken from. */
#ifndef HARNESS_CLOCK_H
#define HARNESS_CLOCK_H

#include <stddef.h>
#include <stdint.h>
#include <time.h>

/* Nanoseconds since some start; monotonic, not slewed by NTP. */
static inline int64_t clock_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC_RAW, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Nanoseconds of processor time that the threads of this process have had; waiting for a processor is no part of it. */
static inline int64_t clock_cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

typedef struct clock_quality {
    double read_ns; /* what one reading costs */
    double step_ns; /* least non-zero difference of two consecutive readings: resolution and cost together */
} clock_quality;

/* Measured in well under a millisecond on an idle machine. */
clock_quality clock_measure(void);

/* What else had the processor while this thread did nothing but read the clock for `seconds`. */
typedef struct clock_gaps {
    size_t count;      /* gaps of more than CLOCK_GAP_NS between two readings */
    double longest_ns;
    double share;      /* of the time that went into gaps */
} clock_gaps;

enum { CLOCK_GAP_NS = 10000 }; /* an interrupt takes a few microseconds; losing the processor, more */

clock_gaps clock_watch(double seconds);

#endif
