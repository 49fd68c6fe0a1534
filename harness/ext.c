/* The conversation with an adapter: hello, prepare, run. docs/EXTERNAL.md is its description; what is said here must
 * be what stands there. */
#include "harness/ext.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/npy.h"
#include "harness/clock.h"
#include "harness/emit.h"

/* Patience after the request was closed, seconds; and the largest mask that is written out. */
static const double LEAVING = 2;
static const double MOST_MASK_BYTES = 4.0 * (1 << 30);

enum { Q, K, V, O, MASK, TENSORS };
static const char *const tensor_names[TENSORS] = {"q", "k", "v", "o", "mask"};
static const npy_type npy_types[] = {[ATTN_F32] = NPY_F4, [ATTN_BF16] = NPY_U2, [ATTN_F16] = NPY_F2};

struct ext {
    char kernel[128];
    double timeout;
    ext_process process;
    ext_folder folder;
    sqlite3 *json;
    attn_status status; /* of the first failure, which every later call repeats */
    attn_error error;
    char version[EXT_TEXT], setup[EXT_TEXT];
    npy_shape o; /* as it has to be */
};

/* ---- failing ---- */

static attn_status again(const ext *e, attn_error *err)
{
    return attn_fail(err, e->status, "%s", e->error.message);
}

ATTN_PRINTF(3, 4) static attn_status broken(ext *e, attn_error *err, const char *format, ...)
{
    char text[ATTN_ERROR_LENGTH];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    ext_process_end(&e->process, 0);
    e->status = attn_fail(&e->error, ATTN_EINVAL, "%s %s", e->kernel, text);
    return again(e, err);
}

/* The process closed its stdout: how it ended, with its last words. */
static attn_status ended(ext *e, const char *request, attn_error *err)
{
    char said[240];
    ext_process_last_words(&e->process, said, sizeof said);
    const int status = ext_process_end(&e->process, LEAVING);
    const char *colon = *said ? ": " : "";
    const int code = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
    const int number = WIFSIGNALED(status) ? WTERMSIG(status) : code > 128 && code < 160 ? code - 128 : 0; /* of a shell's child */
    if (number)
        return broken(e, err, "crashed (%s) when asked to %s%s%s", strsignal(number), request, colon, said);
    return broken(e, err, "ended with code %d when asked to %s%s%s", code, request, colon, said);
}

/* ---- one question and its answer ---- */

/* `line` is the request with its end. An answer with "ok": false is no failure yet. */
static attn_status ask(ext *e, const char *request, const char *line, ext_reply *out, attn_error *err)
{
    char *answer = NULL;
    size_t length = 0;
    if (e->status)
        return again(e, err);
    ext_process_tell(&e->process, line);
    switch (ext_process_listen(&e->process, e->timeout, &answer, &length)) {
    case EXT_LINE: break;
    case EXT_ENDED: return ended(e, request, err);
    case EXT_SILENT:
        return broken(e, err, "did not answer within %g s when asked to %s; --ext-timeout gives it longer", e->timeout,
                      request);
    case EXT_ENDLESS: return broken(e, err, "answered '%s' with a line of more than 1 MiB", request);
    case EXT_NO_MEMORY:
        e->status = attn_fail(&e->error, ATTN_ENOMEM, "out of memory for the answer of %s", e->kernel);
        return again(e, err);
    }
    attn_status status = ATTN_OK;
    if (!ext_reply_read(e->json, answer, length, out))
        status = broken(e, err, "answered '%s' with '%.60s', which is no JSON object with \"ok\": true or false", request,
                        answer);
    free(answer);
    return status;
}

static attn_status refused(ext *e, const char *request, const ext_reply *r, attn_error *err)
{
    return broken(e, err, "refused to %s: %s", request, *r->error ? r->error : "it does not say why");
}

/* ---- hello ---- */

static attn_status greet(ext *e, bool probe, attn_error *err)
{
    ext_reply r;
    char line[96];
    snprintf(line, sizeof line, "{\"request\": \"hello\", \"protocol\": %d, \"probe\": %s}\n", EXT_PROTOCOL,
             probe ? "true" : "false");
    attn_status status = ask(e, "say hello", line, &r, err);
    if (status)
        return status;
    if (!r.ok)
        return attn_fail(err, ATTN_EUNAVAILABLE, "%s is not available: %s%s%s", e->kernel,
                         *r.error ? r.error : "it does not say why", *r.get ? "; " : "", r.get);
    if (r.protocol != EXT_PROTOCOL)
        return broken(e, err, "speaks protocol %d, not %d", r.protocol, EXT_PROTOCOL);
    memcpy(e->version, r.version, sizeof e->version);
    return ATTN_OK;
}

