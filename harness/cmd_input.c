/* attnlab input: the q, k and v that a sweep is measured on, as NPY files, for programs that are to work on the
 * very same numbers. `eval` reads them, and so does the input npy:DIR. */
#include <stdlib.h>

#include "base/npy.h"
#include "harness/cli.h"
#include "harness/input.h"

static const option options[] = {
    {"out", OPTION_TEXT, "DIR", "an existing folder: q.npy, k.npy and v.npy are written there", NULL, 0, 0,
     NULL, false},
    {"n", OPTION_SIZE, "N", "sequence length", "1k", 1, ATTN_MAX_N, NULL, false},
    {"d", OPTION_SIZE, "D", "head dimension", "64", ATTN_MIN_DIM, ATTN_MAX_DIM, NULL, false},
    {"batch", OPTION_SIZE, "B", "batch entries", "1", 1, 65536, NULL, false},
    {"heads", OPTION_SIZE, "H", "query heads", "8", 1, 65536, NULL, false},
    {"kv-heads", OPTION_SIZE, "H", "key and value heads; divides --heads (default: as many)", NULL, 1, 65536,
     NULL, false},
    {"dtype", OPTION_CHOICE, "TYPE", "of the elements; bf16 is written as the uint16 of its bits", "f32", 0, 0,
     "f32|bf16|f16", false},
    {"seed", OPTION_SEED, "SEED", "seed of the input", "1", 0, 0, NULL, false},
    {0},
};

enum { Q, K, V, TENSORS };

static attn_status save(const char *folder, const char *name, const input_shape *s, size_t heads,
                        attn_dtype dtype, const void *data, attn_error *err)
{
    static const npy_type types[] = {[ATTN_F32] = NPY_F4, [ATTN_BF16] = NPY_U2, [ATTN_F16] = NPY_F2};
    const size_t size[] = {s->batch, heads, s->nq, s->dim};
    char path[4096];
    const int length = snprintf(path, sizeof path, "%s/%s.npy", folder, name);
    if (length < 0 || (size_t)length >= sizeof path)
        return attn_fail(err, ATTN_EINVAL, "--out: a path of more than %zu characters", sizeof path - 7);
    return npy_save(path, types[dtype], 4, size, data, err);
}

static int run(const args *a)
{
    static const char *const names[TENSORS] = {[Q] = "q", [K] = "k", [V] = "v"};
    const char *const *operands;
    cli_operands(a, &operands);
    const char *input = operands[0], *folder = cli_text(a, "out");
    const attn_dtype dtype = (attn_dtype)cli_choice(a, "dtype");
    const size_t n = cli_size(a, "n"), heads = cli_size(a, "heads");
    const input_shape shape = {.batch = cli_size(a, "batch"),
                               .heads = heads,
                               .kv_heads = cli_given(a, "kv-heads") ? cli_size(a, "kv-heads") : heads,
                               .nq = n,
                               .nk = n,
                               .dim = cli_size(a, "d")};
    attn_error err;
    if (!folder)
        return cli_complain(EXIT_INPUT, "input needs --out DIR, an existing folder");
    if (shape.heads % shape.kv_heads)
        return cli_complain(EXIT_INPUT, "--kv-heads %zu does not divide --heads %zu", shape.kv_heads,
                            shape.heads);
    const size_t tensor_heads[TENSORS] = {[Q] = shape.heads, [K] = shape.kv_heads, [V] = shape.kv_heads};
    void *tensors[TENSORS] = {NULL};
    attn_status status = input_check(input, &shape, &err);
    for (size_t t = 0; t < TENSORS && !status; t++) {
        size_t count;
        if (__builtin_mul_overflow(shape.batch * tensor_heads[t], n * shape.dim, &count) ||
            !(tensors[t] = calloc(count, attn_dtype_size(dtype))))
            status = attn_fail(&err, ATTN_ENOMEM, "out of memory for %s of batch=%zu, heads=%zu, n=%zu, d=%zu",
                               names[t], shape.batch, tensor_heads[t], n, shape.dim);
    }
    if (!status)
        status = input_fill(input, &shape, dtype, cli_seed(a, "seed"), tensors[Q], tensors[K], tensors[V], &err);
    for (size_t t = 0; t < TENSORS && !status; t++)
        status = save(folder, names[t], &shape, tensor_heads[t], dtype, tensors[t], &err);
    for (size_t t = 0; t < TENSORS; t++)
        free(tensors[t]);
    return status ? cli_fail(status, &err) : EXIT_FINE;
}

const command cmd_input = {
    .name = "input",
    .operands = "INPUT",
    .min_operands = 1,
    .max_operands = 1,
    .summary = "write the q, k and v that run measures on as NPY files",
    .details =
        "INPUT is what run --input takes: gauss, text:FILE or npy:DIR. The same name, sizes and seed give the "
        "same numbers, here and in run. The files have the shape [batch,heads,n,d].\n"
        "\n"
        "  attnlab input gauss --out inputs -n 4k --dtype bf16\n"
        "  attnlab run -p local -n 4k --dtype bf16 --input npy:inputs",
    .options = options,
    .run = run,
};
