/* The checker checked: guard pages fault, limits hold the oracle's own rounding and nothing that is wrong. */
#include <criterion/criterion.h>

#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness/check.h"

/* The signal that ends a process touching one byte. */
static int touch(unsigned char *at, bool write)
{
    pid_t child = fork();
    if (child == 0) {
        signal(SIGSEGV, SIG_DFL);
        volatile unsigned char *byte = at;
        if (write)
            *byte = 1;
        else
            (void)*byte;
        _exit(0);
    }
    int status;
    waitpid(child, &status, 0);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

Test(check, guard_pages_fault)
{
    static const size_t sizes[] = {1, 12, 4096, 5000};
    for (size_t s = 0; s < 4; s++)
        for (int at_end = 0; at_end < 2; at_end++) {
            guarded g;
            cr_assert(guard_create(&g, sizes[s], at_end), "out of memory");
            unsigned char *first = g.at;
            memset(first, 1, sizes[s]);
            cr_assert(guard_intact(&g), "size %zu: not intact after use", sizes[s]);
            unsigned char *beyond = at_end ? first + sizes[s] : first - 1;
            cr_assert(touch(beyond, false) == SIGSEGV && touch(beyond, true) == SIGSEGV,
                      "size %zu at_end %d: no fault", sizes[s], at_end);
            cr_assert(touch(first, true) == 0, "size %zu: the buffer itself faults", sizes[s]);
            unsigned char *slack = at_end ? first - 1 : first + sizes[s];
            if (g.body > sizes[s]) {
                *slack ^= 1;
                cr_assert(!guard_intact(&g), "size %zu at_end %d: a write beside the buffer is not seen",
                          sizes[s], at_end);
            }
            cr_assert(guard_seal(&g) && touch(first, true) == SIGSEGV && touch(first, false) == 0,
                      "not sealed");
            guard_destroy(&g);
        }
}

static attn_layout *layout_of(const char *text, const check_case *c)
{
    attn_spec *spec;
    attn_layout *layout;
    attn_error err;
    cr_assert(attn_spec_parse(&spec, text, &err) == ATTN_OK, "%s", err.message);
    cr_assert(attn_layout_create(&layout, spec, c->nq, c->nk, c->heads, &err) == ATTN_OK, "%s", err.message);
    attn_spec_destroy(spec);
    return layout;
}

/* The oracle's answer on another pattern, or on this one changed, as a kernel might give it. */
typedef struct answer {
    float *o, *lse;
} answer;

static answer answer_of(const check_reference *r)
{
    size_t rows = r->c.batch * r->c.heads * r->c.nq, count = rows * r->c.dim;
    answer a = {malloc(count * sizeof(float)), malloc(rows * sizeof(float))};
    for (size_t e = 0; e < count; e++)
        a.o[e] = (float)r->o[e];
    for (size_t e = 0; e < rows; e++)
        a.lse[e] = (float)r->lse[e];
    return a;
}

static check_verdict verdict_on(const check_reference *r, const answer *a)
{
    check_verdict v = {0};
    check_compare(r, 24, a->o, a->lse, &v);
    return v;
}

static void answer_free(answer *a)
{
    free(a->o);
    free(a->lse);
}

static void reference_free(check_reference *r)
{
    attn_layout_destroy((attn_layout *)(uintptr_t)r->layout);
    check_reference_destroy(r);
}

static check_reference reference(const char *spec, const check_case *c)
{
    check_reference r;
    attn_error err;
    cr_assert(check_reference_create(&r, c, layout_of(spec, c), 1, &err) == ATTN_OK, "%s", err.message);
    return r;
}

Test(check, the_rounded_truth_is_right_for_every_fill)
{
    for (int fill = 0; fill < CHECK_FILLS; fill++) {
        check_case c = {1, 2, 1, 40, 40, 24, (check_fill)fill, ATTN_F32};
        check_reference r = reference("strided:l=6", &c);
        answer a = answer_of(&r);
        check_verdict v = verdict_on(&r, &a);
        cr_assert(!*v.fault, "%s: %s", check_fill_names[fill], v.fault);
        cr_assert(v.worst_ratio < 0.9, "%s: rounding takes %g of the limit", check_fill_names[fill],
                  v.worst_ratio);
        answer_free(&a);
        reference_free(&r);
    }
}

/* One key too few or too many, in any row, is beyond the limit. */
Test(check, a_missing_key_is_wrong)
{
    static const char *const wrong[] = {"local:k=9", "local:k=11", "local:k=10,causal=0", "dense"};
    check_case c = {1, 1, 1, 120, 120, 32, FILL_NORMAL, ATTN_F32};
    check_reference right = reference("local:k=10", &c);
    for (size_t w = 0; w < sizeof wrong / sizeof *wrong; w++) {
        check_reference other = reference(wrong[w], &c);
        answer b = answer_of(&other);
        size_t rows = 0;
        for (size_t row = 0; row < c.nq; row++) {
            bool differs = right.lse[row] != other.lse[row];
            answer one = answer_of(&right);
            memcpy(one.o + row * c.dim, b.o + row * c.dim, c.dim * sizeof(float));
            check_verdict v = verdict_on(&right, &one);
            cr_assert(!*v.fault != differs, "%s row %zu: %s", wrong[w], row, v.fault);
            rows += differs;
            answer_free(&one);
        }
        cr_assert(rows > 100, "%s: only %zu rows differ", wrong[w], rows);
        answer_free(&b);
        reference_free(&other);
    }
    reference_free(&right);
}

Test(check, faults_of_every_kind)
{
    check_case c = {2, 2, 1, 30, 30, 8, FILL_NORMAL, ATTN_F32};
    check_reference r = reference("fixed:l=6,c=2,head=summary", &c); /* the first rows are empty */
    answer a = answer_of(&r);
    cr_assert(isinf(a.lse[0]) && a.o[0] == 0, "row 0 is not empty");
    size_t row = 3 * 30 + 25; /* batch 1, head 1 */
    const struct {
        float *at;
        float value;
        const char *where;
    } faults[] = {
        {&a.o[row * 8 + 5], a.o[row * 8 + 5] + 1e-3f, "batch 1 head 1 row 25 element 5"},
        {&a.o[row * 8], NAN, "batch 1 head 1 row 25 element 0 is nan"},
        {&a.o[row * 8], INFINITY, "inf"},
        {&a.o[0], 1e-6f, "batch 0 head 0 row 0 element 0"},
        {&a.lse[row], a.lse[row] + 1e-3f, "batch 1 head 1 row 25: lse"},
        {&a.lse[row], -INFINITY, "row 25: lse is -inf"},
        {&a.lse[0], -1e30f, "row 0: lse"},
        {&a.lse[0], INFINITY, "row 0: lse"},
        {&a.lse[0], NAN, "row 0: lse"},
    };
    for (size_t f = 0; f < sizeof faults / sizeof *faults; f++) {
        float kept = *faults[f].at;
        *faults[f].at = faults[f].value;
        check_verdict v = verdict_on(&r, &a);
        *faults[f].at = kept;
        cr_assert(strstr(v.fault, faults[f].where), "fault %zu: '%s'", f, v.fault);
    }
    check_verdict v = verdict_on(&r, &a);
    cr_assert(!*v.fault, "%s", v.fault);
    answer_free(&a);
    reference_free(&r);
}

/* A NaN that a row may see must show, one that it may not must not. */
Test(check, lost_and_leaked_nans_are_wrong)
{
    check_case c = {1, 1, 1, 30, 30, 8, FILL_NAN, ATTN_F32};
    check_reference r = reference("local:k=2", &c);
    answer a = answer_of(&r);
    size_t seen = 0, clean = 0;
    for (size_t e = 0; e < 30 * 8; e++) {
        float kept = a.o[e];
        bool nan = isnan(kept);
        a.o[e] = nan ? 0 : NAN;
        check_verdict v = verdict_on(&r, &a);
        a.o[e] = kept;
        cr_assert(*v.fault, "element %zu", e);
        nan ? seen++ : clean++;
    }
    cr_assert(seen > 8 && clean > 80, "%zu elements are NaN, %zu are not", seen, clean);
    answer_free(&a);
    reference_free(&r);
}

Test(check, cases_follow_the_choice)
{
    const size_t n[] = {19}, d[] = {7};
    check_choice all = {.fill = -1, .dtype = -1}, quick = {.fill = -1, .dtype = -1, .quick = true};
    check_choice one = {.n = n,
                        .n_count = 1,
                        .dims = d,
                        .dim_count = 1,
                        .nq = 5,
                        .heads = 4,
                        .kv_heads = 2,
                        .batch = 3,
                        .fill = FILL_INF,
                        .dtype = ATTN_BF16};
    size_t all_count, quick_count, one_count;
    check_case *cases = check_cases(&all, &all_count), *fewer = check_cases(&quick, &quick_count),
               *single = check_cases(&one, &one_count);
    cr_assert(all_count > 2 * quick_count && quick_count > 10, "%zu and %zu cases", all_count, quick_count);
    cr_assert(one_count == 1, "%zu cases", one_count);
    check_case s = single[0];
    cr_assert(s.nk == 19 && s.nq == 5 && s.dim == 7 && s.heads == 4 && s.kv_heads == 2 && s.batch == 3 &&
                  s.fill == FILL_INF && s.dtype == ATTN_BF16, "not the case asked for");
    bool fills[CHECK_FILLS] = {false}, dtypes[3] = {false}, longer = false, shorter = false, grouped = false;
    for (size_t k = 0; k < quick_count; k++) {
        fills[fewer[k].fill] = dtypes[fewer[k].dtype] = true;
        longer = longer || fewer[k].nq > fewer[k].nk;
        shorter = shorter || fewer[k].nq < fewer[k].nk;
        grouped = grouped || fewer[k].kv_heads < fewer[k].heads;
    }
    for (int f = 0; f < CHECK_FILLS; f++)
        cr_assert(fills[f], "--quick leaves out %s", check_fill_names[f]);
    cr_assert(dtypes[0] && dtypes[1] && dtypes[2] && longer && shorter && grouped,
              "--quick leaves out a dtype or shape");
    free(cases), free(fewer), free(single);
}
