/* Inputs: deterministic, of the right distribution, and refused with one line where they cannot serve. */
#include <criterion/criterion.h>

#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "attn/oracle.h"
#include "base/float16.h"
#include "base/npy.h"
#include "harness/input.h"
#include "support/program.h"

typedef struct operands {
    void *q, *k, *v;
    size_t q_bytes, k_bytes;
} operands;

static operands fill(const char *name, input_shape s, attn_dtype dtype, uint64_t seed)
{
    operands o = {.q_bytes = s.batch * s.heads * s.nq * s.dim * (dtype == ATTN_F32 ? 4 : 2),
                  .k_bytes = s.batch * s.kv_heads * s.nk * s.dim * (dtype == ATTN_F32 ? 4 : 2)};
    o.q = malloc(o.q_bytes);
    o.k = malloc(o.k_bytes);
    o.v = malloc(o.k_bytes);
    attn_error err;
    cr_assert(input_check(name, &s, &err) == ATTN_OK, "%s", err.message);
    cr_assert(input_fill(name, &s, dtype, seed, o.q, o.k, o.v, &err) == ATTN_OK, "%s", err.message);
    return o;
}

static void release(operands *o)
{
    free(o->q);
    free(o->k);
    free(o->v);
}

static bool same(const operands *a, const operands *b)
{
    return memcmp(a->q, b->q, a->q_bytes) == 0 && memcmp(a->k, b->k, a->k_bytes) == 0 &&
           memcmp(a->v, b->v, a->k_bytes) == 0;
}

/* English-like bytes of any length: words of a small vocabulary in pseudo-random order. */
static const char *write_text(const char *name, size_t bytes)
{
    static const char *const words[] = {"attention ", "is ",   "sparse ",  "the ",   "pattern ", "of ",
                                        "keys ",      "that ", "every ",   "query ", "may ",     "see, ",
                                        "and ",       "a ",    "kernel\n", "reads "};
    const char *path = scratch_path(name);
    char *text = malloc(bytes + 16);
    size_t used = 0;
    for (uint64_t state = 1; used < bytes;) {
        state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        const char *word = words[state >> 60];
        memcpy(text + used, word, strlen(word));
        used += strlen(word);
    }
    write_whole_file(path, text, bytes);
    free(text);
    return path;
}

Test(input, independent_of_threads_and_repeatable)
{
    char text[600];
    snprintf(text, sizeof text, "text:%s", write_text("words", 6000));
    const char *const names[] = {"gauss", text};
    static const input_shape shapes[] = {{2, 4, 4, 1500, 1500, 33},
                                         {1, 4, 2, 700, 1100, 64},
                                         {1, 4, 1, 1100, 700, 8},
                                         {3, 1, 1, 1, 1, 1},
                                         {1, 2, 2, 600, 600, 256}};
    for (size_t n = 0; n < sizeof names / sizeof *names; n++)
        for (size_t z = 0; z < sizeof shapes / sizeof *shapes; z++) {
            omp_set_num_threads(1);
            operands one = fill(names[n], shapes[z], ATTN_F32, 42);
            omp_set_num_threads(5);
            operands five = fill(names[n], shapes[z], ATTN_F32, 42),
                     other = fill(names[n], shapes[z], ATTN_F32, 43);
            cr_assert(same(&one, &five), "%s shape %zu: one thread and five differ", names[n], z);
            cr_assert(memcmp(one.q, other.q, one.q_bytes) != 0 && memcmp(one.k, other.k, one.k_bytes) != 0 &&
                          memcmp(one.v, other.v, one.k_bytes) != 0,
                      "%s shape %zu: the seed does not matter", names[n], z);
            for (size_t e = 0; e < one.q_bytes / 4; e++)
                cr_assert(isfinite(((float *)one.q)[e]), "%s shape %zu: q[%zu]", names[n], z, e);
            release(&one);
            release(&five);
            release(&other);
        }
}

