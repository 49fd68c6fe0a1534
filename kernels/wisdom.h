/* Wisdom inside libattn; see attn/wisdom.h. */
#ifndef KERNELS_WISDOM_H
#define KERNELS_WISDOM_H

#include "attn/wisdom.h"
#include "kernels/choice.h"
#include "kernels/kernel.h"

/* What an entry for this problem and kernel begins with; free() it. NULL: out of memory. */
char *wisdom_key(const attn_problem *p, const kernel *k, int threads);

/* Whether there is an entry; then its choice and time. */
bool wisdom_find(const char *key, choice *out, double *ns);

/* Adds an entry or replaces it; forgets it when there is no memory. */
void wisdom_learn(const char *key, const char *lowering, double ns);

#endif
