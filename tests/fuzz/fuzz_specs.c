/* libFuzzer target: any bytes as a spec. It is refused, or its canonical text parses to itself, and the rows at a small size
 * are ordered, disjoint, and exactly what allows() says. The first two bytes are the sizes. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "attn/layout.h"

enum { NK = 96 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void hold(bool condition, const char *what, const char *text)
{
    if (condition)
        return;
    fprintf(stderr, "fuzz_specs: %s: %s\n", text, what);
    abort();
}

static void compare_row(const attn_layout *layout, size_t head, size_t r, const char *text)
{
    attn_comb at[NK];
    attn_combs combs = {at, NK, 0};
    attn_error err;
    bool listed[NK] = {false};
    attn_layout_row(layout, head, r, &combs);
    hold(combs.count <= NK, "more combs than keys", text);
    hold(attn_layout_check_row(layout, head, r, &combs, &err) == ATTN_OK, err.message, text);
    for (size_t c = 0; c < combs.count; c++)
        for (size_t s = 0; s < at[c].count; s++)
            for (size_t t = 0; t < at[c].width; t++)
                listed[at[c].begin + s * at[c].step + t] = true;
    for (size_t j = 0; j < attn_layout_nk(layout); j++)
        hold(listed[j] == attn_layout_allows(layout, head, r, j), "a row is not the definition", text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    const size_t nk = 1 + data[0] % NK, nq = 1 + data[1] % NK;
    char *text = calloc(size, 1);
    attn_spec *spec = NULL, *again = NULL;
    attn_layout *layout = NULL;
    attn_error err;
    if (!text)
        return 0;
    memcpy(text, data + 2, size - 2);
    if (attn_spec_parse(&spec, text, &err) == ATTN_OK) {
        const char *canonical = attn_spec_text(spec);
        if (strlen(canonical) <= 4096) {
            hold(attn_spec_parse(&again, canonical, &err) == ATTN_OK, err.message, canonical);
            hold(strcmp(attn_spec_text(again), canonical) == 0, "the canonical text has another", canonical);
        }
        if (attn_layout_create(&layout, spec, nq, nk, 3, &err) == ATTN_OK)
            for (size_t r = 0; r < nq; r += 1 + nq / 8)
                compare_row(layout, r % attn_layout_distinct_heads(layout), r, canonical);
    } else {
        hold(!strchr(err.message, '\n'), "a message of two lines", text);
    }
    attn_layout_destroy(layout);
    attn_spec_destroy(spec);
    attn_spec_destroy(again);
    free(text);
    return 0;
}