/* Stored results name their input: these must never change. */
Test(input, golden_values)
{
    write_whole_file(scratch_path("golden"), "to be or not to be, that is", 27);
    char text[600];
    snprintf(text, sizeof text, "text:%s", scratch_path("golden"));
    input_shape s = {1, 2, 2, 27, 27, 16};
    operands gauss = fill("gauss", s, ATTN_F32, 1), words = fill(text, s, ATTN_F32, 1);
    const struct {
        const char *what;
        const void *tensor;
        float expected[2];
    } golden[] = {
        {"gauss q", gauss.q, {-0x1.52048ap-3f, -0x1.e50c9cp-1f}},
        {"gauss k", gauss.k, {-0x1.b727ccp-2f, 0x1.e228c4p-2f}},
        {"gauss v", gauss.v, {0x1.72f692p-1f, -0x1.1c6d42p-4f}},
        {"text q", words.q, {0x1.faa2ep+0f, -0x1.0616dap-1f}},
        {"text k", words.k, {0x1.faa2ep+0f, -0x1.0616dap-1f}},
        {"text v", words.v, {-0x1.174ba8p-2f, 0x1.195258p-1f}},
    };
    for (size_t k = 0; k < sizeof golden / sizeof *golden; k++) {
        const float *x = golden[k].tensor;
        cr_assert(x[0] == golden[k].expected[0] && x[600] == golden[k].expected[1], "%s: %a %a",
                  golden[k].what, (double)x[0], (double)x[600]);
    }
    release(&gauss);
    release(&words);
}

Test(input, gauss_scores_have_unit_variance)
{
    input_shape s = {1, 1, 1, 512, 512, 64};
    operands o = fill("gauss", s, ATTN_F32, 7);
    const float *q = o.q, *k = o.k;
    double sum = 0, squares = 0;
    for (size_t i = 0; i < 512; i++)
        for (size_t j = 0; j < 512; j++) {
            double dot = 0;
            for (size_t t = 0; t < 64; t++)
                dot += (double)q[i * 64 + t] * (double)k[j * 64 + t];
            sum += dot / 8;
            squares += dot / 8 * dot / 8;
        }
    double mean = sum / (512 * 512), variance = squares / (512 * 512) - mean * mean;
    /* The scores of one query share |q|: the variance of 512 such, each chi-square of 64 degrees, is
     * 2/64/512. */
    cr_assert(fabs(mean) < 0.02 && fabs(variance - 1) < 5 * sqrt(2 * 2.0 / 64 / 512), "mean %g variance %g",
              mean, variance);
    release(&o);
}

Test(input, half_precision_is_the_rounded_float)
{
    char text[600];
    snprintf(text, sizeof text, "text:%s", write_text("words", 500));
    const char *const names[] = {"gauss", text};
    input_shape s = {1, 2, 1, 500, 500, 20};
    for (size_t n = 0; n < 2; n++) {
        operands f32 = fill(names[n], s, ATTN_F32, 3), bf16 = fill(names[n], s, ATTN_BF16, 3),
                 f16 = fill(names[n], s, ATTN_F16, 3);
        for (size_t e = 0; e < f32.q_bytes / 4; e++) {
            float x = ((float *)f32.q)[e];
            cr_assert(((uint16_t *)bf16.q)[e] == bf16_from_f32(x) &&
                          ((uint16_t *)f16.q)[e] == f16_from_f32(x),
                      "%s q[%zu]=%g", names[n], e, (double)x);
        }
        for (size_t e = 0; e < f32.k_bytes / 4; e++)
            cr_assert(((uint16_t *)bf16.v)[e] == bf16_from_f32(((float *)f32.v)[e]), "%s v[%zu]", names[n],
                      e);
        release(&f32);
        release(&bf16);
        release(&f16);
    }
}

/* ---- the text model ---- */

/* Attention of query i over all keys j <= i, by the oracle, on a dense layout. */
typedef struct attention {
    attn_layout *dense;
    size_t n, dim;
    double *q, *k, *v, *scores, *o;
    double lse;
} attention;

