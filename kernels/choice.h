/* What the planner may choose about a lowering, and its name.
 *
 * A name is "natural" (everything in natural order), "classes", "classes2", "classes3" (that many families of
 * combs by residue class) or "mixed" (each distinct head as estimated), with "/8" behind it for groups of up to
 * 8 tiles; "rows" is what a kernel without a program does. */
#ifndef KERNELS_CHOICE_H
#define KERNELS_CHOICE_H

#include "attn/status.h"
#include "kernels/program.h"

typedef struct choice {
    int classes;    /* families tiled by residue class; CLASSES_ESTIMATED: those that are cheaper so */
    uint32_t group; /* most tiles that run in lockstep; 0: as many as the work and the threads allow */
} choice;

enum {
    CLASSES_ESTIMATED = -1,
    MAX_GROUP = 64,
    CHOICE_LENGTH = 24 /* of a name, with its end */
};

void choice_name(choice c, char out[CHOICE_LENGTH]);

/* EINVAL unless `name` is one. Without a group, 0. */
attn_status choice_parse(const char *name, choice *out, attn_error *err);

#endif
