/* A progress bar on a terminal; nothing at all elsewhere. */
#ifndef HARNESS_PROGRESS_H
#define HARNESS_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

typedef struct progress {
    FILE *out;
    bool on;
    size_t total;
    size_t done; /* the caller counts */
} progress;

/* `out` is written to only when it is a terminal. */
progress progress_start(FILE *out, size_t total);

/* Draws: `done` of the total are over, and `doing` is under way. Costs one write. */
void progress_show(const progress *p, const char *doing, const char *detail);

/* Removes the bar, so that something else can be printed. */
void progress_clear(const progress *p);

#endif