attn_status ext_open(ext **out, const ext_start *how, bool probe, attn_error *err)
{
    ext *e = calloc(1, sizeof *e);
    if (!e)
        return attn_fail(err, ATTN_ENOMEM, "out of memory starting %s", how->kernel);
    snprintf(e->kernel, sizeof e->kernel, "%s", how->kernel);
    e->timeout = how->timeout;
    e->folder.lock = -1;
    attn_status status = ATTN_OK;
    if (sqlite3_open(":memory:", &e->json) != SQLITE_OK)
        status = attn_fail(err, ATTN_ENOMEM, "out of memory starting %s", how->kernel);
    else if (!ext_process_start(&e->process, how))
        status = attn_fail(err, ATTN_EIO, "cannot start a process for %s: %s", how->kernel, strerror(errno));
    else
        status = greet(e, probe, err);
    if (status)
        ext_close(e);
    else
        *out = e;
    return status;
}

/* ---- prepare ---- */

static void tensor_path(const ext *e, int which, char *out, size_t size)
{
    snprintf(out, size, "%s/%s.npy", e->folder.path, tensor_names[which]);
}

static attn_status save(const ext *e, int which, npy_type type, int rank, const size_t *size, const void *data,
                        attn_error *err)
{
    char path[600];
    tensor_path(e, which, path, sizeof path);
    return npy_save(path, type, rank, size, data, err);
}

/* "q": {"file": ..., "offset": 128, "shape": [1, 8, 1024, 64]}: the data are the end of the file. */
static void describe(FILE *out, const ext *e, int which, int rank, const size_t *size, size_t element)
{
    char path[600];
    struct stat about = {0};
    size_t bytes = element;
    tensor_path(e, which, path, sizeof path);
    for (int i = 0; i < rank; i++)
        bytes *= size[i];
    fprintf(out, ", \"%s\": {\"file\": ", tensor_names[which]);
    emit_json_string(out, path);
    fprintf(out, ", \"offset\": %zu, \"shape\": [", stat(path, &about) == 0 ? (size_t)about.st_size - bytes : 0);
    for (int i = 0; i < rank; i++)
        fprintf(out, "%s%zu", i ? ", " : "", size[i]);
    fputs("]}", out);
}

static attn_status write_mask(ext *e, const attn_layout *layout, const size_t size[3], attn_error *err)
{
    if ((double)size[0] * (double)size[1] * (double)size[2] > MOST_MASK_BYTES)
        return broken(e, err, "wants a mask of %zu x %zu x %zu bytes; 4 GiB is the most that is written out", size[0],
                      size[1], size[2]);
    bool *mask = malloc(size[0] * size[1] * size[2]);
    if (!mask)
        return attn_fail(err, ATTN_ENOMEM, "out of memory for the mask of %s", e->kernel);
    for (size_t h = 0; h < size[0]; h++)
#pragma omp parallel for
        for (size_t r = 0; r < size[1]; r++)
            for (size_t j = 0; j < size[2]; j++)
                mask[(h * size[1] + r) * size[2] + j] = attn_layout_allows(layout, h, r, j);
    attn_status status = save(e, MASK, NPY_BOOL, 3, size, mask, err);
    free(mask);
    return status;
}

static char *problem_text(const ext *e, const cell *c, const attn_layout *layout, const size_t *mask)
{
    const size_t rows[4] = {c->batch, c->heads, c->n, c->dim}, keys[4] = {c->batch, c->kv_heads, c->n, c->dim};
    const char *spec = attn_layout_text(layout);
    char *text = NULL, pattern[128];
    size_t size;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        return NULL;
    snprintf(pattern, sizeof pattern, "%.*s", (int)strcspn(spec, ":"), spec);
    fputs("{\"request\": \"prepare\", \"pattern\": ", out);
    emit_json_string(out, pattern);
    fputs(", \"spec\": ", out);
    emit_json_string(out, spec);
    fprintf(out, ", \"causal\": %s, \"n\": %zu, \"batch\": %zu, \"heads\": %zu, \"kv_heads\": %zu, \"dim\": %zu, "
            "\"dtype\": \"%s\", \"scale\": %.9g, \"threads\": %d", attn_layout_causal(layout) ? "true" : "false", c->n,
            c->batch, c->heads, c->kv_heads, c->dim, attn_dtype_name(c->dtype), 1 / sqrt((double)c->dim), c->threads);
    for (int t = Q; t <= O; t++)
        describe(out, e, t, 4, t == Q || t == O ? rows : keys, attn_dtype_size(c->dtype));
    if (mask)
        describe(out, e, MASK, 3, mask, 1);
    fputs("}\n", out);
    if (fclose(out) == 0)
        return text;
    free(text);
    return NULL;
}

