/* NPY files: round trips, what NumPy itself writes, and everything that must be refused with one line. */
#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/npy.h"
#include "base/npy_header.h"
#include "base/rng.h"
#include "support/program.h"

/* A file of version `major`.0 with this header (unpadded) and `bytes` zero bytes of elements. */
static const char *craft(int major, const char *header, size_t bytes)
{
    const char *path = scratch_path("crafted.npy");
    FILE *f = fopen(path, "wb");
    size_t length = strlen(header);
    fwrite("\x93NUMPY", 1, 6, f);
    fputc(major, f);
    fputc(0, f);
    for (int k = 0; k < (major == 1 ? 2 : 4); k++)
        fputc((int)(length >> 8 * k & 255), f);
    fwrite(header, 1, length, f);
    for (size_t k = 0; k < bytes; k++)
        fputc(0, f);
    fclose(f);
    return path;
}

/* Opens and reads all; the message is in err. */
static attn_status load(const char *path, npy_shape *shape, attn_error *err)
{
    npy_reader *r;
    err->message[0] = '\0';
    attn_status status = npy_open(&r, path, err);
    cr_assert(status == ATTN_OK || !r, "a reader is left after a failure");
    if (status == ATTN_OK) {
        *shape = *npy_reader_shape(r);
        void *data = malloc(shape->count * npy_type_bytes(shape->type) + 1);
        status = npy_read(r, data, shape->count, err);
        free(data);
    }
    npy_close(r);
    return status;
}

static void refused(const char *path, const char *word)
{
    npy_shape shape;
    attn_error err;
    attn_status status = load(path, &shape, &err);
    cr_assert(status == ATTN_EINVAL, "%s: status %d, expected a refusal naming '%s'", path, (int)status,
              word);
    cr_assert(strncmp(err.message, path, strlen(path)) == 0, "the message does not begin with the file: %s",
              err.message);
    cr_assert(strstr(err.message, word), "no '%s' in: %s", word, err.message);
}

Test(npy, round_trips_of_odd_shapes)
{
    static const struct {
        int rank;
        size_t size[NPY_MAX_RANK];
    } shapes[] = {{0, {0}},
                  {1, {1}},
                  {1, {7}},
                  {2, {3, 5}},
                  {3, {2, 1, 9}},
                  {4, {1, 1, 1, 1}},
                  {8, {1, 2, 1, 3, 1, 2, 1, 5}},
                  {2, {0, 5}},
                  {3, {4, 0, 2}}};
    for (int type = NPY_BOOL; type <= NPY_F8; type++) {
        for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
            unsigned char data[1024], back[1024];
            for (size_t k = 0; k < sizeof data; k++)
                data[k] = (unsigned char)(k * 7 + s);
            const char *path = scratch_path("a.npy");
            attn_error err;
            cr_assert(npy_save(path, (npy_type)type, shapes[s].rank, shapes[s].size, data, &err) == ATTN_OK,
                      "%s", err.message);
            npy_reader *r;
            cr_assert(npy_open(&r, path, &err) == ATTN_OK, "type %d shape %zu: %s", type, s, err.message);
            const npy_shape *shape = npy_reader_shape(r);
            cr_assert(shape->type == (npy_type)type && shape->rank == shapes[s].rank, "type %d shape %zu",
                      type, s);
            for (int k = 0; k < shape->rank; k++)
                cr_assert(shape->size[k] == shapes[s].size[k], "type %d shape %zu dimension %d", type, s, k);
            size_t bytes = shape->count * npy_type_bytes(shape->type), half = shape->count / 2;
            cr_assert(npy_read(r, back, half, &err) == ATTN_OK, "%s", err.message);
            cr_assert(npy_read(r, back + half * npy_type_bytes(shape->type), shape->count - half, &err) ==
                          ATTN_OK,
                      "%s", err.message);
            cr_assert(memcmp(data, back, bytes) == 0, "type %d shape %zu: elements differ", type, s);
            npy_close(r);
            size_t size;
            char *file = read_whole_file(path, &size);
            cr_assert((size - bytes) % 64 == 0 && file[size - bytes - 1] == '\n',
                      "elements are not aligned to 64");
            free(file);
        }
    }
}

/* Byte for byte what numpy.save(numpy.arange(3, dtype='<f4')) writes. */
Test(npy, bytes_as_numpy_writes_them)
{
    static const float data[3] = {0, 1, 2};
    const char *path = scratch_path("numpy.npy");
    attn_error err;
    cr_assert(npy_save(path, NPY_F4, 1, (size_t[]){3}, data, &err) == ATTN_OK, "%s", err.message);
    static const char start[] =
        "\x93NUMPY\1\0\x76\0{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }";
    char expected[128 + 12];
    memset(expected, ' ', 128);
    memcpy(expected, start, sizeof start - 1);
    expected[127] = '\n';
    memcpy(expected + 128, data, 12);
    size_t size;
    char *file = read_whole_file(path, &size);
    cr_assert(size == sizeof expected && memcmp(file, expected, size) == 0, "%zu bytes", size);
    free(file);
}

