/* The generator against published vectors, and its distributions against their moments. */
#include <criterion/criterion.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"

/* Three vectors that the authors of Philox publish with their code. */
Test(rng, philox_known_answers)
{
    static const struct {
        uint64_t seed, stream, index;
        uint32_t expected[4];
    } known[] = {
        {0, 0, 0, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {UINT64_MAX, UINT64_MAX, UINT64_MAX, {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {UINT64_C(0x299f31d0a4093822), UINT64_C(0x0370734413198a2e), UINT64_C(0x85a308d3243f6a88),
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    for (size_t k = 0; k < sizeof known / sizeof *known; k++) {
        uint32_t x[4];
        rng_block(known[k].seed, known[k].stream, known[k].index, x);
        cr_assert(memcmp(x, known[k].expected, sizeof x) == 0, "vector %zu: %08x %08x %08x %08x", k, x[0],
                  x[1], x[2], x[3]);
    }
}

/* Inputs are named by their seed in stored results: these numbers must never change. */
Test(rng, normal_golden_values)
{
    float x[4];
    rng_normal_fill(1, 0, 0, 4, x);
    cr_assert(x[0] == 0x1.8587c8p-2f && x[1] == -0x1.2f637cp-2f && x[2] == -0x1.fe6e18p-3f &&
                  x[3] == -0x1.00fb7ap+0f,
              "%a %a %a %a", (double)x[0], (double)x[1], (double)x[2], (double)x[3]);
}

Test(rng, draws_are_the_blocks_in_order)
{
    rng r = rng_make(7, 3);
    for (uint64_t index = 0; index < 100; index++) {
        uint32_t x[4];
        rng_block(7, 3, index, x);
        uint64_t drawn = rng_next(&r);
        cr_assert(drawn == ((uint64_t)x[1] << 32 | x[0]), "index %llu", (unsigned long long)index);
    }
}

Test(rng, normal_fill_from_anywhere_gives_the_same)
{
    enum { N = 2000 };
    static float whole[N], part[N];
    rng_normal_fill(5, 9, 0, N, whole);
    for (size_t first = 0; first < 300; first += 7) {
        for (size_t count = 0; count < 700; count += 99) {
            rng_normal_fill(5, 9, first, count, part);
            cr_assert(memcmp(part, whole + first, count * sizeof *part) == 0, "first %zu count %zu", first,
                      count);
        }
    }
    rng r = rng_make(5, 9);
    for (size_t block = 0; block < N / 4; block++) {
        float one = rng_normal(&r);
        cr_assert(one == whole[block * 4], "block %zu", block);
    }
}

/* The transform by libm in fp64, from the same bits. */
Test(rng, normal_is_box_muller)
{
    enum { BLOCKS = 100000 };
    static float x[BLOCKS * 4];
    rng_normal_fill(2, 0, 0, BLOCKS * 4, x);
    for (size_t block = 0; block < BLOCKS; block++) {
        uint32_t bits[4];
        rng_block(2, 0, block, bits);
        for (size_t pair = 0; pair < 2; pair++) {
            double u = ((double)bits[2 * pair] + 0.5) * 0x1p-32, turn = (double)bits[2 * pair + 1] * 0x1p-32;
            double radius = sqrt(-2 * log(u));
            /* Near u = 1 the radius is the root of a small number: an fp32 u moves it by up to 2^-12. */
            double tolerance = radius < 0.01 ? 3e-4 : 2e-5;
            double e0 = fabs((double)x[block * 4 + 2 * pair] - radius * cos(2 * M_PI * turn));
            double e1 = fabs((double)x[block * 4 + 2 * pair + 1] - radius * sin(2 * M_PI * turn));
            cr_assert(e0 < tolerance && e1 < tolerance, "block %zu pair %zu: off by %g and %g", block, pair,
                      e0, e1);
        }
    }
}

/* Mean, variance, skewness, kurtosis of N draws lie within 5 of their own standard deviations:
 * 1/sqrt(N), sqrt(2/N), sqrt(15/N), sqrt(96/N) for the raw moments. */
Test(rng, normal_moments)
{
    enum { N = 1 << 20 };
    static float x[N];
    for (uint64_t stream = 0; stream < 4; stream++) {
        rng_normal_fill(11, stream, 0, N, x);
        double m[5] = {0};
        for (size_t k = 0; k < N; k++) {
            double v = (double)x[k], p = 1;
            for (int order = 1; order <= 4; order++)
                m[order] += (p *= v) / N;
        }
        double sd = 1 / sqrt(N);
        cr_assert(fabs(m[1]) < 5 * sd && fabs(m[2] - 1) < 5 * sqrt(2) * sd &&
                      fabs(m[3]) < 5 * sqrt(15) * sd && fabs(m[4] - 3) < 5 * sqrt(96) * sd,
                  "stream %llu: moments %g %g %g %g", (unsigned long long)stream, m[1], m[2], m[3], m[4]);
    }
}

Test(rng, uniform_range_and_moments)
{
    enum { N = 1 << 20 };
    rng r = rng_make(3, 1);
    double sum = 0, squares = 0;
    for (size_t k = 0; k < N; k++) {
        double u = rng_uniform(&r);
        cr_assert(u >= 0 && u < 1, "draw %zu: %g", k, u);
        sum += u;
        squares += u * u;
    }
    double mean = sum / N, variance = squares / N - mean * mean;
    cr_assert(fabs(mean - 0.5) < 5 * sqrt(1.0 / 12 / N), "mean %g", mean);
    cr_assert(fabs(variance - 1.0 / 12) < 5 * sqrt(1.0 / 180 / N), "variance %g", variance);
}

Test(rng, below_is_even)
{
    enum { BOUND = 7, N = 70000 };
    size_t seen[BOUND] = {0};
    rng r = rng_make(1, 2);
    for (size_t k = 0; k < N; k++) {
        uint64_t x = rng_below(&r, BOUND);
        cr_assert(x < BOUND, "draw %zu: %llu", k, (unsigned long long)x);
        seen[x]++;
    }
    for (size_t v = 0; v < BOUND; v++) /* binomial: sd = sqrt(N p (1-p)) = 92.6 */
        cr_assert(fabs((double)seen[v] - N / BOUND) < 5 * 92.6, "value %zu drawn %zu times", v, seen[v]);
    cr_assert(rng_below(&r, 1) == 0, "bound 1");
}

Test(rng, seeds_streams_and_parts_differ)
{
    enum { N = 1 << 16 };
    static float a[N], b[N];
    rng parent = rng_make(1, 0);
    const struct {
        uint64_t seed, stream;
    } other[] = {{2, 0}, {1, 1}, {1, rng_split(&parent, 0).stream}, {1, rng_split(&parent, 1).stream}};
    rng_normal_fill(1, 0, 0, N, a);
    for (size_t k = 0; k < sizeof other / sizeof *other; k++) {
        rng_normal_fill(other[k].seed, other[k].stream, 0, N, b);
        double correlation = 0;
        for (size_t e = 0; e < N; e++)
            correlation += (double)a[e] * (double)b[e] / N;
        cr_assert(fabs(correlation) < 5 / sqrt(N), "pair %zu: correlation %g", k, correlation);
    }
    cr_assert(parent.index == 0, "splitting moved the parent");
    cr_assert(rng_split(&parent, 0).stream != rng_split(&parent, 1).stream, "parts share a stream");
}
