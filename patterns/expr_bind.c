/* Expressions at given sizes: the proof that no value passes 2^62, and what all rows have in common. */
#include "patterns/expr_bound.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- the proof ---- */

static const char *faulty(const expr_node *node, const expr_range *y)
{
    bool divides = node->op == EXPR_DIV || node->op == EXPR_MOD,
         shifts = node->op == EXPR_SHL || node->op == EXPR_SHR;
    if (divides && y->low == 0 && y->high == 0)
        return "the divisor is always 0";
    if (shifts && (y->low < 0 || y->high > 62))
        return "the shift could be by less than 0 or more than 62 bits";
    return NULL;
}

static attn_status prove(const expr_bound *b, attn_error *err)
{
    expr_range range[EXPR_NODES];
    int64_t last = (int64_t)b->nk - 1, n = (int64_t)b->nk;
    const expr_box box = {{0, last}, {0, last}, {n, n}, {0, (int64_t)b->heads - 1}};
    for (size_t k = 0; k < b->count; k++) {
        const expr_node *node = &b->node[k];
        const expr_range *y = &range[node->b];
        const char *fault = faulty(node, y);
        if (!fault && !expr_range_of(node, &range[node->a], y, &range[node->c], &box, &range[k]))
            fault = "the value could pass 2^62 in magnitude";
        if (fault)
            return attn_fail(err, ATTN_EINVAL, "expr: column %u: %s, at n=%zu", (unsigned)node->column, fault,
                             b->nk);
    }
    return ATTN_OK;
}

/* ---- what rows have in common ---- */

enum {
    STRIPS = 1 << 16, /* of all functions of the key alone */
    PIECES = 1 << 14,
    SCRATCH = 1 << 14
};

pieces expr_pieces_of(piece_room *room, const expr_node *node, pieces x, pieces y, pieces z, moving end)
{
    switch (node->op) {
    case EXPR_NEGATE: return pieces_sum(room, pieces_constant(room, fixed(0)), x, -1, end);
    case EXPR_FLIP: return pieces_sum(room, pieces_constant(room, fixed(-1)), x, -1, end);
    case EXPR_ABS: {
        pieces minus = pieces_sum(room, pieces_constant(room, fixed(0)), x, -1, end);
        return pieces_compare(room, EXPR_MAX, x, minus, end);
    }
    case EXPR_MUL: return pieces_product(room, x, y, end);
    case EXPR_DIV: return pieces_quotient(room, x, y, end);
    case EXPR_MOD: return pieces_remainder(room, x, y, end);
    case EXPR_ADD: return pieces_sum(room, x, y, 1, end);
    case EXPR_SUB: return pieces_sum(room, x, y, -1, end);
    case EXPR_SHL:
    case EXPR_SHR: return pieces_shift(room, node->op, x, y, end);
    case EXPR_AND:
    case EXPR_XOR:
    case EXPR_OR: return pieces_bits(room, node->op, x, y, end);
    case EXPR_ALL:
    case EXPR_ANY: return pieces_logic(room, node->op, x, y, end);
    case EXPR_COND: { /* x y + (1 - x) z */
        pieces other = pieces_sum(room, pieces_constant(room, fixed(1)), x, -1, end);
        y = pieces_product(room, x, y, end);
        z = pieces_product(room, other, z, end);
        return pieces_sum(room, y, z, 1, end);
    }
    default: return pieces_compare(room, node->op, x, y, end);
    }
}

static uint8_t kind_of(const expr_node *node)
{
    bool row = node->uses & (EXPR_USES_I | EXPR_USES_H), key = node->uses & EXPR_USES_J;
    return row && key ? EXPR_BOTH : row ? EXPR_ROW : key ? EXPR_KEY : EXPR_FIXED;
}

static void prepare(expr_bound *b)
{
    int64_t end = (int64_t)b->nk;
    for (size_t k = 0; k < b->count; k++) {
        const expr_node *node = &b->node[k];
        bound_node *at = &b->at[k];
        const bound_node *x = &b->at[node->a], *y = &b->at[node->b], *z = &b->at[node->c];
        at->kind = kind_of(node);
        if (at->kind == EXPR_FIXED) {
            at->value = node->op == EXPR_CONST ? node->value
                        : node->op == EXPR_N   ? end
                                               : expr_apply(node->op, x->value, y->value, z->value);
            at->pieces = pieces_constant(&b->room, fixed(at->value));
        } else if (at->kind == EXPR_KEY) {
            at->pieces = node->op == EXPR_J
                             ? pieces_key(&b->room)
                             : expr_pieces_of(&b->room, node, x->pieces, y->pieces, z->pieces, fixed(end));
        }
    }
}

attn_status expr_bind(expr_bound **out, const expr *e, size_t nk, size_t heads, bool causal, attn_error *err)
{
    *out = NULL;
    expr_bound *b = calloc(1, sizeof *b);
    attn_status status = ATTN_ENOMEM;
    if (!b)
        goto cleanup;
    b->nk = nk;
    b->heads = heads;
    b->causal = causal;
    b->count = e->count;
    for (size_t k = 0; k < e->count; k++)
        b->node[k] = e->node[k];
    status = prove(b, err);
    if (status != ATTN_OK)
        goto cleanup;

    b->room = (piece_room){.keys = (int64_t)nk,
                           .rows = 1,
                           .strips = malloc(STRIPS * sizeof(strip)),
                           .strip_capacity = STRIPS,
                           .pieces = malloc(PIECES * sizeof(piece)),
                           .piece_capacity = PIECES,
                           .scratch = malloc(SCRATCH * sizeof(strip)),
                           .scratch_capacity = SCRATCH};
    b->entry_count = nk / GROUP + 1 < ENTRIES ? nk / GROUP + 1 : ENTRIES;
    b->entries = calloc(b->entry_count, sizeof *b->entries); /* all flags clear, no rows */
    if (!b->room.strips || !b->room.pieces || !b->room.scratch || !b->entries) {
        status = ATTN_ENOMEM;
        goto cleanup;
    }
    prepare(b);
    free(b->room.scratch);
    b->room.scratch = NULL;
    *out = b;
    b = NULL;

cleanup:
    if (status == ATTN_ENOMEM)
        (void)attn_fail(err, ATTN_ENOMEM, "out of memory");
    expr_unbind(b);
    return status;
}

void expr_unbind(expr_bound *b)
{
    if (!b)
        return;
    free(b->room.strips);
    free(b->room.pieces);
    free(b->room.scratch);
    free(b->entries);
    free(b);
}
