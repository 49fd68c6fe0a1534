/* "did you mean": the known name nearest to a mistyped one. */
#ifndef BASE_SUGGEST_H
#define BASE_SUGGEST_H

#include <stddef.h>

/* The candidate with the smallest edit distance (insert, delete, replace, swap neighbours), if that is at
 * most a third of the longer name, rounded up, and less than all of it; else NULL. Start with *best = NULL
 * and offer all candidates. */
typedef struct suggestion {
    const char *word;
    const char *best;
    size_t distance;
} suggestion;

void suggest_offer(suggestion *s, const char *candidate);

#endif
