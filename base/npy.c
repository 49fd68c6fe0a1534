/* NPY files: the preamble, the elements, and writing. The header's dictionary is parsed in npy_header.c. */
#include "base/npy.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/npy_header.h"
#include "base/outfile.h"

enum {
    MAGIC = 6,
    LONGEST_HEADER = 65536, /* NumPy writes 128 bytes or so; long headers are structured types or an attack */
    SCRATCH = 65536
};

static const struct type {
    const char *name;
    size_t bytes;
    const char *descr; /* what is written */
} types[] = {
    [NPY_BOOL] = {"bool", 1, "|b1"},   [NPY_U1] = {"uint8", 1, "|u1"},    [NPY_I1] = {"int8", 1, "|i1"},
    [NPY_U2] = {"uint16", 2, "<u2"},   [NPY_I2] = {"int16", 2, "<i2"},    [NPY_U4] = {"uint32", 4, "<u4"},
    [NPY_I4] = {"int32", 4, "<i4"},    [NPY_U8] = {"uint64", 8, "<u8"},   [NPY_I8] = {"int64", 8, "<i8"},
    [NPY_F2] = {"float16", 2, "<f2"},  [NPY_F4] = {"float32", 4, "<f4"},  [NPY_F8] = {"float64", 8, "<f8"},
};
enum { TYPES = sizeof types / sizeof *types };

const char *npy_type_name(npy_type type)
{
    return types[type].name;
}

size_t npy_type_bytes(npy_type type)
{
    return types[type].bytes;
}

bool npy_type_of_descr(const char *descr, npy_type *out)
{
    for (int t = 0; t < TYPES; t++) {
        bool order_is_free = types[t].bytes == 1 && (descr[0] == '<' || descr[0] == '>');
        if (strcmp(descr, types[t].descr) == 0 ||
            (order_is_free && strcmp(descr + 1, types[t].descr + 1) == 0)) {
            *out = (npy_type)t;
            return true;
        }
    }
    return false;
}

char *npy_shape_text(const npy_shape *shape, char *out, size_t size)
{
    size_t used = (size_t)snprintf(out, size, "[");
    for (int k = 0; k < shape->rank && used < size; k++)
        used += (size_t)snprintf(out + used, size - used, "%s%zu", k ? "," : "", shape->size[k]);
    if (used < size)
        snprintf(out + used, size - used, "] %s", npy_type_name(shape->type));
    return out;
}

/* ---- reading ---- */

struct npy_reader {
    const char *path;
    int fd;
    bool regular;
    npy_shape shape;
    size_t left; /* elements not yet read */
};

/* Reads up to `count` bytes; *got falls short only at the end of the file. */
static attn_status read_bytes(npy_reader *r, void *data, size_t count, size_t *got, attn_error *err)
{
    char *to = data;
    *got = 0;
    while (*got < count) {
        size_t part = count - *got < (size_t)1 << 30 ? count - *got : (size_t)1 << 30;
        ssize_t n = read(r->fd, to + *got, part);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return attn_fail(err, errno == EISDIR ? ATTN_EINVAL : ATTN_EIO, "%s: cannot be read: %s", r->path,
                             errno == EISDIR ? "it is a folder; a .npy file is needed" : strerror(errno));
        if (n == 0)
            break;
        *got += (size_t)n;
    }
    return ATTN_OK;
}

/* What a file is that is not an NPY, where its first bytes tell. */
static const char *recognise(const unsigned char *start, size_t length)
{
    static const struct {
        const char *bytes;
        size_t length;
        const char *meaning;
    } known[] = {
        {"", 0, "it is empty"},
        {"PK\3\4", 4,
         "it is a zip archive; if it is an .npz, extract the array with numpy.load and numpy.save"},
        {"\x80\2", 2, "it is a Python pickle; save the array with numpy.save"},
        {"\x80\3", 2, "it is a Python pickle; save the array with numpy.save"},
        {"\x80\4", 2, "it is a Python pickle; save the array with numpy.save"},
        {"\x80\5", 2, "it is a Python pickle; save the array with numpy.save"},
        {"\x89HDF", 4, "it is an HDF5 file; save the array with numpy.save"},
        {"\x1f\x8b", 2, "it is compressed with gzip; decompress it first"},
    };
    for (size_t k = 0; k < sizeof known / sizeof *known; k++)
        if (known[k].length ? length >= known[k].length && memcmp(start, known[k].bytes, known[k].length) == 0
                            : length == 0)
            return known[k].meaning;
    return "it does not begin with \\x93NUMPY";
}

