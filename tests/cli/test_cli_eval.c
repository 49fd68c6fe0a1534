/* attnlab eval against the definition, computed here in fp64 from allows(), and everything it must refuse. */
#include <criterion/criterion.h>

#include <dirent.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "attn/plan.h"
#include "base/float16.h"
#include "base/npy.h"
#include "base/rng.h"
#include "harness/cli.h"
#include "support/program.h"

typedef struct problem {
    const char *spec;
    size_t b, h, kv, nq, nk, d; /* b = 0: arrays of three dimensions */
    npy_type type;
    double scale; /* 0: default */
} problem;

static float widen(uint16_t x, npy_type type)
{
    return type == NPY_F2 ? f32_from_f16(x) : f32_from_bf16(x);
}

/* Saves seeded values as an array of the type; returns them as they were stored. */
static double *make(const char *name, const problem *p, size_t heads, size_t n, uint64_t stream)
{
    size_t batch = p->b ? p->b : 1, count = batch * heads * n * p->d;
    double *values = malloc(count * sizeof *values);
    void *stored = malloc(count * 8);
    for (size_t e = 0; e < count; e++) {
        float x;
        rng_normal_fill(1, stream, e, 1, &x);
        values[e] = (double)x;
        if (p->type == NPY_F8)
            ((double *)stored)[e] = values[e];
        else if (p->type == NPY_F4)
            ((float *)stored)[e] = x;
        else {
            uint16_t half = p->type == NPY_F2 ? f16_from_f32(x) : bf16_from_f32(x);
            ((uint16_t *)stored)[e] = half;
            values[e] = (double)widen(half, p->type);
        }
    }
    size_t size[4] = {batch, heads, n, p->d};
    attn_error err;
    cr_assert(npy_save(scratch_path(name), p->type, p->b ? 4 : 3, p->b ? size : size + 1, stored, &err) ==
                  ATTN_OK,
              "%s", err.message);
    free(stored);
    return values;
}

static double *load(const char *name, npy_shape *shape)
{
    npy_reader *r;
    attn_error err;
    cr_assert(npy_open(&r, scratch_path(name), &err) == ATTN_OK, "%s", err.message);
    *shape = *npy_reader_shape(r);
    void *stored = malloc(shape->count * 8);
    double *values = malloc(shape->count * sizeof *values);
    cr_assert(npy_read(r, stored, shape->count, &err) == ATTN_OK, "%s", err.message);
    for (size_t e = 0; e < shape->count; e++)
        values[e] = shape->type == NPY_F8   ? ((double *)stored)[e]
                    : shape->type == NPY_F4 ? (double)((float *)stored)[e]
                                            : (double)widen(((uint16_t *)stored)[e], shape->type);
    npy_close(r);
    free(stored);
    return values;
}

/* One element of the result, and lse of its row, by the formula. */
static double expected(const problem *p, const attn_layout *layout, const double *q, const double *k,
                       const double *v, size_t head, size_t r, size_t t, double *lse)
{
    size_t kv = head / p->h * p->kv + head % p->h * p->kv / p->h;
    double scale = p->scale != 0 ? p->scale : 1 / sqrt((double)p->d), sum = 0, weighted = 0;
    for (size_t j = 0; j < p->nk; j++) {
        if (!attn_layout_allows(layout, head % p->h, r, j))
            continue;
        double dot = 0;
        for (size_t c = 0; c < p->d; c++)
            dot += q[(head * p->nq + r) * p->d + c] * k[(kv * p->nk + j) * p->d + c];
        sum += exp(scale * dot);
        weighted += exp(scale * dot) * v[(kv * p->nk + j) * p->d + t];
    }
    *lse = log(sum);
    return sum > 0 ? weighted / sum : 0;
}

