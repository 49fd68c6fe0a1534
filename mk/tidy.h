/* Included before every file that clang-tidy sees. It looks at one file at a time, and so does not know that attn_fail()
 * returns the status it was given, which is never ATTN_OK: without this, each check of a status looks as if it might pass. */
#include "attn/status.h"

#define attn_fail(err, status, ...) ((void)attn_fail(err, status, __VA_ARGS__), (status))
