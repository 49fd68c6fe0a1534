/* Change points where steps and spikes are known. See selftest.h. */
#include "harness/selftest.h"

#include <assert.h>
#include <stdbool.h>

#include "base/rng.h"
#include "harness/changes.h"

enum { AFTER = 20, SPIKED = 60, MOST = 80 }; /* visits */

static void noise(double *y, size_t count, rng *r)
{
    for (size_t i = 0; i < count; i++)
        y[i] = (double)rng_normal(r);
}

size_t selftest_steps(double size, size_t series, uint64_t seed)
{
    static const size_t befores[] = {20, 40, 60};
    double y[MOST];
    change found[MOST];
    size_t located = 0;
    for (size_t t = 0; t < series; t++) {
        rng r = rng_make(seed, t);
        const size_t before = befores[t % 3], points = before + AFTER;
        bool near = false;
        noise(y, points, &r);
        for (size_t i = before; i < points; i++)
            y[i] += t % 2 ? size : -size;
        const size_t count = changes_find(y, points, found);
        for (size_t k = 0; k < count; k++)
            near |= found[k].at + 1 >= before && found[k].at <= before + 1;
        located += near;
    }
    return located;
}

selftest_spike_tally selftest_spikes(size_t series, uint64_t seed)
{
    static const double sizes[] = {5, -10, 20, -1000};
    double y[SPIKED];
    change found[SPIKED];
    selftest_spike_tally tally = {.series = series};
    for (size_t t = 0; t < series; t++) {
        rng r = rng_make(seed, t);
        const size_t at = (size_t)rng_below(&r, SPIKED);
        bool there = false, elsewhere = false;
        noise(y, SPIKED, &r);
        y[at] += sizes[t % 4];
        const size_t count = changes_find(y, SPIKED, found);
        for (size_t k = 0; k < count; k++) {
            const bool here = found[k].at == at || found[k].at == at + 1;
            there |= here;
            elsewhere |= !here;
        }
        tally.at_spike += there;
        tally.elsewhere += elsewhere;
    }
    return tally;
}