static void check(const problem *p, const char *options, double tolerance)
{
    /* AMX sums the weights it has rounded to bf16, see kernels/amx_body.h */
    const double lse_tolerance = p->type == NPY_U2 ? 0x1p-8 : 1e-5;
    double *q = make("q.npy", p, p->h, p->nq, 1), *k = make("k.npy", p, p->kv, p->nk, 2),
           *v = make("v.npy", p, p->kv, p->nk, 3);
    outcome o =
        shell("cd %s && exec $ATTNLAB eval %s --q q.npy --k k.npy --v v.npy --out o.npy --lse lse.npy %s",
              scratch_folder(), p->spec, options);
    cr_assert(o.exit_code == 0 && !*o.out && !*o.err, "%s %s: exit %d: %s", p->spec, options, o.exit_code,
              o.err);
    outcome_free(&o);

    npy_shape shape, lse_shape;
    double *out = load("o.npy", &shape), *lse = load("lse.npy", &lse_shape);
    int rank = p->b ? 4 : 3;
    const size_t size[4] = {p->b, p->h, p->nq, p->d};
    cr_assert(shape.type == p->type && shape.rank == rank && lse_shape.type == NPY_F4 &&
                  lse_shape.rank == rank - 1,
              "%s: types or ranks", p->spec);
    for (int dim = 0; dim < rank; dim++)
        cr_assert(shape.size[dim] == size[dim + 4 - rank] &&
                      (dim == rank - 1 || lse_shape.size[dim] == shape.size[dim]),
                  "%s: dimension %d", p->spec, dim);

    attn_spec *spec;
    attn_layout *layout;
    attn_error err;
    cr_assert(attn_spec_parse(&spec, p->spec, &err) == ATTN_OK &&
                  attn_layout_create(&layout, spec, p->nq, p->nk, p->h, &err) == ATTN_OK, "%s", err.message);
    for (size_t head = 0; head < (p->b ? p->b : 1) * p->h; head++)
        for (size_t r = 0; r < p->nq; r++)
            for (size_t t = 0; t < p->d; t++) {
                double right_lse, right = expected(p, layout, q, k, v, head, r, t, &right_lse);
                double is = out[(head * p->nq + r) * p->d + t], is_lse = lse[head * p->nq + r];
                cr_assert(fabs(is - right) <= tolerance * fmax(1, fabs(right)),
                          "%s %s head %zu row %zu element %zu: %.9g, "
                          "not %.9g",
                          p->spec, options, head, r, t, is, right);
                cr_assert(is_lse == right_lse || fabs(is_lse - right_lse) <= lse_tolerance * fmax(1, fabs(right_lse)),
                          "%s %s head %zu row %zu: lse %.9g, not %.9g", p->spec, options, head, r, is_lse,
                          right_lse);
            }
    attn_layout_destroy(layout);
    attn_spec_destroy(spec);
    free(q), free(k), free(v), free(out), free(lse);
}

/* fp32 rounds at 2^-24; sums of some 40 products of size 1 stay well inside 1e-5. bf16 rounds o at 2^-9, f16
 * at 2^-12; fp64 by the oracle differs from this file only in the order of sums. */
Test(cli_eval, is_the_definition, .timeout = 120)
{
    static const problem problems[] = {
        {"dense", 0, 2, 2, 9, 9, 16, NPY_F4, 0},
        {"strided:l=4", 2, 4, 2, 33, 33, 24, NPY_F4, 0},
        {"fixed:l=5,c=2", 1, 3, 1, 21, 21, 5, NPY_F4, 0.3},
        {"local:k=3,causal=0", 0, 1, 1, 17, 40, 64, NPY_F4, 0},
        {"local:k=3", 2, 2, 1, 30, 11, 8, NPY_F4, -0.5}, /* rows before key 0 */
        {"fixed:l=4,c=1,head=summary", 0, 2, 2, 19, 19, 33, NPY_F4, 0}, /* empty rows */
        {"dense", 0, 1, 1, 1, 1, 1, NPY_F4, 0},
        {"strided:l=3", 0, 2, 1, 25, 25, 12, NPY_F8, 0},
    };
    for (size_t k = 0; k < sizeof problems / sizeof *problems; k++) {
        problem p = problems[k];
        char options[64] = "";
        if (p.scale != 0)
            snprintf(options, sizeof options, "--scale %g", p.scale);
        check(&p, options, 1e-5);
    }
}

