/* exp2 of every vector header: accuracy over its range, and what happens beyond. */
#include "support/exp2_instances.h"
#include "support/kernel_list.h"

#include <criterion/criterion.h>
#include <math.h>

enum { COUNT = 16 };

static void check(const char *name, exp2_array *f)
{
    _Alignas(64) float x[COUNT], y[COUNT];
    double worst = 0;
    for (float from = -100; from < 64; from += 0.0017f) {
        for (int i = 0; i < COUNT; i++)
            x[i] = y[i] = from + 0.0001f * (float)i;
        f(y, COUNT);
        for (int i = 0; i < COUNT; i++)
            worst = fmax(worst, fabs((double)y[i] / exp2((double)x[i]) - 1));
    }
    cr_assert(worst <= 1.6 * 0x1p-23, "%s: relative error %.2e, more than 1.6 ulp", name, worst);

    static const float beyond[] = {-127, -128, -200, -1e4f, -3e38f, -INFINITY, 127.5f, 128, 129, 255, 256, 384, 1e4f, 1e9f, 3e38f, INFINITY};
    for (int i = 0; i < COUNT; i++)
        y[i] = beyond[i];
    f(y, COUNT);
    for (int i = 0; i < COUNT; i++)
        cr_assert(beyond[i] < 0 ? y[i] == 0 : !(y[i] < 0x1p126f), "%s: 2^%g is %g", name, (double)beyond[i], (double)y[i]);

    for (uint32_t payload = 1; payload < 0x400000; payload = payload * 3 + 1) { /* quiet and signalling, both signs */
        for (int i = 0; i < COUNT; i++) {
            uint32_t bits = 0x7f800000u | payload | (i & 1 ? 0x400000u : 0) | (i & 2 ? 0x80000000u : 0);
            __builtin_memcpy(&y[i], &bits, sizeof bits);
        }
        f(y, COUNT);
        for (int i = 0; i < COUNT; i++)
            cr_assert(isnan(y[i]), "%s: NaN with payload %x becomes %g", name, payload, (double)y[i]);
    }
}

Test(exp2, portable) { check("portable", exp2_portable); }

Test(exp2, avx2)
{
    if (!exp2_avx2 || !kernel_runs("avx2"))
        cr_skip_test("no AVX2 here");
    check("avx2", exp2_avx2);
}

Test(exp2, avx512)
{
    if (!exp2_avx512 || !kernel_runs("avx512"))
        cr_skip_test("no AVX-512 here");
    check("avx512", exp2_avx512);
}

Test(exp2, avx512_emulated)
{
    if (!exp2_emulated)
        cr_skip_test("SIMDe is not installed");
    check("emulated", exp2_emulated);
}
