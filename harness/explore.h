/* The explorers, in pieces: what is looked at and how it changes (explore.c) and its picture (explore_picture.c), which need no
 * terminal and are those of the explorer page as well (harness/explorer/), and the screen (explore_screen.c). */
#ifndef HARNESS_EXPLORE_H
#define HARNESS_EXPLORE_H

#include "attn/layout.h"

enum { EXPLORE_TEXT = 512, EXPLORE_SAMPLED = 8 };

typedef struct explore {
    attn_spec *spec;
    attn_layout *layout; /* n queries and keys */
    size_t n, heads, head, dim;
    size_t cell;         /* a picture's cell is cell x cell pairs */
    size_t row, key;     /* where the picture begins, multiples of cell */
    size_t at_row, at_key; /* the cursor */
    size_t param;        /* the parameter that keys change, of the spec's pattern */
    char message[EXPLORE_TEXT]; /* what went wrong, or "" */
    /* Of the layout: */
    bool by_pairs;       /* rows are had by testing pairs, so that the picture asks for single ones */
    uint64_t pairs;
    double predicted_ms, dense_ms; /* NaN where planning would take long */
    double reach[2];     /* share of (key, query) pairs joined in 2 steps, without and with the residual; NaN likewise */
} explore;

/* EINVAL as attn_spec_parse() and attn_layout_create(). */
attn_status explore_open(explore *x, const char *spec, size_t n, size_t heads, size_t dim, attn_error *err);
void explore_close(explore *x);

/* Another spec, or another n. On failure all stays as it is, and `message` says why. */
bool explore_set(explore *x, const char *spec, size_t n);

/* Parameters of a simple spec, causal behind the others. Their number (0 for compositions, expressions and files), name and value. */
size_t explore_params(const explore *x);
const char *explore_param_name(const explore *x, size_t param);
const char *explore_param_value(const explore *x, size_t param, char *out, size_t size);
/* Changes the chosen parameter: its number by `by` or, where that is 0, times 2^`times`; a word to the next or the one before. */
void explore_change(explore *x, long by, int times);

/* Moves the cursor by cells and the picture after it; makes cells of the picture finer or coarser round the cursor. */
void explore_move(explore *x, long down, long right, size_t rows, size_t columns);
void explore_zoom(explore *x, int finer, size_t rows, size_t columns);
/* The coarsest that fills rows x columns. */
void explore_fit(explore *x, size_t rows, size_t columns);

/* The share of allowed pairs in each of rows x columns cells; below 0 outside of the mask. Of a cell at most EXPLORE_SAMPLED rows (or
 * single pairs, with by_pairs) are looked at, spread evenly: the work is bounded by what is shown and by the combs of its rows, whatever n is.
 * Returns that work: rows, combs, cells and pairs met. *exact: whether every pair was looked at. ENOMEM returns 0. */
uint64_t explore_cells(const explore *x, size_t rows, size_t columns, float *out, bool *exact);

/* What by_pairs is to be for this layout and head. */
bool explore_asks_pairs(const explore *x);

/* Why the query at the cursor sees, or does not see, the key: one line. */
void explore_why(const explore *x, char *out, size_t size);

/* The screen, until the user leaves. EINVAL: no terminal, or one that ncurses does not know. */
attn_status explore_run(explore *x, attn_error *err);

#endif
