/* What disturbed a measurement, as far as the system tells. */
#ifndef HARNESS_NOISE_H
#define HARNESS_NOISE_H

#include <stdint.h>

#include "harness/recorder.h"

typedef struct noise_state {
    double stolen, all; /* processor time of the machine, in ticks; stolen < 0: not told */
    int64_t switches;   /* of this process, involuntary */
} noise_state;

noise_state noise_now(void);

/* Records what has happened since: series "steal" (a share) and "switches" (a count). */
void noise_record(const noise_state *since, recorder *r);

#endif
