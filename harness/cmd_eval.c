/* eval: attention over the user's own arrays.
 *
 * Elements are computed in their own type where the kernel takes it; float64 is rounded to fp32 on the way in
 * (but not by the oracle), and halves that a kernel does not take are widened, which loses nothing. The
 * output has the type of q. Everything that can be refused is refused before anything is computed, and the
 * output files appear together, complete, or not at all. */
#include <errno.h>
#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "attn/oracle.h"
#include "attn/plan.h"
#include "base/float16.h"
#include "base/outfile.h"
#include "harness/cli.h"
#include "harness/input_tensor.h"

enum { Q, K, V, OPERANDS };
static const char *const operand_names[OPERANDS] = {"q", "k", "v"};

static const option options[] = {
    {"q", OPTION_TEXT, "FILE", "queries, .npy of shape [h,nq,d] or [b,h,nq,d]", NULL, 0, 0, NULL, false},
    {"k", OPTION_TEXT, "FILE", "keys, [hkv,nk,d] or [b,hkv,nk,d]; hkv divides h", NULL, 0, 0, NULL, false},
    {"v", OPTION_TEXT, "FILE", "values, of the shape of the keys", NULL, 0, 0, NULL, false},
    {"out", OPTION_TEXT, "FILE", "write the result: shape and type of q", NULL, 0, 0, NULL, false},
    {"lse", OPTION_TEXT, "FILE", "write ln sum exp of the scaled scores: float32 [h,nq] or [b,h,nq]", NULL, 0,
     0, NULL, false},
    {"kernel", OPTION_TEXT, "NAME", "a kernel by name (see 'attnlab list'), or auto", "auto", 0, 0, NULL,
     false},
    {"scale", OPTION_TEXT, "S", "factor of the scores (default: 1/sqrt(d))", NULL, 0, 0, NULL, false},
    {"threads", OPTION_SIZE, "T", "threads (default: all)", NULL, 1, 1024, NULL, false},
    {0},
};

typedef struct evaluation {
    const char *paths[OPERANDS];
    input_tensor t[OPERANDS];
    attn_layout *layout;
    attn_plan *plan;        /* NULL: the oracle, in fp64 throughout */
    attn_dtype dtype;       /* of the plan */
    double scale;           /* 0: 1/sqrt(d) */
    void *data[OPERANDS], *o; /* of the plan's dtype, or double */
    float *lse;
    outfile out, out_lse;
} evaluation;

/* ---- arguments ---- */

static attn_status parse_scale(const char *text, double *out, attn_error *err)
{
    char *end;
    errno = 0;
    *out = strtod(text, &end);
    float narrow = (float)*out;
    if (end == text || *end || !isfinite(narrow) || narrow == 0)
        return attn_fail(err, ATTN_EINVAL,
                         "--scale %s: not a finite number other than 0; write one such as 0.125", text);
    return ATTN_OK;
}

static attn_status check_outputs(const args *a, attn_error *err)
{
    const char *out = cli_text(a, "out"), *lse = cli_text(a, "lse");
    if (lse && strcmp(out, lse) == 0)
        return attn_fail(err, ATTN_EINVAL, "--lse %s: is the file of --out too; name another", lse);
    if ((strcmp(out, "-") == 0 || (lse && strcmp(lse, "-") == 0)) && isatty(STDOUT_FILENO))
        return attn_fail(err, ATTN_EINVAL, "standard output is a terminal; redirect it to a file");
    return ATTN_OK;
}

/* "k.npy: has shape [2,64,32] float32; [h,n,16] float32 is expected, as q.npy has [2,64,16]" */
static attn_status mismatch(const evaluation *e, int which, const char *expected, attn_error *err)
{
    char mine[NPY_SHAPE_TEXT], its[NPY_SHAPE_TEXT];
    int reference = which == V ? K : Q;
    npy_shape_text(e->t[which].shape, mine, sizeof mine);
    npy_shape_text(e->t[reference].shape, its, sizeof its);
    return attn_fail(err, ATTN_EINVAL, "%s: has shape %s; %s is expected, as %s has %s", e->paths[which],
                     mine, expected, e->paths[reference], its);
}

static attn_status check_shapes(const evaluation *e, attn_error *err)
{
    const input_tensor *q = &e->t[Q], *k = &e->t[K], *v = &e->t[V];
    if (q->dim > ATTN_MAX_DIM)
        return attn_fail(err, ATTN_EINVAL, "%s: head dimension d=%zu; at most %d is supported", e->paths[Q],
                         q->dim, ATTN_MAX_DIM);
    for (int which = K; which <= V; which++) {
        const input_tensor *t = &e->t[which];
        char expected[96];
        if (t->shape->type != q->shape->type) {
            snprintf(expected, sizeof expected, "%s", npy_type_name(q->shape->type));
            return mismatch(e, which, expected, err);
        }
        if (t->shape->rank != q->shape->rank) {
            snprintf(expected, sizeof expected, "%d dimensions", q->shape->rank);
            return mismatch(e, which, expected, err);
        }
        if (t->dim != q->dim || t->batch != q->batch) {
            int used =
                q->shape->rank == 4 ? snprintf(expected, sizeof expected, "batch %zu and ", q->batch) : 0;
            snprintf(expected + used, sizeof expected - (size_t)used, "d %zu", q->dim);
            return mismatch(e, which, expected, err);
        }
    }
    if (q->heads % k->heads != 0)
        return mismatch(e, K, "a number of heads that divides the queries'", err);
    if (v->heads != k->heads || v->n != k->n)
        return mismatch(e, V, "the same shape", err);
    return ATTN_OK;
}

