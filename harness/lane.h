/* Lanes: ways to measure whose numbers are never held against each other. Every measurement belongs to one. */
#ifndef HARNESS_LANE_H
#define HARNESS_LANE_H

typedef enum lane {
    LANE_TIME,     /* the machine's own: clocks, counters, memory */
    LANE_CALLGRIND /* instructions, counted by valgrind: see harness/lane_callgrind.h */
} lane;

#define LANE_CHOICES "time|callgrind" /* the option --lane, in the order of lane */

#endif
