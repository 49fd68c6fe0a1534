/* Change points, on series whose steps are known. Seeds are fixed, so rates are the same at every run. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "harness/changes.h"

enum { MOST = 400 };

/* Unit noise: normal, or Student's with 4 degrees of freedom, scaled to a variance of 1. */
static double draw(rng *r, bool heavy)
{
    const double z = (double)rng_normal(r);
    double chi = 0;
    for (int i = 0; i < 4 && heavy; i++) {
        const double e = (double)rng_normal(r);
        chi += e * e;
    }
    return heavy ? z / sqrt(chi / 4) / sqrt(2.0) : z;
}

static void fill(rng *r, bool heavy, double *y, size_t count)
{
    for (size_t i = 0; i < count; i++)
        y[i] = draw(r, heavy);
}

static size_t distance(size_t a, size_t b) { return a > b ? a - b : b - a; }

/* Of `trials` series with a step, how many show a change within one point of it. */
static size_t located(uint64_t seed, bool heavy, size_t before, double step, size_t trials)
{
    const size_t points = before + 20;
    rng r = rng_make(seed, before * 2 + heavy);
    double y[MOST];
    change found[MOST];
    size_t hits = 0;
    for (size_t t = 0; t < trials; t++) {
        fill(&r, heavy, y, points);
        for (size_t i = before; i < points; i++)
            y[i] += step;
        const size_t count = changes_find(y, points, found);
        bool hit = false;
        for (size_t k = 0; k < count; k++)
            hit |= distance(found[k].at, before) <= 1;
        hits += hit;
    }
    return hits;
}

/* With levels and spread known beforehand it would be 97.5% for normal noise: neighbours of the step look like the other side. */
Test(changes, a_step_of_3_sigma_is_located_within_one_point)
{
    enum { TRIALS = 800 };
    static const size_t before[] = {20, 40, 60, 300 /* longer than the window */};
    for (int heavy = 0; heavy < 2; heavy++) {
        size_t hits = 0, all = 0;
        for (size_t i = 0; i < sizeof before / sizeof before[0]; i++) {
            hits += located(11, heavy, before[i], 3, TRIALS) + located(12, heavy, before[i], -3, TRIALS);
            all += 2 * TRIALS;
        }
        cr_assert(hits * 100 >= all * 95, "heavy %d: %zu of %zu", heavy, hits, all);
    }
}

/* Six for most; a point that had to be held does not count. */
Test(changes, larger_steps_settle_after_five_to_seven_points)
{
    rng r = rng_make(12, 0);
    double y[60];
    change found[60];
    for (size_t t = 0; t < 500; t++) {
        fill(&r, false, y, 60);
        for (size_t i = 30; i < 60; i++)
            y[i] += 8;
        const size_t count = changes_find(y, 60, found);
        cr_assert(count == 1 && found[0].at == 30 && found[0].known <= 36, "trial %zu: %zu changes, first at %zu known at %zu", t, count,
                  found[0].at, found[0].known);
        cr_assert(fabs(found[0].after - found[0].before - 8) < 3, "trial %zu: size %g", t, found[0].after - found[0].before);
    }
}

Test(changes, noise_alone_rarely_shows_any)
{
    enum { TRIALS = 4000 };
    rng r = rng_make(13, 0);
    double y[100];
    change found[100];
    for (int heavy = 0; heavy < 2; heavy++) {
        size_t alarms = 0;
        for (size_t t = 0; t < TRIALS; t++) {
            fill(&r, heavy, y, 100);
            alarms += changes_find(y, 100, found) > 0;
        }
        cr_assert(alarms <= TRIALS / 200, "heavy %d: %zu of %d series of 100 points", heavy, alarms, TRIALS);
    }
}

/* Of any size, anywhere, alone or two: large ones are never a change, nor is the point behind them. Those of the size that noise
 * has now and then are seen as often as noise is, which is less than 1 in 1000. */
Test(changes, lone_spikes_never_count)
{
    enum { TRIALS = 1000, POINTS = 60 };
    static const double sizes[] = {3, 5, -5, 10, 30, -100, 1000, 1e6};
    rng r = rng_make(14, 0);
    double y[POINTS];
    change found[POINTS];
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        size_t alarms = 0, there = 0;
        for (size_t t = 0; t < TRIALS; t++) {
            const size_t at = (size_t)rng_below(&r, POINTS), second = (at + 3 + (size_t)rng_below(&r, POINTS - 6)) % POINTS;
            fill(&r, false, y, POINTS);
            y[at] += sizes[s];
            if (t % 2)
                y[second] -= sizes[s] / 2;
            const size_t count = changes_find(y, POINTS, found);
            alarms += count > 0;
            for (size_t k = 0; k < count; k++)
                there += found[k].at == at || found[k].at == at + 1;
        }
        cr_assert(there <= (fabs(sizes[s]) < 10), "spikes of %g: %zu of %d are changes", sizes[s], there, TRIALS);
        cr_assert(alarms <= TRIALS / 100, "spikes of %g: %zu of %d series show a change", sizes[s], alarms, TRIALS);
    }
}