/* ---- preparing ---- */

static bool kernel_takes(const char *name, attn_dtype dtype)
{
    for (size_t i = 0; i < attn_kernel_count(); i++) {
        attn_kernel_info info = attn_kernel_at(i);
        bool meant = strcmp(name, "auto") == 0 ? !info.unavailable && strcmp(info.name, "oracle") != 0
                                               : strcmp(name, info.name) == 0;
        if (meant && (info.dtypes >> dtype & 1))
            return true;
    }
    return false;
}

static attn_status make_plan(evaluation *e, const char *kernel, int threads, attn_error *err)
{
    npy_type type = e->t[Q].shape->type;
    if (type == NPY_F8 && strcmp(kernel, "oracle") == 0)
        return ATTN_OK;
    attn_dtype own = type == NPY_U2 ? ATTN_BF16 : type == NPY_F2 ? ATTN_F16 : ATTN_F32;
    e->dtype = kernel_takes(kernel, own) ? own : ATTN_F32;
    attn_problem problem = {.layout = e->layout,
                            .batch = e->t[Q].batch,
                            .kv_heads = e->t[K].heads,
                            .dim = e->t[Q].dim,
                            .dtype = e->dtype,
                            .scale = (float)e->scale,
                            .threads = threads,
                            .kernel = kernel};
    return attn_plan_create(&e->plan, &problem, err);
}

static attn_status prepare(evaluation *e, const args *a, attn_error *err)
{
    for (int which = 0; which < OPERANDS; which++) {
        e->paths[which] = cli_text(a, operand_names[which]);
        if (!e->paths[which])
            return attn_fail(err, ATTN_EINVAL, "eval needs --%s FILE", operand_names[which]);
    }
    if (!cli_given(a, "out"))
        return attn_fail(err, ATTN_EINVAL, "eval needs --out FILE");
    attn_status status = check_outputs(a, err);
    if (status == ATTN_OK && cli_given(a, "scale"))
        status = parse_scale(cli_text(a, "scale"), &e->scale, err);
    if (status != ATTN_OK)
        return status;

    const char *const *operands;
    cli_operands(a, &operands);
    attn_spec *spec;
    status = attn_spec_parse(&spec, operands[0], err);
    if (status != ATTN_OK)
        return status;
    for (int which = 0; which < OPERANDS && status == ATTN_OK; which++)
        status = input_tensor_open(&e->t[which], e->paths[which], err);
    if (status == ATTN_OK)
        status = check_shapes(e, err);
    if (status == ATTN_OK)
        status = attn_layout_create(&e->layout, spec, e->t[Q].n, e->t[K].n, e->t[Q].heads, err);
    attn_spec_destroy(spec);
    if (status == ATTN_OK)
        status = make_plan(e, cli_text(a, "kernel"), (int)cli_size(a, "threads"), err);
    if (status == ATTN_OK)
        status = outfile_open(&e->out, cli_text(a, "out"), err);
    if (status == ATTN_OK && cli_given(a, "lse"))
        status = outfile_open(&e->out_lse, cli_text(a, "lse"), err);
    return status;
}

/* ---- reading, computing, writing ---- */

static size_t element_bytes(const evaluation *e)
{
    return e->plan ? attn_dtype_size(e->dtype) : sizeof(double);
}

static attn_status read_operands(evaluation *e, attn_error *err)
{
    size_t q_count = e->t[Q].shape->count, rows = e->t[Q].batch * e->t[Q].heads * e->t[Q].n;
    e->o = malloc(q_count * element_bytes(e));
    e->lse = malloc(rows * sizeof *e->lse);
    for (int which = 0; which < OPERANDS; which++) {
        size_t count = e->t[which].shape->count;
        e->data[which] = malloc(count * element_bytes(e));
        if (!e->data[which] || !e->o || !e->lse)
            return attn_fail(err, ATTN_ENOMEM, "out of memory for the %zu elements of %s", count,
                             e->paths[which]);
        attn_status status = !e->plan ? input_tensor_doubles(&e->t[which], e->data[which], count, err)
                             : e->dtype == ATTN_F32
                                 ? input_tensor_floats(&e->t[which], e->data[which], count, err)
                                 : npy_read(e->t[which].reader, e->data[which], count, err);
        if (status != ATTN_OK)
            return status;
    }
    return ATTN_OK;
}

