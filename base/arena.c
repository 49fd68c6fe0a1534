/* The arena of arena.h. Large ones are aligned to 2 MiB and ask for huge pages: panels and row states are
 * walked with strides that would otherwise cost a TLB miss each. */
#include "base/arena.h"

#include <stdint.h>
#include <stdlib.h>
#ifdef __linux__
#include <sys/mman.h>
#endif

enum { HUGE_PAGE = 2 << 20 };

void *arena_take(arena *a, size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes) || bytes > SIZE_MAX - (ARENA_ALIGN - 1)) {
        a->overflow = true;
        return NULL;
    }
    bytes = (bytes + ARENA_ALIGN - 1) / ARENA_ALIGN * ARENA_ALIGN;
    size_t at = a->used;
    if (__builtin_add_overflow(a->used, bytes, &a->used))
        a->overflow = true;
    return a->base && !a->overflow ? a->base + at : NULL;
}

bool arena_open(arena *a)
{
    if (a->overflow || a->used > PTRDIFF_MAX - HUGE_PAGE)
        return false;
    size_t align = a->used >= 2 * (size_t)HUGE_PAGE ? HUGE_PAGE : ARENA_ALIGN;
    size_t bytes = (a->used + align - 1) / align * align;
    a->base = aligned_alloc(align, bytes ? bytes : align);
    if (!a->base)
        return false;
#if defined(__linux__) && defined(MADV_HUGEPAGE)
    if (align == HUGE_PAGE)
        (void)madvise(a->base, bytes, MADV_HUGEPAGE);
#endif
    a->size = a->used;
    a->used = 0;
    return true;
}

void arena_close(arena *a)
{
    free(a->base);
    *a = (arena){0};
}
