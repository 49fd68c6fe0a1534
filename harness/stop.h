/* When to stop sampling: rules that look at moments planned beforehand.
 *
 * Who looks after every sample and stops when the interval looks narrow stops too early, and covers less than it says. So rules look
 * after 6, 12, 24, ... samples only, STOP_LOOKS times at most, and an interval is taken at the level 1 - 0.05 / STOP_LOOKS at each
 * of them: whatever look ends it, the true median is in it at all looks together with 95% (Bonferroni). */
#ifndef HARNESS_STOP_H
#define HARNESS_STOP_H

#include <stdbool.h>
#include <stddef.h>

#include "attn/status.h"

typedef enum stop_kind {
    STOP_DEFAULT, /* as metrics/time.c does without a rule */
    STOP_CI,      /* ci:1%      the interval of the median is within 1% of it on both sides */
    STOP_STDREL,  /* stdrel:1%  the standard error of the mean is 1% of it */
    STOP_ENTROPY, /* entropy or entropy:1%  the entropy of the samples, in classes 1% wide, has changed by less than 1% in two looks */
    STOP_COUNT,   /* count:N */
    STOP_TIME     /* time:S     seconds, in place of --max-time */
} stop_kind;

typedef struct stop_rule {
    stop_kind kind;
    double value; /* a share, a number, seconds */
    double entropies[2]; /* at the last two looks */
    size_t looks;        /* so far */
} stop_rule;

enum { STOP_LOOKS = 8, STOP_FIRST = 6 };

/* EINVAL says what a rule looks like. */
attn_status stop_parse(stop_rule *out, const char *text, attn_error *err);

/* Whether `count` is a moment to look at. */
bool stop_looks_at(size_t count);

/* Looks; `samples` as they came, `scratch` has room for as many. The reason to stop ("interval", "stdrel", "entropy"), or NULL. */
const char *stop_look(stop_rule *r, const double *samples, double *scratch, size_t count);

#endif
