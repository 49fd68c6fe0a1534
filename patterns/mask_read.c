/* Reading masks. See mask.h. Memory is bounded by what the file holds: a run for every stretch of keys, never n x n numbers. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/npy.h"
#include "patterns/mask_parts.h"

static attn_status no_memory(const char *path, attn_error *err)
{
    return attn_fail(err, ATTN_ENOMEM, "out of memory reading %s", path);
}

enum { FEW = 64 }; /* runs that there is room for at first */

static attn_status new_mask(mask_runs **out, const char *path, size_t heads, size_t rows, size_t unit, attn_error *err)
{
    mask_runs *m = calloc(1, sizeof *m);
    if (m)
        *m = (mask_runs){.heads = heads, .rows = rows, .unit = unit, .first = calloc(heads * rows + 1, sizeof *m->first), .at = malloc(FEW * sizeof *m->at),
                         .capacity = FEW};
    if (!m || !m->first || !m->at) {
        mask_free(m);
        return no_memory(path, err);
    }
    *out = m;
    return ATTN_OK;
}

/* Keys [begin, end), behind those that the row has. */
static bool add_run(mask_runs *m, size_t row, size_t begin, size_t end)
{
    if (m->count > m->first[row] && m->at[m->count - 1].end == begin) {
        m->at[m->count - 1].end = (uint32_t)end;
        return true;
    }
    if (m->count == m->capacity) {
        const size_t capacity = 2 * m->capacity;
        mask_run *at = realloc(m->at, capacity * sizeof *at);
        if (!at)
            return false;
        m->at = at;
        m->capacity = capacity;
    }
    m->at[m->count++] = (mask_run){(uint32_t)begin, (uint32_t)end};
    return true;
}

static void end_row(mask_runs *m, size_t row) { m->first[row + 1] = m->count; }

/* A row given key by key. */
static bool add_keys(mask_runs *m, size_t row, const unsigned char *keys, size_t count)
{
    bool fine = true;
    for (size_t j = 0, begin; j < count && fine; j++) {
        if (!keys[j])
            continue;
        for (begin = j; j < count && keys[j]; j++)
            ;
        fine = add_run(m, row, begin, j);
    }
    end_row(m, row);
    return fine;
}

static attn_status check_n(const char *path, size_t n, size_t nk, attn_error *err)
{
    return n == nk ? ATTN_OK : attn_fail(err, ATTN_EINVAL, "mask: %s is for n=%zu, and n is %zu here", path, n, nk);
}

/* ---- NPY ---- */

static attn_status read_dense(mask_runs **out, const char *path, size_t nk, attn_error *err)
{
    npy_reader *in = NULL;
    char text[NPY_SHAPE_TEXT];
    attn_status status = npy_open(&in, path, err);
    if (status != ATTN_OK)
        return status;
    const npy_shape *s = npy_reader_shape(in);
    unsigned char *keys = NULL;
    mask_runs *m = NULL;
    const bool bytes = s->type == NPY_BOOL || s->type == NPY_I1 || s->type == NPY_U1;
    if (!bytes || s->rank < 2 || s->rank > 3 || s->size[s->rank - 1] != s->size[s->rank - 2] || !s->count)
        status = attn_fail(err, ATTN_EINVAL, "mask: %s is %s, not a mask: bool, int8 or uint8, [n,n] or [heads,n,n]", path,
                           npy_shape_text(s, text, sizeof text));
    if (status == ATTN_OK)
        status = check_n(path, s->size[s->rank - 1], nk, err);
    if (status == ATTN_OK)
        status = new_mask(&m, path, s->rank == 3 ? s->size[0] : 1, nk, 1, err);
    if (status == ATTN_OK && !(keys = malloc(nk)))
        status = no_memory(path, err);
    for (size_t r = 0; status == ATTN_OK && r < m->heads * nk; r++) {
        status = npy_read(in, keys, nk, err);
        if (status == ATTN_OK && !add_keys(m, r, keys, nk))
            status = no_memory(path, err);
    }
    free(keys);
    npy_close(in);
    if (status == ATTN_OK)
        *out = m;
    else
        mask_free(m);
    return status;
}