static attn_status cut_short(const npy_reader *r, attn_error *err)
{
    return attn_fail(err, ATTN_EINVAL, "%s: truncated: the header is not complete", r->path);
}

/* Reads everything up to the first element; *length is how many bytes that was. */
static attn_status read_header(npy_reader *r, size_t *length, attn_error *err)
{
    unsigned char start[MAGIC + 2 + 4];
    size_t got;
    attn_status status = read_bytes(r, start, MAGIC + 2, &got, err);
    if (status != ATTN_OK)
        return status;
    if (got < MAGIC || memcmp(start, "\x93NUMPY", MAGIC) != 0)
        return attn_fail(err, ATTN_EINVAL, "%s: not an NPY file: %s", r->path, recognise(start, got));
    if (got < MAGIC + 2)
        return cut_short(r, err);
    int major = start[MAGIC], minor = start[MAGIC + 1];
    if (major < 1 || major > 3 || minor != 0)
        return attn_fail(err, ATTN_EINVAL, "%s: NPY version %d.%d is not known; 1.0, 2.0 and 3.0 are",
                         r->path, major, minor);
    size_t width = major == 1 ? 2 : 4;
    status = read_bytes(r, start + MAGIC + 2, width, &got, err);
    if (status != ATTN_OK)
        return status;
    if (got < width)
        return cut_short(r, err);
    size_t text_length = 0;
    for (size_t k = width; k-- > 0;)
        text_length = text_length << 8 | start[MAGIC + 2 + k];
    if (text_length > LONGEST_HEADER)
        return attn_fail(err, ATTN_EINVAL, "%s: a header of %zu bytes; at most %d are read", r->path,
                         text_length, LONGEST_HEADER);
    char *text = malloc(text_length + 1);
    if (!text)
        return attn_fail(err, ATTN_ENOMEM, "%s: out of memory", r->path);
    status = read_bytes(r, text, text_length, &got, err);
    if (status == ATTN_OK && got < text_length)
        status = cut_short(r, err);
    if (status == ATTN_OK)
        status = npy_header_parse(text, text_length, r->path, &r->shape, err);
    free(text);
    *length = MAGIC + 2 + width + text_length;
    return status;
}

/* "[8,64] float32 needs 2048 bytes of elements, the file has 2000" */
static attn_status wrong_length(const npy_reader *r, const char *what, uintmax_t found, attn_error *err)
{
    char text[NPY_SHAPE_TEXT];
    return attn_fail(err, ATTN_EINVAL, "%s: %s: %s needs %zu bytes after the header, there are %ju", r->path,
                     what, npy_shape_text(&r->shape, text, sizeof text),
                     r->shape.count * npy_type_bytes(r->shape.type), found);
}

/* A pipe's end is only known by reading on. */
static attn_status check_end(npy_reader *r, attn_error *err)
{
    if (r->left > 0 || r->regular)
        return ATTN_OK;
    char byte;
    size_t got;
    attn_status status = read_bytes(r, &byte, 1, &got, err);
    if (status == ATTN_OK && got > 0)
        status = attn_fail(err, ATTN_EINVAL, "%s: trailing bytes after the last element", r->path);
    return status;
}

