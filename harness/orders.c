/* Williams designs. See orders.h.
 *
 * The first row of a square of k arms is 0, 1, k-1, 2, k-2, ...: its steps from place to place are all different modulo k when k is
 * even. Row r adds r to each, so that every step meets every arm: each arm follows each other once. When k is odd each step comes
 * twice or not at all; the same rows read backwards make up for it.
 *
 * Source: Williams, Experimental designs balanced for the estimation of residual effects of treatments (1949). */
#include "harness/orders.h"

#include <assert.h>

#include "base/rng.h"

size_t orders_rows(size_t arms)
{
    return arms % 2 && arms > 1 ? 2 * arms : arms;
}

void orders_row(size_t *out, size_t arms, size_t row)
{
    assert(arms >= 1 && arms <= ORDERS_MOST_ARMS && row < orders_rows(arms));
    for (size_t place = 0; place < arms; place++) {
        const size_t first = place % 2 ? (place + 1) / 2 : (arms - place / 2) % arms;
        out[row < arms ? place : arms - 1 - place] = (first + row) % arms;
    }
}

void orders_of_block(size_t *out, size_t arms, size_t block, uint64_t series, uint64_t seed)
{
    size_t rows[2 * ORDERS_MOST_ARMS];
    const size_t count = orders_rows(arms), group = block / count;
    const rng parent = rng_make(seed, series);
    rng draw = rng_split(&parent, group);
    for (size_t i = 0; i < count; i++) {
        const size_t j = (size_t)rng_below(&draw, i + 1);
        rows[i] = rows[j];
        rows[j] = i;
    }
    orders_row(out, arms, rows[block % count]);
}
