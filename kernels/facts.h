/* What kernels want to know of the keys and values of a head before they trust fp32 with them.
 *
 * Ordinary inputs need nothing of the kind, so nothing is looked at that need not be. A *sample* of a few keys
 * tells an ordinary head from one whose elements are NaN, infinite, all tiny or huge; only such an odd head, or
 * one that has given a kernel a result it doubts, is *scanned*. Both are functions of the tensors alone. They are
 * kept in one word per head, which whoever needs it first writes: should two threads scan a head at the same
 * time, they write the same.
 *
 * Odd heads are computed with shifted operands: k times 2^k_shift (and q times 2^-k_shift), v times 2^v_shift
 * (and o times 2^-v_shift), so that nothing overflows and nothing subnormal takes part. Whether a head is shifted
 * depends on its sample and contents alone, never on when it was scanned: results must not. */
#ifndef KERNELS_FACTS_H
#define KERNELS_FACTS_H

#include "kernels/kernel.h"

enum {
    FACTS_ZERO = -400,          /* exponent of a tensor of zeros */
    FACTS_ORDINARY_LEAST = -60, /* magnitudes of an ordinary sample reach 2^this ... */
    FACTS_ORDINARY_K = 60,      /* ... and stay below 2^this; */
    FACTS_ORDINARY_V = 40       /* with v below it no sum of weights can make the unnormalised o overflow */
};

/* Of some elements of a tensor. */
typedef struct extent {
    bool special;   /* one is NaN or infinite */
    int exponent;   /* every finite one is below 2^this in magnitude; FACTS_ZERO: they are zeros */
} extent;

typedef struct facts {
    bool scanned;            /* else only `odd` is known */
    bool odd;                /* so says the sample */
    extent k, v;
    int k_shift, v_shift;    /* 0 unless odd; |k_shift| <= 90, |v_shift| <= 126 */
} facts;

/* From the sample, and from a scan if the head is odd. */
facts facts_sampled(const shape *s, const operands *x);
/* From a scan. */
facts facts_scanned(const shape *s, const operands *x);
/* What is known already: nothing, perhaps. Also says what others may have found out since. */
facts facts_known(const operands *x);
/* The same as a word, only good to be compared with an earlier one. */
uint64_t facts_word(const operands *x);

/* Of row `row` of a tensor of the shape's dtype and dim. */
extent facts_row(const shape *s, const void *tensor, size_t row);

/* The shift that brings magnitudes below 2^exponent to about 1, within what a float can be multiplied by. */
int facts_value_shift(int exponent);

/* Whether no score of finite operands below 2^q and 2^k in magnitude can overflow fp32, on the way to it included:
 * NaN and infinities among them then come from NaN and infinities. */
bool facts_scores_fit(const shape *s, int q, int k);

#endif