attn_status npy_open(npy_reader **out, const char *path, attn_error *err)
{
    *out = NULL;
    npy_reader *r = calloc(1, sizeof *r);
    if (!r)
        return attn_fail(err, ATTN_ENOMEM, "%s: out of memory", path);
    r->path = path;
    r->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (r->fd < 0) {
        int error = errno;
        free(r);
        bool machine = error == EIO || error == EMFILE || error == ENFILE || error == ENOMEM;
        return attn_fail(err, machine ? ATTN_EIO : ATTN_EINVAL, "%s: cannot be opened: %s", path,
                         strerror(error));
    }
    size_t header = 0;
    attn_status status = read_header(r, &header, err);
    struct stat s;
    if (status == ATTN_OK && fstat(r->fd, &s) == 0 && S_ISREG(s.st_mode)) {
        uintmax_t size = (uintmax_t)s.st_size, needed = r->shape.count * npy_type_bytes(r->shape.type);
        r->regular = true;
        uintmax_t found = size > header ? size - header : 0;
        if (found != needed)
            status = wrong_length(r, found < needed ? "truncated" : "trailing bytes", found, err);
    }
    r->left = r->shape.count;
    if (status == ATTN_OK)
        status = check_end(r, err);
    if (status != ATTN_OK) {
        npy_close(r);
        return status;
    }
    *out = r;
    return ATTN_OK;
}

void npy_close(npy_reader *r)
{
    if (!r)
        return;
    close(r->fd);
    free(r);
}

const npy_shape *npy_reader_shape(const npy_reader *r)
{
    return &r->shape;
}

attn_status npy_read(npy_reader *r, void *data, size_t count, attn_error *err)
{
    assert(count <= r->left);
    size_t width = npy_type_bytes(r->shape.type), got;
    attn_status status = read_bytes(r, data, count * width, &got, err);
    if (status != ATTN_OK)
        return status;
    if (got < count * width)
        return wrong_length(r, "truncated", (uintmax_t)(r->shape.count - r->left) * width + got, err);
    r->left -= count;
    return count > 0 ? check_end(r, err) : ATTN_OK;
}

attn_status npy_skip(npy_reader *r, size_t count, attn_error *err)
{
    assert(count <= r->left);
    size_t width = npy_type_bytes(r->shape.type);
    if (r->regular) {
        if (lseek(r->fd, (off_t)(count * width), SEEK_CUR) < 0)
            return attn_fail(err, ATTN_EIO, "%s: cannot be read: %s", r->path, strerror(errno));
        r->left -= count;
        return ATTN_OK;
    }
    char scratch[SCRATCH];
    while (count > 0) {
        size_t part = count < SCRATCH / width ? count : SCRATCH / width;
        attn_status status = npy_read(r, scratch, part, err);
        if (status != ATTN_OK)
            return status;
        count -= part;
    }
    return ATTN_OK;
}

/* ---- writing ---- */

bool npy_write_header(FILE *stream, npy_type type, int rank, const size_t *size)
{
    assert(rank >= 0 && rank <= NPY_MAX_RANK);
    char text[512];
    size_t used = (size_t)snprintf(text, sizeof text, "{'descr': '%s', 'fortran_order': False, 'shape': (",
                                   types[type].descr);
    for (int k = 0; k < rank; k++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%zu%s", k ? ", " : "", size[k],
                                 rank == 1 ? "," : "");
    used += (size_t)snprintf(text + used, sizeof text - used, "), }");
    /* Padded with spaces and a newline so that the elements begin at a multiple of 64 bytes. */
    size_t total = (MAGIC + 4 + used + 1 + 63) / 64 * 64, length = total - MAGIC - 4;
    memset(text + used, ' ', length - used);
    text[length - 1] = '\n';
    unsigned char start[MAGIC + 4] = "\x93NUMPY\1";
    start[MAGIC + 2] = (unsigned char)(length & 255);
    start[MAGIC + 3] = (unsigned char)(length >> 8);
    return fwrite(start, 1, sizeof start, stream) == sizeof start &&
           fwrite(text, 1, length, stream) == length;
}

attn_status npy_save(const char *path, npy_type type, int rank, const size_t *size, const void *data,
                     attn_error *err)
{
    size_t count = 1;
    for (int k = 0; k < rank; k++)
        count *= size[k];
    outfile f;
    attn_status status = outfile_open(&f, path, err);
    if (status != ATTN_OK)
        return status;
    /* A short write shows in the stream's error flag, which outfile_finish() reports with its cause. */
    if (npy_write_header(f.stream, type, rank, size))
        (void)!fwrite(data, npy_type_bytes(type), count, f.stream);
    return outfile_commit(&f, err);
}