Test(cli_eval, every_type)
{
    static const problem problem_f8 = {"strided:l=4", 2, 2, 1, 13, 20, 12, NPY_F8, 0};
    problem p = problem_f8;
    check(&p, "--kernel oracle", 1e-13);
    check(&p, "--kernel oracle --threads 1", 1e-13);
    check(&p, "", 1e-5);
    p.type = NPY_U2;
    check(&p, "", 0x1p-8);
    check(&p, "--kernel oracle", 0x1p-8);
    p.type = NPY_F2;
    check(&p, "", 0x1p-11);
}

/* Every kernel that can run here, by name, on floats or, where it has none, on bf16. */
Test(cli_eval, every_kernel)
{
    static const problem on_floats = {"fixed:l=6,c=2", 0, 2, 1, 30, 30, 20, NPY_F4, 0};
    size_t ran = 0;
    for (size_t k = 0; k < attn_kernel_count(); k++) {
        attn_kernel_info info = attn_kernel_at(k);
        const bool floats = info.dtypes >> ATTN_F32 & 1;
        problem p = on_floats;
        p.type = floats ? NPY_F4 : NPY_U2;
        char options[128];
        snprintf(options, sizeof options, "--kernel %s --threads 2", info.name);
        if (info.unavailable) {
            outcome o =
                shell("cd %s && exec $ATTNLAB eval dense --q q.npy --k k.npy --v v.npy --out x.npy %s",
                      scratch_folder(), options);
            cr_assert(o.exit_code == EXIT_INPUT, "%s: exit %d", options, o.exit_code);
            outcome_free(&o);
            continue;
        }
        check(&p, options, floats ? 1e-5 : 0x1p-7); /* bf16: both the weights and o are rounded */
        ran++;
    }
    cr_assert(ran >= 2, "%zu kernels ran", ran);
}

Test(cli_eval, result_does_not_depend_on_threads)
{
    static const problem p = {"strided:l=16", 2, 4, 2, 200, 200, 40, NPY_F4, 0};
    free(make("q.npy", &p, p.h, p.nq, 1));
    free(make("k.npy", &p, p.kv, p.nk, 2));
    free(make("v.npy", &p, p.kv, p.nk, 3));
    outcome o = shell("cd %s && for t in 1 2 5; do $ATTNLAB eval %s --q q.npy --k k.npy --v v.npy --out "
                      "$t.npy --threads $t "
                      "|| exit 1; done; cmp 1.npy 2.npy && cmp 1.npy 5.npy",
                      scratch_folder(), p.spec);
    cr_assert(o.exit_code == 0, "exit %d: %s%s", o.exit_code, o.out, o.err);
    outcome_free(&o);
}

/* --out may be an input: that is only replaced at the end. */
Test(cli_eval, may_overwrite_an_input_and_write_to_a_pipe)
{
    static const problem p = {"dense", 0, 1, 1, 6, 6, 8, NPY_F4, 0};
    free(make("q.npy", &p, 1, 6, 1));
    free(make("k.npy", &p, 1, 6, 2));
    free(make("v.npy", &p, 1, 6, 3));
    outcome o = shell(
        "cd %s && E=\"$ATTNLAB eval dense --k k.npy --v v.npy\" && $E --q q.npy --out o.npy && "
        "cat q.npy | $E --q /dev/stdin --out - > p.npy && cmp o.npy p.npy && $E --q q.npy --out q.npy && "
        "cmp o.npy q.npy",
        scratch_folder());
    cr_assert(o.exit_code == 0, "exit %d: %s%s", o.exit_code, o.out, o.err);
    outcome_free(&o);
}

static size_t files_in(const char *folder)
{
    DIR *d = opendir(folder);
    size_t count = 0;
    while (readdir(d))
        count++;
    closedir(d);
    return count;
}

