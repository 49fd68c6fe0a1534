/* How good the clock is, and how much of the processor is ours. */
#include "harness/clock.h"

clock_quality clock_measure(void)
{
    enum { READINGS = 10000 };
    int64_t start = clock_ns(), last = start, step = INT64_MAX;
    for (int i = 0; i < READINGS; i++) {
        int64_t now = clock_ns();
        if (now > last && now - last < step)
            step = now - last;
        last = now;
    }
    if (step == INT64_MAX) /* a clock coarser than all of the readings */
        while ((step = clock_ns() - last) == 0)
            ;
    return (clock_quality){.read_ns = (double)(last - start) / READINGS, .step_ns = (double)step};
}

clock_gaps clock_watch(double seconds)
{
    clock_gaps gaps = {0};
    int64_t start = clock_ns(), end = start + (int64_t)(seconds * 1e9), last = start;
    int64_t lost = 0, longest = 0;
    while (last < end) {
        int64_t now = clock_ns(), gap = now - last;
        if (gap > CLOCK_GAP_NS) {
            gaps.count++;
            lost += gap;
            longest = gap > longest ? gap : longest;
        }
        last = now;
    }
    gaps.longest_ns = (double)longest;
    gaps.share = last > start ? (double)lost / (double)(last - start) : 0;
    return gaps;
}
