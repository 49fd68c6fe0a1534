/* The arena: two passes over one layout, aligned pieces, overflow. */
#include "base/arena.h"

#include <criterion/criterion.h>
#include <stdint.h>
#include <string.h>

static void lay_out(arena *a, void *piece[4])
{
    piece[0] = arena_take(a, 3, 1);
    piece[1] = arena_take(a, 0, 8);
    piece[2] = arena_take(a, 100, 12);
    piece[3] = arena_take(a, 1, 64);
}

Test(arena, both_passes_agree)
{
    arena a = {0};
    void *piece[4];
    lay_out(&a, piece);
    size_t counted = a.used;
    cr_assert(!piece[0] && !piece[3] && counted == 64 + 0 + 1216 + 64, "counted %zu", counted);
    cr_assert(arena_open(&a), "open");
    lay_out(&a, piece);
    cr_assert(a.used == counted && a.size == counted, "used %zu of %zu", a.used, a.size);
    for (int i = 0; i < 4; i++)
        cr_assert((uintptr_t)piece[i] % ARENA_ALIGN == 0, "piece %d is not aligned", i);
    memset(piece[2], 1, 1200);
    cr_assert((char *)piece[3] >= (char *)piece[2] + 1200, "pieces overlap");
    arena_close(&a);
    cr_assert(!a.base && !a.size, "closed");
}

Test(arena, large_ones_open_too)
{
    arena a = {0};
    arena_take(&a, (size_t)5 << 20, 1);
    cr_assert(arena_open(&a), "open");
    char *p = arena_take(&a, (size_t)5 << 20, 1);
    cr_assert(p && a.used == a.size, "used %zu of %zu", a.used, a.size);
    memset(p, 1, (size_t)5 << 20);
    arena_close(&a);
}

Test(arena, overflow_is_noticed)
{
    static const size_t sizes[][2] = {{SIZE_MAX, 2}, {SIZE_MAX, 1}, {SIZE_MAX / 2 + 1, 1}};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        arena a = {0};
        arena_take(&a, 64, 1);
        arena_take(&a, sizes[i][0], sizes[i][1]);
        cr_assert(!arena_open(&a) && !a.base, "%zu * %zu", sizes[i][0], sizes[i][1]);
        arena_close(&a);
    }
}

Test(arena, an_empty_one_is_fine)
{
    arena a = {0};
    cr_assert(arena_open(&a) && a.size == 0, "open");
    arena_close(&a);
    arena_close(&a);
}
