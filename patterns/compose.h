/* Specs composed of others: A | B, A & B, A - B, ~A, heads(A, B), layers(3*A, B), blocks(A, 64), shift(A, 16), transpose(A), hops(A, 2).
 * Inside libattn; the grammar and the meanings are in attn/spec.h.
 *
 * To the rest a composition is one more pattern, attn_pattern_composed, whose state is a tree of layouts. */
#ifndef PATTERNS_COMPOSE_H
#define PATTERNS_COMPOSE_H

#include "attn/layout.h"

enum {
    COMPOSE_DEPTH = 64,   /* of parentheses and operators within each other, or in a row */
    COMPOSE_PARTS = 64,   /* operands of one heads() or layers() */
    COMPOSE_LEAVES = 256, /* simple specs in all */
    COMPOSE_LAYERS = 1024
};

typedef enum compose_kind {
    COMPOSE_OR, COMPOSE_AND, COMPOSE_MINUS, COMPOSE_NOT, COMPOSE_HEADS, COMPOSE_LAYERS_OF, COMPOSE_BLOCKS, COMPOSE_SHIFT,
    COMPOSE_TRANSPOSE, COMPOSE_HOPS
} compose_kind;

/* Parts of a spec. */
typedef struct composition {
    compose_kind kind;
    size_t count;
    attn_spec **of;  /* [count] */
    size_t *times;   /* [count]: layers in a row; 1 elsewhere */
    size_t number;   /* of blocks(), shift() and hops() */
    size_t depth;    /* compositions within each other, this one included */
} composition;

void compose_destroy(composition *c);

/* false where some part has causal=0, or looks forward. */
bool compose_causal(const composition *c);

/* The state of args for attn_pattern_composed, heads that differ, and the text with all parameters. EINVAL: layers() of more
 * than one. */
typedef struct bound_composition bound_composition;
attn_status compose_bind(bound_composition **out, const composition *c, size_t nk, size_t heads, attn_error *err);
size_t compose_distinct(const bound_composition *b);
const char *compose_text(const bound_composition *b);
/* As attn_layout_tests(), for nq = nk. */
double compose_tests(const bound_composition *b, size_t head);

extern const attn_pattern attn_pattern_composed;

/* hops(of, steps) at n: bits [n][(n + 63) / 64], and its text; both the caller's to free. hops_row() streams a row. EINVAL: n is too large. */
attn_status hops_bind(uint64_t **bits, char **text, const attn_spec *of, size_t steps, size_t n, size_t heads, attn_error *err);
void hops_row(const uint64_t *bits, size_t n, size_t i, attn_combs *out);

/* The text of a composition from those of its parts, malloc'ed; `simple[k]`: part k is no operator. NULL: out of memory. */
char *compose_write(const composition *c, const char *const *parts, const composition *const *as);

#endif
