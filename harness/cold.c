/* Memory out of all caches. See cold.h. */
#include "harness/cold.h"

#ifdef __x86_64__
#include <immintrin.h>

void cold_flush(const void *at, size_t bytes)
{
    const char *line = at;
    for (size_t b = 0; at && b < bytes; b += 64)
        _mm_clflush(line + b);
    if (at && bytes)
        _mm_clflush(line + bytes - 1);
    _mm_mfence();
}
#else
#include <stdlib.h>

enum { SWEPT = 256 << 20 };

void cold_flush(const void *at, size_t bytes)
{
    static volatile unsigned char *memory;
    (void)at;
    (void)bytes;
    if (!memory && !(memory = calloc(SWEPT, 1)))
        return;
    for (size_t b = 0; b < SWEPT; b += 64)
        memory[b]++;
}
#endif
