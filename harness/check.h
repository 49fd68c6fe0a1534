/* What the files of `check` share: cases, the reference they are compared with, and verdicts. */
#ifndef HARNESS_CHECK_H
#define HARNESS_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "attn/plan.h"
#include "harness/check_guard.h"

/* What the operands hold. */
typedef enum check_fill {
    FILL_NORMAL,   /* N(0,1) */
    FILL_HUGE,     /* scores of standard deviation 1e4 */
    FILL_NAN,      /* a NaN in a row of q, of k and of v in every head */
    FILL_INF,      /* infinities of both signs likewise */
    FILL_DENORMAL, /* every other value below the smallest normal float */
    FILL_CONSTANT, /* v is the same in every row: it must come back */
    FILL_SPECK,    /* NaN and infinities of both signs in one of a hundred elements of v */
    FILL_TINY,     /* v about 1e-38, where subnormals begin */
    FILL_BIG,      /* v about 5e37: sums of a few overflow fp32, means do not */
    CHECK_FILLS
} check_fill;
#define CHECK_FILL_CHOICES "normal|huge|nan|inf|denormal|constant|speck|tiny|big" /* in the order of check_fill */
extern const char *const check_fill_names[CHECK_FILLS];

/* Everything that decides one comparison, but for pattern and kernel. */
typedef struct check_case {
    size_t batch, heads, kv_heads, nq, nk, dim;
    check_fill fill;
    attn_dtype dtype;
} check_case;

/* ---- which cases: check_cases.c ---- */

/* What the user narrowed; 0, NULL or -1: not given. */
typedef struct check_choice {
    const size_t *n, *dims;
    size_t n_count, dim_count;
    size_t nq, heads, kv_heads, batch;
    int fill, dtype;
    bool quick;
} check_choice;

/* The cases for one pattern, in order; malloc'ed. NULL: out of memory. */
check_case *check_cases(const check_choice *choice, size_t *count);

/* Specs that exercise a pattern: its defaults, each word, the smallest and a small odd value of each number,
 * each causal and not. Some may be refused by the pattern. malloc'ed texts and array; NULL: out of memory. */
char **check_specs(const attn_pattern *pattern, bool quick, size_t *count);

/* ---- one case and its reference: check_reference.c ---- */

typedef struct check_reference {
    check_case c;
    const attn_layout *layout;
    guarded q[2], k[2], v[2]; /* of the case's dtype, read-only; [0] ends, [1] begins at a guard page */
    double *o, *lse;          /* by the oracle: [batch*heads*nq][dim], [batch*heads*nq] */
    double *o_limit, *lse_limit; /* [batch*heads*nq]: how far a right result may be from the oracle's */
    double *largest;             /* [batch*heads*nq]: of the magnitudes that o is an average of */
} check_reference;

ATTN_MUST_CHECK attn_status check_reference_create(check_reference *out, const check_case *c,
                                                   const attn_layout *layout, uint64_t seed, attn_error *err);
void check_reference_destroy(check_reference *r);

typedef struct check_verdict {
    double worst_abs;   /* largest error of a finite element of o */
    double worst_ratio; /* largest ratio of an error of o or lse to its limit */
    char fault[200];    /* what is wrong first; empty: nothing */
} check_verdict;

/* Compares a kernel's output with the oracle's, adding to the verdict. weight_bits: of the kernel's info. */
void check_compare(const check_reference *r, uint32_t weight_bits, const void *o, const float *lse,
                   check_verdict *verdict);

/* ---- all cases on this CPU level: check_run.c ---- */

/* One line of the result: a kernel on a pattern. */
typedef struct check_row {
    const char *kernel, *isa, *pattern;
    size_t cases, failures;
    double worst_abs;         /* error of o in the f32 cases with ordinary contents; NaN: there are none */
    double worst_ratio;       /* of any error to its limit, over all cases */
    const char *skipped; /* why there are no cases, or NULL */
    const char *replay;  /* of the first failure, or NULL */
} check_row;

typedef struct check_job {
    const char *const *specs; /* as the user wrote them; none: what check_specs() gives for every pattern */
    size_t spec_count;
    const char *kernel;       /* NULL: all */
    check_choice choice;
    uint64_t seed;
    const char *level;        /* for messages and replays */
    bool conformance;         /* compare the patterns' callbacks with each other first */
    bool plugins_only;        /* without specs: only patterns that are not built in */
    void (*report)(void *context, const check_row *row);
    void *context;
} check_job;

typedef struct check_result {
    size_t wrong_cases;    /* of kernels */
    size_t wrong_patterns; /* whose callbacks disagree; kernels do not run on them */
} check_result;

/* Runs the job and reports each row as it is finished. Failures are told on stderr, one line each for the
 * first of a row. EINVAL: a spec of the user's is refused at a size asked for; ENOMEM. */
ATTN_MUST_CHECK attn_status check_run(const check_job *job, check_result *out, attn_error *err);

#endif