/* q, k, v, and an o of NaN, so that one that is never written is seen to be wrong. */
static attn_status write_operands(ext *e, const cell *c, const void *const data[3], attn_error *err)
{
    const npy_type type = npy_types[c->dtype];
    attn_status status = ext_folder_open(&e->folder, err);
    for (int t = Q; t <= V && !status; t++) {
        const size_t size[4] = {c->batch, t == Q ? c->heads : c->kv_heads, c->n, c->dim};
        status = save(e, t, type, 4, size, data[t], err);
    }
    if (status)
        return status;
    e->o = (npy_shape){.type = type, .rank = 4, .size = {c->batch, c->heads, c->n, c->dim}};
    e->o.count = c->batch * c->heads * c->n * c->dim;
    void *blank = malloc(e->o.count * attn_dtype_size(c->dtype));
    if (!blank)
        return attn_fail(err, ATTN_ENOMEM, "out of memory for o");
    memset(blank, 0xff, e->o.count * attn_dtype_size(c->dtype));
    status = save(e, O, type, 4, e->o.size, blank, err);
    free(blank);
    return status;
}

attn_status ext_prepare(ext *e, const cell *c, const attn_layout *layout, const void *q, const void *k, const void *v,
                        attn_error *err)
{
    const size_t mask[3] = {attn_layout_distinct_heads(layout), c->n, c->n};
    const void *const data[3] = {q, k, v};
    ext_reply r = {0};
    attn_status status = e->status ? again(e, err) : write_operands(e, c, data, err);
    for (int masked = 0; masked < 2 && !status && !r.ok; masked++) {
        if (masked)
            status = write_mask(e, layout, mask, err);
        char *line = status ? NULL : problem_text(e, c, layout, masked ? mask : NULL);
        if (!status)
            status = line ? ask(e, "prepare", line, &r, err) : attn_fail(err, ATTN_ENOMEM, "out of memory");
        free(line);
        if (!status && !r.ok && (masked || strcmp(r.want, "mask") != 0))
            status = refused(e, "prepare", &r, err);
    }
    if (!status)
        memcpy(e->setup, r.setup, sizeof e->setup);
    return status;
}

/* ---- run ---- */

/* Nanoseconds of `count` runs. */
static attn_status run(ext *e, size_t count, bool write, double *ns, attn_error *err)
{
    ext_reply r;
    char line[96];
    snprintf(line, sizeof line, "{\"request\": \"run\", \"count\": %zu, \"write\": %s}\n", count,
             write ? "true" : "false");
    const int64_t begin = clock_ns();
    attn_status status = ask(e, "run", line, &r, err);
    const double passed = (double)(clock_ns() - begin);
    if (status)
        return status;
    if (!r.ok)
        return refused(e, "run", &r, err);
    if (!(r.ns > 0 && r.ns < (double)INFINITY))
        return broken(e, err, "answered 'run' without \"ns\", the nanoseconds it took, a number above 0");
    if (r.ns > 1.001 * passed + 1e6)
        return broken(e, err, "says that its run took %.4g s, but answered after %.4g s", r.ns / 1e9, passed / 1e9);
    *ns = r.ns;
    return ATTN_OK;
}

attn_status ext_compute(ext *e, void *o, attn_error *err)
{
    char path[600], is[NPY_SHAPE_TEXT], right[NPY_SHAPE_TEXT];
    npy_reader *reader = NULL;
    double ns;
    attn_error why;
    attn_status status = run(e, 1, true, &ns, err);
    if (status)
        return status;
    tensor_path(e, O, path, sizeof path);
    if (npy_open(&reader, path, &why))
        return broken(e, err, "wrote an o that cannot be read: %s", why.message);
    const npy_shape *s = npy_reader_shape(reader);
    if (s->type != e->o.type || s->rank != e->o.rank || memcmp(s->size, e->o.size, 4 * sizeof *s->size) != 0)
        status = broken(e, err, "wrote o as %s, not %s", npy_shape_text(s, is, sizeof is),
                        npy_shape_text(&e->o, right, sizeof right));
    else if (npy_read(reader, o, e->o.count, &why))
        status = broken(e, err, "wrote an o that cannot be read: %s", why.message);
    npy_close(reader);
    return status;
}

double ext_timed(ext *e, size_t count)
{
    double ns;
    return run(e, count, false, &ns, NULL) ? (double)INFINITY : ns / (double)count;
}

attn_status ext_status(const ext *e, attn_error *err)
{
    return e->status ? again(e, err) : ATTN_OK;
}

const char *ext_version(const ext *e) { return e->version; }
const char *ext_setup(const ext *e) { return e->setup; }

void ext_close(ext *e)
{
    if (!e)
        return;
    ext_process_end(&e->process, LEAVING);
    ext_folder_close(&e->folder);
    sqlite3_close(e->json);
    free(e);
}
