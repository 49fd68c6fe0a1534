/* Sampling and scanning; see facts.h. All of it on the bits of the elements: the order of magnitudes is that of
 * integers, and no subnormal passes through the floating-point unit. */
#include "kernels/facts.h"

#include <math.h>

#include "base/float16.h"

enum { SAMPLED_KEYS = 4 };

/* The word of a head. */
enum { SAMPLED = 1, ODD = 2, SCANNED = 4, K_SPECIAL = 8, V_SPECIAL = 16, K_EXPONENT = 16, V_EXPONENT = 32, BIAS = 512 };

/* Largest finite magnitude as bits, and whether there is another: for 32 and for 16 bits an element. */
#define DEFINE_LARGEST(name, uint, sint, none) \
    static uint name(const uint *x, size_t count, uint infinity, bool *special) \
    { \
        sint largest = 0, others = 0; \
        const sint limit = (sint)infinity; \
        for (size_t i = 0; i < count; i++) { \
            sint m = (sint)(x[i] & (none)), finite = m < limit ? m : 0; \
            others |= (sint)(m >= limit); \
            largest = finite > largest ? finite : largest; \
        } \
        *special |= others != 0; \
        return (uint)largest; \
    }
DEFINE_LARGEST(largest_32, uint32_t, int32_t, 0x7fffffffu)
DEFINE_LARGEST(largest_16, uint16_t, int16_t, 0x7fffu)
#undef DEFINE_LARGEST

static int exponent_of(double x)
{
    int e;
    return x > 0 ? (frexp(x, &e), e) : FACTS_ZERO;
}

static double value_of(uint32_t bits, attn_dtype dtype)
{
    if (dtype == ATTN_F32) { /* by hand: it may be subnormal, and those may be switched off */
        uint32_t e = bits >> 23, m = bits & 0x7fffff;
        return ldexp((double)(e ? m | 0x800000 : m), (int)(e ? e : 1) - 150);
    }
    if (dtype == ATTN_BF16)
        return value_of(bits << 16, ATTN_F32);
    return (double)f32_from_f16((uint16_t)bits);
}

/* Rows [row, row + count). */
static extent look_at(const shape *s, const void *tensor, size_t row, size_t count)
{
    extent m = {0};
    size_t first = row * s->dim, elements = count * s->dim;
    uint32_t bits;
    if (s->dtype == ATTN_F32)
        bits = largest_32((const uint32_t *)tensor + first, elements, 0x7f800000u, &m.special);
    else
        bits = largest_16((const uint16_t *)tensor + first, elements, s->dtype == ATTN_BF16 ? 0x7f80 : 0x7c00, &m.special);
    m.exponent = exponent_of(value_of(bits, s->dtype));
    return m;
}

extent facts_row(const shape *s, const void *tensor, size_t row)
{
    return look_at(s, tensor, row, 1);
}

static bool is_ordinary(extent m, int most)
{
    return !m.special && m.exponent > FACTS_ORDINARY_LEAST && m.exponent <= most;
}

static int clamp(int x, int least, int most)
{
    return x < least ? least : x > most ? most : x;
}

int facts_value_shift(int exponent)
{
    return exponent == FACTS_ZERO ? 0 : clamp(-exponent, -126, 126);
}

static facts decode(uint64_t word)
{
    facts f = {.scanned = word & SCANNED, .odd = word & ODD};
    if (!f.scanned)
        return f;
    f.k = (extent){word & K_SPECIAL, (int)(word >> K_EXPONENT & 0xffff) - BIAS};
    f.v = (extent){word & V_SPECIAL, (int)(word >> V_EXPONENT & 0xffff) - BIAS};
    if (f.odd && f.k.exponent != FACTS_ZERO) /* into the ordinary range, no further: the rest stays with q */
        f.k_shift = clamp(f.k.exponent, FACTS_ORDINARY_LEAST, FACTS_ORDINARY_K) - f.k.exponent;
    if (f.odd && (f.v.exponent <= FACTS_ORDINARY_LEAST || f.v.exponent > FACTS_ORDINARY_V))
        f.v_shift = facts_value_shift(f.v.exponent);
    return f;
}

uint64_t facts_word(const operands *x)
{
    return atomic_load_explicit(x->facts, memory_order_relaxed);
}

facts facts_known(const operands *x)
{
    return decode(facts_word(x));
}

static uint64_t sample(const shape *s, const operands *x)
{
    for (size_t i = 0; i < SAMPLED_KEYS; i++) {
        size_t key = i * (s->nk - 1) / (SAMPLED_KEYS - 1);
        if (!is_ordinary(facts_row(s, x->k, key), FACTS_ORDINARY_K) ||
            !is_ordinary(facts_row(s, x->v, key), FACTS_ORDINARY_V))
            return SAMPLED | ODD;
    }
    return SAMPLED;
}

static uint64_t scan(const shape *s, const operands *x)
{
    extent k = look_at(s, x->k, 0, s->nk), v = look_at(s, x->v, 0, s->nk);
    return SCANNED | (k.special ? K_SPECIAL : 0) | (v.special ? V_SPECIAL : 0) |
           (uint64_t)(k.exponent + BIAS) << K_EXPONENT | (uint64_t)(v.exponent + BIAS) << V_EXPONENT;
}

/* The word, with at least the bits `need`. */
static facts ask(const shape *s, const operands *x, uint64_t need)
{
    const uint64_t known = atomic_load_explicit(x->facts, memory_order_relaxed);
    uint64_t word = known;
    if (!(word & SAMPLED))
        word |= sample(s, x);
    if ((word & ODD || need & SCANNED) && !(word & SCANNED))
        word |= scan(s, x);
    if (word != known)
        atomic_fetch_or_explicit(x->facts, word, memory_order_relaxed);
    return decode(word);
}

facts facts_sampled(const shape *s, const operands *x)
{
    return ask(s, x, SAMPLED);
}

facts facts_scanned(const shape *s, const operands *x)
{
    return ask(s, x, SCANNED);
}

bool facts_scores_fit(const shape *s, int q, int k)
{
    /* |q k| d, with the scale in base 2 applied to q beforehand; twice the exponents' slack */
    double scale = fabs((double)s->scale) * 1.4427;
    return q + k + exponent_of((double)s->dim) + exponent_of(scale > 1 ? scale : 1) <= 124;
}
