/* How much memory a process may still take here. */
#ifndef HARNESS_MEMORY_H
#define HARNESS_MEMORY_H

#include <stdint.h>

/* Bytes: what the system says is available without swapping, or what the control group leaves where that is
 * less. UINT64_MAX when nothing can be found out. */
uint64_t memory_available(void);

#endif
