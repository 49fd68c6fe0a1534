/* Masks as index lists. See mask_export.h. */
#include "harness/mask_export.h"

#include <stdlib.h>
#include <string.h>

#include "base/npy.h"

static attn_status failed(const FILE *out, attn_error *err)
{
    return out ? attn_fail(err, ATTN_EIO, "the file could not be written") : attn_fail(err, ATTN_ENOMEM, "out of memory");
}

/* The row's keys, in order, one by one. */
static attn_status keys_of(const attn_layout *layout, size_t head, size_t r, attn_combs *combs, unsigned char *keys, const mask_window *w,
                           size_t *count, attn_error *err)
{
    attn_status status = mask_row(layout, head, r, combs, keys, err);
    *count = 0;
    for (size_t j = w->key; j < w->key_end && status == ATTN_OK; j++)
        *count += keys[j];
    return status;
}

/* Calls for every row of the window; first a pass that only counts. */
static attn_status write_csr(FILE *out, const attn_layout *layout, size_t head, const mask_window *w, bool indices, attn_error *err)
{
    attn_combs combs = {0};
    unsigned char *keys = malloc(attn_layout_nk(layout));
    attn_status status = keys ? ATTN_OK : failed(NULL, err);
    size_t total = 0, count = 0;
    for (size_t r = w->row; indices && r < w->row_end && status == ATTN_OK; r++) {
        status = keys_of(layout, head, r, &combs, keys, w, &count, err);
        total += count;
    }
    const size_t size = indices ? total : w->row_end - w->row + 1;
    int64_t at = 0;
    bool fine = status == ATTN_OK && npy_write_header(out, indices ? NPY_I4 : NPY_I8, 1, &size) && (indices || fwrite(&at, sizeof at, 1, out) == 1);
    for (size_t r = w->row; r < w->row_end && status == ATTN_OK && fine; r++) {
        status = keys_of(layout, head, r, &combs, keys, w, &count, err);
        at += (int64_t)count;
        fine = status == ATTN_OK && (indices || fwrite(&at, sizeof at, 1, out) == 1);
        for (size_t j = w->key; indices && j < w->key_end && fine; j++) {
            const int32_t key = (int32_t)(j - w->key);
            fine = !keys[j] || fwrite(&key, sizeof key, 1, out) == 1;
        }
    }
    free(keys);
    free(combs.at);
    return status == ATTN_OK && !fine ? failed(out, err) : status;
}

attn_status mask_write_indptr(FILE *out, const attn_layout *layout, size_t head, const mask_window *window, attn_error *err)
{
    return write_csr(out, layout, head, window, false, err);
}

attn_status mask_write_indices(FILE *out, const attn_layout *layout, size_t head, const mask_window *window, attn_error *err)
{
    return write_csr(out, layout, head, window, true, err);
}

/* ---- blocks ---- */

/* Adds the pairs of a comb to those of the blocks of keys that it meets. */
static void count_comb(const attn_comb *c, size_t block, uint64_t *pairs)
{
    for (size_t s = 0; s < c->count; s++)
        for (size_t at = c->begin + s * c->step, end = at + c->width; at < end;) {
            const size_t next = (at / block + 1) * block, stop = next < end ? next : end;
            pairs[at / block] += stop - at;
            at = stop;
        }
}

typedef struct block_row {
    const attn_layout *layout;
    size_t block, columns;
    uint64_t *pairs; /* [columns] */
    attn_combs combs;
} block_row;

static attn_status fill(block_row *b, size_t head, size_t row, attn_error *err)
{
    const size_t nq = attn_layout_nq(b->layout), end = (row + 1) * b->block < nq ? (row + 1) * b->block : nq;
    memset(b->pairs, 0, b->columns * sizeof *b->pairs);
    for (size_t r = row * b->block; r < end; r++) {
        attn_layout_row(b->layout, head, r, &b->combs);
        if (b->combs.count > b->combs.capacity) {
            attn_comb *larger = realloc(b->combs.at, b->combs.count * sizeof *larger);
            if (!larger)
                return failed(NULL, err);
            b->combs = (attn_combs){larger, b->combs.count, 0};
            attn_layout_row(b->layout, head, r, &b->combs);
        }
        for (size_t c = 0; c < b->combs.count; c++)
            count_comb(&b->combs.at[c], b->block, b->pairs);
    }
    return ATTN_OK;
}

static bool is_listed(const block_row *b, size_t row, size_t column, bool full)
{
    const size_t nq = attn_layout_nq(b->layout), nk = attn_layout_nk(b->layout);
    const size_t queries = (row + 1) * b->block < nq ? b->block : nq - row * b->block;
    const size_t keys = (column + 1) * b->block < nk ? b->block : nk - column * b->block;
    const uint64_t pairs = b->pairs[column];
    return full ? pairs == (uint64_t)queries * keys : pairs > 0 && pairs < (uint64_t)queries * keys;
}

static attn_status write_blocks(FILE *out, const attn_layout *layout, size_t block, bool full, bool indices, attn_error *err)
{
    const size_t heads = attn_layout_distinct_heads(layout), rows = (attn_layout_nq(layout) - 1) / block + 1;
    block_row b = {.layout = layout, .block = block, .columns = (attn_layout_nk(layout) - 1) / block + 1};
    const size_t size[] = {1, heads, rows, b.columns};
    b.pairs = malloc(b.columns * sizeof *b.pairs);
    int32_t *list = malloc(b.columns * sizeof *list);
    attn_status status = b.pairs && list ? ATTN_OK : failed(NULL, err);
    bool fine = status == ATTN_OK && npy_write_header(out, NPY_I4, indices ? 4 : 3, size);
    for (size_t r = 0; r < heads * rows && status == ATTN_OK && fine; r++) {
        int32_t count = 0;
        status = fill(&b, r / rows, r % rows, err);
        for (size_t c = 0; c < b.columns; c++)
            if (is_listed(&b, r % rows, c, full))
                list[count++] = (int32_t)c;
        memset(list + count, 0, (b.columns - (size_t)count) * sizeof *list);
        fine = indices ? fwrite(list, sizeof *list, b.columns, out) == b.columns : fwrite(&count, sizeof count, 1, out) == 1;
    }
    free(list);
    free(b.pairs);
    free(b.combs.at);
    return status == ATTN_OK && !fine ? failed(out, err) : status;
}

attn_status mask_write_block_counts(FILE *out, const attn_layout *layout, size_t block, bool full, attn_error *err)
{
    return write_blocks(out, layout, block, full, false, err);
}

attn_status mask_write_block_indices(FILE *out, const attn_layout *layout, size_t block, bool full, attn_error *err)
{
    return write_blocks(out, layout, block, full, true, err);
}
