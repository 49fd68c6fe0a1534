/* attnlab adapter: speaks the protocol of external kernels for a shared library (attn/external.h). It is the other end of
 * harness/ext.c, and what a command of --ext may look like. */
#include <dlfcn.h>
#include <fcntl.h>
#include <math.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "attn/external.h"
#include "attn/layout.h"
#include "harness/cli.h"
#include "harness/clock.h"
#include "harness/emit.h"
#include "harness/ext.h"

enum { Q, K, V, O, TENSORS };

typedef struct mapping {
    void *base;
    size_t size;
} mapping;

typedef struct adapter {
    const attn_external *kernel;
    FILE *out;     /* answers; what the library prints goes to stderr */
    sqlite3 *json;
    const char *line; /* the request */
    attn_external_problem problem;
    attn_spec *spec;
    attn_layout *layout;
    char dtype[8], pattern[64];
    mapping maps[TENSORS];
    void *state;
    bool prepared;
} adapter;

/* ---- the request's fields ---- */

/* The value at a path of the request, as a statement at its row; NULL: no JSON, or nothing there. */
static sqlite3_stmt *field(const adapter *a, const char *path)
{
    sqlite3_stmt *query = NULL;
    if (sqlite3_prepare_v2(a->json, "SELECT value FROM (SELECT json_extract(?1, ?2) AS value FROM (SELECT 1) WHERE "
                           "json_valid(?1)) WHERE value IS NOT NULL", -1, &query, NULL) == SQLITE_OK &&
        sqlite3_bind_text(query, 1, a->line, -1, SQLITE_STATIC) == SQLITE_OK &&
        sqlite3_bind_text(query, 2, path, -1, SQLITE_STATIC) == SQLITE_OK && sqlite3_step(query) == SQLITE_ROW)
        return query;
    sqlite3_finalize(query);
    return NULL;
}

static double number(const adapter *a, const char *path)
{
    sqlite3_stmt *row = field(a, path);
    const double value = row ? sqlite3_column_double(row, 0) : 0;
    sqlite3_finalize(row);
    return value;
}

static void text(const adapter *a, const char *path, char *out, size_t size)
{
    sqlite3_stmt *row = field(a, path);
    snprintf(out, size, "%s", row ? (const char *)sqlite3_column_text(row, 0) : "");
    sqlite3_finalize(row);
}

/* ---- answers ---- */

static void answer_error(const adapter *a, const char *why)
{
    fputs("{\"ok\": false, \"error\": ", a->out);
    emit_json_string(a->out, why);
    fputs("}\n", a->out);
}

static void hello(adapter *a)
{
    if (number(a, "$.protocol") != EXT_PROTOCOL) {
        answer_error(a, "this adapter speaks protocol 1");
        return;
    }
    fprintf(a->out, "{\"ok\": true, \"protocol\": %d, \"version\": ", EXT_PROTOCOL);
    emit_json_string(a->out, a->kernel->version ? a->kernel->version : "");
    fputs("}\n", a->out);
}

/* The data of a tensor, mapped; its file's offset is a multiple of 64. */
static void *map(adapter *a, int which)
{
    static const char *const names[TENSORS] = {"q", "k", "v", "o"};
    char path[64], file[1024];
    struct stat about;
    snprintf(path, sizeof path, "$.%s.file", names[which]);
    text(a, path, file, sizeof file);
    snprintf(path, sizeof path, "$.%s.offset", names[which]);
    const double offset = number(a, path);
    const int from = open(file, (which == O ? O_RDWR : O_RDONLY) | O_CLOEXEC);
    if (from < 0 || fstat(from, &about) != 0 || about.st_size <= 0 || offset >= (double)about.st_size) {
        if (from >= 0)
            close(from);
        return NULL;
    }
    void *base = mmap(NULL, (size_t)about.st_size, PROT_READ | (which == O ? PROT_WRITE : 0),
                      MAP_SHARED | MAP_POPULATE, from, 0);
    close(from);
    if (base == MAP_FAILED)
        return NULL;
    a->maps[which] = (mapping){base, (size_t)about.st_size};
    return (char *)base + (size_t)offset;
}

static bool allows(const void *layout, size_t head, size_t i, size_t j)
{
    return attn_layout_allows(layout, head, i, j);
}

