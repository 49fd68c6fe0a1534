/* Two patterns that are as they should be.
 *
 *   bands   per head: bands of `width` keys every `period`, shifted by the head, from a table that prepare()
 *           builds; the band wraps, so a row has up to two combs
 *   coprime allows() alone: keys whose distance has no factor in common with `m` */
#include <attn/pattern.h>

#include <stdlib.h>

enum { PERIOD, WIDTH, SIDE };
enum { LOW, HIGH };
static const attn_param band_params[] = {
    [PERIOD] = {"period", 1, ATTN_MAX_N, "sqrt(n)+1", "distance between bands", NULL},
    [WIDTH] = {"width", 1, ATTN_MAX_N, "4", "keys of a band", NULL},
    [SIDE] = {"side", 0, 0, "low", "where in the period a band begins", "low|high"},
    {0},
};

/* state: the shift of every head */
static attn_status band_prepare(attn_pattern_args *a, uint32_t literal, attn_error *err)
{
    if (a->v[WIDTH] > a->v[PERIOD] && (literal & 1u << WIDTH) && (literal & 1u << PERIOD))
        return attn_fail(err, ATTN_EINVAL, "bands: width=%zu exceeds period=%zu", a->v[WIDTH], a->v[PERIOD]);
    if (a->v[WIDTH] > a->v[PERIOD])
        a->v[WIDTH] = a->v[PERIOD];
    size_t *shift = malloc(a->heads * sizeof *shift);
    if (!shift)
        return attn_fail(err, ATTN_ENOMEM, "out of memory");
    for (size_t h = 0; h < a->heads; h++)
        shift[h] = (h + (a->v[SIDE] == HIGH ? a->v[PERIOD] / 2 : 0)) % a->v[PERIOD];
    a->state = shift;
    return ATTN_OK;
}

static void band_release(attn_pattern_args *a)
{
    free(a->state);
}

static bool band_allows(const attn_pattern_args *a, size_t head, size_t i, size_t j)
{
    const size_t *shift = a->state;
    size_t period = a->v[PERIOD];
    return (j <= i || !a->causal) && (j % period + period - shift[head]) % period < a->v[WIDTH];
}

static void band_row(const attn_pattern_args *a, size_t head, size_t i, attn_combs *out)
{
    const size_t *shift = a->state;
    size_t end = a->causal ? i + 1 : a->nk, period = a->v[PERIOD], width = a->v[WIDTH];
    /* the band of the period before key 0 may reach into it */
    if (shift[head] + width > period) {
        size_t left = shift[head] + width - period;
        attn_emit(out, 0, left < end ? left : end, period, 1);
    }
    if (shift[head] >= end)
        return;
    size_t whole = end - shift[head] < width ? 0 : (end - shift[head] - width) / period + 1;
    attn_emit(out, shift[head], width, period, whole);
    size_t cut = shift[head] + whole * period;
    if (cut < end)
        attn_emit(out, cut, end - cut, period, 1);
}

static const attn_pattern bands = {
    .name = "bands",
    .summary = "bands of keys, shifted by the head",
    .params = band_params,
    .flags = ATTN_PER_HEAD,
    .allows = band_allows,
    .row = band_row,
    .prepare = band_prepare,
    .release = band_release,
};

static const attn_param coprime_params[] = {
    {"m", 1, ATTN_MAX_N, "6", "distances share no factor with this", NULL},
    {0},
};

static bool coprime_allows(const attn_pattern_args *a, size_t head, size_t i, size_t j)
{
    (void)head;
    if (j > i && a->causal)
        return false;
    size_t x = j <= i ? i - j : j - i, y = a->v[0];
    while (y) {
        size_t rest = x % y;
        x = y;
        y = rest;
    }
    return x == 1;
}

static const attn_pattern coprime = {
    .name = "coprime",
    .summary = "keys at distances without a factor in common with m",
    .params = coprime_params,
    .allows = coprime_allows,
};

ATTN_PLUGIN(&bands, &coprime);
