/* PNG to PBM through libpng's simplified interface. See mask_png.h. */
#include "harness/mask_png.h"

#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Bits of a picture of n x n greys behind the header of a PBM, or the first pixel that is neither black nor white. */
static attn_status pack(const unsigned char *greys, size_t n, const char *path, unsigned char *bits, attn_error *err)
{
    const unsigned char black = 64, white = 192;
    const size_t stride = (n + 7) / 8;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++) {
            const unsigned char grey = greys[i * n + j];
            if (grey > black && grey < white)
                return attn_fail(err, ATTN_EINVAL, "mask: %s: row %zu, key %zu is grey (%d of 255), neither black nor white; show --png --pixels N "
                                                   "writes a pixel for every pair", path, i, j, grey);
            if (grey <= black)
                bits[i * stride + j / 8] |= (unsigned char)(0x80 >> j % 8);
        }
    return ATTN_OK;
}

static attn_status decode(png_image *image, const char *path, size_t n, unsigned char **pbm, size_t *size, attn_error *err)
{
    if (image->width != n || image->height != n)
        return attn_fail(err, ATTN_EINVAL, "mask: %s has %u x %u pixels, and n is %zu here", path, image->width, image->height, n);
    char header[64];
    const size_t length = (size_t)snprintf(header, sizeof header, "P4\n%zu %zu\n", n, n), bytes = length + n * ((n + 7) / 8);
    unsigned char *greys = malloc(n * n), *out = calloc(bytes, 1);
    attn_status status = greys && out ? ATTN_OK : attn_fail(err, ATTN_ENOMEM, "out of memory reading %s", path);
    image->format = PNG_FORMAT_GRAY;
    const png_color paper = {255, 255, 255};
    if (status == ATTN_OK && !png_image_finish_read(image, &paper, greys, 0, NULL))
        status = attn_fail(err, ATTN_EINVAL, "mask: %s: %s", path, image->message);
    if (status == ATTN_OK) {
        memcpy(out, header, length);
        status = pack(greys, n, path, out + length, err);
    }
    free(greys);
    if (status == ATTN_OK) {
        *pbm = out;
        *size = bytes;
    } else {
        free(out);
    }
    return status;
}

attn_status mask_png_decode(const char *path, size_t n, unsigned char **pbm, size_t *size, attn_error *err)
{
    png_image image = {.version = PNG_IMAGE_VERSION};
    if (!png_image_begin_read_from_file(&image, path))
        return attn_fail(err, ATTN_EINVAL, "mask: cannot read %s: %s", path, image.message);
    const attn_status status = decode(&image, path, n, pbm, size, err);
    png_image_free(&image);
    return status;
}