Test(npy, headers_others_write)
{
    static const struct {
        int major;
        const char *header;
        size_t bytes;
        int rank;
        size_t count;
    } good[] = {
        {1, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }   \n", 24, 2, 6},
        {2, "{\"shape\":(2L,3L),\"fortran_order\":False,\"descr\":\"<f4\"}", 24, 2, 6},
        {3, "{'descr': '<f4', 'fortran_order': False, 'shape': ()}\n", 4, 0, 1},
        {1, "  { 'descr' : '|b1' ,\t'fortran_order' : False , 'shape' : ( 5 , ) , } \n", 5, 1, 5},
        {1, "{'descr': '<u1', 'fortran_order': False, 'shape': (5,)}", 5, 1, 5},
        {1, "{'descr': '<f4', 'fortran_order': True, 'shape': (1, 6, 1)}", 24, 3,
         6}, /* order does not matter */
        {1, "{'descr': '<f8', 'fortran_order': False, 'shape': (0, 6)}", 0, 2, 0},
    };
    for (size_t k = 0; k < sizeof good / sizeof *good; k++) {
        npy_shape shape;
        attn_error err;
        attn_status status = load(craft(good[k].major, good[k].header, good[k].bytes), &shape, &err);
        cr_assert(status == ATTN_OK, "header %zu: %s", k, err.message);
        cr_assert(shape.rank == good[k].rank && shape.count == good[k].count, "header %zu: rank %d count %zu",
                  k, shape.rank, shape.count);
    }
}

Test(npy, refuses_what_it_cannot_mean)
{
    static const struct {
        const char *header, *word;
        size_t bytes;
    } wrong[] = {
        {"{'descr': '>f4', 'fortran_order': False, 'shape': (2,)}", "big-endian", 8},
        {"{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3)}", "Fortran", 24},
        {"{'descr': '|O', 'fortran_order': False, 'shape': (2,)}", "Python objects", 8},
        {"{'descr': '<U7', 'fortran_order': False, 'shape': (2,)}", "'<U7'", 56},
        {"{'descr': '<c8', 'fortran_order': False, 'shape': (2,)}", "'<c8'", 16},
        {"{'descr': '', 'fortran_order': False, 'shape': (2,)}", "''", 16},
        {"{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,)}", "structured", 8},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (-2,)}", "negative", 8},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296, 2)}", "multiply", 8},
        {"{'descr': '<f8', 'fortran_order': False, 'shape': (0, 4611686018427387904, 4)}", "multiply", 0},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,)}", "64 bits", 8},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1)}", "8 dimensions", 4},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2)}", "tuple", 8},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2 3)}", "commas", 8},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2.5,)}", "commas", 8},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (x,)}", "integers", 8},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': [2]}", "tuple", 8},
        {"{'descr': '<f4', 'fortran_order': 0, 'shape': (2,)}", "fortran_order", 8},
        {"{'descr': 4, 'fortran_order': False, 'shape': (2,)}", "not a string", 8},
        {"{'descr': '<f4', 'fortran_order': False}", "'shape' is missing", 8},
        {"{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (2,)}", "twice", 8},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2,), 'extra': 1}", "'extra'", 8},
        {"{'descr': '<f4' 'fortran_order': False, 'shape': (2,)}", "dictionary", 8},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2,)} x", "after the dictionary", 8},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2,)", "dictionary", 8},
        {"{'descr': '<f4", "not a string", 8},
        {"[1, 2]", "dictionary", 8},
        {"", "dictionary", 8},
    };
    for (size_t k = 0; k < sizeof wrong / sizeof *wrong; k++)
        refused(craft(1, wrong[k].header, wrong[k].bytes), wrong[k].word);
    refused(craft(4, "{}", 0), "4.0");
}

/* A good file cut at every length, and one byte longer. */
Test(npy, truncated_anywhere)
{
    float data[6] = {0};
    const char *path = scratch_path("whole.npy");
    attn_error err;
    cr_assert(npy_save(path, NPY_F4, 2, (size_t[]){2, 3}, data, &err) == ATTN_OK, "%s", err.message);
    size_t size;
    char *file = read_whole_file(path, &size);
    const char *cut = scratch_path("cut.npy");
    for (size_t length = 0; length < size; length++) {
        write_whole_file(cut, file, length);
        refused(cut, length < 6 ? "not an NPY" : "truncated");
    }
    write_whole_file(cut, file, size);
    FILE *f = fopen(cut, "ab");
    fputc(0, f);
    fclose(f);
    refused(cut, "trailing");
    free(file);
}

Test(npy, foreign_files)
{
    static const struct {
        const char *content, *word;
        size_t length;
    } foreign[] = {
        {"", "empty", 0},
        {"PK\3\4 and so on", ".npz", 14},
        {"\x80\4\x95 pickled", "pickle", 11},
        {"\x89HDF\r\n\x1a\n", "HDF5", 8},
        {"\x1f\x8b\x08 zipped", "gzip", 10},
        {"1.0 2.0 3.0\n", "does not begin", 12},
        {"\x93NUMPX\1\0", "does not begin", 8},
    };
    for (size_t k = 0; k < sizeof foreign / sizeof *foreign; k++) {
        const char *path = scratch_path("foreign.npy");
        write_whole_file(path, foreign[k].content, foreign[k].length);
        refused(path, foreign[k].word);
    }
    refused(scratch_path("missing.npy"), "cannot be opened");
    const char *folder = scratch_path("folder.npy");
    mkdir(folder, 0777);
    refused(folder, "folder");
}

