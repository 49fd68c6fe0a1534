/* Composed specs: their grammar, and their rows against their definition. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "attn/attn.h"
#include "patterns/comb_sets.h"
#include "patterns/conformance.h"
#include "patterns/spec_parts.h"

static uint64_t random_state = 12345;
static size_t draw(size_t bound)
{
    uint64_t z = random_state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return (size_t)((z ^ z >> 31) % bound);
}

/* ---- sets of combs against sets of keys ---- */

enum { KEYS_OF_A_SET = 400 };
typedef struct keys { bool has[KEYS_OF_A_SET]; } keys;

/* Combs at random, disjoint, some of one tooth, some of teeth that touch. */
static keys random_set(comb_list *out)
{
    keys of = {{0}};
    comb_list_init(out);
    for (size_t c = draw(6); c > 0; c--) {
        const size_t step = 1 + draw(30), width = 1 + draw(draw(3) ? step : 40), begin = draw(KEYS_OF_A_SET);
        size_t count = width <= step && draw(4) ? 1 + draw(20) : 1;
        bool free = true;
        for (size_t s = 0; s < count; s++)
            for (size_t t = 0; t < width; t++)
                free &= begin + s * step + t < KEYS_OF_A_SET && !of.has[begin + s * step + t];
        if (!free)
            continue;
        for (size_t s = 0; s < count; s++)
            for (size_t t = 0; t < width; t++)
                of.has[begin + s * step + t] = true;
        comb_list_add(out, begin, width, count > 1 || draw(2) ? step : 0, count);
    }
    comb_list_tidy(out);
    return of;
}

static void expect_set(const comb_list *l, const keys *expected, const char *what, size_t at)
{
    keys got = {{0}};
    cr_assert(!l->failed, "%s %zu failed", what, at);
    for (size_t c = 0; c < l->count; c++) {
        cr_assert(c == 0 || l->at[c - 1].begin <= l->at[c].begin, "%s %zu: comb %zu is out of order", what, at, c);
        for (size_t s = 0; s < l->at[c].count; s++)
            for (size_t t = 0; t < l->at[c].width; t++) {
                const size_t key = l->at[c].begin + s * l->at[c].step + t;
                cr_assert(key < KEYS_OF_A_SET && !got.has[key], "%s %zu: key %zu beyond the end, or twice", what, at, key);
                got.has[key] = true;
            }
    }
    for (size_t k = 0; k < KEYS_OF_A_SET; k++)
        cr_assert(got.has[k] == expected->has[k], "%s %zu: key %zu is %s", what, at, k, got.has[k] ? "there" : "missing");
}

Test(compose, sets_of_combs)
{
    for (size_t at = 0; at < 4000; at++) {
        comb_list a, b, out;
        const keys x = random_set(&a), y = random_set(&b);
        const struct { const char *what; void (*join)(comb_list *, const comb_list *, const comb_list *); } ways[] = {
            {"union", comb_sets_unite}, {"intersection", comb_sets_intersect}, {"difference", comb_sets_subtract}};
        for (size_t w = 0; w < 3; w++) {
            keys expected;
            for (size_t k = 0; k < KEYS_OF_A_SET; k++)
                expected.has[k] = w == 0 ? x.has[k] || y.has[k] : w == 1 ? x.has[k] && y.has[k] : x.has[k] && !y.has[k];
            comb_list_init(&out);
            ways[w].join(&out, &a, &b);
            expect_set(&out, &expected, ways[w].what, at);
            comb_list_free(&out);
        }
        keys expected;
        const size_t end = draw(KEYS_OF_A_SET);
        for (size_t k = 0; k < KEYS_OF_A_SET; k++)
            expected.has[k] = k < end && !x.has[k];
        comb_list_init(&out);
        comb_sets_complement(&out, &a, end);
        expect_set(&out, &expected, "complement", at);
        comb_list_free(&out);
        comb_list_free(&a);
        comb_list_free(&b);
    }
}

