/* 16-bit floats: every bit pattern, and rounding against its definition. */
#include "base/float16.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdbool.h>

typedef float widen(uint16_t);
typedef uint16_t narrow(float);

/* Every value survives the way to float and back; NaN stays NaN. */
static void round_trip(widen *to, narrow *from, uint32_t infinity)
{
    for (uint32_t h = 0; h <= 0xffff; h++) {
        float x = to((uint16_t)h);
        if ((h & 0x7fff) > infinity)
            cr_assert(isnan(x) && (from(x) & 0x7fffu) > infinity, "%04x: %g, back %04x", h, (double)x, from(x));
        else
            cr_assert(from(x) == h, "%04x is %a and comes back as %04x", h, (double)x, from(x));
    }
}
Test(float16, f16_round_trip) { round_trip(f32_from_f16, f16_from_f32, 0x7c00); }
Test(float16, bf16_round_trip) { round_trip(f32_from_bf16, bf16_from_f32, 0x7f80); }

/* Between two neighbours: below the middle goes down, above goes up, the middle to the even one. */
static void rounding(widen *to, narrow *from, uint32_t infinity)
{
    for (uint32_t h = 0; h + 1 < infinity; h++) {
        float low = to((uint16_t)h), high = to((uint16_t)(h + 1)), middle = low + (high - low) / 2;
        uint32_t even = h & 1 ? h + 1 : h;
        cr_assert(from(middle) == even, "the middle after %04x rounds to %04x", h, from(middle));
        cr_assert(from(nextafterf(middle, 0)) == h, "below the middle after %04x: %04x", h, from(nextafterf(middle, 0)));
        cr_assert(from(nextafterf(middle, INFINITY)) == h + 1, "above the middle after %04x: %04x", h,
                  from(nextafterf(middle, INFINITY)));
        cr_assert(from(-middle) == (even | 0x8000u), "minus the middle after %04x: %04x", h, from(-middle));
    }
}
Test(float16, f16_rounds_to_nearest_even) { rounding(f32_from_f16, f16_from_f32, 0x7c00); }
Test(float16, bf16_rounds_to_nearest_even) { rounding(f32_from_bf16, bf16_from_f32, 0x7f80); }

Test(float16, what_is_too_large_becomes_infinite)
{
    cr_assert(f16_from_f32(65519.996f) == 0x7bff && f16_from_f32(65520) == 0x7c00 && f16_from_f32(-1e30f) == 0xfc00, "f16");
    cr_assert(bf16_from_f32(3.39e38f) == 0x7f7f && bf16_from_f32(3.4e38f) == 0x7f80, "bf16: %04x %04x",
              bf16_from_f32(3.39e38f), bf16_from_f32(3.4e38f));
}

Test(float16, arrays_agree_with_elements)
{
    enum { COUNT = 100 };
    uint16_t h[COUNT], back[COUNT];
    float x[COUNT];
    for (uint32_t i = 0; i < COUNT; i++)
        h[i] = (uint16_t)(i * 653);
    f32_from_f16_array(x, h, COUNT);
    f16_from_f32_array(back, x, COUNT);
    for (uint32_t i = 0; i < COUNT; i++)
        cr_assert(float_bits(x[i]) == float_bits(f32_from_f16(h[i])) && back[i] == f16_from_f32(x[i]), "f16 element %u", i);
    f32_from_bf16_array(x, h, COUNT);
    bf16_from_f32_array(back, x, COUNT);
    for (uint32_t i = 0; i < COUNT; i++)
        cr_assert(float_bits(x[i]) == float_bits(f32_from_bf16(h[i])) && back[i] == bf16_from_f32(x[i]), "bf16 element %u", i);
}