/* Drawn, not made up: noise that stands high by chance behind a spike. Held within its neighbours, the spike was still the point
 * that made it a change (5.2 against 5). */
Test(changes, spike_does_not_complete_a_chance_step)
{
    const double y[] = {0.32,  -0.01, -0.64, -0.62, -0.19, 1.19,  -0.27, -2.49, 0.50,  -0.24, -0.63, -0.53, -0.99, 0.06,  -0.30,
                        -0.10, 0.63,  1.56,  0.41,  0.71,  -0.12, 0.66,  0.44,  -0.34, -0.03, -0.63, -0.62, 0.17,  0.45,  -0.43,
                        -1.39, 5.99,  1.60,  2.37,  0.96,  1.84,  1.80,  0.47,  0.68,  0.43,  1.34,  -0.97, 0.42,  0.04,  0.04,
                        0.58,  0.88,  -0.46, 0.97,  1.11,  -0.43, -1.16, -2.75, -0.55, 0.50,  0.40,  -1.85, 1.18,  -1.14, -0.33};
    change found[12];
    const size_t count = changes_find(y, sizeof y / sizeof y[0], found);
    cr_assert(count == 0, "%zu changes, first at %zu", count, found[0].at);
}

Test(changes, spikes_do_not_hide_or_move_a_step)
{
    enum { TRIALS = 500 };
    rng r = rng_make(15, 0);
    double y[60];
    change found[60];
    size_t hits = 0;
    for (size_t t = 0; t < TRIALS; t++) {
        fill(&r, false, y, 60);
        for (size_t i = 30; i < 60; i++)
            y[i] += 5;
        y[10 + rng_below(&r, 15)] += 50;
        y[37 + rng_below(&r, 15)] -= 50;
        const size_t count = changes_find(y, 60, found);
        bool hit = false;
        for (size_t k = 0; k < count; k++)
            hit |= distance(found[k].at, 30) <= 1;
        hits += hit;
    }
    cr_assert(hits * 100 >= TRIALS * 95, "%zu of %d", hits, TRIALS);
}

/* Reading a series as it grows tells what reading it at once does: nothing confirmed is ever taken back or moved. */
Test(changes, what_is_found_stays_when_points_are_added)
{
    enum { POINTS = 160 };
    rng r = rng_make(16, 0);
    double y[POINTS];
    change whole[POINTS], part[POINTS];
    size_t all = 0;
    for (size_t t = 0; t < 40; t++) {
        double level = 0;
        for (size_t i = 0; i < POINTS; i++) {
            if (rng_below(&r, 25) == 0)
                level += 6 * draw(&r, false);
            y[i] = level + draw(&r, true) + (rng_below(&r, 20) == 0 ? 40 : 0);
        }
        const size_t count = changes_find(y, POINTS, whole);
        all += count;
        for (size_t k = 0; k < count; k++)
            cr_assert(whole[k].at + CHANGES_RUN <= whole[k].known + 1 && whole[k].known < POINTS, "trial %zu, change %zu", t, k);
        for (size_t length = 0; length <= POINTS; length++) {
            const size_t some = changes_find(y, length, part);
            size_t due = 0;
            while (due < count && whole[due].known < length)
                due++;
            cr_assert(some == due, "trial %zu: %zu of the first %zu points, %zu expected", t, some, length, due);
            for (size_t k = 0; k < some; k++)
                cr_assert(part[k].at == whole[k].at && part[k].known == whole[k].known && part[k].before == whole[k].before &&
                              part[k].after == whole[k].after && part[k].deviate == whole[k].deviate,
                          "trial %zu: change %zu differs in the first %zu points", t, k, length);
        }
    }
    cr_assert(all > 100, "only %zu changes to try", all);
}

/* Exact counts: no noise at all. */
Test(changes, levels_without_noise)
{
    double y[40];
    change found[40];
    for (size_t i = 0; i < 40; i++)
        y[i] = log(1e9) + (i >= 17 ? 0.005 : 0);
    size_t count = changes_find(y, 40, found);
    cr_assert(count == 1 && found[0].at == 17 && isinf(found[0].deviate), "%zu changes, first at %zu", count, found[0].at);
    for (size_t i = 0; i < 40; i++)
        y[i] = log(1e9);
    count = changes_find(y, 40, found);
    cr_assert(count == 0, "%zu changes in a constant", count);
    y[20] += 1;
    count = changes_find(y, 40, found);
    cr_assert(count == 0, "%zu changes in a constant with a spike", count);
    cr_assert(changes_find(y, 0, found) == 0 && changes_find(y, 9, found) == 0, "too short");
}
