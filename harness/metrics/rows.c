/* Stratified sampling of query rows. */
#include "harness/metrics/rows.h"

#include <stdlib.h>

#include "base/rng.h"

/* Stratum s of `parts` over [0, n): its first element; that of s + 1 is its end. n and s are below 2^32. */
static size_t edge(size_t s, size_t parts, size_t n)
{
    return s * n / parts;
}

static size_t draw(rng *random, size_t begin, size_t end)
{
    return begin + (size_t)rng_below(random, end - begin);
}

/* `take` of `rows` rows of one head, each standing for `weight` as many; take >= 4 or = rows. */
static size_t choose_in_head(row_choice *out, size_t head, size_t rows, size_t take, double weight,
                             rng *random)
{
    if (take >= rows) {
        for (size_t r = 0; r < rows; r++)
            out[r] = (row_choice){head, r, weight};
        return rows;
    }
    size_t strata = take - 2, inner = rows - 2, count = 0;
    out[count++] = (row_choice){head, 0, weight};
    for (size_t s = 0; s < strata; s++) {
        size_t begin = 1 + edge(s, strata, inner), end = 1 + edge(s + 1, strata, inner);
        out[count++] = (row_choice){head, draw(random, begin, end), weight * (double)(end - begin)};
    }
    out[count++] = (row_choice){head, rows - 1, weight};
    return count;
}

attn_status rows_choose(row_choice **out, size_t *count, size_t heads, size_t rows, double wanted,
                        uint64_t seed, attn_error *err)
{
    size_t used = heads, take = rows;
    if (wanted < (double)heads * (double)rows) {
        double affordable = wanted / ROWS_PER_HEAD;
        used = affordable < 1 ? 1 : affordable < (double)heads ? (size_t)affordable : heads;
        double each = wanted / (double)used;
        take = each < 4 ? 4 : (size_t)each;
        take = take < rows ? take : rows;
    }
    row_choice *chosen = malloc(used * take * sizeof *chosen);
    if (!chosen)
        return attn_fail(err, ATTN_ENOMEM, "out of memory for a sample of %zu rows", used * take);
    rng random = rng_make(seed, 0x726f7773); /* "rows" */
    *count = 0;
    for (size_t s = 0; s < used; s++) {
        size_t begin = edge(s, used, heads), end = edge(s + 1, used, heads);
        rng own = rng_split(&random, s);
        size_t head = draw(&own, begin, end);
        *count += choose_in_head(chosen + *count, head, rows, take, (double)(end - begin), &own);
    }
    *out = chosen;
    return ATTN_OK;
}