/* Combs of a million teeth take no longer than their period: this would not end otherwise. */
Test(compose, sets_of_long_combs, .timeout = 20)
{
    for (int i = 0; i < 2000; i++) {
        comb_list a, b, out;
        comb_list_init(&a);
        comb_list_init(&b);
        comb_list_init(&out);
        comb_list_add(&a, (size_t)i, 3, 12, 1000000);
        comb_list_add(&b, 7, 5, 18, 600000);
        comb_sets_subtract(&out, &a, &b);
        cr_assert(out.count > 0 && out.count < 20, "%zu combs", out.count);
        comb_list_free(&a);
        comb_list_free(&b);
        comb_list_free(&out);
    }
}

/* ---- specs ---- */

static attn_spec *parse(const char *text)
{
    attn_spec *spec;
    attn_error err;
    cr_assert(attn_spec_parse(&spec, text, &err) == ATTN_OK, "%s: %s", text, err.message);
    return spec;
}

Test(compose, text)
{
    static const struct { const char *given, *canonical; } texts[] = {
        {"dense | local", "dense | local"},
        {"  dense   |\tlocal:k=4k ", "dense | local:k=4096"},
        {"dense - local - strided", "dense - local - strided"},
        {"dense - (local - strided)", "dense - (local - strided)"},
        {"(dense - local) - strided", "dense - local - strided"},
        {"dense | local & strided", "dense | local & strided"},
        {"(dense | local) & strided", "(dense | local) & strided"},
        {"((dense))", "dense"},
        {"~ dense & ~(local | fixed)", "~dense & ~(local | fixed)"},
        {"~~dense", "~~dense"},
        {"heads( local:k=3,causal=0 , strided:l=4, head=column,dense )", "heads(local:k=3,causal=0, strided:l=4,head=column, dense)"},
        {"layers(3*local, dense | fixed)", "layers(3*local, dense | fixed)"},
        {"layers(2*(dense | fixed))", "layers(2*(dense | fixed))"},
        {"layers(1*local)", "layers(local)"},
        {"blocks(local:k=1, 4k)", "blocks(local:k=1, 4096)"},
        {"shift(blocks(dense,2),3)", "shift(blocks(dense, 2), 3)"},
        {"transpose(heads(dense,local))", "transpose(heads(dense, local))"},
        {"expr:\"i - j < 4 || (j & 1)\" & local", "expr:\"i - j < 4 || (j & 1)\" & local"},
        {"hops(layers(local, 2*fixed), 3)", "hops(layers(local, 2*fixed), 3)"},
        {"local:k=sqrt(n)/2 | dense", "local:k=sqrt(n)/2 | dense"},
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        attn_spec *spec = parse(texts[i].given), *again = parse(attn_spec_text(spec));
        const char *wanted = strstr(texts[i].canonical, "expr") ? attn_spec_text(spec) : texts[i].canonical;
        cr_assert(strcmp(attn_spec_text(spec), wanted) == 0, "%s: %s", texts[i].given, attn_spec_text(spec));
        cr_assert(strcmp(attn_spec_text(spec), attn_spec_text(again)) == 0, "%s: %s", attn_spec_text(spec), attn_spec_text(again));
        attn_spec_destroy(spec);
        attn_spec_destroy(again);
    }
}