/* An array of integers, each below 2^63, as int64. */
typedef struct integers {
    npy_shape shape;
    int64_t *at;
} integers;

static attn_status read_integers(integers *out, const char *path, attn_error *err)
{
    npy_reader *in = NULL;
    char text[NPY_SHAPE_TEXT];
    attn_status status = npy_open(&in, path, err);
    if (status != ATTN_OK)
        return status;
    out->shape = *npy_reader_shape(in);
    const npy_type type = out->shape.type;
    const size_t count = out->shape.count;
    if (type != NPY_I4 && type != NPY_I8 && type != NPY_U4)
        status = attn_fail(err, ATTN_EINVAL, "mask: %s is %s, not int32 or int64", path, npy_shape_text(&out->shape, text, sizeof text));
    out->at = status == ATTN_OK ? malloc((count + 1) * sizeof *out->at) : NULL;
    if (status == ATTN_OK && !out->at)
        status = no_memory(path, err);
    if (status == ATTN_OK)
        status = npy_read(in, out->at, count, err);
    if (status == ATTN_OK && type != NPY_I8) /* widened in place, from the end */
        for (size_t k = count; k-- > 0;) {
            int32_t narrow;
            memcpy(&narrow, (const char *)out->at + k * sizeof narrow, sizeof narrow);
            out->at[k] = type == NPY_I4 ? narrow : (int64_t)(uint32_t)narrow;
        }
    npy_close(in);
    return status;
}

/* ---- names of files that belong together ---- */

static bool ends_with(const char *path, const char *ending)
{
    const size_t length = strlen(path), end = strlen(ending);
    return length >= end && strcmp(path + length - end, ending) == 0;
}

/* `path` with another ending; malloc'ed. */
static char *beside(const char *path, const char *ending, const char *other)
{
    const size_t stem = strlen(path) - strlen(ending), size = stem + strlen(other) + 1;
    char *text = malloc(size);
    if (text)
        snprintf(text, size, "%.*s%s", (int)stem, path, other);
    return text;
}

/* ---- CSR, and BSR ---- */

