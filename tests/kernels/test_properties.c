/* What must hold for every kernel whatever the numbers are. */
#include "support/kernel_list.h"
#include "support/scene.h"

#include <criterion/criterion.h>
#include <fenv.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/plan_parts.h"


static const char *const specs[] = {
    "dense", "dense:causal=0", "local:k=19", "strided:l=12", "strided:l=9,causal=0", "strided:l=11,head=column",
    "fixed:l=15,c=4", "fixed:l=16,c=3,head=summary",
};
enum { SPECS = sizeof specs / sizeof specs[0] };

#define FOR_EACH_KERNEL(k) \
    const kernel *list_[MAX_KERNELS]; \
    size_t kernels_here_ = runnable_kernels(list_, MAX_KERNELS); \
    for (const kernel **each_ = list_, *k = *each_; each_ < list_ + kernels_here_; k = *++each_)

/* ---- the softmax is an average ---- */

Test(properties, constant_values_come_back)
{
    FOR_EACH_KERNEL(k)
        for (size_t p = 0; p < SPECS; p++) {
            scene s = {.spec = specs[p], .nq = 150, .dim = 20, .descriptor = k, .seed = (unsigned)p};
            scene_open(&s);
            for (size_t i = 0; i < scene_keys(&s); i++)
                scene_set(&s, s.v, i, (double)(i % s.dim) - 9.5);
            scene_run(&s);
            for (size_t i = 0; i < scene_queries(&s); i++) {
                double want = isinf(s.lse[i / s.dim]) ? 0 : (double)(i % s.dim) - 9.5, got = scene_get(&s, s.o, i);
                cr_assert(fabs(got - want) <= 1e-6 * fabs(want), "%s: element %zu is %.9g, not %g", s.name, i, got, want);
            }
            scene_close(&s);
        }
}

/* ---- bit for bit ---- */

static void copy_results(const scene *s, void **o, float **lse)
{
    size_t bytes = scene_queries(s) * attn_dtype_size(s->dtype), rows = s->batch * s->heads * s->nq;
    *o = malloc(bytes);
    *lse = malloc(rows * sizeof **lse);
    memcpy(*o, s->o, bytes);
    memcpy(*lse, s->lse, rows * sizeof **lse);
}

static bool same_results(const scene *s, const void *o, const float *lse)
{
    return memcmp(o, s->o, scene_queries(s) * attn_dtype_size(s->dtype)) == 0 &&
           memcmp(lse, s->lse, s->batch * s->heads * s->nq * sizeof *lse) == 0;
}

Test(properties, any_number_of_threads_gives_the_same_bits)
{
    static const struct { size_t nq, heads, batch, dim; attn_dtype dtype; } shapes[] = {
        {700, 1, 1, 16, ATTN_F32}, {130, 3, 2, 24, ATTN_F32}, {90, 5, 2, 9, ATTN_BF16}};
    static const int threads[] = {2, 5};
    FOR_EACH_KERNEL(k)
        for (size_t p = 0; p < SPECS; p++)
            for (size_t z = 0; z < sizeof shapes / sizeof shapes[0]; z++) {
                scene s = {.spec = specs[p], .nq = shapes[z].nq, .heads = shapes[z].heads, .batch = shapes[z].batch,
                           .dim = shapes[z].dim, .dtype = shapes[z].dtype, .descriptor = k, .seed = (unsigned)(p + z)};
                void *o;
                float *lse;
                scene_open(&s);
                scene_run(&s);
                copy_results(&s, &o, &lse);
                for (size_t t = 0; t < sizeof threads / sizeof threads[0]; t++) {
                    s.threads = threads[t];
                    scene_plan(&s);
                    scene_run(&s);
                    cr_assert(same_results(&s, o, lse), "%s: not what one thread computes", s.name);
                }
                free(o);
                free(lse);
                scene_close(&s);
            }
}

Test(properties, permuting_heads_permutes_outputs)
{
    FOR_EACH_KERNEL(k)
        for (size_t p = 0; p < SPECS; p++) {
            scene s = {.spec = specs[p], .nq = 77, .heads = 3, .dim = 12, .descriptor = k, .seed = (unsigned)p};
            scene_open(&s);
            scene_run(&s);
            void *o;
            float *lse;
            copy_results(&s, &o, &lse);
            size_t head = s.nq * s.dim * sizeof(float); /* head g becomes head (g + 1) % 3 */
            void *tensors[] = {s.q, s.k, s.v};
            for (size_t t = 0; t < 3; t++) {
                char *from = malloc(3 * head);
                memcpy(from, tensors[t], 3 * head);
                for (size_t g = 0; g < 3; g++)
                    memcpy((char *)tensors[t] + (g + 1) % 3 * head, from + g * head, head);
                free(from);
            }
            scene_run(&s);
            for (size_t g = 0; g < 3; g++)
                cr_assert(memcmp((char *)s.o + (g + 1) % 3 * head, (char *)o + g * head, head) == 0 &&
                              memcmp(s.lse + (g + 1) % 3 * s.nq, lse + g * s.nq, s.nq * sizeof *lse) == 0,
                          "%s: head %zu", s.name, g);
            free(o);
            free(lse);
            scene_close(&s);
        }
}

