/* The kernels whose cost the page can predict: planned for, never run. */
#ifndef HARNESS_EXPLORER_MACHINE_H
#define HARNESS_EXPLORER_MACHINE_H

#include <stdbool.h>

enum { MACHINE_KERNELS = 2 };
extern const char *const machine_kernels[MACHINE_KERNELS];

/* Plans are for this kernel from now on; false: not one of machine_kernels. */
bool machine_choose(const char *name);

#endif