static void attend(attention *a, const operands *x, size_t head, size_t kv_head, size_t i)
{
    for (size_t t = 0; t < a->dim; t++)
        a->q[t] = (double)((float *)x->q)[(head * a->n + i) * a->dim + t];
    for (size_t e = 0; e < a->n * a->dim; e++) {
        a->k[e] = (double)((float *)x->k)[kv_head * a->n * a->dim + e];
        a->v[e] = (double)((float *)x->v)[kv_head * a->n * a->dim + e];
    }
    attn_oracle_row(a->dense, 0, i, a->dim, 1 / sqrt((double)a->dim), a->q, a->k, a->v, a->scores, a->o,
                    &a->lse);
}

static attention attention_of(size_t n, size_t dim)
{
    attention a = {.n = n,
                   .dim = dim,
                   .q = malloc(dim * 8),
                   .k = malloc(n * dim * 8),
                   .v = malloc(n * dim * 8),
                   .scores = malloc(n * 8),
                   .o = malloc(dim * 8)};
    attn_spec *spec;
    attn_error err;
    cr_assert(attn_spec_parse(&spec, "dense", &err) == ATTN_OK &&
                  attn_layout_create(&a.dense, spec, n, n, 1, &err) == ATTN_OK,
              "%s", err.message);
    attn_spec_destroy(spec);
    return a;
}

static void attention_free(attention *a)
{
    attn_layout_destroy(a->dense);
    free(a->q), free(a->k), free(a->v), free(a->scores), free(a->o);
}

/* Peaked but not degenerate, and heads that differ in how local they are: what the accuracy of patterns is
 * judged on. Bounds are loose; on white noise every head has entropy about ln(i) - 1/2 and a window of 64
 * keys holds 64 / i. */
Test(input, text_attention_is_peaked_and_heads_differ, .timeout = 60)
{
    enum { N = 2048, D = 64, H = 8, WINDOW = 64 };
    char text[600];
    snprintf(text, sizeof text, "text:%s", write_text("words", N));
    operands x = fill(text, (input_shape){1, H, H, N, N, D}, ATTN_F32, 1);
    attention a = attention_of(N, D);
    double least_window = 1, most_window = 0;
    for (size_t head = 0; head < H; head++) {
        double entropy = 0, window = 0;
        size_t rows = 0;
        for (size_t i = N / 2; i < N; i += 37, rows++) {
            attend(&a, &x, head, head, i);
            for (size_t j = 0; j <= i; j++) {
                double p = exp(a.scores[j] - a.lse);
                entropy -= p > 0 ? p * log(p) : 0;
                window += i - j < WINDOW ? p : 0;
            }
        }
        entropy /= (double)rows;
        window /= (double)rows;
        cr_assert(entropy > 0.5 && entropy < log(N) - 1, "head %zu: mean entropy %g nats", head, entropy);
        least_window = window < least_window ? window : least_window;
        most_window = window > most_window ? window : most_window;
    }
    cr_assert(least_window < 0.2 && most_window > 0.8, "the last %d keys hold from %g to %g of the attention",
              WINDOW, least_window, most_window);
    release(&x);
    attention_free(&a);
}

/* In two copies of a text without repetitions, the heads of contexts send a query in the second copy to the
 * byte that came next in the first. */
Test(input, text_attends_where_the_context_recurs)
{
    enum { HALF = 200, N = 2 * HALF, D = 64, H = 8 };
    unsigned char bytes[N];
    for (size_t p = 0; p < HALF; p++)
        bytes[p] = bytes[p + HALF] = (unsigned char)(p + 1);
    write_whole_file(scratch_path("twice"), bytes, N);
    char text[600];
    snprintf(text, sizeof text, "text:%s", scratch_path("twice"));
    operands x = fill(text, (input_shape){1, H, H, N, N, D}, ATTN_F32, 5);
    attention a = attention_of(N, D);
    static const size_t context_heads[] = {1, 4, 7};
    for (size_t k = 0; k < 3; k++) {
        size_t hits = 0, rows = 0;
        for (size_t i = HALF + 10; i < N - 1; i += 5, rows++) {
            attend(&a, &x, context_heads[k], context_heads[k], i);
            size_t best = 0;
            for (size_t j = 1; j <= i; j++)
                best = a.scores[j] > a.scores[best] ? j : best;
            hits += best == i - HALF + 1;
        }
        cr_assert(hits * 10 > rows * 8, "head %zu: %zu of %zu queries find their continuation",
                  context_heads[k], hits, rows);
    }
    release(&x);
    attention_free(&a);
}

