/* What unusual operands cost: the time of a forward run over that of normal ones, the two in turn, the least of each.
 *
 *   odd_inputs [KERNEL[:bf16] [N [ROUNDS]]]        default: auto 2048 15; d = 64, two heads, one thread
 *
 * docs/KERNELS.md has the table; `make odd-inputs` prints it. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "attn/attn.h"
#include "base/float16.h"

enum { DIM = 64, HEADS = 2 };

typedef struct operands {
    size_t n;                   /* rows of a head */
    size_t elements;            /* of a tensor */
    float *q, *k, *v;
} operands;

static uint64_t state = 1;
static float uniform(void)      /* [0, 1) */
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (float)(state >> 40) * 0x1p-24f;
}
static float normal(void)
{
    float sum = 0;
    for (int i = 0; i < 12; i++)
        sum += uniform();
    return sum - 6;
}

/* ---- inputs ---- */

static void in_first_row(const operands *x, float *tensor, float value)
{
    for (size_t h = 0; h < HEADS; h++)
        tensor[h * x->n * DIM + 3] = value;
}
static void in_a_percent(const operands *x, float *tensor, float value) /* of the rows, one element */
{
    for (size_t r = 7; r < x->elements / DIM; r += 100)
        tensor[r * DIM + r % DIM] = value;
}
static void times(const operands *x, float *tensor, float by)
{
    for (size_t i = 0; i < x->elements; i++)
        tensor[i] *= by;
}
static void normal_too(const operands *x) { (void)x; }
static void k_nan(const operands *x) { in_first_row(x, x->k, NAN); }
static void v_nan(const operands *x) { in_first_row(x, x->v, NAN); }
static void k_inf(const operands *x) { in_first_row(x, x->k, INFINITY); }
static void q_nans(const operands *x) { in_a_percent(x, x->q, NAN); }
static void k_nans(const operands *x) { in_a_percent(x, x->k, NAN); }
static void v_nans(const operands *x) { in_a_percent(x, x->v, NAN); }
static void q_infs(const operands *x) { in_a_percent(x, x->q, INFINITY); }
static void k_infs(const operands *x) { in_a_percent(x, x->k, -INFINITY); }
static void v_infs(const operands *x) { in_a_percent(x, x->v, INFINITY); }
static void v_all_inf(const operands *x)
{
    for (size_t i = 0; i < x->elements; i++)
        x->v[i] = INFINITY;
}
static void scores_1e3(const operands *x) { times(x, x->q, 350); }
static void growing(const operands *x)
{
    for (size_t i = 0; i < x->elements; i++) {
        x->q[i] = fabsf(x->q[i]);
        x->k[i] = 0.02f * (float)(i / DIM % x->n);
    }
}
static void k_subnormal(const operands *x) { times(x, x->k, 1e-39f); }
static void v_subnormal(const operands *x) { times(x, x->v, 1e-39f); }
static void v_huge(const operands *x) { times(x, x->v, 5e37f); }
static void opposed(const operands *x)
{
    times(x, x->q, 1e30f);
    times(x, x->k, 1e-30f);
}

static const struct {
    const char *name;
    void (*make)(const operands *);
} inputs[] = {
    {"normal (the noise)", normal_too}, {"NaN in k, key 0", k_nan}, {"NaN in v, key 0", v_nan}, {"inf in k, key 0", k_inf},
    {"NaN in 1% of q", q_nans}, {"NaN in 1% of k", k_nans}, {"NaN in 1% of v", v_nans}, {"inf in 1% of q", q_infs},
    {"-inf in 1% of k", k_infs}, {"inf in 1% of v", v_infs}, {"all of v inf", v_all_inf}, {"scores +-1e3", scores_1e3},
    {"scores growing along the keys", growing}, {"k subnormal", k_subnormal}, {"v subnormal", v_subnormal}, {"v * 5e37", v_huge},
    {"q * 1e30, k * 1e-30", opposed},
};
static const char *const specs[] = {"dense", "local:k=127", "strided:l=64", "fixed:l=64"};
enum { INPUTS = sizeof inputs / sizeof *inputs, SPECS = sizeof specs / sizeof *specs };

/* ---- timing ---- */

