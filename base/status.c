/* Error messages: one terminated line without control characters, whatever the user's text contained. */
#include "attn/status.h"
#include "attn/version.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

attn_status attn_fail(attn_error *err, attn_status status, const char *format, ...)
{
    if (!err)
        return status;
    char message[ATTN_ERROR_LENGTH]; /* an argument may be err->message itself */
    va_list arguments;
    va_start(arguments, format);
    int written = vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    if (written < 0)
        message[0] = '\0';
    else if ((size_t)written >= sizeof message)
        memcpy(message + sizeof message - 4, "...", 4);
    for (char *c = message; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = '?';
    memcpy(err->message, message, sizeof message);
    return status;
}

const char *attn_status_name(attn_status status)
{
    switch (status) {
    case ATTN_OK: return "ok";
    case ATTN_EINVAL: return "bad input";
    case ATTN_EUNAVAILABLE: return "unavailable here";
    case ATTN_ENOMEM: return "out of memory";
    case ATTN_EIO: return "the machine failed";
    case ATTN_EINTERNAL: return "internal error";
    case ATTN_EWRONG: return "wrong numbers";
    }
    return "unknown status";
}

const char *attn_version(void)
{
    return ATTN_VERSION;
}
