/* Files written whole or not at all: the content goes to a temporary file beside the target, which replaces
 * the target when all of it has been written. */
#ifndef BASE_OUTFILE_H
#define BASE_OUTFILE_H

#include <stdio.h>

#include "attn/status.h"

typedef struct outfile {
    FILE *stream;    /* to write to; NULL when closed */
    char *target;    /* the file itself, symbolic links followed; NULL: stream is the target */
    char *temporary;
    const char *path; /* the caller's, for messages; outlives the outfile */
} outfile;

/* Opens `path` for writing, "-" meaning standard output. What is not a regular file (a pipe, /dev/null) is
 * written directly. EINVAL when the user's path cannot be used (no such folder, a folder, not writable),
 * EIO when the machine fails. */
ATTN_MUST_CHECK attn_status outfile_open(outfile *f, const char *path, attn_error *err);

/* Writes what is buffered and closes the temporary file; the target is untouched still. EIO when any write
 * since opening failed (disk full, closed pipe). To commit several files together, finish all of them
 * first. */
ATTN_MUST_CHECK attn_status outfile_finish(outfile *f, attn_error *err);

/* Finishes, if that is still to be done, and puts the file in its place. After a failure the temporary file
 * is gone and the target untouched. */
ATTN_MUST_CHECK attn_status outfile_commit(outfile *f, attn_error *err);

/* Removes the temporary file, if any; safe on a zeroed, committed or discarded outfile. */
void outfile_discard(outfile *f);

#endif