static operands make(size_t n)
{
    operands x = {.n = n, .elements = n * DIM * HEADS};
    float **tensors[] = {&x.q, &x.k, &x.v};
    state = 1;
    for (size_t t = 0; t < 3; t++) {
        *tensors[t] = aligned_alloc(64, x.elements * sizeof(float));
        if (!*tensors[t]) {
            fprintf(stderr, "odd_inputs: out of memory at n=%zu\n", n);
            exit(70);
        }
        for (size_t i = 0; i < x.elements; i++)
            (*tensors[t])[i] = normal();
    }
    return x;
}

static void release(operands *x)
{
    free(x->q);
    free(x->k);
    free(x->v);
}

static double run(attn_plan *plan, const operands *x, float *o)
{
    struct timespec a, b;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &a);
    attn_plan_run(plan, x->q, x->k, x->v, o, NULL);
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &b);
    return (double)(b.tv_sec - a.tv_sec) * 1e9 + (double)(b.tv_nsec - a.tv_nsec);
}

/* Rounds the tensors to bf16 where they are: half of each is unused then. */
static void narrow(const operands *x)
{
    float *const tensors[] = {x->q, x->k, x->v};
    for (size_t t = 0; t < 3; t++)
        for (size_t i = 0; i < x->elements; i++) {
            const uint16_t bits = bf16_from_f32(tensors[t][i]);
            memcpy((char *)tensors[t] + i * sizeof bits, &bits, sizeof bits);
        }
}

static attn_status open_plan(attn_plan **out, const char *text, size_t n, const char *kernel, attn_dtype dtype, attn_layout **layout,
                             attn_error *err)
{
    attn_spec *spec = NULL;
    attn_status status = attn_spec_parse(&spec, text, err);
    if (status == ATTN_OK)
        status = attn_layout_create(layout, spec, n, n, HEADS, err);
    attn_spec_destroy(spec);
    if (status == ATTN_OK)
        status = attn_plan_create(out, &(attn_problem){.layout = *layout, .batch = 1, .dim = DIM, .threads = 1, .kernel = kernel, .dtype = dtype}, err);
    return status;
}

int main(int count, char **words)
{
    char kernel[64];
    snprintf(kernel, sizeof kernel, "%s", count > 1 ? words[1] : "auto");
    char *const colon = strchr(kernel, ':');
    const attn_dtype dtype = colon ? ATTN_BF16 : ATTN_F32;
    if (colon && strcmp(colon, ":bf16") != 0) {
        fprintf(stderr, "odd_inputs: %s: a kernel, or one followed by :bf16\n", kernel);
        return 2;
    }
    const size_t n = count > 2 ? strtoul(words[2], NULL, 10) : 2048, rounds = count > 3 ? strtoul(words[3], NULL, 10) : 15;
    if (n < 128 || n > 65536 || rounds < 1) {
        fprintf(stderr, "odd_inputs: n=%zu, rounds=%zu: n is 128 to 65536, and there is at least one round\n", n, rounds);
        return 2;
    }
    operands usual = make(n);
    if (dtype == ATTN_BF16)
        narrow(&usual);
    float *o = calloc(usual.elements, sizeof *o);
    printf("%-30s", kernel);
    if (colon)
        *colon = 0;
    for (size_t p = 0; p < SPECS; p++)
        printf("%14s", specs[p]);
    for (size_t i = 0; o && i < INPUTS; i++) {
        operands odd = make(n);
        inputs[i].make(&odd);
        if (dtype == ATTN_BF16)
            narrow(&odd);
        printf("\n%-30s", inputs[i].name);
        for (size_t p = 0; p < SPECS; p++) {
            attn_plan *plan = NULL;
            attn_layout *layout = NULL;
            attn_error err;
            double least[2] = {HUGE_VAL, HUGE_VAL};
            if (open_plan(&plan, specs[p], n, kernel, dtype, &layout, &err) != ATTN_OK) {
                fprintf(stderr, "\nodd_inputs: %s\n", err.message);
                return 2;
            }
            for (size_t r = 0; r < rounds; r++) {
                least[0] = fmin(least[0], run(plan, &usual, o));
                least[1] = fmin(least[1], run(plan, &odd, o));
            }
            printf("%14.2f", least[1] / least[0]);
            fflush(stdout);
            attn_plan_destroy(plan);
            attn_layout_destroy(layout);
        }
        release(&odd);
    }
    puts("");
    release(&usual);
    free(o);
    return 0;
}