/* Every row by the oracle, without rounding in between. */
static attn_status run_oracle(evaluation *e, int threads, attn_error *err)
{
    size_t heads = e->t[Q].heads, group = heads / e->t[K].heads, nq = e->t[Q].n, nk = e->t[K].n,
           dim = e->t[Q].dim;
    size_t rows = e->t[Q].batch * heads * nq;
    double scale = e->scale != 0 ? e->scale : 1 / sqrt((double)dim);
    const double *q = e->data[Q], *k = e->data[K], *v = e->data[V];
    double *o = e->o;
    bool failed = false;
    int team = threads ? threads : omp_get_max_threads();
#pragma omp parallel num_threads(team) reduction(|| : failed)
    {
        double *scores = malloc(nk * sizeof *scores);
        failed = !scores;
#pragma omp for schedule(dynamic)
        for (size_t row = 0; row < rows; row++) {
            size_t head = row / nq,
                   kv = head / group * nk * dim; /* over the batch too: group divides heads */
            double lse;
            if (failed)
                continue;
            attn_oracle_row(e->layout, head % heads, row % nq, dim, scale, q + row * dim, k + kv, v + kv,
                            scores, o + row * dim, &lse);
            e->lse[row] = (float)lse;
        }
        free(scores);
    }
    return failed ? attn_fail(err, ATTN_ENOMEM, "out of memory for the scores of %zu keys", nk) : ATTN_OK;
}

/* The result in the type of q. A short write shows in the stream's error flag. */
static void write_result(const evaluation *e)
{
    enum { CHUNK = 4096 };
    FILE *out = e->out.stream;
    const npy_shape *shape = e->t[Q].shape;
    bool as_stored = !e->plan || e->dtype != ATTN_F32 || shape->type == NPY_F4;
    (void)npy_write_header(out, shape->type, shape->rank, shape->size);
    if (as_stored)
        (void)!fwrite(e->o, npy_type_bytes(shape->type), shape->count, out);
    const float *o = e->o;
    for (size_t first = 0; first < shape->count && !as_stored; first += CHUNK) {
        size_t part = shape->count - first < CHUNK ? shape->count - first : CHUNK;
        union {
            double f8[CHUNK];
            uint16_t u2[CHUNK];
        } x;
        if (shape->type == NPY_F2)
            f16_from_f32_array(x.u2, o + first, part);
        else if (shape->type == NPY_U2)
            bf16_from_f32_array(x.u2, o + first, part);
        else
            for (size_t i = 0; i < part; i++)
                x.f8[i] = (double)o[first + i];
        (void)!fwrite(&x, npy_type_bytes(shape->type), part, out);
    }
}

static attn_status write_outputs(evaluation *e, attn_error *err)
{
    const npy_shape *shape = e->t[Q].shape;
    write_result(e);
    if (e->out_lse.stream) {
        (void)npy_write_header(e->out_lse.stream, NPY_F4, shape->rank - 1, shape->size);
        (void)!fwrite(e->lse, sizeof *e->lse, shape->count / e->t[Q].dim, e->out_lse.stream);
    }
    attn_status status = outfile_finish(&e->out, err);
    if (status == ATTN_OK)
        status = outfile_finish(&e->out_lse, err);
    if (status == ATTN_OK)
        status = outfile_commit(&e->out, err);
    return status == ATTN_OK ? outfile_commit(&e->out_lse, err) : status;
}

static int run(const args *a)
{
    evaluation e = {0};
    attn_error err;
    attn_status status = prepare(&e, a, &err);
    if (status == ATTN_OK)
        status = read_operands(&e, &err);
    if (status == ATTN_OK && e.plan)
        attn_plan_run(e.plan, e.data[Q], e.data[K], e.data[V], e.o, e.lse);
    else if (status == ATTN_OK)
        status = run_oracle(&e, (int)cli_size(a, "threads"), &err);
    if (status == ATTN_OK)
        status = write_outputs(&e, &err);

    outfile_discard(&e.out);
    outfile_discard(&e.out_lse);
    free(e.o);
    free(e.lse);
    attn_plan_destroy(e.plan);
    attn_layout_destroy(e.layout);
    for (int which = 0; which < OPERANDS; which++) {
        free(e.data[which]);
        input_tensor_close(&e.t[which]);
    }
    return status == ATTN_OK ? EXIT_FINE : cli_fail(status, &err);
}

const command cmd_eval = {
    .name = "eval",
    .operands = "SPEC",
    .min_operands = 1,
    .max_operands = 1,
    .summary = "attention over your own arrays, NumPy files in and out",
    .details = "Arrays are float32, float64 (computed in fp32, by --kernel oracle in fp64), float16, or "
               "uint16 holding bf16. Where nq and nk differ the last query sees the last key. A row with no "
               "allowed key gives zeros, and -inf in lse.",
    .options = options,
    .run = run,
};
