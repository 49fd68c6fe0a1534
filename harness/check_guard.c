/* Guard pages by mmap and mprotect. */
#include "harness/check_guard.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { CANARY = 0xa5 };

bool guard_create(guarded *g, size_t bytes, bool at_end)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), body = (bytes + page - 1) / page * page;
    *g = (guarded){0};
    unsigned char *map = mmap(NULL, body + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (map == MAP_FAILED)
        return false;
    if (mprotect(map + page, body, PROT_READ | PROT_WRITE) != 0) {
        munmap(map, body + 2 * page);
        return false;
    }
    memset(map + page, CANARY, body);
    *g = (guarded){at_end ? map + page + body - bytes : map + page, bytes, map, body};
    return true;
}

void guard_destroy(guarded *g)
{
    if (g->map)
        munmap(g->map, g->body + 2 * (size_t)sysconf(_SC_PAGESIZE));
    *g = (guarded){0};
}

bool guard_seal(const guarded *g)
{
    return mprotect(g->map + sysconf(_SC_PAGESIZE), g->body, PROT_READ) == 0;
}

bool guard_intact(const guarded *g)
{
    const unsigned char *begin = g->map + sysconf(_SC_PAGESIZE), *end = begin + g->body, *at = g->at;
    for (const unsigned char *p = begin; p < at; p++)
        if (*p != CANARY)
            return false;
    for (const unsigned char *p = at + g->bytes; p < end; p++)
        if (*p != CANARY)
            return false;
    return true;
}
