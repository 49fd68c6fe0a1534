/* The loops of AVX-512, emulated; NULL where SIMDe is not installed. */
#ifndef TESTS_SUPPORT_PEAKS_EMULATED_H
#define TESTS_SUPPORT_PEAKS_EMULATED_H

#include "harness/peaks/peak.h"

extern const peak_set *const peaks_emulated;

#endif