Test(properties, grouped_heads_equal_copied_heads)
{
    FOR_EACH_KERNEL(k) {
        scene grouped = {.spec = "strided:l=9", .nq = 60, .heads = 6, .kv_heads = 2, .batch = 2, .dim = 10,
                         .descriptor = k, .seed = 4};
        scene copied = grouped;
        copied.kv_heads = 6;
        scene_open(&grouped);
        scene_open(&copied);
        size_t head = grouped.nk * grouped.dim * sizeof(float);
        memcpy(copied.q, grouped.q, scene_queries(&grouped) * sizeof(float));
        for (size_t b = 0; b < 2; b++)
            for (size_t g = 0; g < 6; g++) {
                memcpy((char *)copied.k + (b * 6 + g) * head, (char *)grouped.k + (b * 2 + g / 3) * head, head);
                memcpy((char *)copied.v + (b * 6 + g) * head, (char *)grouped.v + (b * 2 + g / 3) * head, head);
            }
        scene_run(&grouped);
        scene_run(&copied);
        cr_assert(same_results(&grouped, copied.o, copied.lse), "%s: differs from copied heads", grouped.name);
        scene_close(&grouped);
        scene_close(&copied);
    }
}

Test(properties, a_second_run_and_no_lse_change_nothing)
{
    FOR_EACH_KERNEL(k) {
        scene s = {.spec = "strided:l=9", .nq = 130, .heads = 2, .dim = 16, .descriptor = k, .threads = 2, .seed = 1};
        scene_open(&s);
        scene_run(&s);
        void *o;
        float *lse;
        copy_results(&s, &o, &lse);
        scene_run(&s);
        cr_assert(same_results(&s, o, lse), "%s: the second run differs", s.name);
        attn_plan_run(s.plan, s.q, s.k, s.v, s.o, NULL);
        cr_assert(same_results(&s, o, lse), "%s: the run without lse differs", s.name);
        free(o);
        free(lse);
        scene_close(&s);
    }
}

static void *run_often(void *plan_of)
{
    scene *s = plan_of;
    for (int i = 0; i < 20; i++)
        attn_plan_run(s->plan, s->q, s->k, s->v, s->o, s->lse);
    return NULL;
}

Test(properties, plans_run_side_by_side)
{
    scene one = {.spec = "strided:l=9", .nq = 100, .heads = 2, .dim = 16, .threads = 2, .seed = 1}, two = one;
    scene_open(&one);
    scene_open(&two);
    pthread_t a, b;
    cr_assert(pthread_create(&a, NULL, run_often, &one) == 0 && pthread_create(&b, NULL, run_often, &two) == 0, "threads");
    pthread_join(a, NULL);
    pthread_join(b, NULL);
    cr_assert(same_results(&one, two.o, two.lse), "%s: two plans at once disagree", one.name);
    scene_oracle(&one);
    difference d = scene_compare(&one);
    cr_assert(d.relative <= 1e-6, "%s: relative error %.2e", one.name, d.relative);
    scene_close(&one);
    scene_close(&two);
}

/* ---- the caller's floating-point environment ---- */

Test(properties, the_environment_is_neither_used_nor_changed)
{
    FOR_EACH_KERNEL(k) {
        scene s = {.spec = "fixed:l=10,c=2", .nq = 90, .dim = 16, .descriptor = k, .threads = 1, .seed = 1};
        scene_open(&s);
        for (size_t i = 0; i < scene_keys(&s); i += 5) /* subnormal values, which flushing would lose */
            scene_set(&s, s.v, i, 1e-41);
        scene_run(&s);
        void *o;
        float *lse;
        copy_results(&s, &o, &lse);
        fesetround(FE_UPWARD);
        feclearexcept(FE_ALL_EXCEPT);
#if defined(__x86_64__)
        unsigned control = __builtin_ia32_stmxcsr() | 0x8040; /* flush to zero, subnormals are zero */
        __builtin_ia32_ldmxcsr(control);
#endif
        attn_plan_run(s.plan, s.q, s.k, s.v, s.o, s.lse);
        int rounding = fegetround(), raised = fetestexcept(FE_ALL_EXCEPT);
#if defined(__x86_64__)
        unsigned after = __builtin_ia32_stmxcsr();
        __builtin_ia32_ldmxcsr(0x1f80);
        cr_assert(after == control, "%s: MXCSR is %x, was %x", s.name, after, control);
#endif
        fesetenv(FE_DFL_ENV);
        cr_assert(rounding == FE_UPWARD && raised == 0, "%s: rounding %d, exceptions %d", s.name, rounding, raised);
        cr_assert(same_results(&s, o, lse), "%s: the caller's environment changed the result", s.name);
        free(o);
        free(lse);
        scene_close(&s);
    }
}