Test(input, text_values_are_the_bytes)
{
    write_whole_file(scratch_path("abca"), "abca", 4);
    char text[600];
    snprintf(text, sizeof text, "text:%s", scratch_path("abca"));
    operands x = fill(text, (input_shape){1, 2, 2, 4, 4, 10}, ATTN_F32, 1);
    const float *v = x.v;
    cr_assert(memcmp(v, v + 3 * 10, 40) == 0, "equal bytes, different values");
    cr_assert(memcmp(v, v + 10, 40) != 0 && memcmp(v, v + 40, 40) != 0,
              "different bytes or heads, equal values");
    release(&x);
}

/* A prefix of the positions is filled the same whatever n is, and batch entries are windows of the text. */
Test(input, text_windows)
{
    char text[600], tail[600];
    const char *path = write_text("words", 900);
    snprintf(text, sizeof text, "text:%s", path);
    size_t size;
    char *bytes = read_whole_file(path, &size);
    write_whole_file(scratch_path("tail"), bytes + 300, 600);
    snprintf(tail, sizeof tail, "text:%s", scratch_path("tail"));
    enum { ROW = 24 * 4 };
    operands whole = fill(text, (input_shape){1, 1, 1, 900, 900, 24}, ATTN_F32, 1),
             start = fill(text, (input_shape){1, 1, 1, 300, 300, 24}, ATTN_F32, 1),
             batch = fill(text, (input_shape){3, 1, 1, 300, 300, 24}, ATTN_F32, 1),
             second = fill(tail, (input_shape){1, 1, 1, 300, 300, 24}, ATTN_F32, 1),
             last = fill(text, (input_shape){1, 1, 1, 10, 300, 24}, ATTN_F32, 1);
    cr_assert(memcmp(whole.k, start.k, 300 * ROW) == 0 && memcmp(whole.q, start.q, 300 * ROW) == 0,
              "n matters");
    cr_assert(memcmp(batch.k, start.k, 300 * ROW) == 0, "batch entry 0 is not the beginning");
    cr_assert(memcmp((char *)batch.q + 300 * ROW, second.q, 300 * ROW) == 0,
              "batch entry 1 is not the next window");
    cr_assert(memcmp((char *)start.q + 290 * ROW, last.q, 10 * ROW) == 0,
              "the last queries are not at the end");
    release(&whole), release(&start), release(&batch), release(&second), release(&last);
    free(bytes);
}

Test(input, folder_is_its_files_in_order_without_links)
{
    const char *folder = scratch_folder();
    write_whole_file(scratch_path("b"), "world", 5);
    write_whole_file(scratch_path("B"), "hello ", 6);
    write_whole_file(scratch_path(".hidden"), "> ", 2);
    mkdir(scratch_path("c"), 0777);
    cr_assert(symlink("b", scratch_path("a")) == 0, "symlink failed");
    char text[600];
    snprintf(text, sizeof text, "text:%s", folder);
    operands all = fill(text, (input_shape){1, 1, 1, 13, 13, 8}, ATTN_F32, 1);
    input_shape longer = {1, 1, 1, 14, 14, 8};
    attn_error err;
    cr_assert(input_check(text, &longer, &err) == ATTN_EINVAL && strstr(err.message, "13 bytes") &&
                  strstr(err.message, "n=14"),
              "%s", err.message);
    write_whole_file(scratch_path("whole"), "> hello world", 13);
    snprintf(text, sizeof text, "text:%s", scratch_path("whole"));
    operands one = fill(text, (input_shape){1, 1, 1, 13, 13, 8}, ATTN_F32, 1);
    cr_assert(same(&all, &one), "the folder is not the concatenation");
    release(&all), release(&one);
}

/* ---- arrays ---- */

static void save(const char *name, npy_type type, int rank, const size_t *size, const void *data)
{
    attn_error err;
    cr_assert(npy_save(scratch_path(name), type, rank, size, data, &err) == ATTN_OK, "%s", err.message);
}

