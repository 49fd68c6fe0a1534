/* The header of an NPY file: a Python dictionary literal with the keys descr, fortran_order and shape, in any
 * order, then spaces and a newline.
 *
 *   header = "{" pair { "," pair } [","] "}"      pair  = string ":" value
 *   value  = string | "True" | "False" | "(" [ integer { "," integer } [","] ] ")"
 *
 * Integers may end in L, as Python 2 wrote them. Source: the format document of NumPy [numpy-format]. */
#include "base/npy_header.h"

#include <string.h>

enum { LONGEST_WORD = 32 };

typedef struct text {
    const char *at, *end;
    const char *path;
    attn_error *err;
} text;

static attn_status bad(const text *t, const char *what)
{
    return attn_fail(t->err, ATTN_EINVAL, "%s: malformed NPY header: %s", t->path, what);
}

static void skip_space(text *t)
{
    while (t->at < t->end && memchr(" \t\n\r", *t->at, 4))
        t->at++;
}

static bool take(text *t, char c)
{
    skip_space(t);
    if (t->at == t->end || *t->at != c)
        return false;
    t->at++;
    return true;
}

static bool take_word(text *t, const char *word)
{
    skip_space(t);
    size_t length = strlen(word);
    if ((size_t)(t->end - t->at) < length || memcmp(t->at, word, length) != 0)
        return false;
    t->at += length;
    return true;
}

/* A quoted string without escapes, cut to fit `out`; false when there is none. */
static bool take_string(text *t, char out[LONGEST_WORD])
{
    skip_space(t);
    if (t->at == t->end || (*t->at != '\'' && *t->at != '"'))
        return false;
    char quote = *t->at;
    const char *begin = t->at + 1, *close = memchr(begin, quote, (size_t)(t->end - begin));
    if (!close)
        return false;
    size_t length = (size_t)(close - begin) < LONGEST_WORD - 1 ? (size_t)(close - begin) : LONGEST_WORD - 1;
    memcpy(out, begin, length);
    out[length] = '\0';
    t->at = close + 1;
    return true;
}

static attn_status parse_descr(text *t, npy_shape *out)
{
    char descr[LONGEST_WORD];
    if (take(t, '['))
        return attn_fail(t->err, ATTN_EINVAL,
                         "%s: a structured type; save one field as a plain float32 array", t->path);
    if (!take_string(t, descr))
        return bad(t, "'descr' is not a string");
    if (npy_type_of_descr(descr, &out->type))
        return ATTN_OK;
    if (descr[0] == '>')
        return attn_fail(t->err, ATTN_EINVAL,
                         "%s: big-endian elements '%s'; save them little-endian: a.astype('<%s')", t->path,
                         descr, descr + 1);
    if (strchr(descr, 'O'))
        return attn_fail(t->err, ATTN_EINVAL,
                         "%s: Python objects (pickled elements); save a plain array: a.astype('float32')",
                         t->path);
    return attn_fail(t->err, ATTN_EINVAL,
                     "%s: elements of type '%s'; float32, float64, float16, bool or integers "
                     "are read: a.astype('float32')",
                     t->path, descr);
}

static attn_status parse_shape(text *t, npy_shape *out)
{
    if (!take(t, '('))
        return bad(t, "'shape' is not a tuple");
    out->rank = 0;
    bool comma = true;
    while (!take(t, ')')) {
        if (!comma)
            return bad(t, "the sizes in 'shape' are not separated by commas");
        skip_space(t);
        if (t->at < t->end && *t->at == '-')
            return bad(t, "a negative size in 'shape'");
        if (t->at == t->end || *t->at < '0' || *t->at > '9')
            return bad(t, "'shape' is not a tuple of integers");
        if (out->rank == NPY_MAX_RANK)
            return attn_fail(t->err, ATTN_EINVAL, "%s: more than %d dimensions", t->path, NPY_MAX_RANK);
        size_t size = 0;
        for (; t->at < t->end && *t->at >= '0' && *t->at <= '9'; t->at++)
            if (__builtin_mul_overflow(size, (size_t)10, &size) ||
                __builtin_add_overflow(size, (size_t)(*t->at - '0'), &size))
                return bad(t, "a size in 'shape' beyond 64 bits");
        if (t->at < t->end && *t->at == 'L')
            t->at++;
        out->size[out->rank++] = size;
        comma = take(t, ',');
    }
    if (out->rank == 1 && !comma)
        return bad(t, "'shape' is not a tuple");
    return ATTN_OK;
}

static attn_status parse_order(text *t, bool *fortran)
{
    *fortran = take_word(t, "True");
    return *fortran || take_word(t, "False") ? ATTN_OK : bad(t, "'fortran_order' is neither True nor False");
}

/* The element count, and whether all bytes together (sizes of zero left out) can be addressed. */
static attn_status count_elements(text *t, npy_shape *out, bool fortran)
{
    size_t bytes = npy_type_bytes(out->type);
    int wide = 0;
    out->count = 1;
    for (int k = 0; k < out->rank; k++) {
        wide += out->size[k] > 1;
        if (__builtin_mul_overflow(bytes, out->size[k] ? out->size[k] : 1, &bytes) || bytes > PTRDIFF_MAX)
            return attn_fail(t->err, ATTN_EINVAL,
                             "%s: the sizes in 'shape' multiply to more than can be addressed", t->path);
        out->count *= out->size[k];
    }
    if (fortran && wide > 1 && out->count > 0)
        return attn_fail(t->err, ATTN_EINVAL,
                         "%s: Fortran order; save it in C order: numpy.ascontiguousarray(a)", t->path);
    return ATTN_OK;
}

attn_status npy_header_parse(const char *header, size_t length, const char *path, npy_shape *out,
                             attn_error *err)
{
    enum { DESCR, ORDER, SHAPE, KEYS };
    static const char *const keys[KEYS] = {"descr", "fortran_order", "shape"};
    text t = {header, header + length, path, err};
    npy_shape shape = {0};
    bool fortran = false, seen[KEYS] = {false}, comma = true;

    if (!take(&t, '{'))
        return bad(&t, "it is not a dictionary");
    while (!take(&t, '}')) {
        char word[LONGEST_WORD];
        if (!comma || !take_string(&t, word) || !take(&t, ':'))
            return bad(&t, "it is not a dictionary of strings");
        int key = 0;
        while (key < KEYS && strcmp(word, keys[key]) != 0)
            key++;
        if (key == KEYS)
            return attn_fail(err, ATTN_EINVAL, "%s: malformed NPY header: unknown key '%s'", path, word);
        if (seen[key])
            return attn_fail(err, ATTN_EINVAL, "%s: malformed NPY header: '%s' is given twice", path, word);
        seen[key] = true;
        attn_status status = key == DESCR   ? parse_descr(&t, &shape)
                             : key == ORDER ? parse_order(&t, &fortran)
                                            : parse_shape(&t, &shape);
        if (status != ATTN_OK)
            return status;
        comma = take(&t, ',');
    }
    for (int key = 0; key < KEYS; key++)
        if (!seen[key])
            return attn_fail(err, ATTN_EINVAL, "%s: malformed NPY header: '%s' is missing", path, keys[key]);
    skip_space(&t);
    if (t.at != t.end)
        return bad(&t, "text after the dictionary");
    attn_status status = count_elements(&t, &shape, fortran);
    if (status == ATTN_OK)
        *out = shape;
    return status;
}
