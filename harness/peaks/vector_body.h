/* The loops of one vector instruction set, over the vectors of kernels/simd_*.h.
 *
 * Defined before: PEAK_SYMBOL and PEAK_FIELDS; a vector header; CHAINS, how many multiply-adds are under way at once.
 * An FMA takes 4 or 5 cycles and two start in each, so 10 chains are the least; a multiplication and an
 * addition take 6 to 8 together, and two of each start. The chains converge to c / (1 - b) = 1: no
 * overflow, no subnormal number. */
#ifndef PEAK_UNROLL
#define PEAK_UNROLL _Pragma("GCC unroll 32")
#endif

static float sum_lanes(vf x)
{
    _Alignas(64) float lanes[LANES];
    float sum = 0;
    vf_store(lanes, x);
    for (int i = 0; i < LANES; i++)
        sum += lanes[i];
    return sum;
}

static float fma_run(size_t rounds, void *buffer, size_t bytes)
{
    (void)buffer, (void)bytes;
    vf a[CHAINS];
    PEAK_UNROLL for (int i = 0; i < CHAINS; i++)
        a[i] = vf_set1((float)(2 + i)); /* not 1, which a compiler sees to stay 1 */
    const vf b = vf_set1(0.999f), c = vf_set1(0.001f);
    for (size_t r = 0; r < rounds; r++) {
        PEAK_UNROLL for (int i = 0; i < CHAINS; i++)
            a[i] = vf_fma(a[i], b, c);
    }
    PEAK_UNROLL for (int i = 1; i < CHAINS; i++)
        a[0] = vf_add(a[0], a[i]);
    return sum_lanes(a[0]);
}

/* Four sums are enough: an exp2 is a dozen instructions, and theirs do not wait for each other. The kernels have their scores in
 * registers, so these are loaded first: VREDUCEPS of an operand in memory waits, on Zen 4, for what its destination held
 * before, and gcc 12 then chains one exp2 to the next (26 cycles each in place of 6). */
static float exp2_run(size_t rounds, void *buffer, size_t bytes)
{
    const float *x = buffer;
    const size_t count = bytes / sizeof *x;
    vf sum[4] = {vf_set1(0), vf_set1(0), vf_set1(0), vf_set1(0)};
    for (size_t r = 0; r < rounds; r++)
        for (size_t i = 0; i < count; i += 4 * LANES) {
            vf in[4];
            PEAK_UNROLL for (size_t k = 0; k < 4; k++)
                in[k] = vf_load(x + i + k * LANES);
            __asm__ volatile("" ::: "memory");
            PEAK_UNROLL for (size_t k = 0; k < 4; k++)
                sum[k] = vf_add(sum[k], vf_exp2(in[k]));
        }
    return sum_lanes(vf_add(vf_add(sum[0], sum[1]), vf_add(sum[2], sum[3])));
}

static float read_run(size_t rounds, void *buffer, size_t bytes)
{
    const float *x = buffer;
    const size_t count = bytes / sizeof *x;
    vf sum[8];
    PEAK_UNROLL for (int k = 0; k < 8; k++)
        sum[k] = vf_set1(0);
    for (size_t r = 0; r < rounds; r++)
        for (size_t i = 0; i < count; i += 8 * LANES) {
            PEAK_UNROLL for (size_t k = 0; k < 8; k++)
                sum[k] = vf_add(sum[k], vf_load(x + i + k * LANES));
        }
    PEAK_UNROLL for (int k = 1; k < 8; k++)
        sum[0] = vf_add(sum[0], sum[k]);
    return sum_lanes(sum[0]);
}

/* Plain stores, as the kernels': a line is read before it is written, which the count of bytes leaves out. What
 * stands between the groups keeps the compiler from calling memcpy() and memset(), which may do otherwise. */
static float copy_run(size_t rounds, void *buffer, size_t bytes)
{
    const size_t count = bytes / 2 / sizeof(float);
    const float *from = buffer;
    float *to = (float *)buffer + count;
    for (size_t r = 0; r < rounds; r++)
        for (size_t i = 0; i < count; i += 4 * LANES) {
            PEAK_UNROLL for (size_t k = 0; k < 4; k++)
                vf_store(to + i + k * LANES, vf_load(from + i + k * LANES));
            __asm__ volatile("" ::: "memory");
        }
    return to[count / 2];
}

static float write_run(size_t rounds, void *buffer, size_t bytes)
{
    const size_t count = bytes / sizeof(float);
    float *to = buffer;
    const vf x = vf_set1(0.5f);
    for (size_t r = 0; r < rounds; r++)
        for (size_t i = 0; i < count; i += 4 * LANES) {
            PEAK_UNROLL for (size_t k = 0; k < 4; k++)
                vf_store(to + i + k * LANES, x);
            __asm__ volatile("" ::: "memory");
        }
    return to[count / 2];
}

const peak_set PEAK_SYMBOL = {
    PEAK_FIELDS,
    .work = 2.0 * LANES * CHAINS,
    .run = {[PEAK_FMA] = fma_run,
            [PEAK_EXP2] = exp2_run,
            [PEAK_READ] = read_run,
            [PEAK_COPY] = copy_run,
            [PEAK_WRITE] = write_run},
};
