/* What disturbed a measurement, as far as the system tells. */
#ifndef HARNESS_NOISE_H
#define HARNESS_NOISE_H

#include <stdint.h>

#include "harness/recorder.h"

typedef struct noise_state {
    double stolen, all; /* processor time of the machine, in ticks; stolen < 0: not told */
    int64_t switches;   /* of this process, involuntary */
    int64_t migrations; /* of this process, from one processor to another; < 0: not told */
    int64_t waiting_us; /* while some task of the machine waited for a processor; < 0: not told */
    int64_t throttled;  /* times a quota stopped the control group; < 0: not told, or there is none */
    int64_t ns;         /* the clock */
} noise_state;

/* From /proc and /sys below `root`, "" for the system's own; switches and the clock are always this process's. */
noise_state noise_now(const char *root);

/* Records what has happened from one to the other: series "steal" (a share), "switches", "migrations" (counts), "pressure" (the share of
 * the time that some task waited for a processor) and "throttled" (a count); absent with the reason where the system does not tell. */
void noise_record(const noise_state *since, const noise_state *now, recorder *r);

#endif