static int by_value(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* Keys, or blocks of `m->unit` keys, that a row lists in any order. */
static attn_status take_row(mask_runs *m, size_t row, int64_t *keys, size_t count, size_t nk, const char *path, attn_error *err)
{
    const char *what = m->unit > 1 ? "block" : "key";
    bool fine = true;
    qsort(keys, count, sizeof *keys, by_value);
    for (size_t k = 0; k < count; k++) {
        if (keys[k] < 0 || (uint64_t)keys[k] >= m->rows)
            return attn_fail(err, ATTN_EINVAL, "mask: %s: row %zu lists %s %lld of %zu", path, row, what, (long long)keys[k], m->rows);
        if (k && keys[k] == keys[k - 1])
            return attn_fail(err, ATTN_EINVAL, "mask: %s: row %zu lists %s %lld twice", path, row, what, (long long)keys[k]);
        const size_t begin = (size_t)keys[k] * m->unit;
        fine = fine && add_run(m, row, begin, begin + m->unit < nk ? begin + m->unit : nk);
    }
    end_row(m, row);
    return fine ? ATTN_OK : no_memory(path, err);
}

static attn_status read_csr(mask_runs **out, const char *path, size_t nk, size_t block, attn_error *err)
{
    size_t rows = nk, unit = 1;
    integers starts = {.at = NULL}, keys = {.at = NULL};
    mask_runs *m = NULL;
    char *other = beside(path, ".indptr.npy", ".indices.npy");
    attn_status status = other ? read_integers(&starts, path, err) : no_memory(path, err);
    if (status == ATTN_OK && (starts.shape.rank != 1 || starts.shape.count < 2))
        status = attn_fail(err, ATTN_EINVAL, "mask: %s should have one dimension, n + 1", path);
    if (status == ATTN_OK && starts.shape.count - 1 != nk) {
        rows = (nk - 1) / block + 1;
        unit = block;
        if (starts.shape.count - 1 != rows)
            status = attn_fail(err, ATTN_EINVAL, "mask: %s has %zu rows; n=%zu has as many, or %zu of blocks with block=%zu", path,
                               starts.shape.count - 1, nk, rows, block);
    }
    if (status == ATTN_OK)
        status = read_integers(&keys, other, err);
    if (status == ATTN_OK && (keys.shape.rank != 1 || starts.at[0] != 0 || starts.at[rows] != (int64_t)keys.shape.count))
        status = attn_fail(err, ATTN_EINVAL, "mask: %s should begin with 0 and end with the number of indices, %zu", path, keys.shape.count);
    for (size_t r = 0; status == ATTN_OK && r < rows; r++)
        if (starts.at[r] > starts.at[r + 1])
            status = attn_fail(err, ATTN_EINVAL, "mask: %s falls at row %zu", path, r);
    if (status == ATTN_OK)
        status = new_mask(&m, path, 1, rows, unit, err);
    for (size_t r = 0; status == ATTN_OK && r < rows; r++)
        status = take_row(m, r, keys.at + starts.at[r], (size_t)(starts.at[r + 1] - starts.at[r]), nk, other, err);
    free(starts.at);
    free(keys.at);
    free(other);
    if (status == ATTN_OK)
        *out = m;
    else
        mask_free(m);
    return status;
}

/* ---- block masks ---- */

/* Counts [.., rows] and indices [.., rows, most] of blocks; marks what row r lists in blocks[]. */
typedef struct block_lists {
    integers counts, indices;
    const char *path;
} block_lists;

static attn_status read_lists(block_lists *l, const char *counts, const char *indices, attn_error *err)
{
    l->path = indices;
    attn_status status = read_integers(&l->counts, counts, err);
    if (status == ATTN_OK)
        status = read_integers(&l->indices, indices, err);
    if (status != ATTN_OK)
        return status;
    const npy_shape *c = &l->counts.shape, *x = &l->indices.shape;
    bool match = c->rank >= 1 && c->rank <= 3 && x->rank == c->rank + 1 && (c->rank < 3 || c->size[0] == 1) && c->count > 0;
    for (int k = 0; k < c->rank && match; k++)
        match = c->size[k] == x->size[k];
    return match ? ATTN_OK : attn_fail(err, ATTN_EINVAL, "mask: %s and %s should be [rows], [heads,rows] or [1,heads,rows], and one dimension more",
                                       counts, indices);
}

static attn_status mark_blocks(const block_lists *l, size_t row, unsigned char *blocks, size_t count, attn_error *err)
{
    const size_t most = l->indices.shape.size[l->indices.shape.rank - 1];
    const int64_t listed = l->counts.at[row];
    if (listed < 0 || (uint64_t)listed > most)
        return attn_fail(err, ATTN_EINVAL, "mask: %s: row %zu lists %lld blocks of %zu", l->path, row, (long long)listed, most);
    for (size_t k = 0; k < (size_t)listed; k++) {
        const int64_t block = l->indices.at[row * most + k];
        if (block < 0 || (uint64_t)block >= count)
            return attn_fail(err, ATTN_EINVAL, "mask: %s: row %zu lists block %lld of %zu", l->path, row, (long long)block, count);
        blocks[block] = 1;
    }
    return ATTN_OK;
}

static attn_status read_blocks(mask_runs **out, const char *path, size_t nk, size_t block, attn_error *err)
{
    static const char ending[] = ".kv_num_blocks.npy";
    block_lists partial = {.path = NULL}, whole = {.path = NULL};
    mask_runs *m = NULL;
    unsigned char *marked = NULL;
    char *names[] = {beside(path, ending, ".kv_indices.npy"), beside(path, ending, ".full_kv_num_blocks.npy"),
                     beside(path, ending, ".full_kv_indices.npy")};
    attn_status status = names[0] && names[1] && names[2] ? read_lists(&partial, path, names[0], err) : no_memory(path, err);
    const bool more = status == ATTN_OK && access(names[1], F_OK) == 0;
    if (more)
        status = read_lists(&whole, names[1], names[2], err);
    const npy_shape *s = &partial.counts.shape;
    if (status == ATTN_OK && more && whole.counts.shape.count != s->count)
        status = attn_fail(err, ATTN_EINVAL, "mask: %s has other rows than %s", names[1], path);
    const size_t rows = status == ATTN_OK ? s->size[s->rank - 1] : 1, blocks = (nk - 1) / block + 1;
    if (status == ATTN_OK && rows != blocks)
        status = attn_fail(err, ATTN_EINVAL, "mask: %s has %zu rows of blocks; n=%zu with block=%zu has %zu", path, rows, nk, block, blocks);
    if (status == ATTN_OK)
        status = new_mask(&m, path, s->count / rows, rows, block, err);
    if (status == ATTN_OK && !(marked = malloc(blocks)))
        status = no_memory(path, err);
    for (size_t r = 0; status == ATTN_OK && r < m->heads * rows; r++) {
        memset(marked, 0, blocks);
        status = mark_blocks(&partial, r, marked, blocks, err);
        if (status == ATTN_OK && more)
            status = mark_blocks(&whole, r, marked, blocks, err);
        for (size_t b = 0; status == ATTN_OK && b < blocks; b++)
            if (marked[b] && !add_run(m, r, b * block, (b + 1) * block < nk ? (b + 1) * block : nk))
                status = no_memory(path, err);
        if (status == ATTN_OK)
            end_row(m, r);
    }
    free(marked);
    for (size_t k = 0; k < 3; k++)
        free(names[k]);
    free(partial.counts.at);
    free(partial.indices.at);
    free(whole.counts.at);
    free(whole.indices.at);
    if (status == ATTN_OK)
        *out = m;
    else
        mask_free(m);
    return status;
}

/* ---- PBM ---- */

typedef struct bytes {
    const unsigned char *at, *end;
} bytes;

/* White space and comments, then a number; false: there is none. */
static bool pbm_number(bytes *b, size_t *out)
{
    size_t value = 0;
    for (; b->at < b->end && (*b->at == '#' || *b->at == ' ' || (*b->at >= '\t' && *b->at <= '\r')); b->at++)
        for (bool comment = *b->at == '#'; comment && b->at + 1 < b->end && b->at[1] != '\n';)
            b->at++;
    const unsigned char *begin = b->at;
    for (; b->at < b->end && *b->at >= '0' && *b->at <= '9' && value <= ATTN_MAX_N; b->at++)
        value = value * 10 + (size_t)(*b->at - '0');
    *out = value;
    return b->at > begin && value <= ATTN_MAX_N;
}

/* The next digit of a plain bitmap, which may stand without spaces. */
static bool pbm_digit(bytes *b, unsigned char *out)
{
    for (; b->at < b->end && *b->at != '0' && *b->at != '1'; b->at++)
        if (*b->at == '#')
            while (b->at + 1 < b->end && b->at[1] != '\n')
                b->at++;
        else if (*b->at != ' ' && !(*b->at >= '\t' && *b->at <= '\r'))
            return false;
    *out = b->at < b->end && *b->at == '1';
    return b->at++ < b->end;
}

attn_status mask_read_pbm(mask_runs **out, const unsigned char *data, size_t size, const char *name, size_t nk, attn_error *err)
{
    bytes b = {data, data + size};
    size_t width = 0, height = 0;
    const bool plain = size > 2 && data[0] == 'P' && data[1] == '1', raw = size > 2 && data[0] == 'P' && data[1] == '4';
    b.at += plain || raw ? 2 : 0;
    if (!(plain || raw) || !pbm_number(&b, &width) || !pbm_number(&b, &height) || width != height || !width || b.at == b.end)
        return attn_fail(err, ATTN_EINVAL, "mask: %s is not a square bitmap (PBM, P1 or P4)", name);
    attn_status status = check_n(name, width, nk, err);
    const size_t stride = (width + 7) / 8;
    b.at++; /* one white space */
    if (status == ATTN_OK && raw && (size_t)(b.end - b.at) < stride * height)
        status = attn_fail(err, ATTN_EINVAL, "mask: %s is cut short: %zu bytes of %zu", name, (size_t)(b.end - b.at), stride * height);
    mask_runs *m = NULL;
    unsigned char *keys = NULL;
    if (status == ATTN_OK)
        status = new_mask(&m, name, 1, nk, 1, err);
    if (status == ATTN_OK && !(keys = malloc(nk)))
        status = no_memory(name, err);
    for (size_t r = 0; status == ATTN_OK && r < nk; r++) {
        for (size_t j = 0; j < nk && status == ATTN_OK; j++)
            if (raw)
                keys[j] = b.at[r * stride + j / 8] >> (7 - j % 8) & 1;
            else if (!pbm_digit(&b, &keys[j]))
                status = attn_fail(err, ATTN_EINVAL, "mask: %s: row %zu, key %zu is neither 0 nor 1", name, r, j);
        if (status == ATTN_OK && !add_keys(m, r, keys, nk))
            status = no_memory(name, err);
    }
    free(keys);
    if (status == ATTN_OK)
        *out = m;
    else
        mask_free(m);
    return status;
}

static mask_decoder *decode_picture;

void mask_read_pictures_with(mask_decoder *decoder) { decode_picture = decoder; }

static attn_status read_png(mask_runs **out, const char *path, size_t nk, attn_error *err)
{
    unsigned char *pbm = NULL;
    size_t size = 0;
    if (!decode_picture)
        return attn_fail(err, ATTN_EINVAL, "mask: %s: this program decodes no PNG; use *.npy or *.pbm", path);
    attn_status status = decode_picture(path, nk, &pbm, &size, err);
    if (status == ATTN_OK)
        status = mask_read_pbm(out, pbm, size, path, nk, err);
    free(pbm);
    return status;
}

/* The whole of a file of at most what a plain bitmap of nk x nk may take, with generous white space. */
static attn_status read_pbm(mask_runs **out, const char *path, size_t nk, attn_error *err)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        return attn_fail(err, ATTN_EINVAL, "mask: cannot read %s: %s", path, strerror(errno));
    size_t used = 0, capacity = 1 << 16;
    const size_t most = nk * nk * 4 + 65536;
    unsigned char *all = malloc(capacity);
    while (all && used <= most && !feof(file) && !ferror(file)) {
        if (used == capacity) {
            unsigned char *larger = realloc(all, capacity * 2);
            if (!larger)
                break;
            all = larger;
            capacity *= 2;
        }
        used += fread(all + used, 1, capacity - used, file);
    }
    attn_status status = ferror(file)  ? attn_fail(err, ATTN_EINVAL, "mask: cannot read %s: %s", path, strerror(errno))
                         : used > most ? attn_fail(err, ATTN_EINVAL, "mask: %s is longer than a bitmap of n=%zu", path, nk)
                         : !all || !feof(file) ? no_memory(path, err)
                                               : ATTN_OK;
    fclose(file);
    if (status == ATTN_OK)
        status = mask_read_pbm(out, all, used, path, nk, err);
    free(all);
    return status;
}

attn_status mask_read(mask_runs **out, const char *path, size_t nk, size_t block, attn_error *err)
{
    if (ends_with(path, ".indptr.npy"))
        return read_csr(out, path, nk, block, err);
    if (ends_with(path, ".kv_num_blocks.npy"))
        return read_blocks(out, path, nk, block, err);
    if (ends_with(path, ".pbm"))
        return read_pbm(out, path, nk, err);
    if (ends_with(path, ".png"))
        return read_png(out, path, nk, err);
    if (ends_with(path, ".npy"))
        return read_dense(out, path, nk, err);
    return attn_fail(err, ATTN_EINVAL, "mask: %s is none of *.npy, *.pbm, *.png, *.indptr.npy (CSR, BSR), *.kv_num_blocks.npy (block mask)", path);
}