static const char *prepare(adapter *a, attn_error *err)
{
    char spec[1024];
    attn_external_problem *p = &a->problem;
    if (a->prepared)
        return "one problem for one process";
    text(a, "$.spec", spec, sizeof spec);
    text(a, "$.dtype", a->dtype, sizeof a->dtype);
    text(a, "$.pattern", a->pattern, sizeof a->pattern);
    *p = (attn_external_problem){
        .batch = (size_t)number(a, "$.batch"), .heads = (size_t)number(a, "$.heads"),
        .kv_heads = (size_t)number(a, "$.kv_heads"), .n = (size_t)number(a, "$.n"), .dim = (size_t)number(a, "$.dim"),
        .dtype = a->dtype, .scale = (float)number(a, "$.scale"), .threads = (int)number(a, "$.threads"),
        .causal = number(a, "$.causal") != 0, .pattern = a->pattern, .allows = allows,
    };
    if (attn_spec_parse(&a->spec, spec, err) || attn_layout_create(&a->layout, a->spec, p->n, p->n, p->heads, err))
        return err->message;
    p->spec = attn_layout_text(a->layout);
    p->layout = a->layout;
    p->q = map(a, Q);
    p->k = map(a, K);
    p->v = map(a, V);
    p->o = map(a, O);
    if (!p->q || !p->k || !p->v || !p->o)
        return "q, k, v and o cannot be mapped";
    const char *why = a->kernel->prepare(&a->state, p);
    a->prepared = !why;
    return why;
}

static void run_timed(const adapter *a)
{
    const double count = number(a, "$.count");
    const int64_t begin = clock_ns();
    for (double i = 0; i < count; i++)
        a->kernel->run(a->state);
    fprintf(a->out, "{\"ok\": true, \"ns\": %.17g}\n", fmax((double)(clock_ns() - begin), 1));
}

static void serve(adapter *a)
{
    char *line = NULL, request[32];
    size_t capacity = 0;
    while (getline(&line, &capacity, stdin) > 0) {
        attn_error err;
        const char *why;
        a->line = line;
        text(a, "$.request", request, sizeof request);
        if (strcmp(request, "hello") == 0)
            hello(a);
        else if (strcmp(request, "run") == 0 && a->prepared)
            run_timed(a);
        else if (strcmp(request, "prepare") != 0)
            answer_error(a, "not a request that can be answered here");
        else if ((why = prepare(a, &err)))
            answer_error(a, why);
        else
            fputs("{\"ok\": true}\n", a->out);
        fflush(a->out);
    }
    free(line);
}

/* ---- the command ---- */

static const attn_external *load(const char *file, attn_error *err)
{
    char path[4096];
    snprintf(path, sizeof path, "%s%s", strchr(file, '/') ? "" : "./", file);
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    const attn_external *k = library ? dlsym(library, ATTN_EXTERNAL_SYMBOL) : NULL;
    attn_status status = ATTN_OK;
    if (!library)
        status = attn_fail(err, ATTN_EINVAL, "%s", dlerror());
    else if (!k)
        status = attn_fail(err, ATTN_EINVAL, "%.200s has no symbol " ATTN_EXTERNAL_SYMBOL "; see attn/external.h", file);
    else if (k->abi != ATTN_EXTERNAL_ABI || k->size != sizeof *k)
        status = attn_fail(err, ATTN_EINVAL, "%.200s has ABI %u of %u bytes, not %d of %zu; compile it anew", file,
                           (unsigned)k->abi, (unsigned)k->size, ATTN_EXTERNAL_ABI, sizeof *k);
    else if (!k->prepare || !k->run)
        status = attn_fail(err, ATTN_EINVAL, "%.200s lacks prepare or run; see attn/external.h", file);
    return status ? NULL : k;
}

static int run(const args *a)
{
    const char *const *operands;
    cli_operands(a, &operands);
    attn_error err;
    adapter x = {.kernel = load(operands[0], &err)};
    if (!x.kernel)
        return cli_fail(ATTN_EINVAL, &err);
    const int answers = dup(STDOUT_FILENO);
    x.out = answers >= 0 ? fdopen(answers, "w") : NULL;
    if (!x.out || dup2(STDERR_FILENO, STDOUT_FILENO) < 0 || sqlite3_open(":memory:", &x.json) != SQLITE_OK)
        return cli_complain(EXIT_MACHINE, "out of memory or files");
    serve(&x);
    if (x.prepared && x.kernel->release)
        x.kernel->release(x.state);
    for (int t = 0; t < TENSORS; t++)
        if (x.maps[t].base)
            munmap(x.maps[t].base, x.maps[t].size);
    attn_layout_destroy(x.layout);
    attn_spec_destroy(x.spec);
    sqlite3_close(x.json);
    return fclose(x.out) == 0 ? EXIT_FINE : cli_complain(EXIT_MACHINE, "standard output could not be written");
}

static const option options[] = {{0}};

const command cmd_adapter = {
    .name = "adapter",
    .operands = "FILE.so",
    .min_operands = 1,
    .max_operands = 1,
    .summary = "speak the protocol of external kernels for a shared library",
    .details =
        "'attnlab run --ext NAME=FILE.so --kernel ext:NAME' starts it. It loads the library, whose ABI attn/external.h "
        "has, and answers requests from standard input, one JSON object a line (docs/EXTERNAL.md), until that ends.",
    .options = options,
    .run = run,
};
