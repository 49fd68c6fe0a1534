/* Inside libattn: what a layout consists of. */
#ifndef PATTERNS_LAYOUT_PARTS_H
#define PATTERNS_LAYOUT_PARTS_H

#include "attn/layout.h"

struct attn_layout {
    const attn_pattern *pattern;
    attn_pattern_args args;
    bool prepared; /* there is a state, so release() is due */
    size_t distinct;  /* heads that differ */
    char *expression; /* of the pattern expr, else NULL */
    char *file;       /* of the pattern mask, else NULL */
    bool composed;    /* of attn_pattern_composed: the state is a bound_composition */
    char *text;
};

/* Whether row r stands at a key, and at which; false for rows before key 0. */
bool layout_position(const attn_layout *layout, size_t r, size_t *i);

#endif
