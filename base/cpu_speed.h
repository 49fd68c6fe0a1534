/* How fast the CPU is just now, and how many of them there really are. For predictions, never for results. */
#ifndef BASE_CPU_SPEED_H
#define BASE_CPU_SPEED_H

#include <stddef.h>

/* Nanoseconds of a cycle, from a chain of dependent additions; takes about 0.1 ms. */
double cpu_cycle_ns(void);

/* Physical cores and logical CPUs that this process may use; 1 of each where the system does not tell. */
void cpu_available(size_t *cores, size_t *cpus);

/* "AMD EPYC 7763 64-Core Processor"; "unknown" where the CPU does not tell. Static. */
const char *cpu_model(void);

#endif
