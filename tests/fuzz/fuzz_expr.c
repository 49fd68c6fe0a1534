/* libFuzzer target: any bytes as an expression. It is refused, or its canonical text parses to itself, and the rows at a
 * small size are ordered, disjoint, and exactly what evaluating it says. The first two bytes are the size and causality. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "patterns/expr.h"

enum { NK = 128 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void hold(bool condition, const char *what)
{
    if (condition)
        return;
    fprintf(stderr, "fuzz_expr: %s\n", what);
    abort();
}

static void compare_row(const expr_bound *b, size_t nk, size_t head, size_t i)
{
    attn_comb at[NK];
    attn_combs combs = {at, NK, 0};
    bool listed[NK] = {false};
    uint64_t tests = 0;
    expr_row(b, head, i, &combs, &tests);
    hold(combs.count <= nk, "more combs than keys");
    for (size_t c = 0; c < combs.count; c++) {
        hold(c == 0 || at[c].begin > at[c - 1].begin, "combs out of order");
        for (size_t s = 0; s < at[c].count; s++)
            for (size_t t = 0; t < at[c].width; t++) {
                size_t key = at[c].begin + s * at[c].step + t;
                hold(key < nk && !listed[key], "a key twice or out of range");
                listed[key] = true;
            }
    }
    for (size_t j = 0; j < nk; j++)
        hold(listed[j] == expr_allows(b, head, i, j), "a row is not the definition");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    size_t nk = 1 + data[0] % NK;
    bool causal = data[1] & 1;
    expr *e, *again;
    if (expr_parse(&e, (const char *)data + 2, size - 2, NULL) != ATTN_OK)
        return 0;
    const char *text = expr_text(e);
    if (strlen(text) <= EXPR_LONGEST) {
        hold(expr_parse(&again, text, strlen(text), NULL) == ATTN_OK, "the canonical text does not parse");
        hold(strcmp(expr_text(again), text) == 0, "the canonical text has another");
        expr_destroy(again);
    }
    expr_bound *b;
    if (expr_bind(&b, e, nk, 2, causal, NULL) == ATTN_OK)
        for (size_t i = 0; i < nk; i++)
            compare_row(b, nk, i & 1, i);
    expr_unbind(b);
    expr_destroy(e);
    return 0;
}
