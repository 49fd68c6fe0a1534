/* An external kernel that goes wrong as $HOSTILE says, with the pattern $HOSTILE_PATTERN alone where that is set; else it
 * copies v, which is right where every query sees itself alone. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "attn/external.h"

static const attn_external_problem *problem;
static int runs;

static const char *way(void)
{
    const char *how = getenv("HOSTILE"), *only = getenv("HOSTILE_PATTERN");
    return how && (!only || strcmp(problem->pattern, only) == 0) ? how : "";
}

static const char *prepare(void **state, const attn_external_problem *p)
{
    *state = NULL;
    problem = p;
    if (strcmp(way(), "crash in prepare") == 0)
        abort();
    return strcmp(way(), "refuse") == 0 ? "not on a Sunday" : NULL;
}

static void run(void *state)
{
    (void)state;
    const size_t elements = problem->batch * problem->heads * problem->n * problem->dim;
    const char *how = way();
    puts("libraries chatter"); /* never part of an answer */
    fflush(stdout);
    if (strcmp(how, "crash later") == 0 && ++runs == 3) {
        fputs("first line\nthe last words\n", stderr);
        abort();
    }
    if (strcmp(how, "hang later") == 0 && ++runs == 3)
        sleep(600);
    if (strcmp(how, "write nothing") == 0)
        return;
    memcpy(problem->o, problem->v, elements * sizeof(float));
    if (strcmp(how, "last row") == 0) /* one element of one row, a thousandth off */
        ((float *)problem->o)[elements - 1] *= 1.001f;
}

ATTN_EXTERNAL {.abi = ATTN_EXTERNAL_ABI, .size = sizeof(attn_external), .prepare = prepare, .run = run};
