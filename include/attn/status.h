/* Errors: a status is returned, a message is left with the caller.
 *
 * Every function that can fail returns attn_status and takes an optional attn_error last. On failure its
 * outputs are untouched or NULL, and the message is one line that names the value and what would be right. */
#ifndef ATTN_STATUS_H
#define ATTN_STATUS_H

#ifdef __cplusplus
extern "C" {
#endif

typedef enum attn_status {
    ATTN_OK = 0,
    ATTN_EINVAL,       /* bad input: a spec, an argument, a file's content */
    ATTN_EUNAVAILABLE, /* well-formed, but this machine or build cannot do it */
    ATTN_ENOMEM,       /* out of memory */
    ATTN_EIO,          /* the machine failed: disk full, lock held past its timeout */
    ATTN_EINTERNAL,    /* a broken invariant, reported where an abort would lose the user's work */
    ATTN_EWRONG        /* numbers that disagree with their definition */
} attn_status;

enum { ATTN_ERROR_LENGTH = 512 };

typedef struct attn_error {
    char message[ATTN_ERROR_LENGTH]; /* one line, no newline, always terminated */
} attn_error;

#if defined(__GNUC__)
#define ATTN_PRINTF(string, first) __attribute__((format(printf, string, first)))
#define ATTN_MUST_CHECK __attribute__((warn_unused_result))
#define ATTN_API __attribute__((visibility("default")))
#else
#define ATTN_PRINTF(string, first)
#define ATTN_MUST_CHECK
#define ATTN_API
#endif

/* Writes the message into `err` (which may be NULL), cut to fit, control characters replaced by '?',
 * and returns `status`: `return attn_fail(err, ATTN_EINVAL, "fixed: c=%zu exceeds l=%zu", c, l);` */
ATTN_API attn_status attn_fail(attn_error *err, attn_status status, const char *format, ...) ATTN_PRINTF(3, 4);

/* "bad input", "unavailable here", ... : a static string. */
ATTN_API const char *attn_status_name(attn_status status);

#ifdef __cplusplus
}
#endif
#endif
