/* libFuzzer target: any bytes as a mask, a bitmap or an array, or as the header of an array alone. It is refused in one line, or it is a
 * mask whose rows are those of its definition. The first byte is n, the second the kind. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/npy_header.h"
#include "patterns/mask.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void hold(bool condition, const char *what)
{
    if (condition)
        return;
    fprintf(stderr, "fuzz_masks: %s\n", what);
    abort();
}

/* Arrays are read from files: one in memory. */
static attn_status read_array(mask_runs **out, const uint8_t *bytes, size_t size, size_t n, attn_error *err)
{
    static char path[64];
    if (!*path)
        snprintf(path, sizeof path, "/dev/shm/fuzz-masks-%d.npy", (int)getpid());
    FILE *file = fopen(path, "wb");
    hold(file && fwrite(bytes, 1, size, file) == size, "no file to read");
    hold(fclose(file) == 0, "no file to read");
    const attn_status status = mask_read(out, path, n, 128, err);
    remove(path);
    return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    attn_error err;
    if (size < 2)
        return 0;
    const size_t n = 1 + data[0] % 64;
    if (data[1] % 4 == 1) {
        npy_shape shape;
        if (npy_header_parse((const char *)data + 2, size - 2, "x.npy", &shape, &err) != ATTN_OK)
            hold(!strchr(err.message, '\n'), "a message of two lines");
        return 0;
    }
    mask_runs *m;
    const attn_status read = data[1] % 4 == 3 ? read_array(&m, data + 2, size - 2, n, &err) : mask_read_pbm(&m, data + 2, size - 2, "x.pbm", n, &err);
    if (read != ATTN_OK) {
        hold(!strchr(err.message, '\n'), "a message of two lines");
        return 0;
    }
    const attn_pattern_args a = {.nq = n, .nk = n, .heads = 1, .causal = data[1] & 4, .state = m};
    for (size_t i = 0; i < n; i++) {
        attn_comb at[64];
        attn_combs combs = {at, 64, 0};
        bool listed[64] = {false};
        attn_pattern_mask.row(&a, 0, i, &combs);
        hold(combs.count <= n, "more runs than keys");
        for (size_t c = 0; c < combs.count; c++)
            memset(listed + at[c].begin, true, at[c].width);
        for (size_t j = 0; j < n; j++)
            hold(listed[j] == attn_pattern_mask.allows(&a, 0, i, j), "a row is not the definition");
    }
    hold(mask_id(m) > 0 && mask_id(m) < ATTN_MAX_N, "id");
    mask_free(m);
    return 0;
}
