/* Small reads from /proc and /sys, under a root that tests can replace. */
#ifndef HARNESS_HOST_FILES_H
#define HARNESS_HOST_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "attn/status.h"

/* Opens root + path for reading; NULL if it is not there. */
FILE *host_open(const char *root, const char *format, ...) ATTN_PRINTF(2, 3);

/* The first line of a file, without its end; false and "" if there is none. */
bool host_line(char *out, size_t size, const char *root, const char *format, ...) ATTN_PRINTF(4, 5);

/* What follows "key", spaces and ':' or '=' on the first line that begins so; false and "" if none does. */
bool host_field(char *out, size_t size, const char *root, const char *path, const char *key);

/* Whether a folder of `path` (as in $PATH; NULL: none) holds a program of that name. */
bool host_has_program(const char *path, const char *name);

/* CPUs in a kernel list such as "0-3,8,10-11"; 0 if malformed. */
size_t host_list_count(const char *list);

#endif