Test(compose, complaints)
{
    static char deep[5000], long_row[5000];
    for (size_t i = 0; i < 4000; i++)
        deep[i] = '(';
    for (size_t i = 0; i < 100; i++)
        strcat(long_row, i ? " | dense" : "dense");
    const struct { const char *text, *says; } wrong[] = {
        {"dense|local", "'dense|local'"},
        {"dense |local", "column 7: set operators have a space on both sides: A | B"},
        {"dense& local", "'dense& local'"},
        {"(dense)| local", "space on both sides"},
        {"dense | ", "column 9: a pattern is missing at the end"},
        {"dense | | local", "unknown"},
        {"()", "column 2: a pattern is missing before ')'"},
        {"heads()", "column 7: a pattern is missing before ')'"},
        {"heads(dense,)", "column 13: a pattern is missing before ')'"},
        {"(dense", "column 7: ')' should stand after"},
        {"heads(dense local)", "column 13: ')' should stand after heads(A, B, ...), not 'local)'"},
        {"heds(dense)", "did you mean 'heads'?"},
        {"blocks(dense)", "blocks(...) lacks a number"},
        {"blocks(dense, 0)", "'0)' where a number should stand"},
        {"blocks(dense, 99999999)", "1 to 16777216"},
        {"shift(dense, x)", "'x)' where a number should stand"},
        {"transpose(dense, local)", "')' should stand"},
        {"layers(0*dense)", "layers in a row"},
        {"layers(2000*dense)", "2000 layers in a row"},
        {"~layers(dense, local)", "outermost"},
        {"layers(layers(dense), local)", "outermost"},
        {"layers(dense) | local", "outermost"},
        {"heads(local, k=3)", "'k=3)'"},
        {"hops(local)", "hops(...) lacks a number"},
        {"hops(local, 5000)", "5000 hops are more than"},
        {"dense | nothing", "'nothing' is not a known pattern"},
        {"local:k=0x | dense", "k=0x"},
        {deep, "nested more than 64 deep"},
        {long_row, "in a row"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        attn_spec *spec;
        attn_error err;
        cr_assert(attn_spec_parse(&spec, wrong[i].text, &err) == ATTN_EINVAL && spec == NULL, "%.60s is taken", wrong[i].text);
        const char *says = strcmp(wrong[i].says, "unknown") == 0 ? "known pattern" : wrong[i].says;
        cr_assert(strstr(err.message, says), "%.60s: %s", wrong[i].text, err.message);
        cr_assert(!strchr(err.message, '\n'), "%.60s: more than a line", wrong[i].text);
    }
}

/* ---- rows ---- */

static const char *const simple[] = {
    "dense", "dense:causal=0", "local:k=3", "local:k=17,causal=0", "strided:l=5", "strided:l=4,head=column", "strided:l=6,head=column,causal=0",
    "fixed:l=8,c=3", "fixed:l=7,c=2,head=summary", "fixed:l=9,c=1,head=summary,causal=0", "fixed:l=10,c=4,sub=1",
    "expr:\"(i ^ j) & 2\"", "expr:\"(i + 2*j) % 7 < 2 + h\",causal=0", "local:k=n/4",
};

static void random_tree(char *out, size_t size, int depth)
{
    char a[1500], b[1500];
    if (depth == 0 || draw(4) == 0) {
        snprintf(out, size, "%s", simple[draw(sizeof simple / sizeof *simple)]);
        return;
    }
    random_tree(a, sizeof a, depth - 1);
    random_tree(b, sizeof b, depth - 1);
    switch (draw(8)) {
    case 0: snprintf(out, size, "(%s) | (%s)", a, b); break;
    case 1: snprintf(out, size, "(%s) & (%s)", a, b); break;
    case 2: snprintf(out, size, "(%s) - (%s)", a, b); break;
    case 3: snprintf(out, size, "~(%s)", a); break;
    case 4: snprintf(out, size, "heads(%s, %s)", a, b); break;
    case 5: snprintf(out, size, "blocks(%s, %zu)", a, 1 + draw(9)); break;
    case 6: snprintf(out, size, "shift(%s, %zu)", a, 1 + draw(9)); break;
    default: snprintf(out, size, "transpose(%s)", a); break;
    }
}

static void conforms(const char *text)
{
    size_t cases;
    attn_error err;
    cr_assert(spec_conform(text, &cases, &err) == ATTN_OK, "%s: %s", text, err.message);
    cr_assert(cases > 50, "%s: only %zu cases", text, cases);
}

Test(compose, rows_of_random_trees, .timeout = 120)
{
    for (int i = 0; i < 60; i++) {
        char text[4000];
        random_tree(text, sizeof text, 1 + (int)draw(3));
        if (strlen(text) < 1000)
            conforms(text);
    }
}

Test(compose, rows_of_every_pair, .timeout = 120)
{
    static const char *const operators[] = {"|", "&", "-"};
    for (size_t a = 0; a < sizeof simple / sizeof *simple; a++) {
        char text[200];
        const size_t b = draw(sizeof simple / sizeof *simple);
        snprintf(text, sizeof text, "%s %s %s", simple[a], operators[a % 3], simple[b]);
        conforms(text);
        snprintf(text, sizeof text, "~(%s)", simple[a]);
        conforms(text);
    }
}

static attn_layout *layout_of(const char *text, size_t n, size_t heads)
{
    attn_spec *spec = parse(text);
    attn_layout *layout;
    attn_error err;
    cr_assert(attn_layout_create(&layout, spec, n, n, heads, &err) == ATTN_OK, "%s: %s", text, err.message);
    attn_spec_destroy(spec);
    return layout;
}

/* What is written out is the built-in pattern: as many pairs, and the same plan. */
Test(compose, costs_what_built_in_ones_cost, .timeout = 60)
{
    static const struct { const char *composed, *builtin; } same[] = {
        {"local:k=128 | strided:l=128,head=column", "strided:l=128"},
        {"strided:l=128,head=column | strided:l=128,head=local", "strided:l=128"},
        {"fixed:l=128,c=8,head=block | fixed:l=128,c=8,head=summary", "fixed:l=128,c=8"},
        {"dense - (dense - local:k=50)", "local:k=50"},
        {"~(dense - fixed:l=64,c=4,head=summary)", "fixed:l=64,c=4,head=summary"},
        {"blocks(dense:causal=0, 64) & dense", "dense"},
    };
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        attn_layout *of[] = {layout_of(same[i].composed, 4099, 2), layout_of(same[i].builtin, 4099, 2)};
        uint64_t executed[2], tiles[2];
        for (size_t k = 0; k < 2; k++) {
            attn_plan *plan;
            attn_error err;
            const attn_problem problem = {.layout = of[k], .batch = 1, .dim = 64, .threads = 1, .kernel = "portable"};
            cr_assert(attn_plan_create(&plan, &problem, &err) == ATTN_OK, "%s", err.message);
            executed[k] = attn_plan_cost(plan)->flops_executed;
            tiles[k] = attn_plan_cost(plan)->tiles;
            attn_plan_destroy(plan);
        }
        cr_assert(attn_layout_pairs(of[0], 0) == attn_layout_pairs(of[1], 0), "%s: other pairs than %s", same[i].composed, same[i].builtin);
        cr_assert(executed[0] == executed[1] && tiles[0] == tiles[1], "%s: %llu FLOPs executed, %s %llu", same[i].composed,
                  (unsigned long long)executed[0], same[i].builtin, (unsigned long long)executed[1]);
        attn_layout_destroy(of[0]);
        attn_layout_destroy(of[1]);
    }
}