Test(cli_eval, refusals_write_nothing, .timeout = 60)
{
    static const struct {
        const char *name;
        npy_type type;
        int rank;
        size_t size[4];
    } files[] = {
        {"q", NPY_F4, 3, {4, 6, 8}},     {"k", NPY_F4, 3, {2, 6, 8}},       {"k3", NPY_F4, 3, {3, 6, 8}},
        {"kn", NPY_F4, 3, {2, 5, 8}},    {"kd", NPY_F4, 3, {2, 6, 4}},      {"k8", NPY_F8, 3, {2, 6, 8}},
        {"k4", NPY_F4, 4, {1, 2, 6, 8}}, {"q2", NPY_F4, 2, {6, 8}},         {"qi", NPY_I4, 3, {4, 6, 8}},
        {"q0", NPY_F4, 3, {4, 0, 8}},    {"q300", NPY_F4, 3, {1, 2, 300}},  {"qb", NPY_F4, 4, {2, 4, 6, 8}},
        {"kb", NPY_F4, 4, {3, 4, 6, 8}},
    };
    char folder[512];
    snprintf(folder, sizeof folder, "%s/work", scratch_folder());
    mkdir(folder, 0777);
    static const char zeros[1 << 15];
    for (size_t k = 0; k < sizeof files / sizeof *files; k++) {
        char path[600];
        snprintf(path, sizeof path, "%s/%s", folder, files[k].name);
        attn_error err;
        cr_assert(npy_save(path, files[k].type, files[k].rank, files[k].size, zeros, &err) == ATTN_OK, "%s",
                  err.message);
    }
    size_t before = files_in(folder);
    static const struct {
        const char *arguments, *word, *hint;
    } cases[] = {
        {"dense --q q --k k --v k", "--out", "needs"},
        {"dense --q q --k k --out o", "--v", "needs"},
        {"densse --q q --k k --v k --out o", "densse", "dense"},
        {"dense --q none --k k --v k --out o", "none", "cannot be opened"},
        {"dense --q q --k k3 --v k3 --out o", "k3", "divides"},
        {"dense --q q --k k --v kn --out o", "kn", "same shape"},
        {"dense --q q --k kd --v kd --out o", "kd", "d 8"},
        {"dense --q q --k k8 --v k8 --out o", "float64", "float32"},
        {"dense --q q --k k4 --v k4 --out o", "k4", "3 dimensions"},
        {"dense --q q2 --k k --v k --out o", "[6,8]", "[h,n,d]"},
        {"dense --q qi --k k --v k --out o", "int32", "float32"},
        {"dense --q q0 --k k --v k --out o", "[4,0,8]", "at least 1"},
        {"dense --q q300 --k q300 --v q300 --out o", "300", "256"},
        {"dense --q qb --k kb --v kb --out o", "kb", "batch 2"},
        {"dense --q q --k k --v k --out o --kernel nothing", "nothing", "attnlab list"},
        {"dense --q q --k k --v k --out o --scale 0", "--scale 0", "finite"},
        {"dense --q q --k k --v k --out o --scale nan", "--scale nan", "finite"},
        {"dense --q q --k k --v k --out o --scale 1e99", "--scale 1e99", "finite"},
        {"dense --q q --k k --v k --out o --scale 1x", "--scale 1x", "finite"},
        {"dense --q q --k k --v k --out o --threads 0", "--threads 0", "1"},
        {"dense --q q --k k --v k --out none/o", "none/o", "does not exist"},
        {"dense --q q --k k --v k --out o --lse none/l", "none/l", "does not exist"},
        {"dense --q q --k k --v k --out o --lse o", "--lse o", "another"},
        {"fixed:l=4,c=9 --q q --k k --v k --out o", "c=9", "l=4"},
    };
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        outcome o = shell("cd %s && exec $ATTNLAB eval %s", folder, cases[k].arguments);
        cr_assert(o.exit_code == EXIT_INPUT && one_complaint(&o, cases[k].word, cases[k].hint, NULL),
                  "%s: exit %d: %s", cases[k].arguments, o.exit_code, o.err);
        cr_assert(files_in(folder) == before, "%s: a file was left", cases[k].arguments);
        outcome_free(&o);
    }
    outcome o = shell("cd %s && exec $ATTNLAB eval dense --q q --k k --v k --out o --lse /dev/full", folder);
    cr_assert(o.exit_code == EXIT_MACHINE && one_complaint(&o, "/dev/full", NULL) &&
                  files_in(folder) == before,
              "full device: exit %d: %s", o.exit_code, o.err);
    outcome_free(&o);
}