Test(input, arrays_are_read_from_their_beginning)
{
    enum { B = 2, H = 3, KV = 1, N = 7, D = 5 };
    static float q[B][H][N][D];
    static double k[B][KV][N][D];
    static uint16_t v[B][KV][N][D];
    for (size_t e = 0; e < sizeof q / sizeof(float); e++)
        (&q[0][0][0][0])[e] = (float)e;
    for (size_t e = 0; e < sizeof k / sizeof(double); e++) {
        (&k[0][0][0][0])[e] = 1000 + (double)e;
        (&v[0][0][0][0])[e] = bf16_from_f32((float)e);
    }
    save("q.npy", NPY_F4, 4, (size_t[]){B, H, N, D}, q);
    save("k.npy", NPY_F8, 4, (size_t[]){B, KV, N, D}, k);
    save("v.npy", NPY_U2, 4, (size_t[]){B, KV, N, D}, v);
    char name[600];
    snprintf(name, sizeof name, "npy:%s", scratch_folder());
    enum { n = 4 };
    operands x = fill(name, (input_shape){2, H, KV, n, n, D}, ATTN_F32, 1);
    for (size_t b = 0; b < B; b++)
        for (size_t i = 0; i < n; i++)
            for (size_t t = 0; t < D; t++) {
                for (size_t h = 0; h < H; h++)
                    cr_assert(((float *)x.q)[((b * H + h) * n + i) * D + t] == q[b][h][i][t],
                              "q %zu %zu %zu %zu", b, h, i, t);
                size_t e = (b * n + i) * D + t;
                cr_assert(((float *)x.k)[e] == (float)k[b][0][i][t], "k %zu %zu %zu", b, i, t);
                cr_assert(((float *)x.v)[e] == f32_from_bf16(v[b][0][i][t]), "v %zu %zu %zu", b, i, t);
            }
    release(&x);
    static const struct {
        input_shape s;
        const char *word;
    } wrong[] = {{{1, H, KV, 8, 8, D}, "n 8"}, {{1, H, KV, n, n, 4}, "d 4"}, {{1, 2, KV, n, n, D}, "heads 2"},
                 {{1, H, H, n, n, D}, "k.npy"}, {{3, H, KV, n, n, D}, "batch 3"}};
    for (size_t w = 0; w < sizeof wrong / sizeof *wrong; w++) {
        attn_error err;
        cr_assert(input_check(name, &wrong[w].s, &err) == ATTN_EINVAL && strstr(err.message, wrong[w].word) &&
                      strstr(err.message, "has shape ["), "case %zu: %s", w, err.message);
    }
    save("v.npy", NPY_I8, 4, (size_t[]){B, KV, N, D}, (int64_t[B * KV * N * D]){0});
    attn_error err;
    input_shape s = {1, H, KV, n, n, D};
    cr_assert(input_check(name, &s, &err) == ATTN_EINVAL && strstr(err.message, "int64"), "%s", err.message);
}

Test(input, bad_names)
{
    static const struct {
        const char *name, *word;
    } wrong[] = {{"gaus", "gauss"},
                 {"gauss:1", "--input gauss"},
                 {"text", "text:PATH"},
                 {"text:", "text:PATH"},
                 {"npy:", "npy:DIR"},
                 {"whatever:x", "npy:DIR"},
                 {"text:/nowhere/at/all", "/nowhere/at/all"},
                 {"npy:/nowhere/at/all", "/nowhere/at/all/q.npy"},
                 {"text:/dev/null", "regular file"},
                 {"", "gauss"}};
    input_shape s = {1, 1, 1, 4, 4, 4};
    float x[16];
    for (size_t w = 0; w < sizeof wrong / sizeof *wrong; w++) {
        attn_error err;
        cr_assert(input_check(wrong[w].name, &s, &err) == ATTN_EINVAL && strstr(err.message, wrong[w].word),
                  "%s: %s", wrong[w].name, err.message);
        cr_assert(input_fill(wrong[w].name, &s, ATTN_F32, 1, x, x, x, &err) == ATTN_EINVAL, "%s filled",
                  wrong[w].name);
    }
    cr_assert(strstr(input_describe("gauss"), "noise") && strstr(input_describe("text:x"), "text"),
              "descriptions");
}
