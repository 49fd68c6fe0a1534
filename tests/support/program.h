/* Running programs from tests, and folders to run them in. Failures of the machinery end the test. */
#ifndef TESTS_SUPPORT_PROGRAM_H
#define TESTS_SUPPORT_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>

typedef struct outcome {
    int exit_code;    /* 128 + signal when killed */
    char *out, *err;  /* all of stdout and stderr, terminated; never NULL */
    size_t out_size;  /* bytes in out, which may hold zeros */
} outcome;

/* The program under test, $ATTNLAB, with a command line as a shell reads it: attnlab("show %s -n 8", spec). */
outcome attnlab(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Any shell command; the program is $ATTNLAB in it. */
outcome shell(const char *format, ...) __attribute__((format(printf, 1, 2)));

void outcome_free(outcome *o);

/* Whether stderr is exactly one line that begins with "attnlab: " and contains each of the words
 * (terminated by NULL), and stdout is empty. */
bool one_complaint(const outcome *o, const char *word, ...) __attribute__((sentinel));

/* A new empty folder, removed with all its content when the test's process exits. */
const char *scratch_folder(void);

/* FOLDER/NAME in a static ring of buffers. */
const char *scratch_path(const char *name);

bool file_exists(const char *path);
char *read_whole_file(const char *path, size_t *size); /* malloc'ed and terminated; size may be NULL */
void write_whole_file(const char *path, const void *data, size_t size);

/* The first column of a query over a database file as text, in a static ring; "" for null. `parameter` may be NULL. */
const char *ask(const char *database, const char *sql, const char *parameter);

/* scratch_path() in a buffer that stays: running programs uses up that ring. */
const char *place(const char *name);

#endif
