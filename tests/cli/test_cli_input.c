/* attnlab input: the numbers that run measures on, as files. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "harness/input.h"
#include "support/program.h"

Test(cli_input, files_hold_what_run_measures_on)
{
    enum { HEADS = 6, KV = 2, N = 33, DIM = 20 };
    static const char *const dtypes[] = {"f32", "bf16", "f16"};
    const input_shape shape = {1, HEADS, KV, N, N, DIM};
    for (attn_dtype t = ATTN_F32; t <= ATTN_F16; t++) {
        static float q[HEADS * N * DIM], k[KV * N * DIM], v[KV * N * DIM];
        const void *const tensors[] = {q, k, v};
        const size_t sizes[] = {HEADS * N * DIM, KV * N * DIM, KV * N * DIM};
        attn_error err;
        cr_assert(input_fill("gauss", &shape, t, 5, q, k, v, &err) == ATTN_OK, "%s", err.message);
        outcome o = attnlab("input gauss --out %s -n %d -d %d --heads %d --kv-heads %d --dtype %s --seed 5",
                            scratch_folder(), N, DIM, HEADS, KV, dtypes[t]);
        cr_assert(o.exit_code == 0 && !*o.out && !*o.err, "%s: exit %d: %s", dtypes[t], o.exit_code, o.err);
        outcome_free(&o);
        for (size_t x = 0; x < 3; x++) {
            const char name[] = {"qkv"[x], '.', 'n', 'p', 'y', '\0'};
            size_t size, bytes = sizes[x] * attn_dtype_size(t);
            char *file = read_whole_file(scratch_path(name), &size);
            cr_assert(size > bytes && memcmp(file + size - bytes, tensors[x], bytes) == 0, "%s %s", dtypes[t], name);
            free(file);
        }
        o = shell("cd %s && \"$ATTNLAB\" eval local --q q.npy --k k.npy --v v.npy --out o.npy", scratch_folder());
        cr_assert(o.exit_code == 0, "%s: %s", dtypes[t], o.err);
        outcome_free(&o);
    }
}

Test(cli_input, refuses_in_one_line)
{
    static const struct {
        const char *line, *word;
    } cases[] = {
        {"input gauss", "--out"},
        {"input gaus --out .", "gauss"},
        {"input gauss --out /nonexistent -n 4", "/nonexistent"},
        {"input gauss --out . --heads 6 --kv-heads 4", "--kv-heads 4"},
        {"input npy:/nonexistent --out .", "/nonexistent"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        outcome o = attnlab("%s", cases[i].line);
        cr_assert(o.exit_code == 2 && one_complaint(&o, cases[i].word, NULL), "%s: exit %d: %s", cases[i].line,
                  o.exit_code, o.err);
        outcome_free(&o);
    }
}