Test(compose, heads_are_shared_out)
{
    static const struct { const char *text; size_t heads, distinct; } cases[] = {
        {"heads(dense, local)", 8, 2}, {"heads(dense, local, strided)", 8, 3}, {"heads(dense, local)", 1, 1},
        {"heads(dense, local) | heads(dense, local, fixed)", 8, 6}, {"heads(dense, local) & expr:\"h > 2\"", 8, 8},
        {"heads(dense, heads(local, fixed, strided))", 16, 6}, {"dense | local", 8, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        attn_layout *layout = layout_of(cases[i].text, 90, cases[i].heads);
        cr_assert(attn_layout_distinct_heads(layout) == cases[i].distinct, "%s: %zu", cases[i].text, attn_layout_distinct_heads(layout));
        uint64_t pairs = 0;
        for (size_t h = 0; h < cases[i].heads; h++)
            for (size_t r = 0; r < 90; r++)
                for (size_t j = 0; j < 90; j++)
                    pairs += attn_layout_allows(layout, h, r, j);
        cr_assert(attn_layout_pairs_all_heads(layout) == pairs, "%s: pairs of all heads", cases[i].text);
        attn_layout_destroy(layout);
    }
}

Test(compose, meanings)
{
    attn_layout *blocks = layout_of("blocks(local:k=1, 5)", 43, 1), *shift = layout_of("shift(strided:l=6, 4)", 43, 1),
                *transpose = layout_of("transpose(fixed:l=8,c=2)", 43, 1), *fixed = layout_of("fixed:l=8,c=2", 43, 1),
                *strided = layout_of("strided:l=6", 43, 1);
    for (size_t i = 0; i < 43; i++)
        for (size_t j = 0; j < 43; j++) {
            cr_assert(attn_layout_allows(blocks, 0, i, j) == (j <= i && i / 5 - j / 5 <= 1), "blocks %zu %zu", i, j);
            cr_assert(attn_layout_allows(shift, 0, i, j) == (j + 4 <= 42 && attn_layout_allows(strided, 0, i, j + 4)), "shift %zu %zu", i, j);
            cr_assert(attn_layout_allows(transpose, 0, i, j) == attn_layout_allows(fixed, 0, j, i), "transpose %zu %zu", i, j);
        }
    cr_assert(!attn_layout_causal(transpose) && attn_layout_causal(shift) && attn_layout_causal(blocks), "causality");
    attn_layout *const all[] = {blocks, shift, transpose, fixed, strided};
    for (size_t k = 0; k < 5; k++)
        attn_layout_destroy(all[k]);
}

/* Against products of matrices of zeros and ones, layer by layer. */
Test(compose, hops)
{
    enum { N = 67, HOPS = 4 };
    static const struct { const char *stack; const char *layers[3]; size_t count; } stacks[] = {
        {"local:k=3", {"local:k=3"}, 1},
        {"layers(fixed:l=8,c=2,head=block, fixed:l=8,c=2,head=summary)", {"fixed:l=8,c=2,head=block", "fixed:l=8,c=2,head=summary"}, 2},
        {"layers(strided:l=5, local:k=2,causal=0, dense - local:k=9)", {"strided:l=5", "local:k=2,causal=0", "dense - local:k=9"}, 3},
        {"heads(local:k=1, strided:l=6,head=column)", {"local:k=1 | strided:l=6,head=column"}, 1},
    };
    static bool now[N][N], next[N][N];
    for (size_t s = 0; s < sizeof stacks / sizeof *stacks; s++)
        for (size_t hops = 1; hops <= HOPS; hops++) {
            char text[300];
            snprintf(text, sizeof text, "hops(%s, %zu)", stacks[s].stack, hops);
            attn_layout *got = layout_of(text, N, 2);
            for (size_t t = 0; t < hops; t++) {
                attn_layout *layer = layout_of(stacks[s].layers[t % stacks[s].count], N, 2);
                for (size_t i = 0; i < N; i++)
                    for (size_t j = 0; j < N; j++) {
                        next[i][j] = t == 0 && attn_layout_allows(layer, 0, i, j);
                        for (size_t a = 0; a < N && t; a++)
                            next[i][j] |= attn_layout_allows(layer, 0, i, a) && now[a][j];
                    }
                memcpy(now, next, sizeof now);
                attn_layout_destroy(layer);
            }
            for (size_t i = 0; i < N; i++)
                for (size_t j = 0; j < N; j++)
                    cr_assert(attn_layout_allows(got, 0, i, j) == now[i][j], "%s: %zu %zu", text, i, j);
            attn_layout_destroy(got);
        }
    conforms("hops(strided:l=7,head=column | local:k=1, 2)");
    attn_spec *spec = parse("hops(local, 2)");
    attn_layout *large;
    attn_error err;
    cr_assert(attn_layout_create(&large, spec, 20000, 20000, 1, &err) == ATTN_EINVAL && strstr(err.message, "n is 20000"), "%s", err.message);
    attn_spec_destroy(spec);
}

Test(compose, layers)
{
    static const char *const order[] = {"local", "local", "local", "dense"};
    attn_spec *spec = parse("layers(3*local, dense)"), *one = parse("layers(fixed)");
    attn_layout *layout;
    attn_error err;
    cr_assert(attn_spec_layers(spec) == 4, "%zu layers", attn_spec_layers(spec));
    for (size_t l = 0; l < 4; l++)
        cr_assert(strcmp(attn_spec_text(attn_spec_layer(spec, l)), order[l]) == 0, "layer %zu", l);
    cr_assert(attn_spec_layer(spec, 4) == NULL, "a fifth layer");
    cr_assert(attn_layout_create(&layout, spec, 8, 8, 1, &err) == ATTN_EINVAL && strstr(err.message, "4 layers"), "%s", err.message);
    cr_assert(attn_layout_create(&layout, one, 8, 8, 1, &err) == ATTN_OK, "%s", err.message);
    attn_layout_destroy(layout);
    attn_spec_destroy(spec);
    attn_spec_destroy(one);
}
