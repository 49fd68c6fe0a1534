/* Orders of arms: Williams designs. */
#include <criterion/criterion.h>
#include <string.h>

#include "harness/orders.h"

enum { MOST = 12 };

typedef struct tally {
    size_t place[MOST][MOST];  /* of an arm at a place */
    size_t follows[MOST][MOST]; /* of an arm right before another */
} tally;

static void add(tally *t, const size_t *order, size_t arms)
{
    for (size_t i = 0; i < arms; i++) {
        cr_assert(order[i] < arms, "%zu is no arm of %zu", order[i], arms);
        t->place[order[i]][i]++;
        if (i)
            t->follows[order[i - 1]][order[i]]++;
    }
}

static void expect_balance(const tally *t, size_t arms, size_t places, size_t times, const char *what)
{
    for (size_t a = 0; a < arms; a++)
        for (size_t b = 0; b < arms; b++) {
            cr_assert(t->place[a][b] == places, "%s of %zu arms: arm %zu at place %zu %zu times", what, arms, a, b, t->place[a][b]);
            cr_assert(t->follows[a][b] == (a == b ? 0 : times), "%s of %zu arms: %zu, then %zu %zu times", what, arms, a, b,
                      t->follows[a][b]);
        }
}

/* Each arm at each place, and each arm right before each other, equally often: once for an even number of arms, twice for an odd one. */
Test(orders, designs_are_balanced)
{
    for (size_t arms = 2; arms <= MOST; arms++) {
        tally t = {{{0}}, {{0}}};
        const size_t times = arms % 2 ? 2 : 1;
        cr_assert(orders_rows(arms) == times * arms, "%zu rows of %zu arms", orders_rows(arms), arms);
        for (size_t r = 0; r < orders_rows(arms); r++) {
            size_t order[MOST];
            orders_row(order, arms, r);
            add(&t, order, arms);
        }
        expect_balance(&t, arms, times, times, "the design");
    }
}

/* So it stays where the rows are drawn: after each whole group, for each series. */
Test(orders, groups_of_blocks_are_balanced)
{
    enum { GROUPS = 3 };
    for (size_t arms = 2; arms <= MOST; arms++)
        for (uint64_t series = 0; series < 3; series++) {
            tally t = {{{0}}, {{0}}};
            const size_t rows = orders_rows(arms), times = arms % 2 ? 2 : 1;
            for (size_t b = 0; b < GROUPS * rows; b++) {
                size_t order[MOST];
                orders_of_block(order, arms, b, series, 7);
                add(&t, order, arms);
                if ((b + 1) % rows == 0)
                    expect_balance(&t, arms, times * ((b + 1) / rows), times * ((b + 1) / rows), "the groups");
            }
        }
}

/* Orders are a function of the seed; another seed, or another series, draws others. */
Test(orders, are_drawn_by_the_seed)
{
    enum { ARMS = 4, BLOCKS = 40 };
    size_t differ_by_seed = 0, differ_by_series = 0;
    for (size_t b = 0; b < BLOCKS; b++) {
        size_t one[ARMS], again[ARMS], seed[ARMS], series[ARMS];
        orders_of_block(one, ARMS, b, 5, 1);
        orders_of_block(again, ARMS, b, 5, 1);
        orders_of_block(seed, ARMS, b, 5, 2);
        orders_of_block(series, ARMS, b, 6, 1);
        cr_assert(memcmp(one, again, sizeof one) == 0, "block %zu is not the same again", b);
        differ_by_seed += memcmp(one, seed, sizeof one) != 0;
        differ_by_series += memcmp(one, series, sizeof one) != 0;
    }
    cr_assert(differ_by_seed > BLOCKS / 4 && differ_by_series > BLOCKS / 4, "%zu and %zu of %d blocks differ", differ_by_seed,
              differ_by_series, BLOCKS);
}

Test(orders, one_arm)
{
    size_t only = 9;
    orders_of_block(&only, 1, 3, 0, 1);
    cr_assert(orders_rows(1) == 1 && only == 0, "arm %zu", only);
}
