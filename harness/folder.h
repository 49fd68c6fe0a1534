/* Folders for files that live as long as a command. */
#ifndef HARNESS_FOLDER_H
#define HARNESS_FOLDER_H

#include "attn/status.h"

enum { FOLDER_PATH = 256 };

/* Makes "attnlab-STEM-XXXXXX" in $TMPDIR, else /tmp. EIO, and an empty path: it cannot. */
ATTN_MUST_CHECK attn_status folder_make(char path[FOLDER_PATH], const char *stem, attn_error *err);

/* The files in it, then itself. Nothing in it is a folder. An empty path is none. */
void folder_remove(const char *path);

#endif
