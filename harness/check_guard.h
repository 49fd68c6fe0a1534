/* Buffers between pages that may not be touched. One step beyond the guarded end is a fault at once; what
 * lies between the buffer's other end and its guard page is filled with a known byte and checked
 * afterwards. */
#ifndef HARNESS_CHECK_GUARD_H
#define HARNESS_CHECK_GUARD_H

#include <stdbool.h>
#include <stddef.h>

typedef struct guarded {
    void *at;     /* the buffer; NULL: none */
    size_t bytes;
    unsigned char *map; /* guard page, body, guard page */
    size_t body;        /* bytes between the guard pages */
} guarded;

/* `at_end`: the buffer ends where a guard page begins (and begins anywhere its elements may);
 * otherwise it begins where one ends. false: out of memory. */
bool guard_create(guarded *g, size_t bytes, bool at_end);
void guard_destroy(guarded *g);

/* From now on writing to the buffer is a fault. */
bool guard_seal(const guarded *g);

/* Whether the bytes around the buffer are as they were. */
bool guard_intact(const guarded *g);

#endif
