/* An arena: one aligned block that a plan lays all its memory out in, so that its size is known exactly.
 *
 * The same layout code runs twice: first over an arena without a base, which only counts, then, after
 * arena_open() has allocated what was counted, for real. Both passes take the same pieces in the same order,
 * so `used` ends at `size`. */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stdbool.h>
#include <stddef.h>

typedef struct arena {
    unsigned char *base; /* NULL while counting */
    size_t size;         /* bytes allocated */
    size_t used;
    bool overflow;       /* the sizes asked for do not fit size_t */
} arena;

enum { ARENA_ALIGN = 64 }; /* every piece starts on a cache line */

/* The next piece of count * size bytes, or NULL while counting (and after an overflow). Not cleared. */
void *arena_take(arena *a, size_t count, size_t size);

/* Allocates what was counted and starts again from zero. False: out of memory, or the count overflowed. */
bool arena_open(arena *a);
void arena_close(arena *a); /* frees; an arena never opened is fine */

#endif
