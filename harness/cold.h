/* Memory out of all caches. */
#ifndef HARNESS_COLD_H
#define HARNESS_COLD_H

#include <stddef.h>

/* Writes back and evicts the lines of `bytes` bytes from all levels: with clflush on x86; elsewhere by sweeping through more memory than
 * caches hold, which is likely and not certain. */
void cold_flush(const void *at, size_t bytes);

#endif
