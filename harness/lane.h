/* Lanes: ways to measure whose numbers are never held against each other. Every measurement belongs to one. */
#ifndef HARNESS_LANE_H
#define HARNESS_LANE_H

typedef enum lane {
    LANE_TIME,      /* the machine's own: clocks, counters, memory; operands in the caches as the run before left them */
    LANE_CALLGRIND, /* instructions, counted by valgrind: see harness/lane_callgrind.h */
    LANE_COLD,      /* times of runs whose operands were flushed from all caches before (--cache cold) */
    LANES
} lane;

#define LANE_CHOICES "time|callgrind" /* the option --lane, in the order of lane */
#define LANE_NAMES "time|callgrind|cold"

static inline const char *lane_name(lane of)
{
    static const char *const names[LANES] = {[LANE_TIME] = "time", [LANE_CALLGRIND] = "callgrind", [LANE_COLD] = "cold"};
    return names[of];
}

#endif
