/* Names of external kernels and the commands behind them. */
#include "harness/ext.h"

#include <ctype.h>
#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/suggest.h"

const ext_shipped ext_shipped_list[] = {
    {"torch-sdpa", "torch-sdpa", "PyTorch's scaled_dot_product_attention: dense, causal, or under a mask of all pairs"},
    {"torch-expert", "torch-expert", "sparse patterns as a skilled PyTorch user writes them, from SDPA on views"},
    {"torch-flex", "torch-flex", "PyTorch's FlexAttention, compiled"},
    {"onnxruntime-mha", "onnxruntime-mha", "ONNX Runtime's MultiHeadAttention, for dense attention in f32"},
    {"numpy-plain", "numpy-plain", "the formula in NumPy, for short sequences"},
    {0},
};

bool ext_is_name(const char *kernel)
{
    return strncmp(kernel, EXT_PREFIX, sizeof EXT_PREFIX - 1) == 0;
}

/* The length of NAME in NAME=COMMAND, 0 where it is none. */
static size_t name_length(const char *given)
{
    size_t length = strcspn(given, "=");
    if (given[length] != '=' || !given[length + 1] || length > 60)
        return 0;
    for (size_t i = 0; i < length; i++)
        if (!isalnum((unsigned char)given[i]) && !strchr("-_.", given[i]))
            return 0;
    return length;
}

attn_status ext_check_given(const char *const *given, size_t count, attn_error *err)
{
    for (size_t i = 0; i < count; i++)
        if (!name_length(given[i]))
            return attn_fail(err, ATTN_EINVAL,
                             "--ext %.80s: write NAME=COMMAND, the name of letters, digits, '-', '_' and '.'", given[i]);
    return ATTN_OK;
}

/* Where a file is, seen from the program; false when it is in none of the places. */
static bool beside_program(char out[PATH_MAX], const char *const *places, const char *file)
{
    char program[PATH_MAX], path[2 * PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    if (length <= 0)
        return false;
    program[length] = '\0';
    const char *folder = dirname(program);
    for (; *places; places++) {
        snprintf(path, sizeof path, "%s/%s%s", folder, *places, file);
        if (access(path, R_OK) == 0 && realpath(path, out))
            return true;
    }
    return false;
}

/* A word for the shell, in single quotes. */
static void quote(FILE *out, const char *text)
{
    fputc('\'', out);
    for (; *text; text++)
        fputs(*text == '\'' ? "'\\''" : (char[]){*text, '\0'}, out);
    fputc('\'', out);
}

static attn_status finish(FILE *out, char **text, attn_error *err)
{
    if (fclose(out) == 0)
        return ATTN_OK;
    free(*text);
    *text = NULL;
    return attn_fail(err, ATTN_ENOMEM, "out of memory");
}

/* The program itself, as the adapter of a library. */
static attn_status library_command(char **text, const char *file, attn_error *err)
{
    char program[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    size_t size;
    if (access(file, R_OK) != 0)
        return attn_fail(err, ATTN_EINVAL, "--ext: %.200s cannot be read; name a shared library or a command", file);
    FILE *out = length > 0 ? open_memstream(text, &size) : NULL;
    if (!out)
        return attn_fail(err, ATTN_ENOMEM, "out of memory");
    program[length] = '\0';
    fputs("exec ", out);
    quote(out, program);
    fputs(" adapter ", out);
    quote(out, file);
    return finish(out, text, err);
}

/* The shell is to become the command where it is a single one, and not its parent. */
static bool is_simple(const char *command)
{
    const size_t word = strcspn(command, " ");
    return !strpbrk(command, ";|&<>(){}\n") && !memchr(command, '=', word);
}

static attn_status given_command(char **out, const char *command, attn_error *err)
{
    const size_t length = strlen(command);
    if (length > 3 && strcmp(command + length - 3, ".so") == 0 && !strchr(command, ' '))
        return library_command(out, command, err);
    return asprintf(out, "%s%s", is_simple(command) ? "exec " : "", command) >= 0
               ? ATTN_OK : attn_fail(err, ATTN_ENOMEM, "out of memory");
}

/* $PYTHON is a command, not a path: it may be a wrapper with arguments. */
static attn_status shipped_command(char **text, const ext_shipped *s, attn_error *err)
{
    static const char *const places[] = {"../harness/peers/", "../../harness/peers/", "../share/attnlab/peers/", NULL};
    const char *python = getenv("PYTHON");
    char script[PATH_MAX];
    size_t size;
    if (!beside_program(script, places, "adapter.py"))
        return attn_fail(err, ATTN_EUNAVAILABLE, "%s%s is not available: no adapter.py beside the program, in "
                         "../share/attnlab/peers or ../harness/peers", EXT_PREFIX, s->name);
    FILE *out = open_memstream(text, &size);
    if (!out)
        return attn_fail(err, ATTN_ENOMEM, "out of memory");
    fprintf(out, "exec %s ", python && *python ? python : "python3");
    quote(out, script);
    fprintf(out, " %s", s->arm);
    return finish(out, text, err);
}

attn_status ext_command(char **out, const char *kernel, const char *const *given, size_t count, attn_error *err)
{
    const char *name = kernel + sizeof EXT_PREFIX - 1;
    suggestion near = {.word = name};
    attn_status status = ext_check_given(given, count, err);
    if (status)
        return status;
    for (size_t i = count; i-- > 0;)
        if (name_length(given[i]) == strlen(name) && strncmp(given[i], name, strlen(name)) == 0)
            return given_command(out, given[i] + strlen(name) + 1, err);
    for (const ext_shipped *s = ext_shipped_list; s->name; s++) {
        if (strcmp(s->name, name) == 0)
            return shipped_command(out, s, err);
        suggest_offer(&near, s->name);
    }
    return attn_fail(err, ATTN_EINVAL, near.best ? "--kernel %.60s: unknown; did you mean '" EXT_PREFIX "%s'?"
                     : "--kernel %.60s: unknown; --ext NAME=COMMAND gives it a command, 'attnlab list externals' has others",
                     kernel, near.best);
}

/* ---- which of them are here ---- */

enum { MOST_SHIPPED = 16 };
static const double PROBE_SECONDS = 20;

static void probe(const ext_shipped *s, attn_error *why)
{
    char kernel[80], *command = NULL;
    ext *e = NULL;
    *why = (attn_error){""};
    snprintf(kernel, sizeof kernel, EXT_PREFIX "%s", s->name);
    attn_status status = shipped_command(&command, s, why);
    if (!status)
        status = ext_open(&e, &(ext_start){.kernel = kernel, .command = command, .timeout = PROBE_SECONDS}, true, why);
    if (!status)
        *why->message = '\0';
    const char *reason = strstr(why->message, "not available: ");
    if (reason) /* without the name, which stands beside it */
        memmove(why->message, reason + sizeof "not available: " - 1, strlen(reason + sizeof "not available: " - 1) + 1);
    ext_close(e);
    free(command);
}

const char *ext_unavailable(const ext_shipped *s)
{
    static attn_error reasons[MOST_SHIPPED];
    static bool asked;
    const size_t at = (size_t)(s - ext_shipped_list);
    if (!asked) {
        asked = true;
#pragma omp parallel for num_threads(MOST_SHIPPED) schedule(static, 1)
        for (size_t i = 0; i < sizeof ext_shipped_list / sizeof ext_shipped_list[0] - 1; i++)
            probe(&ext_shipped_list[i], &reasons[i]);
    }
    return *reasons[at].message ? reasons[at].message : NULL;
}
