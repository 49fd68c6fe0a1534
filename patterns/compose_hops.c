/* hops(A, H): what H steps reach. See compose.h.
 *
 * After layers L1 ... LH (those of A in their order, again and again) query i holds key j when a path of exactly H steps leads there:
 * R1 = L1, Rt[i] = the union of R(t-1)[a] over the keys a of Lt's row i. A layer is the union of its heads. Bitsets of n x n: two while
 * it is made, one from then on. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "patterns/spec_parts.h"

enum { LONGEST_N = 1 << 14 };

/* Sets the keys of a row; `combs` grows. */
static bool add_row(const attn_layout *layer, size_t i, attn_combs *combs, uint64_t *bits)
{
    for (size_t h = 0; h < attn_layout_distinct_heads(layer); h++) {
        attn_layout_row(layer, h, i, combs);
        if (combs->count > combs->capacity) {
            attn_comb *larger = realloc(combs->at, combs->count * sizeof *larger);
            if (!larger)
                return false;
            *combs = (attn_combs){larger, combs->count, 0};
            attn_layout_row(layer, h, i, combs);
        }
        for (size_t c = 0; c < combs->count; c++)
            for (size_t s = 0; s < combs->at[c].count; s++)
                for (size_t t = 0, key = combs->at[c].begin + s * combs->at[c].step; t < combs->at[c].width; t++, key++)
                    bits[key / 64] |= 1ull << key % 64;
    }
    return true;
}

/* to[i] = the union of from[a] over the keys a of the layer's row i. */
static bool step(const attn_layout *layer, size_t n, size_t words, const uint64_t *from, uint64_t *to, uint64_t *row, attn_combs *combs)
{
    for (size_t i = 0; i < n; i++) {
        memset(row, 0, words * sizeof *row);
        if (!add_row(layer, i, combs, row))
            return false;
        memset(to + i * words, 0, words * sizeof *to);
        for (size_t w = 0; w < words; w++)
            for (uint64_t left = row[w]; left; left &= left - 1) {
                const uint64_t *of = from + (w * 64 + (size_t)__builtin_ctzll(left)) * words;
                for (size_t k = 0; k < words; k++)
                    to[i * words + k] |= of[k];
            }
    }
    return true;
}

static char *write_text(attn_layout *const *layers, size_t count, size_t steps)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        return NULL;
    fputs(count > 1 ? "hops(layers(" : "hops(", out);
    for (size_t l = 0; l < count; l++)
        fprintf(out, "%s%s", l ? ", " : "", attn_layout_text(layers[l]));
    fprintf(out, "%s, %zu)", count > 1 ? ")" : "", steps);
    return fclose(out) == 0 ? text : NULL;
}

attn_status hops_bind(uint64_t **out, char **text, const attn_spec *of, size_t steps, size_t n, size_t heads, attn_error *err)
{
    const size_t count = attn_spec_layers(of), words = (n + 63) / 64;
    *out = NULL;
    *text = NULL;
    if (n > LONGEST_N)
        return attn_fail(err, ATTN_EINVAL, "hops(...) keeps a bit for each pair, up to n=%d; n is %zu; 'attnlab analyze' samples reach at any n", LONGEST_N, n);
    attn_combs combs = {0};
    attn_layout **layers = calloc(count, sizeof *layers);
    uint64_t *now = calloc(n * words, sizeof *now), *next = malloc(n * words * sizeof *next), *row = malloc(words * sizeof *row);
    attn_status status = layers && now && next && row ? ATTN_OK : attn_fail(err, ATTN_ENOMEM, "out of memory for %zu x %zu bits", n, n);
    for (size_t l = 0; l < count && status == ATTN_OK; l++)
        status = attn_layout_create(&layers[l], attn_spec_layer(of, l), n, n, heads, err);
    bool fine = true;
    for (size_t i = 0; i < n && status == ATTN_OK && fine; i++)
        fine = add_row(layers[0], i, &combs, now + i * words);
    for (size_t t = 1; t < steps && status == ATTN_OK && fine; t++) {
        fine = step(layers[t % count], n, words, now, next, row, &combs);
        uint64_t *swap = now;
        now = next;
        next = swap;
    }
    if (status == ATTN_OK && fine)
        *text = write_text(layers, count, steps);
    if (status == ATTN_OK && (!fine || !*text))
        status = attn_fail(err, ATTN_ENOMEM, "out of memory");
    for (size_t l = 0; layers && l < count; l++)
        attn_layout_destroy(layers[l]);
    free(layers);
    free(combs.at);
    free(next);
    free(row);
    if (status == ATTN_OK)
        *out = now;
    else
        free(now);
    return status;
}

void hops_row(const uint64_t *bits, size_t n, size_t i, attn_combs *out)
{
    const uint64_t *row = bits + i * ((n + 63) / 64);
    for (size_t j = 0; j < n;) {
        const uint64_t left = row[j / 64] >> j % 64;
        if (!left) {
            j = (j / 64 + 1) * 64;
            continue;
        }
        j += (size_t)__builtin_ctzll(left);
        const size_t begin = j;
        while (j < n && row[j / 64] >> j % 64 & 1) {
            const uint64_t zeros = ~row[j / 64] >> j % 64;
            j = zeros ? j + (size_t)__builtin_ctzll(zeros) : (j / 64 + 1) * 64;
        }
        j = j < n ? j : n;
        attn_emit(out, begin, j - begin, 0, 1);
    }
}