/* Seeded damage: characters of a good header replaced, removed and doubled. Whatever comes of it is a shape
 * or a refusal with a message; under the sanitizers, also nothing out of bounds (the text ends where its
 * block ends). */
Test(npy, damaged_headers)
{
    static const char good[] = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 30, 4), }   \n";
    static const char characters[] = "\0\xff,:'(){}0123456789L-<>|fu8 T";
    enum { ROUNDS = 50000 };
    size_t refusals = 0;
    rng r = rng_make(1, 0);
    for (int round = 0; round < ROUNDS; round++) {
        size_t length = sizeof good - 1;
        char text[sizeof good + 8];
        memcpy(text, good, length);
        for (uint64_t k = rng_below(&r, 4) + 1; k > 0; k--) {
            size_t at = rng_below(&r, length);
            switch (rng_below(&r, 3)) {
            case 0: text[at] = characters[rng_below(&r, sizeof characters - 1)]; break;
            case 1: memmove(text + at, text + at + 1, --length - at); break;
            case 2: memmove(text + at + 1, text + at, length++ - at); break;
            }
        }
        char *exact = malloc(length);
        memcpy(exact, text, length);
        npy_shape shape = {.rank = -1};
        attn_error err = {""};
        attn_status status = npy_header_parse(exact, length, "x.npy", &shape, &err);
        free(exact);
        cr_assert(status == ATTN_OK
                      ? shape.rank >= 0 && shape.rank <= NPY_MAX_RANK
                      : status == ATTN_EINVAL && strncmp(err.message, "x.npy: ", 7) == 0 && shape.rank == -1,
                  "round %d: status %d: %s", round, (int)status, err.message);
        refusals += status != ATTN_OK;
    }
    cr_assert(refusals > ROUNDS / 2 && refusals < ROUNDS, "%zu of %d are refused", refusals, ROUNDS);
}

/* A header that claims 4 GiB must not be believed; nothing of that size is allocated. */
Test(npy, absurd_header_length)
{
    const char *path = scratch_path("absurd.npy");
    write_whole_file(path, "\x93NUMPY\2\0\xff\xff\xff\xff{'descr'", 20);
    refused(path, "4294967295");
    write_whole_file(path, "\x93NUMPY\1\0\xff\xff{'descr'", 18);
    refused(path, "truncated");
}

/* Pipes have no length to check beforehand. */
Test(npy, pipes)
{
    float data[5] = {1, 2, 3, 4, 5}, back[5];
    const char *path = scratch_path("plain.npy"), *pipe = scratch_path("pipe");
    attn_error err;
    cr_assert(npy_save(path, NPY_F4, 1, (size_t[]){5}, data, &err) == ATTN_OK, "%s", err.message);
    static const struct {
        const char *command, *word;
    } ways[] = {{"cat", NULL}, {"head -c -1", "truncated"}, {"sed '$a x'", "trailing"}};
    cr_assert(mkfifo(pipe, 0600) == 0, "mkfifo failed");
    for (size_t k = 0; k < sizeof ways / sizeof *ways; k++) {
        char command[1200];
        snprintf(command, sizeof command, "%s < %s > %s &", ways[k].command, path, pipe);
        cr_assert(system(command) == 0, "%s", command);
        npy_reader *r;
        attn_status status = npy_open(&r, pipe, &err);
        cr_assert(status == ATTN_OK, "%s", err.message);
        status = npy_skip(r, 2, &err);
        cr_assert(status == ATTN_OK, "%s", err.message);
        status = npy_read(r, back, 3, &err);
        npy_close(r);
        if (!ways[k].word)
            cr_assert(status == ATTN_OK && back[0] == 3 && back[2] == 5, "status %d", (int)status);
        else
            cr_assert(status == ATTN_EINVAL && strstr(err.message, ways[k].word), "%s: %s", command,
                      err.message);
    }
}

Test(npy, shape_text)
{
    char out[NPY_SHAPE_TEXT];
    npy_shape shape = {.type = NPY_U2, .rank = 3, .size = {2, 30, 4}};
    cr_assert(strcmp(npy_shape_text(&shape, out, sizeof out), "[2,30,4] uint16") == 0, "%s", out);
    shape.rank = NPY_MAX_RANK;
    for (int k = 0; k < NPY_MAX_RANK; k++)
        shape.size[k] = SIZE_MAX;
    npy_shape_text(&shape, out, sizeof out);
    cr_assert(strstr(out, "] uint16"), "does not fit: %s", out);
    char small[8];
    npy_shape_text(&shape, small, sizeof small);
    cr_assert(strlen(small) == 7, "not terminated: %s", small);
}
